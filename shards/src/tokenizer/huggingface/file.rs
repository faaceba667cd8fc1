//! A tokenizer.json as a JSON value: what it is known by, and what of it must not act on documents.

use serde_json::Value;

use super::refuse;
use crate::error::Result;
use crate::tokenizer::special::{self, EOS_NAMES};

/// BLAKE3 of a file with sorted keys and no layout.
pub(super) fn content_hash(file: &Value) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    canonical(file, &mut hasher);
    *hasher.finalize().as_bytes()
}

/// Takes out what must not act on documents (truncation, padding, added start and end tokens) and
/// marks as special every added token that text must not become.
pub(super) fn prepare(file: &mut Value, eos: Option<&str>) -> Result<()> {
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

/// Whether a part, or a part of it, writes bytes in the byte alphabet.
pub(super) fn uses_byte_level(part: &Value) -> bool {
    match part {
        Value::Object(table) => table.get("type").is_some_and(|kind| kind == "ByteLevel") || table.values().any(uses_byte_level),
        Value::Array(items) => items.iter().any(uses_byte_level),
        _ => false,
    }
}

/// Refuses merges that the library would panic at: what they make is longer than any token, or their right half has not the prefix
/// that is cut off it.
pub(super) fn check_merges(file: &Value) -> std::result::Result<(), String> {
    let model = &file["model"];
    let (Some(vocab), Some(merges)) = (model["vocab"].as_object(), model["merges"].as_array()) else { return Ok(()) };
    let prefix = model["continuing_subword_prefix"].as_str().unwrap_or_default().len();
    let longest = vocab.keys().map(String::len).max().unwrap_or(0);
    for merge in merges {
        let halves = match merge {
            Value::String(merge) => merge.split_once(' '),
            pair => pair[0].as_str().zip(pair[1].as_str()),
        };
        if let Some((left, right)) = halves
            && right.get(prefix..).is_none_or(|right| left.len() + right.len() > longest)
        {
            return Err(format!("the merge of `{left}` and `{right}` makes no token of its vocabulary"));
        }
    }
    Ok(())
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
