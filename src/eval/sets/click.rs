//! CLIcK (Kim et al. 2024): questions on culture and language with four or five choices.

use std::path::Path;

use serde::Deserialize;

use super::super::{files, task::Options};
use super::{Set, choice, prompts};
use crate::error::{Error, Result};

#[derive(Deserialize)]
struct Question {
    id: String,
    #[serde(default)]
    paragraph: String,
    question: String,
    choices: Vec<String>,
    answer: String,
}

/// JSON lists of questions. The subject is the folder, such as `Korean History`; of a single file, the part of
/// its name before `_`.
pub(super) fn read(path: &Path, options: &Options) -> Result<Set> {
    let mut set = Set::default();
    for file in files::find(path, &[".json"])? {
        let name = files::plain_name(&file);
        let folder = file.parent().filter(|_| path.is_dir()).and_then(Path::file_name).map(|folder| folder.to_string_lossy().into_owned());
        let subject = folder.unwrap_or_else(|| name.split(['_', '.']).next().unwrap_or_default().to_owned());
        for (at, question) in files::json::<Vec<Question>>(&file)?.into_iter().enumerate() {
            let refuse = |what: String| Error::new(format!("{}, question {} ({}): {what}", file.display(), at + 1, question.id));
            if !(2..=26).contains(&question.choices.len()) {
                return Err(refuse(format!("{} choices", question.choices.len())));
            }
            let Some(right) = question.choices.iter().position(|choice| choice.trim() == question.answer.trim()) else {
                return Err(refuse(format!("the answer `{}` is none of its choices", question.answer)));
            };
            let prompt = prompts::click(&question.paragraph, &question.question, &question.choices);
            let id = format!("{name}#{}", at + 1);
            let searched = vec![question.question, question.paragraph];
            set.items.push(choice([id, subject.clone(), prompt], searched, right, question.choices.len(), options));
        }
    }
    Ok(set)
}
