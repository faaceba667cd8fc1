//! Sentences of a line, in writing with and without spaces behind them.

use crate::chars::{is_letter, is_space};

/// The sentences of one line, trimmed: one ends behind `.`, `!`, `?` or `…` and closing quotes and brackets where white
/// space follows, behind `。`, `！` or `？` whatever follows, and at the end of the line. What has no letter, as the number
/// of an item, begins the next one.
pub(super) fn sentences(line: &str) -> impl Iterator<Item = &str> {
    let mut rest = line;
    std::iter::from_fn(move || {
        (!rest.is_empty()).then(|| {
            let (sentence, behind) = rest.split_at(end(rest));
            rest = behind;
            sentence.trim_matches(is_space)
        })
    })
    .filter(|sentence| !sentence.is_empty())
}

/// What was read last.
#[derive(Clone, Copy, PartialEq)]
enum Before {
    /// A mark that needs white space behind it.
    Mark,
    /// A mark that ends the sentence.
    FullMark,
    /// Closing signs behind such a mark.
    ClosedFullMark,
    Other,
}

impl Before {
    /// Whether a sentence ends between what was read and this character.
    fn ends_before(self, c: char) -> bool {
        match self {
            Self::Mark => is_space(c),
            Self::FullMark => !is_mark(c) && !is_closer(c),
            Self::ClosedFullMark => !is_closer(c),
            Self::Other => false,
        }
    }

    fn then(self, c: char) -> Self {
        match (self, c) {
            (_, '。' | '！' | '？') => Self::FullMark,
            (Self::FullMark, _) if is_mark(c) => Self::FullMark,
            (_, _) if is_mark(c) => Self::Mark,
            (Self::FullMark | Self::ClosedFullMark, _) if is_closer(c) => Self::ClosedFullMark,
            (Self::Mark, _) if is_closer(c) => Self::Mark,
            _ => Self::Other,
        }
    }
}

fn is_mark(c: char) -> bool {
    matches!(c, '.' | '!' | '?' | '…' | '。' | '！' | '？')
}

fn is_closer(c: char) -> bool {
    matches!(c, '"' | '\'' | '”' | '’' | ')' | ']' | '」' | '』')
}

/// Where the first sentence ends.
fn end(text: &str) -> usize {
    let (mut before, mut is_lettered) = (Before::Other, false);
    for (at, c) in text.char_indices() {
        if before.ends_before(c) {
            if is_lettered {
                return at;
            }
            before = Before::Other;
        }
        is_lettered |= is_letter(c);
        before = before.then(c);
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_sentences_end() {
        for (line, expected) in [
            ("", &[] as &[&str]),
            ("  ", &[]),
            ("One. Two!  Three?", &["One.", "Two!", "Three?"]),
            ("3.5 of a.b.c and", &["3.5 of a.b.c and"]),
            ("\"Ends.\" And (so.) On... and on", &["\"Ends.\"", "And (so.)", "On...", "and on"]),
            ("1. The boat. 2) 3. 배", &["1. The boat.", "2) 3. 배"]),
            ("12. 34.", &["12. 34."]),
            ("오늘은 맑다. 내일은?", &["오늘은 맑다.", "내일은?"]),
            ("끝났다。「정말？」라고", &["끝났다。", "「정말？」", "라고"]),
            ("끝！.a。」!b", &["끝！.", "a。」", "!b"]),
        ] {
            assert_eq!(sentences(line).collect::<Vec<_>>(), expected, "{line:?}");
        }
    }
}
