//! A SentencePiece model: normalized and decoded by the C++ library, and encoded by it where its engine is not ours.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::OnceLock;

use ::sentencepiece::{SentencePieceError, SentencePieceProcessor};

use super::engine::{Characters, Unsupported};
use super::lost::{Lost, Weights, dense_bytes};
use super::proto::{self, PieceKind};
use super::special::{self, Spelling};
use super::{Entry, MAX_VOCAB, cut};
use crate::error::{Error, Result};

/// A loaded SentencePiece model.
pub struct SentencePiece {
    inner: SentencePieceProcessor,
    /// Encodes in the library's place, where it knows the kind of model.
    pub(crate) engine: std::result::Result<Characters, Unsupported>,
    /// Whether the engine normalizes, too.
    normalizes: bool,
    /// The file as it came.
    pub(crate) model: Vec<u8>,
    /// By id.
    pub(crate) vocab: Vec<Entry>,
    pub(crate) eos: (u32, String),
    /// Pieces of one character, and pieces for one byte.
    characters: BTreeMap<char, u32>,
    bytes: BTreeMap<u8, u32>,
    unknown: u32,
    /// By id, how much of a text it stands for, once it is asked for.
    weights: OnceLock<Weights>,
    /// Whether the model puts a space before, or after, every text.
    pub(crate) pads: bool,
}

impl fmt::Debug for SentencePiece {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SentencePiece").field("vocab_size", &self.vocab.len()).field("eos", &self.eos).finish_non_exhaustive()
    }
}

fn fail(operation: &'static str) -> impl Fn(SentencePieceError) -> Error {
    move |error| Error::Tokenizer { operation, detail: error.to_string() }
}

impl SentencePiece {
    pub(crate) fn from_model(model: Vec<u8>, eos: Option<&str>) -> Result<Self> {
        let refuse = |detail: String| Error::Tokenizer { operation: "load the tokenizer", detail };
        let pieces = proto::pieces(&model, MAX_VOCAB).map_err(refuse)?;
        let inner = SentencePieceProcessor::from_serialized_proto(&model).map_err(fail("load the tokenizer"))?;
        if inner.len() != pieces.len() {
            let detail = format!("{} pieces read, the library has {}", pieces.len(), inner.len());
            return Err(refuse(detail));
        }
        let (mut characters, mut bytes) = (BTreeMap::new(), BTreeMap::new());
        let mut vocab = Vec::with_capacity(pieces.len());
        for (id, piece) in pieces.into_iter().enumerate() {
            let id = id as u32;
            match (piece.kind, byte_piece(&piece.text)) {
                (PieceKind::Byte, Some(byte)) => drop(bytes.insert(byte, id)),
                (PieceKind::Normal, _) => {
                    let mut letters = piece.text.chars();
                    if let (Some(letter), None) = (letters.next(), letters.next()) {
                        characters.insert(letter, id);
                    }
                }
                _ => {}
            }
            let special = piece.kind == PieceKind::Control || piece.kind == PieceKind::UserDefined && special::is_control(&piece.text);
            vocab.push(Entry { token: Some(piece.text), special });
        }
        let named = |id: u32| vocab.get(id as usize).and_then(|entry: &Entry| entry.token.clone());
        let own = inner.eos_id().and_then(|id| Some((id, named(id)?)));
        let eos = match (eos, own) {
            (None, Some(own)) => own,
            (wanted, _) => special::find_eos(&vocab, wanted)?,
        };
        vocab[eos.0 as usize].special = true;
        let unknown = inner.unk_id();
        let (engine, normalizes) = match Characters::from_model(&model) {
            Ok((engine, normalizes)) => (Ok(engine), normalizes),
            Err(unsupported) => (Err(unsupported), false),
        };
        let pads = inner.normalize("x").map_err(fail("load the tokenizer"))? != "x";
        Ok(Self { inner, engine, normalizes, model, vocab, eos, characters, bytes, unknown, weights: OnceLock::new(), pads })
    }

    /// The start token.
    pub(crate) fn bos(&self) -> Option<u32> {
        self.inner.bos_id()
    }

    /// Ids of a text in one go, by the library.
    pub(crate) fn encode_whole(&self, text: &str) -> Result<Vec<u32>> {
        let pieces = self.inner.encode(text).map_err(fail("encode text"))?;
        Ok(pieces.into_iter().map(|piece| piece.id).collect())
    }

    pub(crate) fn encode(&self, text: &str) -> Result<Vec<u32>> {
        let ids = match &self.engine {
            Ok(engine) if self.normalizes => engine.encode(text),
            Ok(engine) => cut::encode(text, cut::PART_BYTES, self.pads, |part| {
                Ok(engine.encode(&self.inner.normalize(part).map_err(fail("normalize text"))?))
            })?,
            Err(_) => cut::encode(text, cut::PART_BYTES, self.pads, |part| self.encode_whole(part))?,
        };
        special::spell_out(ids, &self.vocab, |unit| match unit {
            Spelling::Character(c) => self.characters.get(&c).copied(),
            Spelling::Byte(byte) => Some(self.bytes.get(&byte).copied().unwrap_or(self.unknown)),
        })
    }

    pub(crate) fn decode(&self, ids: &[u32]) -> Result<String> {
        let plain = |id: &u32| self.vocab.get(*id as usize).is_some_and(|entry| !entry.special);
        let ids: Vec<u32> = ids.iter().copied().filter(plain).collect();
        if ids.is_empty() {
            return Ok(String::new());
        }
        self.inner.decode_piece_ids(&ids).map_err(fail("decode ids"))
    }

    pub(crate) fn lost(&self, text: &str, ids: &[u32]) -> Lost {
        let weight = |entry: &Entry| {
            let piece = entry.token.as_deref().filter(|_| !entry.special);
            piece.map_or(0, |piece| byte_piece(piece).map_or_else(|| dense_bytes(piece), |byte| u64::from(!byte.is_ascii_whitespace())))
        };
        let weights = self.weights.get_or_init(|| Weights {
            bytes: self.vocab.iter().map(weight).collect(),
            unknown: Some(self.unknown),
            spaces: false,
        });
        weights.lost(text, ids, || self.inner.normalize(text).ok())
    }

    /// Whether a token is a byte of a longer character.
    pub(crate) fn is_partial(&self, id: u32) -> bool {
        let token = self.vocab.get(id as usize).and_then(|entry| entry.token.as_deref());
        token.and_then(byte_piece).is_some_and(|byte| !byte.is_ascii())
    }

    pub(crate) fn token_text(&self, id: u32) -> Option<String> {
        let token = self.vocab.get(id as usize)?.token.as_ref()?;
        Some(token.replace('\u{2581}', " "))
    }

    pub(crate) fn token_bytes(&self, id: u32) -> Option<Vec<u8>> {
        self.vocab.get(id as usize)?.token.as_deref().map(piece_bytes)
    }
}

/// The bytes that a piece stands for: one of a piece such as `<0x0A>`, else those of its text.
pub(crate) fn piece_bytes(piece: &str) -> Vec<u8> {
    byte_piece(piece).map_or_else(|| piece.replace('\u{2581}', " ").into_bytes(), |byte| vec![byte])
}

/// The byte of a piece such as `<0x0A>`.
pub(crate) fn byte_piece(text: &str) -> Option<u8> {
    let digits = text.strip_prefix("<0x")?.strip_suffix('>')?;
    u8::from_str_radix(digits, 16).ok().filter(|_| digits.len() == 2)
}
