//! The symbols of a model: the characters it knows, as numbers of twelve bits.

use crate::chars::is_space;

/// Number of a symbol: white space.
pub(super) const SPACE: u16 = 0;
/// Number of a symbol: any character that is not known.
pub(super) const UNKNOWN: u16 = 1;
/// Bits of a symbol in an n-gram.
pub(super) const BITS: u32 = 12;
/// Most symbols, the two above among them.
pub(super) const MOST: usize = 1 << BITS;
/// Characters are looked up by their code below this one, which leaves out rare ideographs alone.
const CODES: usize = 0x2_0000;

/// How often characters occur in texts, of which the most frequent become an [`Alphabet`].
#[derive(Clone, Debug)]
pub struct CharCounts(Vec<u64>);

impl Default for CharCounts {
    fn default() -> Self {
        Self(vec![0; CODES])
    }
}

impl CharCounts {
    /// Counts the characters of a text.
    pub fn add(&mut self, text: &str) {
        for c in normal(text) {
            if let Some(count) = self.0.get_mut(c as usize) {
                *count += 1;
            }
        }
    }

    /// Adds the counts of other texts.
    pub fn merge(&mut self, other: &Self) {
        self.0.iter_mut().zip(&other.0).for_each(|(count, more)| *count += more);
    }

    /// How many characters were counted.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }
}

/// Characters and their numbers, from 2 on.
#[derive(Clone, Debug, PartialEq)]
pub struct Alphabet {
    pub(super) chars: Vec<char>,
    numbers: Vec<u16>,
}

impl Alphabet {
    /// The most frequent characters, equal ones by their code.
    #[must_use]
    pub fn new(counts: &CharCounts) -> Self {
        let met = counts.0.iter().enumerate().filter(|(_, count)| **count > 0);
        let mut met: Vec<(u64, char)> =
            met.filter_map(|(code, count)| Some((*count, char::from_u32(code as u32)?))).filter(|(_, c)| *c != ' ').collect();
        met.sort_unstable_by_key(|(count, c)| (std::cmp::Reverse(*count), *c));
        met.truncate(MOST - 2);
        Self::of(met.into_iter().map(|(_, c)| c).collect())
    }

    /// With these characters, in order.
    pub(super) fn of(chars: Vec<char>) -> Self {
        let mut numbers = vec![UNKNOWN; CODES];
        numbers[' ' as usize] = SPACE;
        for (number, c) in (2..).zip(&chars) {
            if let Some(slot) = numbers.get_mut(*c as usize) {
                *slot = number;
            }
        }
        Self { chars, numbers }
    }

    /// How many symbols there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.chars.len() + 2
    }

    /// False: white space and the unknown character always are.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        false
    }

    /// The symbols of a text, in its normal form.
    pub(super) fn symbols(&self, text: &str) -> impl Iterator<Item = u16> {
        normal(text).map(|c| self.numbers.get(c as usize).copied().unwrap_or(UNKNOWN))
    }
}

/// A text as the model sees it: white space in a row is one space and none stands at the ends, ASCII digits are 0.
fn normal(text: &str) -> impl Iterator<Item = char> {
    let mut space = false;
    let text = text.trim_matches(is_space);
    text.chars().filter_map(move |c| {
        let (before, now) = (space, is_space(c));
        space = now;
        match c {
            _ if now => (!before).then_some(' '),
            '0'..='9' => Some('0'),
            _ => Some(c),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_in_their_normal_form() {
        let shown = |text| normal(text).collect::<String>();
        assert_eq!(shown(" \n가  나\n\n\u{3000}12:30 A\t"), "가 나 00:00 A");
        assert_eq!(shown(" "), "");
    }

    #[test]
    fn numbers_follow_frequency() {
        let mut counts = CharCounts::default();
        counts.add("나 나 가 다 \u{2fa1d}");
        assert_eq!(counts.total(), 8);
        let alphabet = Alphabet::new(&counts);
        assert_eq!(alphabet.chars, ['나', '가', '다']);
        assert_eq!(alphabet.symbols("가 나x\u{2fa1d}").collect::<Vec<_>>(), [3, SPACE, 2, UNKNOWN, UNKNOWN]);
    }
}
