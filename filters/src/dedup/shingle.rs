//! Overlapping runs of words or characters of a normalised text.

use super::Shingle;
use crate::bytes::places;

/// Every run of `n` units of a normalised text (words divided by exactly one space), as the slice of
/// the text that it spans: nothing is copied. None if the text has fewer units.
pub(super) struct Shingles<'a> {
    text: &'a str,
    /// Where the units begin, and where one behind the text would.
    starts: Vec<usize>,
    /// Bytes between two units.
    gap: usize,
    n: usize,
    at: usize,
}

impl<'a> Shingles<'a> {
    pub(super) fn new(text: &'a str, unit: Shingle, n: usize) -> Self {
        let (mut starts, gap) = match unit {
            _ if text.is_empty() => (Vec::new(), 0),
            Shingle::Char => (text.char_indices().map(|(at, _)| at).collect(), 0),
            Shingle::Word => (words(text), 1),
        };
        starts.push(text.len() + gap);
        Self { text, starts, gap, n, at: 0 }
    }
}

/// Where the words begin.
fn words(text: &str) -> Vec<usize> {
    let mut starts = Vec::with_capacity(text.len() / 5 + 2);
    starts.push(0);
    starts.extend(places(text.as_bytes(), |byte| byte == b' ').map(|at| at + 1));
    starts
}

impl<'a> Iterator for Shingles<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let end = self.starts.get(self.at + self.n)? - self.gap;
        let start = self.starts[self.at];
        self.at += 1;
        self.text.get(start..end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str, unit: Shingle, n: usize) -> Vec<&str> {
        Shingles::new(text, unit, n).collect()
    }

    #[test]
    fn words() {
        assert_eq!(of("나는 오늘 학교에 갔다", Shingle::Word, 2), ["나는 오늘", "오늘 학교에", "학교에 갔다"]);
        assert_eq!(of("a b c", Shingle::Word, 3), ["a b c"]);
        assert_eq!(of("a b c", Shingle::Word, 1), ["a", "b", "c"]);
        assert!(of("a b c", Shingle::Word, 4).is_empty());
        assert!(of("", Shingle::Word, 1).is_empty());
    }

    #[test]
    fn characters() {
        assert_eq!(of("가나 b", Shingle::Char, 3), ["가나 ", "나 b"]);
        assert_eq!(of("가나", Shingle::Char, 2), ["가나"]);
        assert!(of("가나", Shingle::Char, 3).is_empty());
        assert!(of("", Shingle::Char, 1).is_empty());
    }
}
