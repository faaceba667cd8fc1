//! Which documents say the same: exact, MinHash and SimHash deduplication in three pure stages.
//!
//! In the order data meets them:
//! 1. [`DedupConfig`]: the recipe's `[dedup]`;
//! 2. [`Signer`] turns a document into a [`Signature`]: a hash of the normalised text, MinHash
//!    values, a SimHash; a few hundred bytes that stand for the text from here on;
//! 3. [`SignatureWriter`] and [`SignatureReader`]: one file of fixed-size records for each part;
//! 4. [`scatter`]: part → keys sorted by partition (equal keys may mean equal documents);
//! 5. [`reduce`]: partition → edges between documents that were compared and found alike;
//! 6. [`components`]: edges → clusters → for each part the rows to remove, as [`Duplicate`]s, and those that stay
//!    for them, as [`Stands`];
//! 7. [`run`]: 4 to 6 over all parts in one process;
//!    (with the texts of documents that met, for `minhash.verify`);
//! 8. [`run_lines`]: lines that stand in many of the documents that are left, as [`Trimmed`]s;
//! 9. [`run_substrings`]: passages that stand twice in what is left of them, as [`Passages`].
//!
//! Stages 4 to 6 read whole inputs, write one file atomically and know nothing of each other's
//! progress, so any of them can run twice, elsewhere, or again after a kill.
//!
//! # What stays
//! Of a cluster the document stays that comes first by: smallest priority, highest quality, most
//! bytes, smallest id, position. Neither the number of threads and partitions nor the cut into
//! parts has a say: a text is compared through the best of its copies, wherever that one lies.
//!
//! # Memory
//! `memory` bounds what the stages hold at once, over all [`TASKS`] that run side by side. Files are
//! mapped and count as page cache. What does not fit a share is sorted on disk; only the clusters must fit, and if there
//! are more linked documents than do, the call says how much they need and stops: see [`Error::OverBudget`]. With more
//! memory it goes on from there.

mod address;
mod components;
mod config;
mod edge;
mod entry;
mod error;
mod group;
mod key;
mod lines;
mod merge;
mod minhash;
mod mix;
mod nodes;
mod normal;
mod reduce;
mod run;
mod scatter;
mod scatter_file;
mod sealed;
mod set;
mod shingle;
mod shingle_sets;
mod shuffle;
mod signature;
mod signature_file;
mod simhash;
pub(crate) mod sorter;
pub(crate) mod spill;
mod substrings;
mod summary;
#[cfg(test)]
mod tests;
mod union;

pub use components::components;
pub use config::{
    ByteSize, ConfigError, DedupConfig, LineUnit, LinesConfig, MinHashConfig, Shingle, SimHashConfig, Snap, SubstringsConfig,
};
pub use edge::Kind;
pub use error::{Error, Result};
pub use lines::{Trimmed, run_lines};
pub use reduce::reduce;
pub use run::run;
pub use scatter::{partitions, scatter};
pub use set::{PartSignatures, SignatureSet};
pub use shuffle::{TextIter, Texts};
pub use signature::{Signature, Signer};
pub use signature_file::{SignatureReader, SignatureRecord, SignatureWriter};
pub use substrings::{Elsewhere, Passages, run_substrings};
pub use summary::{ClusterMember, ClusterSample, Duplicate, Stands, Summary};

/// How many stage calls [`run`] has in work at once; each gets this fraction of the memory.
pub const TASKS: u64 = 16;

/// The number by which signatures name a bucket: the same in every run.
#[must_use]
pub fn bucket_number(name: &str) -> u32 {
    xxhash_rust::xxh3::xxh3_64(name.as_bytes()) as u32
}

/// The page of `malmoi explain dedup`: what it does, why, options, cases, references.
pub const PAGE: &str = include_str!("../../cases/dedup.md");
