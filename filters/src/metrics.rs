//! Metrics: the numbers measured on one document, and the tables its filters share.

use std::sync::Arc;

use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::lexicon::Stream;
use crate::words::{Lines, Words};
use crate::{Finding, Segmentation};

/// Measured numbers by name, in the order they were first inserted, with the word and line tables
/// of the text they were measured on.
///
/// Serializes as a map of name to number. Numbers are kept to six decimals: it is what a
/// histogram needs, and it keeps the files of a large corpus small. Decisions are taken on the
/// exact value, which a [`crate::Reason`] carries.
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    values: Vec<(&'static str, f64)>,
    words: [Option<Arc<Words>>; Segmentation::COUNT],
    lines: Option<Arc<Lines>>,
    chars: Option<usize>,
    letters: Option<Arc<Stream>>,
    findings: Vec<Finding>,
}

impl Metrics {
    /// No numbers, no tables.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Stores a number; a second one under the same name replaces the first.
    ///
    /// A value that is not finite is stored as zero: JSON has no other way to write it, and every
    /// filter guards its divisions.
    pub fn insert(&mut self, name: &'static str, value: f64) {
        let value = if value.is_finite() { (value * 1e6).round() / 1e6 } else { 0.0 };
        match self.values.iter_mut().find(|(known, _)| *known == name) {
            Some(entry) => entry.1 = value,
            None => self.values.push((name, value)),
        }
    }

    /// The number stored under a name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<f64> {
        self.values.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
    }

    /// Names and numbers in the order of insertion.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, f64)> + '_ {
        self.values.iter().copied()
    }

    /// How many numbers are stored.
    #[must_use]
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// True when no number is stored.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Words of the text between white space, found on the first call and shared until it changes.
    pub fn words(&mut self, text: &str) -> Arc<Words> {
        self.words_by(text, Segmentation::Whitespace)
    }

    /// Words of the text in this segmentation, found on the first call and shared until it changes.
    pub fn words_by(&mut self, text: &str, segmentation: Segmentation) -> Arc<Words> {
        let shared = &mut self.words[segmentation as usize];
        match shared {
            Some(words) if words.text_bytes() == text.len() => Arc::clone(words),
            _ => Arc::clone(shared.insert(Arc::new(Words::segmented(text, segmentation)))),
        }
    }

    /// Lines of the text, found on the first call and shared until the text changes.
    pub fn lines(&mut self, text: &str) -> Arc<Lines> {
        match &self.lines {
            Some(lines) if lines.text_bytes() == text.len() => Arc::clone(lines),
            _ => {
                let lines = Arc::new(Lines::new(text));
                self.lines = Some(Arc::clone(&lines));
                lines
            }
        }
    }

    /// Number of characters (Unicode scalar values, white space included) of the text.
    pub fn chars(&mut self, text: &str) -> usize {
        *self.chars.get_or_insert_with(|| text.chars().count())
    }

    /// The letters of the text as lists of words are looked for in them, shared until it changes.
    pub(crate) fn letters(&mut self, text: &str) -> Arc<Stream> {
        Arc::clone(self.letters.get_or_insert_with(|| Arc::new(Stream::new(text))))
    }

    /// Stores an item of an evaluation set that stands in the document.
    pub(crate) fn found(&mut self, finding: Finding) {
        self.findings.push(finding);
    }

    /// Items of evaluation sets that were found, the surest first.
    #[must_use]
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// Forgets the tables: every filter that rewrites the text calls this. Numbers stay.
    pub fn text_changed(&mut self) {
        self.words = Default::default();
        self.lines = None;
        self.chars = None;
        self.letters = None;
    }
}

impl Serialize for Metrics {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.values.len()))?;
        for (name, value) in &self.values {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

/// A fraction that is zero where there is nothing to divide by.
pub(crate) fn ratio(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_order_and_replaces() {
        let mut metrics = Metrics::new();
        metrics.insert("b", 1.0);
        metrics.insert("a", 0.123_456_78);
        metrics.insert("b", f64::NAN);
        assert_eq!(metrics.iter().collect::<Vec<_>>(), [("b", 0.0), ("a", 0.123_457)]);
        assert_eq!(serde_json::to_string(&metrics).unwrap(), r#"{"b":0.0,"a":0.123457}"#);
    }

    #[test]
    fn tables_follow_the_text() {
        let mut metrics = Metrics::new();
        assert_eq!(metrics.words("a b").len(), 2);
        assert_eq!(metrics.chars("a b"), 3);
        metrics.text_changed();
        assert_eq!(metrics.words("cde").len(), 1);
        assert_eq!(metrics.lines("cde").len(), 1);
    }
}
