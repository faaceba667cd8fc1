//! The engine against the two libraries, id for id.

use proptest::prelude::*;
use sentencepiece::SentencePieceProcessor;
use serde_json::{Map, Value, json};

use super::super::tests::data;
use super::super::tests::texts::{NASTY, long_spans, text};
use super::*;
use crate::tokenizer::proto::{self, Normalizer, PieceKind, Trainer};
use crate::tokenizer::sentencepiece::SentencePiece;
use crate::{SentencePieceConfig, Tokenizer};

/// What comes before the model in a tokenizer.json.
#[derive(Debug, Clone)]
struct Form {
    normalizer: Value,
    pre_tokenizer: Value,
    bytes: bool,
    fuse: bool,
}

fn forms() -> Vec<Form> {
    let replace = json!({"type": "Replace", "pattern": {"String": " "}, "content": "▁"});
    let llama = json!({"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "▁"}, replace]});
    let gemma = json!({"type": "Split", "pattern": {"String": " "}, "behavior": "MergedWithPrevious", "invert": false});
    let metaspace = |scheme: &str, split: bool| json!({"type": "Metaspace", "replacement": "▁", "prepend_scheme": scheme, "split": split});
    let form = |normalizer: &Value, pre_tokenizer: Value, bytes: bool, fuse: bool| Form {
        normalizer: normalizer.clone(),
        pre_tokenizer,
        bytes,
        fuse,
    };
    vec![
        form(&llama, Value::Null, true, true),
        form(&llama, Value::Null, false, true),
        form(&replace, gemma, true, true),
        form(&Value::Null, metaspace("first", false), true, true),
        form(&Value::Null, metaspace("always", true), false, true),
        form(&Value::Null, metaspace("always", false), false, false),
        form(&Value::Null, metaspace("never", true), false, false),
        form(&Value::Null, Value::Null, false, true),
        form(&Value::Null, Value::Null, true, false),
    ]
}

/// A vocabulary of some characters of a text, and of merges of symbols that stand side by side in it.
fn vocabulary(text: &str, choices: &[u32], bytes: bool) -> (Map<String, Value>, Vec<Value>) {
    let mut vocab: Map<String, Value> = Map::new();
    let mut add = |token: String| {
        let next = vocab.len();
        vocab.entry(token).or_insert(json!(next));
    };
    add("<unk>".into());
    add("</s>".into());
    add("▁".into());
    (0..=255).filter(|_| bytes).for_each(|byte| add(format!("<0x{byte:02X}>")));
    let mut symbols: Vec<String> = Vec::new();
    for character in text.chars().map(|c| if c == ' ' { MARK } else { c }) {
        if (character as u32) % 7 != 3 {
            add(character.to_string()); // others stay unknown
            symbols.push(character.to_string());
        }
    }
    let mut merges = Vec::new();
    for &choice in choices {
        if symbols.len() < 2 {
            break;
        }
        let at = choice as usize % (symbols.len() - 1);
        let (left, right) = (symbols[at].clone(), symbols[at + 1].clone());
        add(format!("{left}{right}"));
        if !merges.contains(&json!([left, right])) {
            merges.push(json!([left, right]));
        }
        if choice % 3 > 0 {
            let joined = symbols.remove(at + 1);
            symbols[at] += &joined;
        }
    }
    (vocab, merges)
}

fn file(form: &Form, text: &str, choices: &[u32]) -> Value {
    let (vocab, merges) = vocabulary(text, choices, form.bytes);
    let added = |content: &str, normalized: bool, special: bool| json!({"id": 0, "content": content, "single_word": false, "lstrip": false, "rstrip": false, "normalized": normalized, "special": special});
    let mut tokens =
        vec![added("</s>", false, true), added("<think>", false, false), added("<<think>", false, true), added("된다", true, false)];
    for (token, id) in tokens.iter_mut().zip([1, 90_001, 90_002, 90_003]) {
        token["id"] = json!(id);
    }
    json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": tokens, "normalizer": form.normalizer,
        "pre_tokenizer": form.pre_tokenizer, "post_processor": null, "decoder": null,
        "model": {"type": "BPE", "dropout": null, "unk_token": "<unk>", "continuing_subword_prefix": null,
            "end_of_word_suffix": null, "fuse_unk": form.fuse, "byte_fallback": form.bytes, "ignore_merges": false,
            "vocab": vocab, "merges": merges}
    })
}

struct Both {
    library: tokenizers::Tokenizer,
    engine: Characters,
}

impl Both {
    fn new(file: &Value) -> Self {
        let mut library = tokenizers::Tokenizer::from_bytes(serde_json::to_vec(file).unwrap()).unwrap();
        library.set_encode_special_tokens(true);
        let engine = Characters::from_json(file).unwrap_or_else(|Unsupported(reason)| panic!("not supported: {reason}"));
        Self { library, engine }
    }

    #[track_caller]
    fn check(&self, text: &str, form: &Form) {
        let expected = self.library.encode_fast(text, false).unwrap().get_ids().to_vec();
        for state in ["cold", "warm"] {
            assert_eq!(self.engine.encode(text), expected, "{state}: {form:?} {text:?}");
        }
        assert!(expected.iter().all(|&id| self.engine.reaches(id)));
    }
}

/// Merges of a text that has all nasty ones in it.
fn choices() -> Vec<u32> {
    (0..600u32).map(|n| n.wrapping_mul(2_654_435_761) >> 7).collect()
}

#[test]
fn nasty_texts_of_every_form() {
    for form in forms() {
        let both = Both::new(&file(&form, &NASTY.concat(), &choices()));
        NASTY.iter().for_each(|text| both.check(text, &form));
        both.check(&NASTY.concat(), &form);
        both.check(&NASTY.join(" "), &form);
        both.check("▁a ▁ ▁▁ 된다 ▁된다<think> <think>▁x", &form);
    }
}

#[test]
fn spaces_may_be_unknown() {
    for form in &forms()[..2] {
        let mut file = file(form, "abc", &[1, 2]);
        file["model"]["vocab"].as_object_mut().unwrap().remove("▁");
        let both = Both::new(&file);
        [" ", "a  b ", "ab▁c 가"].iter().for_each(|text| both.check(text, form));
    }
}

#[test]
fn long_texts_and_spans() {
    let form = &forms()[0];
    let both = Both::new(&file(form, &NASTY.concat(), &choices()));
    long_spans().iter().for_each(|text| both.check(text, form));
}

#[test]
fn what_is_not_covered_says_why() {
    let reason = |change: &dyn Fn(&mut Value)| {
        let mut file = file(&forms()[0], &NASTY.concat(), &choices());
        change(&mut file);
        Characters::from_json(&file).err().map_or_else(String::new, |Unsupported(reason)| reason)
    };
    assert_eq!(reason(&|_| {}), "");
    assert_eq!(reason(&|file| file["normalizer"] = json!({"type": "NFKC"})), "normalizer \"NFKC\"");
    assert_eq!(reason(&|file| file["pre_tokenizer"] = json!({"type": "Whitespace"})), "pre-tokenizer \"Whitespace\"");
    assert_eq!(reason(&|file| file["model"]["dropout"] = json!(0.1)), "affixes or dropout");
    assert_eq!(reason(&|file| file["model"]["ignore_merges"] = json!(true)), "`ignore_merges` for a whole text");
    assert_eq!(reason(&|file| drop(file["model"]["vocab"].as_object_mut().unwrap().remove("<0x61>"))), "no token for byte 97");
    assert_eq!(reason(&|file| file["padding"] = json!({})), "truncation or padding");
}

/// A model whose pieces are substrings of a text, with scores that rise and fall; some of its characters have no
/// piece, and some pieces are the user's.
fn model(text: &str, choices: &[u32], bytes: bool, pads: bool, plain: bool) -> Vec<u8> {
    let marked: Vec<char> = text.chars().filter(|c| *c != '\0').map(|c| if c == ' ' { MARK } else { c }).collect();
    let mut pieces: Vec<(String, f32, PieceKind)> =
        vec![("<unk>".into(), 0.0, PieceKind::Unknown), ("<s>".into(), 0.0, PieceKind::Control), ("</s>".into(), 0.0, PieceKind::Control)];
    let users = ["<think>", "된다", "\u{2581}\u{2581}\u{2581}"];
    pieces.extend(users.map(|user| (user.to_owned(), 0.0, PieceKind::UserDefined)));
    pieces.extend((0..=255).filter(|_| bytes).map(|byte| (format!("<0x{byte:02X}>"), 0.0, PieceKind::Byte)));
    for &character in marked.iter().filter(|&&c| c as u32 % 5 != 2) {
        pieces.push((character.to_string(), -1000.0, PieceKind::Normal));
    }
    for (at, &choice) in choices.iter().enumerate().filter(|_| marked.len() > 3) {
        let start = choice as usize % (marked.len() - 2);
        let end = (start + 2 + choice as usize % 3).min(marked.len());
        pieces.push((
            marked[start..end].iter().collect(),
            -((at * 7 % choices.len().max(1)) as f32) - choice as f32 / 4e9,
            PieceKind::Normal,
        ));
    }
    let mut seen = std::collections::BTreeSet::new();
    pieces.retain(|(text, ..)| seen.insert(text.clone()));
    let pieces: Vec<(&str, f32, PieceKind)> = pieces.iter().map(|(text, score, kind)| (text.as_str(), *score, *kind)).collect();
    let training = Trainer { unknown: 0, begin: Some(1), end: Some(2), byte_fallback: bytes, ..Trainer::default() };
    let normalizer = Normalizer { name: "identity", table: &[], add_dummy_prefix: pads, remove_extra_spaces: !plain };
    proto::model(&pieces, &training, &normalizer)
}

#[track_caller]
fn check_model(file: &[u8], texts: &[String]) {
    let library = SentencePieceProcessor::from_serialized_proto(file).unwrap();
    let tokenizer = SentencePiece::from_model(file.to_vec(), None).unwrap();
    let Ok(engine) = &tokenizer.engine else { panic!("{:?}", tokenizer.engine.as_ref().err()) };
    for text in texts {
        let expected: Vec<u32> = library.encode(text).unwrap().iter().map(|piece| piece.id).collect();
        assert_eq!(tokenizer.encode(text).unwrap(), expected, "{text:?}");
        assert_eq!(tokenizer.encode(text).unwrap(), expected, "warm: {text:?}");
        assert!(expected.iter().all(|&id| engine.reaches(id)));
    }
}

#[test]
fn nasty_texts_of_models() {
    let mut texts: Vec<String> = NASTY.iter().map(|text| (*text).to_owned()).collect();
    texts.extend(["▁a ▁ ▁▁   된다 ▁된다<think> <think>▁x 된된다", " ", "   ", "a\u{2585}b\0 c"].map(str::to_owned));
    texts.push(NASTY.concat());
    texts.extend(long_spans());
    for at in 0..8 {
        check_model(&model(&NASTY.concat(), &choices(), at & 1 > 0, at & 2 > 0, at & 4 > 0), &texts);
    }
}

#[test]
fn models_trained_here() {
    let config = SentencePieceConfig { vocab_size: 900, byte_fallback: true, ..SentencePieceConfig::default() };
    let corpus = format!("{}\n", NASTY.join("\n")).repeat(3);
    let (trained, _) = Tokenizer::train_sentencepiece(&config, None, std::iter::once(corpus)).unwrap();
    assert_eq!(trained.encoder(), "malmoi");
    let Tokenizer::SentencePiece(trained) = trained else { panic!("not a model") };
    let texts: Vec<String> = NASTY.iter().map(|text| (*text).to_owned()).chain([NASTY.join(" ")]).collect();
    check_model(&trained.model, &texts);
}

/// One rank, which does not tell what it makes.
#[test]
fn merges_of_one_score() {
    let pieces = [("<unk>", 0.0, PieceKind::Unknown), ("</s>", 0.0, PieceKind::Control)];
    let normalizer = Normalizer { name: "identity", table: &[], add_dummy_prefix: false, remove_extra_spaces: false };
    let training = Trainer { end: Some(1), ..Trainer::default() };
    let learnt = ["a", "b", "aa", "ab", "ba", "aba"].map(|text| (text, -1.0, PieceKind::Normal));
    for count in [3, 4, 6] {
        let file = proto::model(&[&pieces[..], &learnt[..count]].concat(), &training, &normalizer);
        check_model(&file, &["aab", "abab", "aaaaa", "babaab", "bb"].map(str::to_owned));
    }
}

#[test]
fn models_that_are_not_covered_say_why() {
    let pieces = [("<unk>", 0.0, PieceKind::Unknown), ("a", -1.0, PieceKind::Normal), ("aa", -2.0, PieceKind::Normal)];
    let normalizer = Normalizer { name: "identity", table: &[], add_dummy_prefix: true, remove_extra_spaces: false };
    let reason = |more: &[(&str, f32, PieceKind)]| {
        let pieces = [&pieces[..], more].concat();
        Characters::from_model(&proto::model(&pieces, &Trainer::default(), &normalizer)).err().map_or_else(String::new, |no| no.0)
    };
    assert_eq!(reason(&[]), "");
    assert_eq!(reason(&[("ab", f32::NAN, PieceKind::Normal)]), "a score that is no number");
    assert_eq!(reason(&[("ab", -3.0, PieceKind::Unused)]), "unused pieces");
    assert_eq!(reason(&[("a b", -3.0, PieceKind::Normal)]), "a piece with a space");
}

#[test]
#[expect(clippy::print_stderr, reason = "says what was compared")]
fn mistral_is_equal_on_all_data() {
    let name = "tokenizers/mistral_spm/tokenizer.model.v3";
    let Some(folder) = data::folder(name) else {
        eprintln!("skipped: no ../shared");
        return;
    };
    let file = std::fs::read(folder.join(name)).unwrap();
    let library = SentencePieceProcessor::from_serialized_proto(&file).unwrap();
    let (engine, normalizes) = Characters::from_model(&file).unwrap();
    assert!(normalizes);
    let expected = |text: &str| library.encode(text).unwrap().iter().map(|piece| piece.id).collect();
    data::compare(&folder, &expected, &|text| engine.encode(text));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn cut_is_exact(
        corpus in text(),
        choices in prop::collection::vec(any::<u32>(), 0..60),
        texts in prop::collection::vec(text(), 1..5),
        bytes in any::<bool>(), pads in any::<bool>(), plain in any::<bool>(),
    ) {
        let mut texts = texts;
        texts.push(corpus.clone());
        texts.push(format!("{} {corpus}{corpus}", texts.concat()));
        for form in forms() {
            let both = Both::new(&file(&form, &corpus, &choices));
            texts.iter().for_each(|text| both.check(text, &form));
        }
        let file = model(&corpus, &choices, bytes, pads, plain);
        check_model(&file, &texts);
    }
}
