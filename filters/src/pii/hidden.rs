//! Signs of what is written so that a plain search misses it: `(at)`, `골뱅이`, `공일공`.

use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};

/// What such a sign stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sign {
    /// Digits of a telephone number in Hangul, or circled.
    Digits,
    /// `(at)`.
    At,
    /// `(a)`, which also counts the parts of a list.
    Letter,
    /// `골뱅이`, a snail, as `@` is called.
    Snail,
    /// ` dot `, behind a name of which `at` was written as a word.
    Dot,
    /// The end of `<name at site.org>`.
    Angle,
}

/// All as they are found; each begins with a sign or a character that is rare.
const SIGNS: [(&str, Sign); 25] = [
    ("공일", Sign::Digits),
    ("영일", Sign::Digits),
    ("공 일 공", Sign::Digits),
    ("⓪①", Sign::Digits),
    ("(at)", Sign::At),
    ("(At)", Sign::At),
    ("(AT)", Sign::At),
    ("[at]", Sign::At),
    ("[At]", Sign::At),
    ("[AT]", Sign::At),
    ("{at}", Sign::At),
    ("{AT}", Sign::At),
    ("<at>", Sign::At),
    ("(골뱅이)", Sign::At),
    ("[골뱅이]", Sign::At),
    ("(a)", Sign::Letter),
    ("골뱅이", Sign::Snail),
    (" dot ", Sign::Dot),
    (" DOT ", Sign::Dot),
    ("(dot)", Sign::Dot),
    ("[dot]", Sign::Dot),
    (".com>", Sign::Angle),
    (".org>", Sign::Angle),
    (".net>", Sign::Angle),
    (".edu>", Sign::Angle),
];

static FOUND_BY: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| {
    let builder = AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).kind(Some(AhoCorasickKind::DFA)).clone();
    builder.build(SIGNS.map(|(sign, _)| sign)).ok()
});

/// The signs of a text in order, with their places.
pub(super) fn signs(text: &str) -> impl Iterator<Item = (Sign, usize, usize)> {
    let found = FOUND_BY.as_ref().map(|automaton| automaton.find_iter(text));
    found.into_iter().flatten().map(|found| (SIGNS[found.pattern()].1, found.start(), found.end()))
}
