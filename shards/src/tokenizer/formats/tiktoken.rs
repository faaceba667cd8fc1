//! `.tiktoken`: one line for each token, its bytes in base64 and its rank.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::VocabularyHints;
use super::byte_bpe::ByteBpe;
use super::ranks::Ranks;
use crate::error::Result;
use crate::tokenizer::config::Pattern;

/// Special tokens of a known file by id.
type Special = &'static [(u32, &'static str)];

/// Files that are known by the number of their ranks: name, ranks, pattern, whether text is brought into
/// form C, special tokens.
const KNOWN: [(&str, usize, Pattern, bool, Special); 5] = [
    ("r50k_base", 50_256, Pattern::Gpt2, false, &[(50_256, "<|endoftext|>")]),
    (
        "cl100k_base",
        100_256,
        Pattern::Llama3,
        false,
        &[
            (100_257, "<|endoftext|>"),
            (100_258, "<|fim_prefix|>"),
            (100_259, "<|fim_middle|>"),
            (100_260, "<|fim_suffix|>"),
            (100_276, "<|endofprompt|>"),
        ],
    ),
    ("o200k_base", 199_998, Pattern::O200k, false, &[(199_999, "<|endoftext|>"), (200_018, "<|endofprompt|>")]),
    (
        "Llama 3",
        128_000,
        Pattern::Llama3,
        false,
        &[
            (128_000, "<|begin_of_text|>"),
            (128_001, "<|end_of_text|>"),
            (128_006, "<|start_header_id|>"),
            (128_007, "<|end_header_id|>"),
            (128_009, "<|eot_id|>"),
        ],
    ),
    ("Qwen", 151_643, Pattern::Qwen2, true, &[(151_643, "<|endoftext|>"), (151_644, "<|im_start|>"), (151_645, "<|im_end|>")]),
];

/// Whether the first line is one of such a file.
pub(crate) fn looks_like_ranks(file: &[u8]) -> bool {
    let line = file.split(|&byte| byte == b'\n').next().unwrap_or_default();
    line.len() < 1 << 16 && parse(line).is_some()
}

fn parse(line: &[u8]) -> Option<(Vec<u8>, u32)> {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let space = line.iter().position(|&byte| byte == b' ')?;
    let rank = std::str::from_utf8(&line[space + 1..]).ok()?.parse().ok()?;
    Some((STANDARD.decode(&line[..space]).ok()?, rank))
}

pub(super) fn read(file: &[u8], hints: &VocabularyHints) -> Result<ByteBpe> {
    let mut tokens = Vec::new();
    for (number, line) in file.split(|&byte| byte == b'\n').enumerate() {
        if line.is_empty() {
            continue;
        }
        match parse(line) {
            Some((token, rank)) if rank as usize == tokens.len() => tokens.push(token),
            Some((_, rank)) => return super::refuse(format!("line {}: rank {rank} where {} comes next", number + 1, tokens.len())),
            None => return super::refuse(format!("line {}: not a token in base64 and its rank", number + 1)),
        }
    }
    let known = KNOWN.iter().find(|known| known.1 == tokens.len());
    let (pattern, normalize, special) = match (hints.pattern, known) {
        (Some(pattern), known) => (pattern, known.is_some_and(|known| known.3 && known.2 == pattern), hints.special.clone()),
        (None, Some((_, _, pattern, normalize, special))) => {
            let own = || special.iter().map(|(id, token)| ((*token).to_owned(), *id)).collect();
            (*pattern, *normalize, if hints.special.is_empty() { own() } else { hints.special.clone() })
        }
        (None, None) => {
            let names = KNOWN.map(|(name, ranks, ..)| format!("{name} ({ranks})"));
            return super::refuse(format!(
                "{} ranks are of no file known here ({}), and the file itself does not say how text is split; \
                 `malmoi tokenizer convert --pattern` says it",
                tokens.len(),
                names.join(", ")
            ));
        }
    };
    if special.is_empty() {
        return super::refuse("a file of ranks has no special token to end documents with; `malmoi tokenizer convert --special` names one");
    }
    for (token, id) in &special {
        if (*id as usize) < tokens.len() {
            return super::refuse(format!("special token `{token}` has the id {id}, which is a rank of the file"));
        }
    }
    Ok(ByteBpe { tokens, first: 0, special, pattern: pattern.regex().to_owned(), normalize })
}

/// The ranks of a tokenizer.json, if they give its ids, and what the file cannot hold.
pub(super) fn write(json: &[u8]) -> Result<(Vec<u8>, Vec<String>)> {
    let no = |reason: String| super::refuse(format!("ranks would not give the same ids: {reason}"));
    let file: Value = match serde_json::from_slice(json) {
        Ok(file) => file,
        Err(error) => return super::refuse(format!("not a tokenizer.json: {error}")),
    };
    let read = match crate::tokenizer::engine::read(&file) {
        Ok(read) => read,
        Err(reason) => return no(format!("this is no byte-level BPE of a known kind ({reason})")),
    };
    let special = |id: u32| {
        let mut added = file["added_tokens"].as_array().into_iter().flatten();
        added.any(|token| token["id"].as_u64() == Some(id.into()))
    };
    let mut tokens: Vec<(u32, &Vec<u8>)> = read.tokens.iter().map(|(bytes, id)| (*id, bytes)).filter(|(id, _)| !special(*id)).collect();
    tokens.sort_unstable();
    if let Some((place, (id, _))) = tokens.iter().enumerate().find(|(place, (id, _))| *place != *id as usize) {
        return no(format!("id {place} is no token that text is merged to, {id} is the next that is"));
    }
    let ids = tokens.len();
    let tokens: Vec<Vec<u8>> = tokens.into_iter().map(|(_, bytes)| bytes.clone()).collect();
    // Merges must come in the order of what they make; beside those that ranks stand for there may be
    // more, which then never come to pass.
    if let Some(pair) = read.merges.windows(2).find(|pair| pair[0].2 > pair[1].2) {
        return no(format!("token {} is merged before token {}", pair[0].2, pair[1].2));
    }
    let made: std::collections::HashSet<(u32, u32, u32)> = read.merges.iter().copied().collect();
    let wanted = Ranks::new(&tokens)?.merges();
    if let Some(pair) = wanted.iter().find(|pair| !made.contains(pair)) {
        return no(format!("token {} is not merged from {} and {}", pair.2, pair.0, pair.1));
    }
    let merged: std::collections::HashSet<u32> = wanted.iter().map(|pair| pair.2).collect();
    if let Some(id) = (0..ids as u32).find(|id| tokens[*id as usize].len() > 1 && !merged.contains(id) && !read.ignore_merges) {
        return no(format!("token {id} is not merged from any two, and a word that spells it becomes it in a file of ranks only"));
    }
    let mut out = Vec::new();
    for (rank, token) in tokens.iter().enumerate() {
        out.extend_from_slice(STANDARD.encode(token).as_bytes());
        out.extend_from_slice(format!(" {rank}\n").as_bytes());
    }
    let mut lacks = vec![format!("the splitting pattern {}", pattern_of(&file))];
    if !file["normalizer"].is_null() {
        lacks.push(format!("the normalizer {}", file["normalizer"]["type"]));
    }
    let added = file["added_tokens"].as_array().map_or(0, Vec::len);
    if added > 0 {
        lacks.push(format!("{added} added tokens"));
    }
    Ok((out, lacks))
}

fn pattern_of(file: &Value) -> String {
    let regex = &file["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"];
    regex.as_str().map_or_else(|| format!("{:?}", Pattern::Gpt2.regex()), |regex| format!("{regex:?}"))
}
