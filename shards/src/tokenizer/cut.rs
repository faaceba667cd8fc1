//! Cuts a long text into parts that are encoded one by one, so that memory stays bounded.

/// Text encoded in one go. Encoders need some fifty times as much memory, and their regular
/// expressions give up on runs of tens of megabytes.
pub(crate) const PART_BYTES: usize = 1 << 20;

/// Where a cut changes no id, or the fewest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum At {
    /// After a line break that no white space follows: splitting patterns end a word there.
    Line,
    /// Before a single space, for models that put a space before every text themselves.
    Space,
}

/// Parts of `text` of at most `limit` bytes: cut at the last place of the kind asked for, else
/// before the last single space, else between any two characters.
pub(crate) fn parts(text: &str, limit: usize, at: At) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let (part, next) = rest.split_at(cut(rest, limit.max(4), at));
        rest = next;
        Some(part)
    })
}

fn cut(text: &str, limit: usize, kind: At) -> usize {
    if text.len() <= limit {
        return text.len();
    }
    let end = text.floor_char_boundary(limit);
    let bytes = text.as_bytes();
    let is_space = |at: usize| matches!(bytes.get(at), Some(b' ' | b'\t' | b'\n' | b'\r'));
    let line = |at: usize| {
        let next = || text[at..].chars().next();
        bytes[at - 1] == b'\n' && !next().is_some_and(char::is_whitespace)
    };
    let word = |at: usize| bytes[at] == b' ' && !is_space(at - 1) && !is_space(at + 1);
    let last = |fits: &dyn Fn(usize) -> bool| (1..=end).rev().find(|&at| fits(at));
    let first = (kind == At::Line).then(|| last(&line)).flatten();
    first.or_else(|| last(&word)).unwrap_or(end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn cut_all(text: &str, limit: usize, at: At) -> Vec<&str> {
        parts(text, limit, at).collect()
    }

    #[test]
    fn prefers_lines_then_words_then_characters() {
        let cases: [(&str, usize, &[&str], &[&str]); 5] = [
            ("ab\ncd ef", 8, &["ab\ncd ef"], &["ab\ncd ef"]),
            ("ab\ncd ef", 7, &["ab\n", "cd ef"], &["ab\ncd", " ef"]),
            ("ab cd\n ef gh", 8, &["ab", " cd\n ef", " gh"], &["ab", " cd\n ef", " gh"]),
            ("가나다라", 7, &["가나", "다라"], &["가나", "다라"]),
            ("", 7, &[], &[]),
        ];
        for (text, limit, lines, spaces) in cases {
            assert_eq!(cut_all(text, limit, At::Line), lines);
            assert_eq!(cut_all(text, limit, At::Space), spaces);
        }
    }

    proptest! {
        #[test]
        fn parts_are_the_text(text in "[a가 \n\t]{0,60}", limit in 4usize..20) {
            for at in [At::Line, At::Space] {
                let parts = cut_all(&text, limit, at);
                prop_assert!(parts.iter().all(|part| !part.is_empty() && part.len() <= limit));
                prop_assert_eq!(parts.concat(), text.as_str());
            }
        }
    }
}
