//! What `pii` and `secrets` share: spans of a text by class, counted, masked or a reason to drop.

use corpora::Document;
use serde::{Deserialize, Serialize};

use crate::edit::replaced;
use crate::rules::Effect;
use crate::{Filter, Metrics, Reason, Verdict};

/// What is done with everything found of one class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// Put the class's placeholder in its place, and count it.
    #[default]
    Mask,
    /// Drop the document.
    Drop,
    /// Count it and leave the text alone.
    Count,
    /// Do not look for it.
    Off,
}

/// One class of what is looked for.
pub(crate) struct Class {
    /// The option, for example `phone`.
    pub(crate) option: &'static str,
    /// Number found, for example `pii-phone`.
    pub(crate) metric: &'static str,
    /// Rule of a drop, for example `pii/phone`.
    pub(crate) rule: &'static str,
    /// What stands in the text instead, for example `<PHONE>`: a sign that `normalize` keeps, since
    /// no element of HTML is called so, and that holds nothing any class would match.
    pub(crate) placeholder: &'static str,
}

/// Bytes `start..end` of a text are of the class with this index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) class: usize,
}

/// Finds the spans of the classes that are on, ascending and apart; the last argument says whether
/// the text is code.
pub(crate) type Find = fn(&str, &[bool], bool) -> Vec<Span>;

/// What a filter with these actions does: drop for what it finds, change a text, both or neither.
pub(crate) fn effect(actions: &[Action]) -> Effect {
    Effect { drops: actions.contains(&Action::Drop), rewrites: actions.contains(&Action::Mask) }
}

/// The filter of a set of classes.
pub(crate) struct Masker {
    name: &'static str,
    classes: &'static [Class],
    actions: Vec<Action>,
    on: Vec<bool>,
    find: Find,
}

/// Most passes over one text. A placeholder is shorter than what it hides, so a word may come near
/// enough to a number to explain it; texts that need a third pass are made to.
const MAX_PASSES: usize = 4;

impl Masker {
    /// `actions` are in the order of `classes`.
    pub(crate) fn new(name: &'static str, classes: &'static [Class], actions: &[Action], find: Find) -> Self {
        let on = actions.iter().map(|action| *action != Action::Off).collect();
        Self { name, classes, actions: actions.to_vec(), on, find }
    }

    fn action(&self, span: &Span) -> Action {
        self.actions.get(span.class).copied().unwrap_or(Action::Off)
    }

    /// Puts placeholders into a text and its messages; whether there was anything to mask.
    fn mask(&self, document: &mut Document, spans: &[Span]) -> bool {
        let masked = spans.iter().filter(|span| self.action(span) == Action::Mask);
        let edits: Vec<_> = masked.map(|span| (span.start..span.end, self.classes[span.class].placeholder)).collect();
        if !edits.is_empty() {
            (document.text, document.turns) = replaced(&document.text, &document.turns, &edits);
        }
        !edits.is_empty()
    }
}

impl Filter for Masker {
    fn name(&self) -> &'static str {
        self.name
    }

    fn metric_names(&self) -> Vec<&'static str> {
        self.classes.iter().zip(&self.on).filter(|(_, on)| **on).map(|(class, _)| class.metric).collect()
    }

    fn rewrites_turns(&self) -> bool {
        true
    }

    fn apply(&self, document: &mut Document, metrics: &mut Metrics) -> Verdict {
        let is_code = document.is_code();
        let mut counts = vec![0_usize; self.classes.len()];
        let mut spans = (self.find)(&document.text, &self.on, is_code);
        spans.iter().for_each(|span| counts[span.class] += 1);
        let dropped = (0..counts.len()).find(|&class| self.actions[class] == Action::Drop && counts[class] > 0);
        if dropped.is_none() {
            for _ in 0..MAX_PASSES {
                if !self.mask(document, &spans) {
                    break;
                }
                metrics.text_changed();
                spans = (self.find)(&document.text, &self.on, is_code);
                for span in spans.iter().filter(|span| self.action(span) == Action::Mask) {
                    counts[span.class] += 1;
                }
            }
        }
        for ((class, count), on) in self.classes.iter().zip(&counts).zip(&self.on) {
            if *on {
                metrics.insert(class.metric, *count as f64);
            }
        }
        match dropped {
            Some(class) => Verdict::Drop(Reason::above(self.classes[class].rule, counts[class] as f64, 0.0)),
            None => Verdict::Keep,
        }
    }
}
