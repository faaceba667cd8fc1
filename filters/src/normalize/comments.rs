//! HTML comments, which may hold anything: `<`, tags, code.

use super::code::Kind;

/// Longest comment in bytes; a longer one stays, for a `<!--` that somebody wrote about must not
/// take a page with it.
const MAX_COMMENT: usize = 16 << 10;

const OPEN: &str = "<!--";
const CLOSE: &str = "-->";

/// The pieces of a text, with each comment as a piece of its own. It begins and ends in prose; code
/// in between is part of it.
pub(super) fn apart<'a>(text: &'a str, pieces: Vec<(Kind, &'a str)>) -> Vec<(Kind, &'a str)> {
    if !text.contains(OPEN) {
        return pieces;
    }
    let closes = closes(&pieces);
    let mut out = Vec::with_capacity(pieces.len());
    // The text before `done` is in `out`.
    let (mut at, mut done) = (0, 0);
    for (kind, piece) in pieces {
        let end = at + piece.len();
        let mut from = done.max(at);
        while kind == Kind::Prose
            && let Some(open) = text.get(from..end).and_then(|rest| rest.find(OPEN)).map(|open| from + open)
        {
            from = open + OPEN.len();
            let close = closes.get(closes.partition_point(|close| *close < from)).map(|close| close + CLOSE.len());
            if let Some(close) = close.filter(|close| close - open <= MAX_COMMENT) {
                if done < open {
                    out.push((Kind::Prose, &text[done..open]));
                }
                out.push((Kind::Comment, &text[open..close]));
                (done, from) = (close, close);
            }
        }
        if done < end {
            out.push((kind, &text[done..end]));
            done = end;
        }
        at = end;
    }
    out
}

/// Where comments can end, ascending.
fn closes(pieces: &[(Kind, &str)]) -> Vec<usize> {
    let mut closes = Vec::new();
    let mut at = 0;
    for (kind, piece) in pieces {
        if *kind == Kind::Prose {
            closes.extend(piece.match_indices(CLOSE).map(|(close, _)| at + close));
        }
        at += piece.len();
    }
    closes
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::code::pieces;
    use super::*;

    fn found(text: &str) -> Vec<(Kind, &str)> {
        apart(text, pieces(text))
    }

    #[test]
    fn comments_hold_anything() {
        let text = "앞<!-- a < b > c `d` -->뒤<!--[if lt IE 9]><p>옛</p><![endif]-->`<!-- x -->`";
        let expected = [
            (Kind::Prose, "앞"),
            (Kind::Comment, "<!-- a < b > c `d` -->"),
            (Kind::Prose, "뒤"),
            (Kind::Comment, "<!--[if lt IE 9]><p>옛</p><![endif]-->"),
            (Kind::Inline, "`<!-- x -->`"),
        ];
        assert_eq!(found(text), expected);
        let block = "<!--\n```\nx -->\n```\n<!-- -->끝";
        assert_eq!(found(block), [(Kind::Comment, "<!--\n```\nx -->\n```\n<!-- -->"), (Kind::Prose, "끝")]);
    }

    #[test]
    fn what_has_no_end_or_is_too_long_stays() {
        for text in ["a <!-- b", "--> a", "<!-->", "<!--->", "<!-- `-->`"] {
            assert!(found(text).iter().all(|(kind, _)| *kind != Kind::Comment), "{text}");
        }
        let long = |bytes: usize| format!("<!--{}-->", "x".repeat(bytes - 7));
        assert_eq!(found(&long(MAX_COMMENT)).len(), 1);
        assert_eq!(found(&long(MAX_COMMENT))[0].0, Kind::Comment);
        assert_eq!(found(&long(MAX_COMMENT + 1))[0].0, Kind::Prose);
        // The one inside is short enough.
        let inside = format!("<!--{}<!-- b -->", "x".repeat(MAX_COMMENT));
        assert_eq!(found(&inside)[1], (Kind::Comment, "<!-- b -->"));
    }

    proptest! {
        #[test]
        fn pieces_join_to_the_text(pieces in prop::collection::vec(prop::sample::select(vec!["<!--", "-->", "`", "```", "\n", "가", ">"]), 0..24)) {
            let text = pieces.concat();
            let joined: String = found(&text).iter().map(|(_, piece)| *piece).collect();
            prop_assert_eq!(joined, text);
        }
    }
}
