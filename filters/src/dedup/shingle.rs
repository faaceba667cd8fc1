//! Overlapping runs of words or characters of a normalised text.

use super::Shingle;

/// Every run of `n` units of a normalised text (words divided by exactly one space), as the slice of
/// the text that it spans: nothing is copied. None if the text has fewer units.
pub(super) struct Shingles<'a> {
    text: &'a str,
    unit: Shingle,
    start: usize,
    /// End of the run that starts at `start`; none when there is no more.
    end: Option<usize>,
}

impl<'a> Shingles<'a> {
    pub(super) fn new(text: &'a str, unit: Shingle, n: usize) -> Self {
        let mut shingles = Self { text, unit, start: 0, end: None };
        let mut end = shingles.unit_end(0);
        for _ in 1..n {
            end = end.and_then(|end| shingles.unit_end(shingles.after(end)));
        }
        shingles.end = end;
        shingles
    }

    /// End of the unit that starts at `start`, if one does.
    fn unit_end(&self, start: usize) -> Option<usize> {
        let rest = self.text.get(start..)?;
        match self.unit {
            Shingle::Char => rest.chars().next().map(|c| start + c.len_utf8()),
            Shingle::Word if rest.is_empty() => None,
            Shingle::Word => Some(rest.bytes().position(|byte| byte == b' ').map_or(self.text.len(), |at| start + at)),
        }
    }

    /// Start of the unit after the one that ends at `end`.
    fn after(&self, end: usize) -> usize {
        match self.unit {
            Shingle::Char => end,
            Shingle::Word => end + 1,
        }
    }
}

impl<'a> Iterator for Shingles<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let end = self.end?;
        let shingle = self.text.get(self.start..end)?;
        self.start = self.after(self.unit_end(self.start)?);
        self.end = self.unit_end(self.after(end));
        Some(shingle)
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
