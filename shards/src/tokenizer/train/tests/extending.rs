//! Extended tokenizers: what was there stays, and both engines read the rest alike.

use super::*;
use crate::tokenizer::Tokenizer;
use crate::{ExtendConfig, Extended};

const ENGLISH: &str = "The merges of a tokenizer are learnt once, and the ids of its tokens never move. It's a thing of habit.";
const KOREAN: &str = "토크나이저의 어휘를 늘린다. 늘린 어휘의 번호는 뒤에 붙고, 원래의 번호는 움직이지 않는다. 어휘를 늘린 토크나이저를 쓴다 👩‍👩‍👧 <think>어휘</think>";

fn base(pattern: Pattern) -> Value {
    let config = TrainConfig { vocab_size: 330, pattern, min_frequency: 1, ..TrainConfig::default() };
    let texts = (0..5).map(|_| ENGLISH.to_owned());
    let mut file: Value = serde_json::from_str(&train(&config, None, &std::env::temp_dir(), texts).unwrap()).unwrap();
    // As published files have them: numbered after the vocabulary, one of them not special.
    let next = file["model"]["vocab"].as_object().unwrap().len();
    for (token, id, special) in [("<|im_end|>", next, true), ("<think>", next + 1, false), ("</think>", next + 2, false)] {
        file["added_tokens"].as_array_mut().unwrap().push(serde_json::json!({
            "id": id, "content": token, "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": special,
        }));
    }
    file["normalizer"] = serde_json::json!({ "type": "NFC" });
    file
}

fn loaded(file: &str) -> Tokenizer {
    Tokenizer::from_content(file.as_bytes().to_vec(), None).unwrap()
}

/// Checks an extension against its base, on texts; gives the number of tokens before and after.
fn check(base: &str, extended: &Extended, texts: &[String]) -> (usize, usize) {
    let (old, new) = (loaded(base), loaded(&extended.file));
    let mut library = tokenizers::Tokenizer::from_bytes(&extended.file).unwrap();
    library.set_encode_special_tokens(true);
    assert_eq!((old.encoder(), new.encoder()), ("malmoi", "malmoi"));
    assert_eq!((old.vocab_size(), new.vocab_size()), (extended.first, extended.first + extended.parts.len() as u32));
    assert!((0..extended.first).all(|id| old.token_text(id) == new.token_text(id)), "old ids stay");
    assert_eq!((old.eos(), old.eos_token()), (new.eos(), new.eos_token()));
    let merges = |file: &str| serde_json::from_str::<Value>(file).unwrap()["model"]["merges"].as_array().unwrap().clone();
    assert!(merges(&extended.file).starts_with(&merges(base)), "old merges keep their ranks");
    let (mut before, mut after) = (0, 0);
    for text in texts {
        let (short, long) = (new.encode(text).unwrap(), old.encode(text).unwrap());
        let theirs = library.encode_fast(text.as_str(), false).unwrap();
        assert_eq!(short, theirs.get_ids(), "{text}");
        let apart = short.iter().flat_map(|&id| match id.checked_sub(extended.first) {
            Some(new) => extended.parts[new as usize].clone(),
            None => vec![id],
        });
        assert!(apart.eq(long.iter().copied()), "new tokens are old ones joined: {text}");
        before += long.len();
        after += short.len();
    }
    (before, after)
}

fn extended(base: &str, config: &ExtendConfig, texts: &[String]) -> Extended {
    loaded(base).extend(config, &std::env::temp_dir(), texts.iter().cloned()).unwrap()
}

#[test]
fn old_ids_and_merges_stay() {
    for pattern in [Pattern::Gpt2, Pattern::Qwen2, Pattern::O200k] {
        let base = base(pattern).to_string();
        let texts = [KOREAN.to_owned(), ENGLISH.to_owned(), KOREAN.replace("늘", "\u{1102}\u{1173}\u{11af}")];
        let extended = extended(&base, &ExtendConfig { new_tokens: 40, ..ExtendConfig::default() }, &texts);
        assert_eq!(extended.parts.len(), 40);
        let (before, after) = check(&base, &extended, &texts);
        assert!(after * 3 < before * 2, "{before} {after}");
        // It can be extended again.
        let again = super::extending::extended(&extended.file, &ExtendConfig { new_tokens: 5, ..ExtendConfig::default() }, &texts);
        assert_eq!((again.first, again.parts.len()), (extended.first + 40, 5));
        check(&extended.file, &again, &texts);
    }
}

#[test]
fn merges_are_written_as_the_file_has_them() {
    let mut file = base(Pattern::Qwen2);
    let merges = file["model"]["merges"].as_array_mut().unwrap();
    merges.iter_mut().for_each(|pair| *pair = format!("{} {}", pair[0].as_str().unwrap(), pair[1].as_str().unwrap()).into());
    let texts = [KOREAN.to_owned()];
    let extended = extended(&file.to_string(), &ExtendConfig { new_tokens: 9, ..ExtendConfig::default() }, &texts);
    check(&file.to_string(), &extended, &texts);
    let written: Value = serde_json::from_str(&extended.file).unwrap();
    assert!(written["model"]["merges"].as_array().unwrap().iter().all(|merge| merge.as_str().unwrap().split(' ').count() == 2));
}

/// With `ignore_merges` a word that is a token becomes it, whatever the merges say.
#[test]
fn tokens_that_are_whole_words() {
    let mut file = base(Pattern::Llama3);
    file["model"]["ignore_merges"] = true.into();
    let texts = [format!("{KOREAN} 어휘 어휘")];
    let extended = extended(&file.to_string(), &ExtendConfig { new_tokens: 30, ..ExtendConfig::default() }, &texts);
    check(&file.to_string(), &extended, &texts);
    file["added_tokens"][1]["content"] = "tokens".into();
    let error =
        loaded(&file.to_string()).extend(&ExtendConfig::default(), &std::env::temp_dir(), texts.into_iter()).unwrap_err().to_string();
    assert!(error.contains("\"tokens\""), "{error}");
}

#[test]
fn rows_are_never_fewer() {
    let extended = Extended { file: String::new(), first: 151_669, parts: vec![vec![1, 2]; 8000] };
    assert_eq!(extended.rows(151_936, 128), 159_744); // 159,669 in use
    assert_eq!(Extended { parts: vec![vec![]; 267], ..extended.clone() }.rows(151_936, 128), 151_936);
    assert_eq!(Extended { parts: vec![vec![]; 268], ..extended.clone() }.rows(151_936, 1), 151_937);
    assert_eq!(extended.rows(0, 0), 159_669);
}

#[test]
fn refuses_what_cannot_be_extended() {
    let no_text = || std::iter::empty();
    let folder = std::env::temp_dir();
    let known = loaded(&base(Pattern::Qwen2).to_string());
    assert!(known.extend(&ExtendConfig::default(), &folder, no_text()).unwrap_err().to_string().contains("no text"));
    for config in [ExtendConfig { new_tokens: 0, ..Default::default() }, ExtendConfig { max_token_bytes: Some(1), ..Default::default() }] {
        assert!(matches!(known.extend(&config, &folder, no_text()), Err(Error::Setting { .. })));
    }
    let mut file = base(Pattern::Qwen2);
    file["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"] = "\\w+".into();
    let error = loaded(&file.to_string()).extend(&ExtendConfig::default(), &folder, no_text()).unwrap_err().to_string();
    assert!(error.contains("\\\\w+"), "{error}");
    assert!(Tokenizer::bytes().extend(&ExtendConfig::default(), &folder, no_text()).unwrap_err().to_string().contains("`bytes`"));
}

/// Qwen3 with 8000 tokens learnt on two thirds of the reviews, on the others. The reference reached
/// 2.20 characters for each token where Qwen3 has 1.34.
#[test]
#[allow(clippy::print_stdout)]
fn qwen3_on_reviews() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data");
    let [model, reviews] = ["tokenizers/qwen3/tokenizer.json.zst", "korean_reviews_nsmc.jsonl.zst"].map(|name| folder.join(name));
    if !(model.exists() && reviews.exists()) {
        println!("skipped: no ../shared");
        return;
    }
    let unpack = |path| String::from_utf8(zstd::decode_all(std::fs::File::open(path).unwrap()).unwrap()).unwrap();
    let (base, reviews) = (unpack(model), unpack(reviews));
    let text = |line: &str| serde_json::from_str::<Value>(line).unwrap()["text"].as_str().unwrap().to_owned();
    let all: Vec<String> = reviews.lines().map(text).collect();
    let (seen, held_out) = all.split_at(all.len() * 2 / 3);
    let extended = extended(&base, &ExtendConfig::default(), seen);
    assert_eq!((extended.first, extended.parts.len()), (151_669, 8000));
    let held_out = &held_out[..held_out.len().min(6000)];
    let (before, after) = check(&base, &extended, held_out);
    let characters = held_out.iter().map(|text| text.chars().count()).sum::<usize>() as f64;
    let rates = (characters / before as f64, characters / after as f64);
    println!("characters for each token: {:.3} before, {:.3} after", rates.0, rates.1);
    assert!(rates.0 < 1.45 && rates.1 > 2.0, "{rates:?}");
}
