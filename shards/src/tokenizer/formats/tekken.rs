//! Mistral's tekken.json: ranks with their bytes in base64, of which the first so many are used; special
//! tokens come before them (mistral-common, `tokens/tokenizers/tekken.py`).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::byte_bpe::ByteBpe;
use crate::error::Result;
use crate::tokenizer::MAX_VOCAB;

/// The special tokens of files up to version 7 that name none.
const DEFAULT: [&str; 20] = [
    "<unk>",
    "<s>",
    "</s>",
    "[INST]",
    "[/INST]",
    "[AVAILABLE_TOOLS]",
    "[/AVAILABLE_TOOLS]",
    "[TOOL_RESULTS]",
    "[/TOOL_RESULTS]",
    "[TOOL_CALLS]",
    "[IMG]",
    "<pad>",
    "[IMG_BREAK]",
    "[IMG_END]",
    "[PREFIX]",
    "[MIDDLE]",
    "[SUFFIX]",
    "[SYSTEM_PROMPT]",
    "[/SYSTEM_PROMPT]",
    "[TOOL_CONTENT]",
];

pub(super) fn read(file: &Value) -> Result<ByteBpe> {
    let config = &file["config"];
    let count = |key: &str| match config[key].as_u64().and_then(|count| u32::try_from(count).ok()) {
        Some(count) if count <= MAX_VOCAB => Ok(count),
        _ => super::refuse(format!("`config.{key}` is {}, not a count of tokens", config[key])),
    };
    let Some(pattern) = config["pattern"].as_str() else {
        return super::refuse("`config.pattern` is missing");
    };
    let (size, special_count) = (count("default_vocab_size")?, count("default_num_special_tokens")?);
    let Some(used) = size.checked_sub(special_count) else {
        return super::refuse(format!("{special_count} special tokens in a vocabulary of {size}"));
    };
    let Some(vocab) = file["vocab"].as_array().filter(|vocab| vocab.len() >= used as usize) else {
        return super::refuse(format!("`vocab` has fewer than the {used} tokens that `config` tells of"));
    };
    let mut tokens = Vec::with_capacity(used as usize);
    for (rank, token) in vocab.iter().take(used as usize).enumerate() {
        let bytes = token["token_bytes"].as_str().and_then(|text| STANDARD.decode(text).ok());
        match bytes {
            Some(bytes) if token["rank"] == rank => tokens.push(bytes),
            _ => return super::refuse(format!("token {rank} of `vocab` has not this rank, or no bytes in base64")),
        }
    }
    Ok(ByteBpe { tokens, first: special_count, special: special(file, special_count)?, pattern: pattern.to_owned(), normalize: false })
}

fn special(file: &Value, count: u32) -> Result<Vec<(String, u32)>> {
    let mut names: Vec<Option<String>> = vec![None; count as usize];
    match file["special_tokens"].as_array() {
        Some(listed) => {
            for token in listed {
                let rank = token["rank"].as_u64().and_then(|rank| usize::try_from(rank).ok());
                let place = rank.and_then(|rank| names.get_mut(rank)).filter(|place| place.is_none());
                match (place, token["token_str"].as_str()) {
                    (Some(place), Some(name)) => *place = Some(name.to_owned()),
                    _ => return super::refuse(format!("special token {token} has no name, or no rank of its own below {count}")),
                }
            }
        }
        None => {
            let version = file["config"]["version"].as_str().unwrap_or_default();
            if !matches!(version, "v1" | "v2" | "v3" | "v7") {
                return super::refuse(format!("a file of version {version:?} without `special_tokens`"));
            }
            names.iter_mut().zip(DEFAULT).for_each(|(place, name)| *place = Some(name.to_owned()));
        }
    }
    let named = |(id, name): (usize, Option<String>)| (name.unwrap_or_else(|| format!("<SPECIAL_{id}>")), id as u32);
    Ok(names.into_iter().enumerate().map(named).collect())
}
