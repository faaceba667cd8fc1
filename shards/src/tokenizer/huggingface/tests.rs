//! What is read without the library, against the library.

use serde_json::json;

use super::*;
use crate::tokenizer::engine::tests::data::{folder, unpacked};

fn added(id: u32, content: &str, special: bool) -> Value {
    json!({"id": id, "content": content, "single_word": false, "lstrip": special, "rstrip": false, "normalized": false, "special": special})
}

/// A byte-level BPE with added tokens inside and outside its vocabulary, one of which says another id than it gets.
fn bytes() -> Value {
    let mut vocab: serde_json::Map<String, Value> = (0..=255).map(|byte| (byte_level::char_of(byte).to_string(), byte.into())).collect();
    for (token, id) in [("Ġa", 256), ("가 나", 257), ("</s>", 300)] {
        vocab.insert(token.to_owned(), id.into());
    }
    json!({
        "added_tokens": [added(300, "</s>", true), added(999, "<think>", false), added(0, "", false), added(261, "<|im_end|>", false)],
        "normalizer": {"type": "NFC"},
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": false, "use_regex": true},
        "decoder": {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true},
        "model": {"type": "BPE", "vocab": vocab, "merges": [["Ġ", "a"]]},
    })
}

/// A BPE of characters as Llama 2 has it.
fn characters(decoder: Value) -> Value {
    let mut vocab: serde_json::Map<String, Value> = (0..=255).map(|byte| (format!("<0x{byte:02X}>"), (byte + 3).into())).collect();
    for (token, id) in [("<unk>", 0), ("<s>", 1), ("</s>", 2), ("▁", 259), ("a", 260), ("가", 261), ("▁a", 262)] {
        vocab.insert(token.to_owned(), id.into());
    }
    json!({
        "added_tokens": [added(0, "<unk>", true), added(1, "<s>", true), added(2, "</s>", true)],
        "normalizer": {"type": "Sequence", "normalizers": [
            {"type": "Prepend", "prepend": "▁"}, {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}]},
        "pre_tokenizer": null,
        "decoder": decoder,
        "model": {"type": "BPE", "unk_token": "<unk>", "fuse_unk": true, "byte_fallback": true, "vocab": vocab, "merges": [["▁", "a"]]},
    })
}

/// Compares vocabulary, texts and decoding of a file with those of the library.
fn check(file: &[u8]) {
    let ours = HuggingFace::from_json(file, None).unwrap();
    assert!(ours.engine.is_ok() && ours.library.get().is_none(), "{:?}", ours.engine.as_ref().err());
    let library = ours.library().unwrap();
    let (vocab, added) = vocabulary::of_library(library).unwrap();
    assert_eq!(ours.vocab.len(), vocab.len());
    for (id, (found, expected)) in (0..).zip(ours.vocab.iter().zip(&vocab)) {
        assert_eq!(found.token, expected.token, "{id}");
        assert!(found.special == expected.special || id == ours.eos.0 || Some(id) == ours.unknown, "{id}");
        let token = found.token.as_deref().unwrap_or("no such token");
        assert_eq!(ours.id_of(token), library.token_to_id(token), "{token:?}");
        let white = |added: Option<&Added>| added.map(|added| (added.lstrip, added.rstrip));
        assert_eq!(white(ours.added.get(&id)), white(added.get(&id)), "{id}");
    }
    assert_eq!(ours.id_of("no such token"), None);
    let ids: Vec<u32> = (0..vocab.len() as u32).filter(|&id| !ours.vocab[id as usize].special).collect();
    for step in [1, 7, 101] {
        for part in ids.iter().step_by(step).copied().collect::<Vec<_>>().chunks(9) {
            assert_eq!(ours.decode(part).unwrap(), library.decode(part, false).unwrap(), "{part:?}");
        }
    }
}

#[test]
fn agrees_with_the_library() {
    check(&serde_json::to_vec(&bytes()).unwrap());
    let llama = json!({"type": "Sequence", "decoders": [
        {"type": "Replace", "pattern": {"String": "▁"}, "content": " "}, {"type": "ByteFallback"}, {"type": "Fuse"},
        {"type": "Strip", "content": " ", "start": 1, "stop": 0}]});
    check(&serde_json::to_vec(&characters(llama)).unwrap());
    check(&serde_json::to_vec(&characters(Value::Null)).unwrap());
}

#[test]
#[expect(clippy::print_stderr, reason = "says what was left out")]
fn agrees_with_the_library_on_a_real_file() {
    match folder("tokenizers/qwen3/tokenizer.json.zst") {
        Some(data) => check(&unpacked(&data.join("tokenizers/qwen3/tokenizer.json.zst"))),
        None => eprintln!("skipped: no ../shared"),
    }
}

#[test]
fn a_broken_decoder_is_refused_when_it_is_loaded() {
    let mut file = bytes();
    file["decoder"] = json!({"type": "ByteLevel", "add_prefix_space": 3});
    let error = HuggingFace::from_json(&serde_json::to_vec(&file).unwrap(), None).unwrap_err().to_string();
    assert!(error.contains("load the tokenizer"), "{error}");
}

/// The library panics at these.
#[test]
fn merges_that_make_no_token_are_refused() {
    for (prefix, merge, refused) in [
        (None, json!(["Ġ", "가 나가 나가 나"]), true),
        (None, json!("Ġ aaaaaaaaaaaa"), true),
        (Some("####"), json!(["Ġ", "a"]), true),
        (Some("Ġ"), json!(["a", "Ġa"]), true), // to `aa`, by the library
        (None, json!(["Ġ", "a"]), false),
    ] {
        let mut file = bytes();
        file["model"]["continuing_subword_prefix"] = json!(prefix);
        file["model"]["merges"] = json!([merge]);
        file["model"]["vocab"]["aaaaaaaaaaaa"] = json!(258);
        file["model"]["vocab"]["가 나가 나가 나"] = json!(259);
        file["normalizer"] = json!({"type": "NFKC"}); // which the engine leaves to the library
        let read = HuggingFace::from_json(&serde_json::to_vec(&file).unwrap(), None);
        assert_eq!(read.is_err(), refused, "{prefix:?} {merge}");
    }
}
