//! `gopher-repetition`: lines, paragraphs and word n-grams that say the same again.

use corpora::Document;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use crate::bytes::places;
use crate::chars::is_space;
use crate::gopher_dclm::{Grams, Repeated};
use crate::metrics::ratio;
use crate::ngrams::{Runs, Tops};
use crate::rules::{Effect, Rule};
use crate::spec::{Options, SpecError, in_range};
use crate::table::Table;
use crate::{Filter, Metrics, Reason, Segmentation, Sign, Verdict};

/// A set of thresholds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum RepetitionPreset {
    /// Table A1 of the Gopher paper, as in datatrove; for English words.
    #[default]
    #[serde(rename = "gopher@datatrove", alias = "gopher")]
    Gopher,
    /// The same limits on what DCLM measures: all occurrences of what repeats, in Unicode words.
    #[serde(rename = "gopher@dclm")]
    GopherDclm,
    /// FineWeb-2's Korean values, which were fitted to morphemes; words are split so.
    #[serde(rename = "fineweb2-korean")]
    Fineweb2Korean,
}

/// Number of rules.
const RULES: usize = 13;

/// Metric and rule in the order of checks, which decides the reason a document is dropped for.
const NAMES: [(&str, &str); RULES] = [
    ("duplicate-paragraphs", "repetition/duplicate-paragraphs"),
    ("duplicate-paragraph-chars", "repetition/duplicate-paragraph-chars"),
    ("duplicate-lines", "repetition/duplicate-lines"),
    ("duplicate-line-chars", "repetition/duplicate-line-chars"),
    ("top-2-gram", "repetition/top-2-gram"),
    ("top-3-gram", "repetition/top-3-gram"),
    ("top-4-gram", "repetition/top-4-gram"),
    ("duplicate-5-gram", "repetition/duplicate-5-gram"),
    ("duplicate-6-gram", "repetition/duplicate-6-gram"),
    ("duplicate-7-gram", "repetition/duplicate-7-gram"),
    ("duplicate-8-gram", "repetition/duplicate-8-gram"),
    ("duplicate-9-gram", "repetition/duplicate-9-gram"),
    ("duplicate-10-gram", "repetition/duplicate-10-gram"),
];

impl RepetitionPreset {
    /// Thresholds in the order of the rules; zero switches a rule off.
    const fn thresholds(self) -> [f64; RULES] {
        match self {
            Self::Gopher | Self::GopherDclm => [0.3, 0.2, 0.3, 0.2, 0.2, 0.18, 0.16, 0.15, 0.14, 0.13, 0.12, 0.11, 0.1],
            Self::Fineweb2Korean => [0.0, 0.0, 0.374, 0.0, 0.282, 0.228, 0.185, 0.201, 0.184, 0.168, 0.154, 0.14, 0.127],
        }
    }

    const fn words(self) -> Segmentation {
        match self {
            Self::Gopher => Segmentation::Whitespace,
            Self::GopherDclm => Segmentation::Unicode,
            Self::Fineweb2Korean => Segmentation::Korean,
        }
    }
}

/// Options of `gopher-repetition`. Every threshold is a largest share, 0 to 1, takes its default
/// from the preset, and switches its rule off when it is 0.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct GopherRepetitionConfig {
    /// Where the thresholds come from, and what they measure. Default: `gopher@datatrove`.
    pub preset: RepetitionPreset,
    /// What a word is. Default: of the preset.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub words: Option<Segmentation>,
    /// Paragraphs that occurred before, of all paragraphs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duplicate_paragraphs: Option<f64>,
    /// Characters of such paragraphs, of all characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duplicate_paragraph_chars: Option<f64>,
    /// Lines that occurred before, of all lines.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duplicate_lines: Option<f64>,
    /// Characters of such lines, of all characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duplicate_line_chars: Option<f64>,
    /// Characters of the most frequent pair of words, of all characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top_2_gram: Option<f64>,
    /// The same for three words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top_3_gram: Option<f64>,
    /// The same for four words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top_4_gram: Option<f64>,
    /// Characters of runs of five words that occurred before, of all characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duplicate_5_gram: Option<f64>,
    /// The same for six words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duplicate_6_gram: Option<f64>,
    /// The same for seven words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duplicate_7_gram: Option<f64>,
    /// The same for eight words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duplicate_8_gram: Option<f64>,
    /// The same for nine words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duplicate_9_gram: Option<f64>,
    /// The same for ten words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duplicate_10_gram: Option<f64>,
    /// Apply to these buckets alone. Default: all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub only_buckets: Vec<String>,
    /// Do not apply to these buckets. Default: none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub except_buckets: Vec<String>,
}

impl GopherRepetitionConfig {
    fn overrides(&self) -> [Option<f64>; RULES] {
        [
            self.duplicate_paragraphs,
            self.duplicate_paragraph_chars,
            self.duplicate_lines,
            self.duplicate_line_chars,
            self.top_2_gram,
            self.top_3_gram,
            self.top_4_gram,
            self.duplicate_5_gram,
            self.duplicate_6_gram,
            self.duplicate_7_gram,
            self.duplicate_8_gram,
            self.duplicate_9_gram,
            self.duplicate_10_gram,
        ]
    }
}

impl Options for GopherRepetitionConfig {
    const NAME: &'static str = "gopher-repetition";

    fn only_buckets(&self) -> &[String] {
        &self.only_buckets
    }

    fn except_buckets(&self) -> &[String] {
        &self.except_buckets
    }

    fn check(&self) -> Result<(), SpecError> {
        for ((key, _), value) in NAMES.into_iter().zip(self.overrides()) {
            in_range::<Self>(key, value, 0.0, 1.0)?;
        }
        Ok(())
    }

    fn build(&self) -> Box<dyn Filter> {
        let mut thresholds = self.preset.thresholds();
        for (threshold, value) in thresholds.iter_mut().zip(self.overrides()) {
            *threshold = value.unwrap_or(*threshold);
        }
        Box::new(GopherRepetition {
            thresholds,
            words: self.words.unwrap_or(self.preset.words()),
            dclm: self.preset == RepetitionPreset::GopherDclm,
        })
    }

    fn rules(&self) -> Vec<Rule> {
        // DCLM counts in another way and keeps other numbers: nothing is said about them.
        if self.preset == RepetitionPreset::GopherDclm {
            return Vec::new();
        }
        let of = self.preset.thresholds().into_iter().zip(self.overrides());
        let limits = of.map(|(preset, own)| Some(own.unwrap_or(preset)).filter(|limit| *limit != 0.0));
        NAMES.iter().zip(limits).map(|((metric, rule), limit)| Rule::share(metric, metric, rule, Sign::Above, limit)).collect()
    }

    fn effect(&self) -> Effect {
        // A text without a character is dropped by no limit.
        Effect { drops: true, rewrites: false }
    }
}

struct GopherRepetition {
    thresholds: [f64; RULES],
    words: Segmentation,
    /// Measure as DCLM does.
    dclm: bool,
}

/// Words of the shortest n-grams whose duplicates are counted.
const LEAST: usize = 5;

/// The rule of a text in which there is nothing to repeat.
const EMPTY: &str = "repetition/lines";

impl GopherRepetition {
    /// Measures one rule unless it is off; true when the document fails it.
    fn fails(&self, rule: usize, metrics: &mut Metrics, measure: impl FnOnce() -> f64) -> Option<Verdict> {
        let (threshold, (metric, name)) = (self.thresholds[rule], NAMES[rule]);
        if threshold == 0.0 {
            return None;
        }
        let value = measure();
        metrics.insert(metric, value);
        (value > threshold).then(|| Verdict::Drop(Reason::above(name, value, threshold)))
    }

    fn decide(&self, text: &str, metrics: &mut Metrics) -> Option<Verdict> {
        if text.is_empty() {
            return Some(Verdict::Drop(Reason::below(EMPTY, 0.0, 1.0)));
        }
        let chars = metrics.chars(text);
        let mut table = Table::default();

        if self.thresholds[0] > 0.0 || self.thresholds[1] > 0.0 {
            let found = Duplicates::among(paragraphs(text), &mut table);
            let verdict =
                self.fails(0, metrics, || ratio(found.elements, found.of)).or_else(|| self.fails(1, metrics, || ratio(found.chars, chars)));
            if verdict.is_some() {
                return verdict;
            }
        }
        if self.thresholds[2] > 0.0 || self.thresholds[3] > 0.0 {
            let found = Duplicates::among(lines(text), &mut table);
            let verdict =
                self.fails(2, metrics, || ratio(found.elements, found.of)).or_else(|| self.fails(3, metrics, || ratio(found.chars, chars)));
            if verdict.is_some() {
                return verdict;
            }
        }

        let words = metrics.words_by(text, self.words);
        let mut tops = Tops::new(&words);
        for (rule, n) in (4..7).zip(2..) {
            // A text of fewer words has no such n-gram and covers nothing with it.
            let measure = || ratio(tops.chars(n, &mut table).unwrap_or_default(), chars);
            if let Some(verdict) = self.fails(rule, metrics, measure) {
                return Some(verdict);
            }
        }
        if self.thresholds[7..].iter().all(|&threshold| threshold == 0.0) {
            return None;
        }
        let runs = Runs::new(text, &words, LEAST, &mut table);
        (7..RULES).zip(LEAST..).find_map(|(rule, n)| self.fails(rule, metrics, || ratio(runs.duplicate_chars(n, &mut table), chars)))
    }

    /// The same rules in DCLM's order, on DCLM's measures.
    fn decide_dclm(&self, text: &str, metrics: &mut Metrics) -> Option<Verdict> {
        let mut table = Table::default();
        let lines = Repeated::between(text, "\n", &mut table);
        if lines.of == 0 {
            return Some(Verdict::Drop(Reason::below(EMPTY, 0.0, 1.0)));
        }
        let paragraphs = Repeated::between(text, "\n\n", &mut table);
        for (rule, value) in [(2, lines.elements), (0, paragraphs.elements), (3, lines.chars), (1, paragraphs.chars)] {
            if let Some(verdict) = self.fails(rule, metrics, || value) {
                return Some(verdict);
            }
        }
        let words = metrics.words_by(text, self.words);
        let mut grams = Grams::new(&words);
        (4..RULES).zip(2..).find_map(|(rule, n)| {
            self.fails(rule, metrics, || if rule < 7 { grams.top(n, &mut table) } else { grams.repeated(n, &mut table) })
        })
    }
}

impl Filter for GopherRepetition {
    fn name(&self) -> &'static str {
        GopherRepetitionConfig::NAME
    }

    fn metric_names(&self) -> Vec<&'static str> {
        let on = NAMES.iter().zip(self.thresholds).filter(|(_, threshold)| *threshold > 0.0);
        on.map(|((metric, _), _)| *metric).collect()
    }

    fn apply(&self, document: &mut Document, metrics: &mut Metrics) -> Verdict {
        let text = document.text.as_str();
        let verdict = if self.dclm { self.decide_dclm(text, metrics) } else { self.decide(text, metrics) };
        verdict.unwrap_or(Verdict::Keep)
    }
}

/// Second and later occurrences among the pieces of a text.
#[derive(Default)]
struct Duplicates {
    elements: usize,
    chars: usize,
    of: usize,
}

impl Duplicates {
    fn among<'a>(pieces: impl Iterator<Item = &'a str> + Clone, table: &mut Table) -> Self {
        let mut found = Self { of: pieces.clone().count(), ..Self::default() };
        table.reset(found.of);
        for piece in pieces {
            if table.seen(xxh3_64(piece.as_bytes())) {
                found.elements += 1;
                found.chars += piece.chars().count();
            }
        }
        found
    }
}

/// Pieces of the trimmed text between two or more line feeds.
fn paragraphs(text: &str) -> impl Iterator<Item = &str> + Clone {
    let mut first = true;
    let text = text.trim_matches(is_space);
    let (bytes, mut start) = (text.as_bytes(), 0);
    let feeds = places(bytes, |byte| byte == b'\n').filter(|&at| bytes.get(at + 1) == Some(&b'\n'));
    let pieces = feeds.chain([bytes.len()]).filter_map(move |at| {
        let piece = text.get(start..at)?;
        start = at + 2;
        Some(piece)
    });
    pieces.filter_map(move |piece| {
        let piece = piece.trim_start_matches('\n');
        let counts = std::mem::take(&mut first) || !piece.is_empty();
        counts.then_some(piece)
    })
}

/// Pieces between one or more line feeds; a line feed at either end leaves an empty piece there.
fn lines(text: &str) -> impl Iterator<Item = &str> + Clone {
    let end = text.len();
    let mut at = 0;
    let mut start = 0;
    let pieces = places(text.as_bytes(), |byte| byte == b'\n').chain([end]).map(move |at| {
        let piece = &text[start..at];
        start = at + 1;
        piece
    });
    pieces.filter(move |piece| {
        let (start, stop) = (at, at + piece.len());
        at = stop + 1;
        !piece.is_empty() || start == 0 || stop == end
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::document;

    #[test]
    fn pieces_are_those_of_the_reference() {
        let all = |text| lines(text).collect::<Vec<_>>();
        assert_eq!(all("a\n\nb\n"), ["a", "b", ""]);
        assert_eq!(all("\n\na"), ["", "a"]);
        assert_eq!(all("\n\n\n"), ["", ""]);
        assert_eq!(all(""), [""]);
        let all = |text| paragraphs(text).collect::<Vec<_>>();
        assert_eq!(all("\na\nb\n\n\n\n\nc\n\n"), ["a\nb", "c"]);
        assert_eq!(all(" \n"), [""]);
    }

    #[test]
    fn tables_have_room_for_the_pieces_and_not_for_every_line_feed() {
        let text = "\n".repeat(10_000);
        let mut table = Table::default();
        assert_eq!((Duplicates::among(paragraphs(&text), &mut table).of, table.slots()), (1, 8));
        assert_eq!((Duplicates::among(lines(&text), &mut table).of, table.slots()), (2, 8));
    }

    /// Texts and reasons of datatrove's own unit test of the filter.
    #[test]
    fn reasons_of_the_reference() {
        let filter = GopherRepetitionConfig::default().build();
        let rule_of = |text: &str| match filter.apply(&mut document(text), &mut Metrics::new()) {
            Verdict::Keep => "keep".to_owned(),
            Verdict::Drop(reason) => reason.rule,
        };
        assert_eq!(rule_of(&"I am your father.\n".repeat(4)), "repetition/duplicate-lines");
        assert_eq!(rule_of(&"I am your father.\n\n".repeat(4)), "repetition/duplicate-paragraphs");
        assert_eq!(rule_of("I am Frank, I am Frank, I am Frank"), "repetition/top-2-gram");
        assert_eq!(rule_of(""), "repetition/lines");
    }

    #[test]
    fn dclm_counts_first_occurrences_too() {
        let rule_of = |preset, text: &str| {
            let config = GopherRepetitionConfig { preset, ..GopherRepetitionConfig::default() };
            match config.build().apply(&mut document(text), &mut Metrics::new()) {
                Verdict::Keep => "keep".to_owned(),
                Verdict::Drop(reason) => reason.to_string(),
            }
        };
        let text = "One line of some length.\nAnother line of some length.\nOne line of some length.\nAnd this, the last of the lines of the text.";
        assert_eq!(rule_of(RepetitionPreset::GopherDclm, text), "repetition/duplicate-lines 0.5 > 0.3");
        assert!(!rule_of(RepetitionPreset::Gopher, text).contains("duplicate-lines "));
        assert_eq!(rule_of(RepetitionPreset::GopherDclm, " \n"), "repetition/lines 0 < 1");
        assert_eq!(rule_of(RepetitionPreset::GopherDclm, "Repeat repeat repeat repeat."), "repetition/top-2-gram 1 > 0.2");
    }

    #[test]
    fn zero_switches_a_rule_off() {
        let config =
            GopherRepetitionConfig { duplicate_lines: Some(0.0), duplicate_line_chars: Some(0.0), ..GopherRepetitionConfig::default() };
        assert!(!config.build().metric_names().contains(&"duplicate-lines"));
        assert_eq!(config.build().metric_names().len(), RULES - 2);
    }
}
