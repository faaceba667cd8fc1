//! `encoding`: share of characters that betray a text decoded with the wrong table.

use corpora::Document;
use serde::{Deserialize, Serialize};

use crate::metrics::ratio;
use crate::rules::{Effect, Rule};
use crate::spec::{Options, SpecError, in_range};
use crate::{Filter, Metrics, Reason, Sign, Verdict};

/// Options of `encoding`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct EncodingConfig {
    /// Largest share of the characters, 0 to 1, for each kind of damage. Default: 0.01.
    pub max_share: f64,
    /// Apply to these buckets alone. Default: all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub only_buckets: Vec<String>,
    /// Do not apply to these buckets. Default: none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub except_buckets: Vec<String>,
}

impl Default for EncodingConfig {
    fn default() -> Self {
        Self { max_share: 0.01, only_buckets: Vec::new(), except_buckets: Vec::new() }
    }
}

impl Options for EncodingConfig {
    const NAME: &'static str = "encoding";

    fn only_buckets(&self) -> &[String] {
        &self.only_buckets
    }

    fn except_buckets(&self) -> &[String] {
        &self.except_buckets
    }

    fn check(&self) -> Result<(), SpecError> {
        in_range::<Self>("max-share", Some(self.max_share), 0.0, 1.0)
    }

    fn build(&self) -> Box<dyn Filter> {
        Box::new(Encoding { max_share: self.max_share })
    }

    fn rules(&self) -> Vec<Rule> {
        KINDS.iter().map(|(metric, rule)| Rule::share("max-share", metric, rule, Sign::Above, Some(self.max_share))).collect()
    }

    fn effect(&self) -> Effect {
        Effect { drops: false, rewrites: false }
    }
}

struct Encoding {
    max_share: f64,
}

/// Metric, rule, and in this order the counters of [`Damage`].
const KINDS: [(&str, &str); 4] = [
    ("replacement-chars", "encoding/replacement-chars"),
    ("control-chars", "encoding/control-chars"),
    ("private-chars", "encoding/private-chars"),
    ("mojibake-chars", "encoding/mojibake-chars"),
];

impl Filter for Encoding {
    fn name(&self) -> &'static str {
        EncodingConfig::NAME
    }

    fn metric_names(&self) -> Vec<&'static str> {
        KINDS.iter().map(|(metric, _)| *metric).collect()
    }

    fn apply(&self, document: &mut Document, metrics: &mut Metrics) -> Verdict {
        let chars = metrics.chars(&document.text);
        let counts = if chars == document.text.len() {
            // ASCII has one kind of damage
            [0, document.text.bytes().filter(|&byte| is_control(byte.into())).count(), 0, 0]
        } else {
            count_damage(&document.text)
        };
        let mut verdict = Verdict::Keep;
        for ((metric, rule), count) in KINDS.into_iter().zip(counts) {
            let share = ratio(count, chars);
            metrics.insert(metric, share);
            if verdict.is_keep() && share > self.max_share {
                verdict = Verdict::Drop(Reason::above(rule, share, self.max_share));
            }
        }
        verdict
    }
}

/// Counts in the order of [`KINDS`].
fn count_damage(text: &str) -> [usize; 4] {
    let [mut replaced, mut controls, mut private, mut mojibake] = [0; 4];
    let mut suspects = Suspects::default();
    for c in text.chars() {
        match c {
            '\u{FFFD}' => replaced += 1,
            '\u{E000}'..='\u{F8FF}' | '\u{F0000}'.. => private += 1,
            _ => controls += usize::from(is_control(c)),
        }
        mojibake += suspects.push(c);
    }
    [replaced, controls, private, mojibake + suspects.finish()]
}

/// C0 and C1 controls that no text file has a use for.
fn is_control(c: char) -> bool {
    c.is_control() && !matches!(c, '\t' | '\n' | '\r' | '\u{c}' | '\u{85}')
}

/// Follows runs of characters that are one byte each in Latin-1 or Windows-1252, and counts those
/// that only a wrong decoding explains.
///
/// Two signs are looked for. UTF-8 read as Latin-1: a lead byte with its full number of
/// continuation bytes (`í•œ`, `Ã©`). EUC-KR or CP949 read as Latin-1: four or more high
/// characters in a row with at least two letters (`ÇÑ±¹¾î`), which no orthography writes; rows of
/// dots or quotation marks have no letters.
#[derive(Default)]
struct Suspects {
    /// Length and letters of the current row of Latin-1 characters.
    row: usize,
    letters: usize,
    /// Characters of finished rows that are damage.
    rows: usize,
    /// Characters that are part of a complete UTF-8 sequence.
    sequenced: usize,
    /// Continuation bytes the latest lead byte still waits for, and how many characters it holds.
    missing: usize,
    held: usize,
}

impl Suspects {
    /// Takes the next character; gives the damage of the run that ended with it, if one did.
    fn push(&mut self, c: char) -> usize {
        let Some(byte) = single_byte(c) else {
            return self.finish();
        };
        if matches!(c, '\u{a1}'..='\u{fe}') {
            self.row += 1;
            self.letters += usize::from(byte >= 0xC0 && c.is_alphabetic());
        } else {
            self.end_row();
        }
        // ß (0xDF) before a closing quotation mark is German, and as a lead byte it is N'Ko.
        match byte {
            0x80..=0xBF if self.missing > 0 => {
                self.held += 1;
                self.missing -= 1;
                if self.missing == 0 {
                    self.sequenced += std::mem::take(&mut self.held);
                }
            }
            0xC2..=0xDE => (self.held, self.missing) = (1, 1),
            0xE0..=0xEF => (self.held, self.missing) = (1, 2),
            0xF0..=0xF4 => (self.held, self.missing) = (1, 3),
            _ => (self.held, self.missing) = (0, 0),
        }
        0
    }

    fn end_row(&mut self) {
        let (row, letters) = (std::mem::take(&mut self.row), std::mem::take(&mut self.letters));
        if row >= 4 && letters >= 2 {
            self.rows += row;
        }
    }

    /// Ends the run and gives its damage: the two signs see the same characters.
    fn finish(&mut self) -> usize {
        self.end_row();
        let Self { rows, sequenced, .. } = std::mem::take(self);
        rows.max(sequenced)
    }
}

/// The high byte that Latin-1 or Windows-1252 decodes to this character.
fn single_byte(c: char) -> Option<u8> {
    match c {
        '\u{80}'..='\u{FF}' => u8::try_from(u32::from(c)).ok(),
        _ if !('\u{152}'..='\u{2122}').contains(&c) => None,
        _ => {
            let at = WINDOWS_1252.iter().position(|&(known, _)| known == c)?;
            Some(WINDOWS_1252[at].1)
        }
    }
}

/// Windows-1252 where it differs from Latin-1.
#[rustfmt::skip]
const WINDOWS_1252: [(char, u8); 27] = [
    ('€', 0x80), ('‚', 0x82), ('ƒ', 0x83), ('„', 0x84), ('…', 0x85), ('†', 0x86), ('‡', 0x87),
    ('ˆ', 0x88), ('‰', 0x89), ('Š', 0x8A), ('‹', 0x8B), ('Œ', 0x8C), ('Ž', 0x8E), ('‘', 0x91),
    ('’', 0x92), ('“', 0x93), ('”', 0x94), ('•', 0x95), ('–', 0x96), ('—', 0x97), ('˜', 0x98),
    ('™', 0x99), ('š', 0x9A), ('›', 0x9B), ('œ', 0x9C), ('ž', 0x9E), ('Ÿ', 0x9F),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damage_is_told_from_accents_and_typography() {
        // 한국 as UTF-8 read as Windows-1252 (nine bytes, two of them undefined there)
        assert_eq!(count_damage("í•œêµ\u{ad} x"), [0, 0, 0, 6]);
        assert_eq!(count_damage("Ã© caf"), [0, 0, 0, 2]);
        // 한국어 as EUC-KR read as Latin-1
        assert_eq!(count_damage("ÇÑ±¹¾î!"), [0, 0, 0, 6]);
        assert_eq!(count_damage("naïve café, “öß” – l’été…"), [0, 0, 0, 0]);
        assert_eq!(count_damage("“그래…” 그는 ‘아니’라고 했다 — 정말…………·····"), [0, 0, 0, 0]);
        assert_eq!(count_damage("\u{FFFD}\u{FFFD}\u{E000}\u{90}\t\n"), [2, 1, 1, 0]);
    }
}
