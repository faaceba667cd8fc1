//! `decontaminate`: documents that hold items of evaluation sets.

mod index;
mod sets;
mod units;

#[cfg(test)]
mod tests;

use std::ops::Range;

use corpora::Document;
use serde::{Deserialize, Serialize};

pub use self::index::EvalSet;
use self::index::{Index, Match};
pub use self::sets::EvalFiles;
pub use self::units::Unit;
use self::units::Units;
use crate::chars::{is_alnum, is_space};
use crate::edit::replaced;
use crate::rules::{Effect, Rule};
use crate::spec::{Options, SpecError, in_order, in_range};
use crate::{Filter, Metrics, Reason, Sign, Verdict};

/// Characters of a matched span that are repeated in a finding.
const EXCERPT: usize = 160;
/// Largest `ngram`, so that a window of syllables has a power table at hand.
const MAX_NGRAM: f64 = 128.0;

/// Options of `decontaminate`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct DecontaminateConfig {
    /// The evaluation files: paths or globs, or tables with `path`, `name`, `fields` and `format`. Required.
    pub files: Vec<EvalFiles>,
    /// Words of a window that must agree; a Hangul syllable is half a word. Default 13.
    pub ngram: usize,
    /// What is compared. Default `syllable`.
    pub unit: Unit,
    /// A text of an item below `ngram` words must stand in a document as a whole; one below this
    /// many words is not looked for. Default 8.
    pub min_words: usize,
    /// Largest share of an item's text that a document may hold. Default 0.5.
    pub max_overlap: f64,
    /// What becomes of a document above it. Default `drop`.
    pub action: Contaminated,
    /// Apply to these buckets alone. Default: all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub only_buckets: Vec<String>,
    /// Do not apply to these buckets. Default: none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub except_buckets: Vec<String>,
}

/// What becomes of a document that holds an item.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Contaminated {
    /// The document is dropped.
    #[default]
    Drop,
    /// What agrees with the item is cut out of the text.
    RemoveSpan,
    /// It is counted and named, and the document stays as it is.
    Count,
}

/// An item of an evaluation set that stands in a document.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Finding {
    /// Name of the evaluation set.
    pub set: String,
    /// Id of the item in it, or file and position.
    pub item: String,
    /// Field of the item whose text was found.
    pub field: String,
    /// Share of that text that the document holds.
    pub overlap: f64,
    /// First byte of the longest stretch that agrees, in the text as the filter met it.
    pub start: usize,
    /// Byte after its last one.
    pub end: usize,
    /// The beginning of that stretch.
    pub excerpt: String,
}

impl Default for DecontaminateConfig {
    fn default() -> Self {
        Self {
            files: Vec::new(),
            ngram: 13,
            unit: Unit::Syllable,
            min_words: 8,
            max_overlap: 0.5,
            action: Contaminated::Drop,
            only_buckets: Vec::new(),
            except_buckets: Vec::new(),
        }
    }
}

impl Options for DecontaminateConfig {
    const NAME: &'static str = "decontaminate";

    fn only_buckets(&self) -> &[String] {
        &self.only_buckets
    }

    fn except_buckets(&self) -> &[String] {
        &self.except_buckets
    }

    fn files_mut(&mut self) -> Vec<&mut String> {
        self.files.iter_mut().map(|files| &mut files.path).collect()
    }

    fn files(&self) -> Result<Vec<String>, SpecError> {
        sets::paths(&self.files).map_err(Self::unusable)
    }

    fn check(&self) -> Result<(), SpecError> {
        if self.files.is_empty() {
            return Err(SpecError::NothingToDo { filter: Self::NAME, key: "files", keys: "`files`" });
        }
        in_range::<Self>("ngram", Some(self.ngram as f64), 1.0, MAX_NGRAM)?;
        in_range::<Self>("min-words", Some(self.min_words as f64), 1.0, MAX_NGRAM)?;
        in_range::<Self>("max-overlap", Some(self.max_overlap), 0.0, 1.0)?;
        in_order::<Self>(("min-words", Some(self.min_words as f64)), ("ngram", Some(self.ngram as f64)))?;
        sets::check(&self.files).map_err(Self::unusable)
    }

    fn build(&self) -> Box<dyn Filter> {
        Box::new(self.with(Index::new(self.unit, self.ngram, self.min_words)))
    }

    fn load(&self) -> Result<Box<dyn Filter>, SpecError> {
        let mut index = Index::new(self.unit, self.ngram, self.min_words);
        sets::read(&self.files, &mut index).map_err(Self::unusable)?;
        index.finish();
        Ok(Box::new(self.with(index)))
    }

    fn rules(&self) -> Vec<Rule> {
        match self.action {
            Contaminated::Drop => {
                vec![Rule::exact("max-overlap", OVERLAP, RULE, Sign::Above, Some(self.max_overlap))]
            }
            Contaminated::RemoveSpan | Contaminated::Count => Vec::new(),
        }
    }

    fn effect(&self) -> Effect {
        let rewrites = self.action == Contaminated::RemoveSpan;
        Effect { drops: rewrites, rewrites }
    }
}

impl DecontaminateConfig {
    fn unusable(cause: String) -> SpecError {
        SpecError::List { filter: Self::NAME, key: "files", cause }
    }

    fn with(&self, index: Index) -> Decontaminate {
        Decontaminate { index, max_overlap: self.max_overlap, action: self.action }
    }
}

const OVERLAP: &str = "decontaminate-overlap";
const ITEMS: &str = "decontaminate-items";
const REMOVED: &str = "decontaminate-removed";
const RULE: &str = "decontaminate/overlap";

struct Decontaminate {
    index: Index,
    max_overlap: f64,
    action: Contaminated,
}

impl Filter for Decontaminate {
    fn name(&self) -> &'static str {
        DecontaminateConfig::NAME
    }

    fn metric_names(&self) -> Vec<&'static str> {
        match self.action {
            Contaminated::RemoveSpan => vec![OVERLAP, ITEMS, REMOVED],
            Contaminated::Drop | Contaminated::Count => vec![OVERLAP, ITEMS],
        }
    }

    fn eval_sets(&self) -> &[EvalSet] {
        self.index.sets()
    }

    fn rewrites_turns(&self) -> bool {
        true
    }

    fn apply(&self, document: &mut Document, metrics: &mut Metrics) -> Verdict {
        let units = Units::new(&document.text, self.index.unit());
        let found = self.index.search(&units, self.max_overlap);
        metrics.insert(OVERLAP, found.overlap);
        metrics.insert(ITEMS, found.matches.len() as f64);
        for one in &found.matches {
            metrics.found(self.finding(one, &document.text));
        }
        let reason = |detail: String| Verdict::Drop(Reason::above(RULE, found.overlap, self.max_overlap).with_detail(detail));
        let told = || found.matches.first().map(|first| self.told(first, &document.text)).unwrap_or_default();
        match self.action {
            Contaminated::Drop if !found.matches.is_empty() => reason(told()),
            Contaminated::RemoveSpan => {
                let edits: Vec<_> = widened(&document.text, &found.spans).into_iter().map(|range| (range, "")).collect();
                let (text, turns) = replaced(&document.text, &document.turns, &edits);
                metrics.insert(REMOVED, (document.text.chars().count() - text.chars().count()) as f64);
                let emptied = |before: &str, after: &str| before.contains(is_alnum) && !after.contains(is_alnum);
                let mut messages = document.turns.iter().zip(&turns);
                if emptied(&document.text, &text) || messages.any(|(before, after)| emptied(&before.text, &after.text)) {
                    return reason(told());
                }
                if !edits.is_empty() {
                    (document.text, document.turns) = (text, turns);
                    metrics.text_changed();
                }
                Verdict::Keep
            }
            Contaminated::Drop | Contaminated::Count => Verdict::Keep,
        }
    }
}

/// Items that are looked for in texts one by one, with the filter's default limits; what [`DecontaminateConfig`] does for
/// files.
pub struct ItemSearch(Decontaminate);

impl ItemSearch {
    /// Of items as set, id and texts.
    pub fn new<'a>(items: impl IntoIterator<Item = (String, String, Vec<&'a str>)>) -> Self {
        let config = DecontaminateConfig { action: Contaminated::Count, ..DecontaminateConfig::default() };
        let mut index = Index::new(config.unit, config.ngram, config.min_words);
        for (set, id, texts) in items {
            let texts: Vec<(&str, &str)> = texts.into_iter().map(|text| ("text", text)).collect();
            index.add(&set, id, &texts);
        }
        index.finish();
        Self(config.with(index))
    }

    /// Items of which a text holds more than half, the most of one first.
    pub fn find(&self, text: &str) -> Vec<Finding> {
        let found = self.0.index.search(&Units::new(text, self.0.index.unit()), self.0.max_overlap);
        found.matches.iter().map(|one| self.0.finding(one, text)).collect()
    }

    /// The sets, and how many of their items are long enough to be told from other texts.
    pub fn sets(&self) -> &[EvalSet] {
        self.0.index.sets()
    }
}

impl Decontaminate {
    fn finding(&self, one: &Match, text: &str) -> Finding {
        let (set, item, field) = self.index.names(one.text);
        Finding {
            set: set.to_owned(),
            item: item.to_owned(),
            field: field.to_owned(),
            overlap: one.overlap,
            start: one.start,
            end: one.end,
            excerpt: excerpt(&text[one.start..one.end]),
        }
    }

    /// The item and what agrees with it, for a reason.
    fn told(&self, one: &Match, text: &str) -> String {
        let (_, item, field) = self.index.names(one.text);
        format!("{item} {field}: {}", excerpt(&text[one.start..one.end]))
    }
}

/// The beginning of a stretch in one line.
fn excerpt(text: &str) -> String {
    let mut words = text.split(is_space).filter(|word| !word.is_empty());
    let mut out = words.next().unwrap_or_default().to_owned();
    for word in words {
        out.push(' ');
        out.push_str(word);
        if out.len() > 4 * EXCERPT {
            break;
        }
    }
    match out.char_indices().nth(EXCERPT) {
        Some((at, _)) => format!("{}…", &out[..at]),
        None => out,
    }
}

/// These stretches (ascending, apart), each widened to whole words; where nothing but signs is left of a line, to the line.
fn widened(text: &str, spans: &[(usize, usize)]) -> Vec<Range<usize>> {
    let mut out: Vec<Range<usize>> = Vec::with_capacity(spans.len());
    let mut done = 0;
    for &(start, end) in spans {
        let mut start = text[..start].char_indices().rev().find(|(_, c)| is_space(*c)).map_or(0, |(at, c)| at + c.len_utf8());
        let mut end = text[end..].find(is_space).map_or(text.len(), |length| end + length);
        let line_start = text[..start].rfind('\n').map_or(0, |at| at + 1);
        let line_end = text[end..].find('\n').map_or(text.len(), |length| end + length);
        if !text[line_start.max(done)..start.max(done)].contains(is_alnum) {
            start = line_start;
        }
        if start == line_start && !text[end..line_end].contains(is_alnum) {
            end = (line_end + 1).min(text.len());
        } else if text[..start].ends_with(is_space) || start == 0 {
            end += text[end..line_end].len() - text[end..line_end].trim_start().len();
        }
        if end > done {
            out.push(start.max(done)..end);
            done = end;
        }
    }
    out
}
