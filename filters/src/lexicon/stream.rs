//! A text as a reader hears it: letters alone, small and whole, and between them how far apart they were.

use std::str::Chars;

use unicode_normalization::UnicodeNormalization;

use crate::chars::{SYLLABLE, syllables};

/// What stood before a character.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Gap {
    #[default]
    None,
    /// One to three signs or digits inside a word: `시1발`, `씨-발`.
    Noise,
    /// One or two spaces.
    Space,
    /// The end of a line or of a sentence, a bracket, a quote or a comma: no word goes on behind it.
    Hard,
}

/// Letters of a text, and the gap before each.
#[derive(Debug)]
pub(crate) struct Stream {
    /// The letters; a number is one `0`.
    pub(super) text: String,
    /// Where each letter begins in `text`, and the gap before it; one more for the end.
    letters: Vec<(u32, Gap)>,
}

/// A line's end, or a sign that divides what is said: `등(신고 포함)`, `보·지방` hold no bad word.
fn divides(c: char) -> bool {
    matches!(c, '\n' | '\r' | '(' | ')' | '[' | ']' | '{' | '}' | '"' | '“' | '”' | '‘' | '’' | '·' | 'ㆍ' | '・' | ',' | ':' | '「'..='】')
}

impl Stream {
    pub(crate) fn new(text: &str) -> Self {
        // Conjoining jamo begin with these two bytes.
        let decomposed = text.as_bytes().windows(2).any(|pair| pair[0] == 0xE1 && matches!(pair[1], 0x84..=0x87));
        let composed: String = if decomposed { text.nfc().collect() } else { String::new() };
        let text = if decomposed { &composed } else { text };
        let mut stream = Self { text: String::with_capacity(text.len()), letters: Vec::with_capacity(text.len() / 2) };
        let mut gap = Gap::Hard;
        let mut signs = 0;
        let mut rest = text.chars();
        loop {
            // Most of a Korean text needs no look at each character.
            let (run, behind) = rest.as_str().split_at(syllables(rest.as_str().as_bytes()));
            if !run.is_empty() {
                stream.push_run(run, gap);
                (gap, signs, rest) = (Gap::None, 0, behind.chars());
            }
            let Some(c) = rest.next() else { break };
            let c = plain(c);
            let letter = match c {
                // `시ㅡ발`: a syllable drawn out.
                'ㅡ' if stream.is_drawn_out(gap, &rest) => None,
                // Hanja explain the word before them, and no word goes on over one.
                'ㅏ'..='ㅣ' | 'a'..='z' | '\u{4E00}'..='\u{9FFF}' => Some(drawn(c, &mut rest)),
                ' ' if gap == Gap::None => {
                    (gap, signs) = (Gap::Space, 1);
                    continue;
                }
                'A'..='Z' => Some(c.to_ascii_lowercase()),
                'ㄱ'..='ㅎ' => Some(joined(c, &mut rest)),
                '^' if rest.as_str().starts_with(['^', 'ㅣ']) => caret(&mut rest),
                _ => stream.leet(c, gap, &rest),
            };
            match letter {
                Some(letter) => {
                    stream.push(letter, gap);
                    (gap, signs) = (Gap::None, 0);
                }
                None if is_invisible(c) => {}
                None if c.is_ascii_digit() && stream.is_number(gap, &rest) => {
                    stream.push('0', gap);
                    (gap, signs) = (Gap::None, 0);
                }
                None => {
                    signs += 1;
                    let space = c.is_whitespace();
                    gap = match gap {
                        _ if signs > 3 || divides(c) => Gap::Hard,
                        Gap::Hard => Gap::Hard,
                        // A sign and a space end something.
                        Gap::Noise if space => Gap::Hard,
                        Gap::Space if !space => Gap::Hard,
                        Gap::None | Gap::Space if space => Gap::Space,
                        // Letters of other scripts
                        _ if c.is_alphanumeric() && !c.is_ascii_digit() && c != 'ㅡ' => Gap::Hard,
                        _ => Gap::Noise,
                    };
                }
            }
        }
        let end = stream.text.len() as u32;
        stream.letters.push((end, Gap::Hard));
        stream
    }

    fn push(&mut self, letter: char, gap: Gap) {
        self.letters.push((self.text.len() as u32, gap));
        self.text.push(letter);
    }

    /// Adds syllables that stand together behind a gap.
    fn push_run(&mut self, syllables: &str, gap: Gap) {
        let start = self.text.len() as u32;
        let starts = (start..).step_by(SYLLABLE).take(syllables.len() / SYLLABLE);
        let first = self.letters.len();
        self.letters.extend(starts.map(|start| (start, Gap::None)));
        if let Some((_, before)) = self.letters.get_mut(first) {
            *before = gap;
        }
        self.text.push_str(syllables);
    }

    /// A digit or sign that stands for a letter between two of Latin: `sh1t`, `a$$`.
    fn leet(&self, c: char, gap: Gap, rest: &Chars<'_>) -> Option<char> {
        let letter = match c {
            '1' | '!' => 'i',
            '0' => 'o',
            '3' => 'e',
            '4' | '@' => 'a',
            '5' | '$' => 's',
            _ => return None,
        };
        let between = gap == Gap::None && self.text.ends_with(|c: char| c.is_ascii_alphabetic());
        let more = rest.clone().next().is_some_and(|c| c.is_ascii_alphabetic() || matches!(c, '$' | '@' | '0' | '1' | '3'));
        (between && more).then_some(letter)
    }

    /// Does a syllable stand before this line and another behind it?
    fn is_drawn_out(&self, gap: Gap, rest: &Chars<'_>) -> bool {
        let goes_on = || rest.as_str().trim_start_matches('ㅡ').starts_with(is_syllable);
        matches!(gap, Gap::None | Gap::Noise) && self.text.ends_with(is_syllable) && goes_on()
    }

    /// Is a digit part of a number, or one that hides between syllables?
    fn is_number(&self, gap: Gap, rest: &Chars<'_>) -> bool {
        let hangul = |c: char| matches!(c, '가'..='힣' | 'ㄱ'..='ㅣ');
        let inside = gap == Gap::None && self.text.ends_with(hangul);
        let mut behind = rest.clone();
        let next = behind.next();
        let hides = inside && (next.is_some_and(hangul) || (next.is_some_and(|c| c.is_ascii_digit()) && behind.next().is_some_and(hangul)));
        // The second digit of a pair that hides.
        let second = gap == Gap::Noise && next.is_some_and(hangul);
        !hides && !second
    }

    /// The letter that begins at this byte of `text`.
    pub(super) fn char_at(&self, byte: usize) -> usize {
        self.letters.partition_point(|(start, _)| (*start as usize) < byte)
    }

    /// The gap before a letter; behind the last one it is hard.
    pub(super) fn gap(&self, at: usize) -> Gap {
        self.letters.get(at).map_or(Gap::Hard, |(_, gap)| *gap)
    }

    pub(super) fn char(&self, at: usize) -> Option<char> {
        let start = self.letters.get(at)?.0 as usize;
        self.text.get(start..)?.chars().next()
    }

    /// The letters from this one on.
    pub(super) fn rest(&self, at: usize) -> &str {
        self.letters.get(at).and_then(|(start, _)| self.text.get(*start as usize..)).unwrap_or("")
    }

    /// Does a written word begin here? Laughter and signs before it do not make it a part of one.
    pub(super) fn begins_word(&self, at: usize) -> bool {
        let latin = self.char(at).is_some_and(|c| c.is_ascii());
        self.gap(at) != Gap::None
            || at
                .checked_sub(1)
                .and_then(|before| self.char(before))
                .is_none_or(|c| if latin { !c.is_ascii_alphanumeric() } else { !matches!(c, '가'..='힣' | '0') })
    }

    pub(super) fn is_digit_before(&self, at: usize) -> bool {
        self.gap(at) == Gap::None && at.checked_sub(1).and_then(|before| self.char(before)) == Some('0')
    }
}

/// Full-width ASCII as ASCII.
fn plain(c: char) -> char {
    match c {
        '\u{FF01}'..='\u{FF5E}' => char::from_u32(u32::from(c) - 0xFF01 + 0x21).unwrap_or(c),
        _ => c,
    }
}

pub(super) fn is_syllable(c: char) -> bool {
    matches!(c, '가'..='힣')
}

/// `^ㅣ` looks like 시, `^^ㅣ` like 씨; other roofs are smiles.
fn caret(rest: &mut Chars<'_>) -> Option<char> {
    let (letter, behind) = match rest.as_str().strip_prefix('ㅣ') {
        Some(behind) => ('시', behind),
        None => ('씨', rest.as_str().strip_prefix("^ㅣ")?),
    };
    *rest = behind.chars();
    Some(letter)
}

/// `人ㅣ` looks like 시; other letters are what they are.
fn drawn(c: char, rest: &mut Chars<'_>) -> char {
    match rest.as_str().strip_prefix('ㅣ').filter(|_| c == '人') {
        Some(behind) => {
            *rest = behind.chars();
            '시'
        }
        None => c,
    }
}

fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}' | '\u{3164}')
}

/// The syllable that a consonant begins when a vowel follows it (`ㅂㅕㅇ` → 병), or the consonant.
/// Laughter and tears stay what they are.
fn joined(first: char, rest: &mut Chars<'_>) -> char {
    const FIRST: &str = "ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅇㅈㅉㅊㅋㅌㅍㅎ";
    const LAST: &str = "ㄱㄲㄳㄴㄵㄶㄷㄹㄺㄻㄼㄽㄾㄿㅀㅁㅂㅄㅅㅆㅇㅈㅊㅋㅌㅍㅎ";
    let index = |of: &str, c: char| of.chars().position(|known| known == c);
    let mut ahead = rest.clone();
    let Some(vowel @ 'ㅏ'..='ㅣ') = ahead.next().filter(|vowel| !matches!(vowel, 'ㅠ' | 'ㅜ' | 'ㅡ') && !matches!(first, 'ㅋ' | 'ㅎ'))
    else {
        return first;
    };
    let Some(initial) = index(FIRST, first) else { return first };
    *rest = ahead.clone();
    let last = ahead.next().and_then(|last| index(LAST, last)).filter(|_| !matches!(ahead.clone().next(), Some('ㅏ'..='ㅣ')));
    if last.is_some() {
        *rest = ahead;
    }
    let medial = u32::from(vowel) - u32::from('ㅏ');
    let syllable = 0xAC00 + (initial as u32 * 21 + medial) * 28 + last.map_or(0, |last| last as u32 + 1);
    char::from_u32(syllable).unwrap_or(first)
}
