//! Keeps what people wrote apart from what the template wrote.
//!
//! A message that spells `<|im_end|>` must not end its turn. Before rendering, an escape character
//! is put before everything in a message that could be taken for the template's; after rendering it
//! makes the next character plain text.

use super::Message;
use super::spans::MARKS;

/// Makes the next character plain text. A noncharacter: Unicode keeps it free for such use.
pub(super) const ESCAPE: char = '\u{fdd0}';

/// A token that a template may write and a text may not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Special {
    /// As it is spelled.
    pub(crate) text: String,
    /// Its id.
    pub(crate) id: u32,
    /// Whether it takes the white space before it.
    pub(crate) lstrip: bool,
    /// Whether it takes the white space after it.
    pub(crate) rstrip: bool,
}

/// Special tokens, to be found in texts.
#[derive(Debug)]
pub(super) struct Specials {
    /// The longest first, so that of two that begin alike the longer one is found.
    tokens: Vec<Special>,
    /// First bytes of all.
    starts: [bool; 256],
}

/// A part of a rendered text.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// Text to encode.
    Text(String),
    /// A special token.
    Token(u32),
}

impl Specials {
    pub(super) fn new(mut tokens: Vec<Special>) -> Self {
        tokens.retain(|token| !token.text.is_empty());
        tokens.sort_by(|a, b| (b.text.len(), &a.text).cmp(&(a.text.len(), &b.text)));
        let mut starts = [false; 256];
        tokens.iter().for_each(|token| starts[usize::from(token.text.as_bytes()[0])] = true);
        Self { tokens, starts }
    }

    /// The token that `text` begins with.
    fn at(&self, text: &str) -> Option<&Special> {
        let first = *text.as_bytes().first()?;
        self.starts[usize::from(first)].then(|| self.tokens.iter().find(|token| text.starts_with(&token.text)))?
    }

    /// The id of a token.
    pub(super) fn id_of(&self, text: &str) -> Option<u32> {
        self.tokens.iter().find(|token| token.text == text).map(|token| token.id)
    }

    /// A text in which nothing can be taken for the template's.
    pub(super) fn guard(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        for (at, c) in text.char_indices() {
            if c == ESCAPE || MARKS.contains(&c) || self.at(&text[at..]).is_some() {
                out.push(ESCAPE);
            }
            out.push(c);
        }
        out
    }

    pub(super) fn guard_message(&self, message: &Message) -> Message {
        let guard = |text: &Option<String>| text.as_deref().map(|text| self.guard(text));
        Message {
            role: self.guard(&message.role),
            content: self.guard(&message.content),
            instruction: guard(&message.instruction),
            input: guard(&message.input),
        }
    }

    /// Texts and tokens of a rendered text, in which guards are taken back.
    pub(super) fn pieces(&self, rendered: &str) -> Vec<Piece> {
        let mut pieces = Vec::new();
        let mut text = String::new();
        let mut rest = rendered;
        while let Some(c) = rest.chars().next() {
            if let Some(token) = self.at(rest) {
                if token.lstrip {
                    text.truncate(text.trim_end().len());
                }
                if !text.is_empty() {
                    pieces.push(Piece::Text(std::mem::take(&mut text)));
                }
                pieces.push(Piece::Token(token.id));
                rest = &rest[token.text.len()..];
                if token.rstrip {
                    rest = rest.trim_start();
                }
                continue;
            }
            rest = &rest[c.len_utf8()..];
            if c == ESCAPE {
                let escaped = rest.chars().next();
                text.extend(escaped);
                rest = &rest[escaped.map_or(0, char::len_utf8)..];
            } else {
                text.push(c);
            }
        }
        if !text.is_empty() {
            pieces.push(Piece::Text(text));
        }
        pieces
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn specials() -> Specials {
        let token = |text: &str, id| Special { text: text.to_owned(), id, lstrip: false, rstrip: text == "<r>" };
        Specials::new(vec![token("<|e|>", 1), token("<|e|><|e|>", 2), token("<", 3), token("<r>", 4)])
    }

    #[test]
    fn the_template_writes_tokens_and_people_do_not() {
        let specials = specials();
        let said = specials.guard("a<|e|>b");
        assert_eq!(specials.pieces(&format!("<|e|>{said}<|e|>")), [Piece::Token(1), Piece::Text("a<|e|>b".into()), Piece::Token(1)]);
        // The longest wins, and a token may take the space behind it.
        assert_eq!(
            specials.pieces("<|e|><|e|> <r> \n x"),
            [Piece::Token(2), Piece::Text(" ".into()), Piece::Token(4), Piece::Text("x".into())]
        );
    }

    proptest! {
        #[test]
        fn guarded_text_comes_back_as_text(parts in proptest::collection::vec(prop_oneof![
            Just("<|e|>".to_owned()), Just("\u{fdd0}".to_owned()), Just("\u{fdd1}".to_owned()), Just("<r>".to_owned()), ".{0,3}", Just("<|".to_owned()),
        ], 0..12)) {
            let text = parts.concat();
            let specials = specials();
            let expected = if text.is_empty() { vec![] } else { vec![Piece::Text(text.clone())] };
            prop_assert_eq!(specials.pieces(&specials.guard(&text)), expected);
        }
    }
}
