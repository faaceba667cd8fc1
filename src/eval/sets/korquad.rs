//! KorQuAD 1.0 (Lim et al. 2019): answers that are pieces of a text.

use std::path::Path;

use serde::Deserialize;

use super::super::item::{Ask, Gold, Item};
use super::super::{files, task::Options};
use super::{Set, prompts};
use crate::error::{Error, Result};

#[derive(Deserialize)]
struct File {
    data: Vec<Article>,
}

#[derive(Deserialize)]
struct Article {
    #[serde(default)]
    title: String,
    paragraphs: Vec<Paragraph>,
}

#[derive(Deserialize)]
struct Paragraph {
    context: String,
    qas: Vec<Question>,
}

#[derive(Deserialize)]
struct Question {
    id: String,
    question: String,
    answers: Vec<Text>,
}

#[derive(Deserialize)]
struct Text {
    text: String,
}

/// The format of SQuAD 1.1.
pub(super) fn read(path: &Path, options: &Options) -> Result<Set> {
    let mut set = Set::default();
    for file in files::find(path, &[".json"])? {
        let articles = files::json::<File>(&file)?.data.into_iter();
        for (title, paragraph) in
            articles.flat_map(|article| article.paragraphs.into_iter().map(move |paragraph| (article.title.clone(), paragraph)))
        {
            for question in paragraph.qas {
                if question.answers.is_empty() {
                    return Err(Error::new(format!("{}: question {} has no answer", file.display(), question.id)));
                }
                set.items.push(Item {
                    prompt: prompts::korquad(&title, &paragraph.context, &question.question),
                    searched: vec![question.question],
                    id: question.id,
                    subject: String::new(),
                    ask: Ask::Write { tokens: options.tokens.unwrap_or(64), stops: vec!["\n".to_owned()] },
                    gold: Gold::Texts(question.answers.into_iter().map(|answer| answer.text).collect()),
                });
            }
        }
    }
    Ok(set)
}
