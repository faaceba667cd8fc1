//! Tokenizer files opened: what one is follows from its content.

use std::path::Path;

use super::bytes::Bytes;
use super::huggingface::HuggingFace;
use super::sentencepiece::SentencePiece;
use super::{MAX_FILE_BYTES, Tokenizer, VocabularyHints, formats, proto};
use crate::atomic;
use crate::error::{Error, Result};

impl Tokenizer {
    /// Reads a tokenizer file; what it is follows from its content: a tokenizer.json, a SentencePiece
    /// model, a tekken.json, a `.tiktoken` file of a number of ranks that is known, or the vocabulary of a
    /// GGUF file. The last three become a tokenizer.json or model that gives their ids. `eos` names the end
    /// token where the usual names do not find it or find the wrong one.
    pub fn load(path: impl AsRef<Path>, eos: Option<&str>) -> Result<Self> {
        Self::load_with(path, eos, &VocabularyHints::default())
    }

    /// The same, with what a `.tiktoken` file does not say.
    pub fn load_with(path: impl AsRef<Path>, eos: Option<&str>, hints: &VocabularyHints) -> Result<Self> {
        let path = path.as_ref();
        let in_file = |error| match error {
            Error::Tokenizer { detail, .. } => Error::invalid(path, detail),
            other => other,
        };
        if is_gguf(path)? {
            return Self::from_gguf(path, eos).map_err(in_file);
        }
        let file = atomic::read(path, MAX_FILE_BYTES)?;
        Self::read(file, eos, hints).map_err(in_file)
    }

    fn from_gguf(path: &Path, eos: Option<&str>) -> Result<Self> {
        let (converted, own) = formats::Gguf::open(path)?.convert()?;
        let eos = eos.or(own.as_deref());
        Ok(match converted {
            formats::Converted::Json(json) => Self::HuggingFace(Box::new(HuggingFace::from_json(&json, eos)?)),
            formats::Converted::SentencePiece(model) => Self::SentencePiece(Box::new(SentencePiece::from_model(model, eos)?)),
        })
    }

    /// What [`Tokenizer::load`] gives for a file of this content, other than GGUF.
    pub fn from_content(file: Vec<u8>, eos: Option<&str>) -> Result<Self> {
        Self::read(file, eos, &VocabularyHints::default())
    }

    fn read(file: Vec<u8>, eos: Option<&str>, hints: &VocabularyHints) -> Result<Self> {
        let refuse = |detail: &str| Err(Error::Tokenizer { operation: "load the tokenizer", detail: detail.to_owned() });
        if file.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) || file.starts_with(&[0x1f, 0x8b]) {
            return refuse("the file is compressed; unpack it first");
        }
        if file.trim_ascii_start().starts_with(b"{") {
            if Bytes::is_saved(&file) {
                return Bytes::with_eos(eos).map(Self::Bytes);
            }
            let tekken = formats::from_tekken(&file, hints)?;
            if tekken.is_none() && *hints != VocabularyHints::default() {
                return refuse("a tokenizer.json has its own pattern and special tokens");
            }
            let tokenizer = HuggingFace::from_json(tekken.as_deref().unwrap_or(&file), eos)?;
            return Ok(Self::HuggingFace(Box::new(tokenizer)));
        }
        if formats::looks_like_ranks(&file) {
            let json = formats::from_tiktoken(&file, hints)?;
            return Ok(Self::HuggingFace(Box::new(HuggingFace::from_json(&json, eos)?)));
        }
        if proto::looks_like_model(&file) {
            let tokenizer = SentencePiece::from_model(file, eos)?;
            return Ok(Self::SentencePiece(Box::new(tokenizer)));
        }
        refuse("neither a tokenizer.json, tekken.json, .tiktoken or .gguf file nor a SentencePiece model")
    }
}

/// Whether a file begins as GGUF files do, which are too large to read whole.
pub(super) fn is_gguf(path: &Path) -> Result<bool> {
    use std::io::Read;
    let file = std::fs::File::open(path).map_err(Error::io("open", path))?;
    let mut magic = Vec::new();
    file.take(4).read_to_end(&mut magic).map_err(Error::io("read", path))?;
    Ok(magic == formats::GGUF_MAGIC)
}
