//! llama.cpp's name for a way to split text.

use serde_json::Value;

/// Patterns as files spell them, and their names in llama.cpp (`llama-vocab.cpp`): where whole words of
/// the vocabulary are taken before any merge (`ignore_merges`), and where not.
const PATTERNS: [(&str, Option<&str>, Option<&str>); 6] = [
    (r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+", None, Some("gpt-2")),
    (
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
        None,
        Some("qwen2"),
    ),
    (
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
        Some("llama-bpe"),
        Some("dbrx"),
    ),
    (
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
        None,
        Some("qwen35"),
    ),
    (
        r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+",
        None,
        Some("gpt-4o"),
    ),
    (
        r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+",
        Some("tekken"),
        None,
    ),
];

/// The name for a `pre_tokenizer`. Without merges there are only bytes, and no split matters.
pub(super) fn name(pre_tokenizer: &Value, ignore_merges: bool, no_merges: bool) -> Result<&'static str, String> {
    let steps = steps(pre_tokenizer);
    if steps.iter().any(|step| step["add_prefix_space"] == true) {
        return Err("puts a space before every text, which llama.cpp does not do here; use a Hugging Face format".to_owned());
    }
    let kinds: Vec<&str> = steps.iter().map(|step| step["type"].as_str().unwrap_or_default()).collect();
    // `ByteLevel` splits as GPT-2 does unless it is told not to.
    let by_itself = steps.last().is_some_and(|last| last["use_regex"] != false);
    let known = match kinds.as_slice() {
        ["ByteLevel"] if no_merges => Some("gpt-2"),
        ["ByteLevel"] if by_itself => pattern(PATTERNS[0].0, ignore_merges),
        ["Digits", "ByteLevel"] if by_itself && steps[0]["individual_digits"] == true && !ignore_merges => Some("smollm"),
        ["Split", "ByteLevel"] if !by_itself && steps[0]["behavior"] == "Isolated" && steps[0]["invert"] != true => {
            steps[0]["pattern"]["Regex"].as_str().and_then(|regex| pattern(regex, ignore_merges))
        }
        _ => None,
    };
    known.ok_or_else(|| {
        let how = serde_json::to_string(pre_tokenizer).unwrap_or_default();
        let how: String = how.chars().take(300).collect();
        format!("splits text in a way that llama.cpp has no name for: {how}; use a Hugging Face format")
    })
}

fn pattern(regex: &str, ignore_merges: bool) -> Option<&'static str> {
    let (_, whole, merged) = PATTERNS.iter().find(|(known, ..)| *known == regex)?;
    if ignore_merges { *whole } else { *merged }
}

/// The steps of a sequence, or the one there is.
fn steps(pre_tokenizer: &Value) -> Vec<&Value> {
    match pre_tokenizer["pretokenizers"].as_array() {
        Some(all) => all.iter().flat_map(steps).collect(),
        None => vec![pre_tokenizer],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn split(regex: &str) -> Value {
        json!({ "type": "Sequence", "pretokenizers": [
            { "type": "Split", "pattern": { "Regex": regex }, "behavior": "Isolated", "invert": false },
            { "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": false, "use_regex": false },
        ] })
    }

    #[test]
    fn known_ways_have_names() {
        let plain = json!({ "type": "ByteLevel", "add_prefix_space": false, "use_regex": true });
        assert_eq!(name(&plain, false, false), Ok("gpt-2"));
        let digits = json!({ "type": "Sequence", "pretokenizers": [{ "type": "Digits", "individual_digits": true }, plain] });
        assert_eq!(name(&digits, false, false), Ok("smollm"));
        assert_eq!(name(&split(PATTERNS[1].0), false, false), Ok("qwen2"));
        assert_eq!(name(&split(PATTERNS[2].0), true, false), Ok("llama-bpe"));
        assert_eq!(name(&split(PATTERNS[2].0), false, false), Ok("dbrx"));
        let bytes = json!({ "type": "ByteLevel", "add_prefix_space": false, "use_regex": false });
        assert_eq!(name(&bytes, false, true), Ok("gpt-2"));
        // Merges without a split reach over words.
        assert!(name(&bytes, false, false).is_err());
    }

    #[test]
    fn other_ways_are_refused() {
        assert!(name(&split(r"\w+"), false, false).unwrap_err().contains(r"\\w+"));
        assert!(name(&split(PATTERNS[1].0), true, false).is_err());
        let spaced = json!({ "type": "ByteLevel", "add_prefix_space": true, "use_regex": true });
        assert!(name(&spaced, false, false).unwrap_err().contains("space before"));
        assert!(name(&Value::Null, false, false).is_err());
        let mut removed = split(PATTERNS[1].0);
        removed["pretokenizers"][0]["behavior"] = json!("Removed");
        assert!(name(&removed, false, false).is_err());
    }
}
