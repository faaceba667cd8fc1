//! What other programs put before a text. Documents of shards never have it; prompts may.

use std::path::Path;

use serde_json::Value;

use super::open::is_gguf;
use super::{Gguf, Tokenizer};
use crate::atomic;
use crate::error::{Error, Result};

/// Longest tokenizer_config.json; those of real tokenizers have some hundred kilobytes.
const MAX_CONFIG: u64 = 16 << 20;

/// See [`Tokenizer::start`].
pub(super) fn of(tokenizer: &Tokenizer, path: &Path) -> Result<Vec<u32>> {
    let known = |ids: Vec<u32>| match ids.iter().find(|id| **id >= tokenizer.vocab_size()) {
        Some(id) => Err(Error::invalid(path, format!("a text begins with id {id}, which is no token of it"))),
        None => Ok(ids),
    };
    if is_gguf(path)? {
        return known(Gguf::open(path)?.start());
    }
    match tokenizer {
        Tokenizer::Bytes(_) => Ok(Vec::new()),
        Tokenizer::HuggingFace(tokenizer) => {
            let file: Value = serde_json::from_slice(&tokenizer.json).map_err(|error| Error::invalid(path, error.to_string()))?;
            known(processor(&file["post_processor"]).map_err(|detail| Error::invalid(path, detail))?)
        }
        Tokenizer::SentencePiece(model) => {
            let config = path.with_file_name("tokenizer_config.json");
            let config: Value = match config.is_file() {
                true => serde_json::from_slice(&atomic::read(&config, MAX_CONFIG)?)
                    .map_err(|error| Error::invalid(&config, error.to_string()))?,
                false => Value::Null,
            };
            Ok(if config["add_bos_token"].as_bool().unwrap_or(true) { model.bos().into_iter().collect() } else { Vec::new() })
        }
    }
}

/// Ids before the text, of a post-processor.
fn processor(processor: &Value) -> std::result::Result<Vec<u32>, String> {
    let id = |value: &Value| {
        value.as_u64().and_then(|id| u32::try_from(id).ok()).ok_or_else(|| format!("its post-processor has the id {value}"))
    };
    match processor["type"].as_str() {
        Some("Sequence") => {
            let all = processor["processors"].as_array().map_or(&[][..], Vec::as_slice);
            // The last one that says something is the outermost.
            all.iter().map(self::processor).collect::<std::result::Result<Vec<_>, _>>().map(|all| all.into_iter().rev().flatten().collect())
        }
        Some("TemplateProcessing") => {
            let pieces = processor["single"].as_array().map_or(&[][..], Vec::as_slice);
            let mut ids = Vec::new();
            for piece in pieces.iter().take_while(|piece| piece.get("Sequence").is_none()) {
                let name = piece["SpecialToken"]["id"].as_str().unwrap_or_default();
                let found = processor["special_tokens"][name]["ids"].as_array();
                let found = found.ok_or_else(|| format!("its post-processor puts {name:?} first and does not say what that is"))?;
                ids.extend(found.iter().map(id).collect::<std::result::Result<Vec<_>, _>>()?);
            }
            Ok(ids)
        }
        Some("BertProcessing" | "RobertaProcessing") => Ok(vec![id(&processor["cls"][1])?]),
        // Of bytes alone, or nothing.
        _ => Ok(Vec::new()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn post_processors_say_what_comes_first() {
        let token = |name: &str| json!({ "SpecialToken": { "id": name, "type_id": 0 } });
        let text = json!({ "Sequence": { "id": "A", "type_id": 0 } });
        let template = |single: Value| {
            json!({ "type": "TemplateProcessing", "single": single,
                "special_tokens": { "<s>": { "id": "<s>", "ids": [1], "tokens": ["<s>"] }, "[2]": { "id": "[2]", "ids": [7, 8], "tokens": ["a", "b"] } } })
        };
        let first = |value: &Value| processor(value).unwrap();
        assert_eq!(first(&Value::Null), [0u32; 0]);
        assert_eq!(first(&json!({ "type": "ByteLevel" })), [0u32; 0]);
        assert_eq!(first(&template(json!([text]))), [0u32; 0]);
        assert_eq!(first(&template(json!([token("<s>"), text, token("<s>")]))), [1]);
        assert_eq!(first(&template(json!([token("<s>"), token("[2]"), text]))), [1, 7, 8]);
        let bytes = json!({ "type": "ByteLevel" });
        assert_eq!(first(&json!({ "type": "Sequence", "processors": [bytes, template(json!([token("<s>"), text]))] })), [1]);
        assert_eq!(first(&json!({ "type": "RobertaProcessing", "cls": ["<s>", 3], "sep": ["</s>", 4] })), [3]);
        assert!(processor(&template(json!([token("<x>"), text]))).unwrap_err().contains("does not say what that is"));
        assert!(processor(&json!({ "type": "BertProcessing", "cls": ["x", -1] })).is_err());
    }

    #[test]
    fn a_sentencepiece_model_begins_as_its_config_says() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokenizer.model");
        let tiny = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data/tiny.model");
        std::fs::copy(tiny, &path).unwrap();
        let tokenizer = Tokenizer::load(&path, None).unwrap();
        assert_eq!(tokenizer.start(&path).unwrap(), [1]);
        for (flag, expected) in [("true", vec![1]), ("false", vec![]), ("null", vec![1])] {
            std::fs::write(folder.path().join("tokenizer_config.json"), format!(r#"{{"add_bos_token": {flag}}}"#)).unwrap();
            assert_eq!(tokenizer.start(&path).unwrap(), expected, "{flag}");
        }
        std::fs::write(folder.path().join("tokenizer_config.json"), "{").unwrap();
        assert!(tokenizer.start(&path).unwrap_err().to_string().contains("tokenizer_config.json"));
        assert_eq!(Tokenizer::bytes().start(&path).unwrap(), [0u32; 0]);
    }
}
