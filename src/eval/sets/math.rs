//! Problems whose answer is a number or formula: HRM8K (Ko et al. 2025), and sets of arithmetic in its form.

use std::path::Path;

use super::super::item::{Ask, Gold, Item};
use super::super::{files, task::Options};
use super::{Set, prompts};
use crate::error::{Error, Result};

/// Tables with `question` and `answer`. The subject is the file's name; one with `MMMLU` in it has numbered choices.
pub(super) fn read(path: &Path, options: &Options) -> Result<Set> {
    let mut set = Set::default();
    for file in files::find(path, &[".csv", ".tsv", ".jsonl", ".parquet"])? {
        let name = files::plain_name(&file);
        let subject = name.rsplit_once('.').map_or(name.as_str(), |(stem, _)| stem).to_owned();
        for (at, row) in files::rows(&file, &["question", "answer"])?.into_iter().enumerate() {
            let answer = row.text("answer")?;
            if answer.trim().is_empty() {
                return Err(Error::new(format!("{}: an empty answer", row.place)));
            }
            let question = row.text("question")?;
            let prompt = if subject.contains("MMMLU") { prompts::hrm8k_choice(&question) } else { prompts::hrm8k(&question) };
            set.items.push(Item {
                id: format!("{name}#{}", at + 1),
                subject: subject.clone(),
                prompt,
                searched: vec![question],
                ask: Ask::Write { tokens: options.tokens.unwrap_or(2048), stops: Vec::new() },
                gold: Gold::Formula(answer.trim().to_owned()),
            });
        }
    }
    Ok(set)
}
