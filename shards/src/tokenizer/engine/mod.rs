//! Encoders of our own, with the ids of the `tokenizers` crate and of SentencePiece. [`characters`] is the one
//! for BPE of characters; the rest is for byte-level BPE:
//!
//! 1. [`load`] reads a tokenizer.json, or says why the library has to encode with it.
//! 2. [`added`] finds added tokens in a text, [`nfc`] normalizes what is between them.
//! 3. [`scan`] splits that into pre-tokens by one of the patterns of [`pattern`]; [`stops`] and [`runs`] help. For most patterns [`starts`]
//!    does so for all pre-tokens of a [`window`] at once.
//! 4. [`bridges`] says where a pre-token with Hangul or other wide characters may be cut.
//! 5. [`pieces`] looks pieces up by their [`keys`], [`cache`] and [`long_cache`] remember them, [`tokens`] knows those that are tokens, and [`merge`]
//!    encodes the rest by the merges in [`pairs`].
//!
//! A text is never cut elsewhere, however long it is.

mod added;
mod batch;
mod bridges;
mod cache;
mod characters;
mod class_runs;
mod classes;
mod encode;
mod folds;
mod hash;
mod keys;
mod load;
mod long_cache;
mod merge;
mod nfc;
mod pairs;
mod pattern;
mod pieces;
mod runs;
mod scan;
mod starts;
mod state;
mod stops;
mod tokens;
mod utf8;
mod window;

#[cfg(test)]
pub(super) mod tests;

use std::fmt;

use serde_json::Value;

use added::Matcher;
use bridges::Bridges;
pub(crate) use characters::Characters;
use folds::Folds;
pub(crate) use load::{Model, added_ids};
use merge::Merger;
use pairs::Pairs;
pub(crate) use pattern::{KNOWN, Rules};
pub(crate) use scan::Scanner;
use tokens::Tokens;

/// Why a tokenizer.json is left to the library.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unsupported(pub(crate) String);

impl fmt::Display for Unsupported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The model of a tokenizer.json of the kind that the engine knows.
pub(crate) fn read(file: &Value) -> Result<Model, Unsupported> {
    load::read(file).map(|file| file.model)
}

/// The tables of a tokenizer.json, to be used on any thread.
pub(crate) struct Engine {
    number: u64,
    raw: Matcher,
    normalized: Matcher,
    normalize: bool,
    scanner: Scanner,
    bridges: Bridges,
    /// Tokens that their own bytes are merged to.
    tokens: Tokens,
    /// Other tokens, which only a whole pre-token becomes.
    irregular: Tokens,
    whole_mark: u128,
    pairs: Pairs,
    folds: Folds,
    /// By id, 64 in a word: whether text can become it.
    reachable: Vec<u64>,
}

impl Engine {
    /// An engine for a tokenizer.json whose special tokens stay text.
    pub(crate) fn from_json(file: &Value) -> Result<Self, Unsupported> {
        let file = load::read(file)?;
        let model = file.model;
        let pairs = Pairs::new(&model.merges, model.byte_ids);
        let mut merger = Merger::default();
        let (regular, irregular): (Vec<_>, Vec<_>) =
            model.tokens.iter().map(|(bytes, id)| (&bytes[..], *id)).partition(|(bytes, id)| merger.merge(bytes, &pairs) == [*id]);
        let irregular = if model.ignore_merges { irregular } else { Vec::new() };

        let mut reachable = Vec::new();
        let merged = model.merges.iter().map(|merge| merge.2).chain(model.byte_ids);
        let added = file.raw.iter().chain(&file.normalized).filter_map(|token| token.id);
        merged.chain(added).chain(irregular.iter().map(|(_, id)| *id)).for_each(|id| set(&mut reachable, id));
        let tokens = model.tokens.iter().filter(|(_, id)| has(&reachable, *id));
        Ok(Self {
            number: state::unique(),
            bridges: Bridges::new(tokens.map(|(bytes, _)| &bytes[..])),
            raw: Matcher::new(file.raw),
            normalized: Matcher::new(file.normalized),
            normalize: file.normalize,
            scanner: Scanner::new(file.rules),
            tokens: Tokens::new(&regular),
            whole_mark: Self::whole_mark(!irregular.is_empty()),
            irregular: Tokens::new(&irregular),
            folds: Folds::new(&model.merges, &pairs),
            pairs,
            reachable,
        })
    }

    /// An encoder with a cache of its own.
    #[cfg(test)]
    pub(crate) fn encoder(&self) -> encode::Encoder<'_> {
        encode::Encoder { engine: self, state: state::State::new() }
    }

    /// Ids of a text, with the cache of this thread.
    pub(crate) fn encode(&self, text: &str) -> Vec<u32> {
        let mut ids = Vec::with_capacity(text.len() / 3 + 4);
        state::with(self.number, |state| self.encode_with(state, text, &mut ids));
        ids
    }

    /// Whether some text becomes the id.
    pub(crate) fn reaches(&self, id: u32) -> bool {
        has(&self.reachable, id)
    }
}

fn has(set: &[u64], id: u32) -> bool {
    set.get(id as usize / 64).is_some_and(|word| word >> (id % 64) & 1 != 0)
}

fn set(set: &mut Vec<u64>, id: u32) {
    let word = id as usize / 64;
    if set.len() <= word {
        set.resize(word + 1, 0);
    }
    set[word] |= 1 << (id % 64);
}
