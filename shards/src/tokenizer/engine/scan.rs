//! Splits text into pre-tokens, exactly as the regular expressions of `pattern` do.
//!
//! A regular expression takes the first alternative that matches at a place, and each alternative
//! gives back what it took too much. What that comes to is written out in each function.

use super::classes::{BREAK, CLASSES, Classes, LETTER, LOWER, NUMBER, SIGN, SPACE, UPPER};
use super::pattern::{Contractions, Rules, Words};
use super::runs::{ascii_run, syllables};
use super::starts;
use super::utf8::{char_at, is_syllable, start_of_last};

/// Finds pre-tokens by one pattern.
pub(crate) struct Scanner {
    pub(super) rules: Rules,
    pub(super) classes: &'static Classes,
    /// Whether windows tell where pre-tokens begin.
    pub(super) in_windows: bool,
}

impl Scanner {
    pub(crate) fn new(rules: Rules) -> Self {
        Self { rules, classes: &CLASSES, in_windows: starts::knows(&rules) }
    }

    /// Hands each pre-token of a text to `sink`.
    pub(crate) fn each_word<E>(&self, text: &str, mut sink: impl FnMut(&[u8]) -> Result<(), E>) -> Result<(), E> {
        let text = text.as_bytes();
        let mut at = 0;
        while at < text.len() {
            let stop = self.stop(text, at);
            while at < stop {
                let end = self.end(&text[..stop], at);
                sink(&text[at..end])?;
                at = end;
            }
        }
        Ok(())
    }

    /// Where the pre-token that begins at `at` ends; `at` is before the end of `text`, which goes on to the next stop.
    #[inline]
    pub(crate) fn end(&self, text: &[u8], at: usize) -> usize {
        let rules = self.rules;
        let own = matches!(rules.contractions, Contractions::Lower | Contractions::AnyCase);
        if own
            && text[at] == b'\''
            && let Some(end) = contraction(text, at, rules.contractions == Contractions::Lower)
        {
            return end;
        }
        let (class, length) = self.class(text, at);
        let word = match rules.words {
            Words::AfterSpace => self.word(text, at, class, length, LETTER, text[at] == b' '),
            Words::AfterMark => self.word(text, at, class, length, LETTER, class & (BREAK | LETTER | NUMBER) == 0),
            Words::WithMarks => self.word_with_marks(text, at, class, length),
            Words::ByCase => self.word_by_case(text, at, class, length),
            Words::AfterSign => return self.sign_or_word(text, at),
        };
        if let Some(end) = word {
            return end;
        }
        if class & NUMBER != 0 {
            return self.digits(text, at);
        }
        if class & SPACE == 0 {
            return self.marks(text, at + length);
        }
        if text[at] == b' ' && at + 1 < text.len() {
            let (next, next_length) = self.class(text, at + 1);
            if rules.words == Words::AfterSpace && next & NUMBER != 0 {
                return self.digits(text, at + 1);
            }
            if self.is_mark(next) {
                return self.marks(text, at + 1 + next_length);
            }
        }
        self.space(text, at)
    }

    #[inline(always)]
    pub(super) fn class(&self, text: &[u8], at: usize) -> (u8, usize) {
        match text.get(at) {
            None => (0, 0),
            Some(&byte) if byte < 128 => (self.classes.of_ascii(byte), 1),
            Some(_) => {
                let (code, length) = char_at(text, at);
                (self.classes.of(code), length)
            }
        }
    }

    /// The end of the run of characters that have any of `wanted`, which Hangul syllables have.
    #[inline]
    fn run(&self, text: &[u8], mut at: usize, wanted: u8) -> usize {
        loop {
            at = ascii_run(text, at, wanted);
            while is_syllable(text, at) {
                at += syllables(text, at);
            }
            let (class, length) = self.class(text, at);
            if class & wanted == 0 {
                return at;
            }
            at += length;
        }
    }

    /// `x?y+` where no character is both; `opens` says whether the first is an x.
    #[inline]
    fn word(&self, text: &[u8], at: usize, class: u8, length: usize, wanted: u8, opens: bool) -> Option<usize> {
        if class & wanted != 0 {
            return Some(self.run(text, at + length, wanted));
        }
        if !opens {
            return None;
        }
        let start = at + length;
        let end = self.run(text, start, wanted);
        (end > start).then_some(end)
    }

    /// `[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+`: a mark may open the word or be the whole of it.
    fn word_with_marks(&self, text: &[u8], at: usize, class: u8, length: usize) -> Option<usize> {
        let run = |from| self.run(text, from, UPPER | LOWER);
        if class & (UPPER | LOWER) != 0 {
            return Some(run(at + length));
        }
        let start = at + length;
        (class & (BREAK | NUMBER) == 0).then(|| run(start)).filter(|&end| end > start)
    }

    /// The two alternatives that split by case, each with and without the optional first character.
    fn word_by_case(&self, text: &[u8], at: usize, class: u8, length: usize) -> Option<usize> {
        let opened = (class & (BREAK | LETTER | NUMBER) == 0).then_some(at + length);
        let plain = (class & (UPPER | LOWER) != 0).then_some(at);
        let starts = || opened.into_iter().chain(plain);
        let lower = starts().find_map(|start| self.upper_then_lower(text, start));
        let end = lower.or_else(|| starts().find_map(|start| self.upper_only(text, start)))?;
        let suffix = self.rules.contractions == Contractions::Suffix && text.get(end) == Some(&b'\'');
        Some(if suffix { contraction(text, end, false).unwrap_or(end) } else { end })
    }

    /// `UPPER*LOWER+`. Some characters are both: where no LOWER follows the run of UPPER, the run is
    /// given back up to its last such character.
    fn upper_then_lower(&self, text: &[u8], start: usize) -> Option<usize> {
        let upper = self.run(text, start, UPPER);
        let lower = self.run(text, upper, LOWER);
        if lower > upper {
            return Some(lower);
        }
        let mut end = upper;
        while end > start {
            let last = start_of_last(text, end);
            if self.class(text, last).0 & LOWER != 0 {
                return Some(end);
            }
            end = last;
        }
        None
    }

    /// `UPPER+LOWER*`.
    fn upper_only(&self, text: &[u8], start: usize) -> Option<usize> {
        let upper = self.run(text, start, UPPER);
        (upper > start).then(|| self.run(text, upper, LOWER))
    }

    /// A pattern that leaves some characters out, such as control characters: up to where it matches again, they are
    /// a pre-token.
    fn sign_or_word(&self, text: &[u8], at: usize) -> usize {
        self.match_of_signs(text, at).unwrap_or_else(|| {
            let next = at + char_at(text, at).1;
            self.piece(text, next, |at| self.match_of_signs(text, at).is_none())
        })
    }

    fn match_of_signs(&self, text: &[u8], at: usize) -> Option<usize> {
        let (class, length) = self.class(text, at);
        let start = at + length;
        if text[at].is_ascii_punctuation() {
            let letters = text[start..].iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
            if letters > 0 {
                return Some(start + letters);
            }
        }
        let run = |from| self.run(text, from, UPPER | LOWER);
        if class & LETTER != 0 {
            return Some(run(start));
        }
        if class & (BREAK | SIGN) == 0 {
            let end = run(start);
            // A mark is taken for the first character or for a part of the word itself.
            if end > start || class & (UPPER | LOWER) != 0 {
                return Some(end);
            }
        }
        if class & SIGN != 0 {
            return Some(self.marks(text, start));
        }
        let (next, next_length) = self.class(text, at + 1);
        if text[at] == b' ' && next & SIGN != 0 {
            return Some(self.marks(text, at + 1 + next_length));
        }
        (class & SPACE != 0).then(|| self.space(text, at))
    }

    pub(super) fn digits(&self, text: &[u8], mut at: usize) -> usize {
        for _ in 0..self.rules.digits {
            let (class, length) = self.class(text, at);
            if class & NUMBER == 0 {
                break;
            }
            at += length;
        }
        at
    }

    /// Whether `[^\s\p{L}\p{N}]`, `[^\s\p{L}\p{M}\p{N}]` or `[\p{P}\p{S}]` takes the character.
    #[inline]
    fn is_mark(&self, class: u8) -> bool {
        match self.rules.words {
            Words::AfterSign => class & SIGN != 0,
            Words::WithMarks => class & (SPACE | NUMBER | UPPER | LOWER) == 0,
            _ => class & (SPACE | NUMBER | LETTER) == 0,
        }
    }

    /// The rest of a run of marks, and what may follow it.
    fn marks(&self, text: &[u8], mut at: usize) -> usize {
        while at < text.len() {
            let (class, length) = self.class(text, at);
            if !self.is_mark(class) {
                break;
            }
            at += length;
        }
        while text.get(at).is_some_and(|byte| self.rules.tail.contains(byte)) {
            at += 1;
        }
        at
    }

    /// `\s*[\r\n]+|\s+(?!\S)|\s+`: up to the last line break of the run; without one, all of it at the
    /// end of the text, else all but its last character, which the next word may take.
    fn space(&self, text: &[u8], at: usize) -> usize {
        let (mut end, mut last, mut broken) = (at, at, None);
        loop {
            let (class, length) = self.class(text, end);
            if class & SPACE == 0 {
                break;
            }
            last = end;
            end += length;
            if class & BREAK != 0 {
                broken = Some(end);
            }
        }
        match broken {
            Some(end) if self.rules.breaks => end,
            _ if end == text.len() || last == at => end,
            _ => last,
        }
    }
}

/// The end of `'s`, `'t`, `'re`, `'ve`, `'m`, `'ll` or `'d` at an apostrophe. Without regard to case,
/// U+017F is an s: it is what folds to one.
pub(super) fn contraction(text: &[u8], at: usize, lower: bool) -> Option<usize> {
    let byte = |n: usize| {
        let byte = text.get(at + n).copied().unwrap_or(0);
        if lower { byte } else { byte.to_ascii_lowercase() }
    };
    match (byte(1), byte(2)) {
        (b's' | b't' | b'm' | b'd', _) => Some(at + 2),
        (b'r' | b'v', b'e') | (b'l', b'l') => Some(at + 3),
        (0xc5, 0xbf) if !lower => Some(at + 3),
        _ => None,
    }
}
