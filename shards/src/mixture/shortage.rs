//! Why a mixture cannot be met: what each bucket lacks, and what could be met.

use std::fmt;

/// What one bucket has and would need.
#[derive(Debug, Clone, PartialEq)]
pub struct BucketShortage {
    /// The bucket's name.
    pub bucket: String,
    /// Its train tokens, without those of documents that are too long to be packed.
    pub available_tokens: u64,
    /// Tokens in the windows that its ratio asks for.
    pub wanted_tokens: u64,
    /// Tokens it lacks even when gone through as often as allowed; 0 when it suffices.
    pub missing_tokens: u64,
    /// How often it would have to be gone through; none when it is empty.
    pub epochs_needed: Option<f64>,
    /// How often it may be gone through.
    pub max_epochs: f64,
}

/// The mixture asks for more than the shards hold.
#[derive(Debug, Clone, PartialEq)]
pub struct Shortage {
    /// Tokens asked for, in whole windows.
    pub requested_tokens: u64,
    /// The largest total that keeps ratios and epochs.
    pub possible_tokens: u64,
    /// Whether `on-shortage = "reduce"` may take that total: not where stages state their lengths.
    pub reducible: bool,
    /// Every bucket with a ratio, short or not.
    pub buckets: Vec<BucketShortage>,
}

impl std::error::Error for Shortage {}

impl fmt::Display for Shortage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the mixture cannot be met: {} tokens wanted", self.requested_tokens)?;
        for bucket in &self.buckets {
            let name = &bucket.bucket;
            let (wanted, there) = (bucket.wanted_tokens, bucket.available_tokens);
            match bucket.epochs_needed {
                None => write!(f, "; bucket `{name}` has no tokens")?,
                Some(epochs) if bucket.missing_tokens > 0 => write!(
                    f,
                    "; bucket `{name}` should give {wanted} and has {there}: {epochs:.2} epochs, \
                     {} allowed, {} missing",
                    bucket.max_epochs, bucket.missing_tokens
                )?,
                Some(_) => {}
            }
        }
        match self.possible_tokens {
            0 => write!(f, "; no total keeps these ratios"),
            possible if !self.reducible => write!(
                f,
                "; {possible} tokens, with a shorter last stage, keep ratios and epochs (`on-shortage = \"repeat\"` exceeds the epochs)"
            ),
            possible => write!(
                f,
                "; {possible} tokens keep ratios and epochs (`on-shortage = \"reduce\"` takes \
                 them, `\"repeat\"` exceeds the epochs)"
            ),
        }
    }
}
