//! The id half of malmoi: tokenizers, token shards, the mixture, and the stream that training
//! reads.
//!
//! In the order data meets them:
//! 1. [`Tokenizer`] turns text into ids: trained, loaded, or plain bytes.
//! 2. [`ShardWriter`] writes a bucket's documents of one part to a file; [`ShardReader`] maps and
//!    checks it. `FORMAT.md` has the layout byte by byte.
//! 3. [`Manifest`] lists the shards of a run.
//! 4. [`MixturePlan`] says how much of each bucket is drawn, and what is repeated.
//! 5. [`TokenStream`] gives the batch of any step, without state.
//!
//! [`Foreign`] reads token files of other trainers, [`export`] writes them.
//!
//! ```
//! use shards::{
//!     Manifest, MixtureConfig, MixturePlan, ShardEntry, ShardMeta, ShardWriter, Split,
//!     StreamConfig, TokenStream, TokenizedDocument, Tokenizer, World, content_hash,
//! };
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let run = folder.path();
//! let tokenizer = Tokenizer::bytes();
//! let meta = ShardMeta::new("korean", &tokenizer);
//! let mut writer = ShardWriter::create(run.join("0.shard"), meta)?;
//! let text = "안녕하세요";
//! writer.push(TokenizedDocument {
//!     id: "1",
//!     source: "ko-web",
//!     text_bytes: text.len() as u64,
//!     tokens: &tokenizer.encode(text)?,
//!     content_hash: Some(content_hash(text.as_bytes())),
//! })?;
//! let info = writer.finish()?;
//! let manifest = Manifest::new(&tokenizer, vec![ShardEntry::new("0.shard", Split::Train, &info)]);
//!
//! let mixture = MixtureConfig { ratios: [("korean".into(), 1.0)].into(), ..Default::default() };
//! let plan = MixturePlan::new(&mixture, &manifest.available(), None, 8)?;
//! let config = StreamConfig { seq_len: 8, batch: 2, seed: 7 };
//! let stream = TokenStream::with_manifest(run, &manifest, &plan, config)?;
//! let batch = stream.at(0, World::ONE)?;
//! assert_eq!((batch.rows, batch.trainable()), (2, 15)); // 15 bytes and an end token, one masked
//! # Ok(()) }
//! ```

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::print_stdout))]

mod atomic;
mod blocks;
mod chat;
#[cfg(test)]
mod compat_tests;
mod compressed;
#[cfg(test)]
mod compressed_tests;
mod digest;
mod error;
mod header;
mod info;
mod judged;
mod layout;
mod layouts;
mod manifest;
#[cfg(test)]
mod manifest_tests;
mod marks;
mod mixture;
mod output;
mod reader;
mod sections;
#[cfg(test)]
mod shard_tests;
mod spill;
mod stream;
mod strings;
mod tokenizer;
mod verify;
mod writer;

pub use chat::{ChatEncoder, ChatTemplate, Conversation, Message, TemplateText};
pub use digest::{Digest, NotADigest};
pub use error::{Error, Result};
pub use info::{Compression, ShardInfo, ShardMeta, SourceCount, TokenizedDocument};
pub use judged::{Judged, JudgedCounts};
pub use layouts::{Foreign, ForeignDocument, ForeignOptions, Layout, export};
pub use manifest::{MANIFEST_VERSION, Manifest, ShardEntry, SourceEntry, Split, TokenizerEntry};
pub use mixture::{
    Balance, BucketPlan, BucketShortage, DEFAULT_MAX_EPOCHS, MAX_REPEATS, MIXTURE_VERSION, MixtureConfig, MixturePlan, MixtureStage,
    OnShortage, Rehydrate, Shortage, StagePlan, Supply,
};
pub use reader::{ShardDocument, ShardReader};
pub use stream::{
    Account, Answer, Batch, BucketAccount, DrawnDocument, DrawnWindow, Example, HeldOut, Judgement, OrderRow, PADDING_ROW, Packed,
    StreamConfig, TokenStream, World,
};
pub use tokenizer::{
    ExtendConfig, Extended, LineCounts, Lost, NormalizationRule, Pattern, SentencePieceConfig, SentencePieceModel, SentencePiecePreset,
    TextSize, Tokenizer, TokenizerConfig, TokenizerSource, TrainConfig, TrainModel, TrainText, VocabularyHints,
};
pub use writer::{ShardWriter, content_hash};
