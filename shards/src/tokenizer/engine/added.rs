//! Added tokens in text.
//!
//! The library looks for added tokens before anything else, leftmost and longest first. Special ones
//! it finds and leaves in the text (`encode_special_tokens`), yet no other match may overlap them; the
//! rest, such as Qwen3's `<think>`, become their ids there.

/// An added token as it is looked for.
#[derive(Debug)]
pub(crate) struct Added {
    pub(crate) content: String,
    /// None for special tokens.
    pub(crate) id: Option<u32>,
}

/// A set of added tokens to look for together.
pub(crate) struct Matcher {
    /// In the order of their bytes.
    tokens: Vec<Added>,
    /// Whether a token begins with the byte.
    first: [bool; 256],
    /// The byte that all tokens begin with.
    only: Option<u8>,
}

impl Matcher {
    pub(crate) fn new(mut tokens: Vec<Added>) -> Self {
        if tokens.iter().all(|token| token.id.is_none()) {
            tokens.clear(); // nothing that text can become
        }
        tokens.sort_by(|a, b| a.content.cmp(&b.content));
        let mut first = [false; 256];
        tokens.iter().filter_map(|token| token.content.bytes().next()).for_each(|byte| first[usize::from(byte)] = true);
        let mut begins = (0..=255).filter(|&byte| first[usize::from(byte)]);
        let only = begins.next().filter(|_| begins.next().is_none());
        Self { tokens, first, only }
    }

    /// The next token that text becomes, from `from` on: where it begins and ends, and its id.
    pub(crate) fn next(&self, text: &str, from: usize) -> Option<(usize, usize, u32)> {
        let mut at = from;
        loop {
            at += self.candidate(&text.as_bytes()[at..])?;
            let Some(token) = self.longest(&text.as_bytes()[at..]) else {
                at += 1;
                continue;
            };
            let end = at + token.content.len();
            if let Some(id) = token.id {
                return Some((at, end, id));
            }
            at = end;
        }
    }

    /// The longest token that a text begins with.
    fn longest(&self, text: &[u8]) -> Option<&Added> {
        let (mut left, mut found) = (&self.tokens[..], None);
        for (at, &byte) in text.iter().enumerate() {
            let next = |token: &Added| token.content.as_bytes().get(at).copied();
            let start = left.partition_point(|token| next(token) < Some(byte));
            let end = left.partition_point(|token| next(token) <= Some(byte));
            left = &left[start..end];
            // A token comes before those that go on after it.
            match left.first() {
                None => break,
                Some(first) if first.content.len() == at + 1 => found = Some(first),
                Some(_) => {}
            }
        }
        found
    }

    /// Where the next byte is that begins a token.
    fn candidate(&self, text: &[u8]) -> Option<usize> {
        match self.only {
            _ if self.tokens.is_empty() => None,
            Some(only) => {
                // Whole chunks without the byte are passed over at once.
                let has = |chunk: &[u8]| chunk.iter().fold(false, |has, &byte| has | (byte == only));
                let chunk = text.chunks(64).position(has)?;
                let at = text[chunk * 64..].iter().position(|&byte| byte == only)?;
                Some(chunk * 64 + at)
            }
            None => text.iter().position(|byte| self.first[usize::from(*byte)]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_longest_and_passes_over_special_ones() {
        let token = |content: &str, id| Added { content: content.to_owned(), id };
        let tokens = vec![token("<a>", Some(1)), token("<a><b>", None), token("<b>", Some(2)), token("b>x", Some(3))];
        let matcher = Matcher::new(tokens);
        assert_eq!(matcher.next("<a><b>x<b>x", 0), Some((7, 10, 2)));
        assert_eq!(matcher.next("가<a>", 0), Some((3, 6, 1)));
        assert_eq!(matcher.next("<b>x", 0), Some((0, 3, 2)));
        assert_eq!(matcher.next("<b", 0), None);
        assert_eq!(Matcher::new(vec![token("a", None)]).next("a", 0), None);
        let many: Vec<Added> =
            (0..300).map(|n| token(&format!("<{n}>"), Some(n))).chain([token("\n", Some(300)), token("\n\n\n", Some(301))]).collect();
        let matcher = Matcher::new(many);
        assert_eq!(matcher.next("<300><29><299>", 0), Some((5, 9, 29)));
        assert_eq!(matcher.next("<29<299>", 0), Some((3, 8, 299)));
        assert_eq!((matcher.next("a\n\nb", 0), matcher.next("a\n\n\n", 0)), (Some((1, 2, 300)), Some((1, 4, 301))));
    }
}
