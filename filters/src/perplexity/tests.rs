//! The model: by hand, beside a naive implementation, sums to one, hostile files.

use proptest::prelude::*;

use super::alphabet::{BITS, UNKNOWN};
use super::count::mask;
use super::model::bits;
use super::*;

fn trained(texts: &[&str], order: u32, prune: u32) -> LanguageModel {
    trained_in(1 << 30, texts, order, prune)
}

fn trained_in(memory: u64, texts: &[&str], order: u32, prune: u32) -> LanguageModel {
    let folder = tempfile::tempdir().unwrap();
    let mut chars = CharCounts::default();
    texts.iter().for_each(|text| chars.add(text));
    let alphabet = Alphabet::new(&chars);
    let config = LanguageModelConfig { order, prune };
    let mut counts = NgramCounts::new(&config, memory, &folder.path().join("model.bin"));
    texts.iter().try_for_each(|text| counts.add(text, &alphabet)).unwrap();
    let model = config.estimate(counts, alphabet, texts.len() as u64).unwrap();
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    model
}

/// `aab`, order 2. Pairs: " a", "aa", "ab", each once. Single symbols by what stands before them: a after two, b after
/// one. So few have fixed discounts 0.5, 1, 1.5. Symbols: space, unknown, a, b.
/// p(a) = (2 - 1)/3 + (1.5/3)/4 = 11/24, p(b) = 0.5/3 + 1/8 = 7/24, p(space) = p(unknown) = 1/8.
/// After space: p(a) = 0.5/1 + 0.5 · 11/24 = 35/48. After a: p(a) = 0.5/2 + (1/2) · 11/24 = 23/48, p(b) = 0.25 + 7/48 = 19/48.
/// After b nothing is known: p(a) = 11/24.
#[test]
fn three_letters_by_hand() {
    let model = trained(&["aab"], 2, 0);
    let near = |text: &str, p: f64| {
        let (found, count) = model.measure(text);
        assert!((found + p.log2()).abs() <= count as f64 * 0.002, "{text}: {found} for {}", -p.log2());
    };
    near("a", 35.0 / 48.0);
    near("aab", 35.0 / 48.0 * 23.0 / 48.0 * 19.0 / 48.0);
    near("ba", (1.0 - 35.0 / 48.0) / (13.0 / 24.0) * 7.0 / 24.0 * 11.0 / 24.0);
    near("aa a", 35.0 / 48.0 * 23.0 / 48.0 * (0.5 * 0.125) * 35.0 / 48.0);
    near("x", 0.5 * 0.125 / 131_072.0);
    assert_eq!((model.measure(" \n"), model.perplexity("")), ((0.0, 0), None));
    assert_eq!((model.ngrams(), model.learnt()), (vec![4, 3], [1, 3]));
    // 35/48 for one character.
    assert!((model.perplexity("a").unwrap() - 48.0 / 35.0).abs() < 0.002);
}

/// `cases/perplexity.py` computed the bits from dictionaries.
#[test]
fn bits_of_a_naive_implementation() {
    let answers: serde_json::Value = serde_json::from_str(include_str!("../../cases/perplexity.json")).unwrap();
    let texts: Vec<&str> = answers["texts"].as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect();
    let model = trained(&texts, 3, 0);
    for asked in answers["asked"].as_array().unwrap() {
        let (text, expected, count) = (asked[0].as_str().unwrap(), asked[1].as_f64().unwrap(), asked[2].as_u64().unwrap());
        let found = model.measure(text);
        assert_eq!(found.1, count, "{text}");
        assert!((found.0 - expected).abs() < 0.003 * count as f64, "{text}: {} for {expected}", found.0);
    }
}

const SENTENCES: [&str; 12] = [
    "식물은 햇빛을 이용하여 스스로 양분을 만든다.",
    "물은 섭씨 백 도에서 끓고 영 도에서 언다.",
    "지구는 태양의 둘레를 한 해에 한 번 돈다.",
    "달은 지구의 둘레를 한 달에 한 번 돈다.",
    "세포는 생물을 이루는 가장 작은 단위이다.",
    "광합성은 잎의 엽록체에서 일어나는 과정이다.",
    "바람은 공기가 움직이는 것이고, 공기는 더운 곳에서 위로 올라간다.",
    "식물의 뿌리는 물을 빨아들이고 잎은 햇빛을 받는다.",
    "동물은 다른 생물을 먹어서 양분을 얻는다.",
    "물은 증발하여 구름이 되고 구름은 비가 되어 내린다.",
    "지구의 둘레는 4만 킬로미터이고 달의 둘레는 그 4분의 1이다.",
    "생물은 세포로 이루어져 있고 세포는 스스로 나누어진다.",
];

/// After any context the probabilities of all symbols are one, whatever is left out.
#[test]
fn probabilities_sum_to_one() {
    for (order, prune) in [(2, 0), (3, 0), (3, 1), (5, 0), (5, 1), (4, 100)] {
        let model = trained(&SENTENCES, order, prune);
        let symbols = model.alphabet.len() as u64;
        let mut contexts: Vec<u64> = model.keys[order as usize - 2].iter().step_by(7).copied().collect();
        contexts.extend([0, u64::from(UNKNOWN), mask(order - 1), 5 << BITS | 9]);
        for context in contexts {
            let all: f64 = (0..symbols).map(|symbol| (-model.bits_of((context << BITS | symbol) & mask(order), order)).exp2()).sum();
            assert!((all - 1.0).abs() < 0.003, "order {order}, prune {prune}, context {context:x}: {all}");
        }
    }
}

/// Following the longest run that is stored gives what looking for every run does.
#[test]
fn the_state_is_enough() {
    for (order, prune) in [(2, 0), (3, 1), (5, 1), (5, 0)] {
        let model = trained(&SENTENCES, order, prune);
        for text in SENTENCES.into_iter().chain(["달은 물을 먹는다.", "asdf 물은 7 qq 세포", "둘레둘레둘레"]) {
            let mut context = 0;
            let mut expected = 0.0;
            for symbol in model.alphabet.symbols(text) {
                context = (context << BITS | u64::from(symbol)) & mask(order);
                expected += model.bits_of(context, order) + if symbol == UNKNOWN { 17.0 } else { 0.0 };
            }
            let (found, _) = model.measure(text);
            assert!((found - expected).abs() < 1e-9, "order {order}, prune {prune}, {text}: {found} {expected}");
        }
    }
    assert!((bits(2048) - 2.0).abs() < 1e-12);
}

/// A thousand made texts: with no more memory than 1024 of each thing their runs of characters are in many pieces on disk, and
/// the model's file is the same.
#[test]
fn memory_decides_nothing() {
    let mut number = 5_u64;
    let mut below = |n: u64| {
        number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (number >> 33) % n
    };
    let texts: Vec<String> = (0..1000)
        .map(|_| {
            (0..12).map(|_| SENTENCES[below(12) as usize].split(' ').nth(below(5) as usize).unwrap_or("달은")).collect::<Vec<_>>().join(" ")
        })
        .collect();
    let mut texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, model: &LanguageModel| {
        model.save(&folder.path().join(name)).unwrap();
        std::fs::read(folder.path().join(name)).unwrap()
    };
    for (order, prune) in [(2, 0), (3, 0), (5, 1), (5, 0)] {
        let much = trained(&texts, order, prune);
        let characters: usize = texts.iter().map(|text| text.chars().count()).sum();
        assert!(much.learnt()[1] as usize == characters && characters > 30_000, "{characters}");
        let expected = file("much", &much);
        assert!(file("little", &trained_in(0, &texts, order, prune)) == expected);
        texts.reverse();
        assert!(file("turned", &trained_in(100_000, &texts, order, prune)) == expected);
    }
}

#[test]
fn what_is_like_the_texts_surprises_less() {
    let model = trained(&SENTENCES, 5, 0);
    let of = |text: &str| model.perplexity(text).unwrap();
    let known = of("달은 태양의 둘레를 돈다.");
    assert!(known * 3.0 < of("클릭하고 쿠폰 받으세요!!!"), "{known}");
    assert!(of("클릭하고 쿠폰 받으세요!!!") < of("qwpe zmxn asldkj"));
}

/// The model of the page. Its file is written by `REWRITE_CASES=1 cargo test`.
#[test]
fn the_model_of_the_page_is_that_of_its_sentences() {
    let model = trained(&SENTENCES, 3, 0);
    let path = std::path::Path::new("cases/perplexity.bin");
    if std::env::var_os("REWRITE_CASES").is_some() {
        model.save(path).unwrap();
    }
    let stored = LanguageModel::load(path).unwrap();
    assert_eq!((stored.ngrams(), stored.learnt()), (model.ngrams(), model.learnt()));
    for text in SENTENCES {
        assert!((stored.perplexity(text).unwrap() - model.perplexity(text).unwrap()).abs() < 0.05);
    }
}

#[test]
fn every_byte_of_a_file_counts() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.bin");
    let model = trained(&SENTENCES[..2], 3, 0);
    model.save(&path).unwrap();
    let again = LanguageModel::load(&path).unwrap();
    assert_eq!((again.keys.clone(), again.alphabet.clone(), again.origin), (model.keys.clone(), model.alphabet.clone(), model.origin));
    SENTENCES.iter().for_each(|text| assert_eq!(again.measure(text), model.measure(text)));
    let good = std::fs::read(&path).unwrap();
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 1;
        std::fs::write(&path, &bad).unwrap();
        assert!(LanguageModel::load(&path).is_err(), "byte {at}");
    }
    for length in [0, 7, 8, 79, 80, 88, good.len() - 1] {
        std::fs::write(&path, &good[..length]).unwrap();
        assert!(LanguageModel::load(&path).is_err(), "cut to {length}");
    }
    assert!(LanguageModel::load(&folder.path().join("none")).unwrap_err().to_string().contains("none"));
}

#[test]
fn nothing_to_learn_from_and_wild_numbers_are_refused() {
    let alphabet = Alphabet::new(&CharCounts::default());
    let config = LanguageModelConfig::default();
    let none = || NgramCounts::new(&config, 1 << 20, std::path::Path::new("none"));
    assert!(config.estimate(none(), alphabet.clone(), 0).unwrap_err().contains("no text"));
    assert!(LanguageModelConfig { order: 3, prune: 0 }.estimate(none(), alphabet, 0).unwrap_err().contains("were counted"));
    assert!(
        LanguageModelConfig { order: 6, prune: 0 }.validate().is_err() && LanguageModelConfig { order: 1, prune: 0 }.validate().is_err()
    );
}

/// The table of the page: a model of nine tenths of the Korean documentation, asked about the rest and about other texts.
#[test]
#[ignore = "a measurement"]
#[allow(clippy::print_stdout)]
fn perplexities_of_real_texts() {
    let file = |name: &str| crate::speed::texts(name).map(|texts| texts.into_iter().map(|(text, _)| text).collect::<Vec<_>>());
    let Some(docs) = file("korean_docs.jsonl.zst") else { return };
    let (held, learnt): (Vec<_>, Vec<_>) = docs.into_iter().enumerate().partition(|(at, _)| at % 10 == 0);
    let learnt: Vec<&str> = learnt.iter().map(|(_, text)| text.as_str()).collect();
    let held: Vec<String> = held.into_iter().map(|(_, text)| text).filter(|text| text.len() > 200).collect();
    let model = trained(&learnt, 5, 1);
    println!("{} texts, {:?} runs", learnt.len(), model.ngrams());
    let changed = |change: &dyn Fn(&str) -> String| held.iter().map(|text| change(text)).collect::<Vec<_>>();
    let turned = |text: &str| text.split_whitespace().rev().collect::<Vec<_>>().join(" ");
    let spelled = |text: &str| {
        text.chars()
            .map(|c| if ('가'..='힣').contains(&c) { char::from_u32(0xAC00 + (c as u32 * 7919) % 11172).unwrap_or(c) } else { c })
            .collect()
    };
    let again = |text: &str| text.chars().take(60).collect::<String>().repeat(20);
    let unread = |text: &str| text.bytes().map(char::from).collect();
    for (name, texts) in [
        ("held out", held.clone()),
        ("no spaces", changed(&|text| text.replace(' ', ""))),
        ("words turned round", changed(&turned)),
        ("sixty characters, twenty times", changed(&again)),
        ("other syllables", changed(&spelled)),
        ("read as Latin-1", changed(&unread)),
        ("statutes", file("korean_law.jsonl.zst").unwrap()),
        ("reviews", file("korean_reviews_nsmc.jsonl.zst").unwrap()),
        ("English documentation", file("english_docs.jsonl.zst").unwrap()),
    ] {
        let begin = crate::speed::cpu();
        let mut found: Vec<f64> = texts.iter().filter_map(|text| model.perplexity(text)).collect();
        let spent = (crate::speed::cpu() - begin) as f64;
        found.sort_by(f64::total_cmp);
        let at = |share: f64| found[((found.len() - 1) as f64 * share) as usize];
        let bytes = texts.iter().map(String::len).sum::<usize>() as f64;
        println!("| {name} | {} | {:.1} | {:.1} | {:.1} | {:.0} MB/CPU-s", texts.len(), at(0.05), at(0.5), at(0.95), bytes * 1e3 / spent);
    }
}

proptest! {
    /// A right checksum over wild numbers.
    #[test]
    fn claims_are_not_believed(numbers: [u32; 3], counts in prop::collection::vec(prop_oneof![0_u64..4, any::<u64>()], 7), body in prop::collection::vec(0_u8.., 0..80)) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.bin");
        let mut bytes = b"MALMOILM\x01\0\0\0".to_vec();
        bytes.extend([numbers[0] % 7, numbers[1], numbers[2] % 5].iter().flat_map(|number| number.to_le_bytes()));
        bytes.extend(counts.iter().flat_map(|number| number.to_le_bytes()));
        bytes.extend(body);
        let seal = xxhash_rust::xxh3::xxh3_64(&bytes);
        bytes.extend(seal.to_le_bytes());
        std::fs::write(&path, &bytes).unwrap();
        if let Ok(model) = LanguageModel::load(&path) {
            let _ = model.perplexity("가나다 abc 123");
        }
    }

    #[test]
    fn any_text_has_a_perplexity(text in "(?s).{0,100}") {
        let model = trained(&SENTENCES, 3, 1);
        let (bits, count) = model.measure(&text);
        prop_assert!(bits >= 0.0 && bits.is_finite());
        prop_assert_eq!(model.perplexity(&text).is_some(), count > 0);
    }
}
