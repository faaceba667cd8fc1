//! Reads from a tokenizer.json what the engine needs, and says why where it cannot take over.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use super::added::Added;
use super::nfc::nfc;
use super::pairs::{MAX_ID, MAX_MERGES};
use super::pattern::{self, Rules, Stops};
use super::{Unsupported, has, set};
use crate::tokenizer::byte_level;

/// A tokenizer.json of the kind that the engine knows.
pub(super) struct File {
    pub(super) rules: Rules,
    /// Whether text is brought into form C.
    pub(super) normalize: bool,
    pub(super) model: Model,
    /// Added tokens that are looked for in the text as it is.
    pub(super) raw: Vec<Added>,
    /// Added tokens that are looked for after normalization.
    pub(super) normalized: Vec<Added>,
}

/// A byte-level BPE.
pub(crate) struct Model {
    /// All tokens that are written in the byte alphabet.
    pub(crate) tokens: Vec<(Vec<u8>, u32)>,
    /// By rank: left, right, result.
    pub(crate) merges: Vec<(u32, u32, u32)>,
    pub(crate) byte_ids: [u32; 256],
    /// Whether a pre-token that is a token becomes it, whatever the merges say.
    pub(crate) ignore_merges: bool,
}

/// Ids by token.
pub(super) type Vocab<'f> = HashMap<&'f str, u32, ahash::RandomState>;

pub(super) type Result<T> = std::result::Result<T, Unsupported>;

pub(super) fn no<T>(reason: impl Into<String>) -> Result<T> {
    Err(Unsupported(reason.into()))
}

pub(super) fn read(file: &Value) -> Result<File> {
    if !file["truncation"].is_null() || !file["padding"].is_null() {
        return no("truncation or padding");
    }
    let normalize = normalizer(&file["normalizer"])?;
    let rules = pre_tokenizer(&file["pre_tokenizer"])?;
    let (model, vocab) = model(&file["model"])?;
    let form = |content: &str| if normalize { nfc(content) } else { None };
    let (raw, normalized) = added(&file["added_tokens"], &vocab, form)?;
    Ok(File { rules, normalize, model, raw, normalized })
}

pub(super) fn is(part: &Value, kind: &str) -> bool {
    part["type"].as_str() == Some(kind)
}

fn normalizer(part: &Value) -> Result<bool> {
    match part["normalizers"].as_array().map(Vec::as_slice) {
        _ if part.is_null() => Ok(false),
        _ if is(part, "NFC") => Ok(true),
        Some([]) => Ok(false),
        Some([only]) => normalizer(only),
        _ => no(format!("normalizer {}", part["type"])),
    }
}

pub(super) fn pre_tokenizer(part: &Value) -> Result<Rules> {
    let parts = part["pretokenizers"].as_array().map_or(std::slice::from_ref(part), Vec::as_slice);
    let Some((bytes, splits)) = parts.split_last() else {
        return no("a sequence of no pre-tokenizers");
    };
    if !is(bytes, "ByteLevel") || bytes["add_prefix_space"] != false {
        return no(format!("pre-tokenizer {}", bytes["type"]));
    }
    let (stops, splits) = match splits {
        [digits, rest @ ..] if is(digits, "Digits") && digits["individual_digits"] == true => (Stops::Digit, rest),
        [digits, rest @ ..] if is(digits, "Digits") => (Stops::Digits, rest),
        _ => (Stops::None, splits),
    };
    let rules = match (splits, bytes["use_regex"] != false) {
        ([], true) => pattern::GPT2,
        ([], false) => return no("no splitting pattern"),
        (_, true) => return no("a pre-tokenizer other than isolated splits and bytes"),
        (_, false) => {
            let patterns = splits.iter().map(|split| regex(split, splits.len() == 1)).collect::<Result<Vec<&str>>>()?;
            pattern::find(&patterns).ok_or_else(|| Unsupported(format!("splitting pattern {:?}", patterns.join("\" then \""))))?
        }
    };
    match (stops, rules.stops) {
        (Stops::None, _) => Ok(rules),
        (_, Stops::None) => Ok(Rules { stops, ..rules }),
        _ => no("digits split twice"),
    }
}

/// The regular expression of a split that keeps all of the text. Where the only one takes every character, removing
/// what is left between its matches removes nothing.
fn regex(split: &Value, only: bool) -> Result<&str> {
    let isolated = split["behavior"] == "Isolated" && split["invert"] == false;
    let matches = only && split["behavior"] == "Removed" && split["invert"] == true;
    if !is(split, "Split") || !(isolated || matches) {
        return no("a pre-tokenizer other than isolated splits and bytes");
    }
    Ok(split["pattern"]["Regex"].as_str().unwrap_or_default())
}

fn bytes_of(token: &str) -> Option<Vec<u8>> {
    token.chars().map(byte_level::byte_of).collect()
}

fn model(part: &Value) -> Result<(Model, Vocab<'_>)> {
    let vocab = vocab(part)?;
    let mut tokens: Vec<(Vec<u8>, u32)> = vocab.iter().filter_map(|(token, &id)| Some((bytes_of(token)?, id))).collect();
    tokens.retain(|(bytes, _)| !bytes.is_empty());
    tokens.sort_unstable_by_key(|(_, id)| *id);
    let mut byte_ids = [0; 256];
    for (byte, id) in (0..=255).zip(&mut byte_ids) {
        match vocab.get(&*byte_level::char_of(byte).encode_utf8(&mut [0; 4])) {
            Some(&found) => *id = found,
            None => return no(format!("no token for byte {byte}")),
        }
    }
    let merges = merges(&part["merges"], &vocab)?;
    Ok((Model { tokens, merges, byte_ids, ignore_merges: part["ignore_merges"] == true }, vocab))
}

/// The vocabulary of a BPE without what the engine does not know.
pub(super) fn vocab(part: &Value) -> Result<Vocab<'_>> {
    let plain = |name: &str| part[name].is_null() || part[name] == "";
    if part["type"].as_str().is_some_and(|kind| kind != "BPE") || !part["merges"].is_array() {
        return no("a model other than BPE");
    }
    if !plain("continuing_subword_prefix") || !plain("end_of_word_suffix") || part["dropout"].as_f64().is_some_and(|rate| rate != 0.0) {
        return no("affixes or dropout");
    }
    let Some(table) = part["vocab"].as_object() else {
        return no("no vocabulary");
    };
    let mut vocab = Vocab::with_capacity_and_hasher(table.len(), ahash::RandomState::new());
    let mut used = Vec::new();
    for (token, id) in table {
        let id = id.as_u64().and_then(|id| u32::try_from(id).ok()).filter(|&id| id <= MAX_ID && !has(&used, id));
        let Some(id) = id else {
            return no(format!("the id of {token:?}"));
        };
        set(&mut used, id);
        vocab.insert(token.as_str(), id);
    }
    Ok(vocab)
}

/// Merges as pairs of strings, or as lines with a space between them, as older files have it.
pub(super) fn merges(list: &Value, vocab: &Vocab<'_>) -> Result<Vec<(u32, u32, u32)>> {
    let (mut merges, mut joined) = (Vec::new(), String::new());
    for (index, merge) in list.as_array().into_iter().flatten().enumerate() {
        let pair = match merge {
            Value::String(line) if line.starts_with("#version") => continue,
            Value::String(line) => line.split_once(' ').filter(|(_, right)| !right.contains(' ')),
            other => match other.as_array().map(Vec::as_slice) {
                Some([left, right]) => left.as_str().zip(right.as_str()),
                _ => None,
            },
        };
        let ids = pair.and_then(|(left, right)| {
            joined.clear();
            joined.extend([left, right]);
            Some((*vocab.get(left)?, *vocab.get(right)?, *vocab.get(joined.as_str())?))
        });
        match ids {
            Some(ids) => merges.push(ids),
            None => return no(format!("merge {index}")),
        }
    }
    if merges.len() > MAX_MERGES {
        return no(format!("{} merges", merges.len()));
    }
    Ok(merges)
}

/// Added tokens that are not empty, with the ids that the library gives them: those of the vocabulary, of which it is told, else the next free
/// ones, whatever the file says.
pub(crate) fn added_ids(list: &[Value], size: u32, id_of: impl Fn(&str) -> Option<u32>) -> impl Iterator<Item = (&Value, u32)> {
    let mut next = size..;
    list.iter().filter_map(move |token| {
        let content = token["content"].as_str().filter(|content| !content.is_empty())?;
        Some((token, id_of(content).or_else(|| next.next())?))
    })
}

/// Added tokens as they are looked for. `form` is what normalization makes of one, if anything else.
pub(super) fn added(list: &Value, vocab: &Vocab<'_>, form: impl Fn(&str) -> Option<String>) -> Result<(Vec<Added>, Vec<Added>)> {
    let (mut raw, mut normalized) = (Vec::new(), Vec::new());
    let (mut contents, mut ids) = (HashSet::new(), HashSet::new());
    let list = list.as_array().map_or(&[][..], Vec::as_slice);
    for (token, id) in added_ids(list, vocab.len() as u32, |token| vocab.get(token).copied()) {
        let content = token["content"].as_str().unwrap_or_default();
        if !contents.insert(content) || !ids.insert(id) {
            return no(format!("two added tokens {content:?} or two with its id"));
        }
        let special = token["special"] == true;
        let trims = ["single_word", "lstrip", "rstrip"].iter().any(|&option| token[option] == true);
        if trims && !special {
            return no(format!("added token {content:?}, which takes up or forbids what is around it"));
        }
        let id = (!special).then_some(id);
        if token["normalized"] == true {
            normalized.push(Added { content: form(content).unwrap_or_else(|| content.to_owned()), id });
        } else {
            raw.push(Added { content: content.to_owned(), id });
        }
    }
    Ok((raw, normalized))
}
