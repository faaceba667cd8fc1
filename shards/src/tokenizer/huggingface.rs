//! A Hugging Face tokenizer.json, with special tokens kept out of the reach of text.

use std::fmt;
use std::sync::OnceLock;

use serde_json::Value;
use tokenizers::{NormalizedString, Normalizer, OffsetReferential, OffsetType, PreTokenizedString, PreTokenizer};

use super::engine::{Characters, Engine, Unsupported};
use super::lost::{Lost, Weights, dense_bytes};
use super::sentencepiece::{byte_piece, piece_bytes};
use super::special::{self, EOS_NAMES, Spelling};
use super::{Entry, MAX_VOCAB, TextSize, byte_level, cut};
use crate::error::{Error, Result};

/// The encoder of this crate for a kind of file.
pub(crate) enum Own {
    ByteLevel(Box<Engine>),
    Characters(Box<Characters>),
}

/// A loaded tokenizer.json.
pub struct HuggingFace {
    inner: tokenizers::Tokenizer,
    /// Encodes in the library's place, where it knows the kind of file.
    pub(crate) engine: std::result::Result<Own, Unsupported>,
    /// Whether the engine's ids need no look for special ones.
    plain: bool,
    /// The file as it came.
    pub(crate) json: Vec<u8>,
    /// BLAKE3 of the file with sorted keys and no layout.
    pub(crate) content_hash: [u8; 32],
    /// By id.
    pub(crate) vocab: Vec<Entry>,
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
        let mut hasher = blake3::Hasher::new();
        canonical(&file, &mut hasher);
        let content_hash = *hasher.finalize().as_bytes();

        if let Some(rate) = file["model"]["dropout"].as_f64().filter(|&rate| rate != 0.0) {
            return refuse(format!(
                "its model drops merges at random (`dropout` {rate}), so ids would differ each \
                 time; set `dropout` to null"
            ));
        }
        let byte_level = uses_byte_level(&file["decoder"]) || uses_byte_level(&file["pre_tokenizer"]);
        prepare(&mut file, eos)?;
        let engine = if byte_level {
            Engine::from_json(&file).map(|engine| Own::ByteLevel(Box::new(engine)))
        } else {
            Characters::from_json(&file).map(|engine| Own::Characters(Box::new(engine)))
        };
        let prepared = match serde_json::to_vec(&file) {
            Ok(prepared) => prepared,
            Err(error) => return refuse(error.to_string()),
        };
        let mut inner = tokenizers::Tokenizer::from_bytes(prepared).map_err(fail("load the tokenizer"))?;
        inner.set_encode_special_tokens(true);

        let unknown = unknown_id(&file["model"], &inner);
        let mut vocab = vocabulary(&inner)?;
        if let Some(entry) = unknown.and_then(|id| vocab.get_mut(id as usize)) {
            entry.special = false; // text may become it
        }
        let eos = special::find_eos(&vocab, eos)?;
        vocab[eos.0 as usize].special = true;
        let pads = pads(&inner).map_err(fail("load the tokenizer"))?;
        let special = |id: &u32| vocab[*id as usize].special;
        let reaches = |engine: &Own, id| match engine {
            Own::ByteLevel(engine) => engine.reaches(id),
            Own::Characters(engine) => engine.reaches(id),
        };
        let plain = engine.as_ref().is_ok_and(|engine| !(0..vocab.len() as u32).filter(special).any(|id| reaches(engine, id)));
        let affix = |name: &str| file["model"][name].as_str().unwrap_or_default().to_owned();
        Ok(Self {
            affixes: ["continuing_subword_prefix", "end_of_word_suffix"].map(affix),
            inner,
            engine,
            plain,
            json: json.to_vec(),
            content_hash,
            vocab,
            eos,
            unknown,
            byte_level,
            sizes: OnceLock::new(),
            weights: OnceLock::new(),
            pads,
        })
    }

    /// Ids of a text in one go, by the library.
    pub(crate) fn encode_whole(&self, text: &str) -> Result<Vec<u32>> {
        let encoding = self.inner.encode_fast(text, false).map_err(fail("encode text"))?;
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
        let added = self.inner.get_added_tokens_decoder();
        let mut specials = special::of(&self.vocab);
        for token in &mut specials {
            if let Some(added) = added.get(&token.id) {
                (token.lstrip, token.rstrip) = (added.lstrip, added.rstrip);
            }
        }
        specials
    }

    /// The id of a token as files spell it.
    pub(crate) fn id_of(&self, token: &str) -> Option<u32> {
        self.inner.token_to_id(token)
    }

    fn look_up(&self, unit: Spelling) -> Option<u32> {
        let mut buffer = [0; 4];
        match unit {
            Spelling::Character(_) if self.byte_level => None, // goes byte by byte
            Spelling::Character(c) => self.inner.token_to_id(c.encode_utf8(&mut buffer)),
            Spelling::Byte(byte) if self.byte_level => {
                let c = byte_level::char_of(byte);
                self.inner.token_to_id(c.encode_utf8(&mut buffer))
            }
            Spelling::Byte(byte) => self.inner.token_to_id(&format!("<0x{byte:02X}>")).or(self.unknown),
        }
    }

    pub(crate) fn decode(&self, ids: &[u32]) -> Result<String> {
        let plain = |id: &u32| self.vocab.get(*id as usize).is_some_and(|entry| !entry.special);
        let ids: Vec<u32> = ids.iter().copied().filter(plain).collect();
        self.inner.decode(&ids, false).map_err(fail("decode ids"))
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
            self.inner.get_normalizer()?.normalize(&mut normalized).ok()?;
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
        if !self.byte_level || self.inner.get_added_vocabulary().simple_id_to_token(id).is_some() {
            return None;
        }
        let bytes: Option<Vec<u8>> = token.chars().map(byte_level::byte_of).collect();
        Some(bytes.unwrap_or_else(|| token.as_bytes().to_vec()))
    }
}

/// Takes out what must not act on documents (truncation, padding, added start and end tokens) and
/// marks as special every added token that text must not become.
fn prepare(file: &mut Value, eos: Option<&str>) -> Result<()> {
    let Some(table) = file.as_object_mut() else {
        return refuse("not a tokenizer.json: no table");
    };
    for part in ["truncation", "padding", "post_processor"] {
        table.insert(part.to_owned(), Value::Null);
    }
    let Some(added) = table.get_mut("added_tokens").and_then(Value::as_array_mut) else {
        return Ok(());
    };
    for token in added {
        let content = token["content"].as_str().unwrap_or_default();
        if eos == Some(content) || EOS_NAMES.contains(&content) || special::is_control(content) {
            token["special"] = Value::Bool(true);
        }
    }
    Ok(())
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

fn uses_byte_level(part: &Value) -> bool {
    match part {
        Value::Object(table) => table.get("type").is_some_and(|kind| kind == "ByteLevel") || table.values().any(uses_byte_level),
        Value::Array(items) => items.iter().any(uses_byte_level),
        _ => false,
    }
}

fn unknown_id(model: &Value, inner: &tokenizers::Tokenizer) -> Option<u32> {
    match model["unk_token"].as_str() {
        Some(token) => inner.token_to_id(token),
        None => model["unk_id"].as_u64().and_then(|id| u32::try_from(id).ok()),
    }
}

/// Whether a text of one letter is more than that letter when it reaches the model: Llama 2 prepends
/// a space when it normalizes, others when they split into words.
fn pads(inner: &tokenizers::Tokenizer) -> tokenizers::Result<bool> {
    let mut text = NormalizedString::from("x");
    if let Some(normalizer) = inner.get_normalizer() {
        normalizer.normalize(&mut text)?;
    }
    let mut text = PreTokenizedString::from(text);
    if let Some(splitter) = inner.get_pre_tokenizer() {
        splitter.pre_tokenize(&mut text)?;
    }
    let words = text.get_splits(OffsetReferential::Normalized, OffsetType::None);
    Ok(words.iter().map(|(word, ..)| *word).collect::<String>() != "x")
}

/// The vocabulary by id.
fn vocabulary(inner: &tokenizers::Tokenizer) -> Result<Vec<Entry>> {
    let added = inner.get_added_tokens_decoder();
    let mut tokens: Vec<(String, u32)> = inner.get_vocab(true).into_iter().collect();
    tokens.sort_unstable_by(|a, b| (a.1, &a.0).cmp(&(b.1, &b.0)));
    let Some(&(_, last)) = tokens.last() else {
        return refuse("the vocabulary is empty");
    };
    if last >= MAX_VOCAB {
        return refuse(format!("id {last} in the vocabulary, at most {} are supported", MAX_VOCAB - 1));
    }
    // A table is made up to the largest id. Real files leave few ids out; one that leaves out most
    // of them would make a small file take half a gigabyte here and, as rows of a model, far more.
    let most = 4 * tokens.len() + 1024;
    if last as usize > most {
        return refuse(format!("id {last} in a vocabulary of {} tokens, at most {most} are supported", tokens.len()));
    }
    let mut vocab = vec![Entry::default(); last as usize + 1];
    for (token, id) in tokens {
        let special = added.get(&id).is_some_and(|token| token.special);
        vocab[id as usize] = Entry { token: Some(token), special };
    }
    Ok(vocab)
}

/// Feeds a JSON value with sorted keys and without white space.
fn canonical(value: &Value, hasher: &mut blake3::Hasher) {
    match value {
        Value::Object(table) => {
            let mut entries: Vec<_> = table.iter().collect();
            entries.sort_unstable_by_key(|(key, _)| *key);
            hasher.update(b"{");
            for (key, value) in entries {
                hasher.update(&(key.len() as u64).to_le_bytes());
                hasher.update(key.as_bytes());
                canonical(value, hasher);
            }
            hasher.update(b"}");
        }
        Value::Array(items) => {
            hasher.update(b"[");
            items.iter().for_each(|item| canonical(item, hasher));
            hasher.update(b"]");
        }
        Value::String(text) => {
            hasher.update(b"\"");
            hasher.update(&(text.len() as u64).to_le_bytes());
            hasher.update(text.as_bytes());
        }
        plain => {
            hasher.update(plain.to_string().as_bytes());
            hasher.update(b",");
        }
    }
}
