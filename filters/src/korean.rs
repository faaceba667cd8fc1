//! Korean words without a dictionary: an eojeol (어절) into stem, particles and endings.
//!
//! Four steps, each a file: [`runs`] cuts an eojeol where the kind of character changes, [`suffix`]
//! knows particles and endings and after which final consonant (받침) each may stand, [`lexicon`] the
//! words that only look as if they ended so, and [`split`] takes suffixes off from the right. [`known`] remembers
//! what came of it.
//!
//! Contracted forms are given as a morphological analyser gives them on the surface: `했다` is
//! `했` (하), `했` (었), `다`, so that pieces may overlap and limits fitted to its words hold.

mod endings;
mod known;
mod lexicon;
mod runs;
mod split;
mod suffix;
mod syllable;
#[cfg(test)]
mod tests;

pub(crate) use endings::{End, ends_sentence};
pub(crate) use split::split;

/// What a piece of an eojeol is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// A noun, the stem of a verb, or a word that does not change.
    Stem,
    /// A particle (조사).
    Particle,
    /// An ending or part of one (어미), also the copula 이다.
    Ending,
    /// Letters of other scripts, digits, punctuation.
    Other,
}

/// One piece of an eojeol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// First byte.
    pub start: usize,
    /// Byte after the last one.
    pub end: usize,
    /// What it is.
    pub part: Part,
}

/// Splits one eojeol (text without white space) into its pieces, in order of their beginnings.
///
/// ```
/// let shown = |eojeol: &'static str| {
///     filters::split_eojeol(eojeol).into_iter().map(|piece| &eojeol[piece.start..piece.end]).collect::<Vec<_>>()
/// };
/// assert_eq!(shown("학교에서는"), ["학교", "에서", "는"]);
/// assert_eq!(shown("API를"), ["API", "를"]);
/// assert_eq!(shown("만났습니다."), ["만났", "났", "습니다", "."]);
/// ```
#[must_use]
pub fn split_eojeol(eojeol: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    split(eojeol, 0, eojeol.len(), &mut |piece| pieces.push(piece));
    pieces
}
