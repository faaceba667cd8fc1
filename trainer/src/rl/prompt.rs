//! Questions to be answered, out of whole conversations.

use shards::{Example, Tokenizer};

use crate::error::Result;

/// A conversation up to its last answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Prompt {
    /// Its place among the documents of the step; what is drawn follows from it.
    pub(crate) place: u64,
    pub(crate) ids: Vec<u32>,
    /// The same as text.
    pub(crate) text: String,
    /// The answer of the data, without what ends it.
    pub(crate) reference: String,
    /// The id that ends the answer of the data; none where that has no end.
    pub(crate) end: Option<u32>,
    /// What the template writes after an answer that ends so.
    pub(crate) tail: Vec<u32>,
}

impl Prompt {
    /// The questions of these conversations, each with room for an answer, and how many have none: what is asked is
    /// longer than `longest` tokens, or nothing is.
    pub(crate) fn all(examples: &[Example], longest: usize, ends: &[u32], tokenizer: &Tokenizer) -> Result<(Vec<Self>, u64)> {
        let mut prompts = Vec::with_capacity(examples.len());
        for (place, example) in (0..).zip(examples) {
            // Everything before the last answer is given, earlier answers too.
            let Some(answer) = example.learned.last().filter(|answer| (1..=longest).contains(&answer.start)) else { continue };
            let (ids, rest) = example.tokens.split_at(answer.start);
            // What the model would end its answer with; a template may write more, and that may count as learned.
            let end = rest.iter().position(|id| ends.contains(id));
            let said = &rest[..end.unwrap_or(answer.len()).min(answer.len())];
            let tail = end.map_or(&[][..], |end| &rest[end + 1..]);
            let (reference, end) = (tokenizer.decode(said)?, end.map(|end| rest[end]));
            prompts.push(Self { place, ids: ids.to_vec(), text: tokenizer.decode(ids)?, reference, end, tail: tail.to_vec() });
        }
        let skipped = (examples.len() - prompts.len()) as u64;
        Ok((prompts, skipped))
    }
}

/// An answer without the tokens that end it.
pub(crate) fn without_end<'a>(ids: &'a [u32], ends: &[u32]) -> &'a [u32] {
    let said = ids.iter().rposition(|id| !ends.contains(id)).map_or(0, |last| last + 1);
    &ids[..said]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes are tokens; 256 ends.
    fn example(text: &str, learned: &[(usize, usize)]) -> Example {
        let tokens = text.bytes().map(u32::from).chain([256]).collect();
        Example { bucket: 0, tokens, learned: learned.iter().map(|&(start, end)| start..end).collect() }
    }

    #[test]
    fn all_before_the_last_answer_is_asked() {
        let tokenizer = Tokenizer::bytes();
        let examples = [
            example("a?b!c?de.\n", &[(2, 4), (6, 9)]),
            example("long question? y", &[(15, 16)]),
            example("only said", &[(0, 9)]),
            example("nothing learned", &[]),
            example("q?a", &[(2, 4)]),    // with the end token
            example("q?a.\n", &[(2, 6)]), // and what comes between
        ];
        let (prompts, skipped) = Prompt::all(&examples, 10, &[256, u32::from(b'.')], &tokenizer).unwrap();
        assert_eq!(skipped, 3);
        let bytes = |text: &str| text.bytes().map(u32::from).collect::<Vec<u32>>();
        let first = Prompt {
            place: 0,
            ids: bytes("a?b!c?"),
            text: "a?b!c?".to_owned(),
            reference: "de".to_owned(),
            end: Some(u32::from(b'.')),
            tail: [bytes("\n"), vec![256]].concat(),
        };
        let (text, reference) = ("q?".to_owned(), "a".to_owned());
        let last = Prompt { place: 4, ids: bytes("q?"), text, reference, end: Some(256), tail: Vec::new() };
        let more = Prompt { place: 5, end: first.end, tail: first.tail.clone(), ..last.clone() };
        assert_eq!(prompts, [first, last, more]);
    }

    #[test]
    fn an_end_alone_is_an_empty_answer() {
        assert_eq!(without_end(&[7, 7], &[7]), [0; 0]);
        assert_eq!(without_end(&[7, 1, 7, 8], &[7, 8]), [7, 1]);
        assert_eq!(without_end(&[1], &[7]), [1]);
    }
}
