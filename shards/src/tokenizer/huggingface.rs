//! A Hugging Face tokenizer.json, with special tokens kept out of the reach of text.

mod file;
mod vocabulary;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::fmt;
use std::sync::OnceLock;

use serde::de::DeserializeOwned;
use serde_json::Value;
use tokenizers::{
    Decoder, DecoderWrapper, NormalizedString, Normalizer, NormalizerWrapper, OffsetReferential, OffsetType, PreTokenizedString,
    PreTokenizer, PreTokenizerWrapper,
};

use super::engine::{Characters, Engine, Unsupported};
use super::lost::{Lost, Weights, dense_bytes};
use super::sentencepiece::{byte_piece, piece_bytes};
use super::special::{self, Spelling};
use super::{Entry, TextSize, byte_level, cut};
use crate::error::{Error, Result};
use vocabulary::Added;

/// The encoder of this crate for a kind of file.
pub(crate) enum Own {
    ByteLevel(Box<Engine>),
    Characters(Box<Characters>),
}

/// A loaded tokenizer.json.
pub struct HuggingFace {
    /// Encodes in the library's place, where it knows the kind of file.
    pub(crate) engine: std::result::Result<Own, Unsupported>,
    /// The library's tokenizer, read only where there is no engine: that takes longer than anything else here.
    library: OnceLock<std::result::Result<tokenizers::Tokenizer, String>>,
    /// Whether the engine's ids need no look for special ones.
    plain: bool,
    /// The file as it came.
    pub(crate) json: Vec<u8>,
    /// BLAKE3 of the file with sorted keys and no layout.
    pub(crate) content_hash: [u8; 32],
    /// By id.
    pub(crate) vocab: Vec<Entry>,
    added: HashMap<u32, Added>,
    /// Ids in the order of their tokens' texts, once one is looked for.
    by_text: OnceLock<Vec<u32>>,
    decoder: Option<DecoderWrapper>,
    pub(crate) eos: (u32, String),
    unknown: Option<u32>,
    byte_level: bool,
    /// By id, bytes and characters of its text, once they are asked for.
    sizes: OnceLock<Vec<TextSize>>,
    /// What the model puts before and behind a token of a word's inside or end: `##`, `</w>`.
    affixes: [String; 2],
    /// By id, how much of a text it stands for, once it is asked for.
    weights: OnceLock<Weights>,
    /// Whether it puts a space before, or after, every text.
    pub(crate) pads: bool,
}

impl fmt::Debug for HuggingFace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HuggingFace").field("vocab_size", &self.vocab.len()).field("eos", &self.eos).finish_non_exhaustive()
    }
}

fn fail(operation: &'static str) -> impl Fn(tokenizers::Error) -> Error {
    move |error| Error::Tokenizer { operation, detail: error.to_string() }
}

fn refuse<T>(detail: impl Into<String>) -> Result<T> {
    Err(Error::Tokenizer { operation: "load the tokenizer", detail: detail.into() })
}

impl HuggingFace {
    pub(crate) fn from_json(json: &[u8], eos: Option<&str>) -> Result<Self> {
        let mut file: Value = match serde_json::from_slice(json) {
            Ok(file) => file,
            Err(error) => return refuse(format!("not a tokenizer.json: {error}")),
        };
        let content_hash = file::content_hash(&file);
        if let Some(rate) = file["model"]["dropout"].as_f64().filter(|&rate| rate != 0.0) {
            return refuse(format!(
                "its model drops merges at random (`dropout` {rate}), so ids would differ each \
                 time; set `dropout` to null"
            ));
        }
        let byte_level = file::uses_byte_level(&file["decoder"]) || file::uses_byte_level(&file["pre_tokenizer"]);
        file::prepare(&mut file, eos)?;
        let engine = if byte_level {
            Engine::from_json(&file).map(|engine| Own::ByteLevel(Box::new(engine)))
        } else {
            Characters::from_json(&file).map(|engine| Own::Characters(Box::new(engine)))
        };
        let pads = pads(&file).map_err(fail("load the tokenizer"))?;
        let decoder = part(&file["decoder"]).map_err(fail("load the tokenizer"))?;
        let library = OnceLock::new();
        let (mut vocab, added) = match &engine {
            Ok(_) => vocabulary::of_file(&mut file)?,
            Err(_) => vocabulary::of_library(library.get_or_init(|| open(&file)).as_ref().map_err(|detail| library_error(detail))?)?,
        };
        let unknown = match file["model"]["unk_token"].as_str() {
            Some(unknown) => vocab.iter().position(|entry| entry.token.as_deref() == Some(unknown)).map(|id| id as u32),
            None => file["model"]["unk_id"].as_u64().and_then(|id| u32::try_from(id).ok()),
        };
        if let Some(entry) = unknown.and_then(|id| vocab.get_mut(id as usize)) {
            entry.special = false; // text may become it
        }
        let eos = special::find_eos(&vocab, eos)?;
        vocab[eos.0 as usize].special = true;
        let special = |id: &u32| vocab[*id as usize].special;
        let reaches = |engine: &Own, id| match engine {
            Own::ByteLevel(engine) => engine.reaches(id),
            Own::Characters(engine) => engine.reaches(id),
        };
        let plain = engine.as_ref().is_ok_and(|engine| !(0..vocab.len() as u32).filter(special).any(|id| reaches(engine, id)));
        let affix = |name: &str| file["model"][name].as_str().unwrap_or_default().to_owned();
        Ok(Self {
            affixes: ["continuing_subword_prefix", "end_of_word_suffix"].map(affix),
            engine,
            library,
            plain,
            json: json.to_vec(),
            content_hash,
            vocab,
            added,
            by_text: OnceLock::new(),
            decoder,
            eos,
            unknown,
            byte_level,
            sizes: OnceLock::new(),
            weights: OnceLock::new(),
            pads,
        })
    }

    /// The library's own tokenizer, which is read where it is needed.
    fn library(&self) -> Result<&tokenizers::Tokenizer> {
        let read = || {
            let mut file = serde_json::from_slice(&self.json).map_err(|error| error.to_string())?;
            file::prepare(&mut file, Some(&self.eos.1)).map_err(|error| error.to_string())?;
            open(&file)
        };
        self.library.get_or_init(read).as_ref().map_err(|detail| library_error(detail))
    }

    /// Ids of a text in one go, by the library.
    pub(crate) fn encode_whole(&self, text: &str) -> Result<Vec<u32>> {
        let encoding = self.library()?.encode_fast(text, false).map_err(fail("encode text"))?;
        Ok(encoding.get_ids().to_vec())
    }

    pub(crate) fn encode(&self, text: &str) -> Result<Vec<u32>> {
        if let Ok(engine) = &self.engine {
            let ids = match engine {
                Own::ByteLevel(engine) => engine.encode(text),
                Own::Characters(engine) => engine.encode(text),
            };
            return if self.plain { Ok(ids) } else { special::spell_out(ids, &self.vocab, |unit| self.look_up(unit)) };
        }
        let ids = cut::encode(text, cut::PART_BYTES, self.pads, |part| self.encode_whole(part))?;
        special::spell_out(ids, &self.vocab, |unit| self.look_up(unit))
    }

    /// The engine for byte-level BPE.
    pub(crate) fn byte_level_engine(&self) -> std::result::Result<&Engine, Unsupported> {
        match &self.engine {
            Ok(Own::ByteLevel(engine)) => Ok(engine),
            Ok(Own::Characters(_)) => Err(Unsupported("it merges characters, not bytes".to_owned())),
            Err(unsupported) => Err(unsupported.clone()),
        }
    }

    /// Special tokens, with the white space that they take.
    pub(crate) fn specials(&self) -> Vec<crate::chat::Special> {
        let mut specials = special::of(&self.vocab);
        for token in &mut specials {
            if let Some(added) = self.added.get(&token.id) {
                (token.lstrip, token.rstrip) = (added.lstrip, added.rstrip);
            }
        }
        specials
    }

    /// The id of a token as files spell it.
    pub(crate) fn id_of(&self, token: &str) -> Option<u32> {
        let text = |id: u32| self.vocab.get(id as usize).and_then(|entry| entry.token.as_deref());
        let by_text = self.by_text.get_or_init(|| {
            let mut ids: Vec<u32> = (0..self.vocab.len() as u32).filter(|&id| text(id).is_some()).collect();
            ids.sort_unstable_by_key(|&id| text(id));
            ids
        });
        by_text.binary_search_by_key(&Some(token), |&id| text(id)).ok().map(|at| by_text[at])
    }

    fn look_up(&self, unit: Spelling) -> Option<u32> {
        let mut buffer = [0; 4];
        match unit {
            Spelling::Character(_) if self.byte_level => None, // goes byte by byte
            Spelling::Character(c) => self.id_of(c.encode_utf8(&mut buffer)),
            Spelling::Byte(byte) if self.byte_level => {
                let c = byte_level::char_of(byte);
                self.id_of(c.encode_utf8(&mut buffer))
            }
            Spelling::Byte(byte) => self.id_of(&format!("<0x{byte:02X}>")).or(self.unknown),
        }
    }

    pub(crate) fn decode(&self, ids: &[u32]) -> Result<String> {
        let entries = ids.iter().filter_map(|&id| self.vocab.get(id as usize)).filter(|entry| !entry.special);
        let tokens = entries.filter_map(|entry| entry.token.as_ref());
        if self.engine.is_err() {
            let plain = |id: &u32| self.vocab.get(*id as usize).is_some_and(|entry| !entry.special);
            let ids: Vec<u32> = ids.iter().copied().filter(plain).collect();
            return self.library()?.decode(&ids, false).map_err(fail("decode ids"));
        }
        match &self.decoder {
            Some(DecoderWrapper::ByteLevel(_)) => {
                let mut bytes = Vec::with_capacity(ids.len() * 4);
                tokens.for_each(|token| byte_level::push_bytes(token, &mut bytes));
                Ok(String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
            }
            Some(decoder) => decoder.decode(tokens.cloned().collect()).map_err(fail("decode ids")),
            None => Ok(tokens.cloned().collect::<Vec<_>>().join(" ")),
        }
    }

    /// Size of the text of ids; none where only decoding them tells it.
    pub(crate) fn text_size(&self, ids: &[u32]) -> Option<TextSize> {
        if !self.byte_level {
            return None;
        }
        let sizes = self.sizes.get_or_init(|| self.vocab.iter().map(Entry::size).collect());
        let mut size = TextSize::default();
        for &id in ids {
            let token = sizes.get(id as usize)?;
            size.bytes += token.bytes;
            size.characters += token.characters;
        }
        Some(size)
    }

    pub(crate) fn lost(&self, text: &str, ids: &[u32]) -> Lost {
        let weights = self.weights.get_or_init(|| Weights {
            bytes: self.vocab.iter().map(|entry| if self.byte_level { entry.size().bytes } else { self.weight(entry) }).collect(),
            unknown: self.unknown,
            spaces: self.byte_level,
        });
        weights.lost(text, ids, || {
            let mut normalized = NormalizedString::from(text);
            self.library().ok()?.get_normalizer()?.normalize(&mut normalized).ok()?;
            Some(normalized.get().to_owned())
        })
    }

    /// Bytes that a token of characters stands for, without white space.
    fn weight(&self, entry: &Entry) -> u64 {
        let Some(token) = entry.token.as_deref().filter(|_| !entry.special) else { return 0 };
        if let Some(byte) = byte_piece(token) {
            return u64::from(!byte.is_ascii_whitespace());
        }
        let [prefix, suffix] = &self.affixes;
        let token = token.strip_prefix(prefix.as_str()).unwrap_or(token);
        dense_bytes(token.strip_suffix(suffix.as_str()).unwrap_or(token))
    }

    /// Whether a token has bytes that are no whole characters.
    pub(crate) fn is_partial(&self, id: u32) -> bool {
        let Some(token) = self.vocab.get(id as usize).and_then(|entry| entry.token.as_ref()) else { return false };
        if !self.byte_level {
            return byte_piece(token).is_some_and(|byte| !byte.is_ascii());
        }
        let bytes: Option<Vec<u8>> = token.chars().map(byte_level::byte_of).collect();
        bytes.is_some_and(|bytes| std::str::from_utf8(&bytes).is_err())
    }

    pub(crate) fn token_text(&self, id: u32) -> Option<String> {
        let token = self.vocab.get(id as usize)?.token.as_ref()?;
        Some(match self.spelled(id, token) {
            Some(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            None => token.replace('\u{2581}', " "),
        })
    }

    pub(crate) fn token_bytes(&self, id: u32) -> Option<Vec<u8>> {
        let token = self.vocab.get(id as usize)?.token.as_ref()?;
        Some(self.spelled(id, token).unwrap_or_else(|| piece_bytes(token)))
    }

    /// The bytes of a token that is written in the characters of a byte-level vocabulary; none of another one.
    fn spelled(&self, id: u32, token: &str) -> Option<Vec<u8>> {
        if !self.byte_level || self.added.contains_key(&id) {
            return None;
        }
        let bytes: Option<Vec<u8>> = token.chars().map(byte_level::byte_of).collect();
        Some(bytes.unwrap_or_else(|| token.as_bytes().to_vec()))
    }
}

impl Entry {
    /// Size of a byte-level token's text.
    fn size(&self) -> TextSize {
        match &self.token {
            Some(token) if !self.special => {
                let bytes: Option<Vec<u8>> = token.chars().map(byte_level::byte_of).collect();
                bytes.map_or_else(|| TextSize::of(token.bytes()), |bytes| TextSize::of(bytes.into_iter()))
            }
            _ => TextSize::default(),
        }
    }
}

/// A part of a file as the library has it; none where it is null.
fn part<T: DeserializeOwned>(part: &Value) -> tokenizers::Result<Option<T>> {
    Ok(serde_json::from_value(part.clone())?)
}

/// The whole file as the library has it, special tokens left in the text.
fn open(file: &Value) -> std::result::Result<tokenizers::Tokenizer, String> {
    file::check_merges(file)?;
    let file = serde_json::to_vec(file).map_err(|error| error.to_string())?;
    let mut library = tokenizers::Tokenizer::from_bytes(file).map_err(|error| error.to_string())?;
    library.set_encode_special_tokens(true);
    Ok(library)
}

fn library_error(detail: &str) -> Error {
    Error::Tokenizer { operation: "load the tokenizer", detail: detail.to_owned() }
}

/// Whether a text of one letter is more than that letter when it reaches the model: Llama 2 prepends
/// a space when it normalizes, others when they split into words.
fn pads(file: &Value) -> tokenizers::Result<bool> {
    let mut text = NormalizedString::from("x");
    if let Some(normalizer) = part::<NormalizerWrapper>(&file["normalizer"])? {
        normalizer.normalize(&mut text)?;
    }
    let mut text = PreTokenizedString::from(text);
    if let Some(splitter) = part::<PreTokenizerWrapper>(&file["pre_tokenizer"])? {
        splitter.pre_tokenize(&mut text)?;
    }
    let words = text.get_splits(OffsetReferential::Normalized, OffsetType::None);
    Ok(words.iter().map(|(word, ..)| *word).collect::<String>() != "x")
}
