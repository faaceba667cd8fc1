//! BPE of characters, with the ids of the `tokenizers` crate and of SentencePiece: Llama 2, Mistral 7B, Gemma.
//!
//! Here a text is one word, and the mark `▁` stands for its spaces. What the byte-level engine does to a
//! pre-token is done to the text: it is cut between characters that stand side by side in no token that
//! merges make ([`borders`]), which is exact, and its pieces are looked up and merged one by one.
//!
//! [`json`] and [`model`] read the two kinds of file into a [`Spec`]. Inside, a space stands for the mark.

mod borders;
mod json;
mod model;
mod symbols;

#[cfg(test)]
mod tests;

use std::borrow::Cow;

use serde_json::Value;

use super::added::{Added, Matcher};
use super::keys;
use super::merge::Merger;
use super::pairs::{MAX_ID, Pairs};
use super::pieces::PieceModel;
use super::state::{self, State};
use super::tokens::Tokens;
use super::utf8::char_at;
use super::{Unsupported, has, set};
use borders::Borders;
use symbols::Symbols;

/// What stands for a space in a vocabulary.
const MARK: char = '\u{2581}';

/// The symbol of an unknown character; no id is as large.
const UNKNOWN: u32 = MAX_ID;

/// When a text gets a space before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lead {
    Never,
    /// Every section between added tokens does, before those that are looked for in normalized text are.
    Always,
    /// What is between all added tokens does, unless it begins with a space.
    IfMissing,
    /// The same, at the beginning of the text alone.
    IfFirst,
}

/// What an unknown character becomes.
enum Unknown {
    /// Its bytes.
    Bytes(Box<[u32; 256]>),
    /// One id, or one for each run of such characters.
    Id { id: u32, fuse: bool },
}

/// What a file says of a tokenizer, as the engine needs it.
struct Spec {
    /// Added tokens that are looked for in the text as it is.
    raw: Vec<Added>,
    /// Added tokens that are looked for after normalization.
    normalized: Vec<Added>,
    /// Whether a space and the mark are the same.
    marked: bool,
    lead: Lead,
    /// Whether nothing is merged across the beginning of a word.
    split: bool,
    /// Symbols of characters. From `hidden` on they are not in the vocabulary, but some token has such a character.
    characters: Vec<(char, u32)>,
    hidden: u32,
    /// Left and right symbol and rank.
    merges: Vec<(u32, u32, u32)>,
    /// What each rank makes, and what pairs make where it does not say: see [`Pairs::ranked`].
    by_rank: Vec<u32>,
    tied: Vec<(u32, u32, u32)>,
    /// All tokens that merges make.
    made: Vec<(u32, String)>,
    unknown: Unknown,
}

/// The tables of a tokenizer, to be used on any thread.
pub(crate) struct Characters {
    number: u64,
    raw: Matcher,
    normalized: Matcher,
    marked: bool,
    lead: Lead,
    split: bool,
    symbols: Symbols,
    unknown: Unknown,
    borders: Borders,
    /// Tokens that their own characters are merged to.
    tokens: Tokens,
    pairs: Pairs,
    reachable: Vec<u64>,
}

impl Characters {
    /// An engine for a tokenizer.json whose special tokens stay text.
    pub(crate) fn from_json(file: &Value) -> Result<Self, Unsupported> {
        json::read(file).map(Self::new)
    }

    /// An engine for a SentencePiece model. It takes text as the library normalizes it, and does that itself
    /// where it is no more than the mark: see [`Characters::normalizes`].
    pub(crate) fn from_model(file: &[u8]) -> Result<(Self, bool), Unsupported> {
        let (spec, normalizes) = model::read(file)?;
        Ok((Self::new(spec), normalizes))
    }

    fn new(spec: Spec) -> Self {
        let mut reachable = Vec::new();
        let vocabulary = spec.characters.iter().map(|(_, id)| *id).filter(|&id| id < spec.hidden);
        let added = spec.raw.iter().chain(&spec.normalized).filter_map(|token| token.id);
        let unknown = match &spec.unknown {
            Unknown::Bytes(ids) => ids.to_vec(),
            Unknown::Id { id, .. } => vec![*id],
        };
        vocabulary.chain(added).chain(unknown).chain(spec.made.iter().map(|(id, _)| *id)).for_each(|id| set(&mut reachable, id));
        let pairs = Pairs::ranked(spec.merges.into_iter(), spec.by_rank, &spec.tied);
        let symbols = Symbols::new(&spec.characters, spec.hidden);
        let mut merger = Merger::default();
        let mut regular = |text: &str| {
            let spelled: Option<Vec<u32>> = text.chars().map(|character| symbols.get(character as u32)).collect();
            spelled.and_then(|spelled| match merger.merge_symbols(spelled.into_iter(), &pairs) {
                [id] => Some(*id),
                _ => None,
            })
        };
        let texts = spec.made.iter().map(|(_, text)| text.as_str());
        let mut tokens: Vec<(&[u8], u32)> = texts.clone().filter_map(|text| Some((text.as_bytes(), regular(text)?))).collect();
        tokens.sort_unstable();
        tokens.dedup();
        Self {
            number: state::unique(),
            borders: Borders::new(texts),
            tokens: Tokens::new(&tokens),
            raw: Matcher::new(spec.raw),
            normalized: Matcher::new(spec.normalized),
            marked: spec.marked,
            lead: spec.lead,
            split: spec.split,
            symbols,
            unknown: spec.unknown,
            pairs,
            reachable,
        }
    }

    /// Whether some text becomes the id.
    pub(crate) fn reaches(&self, id: u32) -> bool {
        has(&self.reachable, id)
    }

    /// Ids of a text, with the cache of this thread.
    pub(crate) fn encode(&self, text: &str) -> Vec<u32> {
        let mut ids = Vec::with_capacity(text.len() / 3 + 4);
        state::with(self.number, |state| self.encode_with(state, text, &mut ids));
        ids
    }

    fn encode_with(&self, state: &mut State, text: &str, out: &mut Vec<u32>) {
        let mut done = 0;
        while let Some((start, end, id)) = self.raw.next(text, done) {
            self.section(state, &text[done..start], done == 0, out);
            out.push(id);
            done = end;
        }
        self.section(state, &text[done..], done == 0, out);
    }

    /// A text without tokens that are looked for before normalization.
    fn section(&self, state: &mut State, text: &str, first: bool, out: &mut Vec<u32>) {
        if text.is_empty() {
            return;
        }
        let text = self.spaced(text);
        let mut done = 0;
        while let Some((start, end, id)) = self.normalized.next(&text, done) {
            self.stretch(state, &text[done..start], first && done == 0, out);
            out.push(id);
            done = end;
        }
        self.stretch(state, &text[done..], first && done == 0, out);
    }

    /// The text with spaces for marks, and one before it where every text gets one.
    fn spaced<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let mut text = Cow::Borrowed(text);
        if self.marked && text.contains(MARK) {
            text = Cow::Owned(text.replace(MARK, " "));
        }
        if self.lead == Lead::Always {
            text = Cow::Owned(format!(" {text}"));
        }
        text
    }

    /// A text without added tokens.
    fn stretch(&self, state: &mut State, text: &str, first: bool, out: &mut Vec<u32>) {
        if text.is_empty() {
            return;
        }
        let lead = match self.lead {
            Lead::Never | Lead::Always => false,
            Lead::IfMissing => !text.starts_with(' '),
            Lead::IfFirst => first && !text.starts_with(' '),
        };
        let from = out.len();
        if lead {
            self.pieces(state, format!(" {text}").as_bytes(), out);
        } else {
            self.pieces(state, text.as_bytes(), out);
        }
        if let Unknown::Id { id, fuse: true } = self.unknown {
            fuse(out, from, id);
        }
    }

    /// Cuts a text, and appends the ids of its pieces.
    fn pieces(&self, state: &mut State, text: &[u8], out: &mut Vec<u32>) {
        let (mut left, mut at) = char_at(text, 0);
        let mut piece = 0;
        while at < text.len() {
            let (right, length) = char_at(text, at);
            if self.borders.can_cut(left, right) || self.split && right == u32::from(b' ') {
                self.piece(state, text, piece, at, out);
                piece = at;
            }
            left = right;
            at += length;
        }
        self.piece(state, text, piece, text.len(), out);
        self.flush(state, text, out);
    }

    #[inline]
    fn piece(&self, state: &mut State, text: &[u8], start: usize, end: usize, out: &mut Vec<u32>) {
        if state.batch.push(keys::key_if_short(text, start, end), start, end) {
            self.flush(state, text, out);
        }
    }

    /// Appends the ids of an unknown character.
    fn spell(&self, code: u32, out: &mut Vec<u32>) {
        match &self.unknown {
            Unknown::Bytes(ids) => {
                let mark = self.marked && code == u32::from(b' ');
                let character = if mark { MARK } else { char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER) };
                out.extend(character.encode_utf8(&mut [0; 4]).bytes().map(|byte| ids[usize::from(byte)]));
            }
            Unknown::Id { id, .. } => out.push(*id),
        }
    }
}

impl PieceModel for Characters {
    fn touch(&self, key: u128) -> u64 {
        self.tokens.touch(key)
    }

    fn merge(&self, state: &mut State, piece: &[u8], _whole: bool, out: &mut Vec<u32>) {
        if let Some(id) = self.tokens.get(piece) {
            out.push(id);
            return;
        }
        let (code, length) = char_at(piece, 0);
        if length == piece.len() {
            match self.symbols.get(code).filter(|&symbol| self.symbols.hidden(symbol).is_none()) {
                Some(id) => out.push(id),
                None => self.spell(code, out),
            }
            return;
        }
        let symbols = codes(piece).map(|code| self.symbols.get(code).unwrap_or(UNKNOWN));
        // Nothing is merged with unknown characters, so they keep their order.
        let mut unknown = codes(piece).filter(|&code| self.symbols.get(code).is_none());
        for &symbol in state.merger.merge_symbols(symbols, &self.pairs) {
            let code = if symbol == UNKNOWN { unknown.next() } else { self.symbols.hidden(symbol) };
            match code {
                None => out.push(symbol),
                Some(code) => self.spell(code, out),
            }
        }
        state.merger.shrink();
    }
}

/// The characters of a piece.
fn codes(piece: &[u8]) -> impl Iterator<Item = u32> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let (code, length) = char_at(piece, at);
        at += length;
        (at <= piece.len()).then_some(code)
    })
}

/// Leaves one of each run of an id, from `from` on.
fn fuse(ids: &mut Vec<u32>, from: usize, id: u32) {
    if !ids[from..].windows(2).any(|two| two == [id, id]) {
        return;
    }
    let mut end = from;
    for at in from..ids.len() {
        if at == from || ids[at] != id || ids[end - 1] != id {
            ids[end] = ids[at];
            end += 1;
        }
    }
    ids.truncate(end);
}
