//! KMMLU (Son et al. 2024): four choices, the right one as a number from 1.

use std::path::{Path, PathBuf};

use super::super::files::{self, find, plain_name};
use super::super::task::{KmmluPrompt, Options};
use super::{Set, choice, prompts};
use crate::error::{Error, Result};

/// Rows of `SUBJECT-test.csv`. The subject is the row's category.
pub(super) fn read(path: &Path, options: &Options) -> Result<Set> {
    let mut set = Set::default();
    for file in tests(path, options)? {
        let name = plain_name(&file);
        for (at, row) in files::rows(&file, &["question", "answer", "A", "B", "C", "D", "Category"])?.into_iter().enumerate() {
            let question = row.text("question")?;
            let texts = ["A", "B", "C", "D"].map(|column| row.text(column));
            let [a, b, c, d] = texts;
            let texts = [a?, b?, c?, d?];
            let answer = row.text("answer")?;
            let right = match answer.trim() {
                "1" => 0,
                "2" => 1,
                "3" => 2,
                "4" => 3,
                other => return Err(Error::new(format!("{}: the answer is `{other}`, not 1, 2, 3 or 4", row.place))),
            };
            let prompt = match options.kmmlu_prompt {
                KmmluPrompt::Default => prompts::kmmlu(&question, &texts),
                KmmluPrompt::Seed => prompts::kmmlu_seed(&question, &texts),
            };
            let names = [format!("{name}#{}", at + 1), row.text("Category")?, prompt];
            set.items.push(choice(names, vec![question], right, texts.len(), options));
        }
    }
    Ok(set)
}

/// A folder's test files, or the dev files where examples are wanted; a file as it is.
fn tests(path: &Path, options: &Options) -> Result<Vec<PathBuf>> {
    let split = if options.examples { "-dev.csv" } else { "-test.csv" };
    if path.is_file() && options.examples {
        let name = plain_name(path);
        return Ok(match name.strip_suffix("-test.csv") {
            Some(subject) => vec![path.with_file_name(format!("{subject}-dev.csv"))],
            None => vec![path.to_path_buf()],
        });
    }
    find(path, &[split])
}
