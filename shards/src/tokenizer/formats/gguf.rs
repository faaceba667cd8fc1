//! The vocabulary and the chat template in the header of a GGUF file (llama.cpp, `docs/gguf.md`). Only what
//! `tokenizer.*` says of them is kept; everything else, the weights too, is passed over.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::byte_bpe::{Added, File as Json};
use crate::error::{Error, Result};
use crate::tokenizer::MAX_VOCAB;
use crate::tokenizer::config::Pattern;
use crate::tokenizer::proto::{self, PieceKind};

pub(crate) const MAGIC: [u8; 4] = *b"GGUF";

/// Most keys, longest token or name and longest template that is kept, and how deep arrays may lie in arrays.
const MAX_KEYS: u64 = 1 << 16;
const MAX_TEXT: u64 = 1 << 16;
const MAX_TEMPLATE: u64 = 16 << 20;
const MAX_DEPTH: u32 = 4;

/// How llama.cpp names patterns, and whether the models that have them bring text into form C.
const PATTERNS: [(&str, Pattern, bool); 12] = [
    ("gpt-2", Pattern::Gpt2, false),
    ("gpt2", Pattern::Gpt2, false),
    (DIGITS_FIRST, Pattern::Gpt2, false),
    ("qwen2", Pattern::Qwen2, true),
    ("deepseek-r1-qwen", Pattern::Qwen2, false),
    ("qwen35", Pattern::Qwen3_5, true),
    ("llama-bpe", Pattern::Llama3, false),
    ("llama3", Pattern::Llama3, false),
    ("llama-v3", Pattern::Llama3, false),
    ("gpt-4o", Pattern::O200k, false),
    ("llama4", Pattern::O200k, false),
    ("tekken", Pattern::Tekken, false),
];

/// The pattern before which digits are split off, each alone.
const DIGITS_FIRST: &str = "smollm";

const TEMPLATE: &str = "tokenizer.chat_template";
/// The kind of values that are texts.
const TEXT: u32 = 8;

/// Token types of a GGUF file.
const CONTROL: i64 = 3;
const USER_DEFINED: i64 = 4;
const UNUSED: i64 = 5;

/// A value under `tokenizer.ggml.`.
#[derive(Debug)]
enum Entry {
    Number(i64),
    Flag(bool),
    Text(String),
    Texts(Vec<String>),
    Numbers(Vec<i64>),
    Floats(Vec<f32>),
}

/// What a GGUF file says of its vocabulary.
#[derive(Debug)]
pub(crate) struct Vocabulary {
    keys: BTreeMap<String, Entry>,
    template: Option<String>,
}

/// A vocabulary as a file that this crate loads.
pub(crate) enum Converted {
    Json(Vec<u8>),
    SentencePiece(Vec<u8>),
}

impl Vocabulary {
    /// Reads the header. Of what it claims nothing is allocated that is not there.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let file = File::open(path).map_err(Error::io("open", path))?;
        let length = file.metadata().map_err(Error::io("inspect", path))?.len();
        let mut input = Input { path: path.to_path_buf(), reader: BufReader::with_capacity(1 << 16, file), length, at: 0 };
        if input.array::<4>()? != MAGIC {
            return input.fault(0, "does not begin with `GGUF`");
        }
        let version = u32::from_le_bytes(input.array()?);
        if !matches!(version, 2 | 3) {
            return input.fault(4, format!("GGUF version {version}, known are 2 and 3"));
        }
        input.u64()?; // tensors
        let count = input.u64()?;
        if count > MAX_KEYS {
            return input.fault(16, format!("{count} keys, at most {MAX_KEYS} are read"));
        }
        let (mut keys, mut template) = (BTreeMap::new(), None);
        for _ in 0..count {
            let name = input.text(MAX_TEXT)?;
            let kind = u32::from_le_bytes(input.array()?);
            match name.strip_prefix("tokenizer.ggml.") {
                Some(name) => {
                    let name = name.to_owned();
                    if let Some(entry) = input.entry(kind)? {
                        keys.insert(name, entry);
                    }
                }
                None if name == TEMPLATE && kind == TEXT => template = Some(input.text(MAX_TEMPLATE)?),
                None => input.pass(kind, 0)?,
            }
        }
        Ok(Self { keys, template })
    }

    /// The template of conversations, in Jinja.
    pub(crate) fn template(&self) -> Option<&str> {
        self.template.as_deref()
    }

    /// The token whose id stands under `tokenizer.ggml.KEY`.
    pub(crate) fn token(&self, key: &str) -> Option<String> {
        self.texts("tokens")?.get(usize::try_from(self.number(key)?).ok()?).cloned()
    }

    /// Ids that llama.cpp puts before a text. Where the file does not say, it has one for SentencePiece alone.
    pub(crate) fn start(&self) -> Vec<u32> {
        let adds = match self.keys.get("add_bos_token") {
            Some(Entry::Flag(adds)) => *adds,
            _ => self.text("model") == Some("llama"),
        };
        let bos = self.number("bos_token_id").and_then(|id| u32::try_from(id).ok());
        bos.filter(|_| adds).into_iter().collect()
    }

    /// The vocabulary as a tokenizer.json or a SentencePiece model, and the name of its end token.
    pub(crate) fn convert(&self) -> Result<(Converted, Option<String>)> {
        let Some(tokens) = self.texts("tokens") else {
            return super::refuse("the GGUF file has no vocabulary (`tokenizer.ggml.tokens`)");
        };
        if tokens.len() >= MAX_VOCAB as usize {
            return super::refuse(format!("{} tokens, fewer than {MAX_VOCAB} are supported", tokens.len()));
        }
        let types = self.types(tokens.len())?;
        let eos = self.token("eos_token_id");
        let converted = match self.text("model") {
            Some("gpt2") => Converted::Json(self.byte_bpe(tokens, &types)?),
            Some("llama") => Converted::SentencePiece(self.sentencepiece(tokens, &types)?),
            other => return super::refuse(format!("`tokenizer.ggml.model` is {other:?}; known are gpt2 and llama")),
        };
        Ok((converted, eos))
    }

    fn byte_bpe(&self, tokens: &[String], types: &[i64]) -> Result<Vec<u8>> {
        let name = self.text("pre").unwrap_or("gpt-2");
        let Some((_, pattern, normalize)) = PATTERNS.iter().find(|(known, ..)| *known == name) else {
            let names = PATTERNS.map(|(name, ..)| name);
            return super::refuse(format!("`tokenizer.ggml.pre` is {name:?}, a pattern that is not known; known are {}", names.join(", ")));
        };
        let (mut plain, mut added) = (Vec::new(), Vec::new());
        for ((token, kind), id) in tokens.iter().zip(types).zip(0..) {
            match *kind {
                CONTROL | USER_DEFINED => added.push(Added { token: token.clone(), id, special: *kind == CONTROL }),
                UNUSED => {} // fills the embedding up: `[PAD151936]`
                _ => plain.push((token.clone(), id)),
            }
        }
        let Some(merges) = self.texts("merges") else {
            return super::refuse("the GGUF file has no merges (`tokenizer.ggml.merges`)");
        };
        let pair = |merge: &String| merge.split_once(' ').map(|(left, right)| Value::from(vec![left, right]));
        let Some(merges) = merges.iter().map(pair).collect::<Option<Vec<Value>>>() else {
            return super::refuse("a merge of the GGUF file is not two tokens with a space between them");
        };
        // With these patterns llama.cpp looks a word up before it merges.
        let ignore_merges = matches!(pattern, Pattern::Llama3 | Pattern::Tekken);
        let (digits_first, pattern) = (name == DIGITS_FIRST, pattern.regex());
        Json { tokens: plain, merges, added, digits_first, pattern, normalize: *normalize, ignore_merges }.to_json()
    }

    fn sentencepiece(&self, tokens: &[String], types: &[i64]) -> Result<Vec<u8>> {
        let Some(Entry::Floats(scores)) =
            self.keys.get("scores").filter(|scores| matches!(scores, Entry::Floats(s) if s.len() == tokens.len()))
        else {
            return super::refuse("the GGUF file has not one score for each token (`tokenizer.ggml.scores`)");
        };
        let kind = |kind: i64| match kind {
            2 => PieceKind::Unknown,
            CONTROL => PieceKind::Control,
            USER_DEFINED => PieceKind::UserDefined,
            UNUSED => PieceKind::Unused,
            6 => PieceKind::Byte,
            _ => PieceKind::Normal,
        };
        let pieces: Vec<_> = tokens.iter().zip(scores).zip(types).map(|((text, score), k)| (text.as_str(), *score, kind(*k))).collect();
        if !pieces.iter().any(|(_, _, kind)| *kind == PieceKind::Unknown) {
            return super::refuse("the GGUF file has no unknown token, which a SentencePiece model needs");
        }
        let id = |key: &str| self.number(key).and_then(|id| i32::try_from(id).ok());
        let flag = |key: &str, default: bool| match self.keys.get(key) {
            Some(Entry::Flag(flag)) => *flag,
            _ => default,
        };
        let trainer = proto::Trainer {
            unknown: id("unknown_token_id").unwrap_or(0),
            begin: id("bos_token_id"),
            end: id("eos_token_id"),
            byte_fallback: pieces.iter().any(|(_, _, kind)| *kind == PieceKind::Byte),
            ..proto::Trainer::default()
        };
        let normalizer = proto::Normalizer {
            name: "identity",
            table: &[],
            add_dummy_prefix: flag("add_space_prefix", true),
            remove_extra_spaces: flag("remove_extra_whitespaces", false),
        };
        Ok(proto::model(&pieces, &trainer, &normalizer))
    }

    /// The type of each token; where the file has none, all are ordinary.
    fn types(&self, count: usize) -> Result<Vec<i64>> {
        match self.keys.get("token_type") {
            None => Ok(vec![1; count]),
            Some(Entry::Numbers(types)) if types.len() == count => Ok(types.clone()),
            Some(_) => super::refuse("`tokenizer.ggml.token_type` is not one number for each token"),
        }
    }

    fn texts(&self, key: &str) -> Option<&[String]> {
        match self.keys.get(key)? {
            Entry::Texts(texts) => Some(texts),
            _ => None,
        }
    }

    fn text(&self, key: &str) -> Option<&str> {
        match self.keys.get(key)? {
            Entry::Text(text) => Some(text),
            _ => None,
        }
    }

    fn number(&self, key: &str) -> Option<i64> {
        match self.keys.get(key)? {
            Entry::Number(number) => Some(*number),
            _ => None,
        }
    }
}

/// The bytes of a header.
struct Input {
    path: PathBuf,
    reader: BufReader<File>,
    length: u64,
    at: u64,
}

impl Input {
    fn fault<T>(&self, at: u64, detail: impl Into<String>) -> Result<T> {
        Err(Error::corrupt(&self.path, at, detail))
    }

    fn take(&mut self, size: u64) -> Result<()> {
        if size > self.length - self.at {
            return self.fault(self.at, format!("{size} bytes are wanted where {} are left", self.length - self.at));
        }
        self.at += size;
        Ok(())
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        self.take(N as u64)?;
        let mut bytes = [0; N];
        self.reader.read_exact(&mut bytes).map_err(Error::io("read", &self.path))?;
        Ok(bytes)
    }

    fn u64(&mut self) -> Result<u64> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    fn text(&mut self, most: u64) -> Result<String> {
        let (start, length) = (self.at, self.u64()?);
        if length > most {
            return self.fault(start, format!("a text of {length} bytes, at most {most} are read"));
        }
        self.take(length)?;
        let mut bytes = vec![0; length as usize];
        self.reader.read_exact(&mut bytes).map_err(Error::io("read", &self.path))?;
        String::from_utf8(bytes).or_else(|_| self.fault(start + 8, "a text that is not UTF-8"))
    }

    fn skip(&mut self, size: u64) -> Result<()> {
        self.take(size)?;
        let mut left = size;
        while left > 0 {
            let step = left.min(1 << 30) as i64;
            self.reader.seek_relative(step).map_err(Error::io("read", &self.path))?;
            left -= step as u64;
        }
        Ok(())
    }

    /// A number of things of at least `least` bytes each.
    fn count(&mut self, least: u64) -> Result<u64> {
        let (start, count) = (self.at, self.u64()?);
        if count > (self.length - self.at) / least {
            return self.fault(start, format!("an array of {count}, for which the file is too short"));
        }
        Ok(count)
    }

    /// A value that is kept; none, and passed over, for a kind that no vocabulary needs.
    fn entry(&mut self, kind: u32) -> Result<Option<Entry>> {
        Ok(match kind {
            4 => Some(Entry::Number(u32::from_le_bytes(self.array()?).into())),
            5 => Some(Entry::Number(i32::from_le_bytes(self.array()?).into())),
            7 => Some(Entry::Flag(self.array::<1>()? != [0])),
            TEXT => Some(Entry::Text(self.text(MAX_TEXT)?)),
            9 => {
                let kind = u32::from_le_bytes(self.array()?);
                match kind {
                    TEXT => Some(Entry::Texts(self.many(8, |input| input.text(MAX_TEXT))?)),
                    5 => Some(Entry::Numbers(self.many(4, |input| Ok(i32::from_le_bytes(input.array()?).into()))?)),
                    4 => Some(Entry::Numbers(self.many(4, |input| Ok(u32::from_le_bytes(input.array()?).into()))?)),
                    6 => Some(Entry::Floats(self.many(4, |input| Ok(f32::from_le_bytes(input.array()?)))?)),
                    other => {
                        self.pass_array(other, 0)?;
                        None
                    }
                }
            }
            other => {
                self.pass(other, 0)?;
                None
            }
        })
    }

    fn many<T>(&mut self, least: u64, read: impl Fn(&mut Self) -> Result<T>) -> Result<Vec<T>> {
        let count = self.count(least)?;
        (0..count).map(|_| read(self)).collect()
    }

    fn pass(&mut self, kind: u32, depth: u32) -> Result<()> {
        match kind {
            9 => {
                let kind = u32::from_le_bytes(self.array()?);
                self.pass_array(kind, depth)
            }
            TEXT => {
                let length = self.u64()?;
                self.skip(length)
            }
            other => match width(other) {
                Some(width) => self.skip(width),
                None => self.fault(self.at - 4, format!("a value of type {other}")),
            },
        }
    }

    fn pass_array(&mut self, kind: u32, depth: u32) -> Result<()> {
        match width(kind) {
            Some(width) => {
                let count = self.count(width)?;
                self.skip(count * width)
            }
            None if depth < MAX_DEPTH && matches!(kind, TEXT | 9) => {
                for _ in 0..self.count(8)? {
                    self.pass(kind, depth + 1)?;
                }
                Ok(())
            }
            None => self.fault(self.at - 4, format!("an array of type {kind}")),
        }
    }
}

/// Bytes of a value whose kind alone says them.
fn width(kind: u32) -> Option<u64> {
    match kind {
        0 | 1 | 7 => Some(1),
        2 | 3 => Some(2),
        4..=6 => Some(4),
        10..=12 => Some(8),
        _ => None,
    }
}
