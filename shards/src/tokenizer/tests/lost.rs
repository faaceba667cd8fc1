//! What of a text its ids do not say, counted by hand.

use super::*;

fn lost(tokenizer: &Tokenizer, text: &str) -> (u64, u64) {
    let lost = tokenizer.lost(text, &tokenizer.encode(text).unwrap());
    assert_eq!(lost.is_none(), (lost.unknown_tokens, lost.bytes) == (0, 0));
    (lost.unknown_tokens, lost.bytes)
}

/// A BPE of characters as people train it without saying what an unknown one becomes.
fn characters(model: &str, normalizer: &str, pre_tokenizer: &str) -> Tokenizer {
    let file = format!(
        r#"{{"version": "1.0", "truncation": null, "padding": null, "normalizer": {normalizer}, "pre_tokenizer": {pre_tokenizer},
        "post_processor": null, "decoder": null,
        "added_tokens": [{{"id": 0, "content": "</s>", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true}}],
        "model": {model}}}"#
    );
    Tokenizer::from_content(file.into_bytes(), None).unwrap()
}

const SPLIT: &str = r#"{"type": "Whitespace"}"#;

#[test]
fn characters_without_a_token_vanish() {
    let silent = characters(r#"{"type": "BPE", "vocab": {"</s>": 0, "a": 1, "b": 2, "ab": 3}, "merges": [["a", "b"]]}"#, "null", SPLIT);
    assert_eq!(silent.encode("ab 가 a").unwrap(), [3, 1]);
    // Two syllables of three bytes; white space is no loss, as a decoder puts it between.
    assert_eq!(lost(&silent, "ab 가나 a"), (0, 6));
    assert_eq!(lost(&silent, " ab \n a "), (0, 0));
    let named = characters(
        r#"{"type": "BPE", "unk_token": "<unk>", "fuse_unk": true, "vocab": {"</s>": 0, "a": 1, "<unk>": 2, "b": 3}, "merges": []}"#,
        "null",
        SPLIT,
    );
    assert_eq!(lost(&named, "ab 가나 a"), (1, 6));
    // What the normalizer makes of a text is what has to be written: capitals are changed, not lost.
    let lower = characters(r#"{"type": "BPE", "vocab": {"</s>": 0, "a": 1, "ß": 2}, "merges": []}"#, r#"{"type": "Lowercase"}"#, SPLIT);
    assert_eq!(lost(&lower, "Aa ẞ"), (0, 0)); // three bytes become two
    assert_eq!(lost(&lower, "Aa ẞ가"), (0, 3));
}

#[test]
fn parts_of_words_are_counted_without_their_marks() {
    let words = characters(
        r###"{"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 9,
        "vocab": {"</s>": 0, "ab": 1, "##c": 2, "[UNK]": 3}}"###,
        "null",
        SPLIT,
    );
    assert_eq!(lost(&words, "abc ab"), (0, 0));
    assert_eq!(lost(&words, "abc 가나 abx"), (2, 9));
}

#[test]
fn bytes_without_a_token_vanish() {
    let byte_level = r#"{"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": false, "use_regex": true}"#;
    let few = characters(r#"{"type": "BPE", "vocab": {"</s>": 0, "a": 1, "Ġ": 2}, "merges": []}"#, "null", byte_level);
    assert_eq!(few.encode("a a").unwrap(), [1, 2, 1]);
    assert_eq!(lost(&few, "a 가 a\n"), (0, 4)); // a syllable and a line break
    // All bytes are there in one that is trained here; in bytes too.
    for tokenizer in [trained(), Tokenizer::bytes()] {
        TEXTS.iter().for_each(|text| assert_eq!(lost(&tokenizer, text), (0, 0), "{text:?}"));
    }
}

/// The guide's preset loses characters; the default does not.
#[test]
fn pieces_are_compared_with_normalized_text() {
    let read = |more: &str| toml::from_str::<SentencePieceConfig>(&format!("character-coverage = 1.0\n{more}")).unwrap();
    let train = |config: &SentencePieceConfig| {
        Tokenizer::train_sentencepiece(config, None, (0..3).map(|_| "ab abc bca 나무 나무 나 ab\n  cab".repeat(9))).unwrap().0
    };
    let mut guide = read("normalization-rule-name = \"nmt_nfkc_cf\"\nremove-extra-whitespaces = true\nbyte-fallback = false");
    guide.vocab_size = 16;
    let guide = train(&guide);
    assert_eq!(lost(&guide, "ＡＢ  나무\u{0007}"), (0, 0));
    assert_eq!(lost(&guide, "AB 가가 나"), (1, 6));
    let keeps = train(&read("vocab-size = 270"));
    for text in ["ＡＢ  나무", "가가\tx\n\n", "▁ ▁"] {
        assert_eq!(lost(&keeps, text), (0, 0), "{text:?}");
    }
}
