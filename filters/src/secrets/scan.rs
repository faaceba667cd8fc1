//! One walk over the text: an automaton of all signs finds where a secret may be.

use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, AhoCorasickKind, Input, MatchKind};

use super::{Kind, assigned, pem, token};
use crate::mask::Span;

/// What a pattern of the automaton may begin.
enum Sign {
    Token(&'static token::Shape),
    Jwt,
    Pem,
    Name { chosen: bool },
    Url,
    Bearer,
}

struct Signs {
    automaton: Option<AhoCorasick>,
    /// By pattern.
    signs: Vec<Sign>,
}

static SIGNS: LazyLock<Signs> = LazyLock::new(|| {
    let mut patterns = Vec::new();
    let mut signs = Vec::new();
    let mut add = |pattern: &'static str, sign: Sign| {
        patterns.push(pattern);
        signs.push(sign);
    };
    token::SHAPES.iter().for_each(|shape| add(shape.sign, Sign::Token(shape)));
    add("eyJ", Sign::Jwt);
    add("-----BEGIN ", Sign::Pem);
    add("://", Sign::Url);
    add("bearer ", Sign::Bearer);
    assigned::PASSWORDS.iter().for_each(|name| add(name, Sign::Name { chosen: true }));
    assigned::TOKENS.iter().for_each(|name| add(name, Sign::Name { chosen: false }));
    let automaton = AhoCorasick::builder()
        .ascii_case_insensitive(true)
        .match_kind(MatchKind::LeftmostFirst)
        .kind(Some(AhoCorasickKind::DFA))
        .build(patterns);
    Signs { automaton: automaton.ok(), signs }
});

/// Everything of the kinds that are on, in prose and in code alike. Time is linear: behind each sign
/// a bounded number of bytes is looked at, and what was looked at for a key is not looked at again.
pub(super) fn find(text: &str, on: &[bool], _is_code: bool) -> Vec<Span> {
    let Signs { automaton, signs } = &*SIGNS;
    let bytes = text.as_bytes();
    let mut spans: Vec<Span> = Vec::new();
    let (mut at, mut floor) = (0, 0);
    while let Some(sign) = automaton.as_ref().and_then(|automaton| automaton.find(Input::new(text).range(at..))) {
        let (start, end) = (sign.start(), sign.end());
        let found = match &signs[sign.pattern().as_usize()] {
            Sign::Token(shape) => token::end(bytes, floor, start, shape).map(|end| (shape.kind, start, end)),
            Sign::Jwt => token::jwt_end(bytes, floor, start).map(|end| (Kind::Jwt, start, end)),
            Sign::Pem => pem::end(text, start).map(|end| (Kind::PrivateKey, start, end)),
            Sign::Name { chosen } => assigned::value(text, end, *chosen).map(|(start, end)| (Kind::Password, start, end)),
            Sign::Bearer => assigned::bearer(text, end).map(|(start, end)| (Kind::Password, start, end)),
            Sign::Url => assigned::in_url(text, end).map(|(start, end)| (Kind::Password, start, end)),
        };
        at = match found.filter(|(kind, _, _)| on[*kind as usize]) {
            // What a token's own shape says is surer than the name it is assigned to.
            Some((Kind::Password, start, end)) => {
                let inner = find_token(bytes, start, end).unwrap_or((Kind::Password, start, end));
                if on[inner.0 as usize] {
                    spans.push(Span { start: inner.1, end: inner.2, class: inner.0 as usize });
                    floor = inner.2;
                }
                inner.2
            }
            Some((kind, start, end)) => {
                spans.push(Span { start, end, class: kind as usize });
                floor = end;
                end
            }
            // Signs overlap: `sk-` is in `task-`, and behind it another may begin.
            None => start + 1,
        };
    }
    spans
}

/// The token that a value is.
fn find_token(bytes: &[u8], start: usize, end: usize) -> Option<(Kind, usize, usize)> {
    let whole = |found: Option<usize>, kind| found.filter(|found| *found == end).map(|end| (kind, start, end));
    token::SHAPES
        .iter()
        .find_map(|shape| whole(token::end(bytes, start, start, shape), shape.kind))
        .or_else(|| whole(token::jwt_end(bytes, start, start), Kind::Jwt))
}

#[cfg(test)]
pub(super) fn is_built() -> bool {
    SIGNS.automaton.is_some()
}
