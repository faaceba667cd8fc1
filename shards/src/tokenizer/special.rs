//! Which tokens are special, and how text that spells one is kept from becoming it.

use super::Entry;
use crate::chat::Special;
use crate::error::{Error, Result};

/// Names of tokens that end a document, the likeliest first.
pub(crate) const EOS_NAMES: [&str; 9] = [
    "<|endoftext|>",
    "<|end_of_text|>",
    "<\u{ff5c}end\u{2581}of\u{2581}sentence\u{ff5c}>",
    "</s>",
    "<eos>",
    "[EOS]",
    "<|eos|>",
    "<EOS>",
    "<|eot|>",
];

/// Finds the end token: the one asked for; else one with a usual name, among special tokens first;
/// else the only special token.
pub(crate) fn find_eos(vocab: &[Entry], wanted: Option<&str>) -> Result<(u32, String)> {
    let id_of = |name: &str| {
        let at = vocab.iter().position(|entry| entry.token.as_deref() == Some(name))?;
        Some((at as u32, name.to_owned()))
    };
    let special: Vec<&str> = vocab.iter().filter(|entry| entry.special).filter_map(|entry| entry.token.as_deref()).collect();
    let usual = || EOS_NAMES.iter().filter(|name| special.contains(*name)).chain(&EOS_NAMES).find_map(|name| id_of(name));
    let found = match (wanted, &special[..]) {
        (Some(name), _) => id_of(name),
        (None, [only]) => usual().or_else(|| id_of(only)),
        (None, _) => usual(),
    };
    found.ok_or_else(|| Error::MissingEos {
        wanted: wanted.map(str::to_owned),
        candidates: special.iter().take(20).map(|name| (*name).to_owned()).collect(),
    })
}

/// Special tokens of a vocabulary that takes no white space beside them.
pub(crate) fn of(vocab: &[Entry]) -> Vec<Special> {
    let special = |(id, entry): (usize, &Entry)| {
        let text = entry.token.clone().filter(|_| entry.special)?;
        Some(Special { text, id: id as u32, lstrip: false, rstrip: false })
    };
    vocab.iter().enumerate().filter_map(special).collect()
}

/// Whether an added token is control syntax although its file does not call it special: Qwen, for
/// one, lists `<|fim_prefix|>` and `<|repo_name|>` among ordinary tokens.
pub(crate) fn is_control(token: &str) -> bool {
    let bars = token.starts_with("<|") && token.ends_with("|>");
    bars || (token.starts_with("<\u{ff5c}") && token.ends_with("\u{ff5c}>"))
}

/// Replaces ids that text must not become by ids of their characters, for models that match such
/// tokens in text by themselves. `lookup` finds a token of the vocabulary by its spelling, given a
/// character and, where there is none, one of its bytes.
pub(crate) fn spell_out(ids: Vec<u32>, vocab: &[Entry], lookup: impl Fn(Spelling) -> Option<u32>) -> Result<Vec<u32>> {
    let special = |id: u32| vocab.get(id as usize).is_none_or(|entry| entry.special);
    if !ids.iter().any(|&id| special(id)) {
        return Ok(ids);
    }
    let mut out = Vec::with_capacity(ids.len() + 16);
    for id in ids {
        if !special(id) {
            out.push(id);
            continue;
        }
        let token = vocab.get(id as usize).and_then(|entry| entry.token.as_deref());
        let fail = || Error::Tokenizer {
            operation: "encode text",
            detail: format!("it contains the special token {id}, which cannot be spelled out"),
        };
        for character in token.ok_or_else(fail)?.chars() {
            if let Some(id) = lookup(Spelling::Character(character)).filter(|&id| !special(id)) {
                out.push(id);
                continue;
            }
            for &byte in character.encode_utf8(&mut [0; 4]).as_bytes() {
                let id = lookup(Spelling::Byte(byte)).filter(|&id| !special(id));
                out.push(id.ok_or_else(fail)?);
            }
        }
    }
    Ok(out)
}

/// A smallest unit to look up.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Spelling {
    Character(char),
    Byte(u8),
}
