//! `fineweb-quality`: lines that are not sentences, lines that repeat, and lists.

use corpora::Document;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use crate::chars::{is_space, is_terminal};
use crate::judge::Judge;
use crate::metrics::ratio;
use crate::rules::{Effect, Rule};
use crate::spec::{Options, SpecError, in_range};
use crate::table::Table;
use crate::{Filter, Metrics, Segmentation, Sign, Verdict};

/// A set of thresholds and the words they were fitted to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum FinewebPreset {
    /// FineWeb's values for English, as in datatrove.
    #[default]
    #[serde(rename = "fineweb@datatrove", alias = "fineweb")]
    Fineweb,
    /// FineWeb-2's values for Korean; words are split into morphemes.
    #[serde(rename = "fineweb2-korean")]
    Fineweb2Korean,
}

/// Limits of all rules; a limit of zero switches its rule off.
#[derive(Clone, Debug, PartialEq)]
struct Limits {
    line_punctuation: f64,
    short_lines: f64,
    repeated_line_chars: f64,
    newlines: f64,
}

impl FinewebPreset {
    const fn limits(self) -> Limits {
        match self {
            Self::Fineweb => Limits { line_punctuation: 0.12, short_lines: 0.67, repeated_line_chars: 0.01, newlines: 0.3 },
            Self::Fineweb2Korean => Limits { line_punctuation: 0.062, short_lines: 0.0, repeated_line_chars: 0.1, newlines: 0.196 },
        }
    }

    const fn words(self) -> Segmentation {
        match self {
            Self::Fineweb => Segmentation::Whitespace,
            Self::Fineweb2Korean => Segmentation::Korean,
        }
    }
}

/// Options of `fineweb-quality`. Every limit takes its default from the preset, and switches its
/// rule off when it is 0.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct FinewebQualityConfig {
    /// Where the limits come from. Default: `fineweb@datatrove`.
    pub preset: FinewebPreset,
    /// What a word is. Default: of the preset.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub words: Option<Segmentation>,
    /// Smallest share of lines that end with a terminal character.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_line_punctuation: Option<f64>,
    /// Keep a text of which no line at all ends so. Default: false.
    #[serde(skip_serializing_if = "is_false")]
    pub allow_no_punctuation: bool,
    /// The characters that may end a line. Default: sentence ends of all scripts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub terminal_characters: Option<String>,
    /// Largest share of short lines.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_short_lines: Option<f64>,
    /// Most characters of a short line. Default: 30.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub short_line_chars: Option<u64>,
    /// Largest share of characters in lines that occurred before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_repeated_line_chars: Option<f64>,
    /// Most line feeds for each word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_newline_ratio: Option<f64>,
    /// Apply to these buckets alone. Default: all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub only_buckets: Vec<String>,
    /// Do not apply to these buckets. Default: none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub except_buckets: Vec<String>,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde passes a reference
fn is_false(value: &bool) -> bool {
    !value
}

impl FinewebQualityConfig {
    fn limits(&self) -> Limits {
        let preset = self.preset.limits();
        Limits {
            line_punctuation: self.min_line_punctuation.unwrap_or(preset.line_punctuation),
            short_lines: self.max_short_lines.unwrap_or(preset.short_lines),
            repeated_line_chars: self.max_repeated_line_chars.unwrap_or(preset.repeated_line_chars),
            newlines: self.max_newline_ratio.unwrap_or(preset.newlines),
        }
    }
}

impl Options for FinewebQualityConfig {
    const NAME: &'static str = "fineweb-quality";

    fn only_buckets(&self) -> &[String] {
        &self.only_buckets
    }

    fn except_buckets(&self) -> &[String] {
        &self.except_buckets
    }

    fn check(&self) -> Result<(), SpecError> {
        in_range::<Self>("min-line-punctuation", self.min_line_punctuation, 0.0, 1.0)?;
        in_range::<Self>("max-short-lines", self.max_short_lines, 0.0, 1.0)?;
        in_range::<Self>("max-repeated-line-chars", self.max_repeated_line_chars, 0.0, 1.0)?;
        in_range::<Self>("max-newline-ratio", self.max_newline_ratio, 0.0, 1e6)?;
        match &self.terminal_characters {
            Some(none) if none.is_empty() => {
                Err(SpecError::NothingToDo { filter: Self::NAME, key: "terminal-characters", keys: "`terminal-characters`" })
            }
            _ => Ok(()),
        }
    }

    fn effect(&self) -> Effect {
        Effect { drops: true, rewrites: false }
    }

    fn rules(&self) -> Vec<Rule> {
        let Limits { line_punctuation, short_lines, repeated_line_chars, newlines } = self.limits();
        let on = |limit: f64| Some(limit).filter(|limit| *limit != 0.0);
        let below = |option, metric, rule, limit| Rule::share(option, metric, rule, Sign::Below, on(limit));
        let above = |option, metric, rule, limit| Rule::share(option, metric, rule, Sign::Above, on(limit));
        let punctuation = below("min-line-punctuation", "line-punctuation", "fineweb/line-punctuation", line_punctuation);
        vec![
            Rule { zero_passes: self.allow_no_punctuation, ..punctuation },
            above("max-short-lines", "short-lines", "fineweb/short-lines", short_lines),
            above("max-repeated-line-chars", "repeated-line-chars", "fineweb/repeated-line-chars", repeated_line_chars),
            above("max-newline-ratio", "newline-ratio", "fineweb/newline-ratio", newlines),
        ]
    }

    fn build(&self) -> Box<dyn Filter> {
        Box::new(FinewebQuality {
            limits: self.limits(),
            words: self.words.unwrap_or(self.preset.words()),
            allow_no_punctuation: self.allow_no_punctuation,
            terminals: self.terminal_characters.as_ref().map(|listed| listed.chars().collect()),
            short_line_chars: self.short_line_chars.unwrap_or(30) as usize,
        })
    }
}

struct FinewebQuality {
    limits: Limits,
    words: Segmentation,
    allow_no_punctuation: bool,
    terminals: Option<Vec<char>>,
    short_line_chars: usize,
}

impl FinewebQuality {
    fn ends(&self, line: &str) -> bool {
        let last = line.chars().next_back();
        match &self.terminals {
            None => last.is_some_and(is_terminal),
            Some(listed) => last.is_some_and(|c| listed.contains(&c)),
        }
    }

    /// Bytes settle most lines: a character has one to four of them.
    fn is_short(&self, line: &str) -> bool {
        let limit = self.short_line_chars;
        line.len() <= limit || (line.len() <= limit.saturating_mul(4) && line.chars().count() <= limit)
    }
}

/// Lines that hold something, between line feeds alone: a carriage return belongs to its line.
fn content_lines(text: &str) -> impl Iterator<Item = &str> {
    text.split('\n').filter(|line| !line.chars().all(is_space))
}

impl Filter for FinewebQuality {
    fn name(&self) -> &'static str {
        FinewebQualityConfig::NAME
    }

    fn metric_names(&self) -> Vec<&'static str> {
        vec!["content-lines", "line-punctuation", "short-lines", "repeated-line-chars", "newline-ratio"]
    }

    fn apply(&self, document: &mut Document, metrics: &mut Metrics) -> Verdict {
        let text = document.text.as_str();
        let newlines = text.bytes().filter(|&byte| byte == b'\n').count();
        let mut table = Table::default();
        table.reset(newlines + 1);
        let (mut lines, mut ended, mut short, mut repeated) = (0, 0, 0, 0);
        for line in content_lines(text) {
            lines += 1;
            ended += usize::from(self.ends(line));
            short += usize::from(self.is_short(line));
            if table.seen(xxh3_64(line.as_bytes())) {
                repeated += line.chars().count();
            }
        }
        let chars = metrics.chars(text) - newlines;
        let words = metrics.words_by(text, self.words).len();

        let limits = &self.limits;
        let mut judge = Judge::new(metrics);
        judge.measure("content-lines", lines as f64);
        judge.at_least("fineweb/content-lines", lines as f64, 1.0);
        let share = judge.measure("line-punctuation", ratio(ended, lines));
        if ended > 0 || !self.allow_no_punctuation {
            judge.at_least("fineweb/line-punctuation", share, limits.line_punctuation);
        }
        let share = judge.measure("short-lines", ratio(short, lines));
        judge.at_most("fineweb/short-lines", share, limits.short_lines);
        let share = judge.measure("repeated-line-chars", ratio(repeated, chars));
        judge.at_most("fineweb/repeated-line-chars", share, limits.repeated_line_chars);
        let share = judge.measure("newline-ratio", ratio(newlines, words));
        judge.at_most("fineweb/newline-ratio", share, limits.newlines);
        judge.verdict
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::document;

    fn measure(config: &FinewebQualityConfig, text: &str) -> (Verdict, Metrics) {
        let mut metrics = Metrics::new();
        (config.build().apply(&mut document(text), &mut metrics), metrics)
    }

    #[test]
    fn measures_by_hand() {
        // four lines that hold something: "ab." ends, "ab." again, "cd.\r" and "ef" do not
        let (_, metrics) = measure(&FinewebQualityConfig::default(), "ab.\nab.\n \ncd.\r\nef");
        assert_eq!(metrics.get("content-lines"), Some(4.0));
        assert_eq!(metrics.get("line-punctuation"), Some(0.5));
        assert_eq!(metrics.get("short-lines"), Some(1.0));
        // 3 of the 13 characters that are no line feed
        assert_eq!(metrics.get("repeated-line-chars"), Some(0.230_769));
        assert_eq!(metrics.get("newline-ratio"), Some(1.0));
    }

    #[test]
    fn a_line_is_short_by_characters() {
        let config = FinewebQualityConfig { short_line_chars: Some(3), ..FinewebQualityConfig::default() };
        let (_, metrics) = measure(&config, "가나다\n가나다라\nabcd\nabc");
        assert_eq!(metrics.get("short-lines"), Some(0.5));
    }

    #[test]
    fn no_punctuation_at_all_can_be_allowed() {
        let off = FinewebQualityConfig { max_short_lines: Some(0.0), max_newline_ratio: Some(0.0), ..FinewebQualityConfig::default() };
        let allowing = FinewebQualityConfig { allow_no_punctuation: true, ..off.clone() };
        let own = FinewebQualityConfig { terminal_characters: Some("다".into()), ..off.clone() };
        for (config, kept) in [(&off, false), (&allowing, true), (&own, true)] {
            assert_eq!(measure(config, "오늘은 맑다\n내일도 맑다").0.is_keep(), kept);
        }
        assert!(!measure(&allowing, " \n\t").0.is_keep());
    }
}
