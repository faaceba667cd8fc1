//! What a word is: the segmentations that a filter's `words` option names.

use serde::{Deserialize, Serialize};

/// How a text is cut into words. Thresholds belong to a segmentation: a limit that was fitted to
/// one says nothing about another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Segmentation {
    /// Runs of characters that are not white space, as Python's `str.split()`; in Korean the eojeol.
    #[default]
    Whitespace,
    /// Words of Unicode's text segmentation (UAX #29) that begin with a letter or a digit.
    Unicode,
    /// Every segment of the same that is not white space: those words, and each sign by itself. spaCy's English words
    /// are nearly so, and datatrove's limits for English were applied to them.
    UnicodeSigns,
    /// Stems, particles and endings of Korean, punctuation by itself: see [`crate::split_eojeol`].
    Korean,
}

impl Segmentation {
    /// How many there are.
    pub(crate) const COUNT: usize = 4;
}
