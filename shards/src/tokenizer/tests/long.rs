//! Long texts, which are encoded in parts: ids are those of the whole.

use super::sentencepiece::{BPE, tiny};
use super::*;

/// How a tokenizer encodes in one go, and whether it puts a space before every text.
type Encoder = (Box<dyn Fn(&str) -> Result<Vec<u32>> + Send + Sync>, bool);

fn huggingface(json: &str) -> Encoder {
    let tokenizer = HuggingFace::from_json(json.as_bytes(), None).unwrap();
    let pads = tokenizer.pads;
    (Box::new(move |text: &str| tokenizer.encode_whole(text)), pads)
}

fn sentencepiece(kind: u8, pads: bool) -> Encoder {
    let tokenizer = tiny(kind, pads);
    assert_eq!(tokenizer.pads, pads);
    (Box::new(move |text: &str| tokenizer.encode_whole(text)), pads)
}

/// A tokenizer.json of a few pieces that meet across every kind of border.
fn json(normalizer: &str, pre_tokenizer: &str, model: &str) -> String {
    let end =
        r#"{"id": 0, "content": "</s>", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true}"#;
    format!(
        r#"{{"version": "1.0", "truncation": null, "padding": null, "added_tokens": [{end}], "normalizer": {normalizer},
        "pre_tokenizer": {pre_tokenizer}, "post_processor": null, "decoder": null, "model": {model}}}"#
    )
}

const LLAMA: &str = r#"{"type": "Sequence", "normalizers": [
    {"type": "Prepend", "prepend": "▁"}, {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}]}"#;
const MERGES: &str = r#"{"type": "BPE", "unk_token": "<unk>", "fuse_unk": true, "byte_fallback": false,
    "vocab": {"</s>": 0, "<unk>": 1, "▁": 2, "a": 3, "b": 4, "가": 5, "\n": 6, "▁▁": 7, "▁a": 8, "ab": 9, "\n\n": 10, "▁\n": 11, "a.": 12, ".": 13},
    "merges": [["▁", "▁"], ["▁", "a"], ["a", "b"], ["\n", "\n"], ["▁", "\n"], ["a", "."]]}"#;
/// The same, and one merge over a border between words.
const ACROSS: &str = r#"{"type": "BPE", "unk_token": "<unk>", "fuse_unk": true, "byte_fallback": false,
    "vocab": {"</s>": 0, "<unk>": 1, "▁": 2, "a": 3, "b": 4, "가": 5, "\n": 6, "▁b": 7, "a▁b": 8, "\n가": 9, ".": 10},
    "merges": [["▁", "b"], ["a", "▁b"], ["\n", "가"]]}"#;
const UNIGRAM: &str = r#"{"type": "Unigram", "unk_id": 1, "byte_fallback": false,
    "vocab": [["</s>", 0], ["<unk>", -20], ["▁", -4], ["a", -5], ["b", -5], ["▁a", -6], ["ab", -7], ["▁가", -6], ["▁▁", -5], [".", -5]]}"#;
const BYTES: &str = r#"{"type": "BPE", "unk_token": "<unk>", "fuse_unk": true,
    "vocab": {"</s>": 0, "<unk>": 1, "Ġ": 2, "a": 3, "b": 4, "Ċ": 5, "ĊĊ": 6, "ĠĊ": 7, "ĠĠ": 8, "Ġa": 9, ".": 10, ".Ċ": 11},
    "merges": [["Ċ", "Ċ"], ["Ġ", "Ċ"], ["Ġ", "Ġ"], ["Ġ", "a"], [".", "Ċ"]]}"#;

fn encoders() -> Vec<(&'static str, Encoder)> {
    let metaspace = |scheme: &str| {
        format!(r#"{{"type": "Metaspace", "replacement": "▁", "prepend_scheme": "{scheme}", "split": {}}}"#, scheme != "first")
    };
    let gpt2 = |prefix: bool| format!(r#"{{"type": "ByteLevel", "add_prefix_space": {prefix}, "trim_offsets": true, "use_regex": true}}"#);
    let Tokenizer::HuggingFace(trained) = trained() else { panic!("not a tokenizer.json") };
    assert!(!trained.pads);
    let all: Vec<(&'static str, Encoder)> = vec![
        ("trained here", (Box::new(move |text: &str| trained.encode_whole(text)), false)),
        ("Llama 2", huggingface(&json(LLAMA, "null", MERGES))),
        ("Llama 2, merges across words", huggingface(&json(LLAMA, "null", ACROSS))),
        ("Metaspace, always", huggingface(&json("null", &metaspace("always"), UNIGRAM))),
        ("Metaspace, first", huggingface(&json("null", &metaspace("first"), UNIGRAM))),
        ("Metaspace, never", huggingface(&json("null", &metaspace("never"), UNIGRAM))),
        ("GPT-2 with a space", huggingface(&json("null", &gpt2(true), BYTES))),
        ("GPT-2", huggingface(&json("null", &gpt2(false), BYTES))),
        ("no splitting", huggingface(&json("null", "null", MERGES))),
        ("SentencePiece BPE with a space", sentencepiece(BPE, true)),
        ("SentencePiece BPE", sentencepiece(BPE, false)),
        ("SentencePiece unigram with a space", sentencepiece(1, true)),
        ("SentencePiece unigram", sentencepiece(1, false)),
    ];
    let pads: Vec<&str> = all.iter().filter(|(_, (_, pads))| *pads).map(|(name, _)| *name).collect();
    assert_eq!(pads.len(), 7, "{pads:?}");
    all
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn parts_have_the_ids_of_the_whole(text in "(a|b|ab|가|\\.| |  |\n|\n\n| \n|a b){200,900}", limit in 60usize..300) {
        static ENCODERS: std::sync::LazyLock<Vec<(&str, Encoder)>> = std::sync::LazyLock::new(encoders);
        for (name, (whole, pads)) in ENCODERS.iter() {
            let calls = std::cell::Cell::new(0);
            let parts = cut::encode(&text, limit, *pads, |part| { calls.set(calls.get() + 1); whole(part) }).unwrap();
            prop_assert!(parts == whole(&text).unwrap(), "{}", name);
            prop_assert!(calls.get() > 3 || text.len() <= limit, "{}: never cut", name);
        }
    }
}

/// Of the length that real documents must have to be cut.
#[test]
fn documents_of_megabytes_have_the_ids_of_the_whole() {
    let paragraph = "가나다 abc ab\n\nab  ab.\n가 a b\n  x = 1;\n";
    let text = paragraph.repeat(5 * cut::PART_BYTES / 4 / paragraph.len());
    let some = ["trained here", "Llama 2", "SentencePiece unigram with a space"];
    for (name, (whole, pads)) in encoders().into_iter().filter(|(name, _)| some.contains(name)) {
        let parts = cut::encode(&text, cut::PART_BYTES, pads, &whole).unwrap();
        assert!(parts == whole(&text).unwrap(), "{name}");
    }
    let tokenizer = trained();
    let line = tokenizer.encode("let x = 1;\n").unwrap();
    assert!(tokenizer.encode(&"let x = 1;\n".repeat(100_000)).unwrap() == line.repeat(100_000));
}

#[test]
fn runs_without_a_space_are_encoded_too() {
    let tokenizer = trained();
    for text in [" ".repeat(5 << 20) + "x", "가".repeat(400_000)] {
        let ids = tokenizer.encode(&text).unwrap();
        assert!(tokenizer.decode(&ids).unwrap() == text);
    }
}
