//! What two texts are compared by: units without spaces, signs, case and accents.

use serde::{Deserialize, Serialize};
use unicode_normalization::char::{compose, decompose_canonical, is_combining_mark};

use crate::chars::is_alnum;
use crate::polynomial;

/// What a text is cut into before it is compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unit {
    /// A Hangul syllable, kana or Chinese character, each of half a word; other letters and digits
    /// in a row are a word. Spaces between syllables have no say.
    #[default]
    Syllable,
    /// Letters and digits in a row, in Korean the eojeol (어절) with its particles.
    Word,
}

/// Weight of a word; that of a syllable is half of it.
pub(super) const WORD: u32 = 2;
const SYLLABLE: u32 = 1;

/// The units of a text: where they stand, what they weigh, and the hash of any run of them.
pub(super) struct Units {
    /// First byte of each and the byte after its last.
    spans: Vec<(u32, u32)>,
    /// Hash of the first `i` units.
    hashes: Vec<u64>,
    /// Weight of the first `i` units.
    weights: Vec<u32>,
}

impl Units {
    /// Positions are 32-bit; a chain refuses longer texts before.
    pub(super) fn new(text: &str, unit: Unit) -> Self {
        let expected = text.len().min(1 << 26) / 4 + 1;
        let mut units =
            Self { spans: Vec::with_capacity(expected), hashes: Vec::with_capacity(expected), weights: Vec::with_capacity(expected) };
        units.hashes.push(0);
        units.weights.push(0);
        let mut run = Run::default();
        // A syllable that a following jamo may still change.
        let mut held: Option<(char, usize, usize)> = None;
        for (at, c) in text.char_indices() {
            let end = at + c.len_utf8();
            if let Some((first, start, _)) = held
                && ('\u{1161}'..='\u{11C2}').contains(&c)
                && let Some(whole) = compose(first, c)
            {
                held = Some((whole, start, end));
                continue;
            }
            if let Some(syllable) = held.take() {
                units.syllable(unit, &mut run, syllable);
            }
            if c.is_ascii() {
                if c.is_ascii_alphanumeric() { run.add(c.to_ascii_lowercase(), at, end) } else { units.end_run(&mut run) }
            } else if is_syllable(c) {
                held = Some((c, at, end));
            } else if is_combining_mark(c) {
                // An accent: it neither ends a word nor belongs to it.
            } else {
                match plain(c) {
                    Some(c) => run.add(c, at, end),
                    None => units.end_run(&mut run),
                }
            }
        }
        if let Some(syllable) = held {
            units.syllable(unit, &mut run, syllable);
        }
        units.end_run(&mut run);
        units
    }

    fn syllable(&mut self, unit: Unit, run: &mut Run, (c, start, end): (char, usize, usize)) {
        match unit {
            Unit::Word => run.add(c, start, end),
            Unit::Syllable => {
                self.end_run(run);
                self.push(mixed(u64::from(u32::from(c)) + 1), start, end, SYLLABLE);
            }
        }
    }

    fn end_run(&mut self, run: &mut Run) {
        if run.end > run.start {
            self.push(mixed(run.hash), run.start, run.end, WORD);
        }
        *run = Run::default();
    }

    fn push(&mut self, hash: u64, start: usize, end: usize, weight: u32) {
        let (before, weighed) = (self.hashes.last().copied().unwrap_or(0), self.weights.last().copied().unwrap_or(0));
        self.hashes.push(polynomial::append(before, hash));
        self.weights.push(weighed + weight);
        self.spans.push((start as u32, end as u32));
    }

    pub(super) fn len(&self) -> usize {
        self.spans.len()
    }

    /// Weight of all units.
    pub(super) fn weight(&self) -> u32 {
        self.weights.last().copied().unwrap_or(0)
    }

    /// Hash of the units `from..to`.
    pub(super) fn hash(&self, from: usize, to: usize) -> u64 {
        polynomial::run_hash(self.hashes[from], self.hashes[to], to - from)
    }

    /// The bytes that the units `from..to` span; `to` is above `from`.
    pub(super) fn bytes(&self, from: usize, to: usize) -> (usize, usize) {
        (self.spans[from].0 as usize, self.spans[to - 1].1 as usize)
    }

    /// From every unit on the shortest run of at least this weight: first unit, and unit after it.
    pub(super) fn windows(&self, weight: u32) -> impl Iterator<Item = (usize, usize)> + '_ {
        let mut to = 0;
        (0..self.len()).map_while(move |from| {
            while self.weights[to] - self.weights[from] < weight {
                if to == self.len() {
                    return None;
                }
                to += 1;
            }
            Some((from, to))
        })
    }
}

/// Letters and digits in a row, so far.
#[derive(Default)]
struct Run {
    hash: u64,
    start: usize,
    end: usize,
}

impl Run {
    fn add(&mut self, c: char, at: usize, end: usize) {
        if self.end == 0 {
            self.start = at;
        }
        self.hash = (self.hash ^ (u64::from(u32::from(c)) + 1)).wrapping_mul(0x0000_0100_0000_01b3).rotate_left(27);
        self.end = end;
    }
}

/// Spreads a number over 61 bits (the finalizer of MurmurHash3).
fn mixed(x: u64) -> u64 {
    let x = (x ^ x >> 33).wrapping_mul(0xff51_afd7_ed55_8ccd);
    let x = (x ^ x >> 33).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    (x ^ x >> 33) >> 3
}

/// A character that is a unit by itself: Hangul, its jamo, kana, Chinese.
fn is_syllable(c: char) -> bool {
    matches!(c,
        '\u{AC00}'..='\u{D7A3}' | '\u{1100}'..='\u{11FF}' | '\u{3131}'..='\u{318E}' | '\u{3041}'..='\u{3096}' | '\u{30A1}'..='\u{30FA}'
        | '\u{3400}'..='\u{4DBF}' | '\u{4E00}'..='\u{9FFF}' | '\u{F900}'..='\u{FAFF}' | '\u{20000}'..='\u{323AF}')
}

/// A letter or digit in lower case, without accent and of usual width; none for a sign. Numbers in
/// circles and the like are signs: what stands before an answer to choose.
fn plain(c: char) -> Option<char> {
    let c = match c {
        '\u{FF01}'..='\u{FF5E}' => char::from_u32(u32::from(c) - 0xFEE0).unwrap_or(c),
        '\u{2460}'..='\u{24FF}' | '\u{2776}'..='\u{2793}' => return None,
        c => c,
    };
    if !is_alnum(c) {
        return None;
    }
    let mut base = None;
    decompose_canonical(c, |part| {
        base.get_or_insert(part);
    });
    base.unwrap_or(c).to_lowercase().next()
}
