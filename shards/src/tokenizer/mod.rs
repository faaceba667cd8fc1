//! Text to token ids and back: a tokenizer.json, a SentencePiece model, or plain bytes.

mod byte_level;
mod bytes;
mod config;
mod cut;
mod engine;
mod formats;
mod huggingface;
mod lost;
mod open;
mod proto;
mod sentencepiece;
mod special;
mod spm;
mod start;
mod train;

#[cfg(test)]
mod tests;

use std::path::Path;

use rayon::prelude::*;

pub use config::{Pattern, TokenizerConfig, TokenizerSource, TrainConfig, TrainModel};
pub(crate) use formats::Gguf;
pub use formats::VocabularyHints;
pub use lost::Lost;
pub use spm::{LineCounts, NormalizationRule, SentencePieceConfig, SentencePieceModel, SentencePiecePreset};
pub use train::{ExtendConfig, Extended, TrainText};

use crate::atomic;
use crate::chat::Special;
use crate::error::{Error, Result};
use bytes::Bytes;
use huggingface::HuggingFace;
use sentencepiece::SentencePiece;

/// Longest tokenizer file read; the largest in use have about 35 MB.
const MAX_FILE_BYTES: u64 = 256 << 20;
/// Largest vocabulary: 16 million ids. Above it an id is damage, not a token.
pub(crate) const MAX_VOCAB: u32 = 1 << 24;

/// A tokenizer ready to use on any thread.
///
/// Text never becomes a special token, whatever it spells: `<|endoftext|>` inside a document is
/// encoded as the characters it consists of, and no token is added at the start or end.
#[derive(Debug)]
#[non_exhaustive]
pub enum Tokenizer {
    /// A Hugging Face tokenizer.json.
    HuggingFace(Box<HuggingFace>),
    /// A SentencePiece model.
    SentencePiece(Box<SentencePiece>),
    /// One id per byte and one end token; needs no file.
    Bytes(Bytes),
}

impl Tokenizer {
    /// The byte tokenizer: ids 0 to 255 are the bytes of UTF-8, 256 is the end token.
    pub fn bytes() -> Self {
        Self::Bytes(Bytes)
    }

    /// The content of this tokenizer as a `.tiktoken` file, and what of it that file cannot hold.
    ///
    /// # Errors
    /// Where ranks would give other ids; the message says why.
    pub fn to_tiktoken(&self) -> Result<(Vec<u8>, Vec<String>)> {
        match self {
            Self::HuggingFace(tokenizer) => formats::to_tiktoken(&tokenizer.json),
            _ => Err(Error::Tokenizer {
                operation: "convert the tokenizer",
                detail: format!("ranks would not give the same ids: it is of the kind `{}`, not a byte-level BPE", self.kind()),
            }),
        }
    }

    /// Builds what the recipe's `[tokenizer]` describes; `folder` and `texts` are only used by `train`.
    pub fn build(config: &TokenizerConfig, folder: &Path, texts: impl Iterator<Item = impl Into<TrainText>>) -> Result<Self> {
        let eos = config.eos.as_deref();
        match config.source() {
            TokenizerSource::Train(train) => Self::train(train, eos, folder, texts),
            TokenizerSource::SentencePiece(config) => Self::train_sentencepiece(config, eos, texts).map(|(tokenizer, _)| tokenizer),
            TokenizerSource::Load(path) => Self::load(path, eos),
            TokenizerSource::Bytes => Bytes::with_eos(eos).map(Self::Bytes),
        }
    }

    /// Trains a byte-level BPE on the first `sample-bytes` of `texts`, with the merges of Hugging Face's
    /// trainer. The result depends on the texts alone, and on their order only as to which come first;
    /// not on threads or memory. Word counts beyond `memory-bytes` go to unnamed files in `folder`.
    /// `eos` is one of `special-tokens`; without it, the first of them is the end token.
    pub fn train(
        config: &TrainConfig,
        eos: Option<&str>,
        folder: &Path,
        texts: impl Iterator<Item = impl Into<TrainText>>,
    ) -> Result<Self> {
        let json = Self::train_file(config, eos, folder, texts)?;
        let eos = eos.or(config.special_tokens.first().map(String::as_str));
        let tokenizer = HuggingFace::from_json(json.as_bytes(), eos)?;
        Ok(Self::HuggingFace(Box::new(tokenizer)))
    }

    /// The same as a tokenizer.json, without loading it.
    pub fn train_file(
        config: &TrainConfig,
        eos: Option<&str>,
        folder: &Path,
        texts: impl Iterator<Item = impl Into<TrainText>>,
    ) -> Result<String> {
        train::train(config, eos, folder, texts)
    }

    /// Trains a SentencePiece model: the pieces, scores and ids that `spm_train` finds, in memory that follows
    /// the number of different words, and of lines where `input-sentence-size` is set. Also says what became
    /// of the lines.
    pub fn train_sentencepiece(
        config: &SentencePieceConfig,
        eos: Option<&str>,
        texts: impl Iterator<Item = impl Into<TrainText>>,
    ) -> Result<(Self, LineCounts)> {
        let (model, counts) = spm::train(config, texts)?;
        Ok((Self::SentencePiece(Box::new(SentencePiece::from_model(model, eos)?)), counts))
    }

    /// This tokenizer with tokens learnt on `texts` after its own: every old id and merge stays as it is.
    /// Only for a byte-level BPE with a splitting pattern that this crate knows. Word counts beyond
    /// `memory-bytes` go to unnamed files in `folder`.
    pub fn extend(&self, config: &ExtendConfig, folder: &Path, texts: impl Iterator<Item = String>) -> Result<Extended> {
        match self {
            Self::HuggingFace(tokenizer) => train::extend(tokenizer, config, folder, texts),
            _ => Err(Error::Tokenizer {
                operation: "extend the tokenizer",
                detail: format!("it is of the kind `{}`, not a tokenizer.json", self.kind()),
            }),
        }
    }

    /// Ids of a text, without any token the text does not contain.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>> {
        match self {
            Self::HuggingFace(tokenizer) => tokenizer.encode(text),
            Self::SentencePiece(tokenizer) => tokenizer.encode(text),
            Self::Bytes(tokenizer) => Ok(tokenizer.encode(text)),
        }
    }

    /// Ids of many texts, computed on all threads, in the order of the texts.
    pub fn encode_batch(&self, texts: &[&str]) -> Result<Vec<Vec<u32>>> {
        texts.par_iter().map(|text| self.encode(text)).collect()
    }

    /// Text of ids, special tokens left out. Bytes that are no UTF-8 become U+FFFD.
    pub fn decode(&self, ids: &[u32]) -> Result<String> {
        let size = self.vocab_size();
        if let Some(id) = ids.iter().find(|&&id| id >= size) {
            return Err(Error::Tokenizer { operation: "decode ids", detail: format!("id {id} in a vocabulary of {size}") });
        }
        match self {
            Self::HuggingFace(tokenizer) => tokenizer.decode(ids),
            Self::SentencePiece(tokenizer) => tokenizer.decode(ids),
            Self::Bytes(tokenizer) => Ok(tokenizer.decode(ids)),
        }
    }

    /// The size of the text of ids, special tokens left out.
    pub fn text_size(&self, ids: &[u32]) -> Result<TextSize> {
        let bytes = match self {
            Self::HuggingFace(tokenizer) => tokenizer.text_size(ids),
            Self::SentencePiece(_) => None,
            Self::Bytes(_) => Some(TextSize::of(ids.iter().filter_map(|&id| u8::try_from(id).ok()))),
        };
        bytes.map_or_else(|| Ok(TextSize::of(self.decode(ids)?.bytes())), Ok)
    }

    /// What of a text is not in the ids that [`Tokenizer::encode`] gave for it. Of ids alone, where the text is empty,
    /// those that are unknown.
    pub fn lost(&self, text: &str, ids: &[u32]) -> Lost {
        match self {
            Self::HuggingFace(tokenizer) => tokenizer.lost(text, ids),
            Self::SentencePiece(tokenizer) => tokenizer.lost(text, ids),
            Self::Bytes(_) => Lost::default(),
        }
    }

    /// Whether text never becomes this id, and decoded text leaves it out.
    pub fn is_special(&self, id: u32) -> bool {
        let special = |vocab: &[Entry]| vocab.get(id as usize).is_some_and(|entry| entry.special);
        match self {
            Self::HuggingFace(tokenizer) => special(&tokenizer.vocab),
            Self::SentencePiece(tokenizer) => special(&tokenizer.vocab),
            Self::Bytes(_) => id == bytes::EOS,
        }
    }

    /// Tokens that text never becomes, as a chat template writes them.
    pub(crate) fn specials(&self) -> Vec<Special> {
        match self {
            Self::HuggingFace(tokenizer) => tokenizer.specials(),
            Self::SentencePiece(tokenizer) => special::of(&tokenizer.vocab),
            Self::Bytes(_) => vec![Special { text: bytes::EOS_TOKEN.to_owned(), id: bytes::EOS, lstrip: false, rstrip: false }],
        }
    }

    /// Whether it puts a space before, or after, every text.
    pub(crate) fn pads(&self) -> bool {
        match self {
            Self::HuggingFace(tokenizer) => tokenizer.pads,
            Self::SentencePiece(tokenizer) => tokenizer.pads,
            Self::Bytes(_) => false,
        }
    }

    /// One more than the largest id.
    pub fn vocab_size(&self) -> u32 {
        match self {
            Self::HuggingFace(tokenizer) => tokenizer.vocab.len() as u32,
            Self::SentencePiece(tokenizer) => tokenizer.vocab.len() as u32,
            Self::Bytes(_) => bytes::VOCAB_SIZE,
        }
    }

    /// The id that ends a document.
    pub fn eos(&self) -> u32 {
        match self {
            Self::HuggingFace(tokenizer) => tokenizer.eos.0,
            Self::SentencePiece(tokenizer) => tokenizer.eos.0,
            Self::Bytes(_) => bytes::EOS,
        }
    }

    /// Name of the end token.
    pub fn eos_token(&self) -> &str {
        match self {
            Self::HuggingFace(tokenizer) => &tokenizer.eos.1,
            Self::SentencePiece(tokenizer) => &tokenizer.eos.1,
            Self::Bytes(_) => bytes::EOS_TOKEN,
        }
    }

    /// What an id stands for, for people to read; none for an id that is not used.
    pub fn token_text(&self, id: u32) -> Option<String> {
        match self {
            Self::HuggingFace(tokenizer) => tokenizer.token_text(id),
            Self::SentencePiece(tokenizer) => tokenizer.token_text(id),
            Self::Bytes(_) => bytes::token_text(id),
        }
    }

    /// The bytes that an id stands for, of special tokens those of their names; none for an id that is not used. Two tokenizers
    /// mean the same by an id where these are the same, whatever files they came from.
    pub fn token_bytes(&self, id: u32) -> Option<Vec<u8>> {
        match self {
            Self::HuggingFace(tokenizer) => tokenizer.token_bytes(id),
            Self::SentencePiece(tokenizer) => tokenizer.token_bytes(id),
            Self::Bytes(_) => bytes::token_bytes(id),
        }
    }

    /// Whether an id stands for a part of a character, such as one byte of a Hangul syllable.
    pub fn is_partial(&self, id: u32) -> bool {
        match self {
            Self::HuggingFace(tokenizer) => tokenizer.is_partial(id),
            Self::SentencePiece(tokenizer) => tokenizer.is_partial(id),
            Self::Bytes(_) => (0x80..=0xff).contains(&id),
        }
    }

    /// Ids that other programs put before a text with this tokenizer, by what its file and those beside it say:
    /// mostly none, or the start token. `path` is where the tokenizer was loaded from. Of a tokenizer.json its
    /// post-processor says so, as in transformers 5; of a SentencePiece model `add_bos_token` of tokenizer_config.json,
    /// which is true where it is missing; of a GGUF file its own key.
    ///
    /// # Errors
    /// A file that cannot be read; a post-processor that puts something else around a text than tokens before it.
    pub fn start(&self, path: impl AsRef<Path>) -> Result<Vec<u32>> {
        start::of(self, path.as_ref())
    }

    /// BLAKE3 of kind, end token and content. Layout and key order of a tokenizer.json do not
    /// matter; anything that changes ids does.
    pub fn fingerprint(&self) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new_derive_key("malmoi tokenizer, version 1");
        hasher.update(self.kind().as_bytes());
        hasher.update(&self.eos().to_le_bytes());
        match self {
            Self::HuggingFace(tokenizer) => hasher.update(&tokenizer.content_hash),
            Self::SentencePiece(tokenizer) => hasher.update(blake3::hash(&tokenizer.model).as_bytes()),
            Self::Bytes(_) => &mut hasher,
        };
        *hasher.finalize().as_bytes()
    }

    /// `huggingface`, `sentencepiece` or `bytes`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::HuggingFace(_) => "huggingface",
            Self::SentencePiece(_) => "sentencepiece",
            Self::Bytes(_) => "bytes",
        }
    }

    /// What encodes: `malmoi` (the engine of this crate), `tokenizers`, `sentencepiece` or `bytes`.
    pub fn encoder(&self) -> &'static str {
        match self {
            Self::HuggingFace(tokenizer) if tokenizer.engine.is_ok() => "malmoi",
            Self::HuggingFace(_) => "tokenizers",
            Self::SentencePiece(tokenizer) if tokenizer.engine.is_ok() => "malmoi",
            Self::SentencePiece(_) => "sentencepiece",
            Self::Bytes(_) => "bytes",
        }
    }

    /// Why a tokenizer.json is left to the `tokenizers` crate, which is many times slower.
    pub fn slow_because(&self) -> Option<String> {
        match self {
            Self::HuggingFace(tokenizer) => tokenizer.engine.as_ref().err().map(ToString::to_string),
            _ => None,
        }
    }

    /// The file name others expect: `tokenizer.json` or `tokenizer.model`.
    pub fn file_name(&self) -> &'static str {
        match self {
            Self::HuggingFace(_) | Self::Bytes(_) => "tokenizer.json",
            Self::SentencePiece(_) => "tokenizer.model",
        }
    }

    /// The file that other programs load it from: its tokenizer.json or tokenizer.model, and for
    /// bytes a tokenizer.json that gives the same ids.
    pub fn published(&self) -> Vec<u8> {
        match self {
            Self::HuggingFace(tokenizer) => tokenizer.json.clone(),
            Self::SentencePiece(tokenizer) => tokenizer.model.clone(),
            Self::Bytes(_) => bytes::huggingface(),
        }
    }

    /// Writes the tokenizer as it was loaded or trained; [`Tokenizer::load`] reads it back. The
    /// name of the end token is not in the file.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let content: &[u8] = match self {
            Self::HuggingFace(tokenizer) => &tokenizer.json,
            Self::SentencePiece(tokenizer) => &tokenizer.model,
            Self::Bytes(_) => bytes::SAVED,
        };
        atomic::write(path.as_ref(), content)
    }
}

/// Length of a text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TextSize {
    /// Bytes of UTF-8.
    pub bytes: u64,
    /// Characters: bytes that begin one.
    pub characters: u64,
}

impl TextSize {
    fn of(bytes: impl Iterator<Item = u8>) -> Self {
        let mut size = Self::default();
        bytes.for_each(|byte| size.add(byte));
        size
    }

    fn add(&mut self, byte: u8) {
        self.bytes += 1;
        self.characters += u64::from(byte & 0xc0 != 0x80);
    }
}

/// One id of a vocabulary.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Entry {
    /// The token as the file spells it; none for an unused id.
    pub(crate) token: Option<String>,
    /// Whether text must never become it.
    pub(crate) special: bool,
}
