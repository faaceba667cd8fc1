//! Cuts a long text into parts that are encoded one by one, so that memory stays bounded.

use crate::error::Result;

/// Text encoded in one go. Encoders need some fifty times as much memory.
pub(crate) const PART_BYTES: usize = 1 << 20;
/// A part may be this many times as long before it is cut where ids change. Regular expressions
/// give up on runs of some ten million characters.
const PATIENCE: usize = 4;
/// Text on each side of a cut that is encoded to see whether the cut changes anything.
const CONTEXT: usize = 128;
/// Places looked at on each side of the limit.
const TRIES: usize = 32;

/// Ids of a text of any length, the same as of the whole text in one go: a cut is made only where
/// the text around it has the same ids in two parts as in one. (Where there is no such place in
/// `PATIENCE × limit` bytes, as in a run of millions of letters without a space, it is made between
/// any two characters.)
///
/// `pads` says that the tokenizer puts a space before, or after, every text. Such texts are cut at
/// single spaces only, and the padding takes the place of that space.
pub(crate) fn encode(text: &str, limit: usize, pads: bool, encode: impl Fn(&str) -> Result<Vec<u32>>) -> Result<Vec<u32>> {
    let mut ids = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let end = end_of_part(rest, limit, pads, &encode)?;
        ids.extend(encode(&rest[..end])?);
        rest = after(rest, end, pads);
    }
    Ok(ids)
}

fn end_of_part(text: &str, limit: usize, pads: bool, encode: impl Fn(&str) -> Result<Vec<u32>>) -> Result<usize> {
    if text.len() <= limit {
        return Ok(text.len());
    }
    // A tokenizer that pads would add a space at any other place, so it gets the whole text.
    let longest = if pads { text.len() } else { text.floor_char_boundary(PATIENCE * limit) };
    for at in places(text, limit, longest, pads) {
        let from = text.floor_char_boundary(at.saturating_sub(CONTEXT));
        let around = &text[from..text.ceil_char_boundary(at + CONTEXT)];
        let mut apart = encode(&text[from..at])?;
        apart.extend(encode(after(around, at - from, pads))?);
        if apart == encode(around)? {
            return Ok(at);
        }
    }
    Ok(longest)
}

/// What follows a part of `end` bytes.
fn after(text: &str, end: usize, pads: bool) -> &str {
    let rest = &text[end..];
    if pads { rest.strip_prefix(' ').unwrap_or(rest) } else { rest }
}

/// Where words meet: the last places up to `limit`, the nearest first, then those up to `longest`.
fn places(text: &str, limit: usize, longest: usize, only_spaces: bool) -> impl Iterator<Item = usize> {
    let bytes = text.as_bytes();
    let is_space = |at: usize| matches!(bytes[at], b' ' | b'\t' | b'\n' | b'\r');
    let fits = move |at: &usize| {
        let at = *at;
        let line = || bytes[at - 1] == b'\n' && !is_space(at - 2) && !is_space(at) && !only_spaces;
        let space = || bytes[at] == b' ' && !is_space(at - 1) && !is_space(at + 1);
        line() || space()
    };
    let most = longest.min(text.len() - 2);
    let before = (2..=limit.min(most)).rev().filter(fits).take(TRIES);
    before.chain((limit + 1..=most).filter(fits).take(TRIES))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// An id for each byte, and a space before the text when it pads, as Llama 2 does.
    fn bytes(text: &str, pads: bool) -> Result<Vec<u32>> {
        let space = (pads && !text.is_empty()).then_some(b' ');
        Ok(space.into_iter().chain(text.bytes()).map(u32::from).collect())
    }

    fn end(text: &str, limit: usize, pads: bool) -> usize {
        end_of_part(text, limit, pads, |part| bytes(part, pads)).unwrap()
    }

    #[test]
    fn ends_at_lines_and_words() {
        assert_eq!(end("ab\ncd ef", 8, false), 8);
        assert_eq!(end("ab\ncd ef", 7, false), 5); // before the space
        assert_eq!(end("ab\ncd ef", 4, false), 3); // after the line
        assert_eq!(end("ab\n\ncd  ef", 9, false), 10); // neither is single; up to 36 bytes go in one
        assert_eq!(end("가나다라마", 4, false), 15);
        assert_eq!(end(&"가".repeat(20), 4, false), 15); // 16 bytes are five characters
        assert_eq!(end("ab\ncd ef", 4, true), 5); // a line would get a space, so a word further on
        assert_eq!(end(&"a".repeat(1000), 4, true), 1000);
        assert_eq!((end("a", 1, false), end("ab", 1, false), end("\n b", 1, true)), (1, 2, 3));
    }

    #[test]
    fn passes_over_places_that_change_ids() {
        // This one knows "b c" as one id, so it cannot be cut there.
        let known = |text: &str| bytes(&text.replace("b c", "#"), false);
        let text = "aa ab cd";
        assert_eq!(end_of_part(text, 6, false, known).unwrap(), 2);
        assert_eq!(encode(text, 6, false, known).unwrap(), bytes("aa a#d", false).unwrap());
    }

    proptest! {
        #[test]
        fn parts_have_the_ids_of_the_text(text in "[a가 \n\t]{0,60}", limit in 4usize..20) {
            for pads in [false, true] {
                prop_assert_eq!(encode(&text, limit, pads, |part| bytes(part, pads)).unwrap(), bytes(&text, pads).unwrap());
            }
        }
    }
}
