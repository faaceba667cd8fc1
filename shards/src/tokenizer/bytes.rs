//! The tokenizer that needs no file: UTF-8 bytes and an end token.

use crate::error::{Error, Result};

pub(crate) const EOS: u32 = 256;
pub(crate) const EOS_TOKEN: &str = "<|endoftext|>";
pub(crate) const VOCAB_SIZE: u32 = 257;
/// What a saved byte tokenizer consists of.
pub(crate) const SAVED: &[u8] = b"{\"malmoi-tokenizer\": \"bytes\", \"version\": 1}\n";

/// Ids 0 to 255 are bytes, 256 ends a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bytes;

impl Bytes {
    /// Whether a JSON file is a saved byte tokenizer.
    pub(crate) fn is_saved(file: &[u8]) -> bool {
        file.len() < 1024
            && serde_json::from_slice::<serde_json::Value>(file)
                .is_ok_and(|found| serde_json::from_slice(SAVED).is_ok_and(|own: serde_json::Value| own == found))
    }

    /// The tokenizer, if `eos` is its only special token.
    pub(crate) fn with_eos(eos: Option<&str>) -> Result<Self> {
        match eos {
            Some(name) if name != EOS_TOKEN => {
                Err(Error::MissingEos { wanted: Some(name.to_owned()), candidates: vec![EOS_TOKEN.to_owned()] })
            }
            _ => Ok(Self),
        }
    }

    pub(crate) fn encode(self, text: &str) -> Vec<u32> {
        text.bytes().map(u32::from).collect()
    }

    pub(crate) fn decode(self, ids: &[u32]) -> String {
        let bytes: Vec<u8> = ids.iter().filter_map(|&id| u8::try_from(id).ok()).collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

/// A tokenizer.json that gives the same ids: byte-level BPE without a merge, id by id the bytes, then
/// the end token.
pub(crate) fn huggingface() -> Vec<u8> {
    let vocab: serde_json::Map<String, serde_json::Value> =
        (0..=255).map(|byte| (super::byte_level::char_of(byte).to_string(), byte.into())).collect();
    let level = serde_json::json!({ "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": false, "use_regex": false });
    let file = serde_json::json!({
        "version": "1.0",
        "truncation": null,
        "padding": null,
        "added_tokens": [{
            "id": EOS, "content": EOS_TOKEN, "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true,
        }],
        "normalizer": null,
        "pre_tokenizer": level,
        "post_processor": null,
        "decoder": level,
        "model": {
            "type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null, "end_of_word_suffix": null,
            "fuse_unk": false, "byte_fallback": false, "ignore_merges": false, "vocab": vocab, "merges": [],
        },
    });
    format!("{file:#}\n").into_bytes()
}

pub(crate) fn token_bytes(id: u32) -> Option<Vec<u8>> {
    match u8::try_from(id) {
        Ok(byte) => Some(vec![byte]),
        Err(_) => (id == EOS).then(|| EOS_TOKEN.as_bytes().to_vec()),
    }
}

pub(crate) fn token_text(id: u32) -> Option<String> {
    match u8::try_from(id) {
        Ok(byte @ 0x20..0x7f) => Some(char::from(byte).to_string()),
        Ok(byte) => Some(format!("<0x{byte:02X}>")),
        Err(_) => (id == EOS).then(|| EOS_TOKEN.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Tokenizer;

    #[test]
    fn its_hugging_face_file_gives_the_same_ids() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokenizer.json");
        std::fs::write(&path, huggingface()).unwrap();
        let file = Tokenizer::load(&path, None).unwrap();
        assert_eq!((file.kind(), file.vocab_size(), file.eos()), ("huggingface", VOCAB_SIZE, EOS));
        let text = "한글, English\r\n\t\u{0}😀 <|endoftext|> café";
        assert_eq!(file.encode(text).unwrap(), Bytes.encode(text));
        assert_eq!(file.decode(&Bytes.encode(text)).unwrap(), text);
        // Every token is the same one, also where no character can be shown for it.
        let bytes = |tokenizer: &Tokenizer| (0..=VOCAB_SIZE).map(|id| tokenizer.token_bytes(id)).collect::<Vec<_>>();
        assert_eq!(bytes(&file), bytes(&Tokenizer::bytes()));
        assert_eq!((file.token_bytes(0xeb), file.token_bytes(VOCAB_SIZE)), (Some(vec![0xeb]), None));
    }
}
