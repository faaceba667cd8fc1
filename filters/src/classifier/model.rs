//! The model and its file.
//!
//! ```text
//! magic "MALMOICL" 8 · version u32 · version of the features u32 · bits u32 · epochs u32 ·
//! seed u64 · positive samples u64 · negative samples u64 · bias f32 · 0 u32      header, 56 bytes
//! 2^bits weights f32
//! xxh3 of all of it up to here u64
//! ```
//! Little endian.

use std::path::{Path, PathBuf};

use xxhash_rust::xxh3::xxh3_64;

use super::features::{self, Sample};
use crate::sealed::{self, SEAL};
use crate::words::Words;

const MAGIC: &[u8; 8] = b"MALMOICL";
const VERSION: u32 = 1;
const HEADER: usize = 56;
/// How many weights a model may have, as powers of two.
pub(super) const BITS: std::ops::RangeInclusive<u32> = 8..=26;

/// A trained classifier: a weight for each feature, and one for all texts.
#[derive(Clone, Debug, PartialEq)]
pub struct Model {
    pub(super) weights: Vec<f32>,
    pub(super) bias: f32,
    pub(super) bits: u32,
    pub(super) epochs: u32,
    pub(super) seed: u64,
    /// Positive and negative samples that it was trained on.
    pub(super) samples: [u64; 2],
}

/// A model that cannot be written or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// The operating system refused a file operation.
    #[error("cannot {operation} the model {}: {source}", path.display())]
    Io {
        /// What was tried, as a verb.
        operation: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// The file is no model, or one that is damaged or of another version.
    #[error("{}: {detail}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        detail: String,
    },
    /// The file could not be written.
    #[error(transparent)]
    Write(#[from] corpora::Error),
}

impl Model {
    /// A model that says 0.5 of everything, to ask a filter for its names with.
    pub(super) fn blank() -> Self {
        Self { weights: vec![0.0; 1 << 8], bias: 0.0, bits: 8, epochs: 0, seed: 0, samples: [0; 2] }
    }

    /// Positive and negative samples that it was trained on.
    #[must_use]
    pub fn samples(&self) -> [u64; 2] {
        self.samples
    }

    /// The probability, 0 to 1, that a text is like the positive samples, both kinds being as common.
    #[must_use]
    pub fn score(&self, text: &str) -> f64 {
        self.score_words(text, &Words::segmented(text, features::SEGMENTATION))
    }

    pub(super) fn score_words(&self, text: &str, words: &Words) -> f64 {
        let (mut sum, mut count) = (0.0_f64, 0_u64);
        features::each(text, words, self.bits, |feature| {
            sum += f64::from(self.weights[feature as usize]);
            count += 1;
        });
        probability(f64::from(self.bias) + sum / (count.max(1) as f64).sqrt())
    }

    /// The same of features.
    #[must_use]
    pub fn score_sample(&self, sample: &Sample) -> f64 {
        let sum: f64 = sample.0.iter().map(|feature| f64::from(self.weights[*feature as usize])).sum();
        probability(f64::from(self.bias) + sum / (sample.0.len().max(1) as f64).sqrt())
    }

    /// Writes the file: temporary file, fsync, rename.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), ModelError> {
        let mut bytes = Vec::with_capacity(HEADER + 4 * self.weights.len() + SEAL);
        bytes.extend(MAGIC);
        for number in [VERSION, features::VERSION, self.bits, self.epochs] {
            bytes.extend(number.to_le_bytes());
        }
        for number in [self.seed, self.samples[0], self.samples[1]] {
            bytes.extend(number.to_le_bytes());
        }
        bytes.extend(self.bias.to_le_bytes());
        bytes.extend([0; 4]);
        bytes.extend(self.weights.iter().flat_map(|weight| weight.to_le_bytes()));
        sealed::write(path, bytes)
    }

    /// Reads a file; nothing in it is believed before its checksum is right.
    ///
    /// # Errors
    /// If it cannot be read, is no model, is damaged, or is of another version.
    pub fn load(path: &Path) -> Result<Self, ModelError> {
        let wrong = |detail: String| ModelError::Format { path: path.to_path_buf(), detail };
        let bytes = sealed::read(path, (HEADER + SEAL + (4 << BITS.end())) as u64)?;
        if bytes.get(..8) != Some(MAGIC) {
            return Err(wrong("no model of `malmoi filters train`: the magic number is wrong".to_owned()));
        }
        let u32_at = |at: usize| bytes.get(at..at + 4).and_then(<[u8]>::first_chunk).map_or(0, |chunk| u32::from_le_bytes(*chunk));
        let u64_at = |at: usize| bytes.get(at..at + 8).and_then(<[u8]>::first_chunk).map_or(0, |chunk| u64::from_le_bytes(*chunk));
        for (at, known, what) in [(8, VERSION, "file"), (12, features::VERSION, "features")] {
            if u32_at(at) != known {
                return Err(wrong(format!("version {} of the {what}, this program knows {known}: train the model again", u32_at(at))));
            }
        }
        let bits = u32_at(16);
        if !BITS.contains(&bits) {
            return Err(wrong(format!("2^{bits} weights are impossible")));
        }
        let (body, length) = (HEADER + (4 << bits), bytes.len());
        if length != body + SEAL {
            return Err(wrong(format!("has {length} bytes, a model of 2^{bits} weights has {}: it is cut off", body + SEAL)));
        }
        if xxh3_64(&bytes[..body]) != u64_at(body) {
            return Err(wrong("is damaged (checksum)".to_owned()));
        }
        let weights: Vec<f32> = bytes[HEADER..body].as_chunks::<4>().0.iter().map(|chunk| f32::from_le_bytes(*chunk)).collect();
        let bias = f32::from_bits(u32_at(48));
        if !bias.is_finite() || weights.iter().any(|weight| !weight.is_finite()) {
            return Err(wrong("a weight is not finite".to_owned()));
        }
        Ok(Self { weights, bias, bits, epochs: u32_at(20), seed: u64_at(24), samples: [u64_at(32), u64_at(40)] })
    }
}

/// The logistic function.
pub(super) fn probability(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}
