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
#[derive(Default)]
pub(crate) struct Matcher {
    /// Longest first.
    tokens: Vec<Added>,
    /// Whether a token begins with the byte.
    first: [bool; 32],
    bytes: Vec<u8>,
}

impl Matcher {
    pub(crate) fn new(mut tokens: Vec<Added>) -> Self {
        if tokens.iter().all(|token| token.id.is_none()) {
            tokens.clear(); // nothing that text can become
        }
        tokens.sort_by_key(|token| std::cmp::Reverse(token.content.len()));
        let mut bytes: Vec<u8> = tokens.iter().filter_map(|token| token.content.bytes().next()).collect();
        bytes.sort_unstable();
        bytes.dedup();
        let mut first = [false; 32];
        bytes.iter().for_each(|byte| first[(byte & 31) as usize] = true);
        Self { tokens, first, bytes }
    }

    /// The next token that text becomes, from `from` on: where it begins and ends, and its id.
    pub(crate) fn next(&self, text: &str, from: usize) -> Option<(usize, usize, u32)> {
        let mut at = from;
        loop {
            at += self.candidate(&text.as_bytes()[at..])?;
            let rest = &text.as_bytes()[at..];
            let found = self.tokens.iter().find(|token| rest.starts_with(token.content.as_bytes()));
            let Some(token) = found else {
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

    /// Where the next byte is that begins a token.
    fn candidate(&self, text: &[u8]) -> Option<usize> {
        match self.bytes[..] {
            [] => None,
            [only] => {
                // Whole chunks without the byte are passed over at once.
                let has = |chunk: &[u8]| chunk.iter().fold(false, |has, &byte| has | (byte == only));
                let chunk = text.chunks(64).position(has)?;
                let at = text[chunk * 64..].iter().position(|&byte| byte == only)?;
                Some(chunk * 64 + at)
            }
            _ => text.iter().position(|byte| self.first[(byte & 31) as usize] && self.bytes.contains(byte)),
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
    }
}
