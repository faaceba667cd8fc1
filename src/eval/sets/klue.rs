//! KLUE (Park et al. 2021): inference between two sentences, and how alike two sentences are.

use std::path::Path;

use serde::Deserialize;

use super::super::files;
use super::super::item::{Ask, Gold, Item};
use super::{Set, prompts};
use crate::error::{Error, Result};

#[derive(Deserialize)]
struct Pair {
    guid: String,
    premise: String,
    hypothesis: String,
    gold_label: String,
}

#[derive(Deserialize)]
struct Alike {
    guid: String,
    sentence1: String,
    sentence2: String,
    labels: Labels,
}

#[derive(Deserialize)]
struct Labels {
    label: f64,
}

/// Labels of the set and the word for each.
const RELATIONS: [(&str, &str); 3] = [("entailment", " 함의"), ("neutral", " 중립"), ("contradiction", " 모순")];

/// KLUE-NLI.
pub(super) fn nli(path: &Path) -> Result<Set> {
    let mut set = Set::default();
    for file in files::find(path, &[".json"])? {
        for pair in files::json::<Vec<Pair>>(&file)? {
            let Some(right) = RELATIONS.iter().position(|(label, _)| *label == pair.gold_label) else {
                return Err(Error::new(format!("{}: {} has the label `{}`", file.display(), pair.guid, pair.gold_label)));
            };
            set.items.push(Item {
                prompt: prompts::nli(&pair.premise, &pair.hypothesis),
                searched: vec![pair.premise, pair.hypothesis],
                id: pair.guid,
                subject: String::new(),
                ask: Ask::Choose(RELATIONS.iter().map(|(_, word)| (*word).to_owned()).collect()),
                gold: Gold::Choice(right),
            });
        }
    }
    Ok(set)
}

/// KLUE-STS.
pub(super) fn sts(path: &Path) -> Result<Set> {
    let mut set = Set::default();
    for file in files::find(path, &[".json"])? {
        for pair in files::json::<Vec<Alike>>(&file)? {
            if !(0.0..=5.0).contains(&pair.labels.label) {
                return Err(Error::new(format!("{}: {} has the label {}, not 0 to 5", file.display(), pair.guid, pair.labels.label)));
            }
            set.items.push(Item {
                prompt: prompts::sts(&pair.sentence1, &pair.sentence2),
                searched: vec![pair.sentence1, pair.sentence2],
                id: pair.guid,
                subject: String::new(),
                ask: Ask::Choose((0..=5).map(|degree| format!(" {degree}")).collect()),
                gold: Gold::Degree(pair.labels.label),
            });
        }
    }
    Ok(set)
}
