//! What a text is to the model: hashes of its words, pairs of words, and runs of three characters.

use crate::Segmentation;
use crate::chars::is_space;
use crate::polynomial::hash_bytes;
use crate::words::Words;

/// Words are Korean stems, particles and endings, and punctuation by itself: `학교에서` and `학교는`
/// share their stem. Latin words are what stands between white space and signs.
pub(super) const SEGMENTATION: Segmentation = Segmentation::Korean;

/// Raised when the same text would get other features: a model of another version is refused.
pub(super) const VERSION: u32 = 1;

/// Apart for each kind of feature, so that equal hashes of different kinds do not meet.
const WORD: u64 = 0x9e37_79b9_7f4a_7c15;
const PAIR: u64 = 0xc2b2_ae3d_27d4_eb4f;
const CHARS: u64 = 0x1656_67b1_9e37_79f9;

/// The features of a text, each as the index of its weight; one that occurs twice stands twice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample(pub(super) Vec<u32>);

impl Sample {
    /// Features of a text for a model with `2^bits` weights.
    pub(super) fn new(text: &str, bits: u32) -> Self {
        let mut features = Vec::with_capacity(text.len().min(1 << 24) / 2 + 1);
        each(text, &Words::segmented(text, SEGMENTATION), bits, |feature| features.push(feature));
        Self(features)
    }
}

/// Gives every feature of a text to `take`.
pub(super) fn each(text: &str, words: &Words, bits: u32, mut take: impl FnMut(u32)) {
    let shift = 64 - bits;
    let mut feature = |key: u64, kind: u64| take((mixed(key ^ kind) >> shift) as u32);
    let mut before: Option<u64> = None;
    for word in words.iter() {
        // Of a version of features, and so of a model: no hash that may change.
        let hash = hash_bytes(word.of(text).as_bytes());
        feature(hash, WORD);
        if let Some(before) = before {
            feature(before.rotate_left(23).wrapping_mul(WORD) ^ hash, PAIR);
        }
        before = Some(hash);
    }
    // Three characters of 21 bits; white space in a row is one space, and one stands at both ends.
    let mut window = u64::from(u32::from(' '));
    let mut seen = 1;
    let mut last = ' ';
    for c in text.chars().chain([' ']) {
        let c = if is_space(c) { ' ' } else { c };
        if c == ' ' && last == ' ' {
            continue;
        }
        last = c;
        window = (window << 21 | u64::from(u32::from(c))) & ((1 << 63) - 1);
        seen += 1;
        if seen >= 3 {
            feature(window, CHARS);
        }
    }
}

/// Spreads a number over all 64 bits (the finalizer of MurmurHash3).
fn mixed(x: u64) -> u64 {
    let x = (x ^ x >> 33).wrapping_mul(0xff51_afd7_ed55_8ccd);
    let x = (x ^ x >> 33).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    x ^ x >> 33
}
