//! Sets: questions from files in their published formats.

mod click;
mod klue;
mod kmmlu;
mod korquad;
mod math;
mod prompts;

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Map, Value};

use super::files;
use super::instructions::Instruction;
use super::item::{Ask, Gold, Item};
use super::task::{Options, Task};
use crate::error::{Context, Error, Result};

/// A set that was read.
#[derive(Default)]
pub(super) struct Set {
    pub(super) items: Vec<Item>,
    /// Questions that stand in the files more than once, and are asked once.
    pub(super) repeated: usize,
    /// Why instructions cannot be checked, one line each.
    pub(super) unchecked: Vec<String>,
}

/// Reads a set.
pub(super) fn read(task: Task, path: &Path, options: &Options) -> Result<Set> {
    let hint = || format!("{task} wants {}", task.schema());
    if !path.exists() {
        return Err(Error::new(format!("{task}: {} is not there", path.display())).hint(format!("{}; nothing is downloaded", hint())));
    }
    let mut set = match task {
        Task::Kmmlu => kmmlu::read(path, options),
        Task::Click => click::read(path, options),
        Task::Ifeval | Task::Kite => instructions(path, options),
        Task::Korquad => korquad::read(path, options),
        Task::KlueNli => klue::nli(path),
        Task::KlueSts => klue::sts(path),
        Task::Hrm8k | Task::Arithmetic => math::read(path, options),
    }
    .map_err(|error| match error.hint {
        Some(_) => error,
        None => error.hint(hint()),
    })?;
    if set.items.is_empty() {
        return Err(Error::new(format!("{task}: no questions in {}", path.display())).hint(hint()));
    }
    set.unique(task)?;
    if let Some(limit) = options.limit {
        set.limit(limit);
    }
    Ok(set)
}

/// A question of a set that asks for a choice among texts, with a letter for each.
fn choice([id, subject, prompt]: [String; 3], searched: Vec<String>, right: usize, choices: usize, options: &Options) -> Item {
    let (ask, gold) = if options.generate {
        let stops = ["\n\n", "Q:", "문제:", "질문:"].map(str::to_owned).to_vec();
        (Ask::Write { tokens: options.tokens.unwrap_or(32), stops }, Gold::Letter { right, letters: choices })
    } else {
        let letters = (0..choices).map(|at| format!(" {}", super::item::letter(at))).collect();
        (Ask::Choose(letters), Gold::Choice(right))
    };
    Item { id, subject, prompt, searched, ask, gold }
}

/// IFEval's format: JSON lines with `prompt` or `instruction`, `instruction_id_list`, `kwargs`.
fn instructions(path: &Path, options: &Options) -> Result<Set> {
    let mut set = Set::default();
    for file in files::find(path, &[".jsonl", ".json"])? {
        let name = files::plain_name(&file);
        for (at, line) in files::text(&file)?.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let place = || format!("{}, line {}", file.display(), at + 1);
            let line: Map<String, Value> = serde_json::from_str(line).context(place)?;
            let refuse = |what: &str| Error::new(format!("{}: {what}", place()));
            let prompt = line.get("prompt").or(line.get("instruction")).and_then(Value::as_str);
            let prompt = prompt.ok_or_else(|| refuse("no `prompt`"))?;
            let ids = line.get("instruction_id_list").and_then(Value::as_array).ok_or_else(|| refuse("no `instruction_id_list`"))?;
            let kwargs = line.get("kwargs").and_then(Value::as_array).ok_or_else(|| refuse("no `kwargs`"))?;
            if ids.is_empty() || ids.len() != kwargs.len() {
                return Err(refuse(&format!("{} instructions with {} options", ids.len(), kwargs.len())));
            }
            let mut checks = Vec::new();
            for (id, kwargs) in ids.iter().zip(kwargs) {
                let id = id.as_str().ok_or_else(|| refuse("an instruction without a name"))?;
                let (check, reason) = Instruction::new(id, kwargs.as_object().unwrap_or(&Map::new()), prompt);
                set.unchecked.extend(reason.map(|reason| format!("{}: {reason}", place())));
                checks.push(check);
            }
            set.items.push(Item {
                id: format!("{name}#{}", at + 1),
                subject: String::new(),
                prompt: prompt.to_owned(),
                searched: vec![prompt.to_owned()],
                ask: Ask::Write { tokens: options.tokens.unwrap_or(1280), stops: Vec::new() },
                gold: Gold::Instructions(checks),
            });
        }
    }
    Ok(set)
}

impl Set {
    /// Leaves out what is asked twice; two questions of one name are an error.
    fn unique(&mut self, task: Task) -> Result<()> {
        let mut ids = BTreeSet::new();
        let mut asked = BTreeSet::new();
        let before = self.items.len();
        let mut double = None;
        self.items.retain(|item| {
            let fresh = asked.insert((item.prompt.clone(), format!("{:?} {:?}", item.ask, item.gold)));
            if fresh && !ids.insert(item.id.clone()) {
                double = Some(item.id.clone());
            }
            fresh
        });
        self.repeated = before - self.items.len();
        match double {
            Some(id) => Err(Error::new(format!("{task}: two questions are called `{id}`"))),
            None => Ok(()),
        }
    }

    /// Keeps the first questions of each subject.
    fn limit(&mut self, limit: usize) {
        let mut taken = std::collections::BTreeMap::<String, usize>::new();
        self.items.retain(|item| {
            let taken = taken.entry(item.subject.clone()).or_default();
            *taken += 1;
            *taken <= limit
        });
    }
}
