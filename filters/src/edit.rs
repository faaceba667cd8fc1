//! Stretches of a text replaced: in a conversation within the messages they stand in.

use std::ops::Range;

use corpora::{Turn, joined};

/// A text and its messages with other words in place of some stretches (ascending and apart). `text` is that of the
/// messages, [`joined`]; without messages it stands for itself.
///
/// What was found in a conversation as a whole is so replaced where it stands, and not looked for once more in each
/// message, which has lost what came before. A stretch over the end of a message is replaced in the first, and cut out
/// of the others.
pub(crate) fn replaced(text: &str, turns: &[Turn], edits: &[(Range<usize>, &str)]) -> (String, Vec<Turn>) {
    if turns.is_empty() {
        return (spliced(text, 0, edits, &mut vec![false; edits.len()]), Vec::new());
    }
    let mut written = vec![false; edits.len()];
    let mut from = 0;
    let turns: Vec<Turn> = turns
        .iter()
        .map(|turn| {
            let text = spliced(&turn.text, from, edits, &mut written);
            from += turn.text.len() + SEPARATOR;
            Turn { role: turn.role, text }
        })
        .collect();
    (joined(&turns), turns)
}

/// Bytes between two messages of a conversation's text.
const SEPARATOR: usize = 2;

/// The part of a text that begins at byte `from` of it, edited; `written` says whose words stand already.
fn spliced(part: &str, from: usize, edits: &[(Range<usize>, &str)], written: &mut [bool]) -> String {
    let mut out = String::with_capacity(part.len());
    let mut done = 0;
    for ((range, words), written) in edits.iter().zip(written) {
        let start = range.start.saturating_sub(from).clamp(done, part.len());
        let end = range.end.saturating_sub(from).min(part.len());
        if end > start {
            out.push_str(&part[done..start]);
            if !std::mem::replace(written, true) {
                out.push_str(words);
            }
            done = end;
        }
    }
    out.push_str(&part[done..]);
    out
}

#[cfg(test)]
mod tests {
    use corpora::Role;
    use proptest::prelude::*;

    use super::*;

    fn turns(texts: &[&str]) -> Vec<Turn> {
        texts.iter().map(|text| Turn { role: Role::User, text: (*text).to_owned() }).collect()
    }

    #[test]
    fn each_message_has_its_own_stretches() {
        let talk = turns(&["번호는?", "010 입니다", "네"]);
        let text = joined(&talk);
        let at = text.find("010").unwrap();
        let (after, turns) = replaced(&text, &talk, &[(at..at + 3, "<PHONE>")]);
        assert_eq!(after, "번호는?\n\n<PHONE> 입니다\n\n네");
        assert_eq!(after, joined(&turns));
        // Over two messages and what is between.
        let (after, _) = replaced(&text, &talk, &[(text.find('?').unwrap()..at + 3, "!")]);
        assert_eq!(after, "번호는!\n\n 입니다\n\n네");
        // Between messages alone there is nothing to replace.
        assert_eq!(replaced(&text, &talk, &[(at - 2..at, "x")]).0, text);
    }

    proptest! {
        #[test]
        fn one_message_is_a_text(text in "[가-힣a-z ]{0,40}", cuts in proptest::collection::vec(0usize..120, 0..8)) {
            let mut cuts: Vec<usize> = cuts.into_iter().map(|at| text.floor_char_boundary(at.min(text.len()))).collect();
            cuts.sort_unstable();
            let edits: Vec<_> = cuts.chunks_exact(2).map(|pair| (pair[0]..pair[1], "_")).collect();
            let talk = turns(&[&text]);
            let (alone, none) = replaced(&text, &[], &edits);
            let (message, _) = replaced(&text, &talk, &edits);
            prop_assert!(none.is_empty());
            prop_assert_eq!(&alone, &message);
            let gone: usize = edits.iter().map(|(range, _)| range.len()).sum();
            let put = edits.iter().filter(|(range, _)| !range.is_empty()).count();
            prop_assert_eq!(alone.len(), text.len() - gone + put);
        }
    }
}
