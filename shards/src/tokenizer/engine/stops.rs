//! Pieces that a text falls into before the pattern sees them one by one, each as a text of its own: digits, and runs
//! of Han and kana.

use super::classes::NUMBER;
use super::pattern::Stops;
use super::scan::Scanner;
use super::utf8::char_at;

impl Scanner {
    /// Where the piece that begins at `at` ends, beyond which the pattern does not look.
    #[inline]
    pub(crate) fn stop(&self, text: &[u8], at: usize) -> usize {
        match self.rules.stops {
            Stops::None => text.len(),
            Stops::Digit | Stops::Digits if self.is_digit(text, at) => {
                let first = at + char_at(text, at).1;
                if self.rules.stops == Stops::Digit { first } else { self.piece(text, first, |at| self.is_digit(text, at)) }
            }
            Stops::Digit | Stops::Digits => self.piece(text, at, |at| !self.is_digit(text, at)),
            Stops::DigitsAndKana if self.class(text, at).0 & NUMBER != 0 => self.digits(text, at),
            Stops::DigitsAndKana => {
                let kana = is_kana(text, at);
                self.piece(text, at, |at| is_kana(text, at) == kana && self.class(text, at).0 & NUMBER == 0)
            }
        }
    }

    /// Where characters end that are `inside`.
    pub(super) fn piece(&self, text: &[u8], mut at: usize, inside: impl Fn(usize) -> bool) -> usize {
        while at < text.len() && inside(at) {
            at += char_at(text, at).1;
        }
        at
    }

    /// What the pre-tokenizer `Digits` takes for one: the standard library's tables say so, not the regular expressions'.
    fn is_digit(&self, text: &[u8], at: usize) -> bool {
        char::from_u32(char_at(text, at).0).is_some_and(char::is_numeric)
    }
}

/// Whether `[一-龥぀-ゟ゠-ヿ]` takes the character at `at`.
fn is_kana(text: &[u8], at: usize) -> bool {
    matches!(char_at(text, at).0, 0x4e00..=0x9fa5 | 0x3040..=0x30ff)
}
