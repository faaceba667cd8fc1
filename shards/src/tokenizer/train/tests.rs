//! Merges and ids beside those of the `tokenizers` crate.

use std::collections::BTreeMap;

use ahash::AHashMap;
use compact_str::CompactString;
use proptest::prelude::*;
use serde_json::Value;
use tokenizers::AddedToken;
use tokenizers::models::bpe::{BPE, BpeTrainer};

use super::count::count;
use super::words::Words;
use super::*;
use crate::tokenizer::{Pattern, byte_level};

mod extending;
mod files;
mod shares;

/// Settings of both trainers.
#[derive(Debug, Clone)]
struct Case {
    alphabet: Alphabet,
    special: Vec<String>,
    vocab: usize,
    min_frequency: u64,
    /// In the library's sense: tokens are shorter.
    length: Option<usize>,
}

impl Case {
    fn new(vocab: usize) -> Self {
        Self { alphabet: Alphabet::ALL, special: vec!["<|endoftext|>".to_owned()], vocab, min_frequency: 0, length: None }
    }
}

/// Vocabulary in the byte alphabet, and merges.
type Learnt = (BTreeMap<String, u32>, Vec<(String, String)>);

fn ours(words: &BTreeMap<String, u64>, case: &Case) -> Learnt {
    let mut counted = Words::new();
    words.iter().for_each(|(word, count)| counted.add(word.as_bytes(), *count).unwrap());
    let limits = Limits { tokens: case.vocab, min_frequency: case.min_frequency, length: case.length.unwrap_or(usize::MAX), first_new: 0 };
    let (tokens, merges) = from_bytes(vec![Counts::Memory(counted)], &[1.0], case.alphabet, 1.0, &case.special, limits).unwrap();
    let specials = case.special.iter().cloned().zip(0..);
    let spelled = (case.special.len() as u32..tokens.len() as u32).map(|id| (file::spell(tokens.get(id)), id));
    let merges = merges.iter().map(|&(left, right, _)| (file::spell(tokens.get(left)), file::spell(tokens.get(right))));
    (specials.chain(spelled).collect(), merges.collect())
}

fn library(words: &BTreeMap<String, u64>, case: &Case) -> Learnt {
    let special = |token: &String| AddedToken::from(token.clone(), true);
    let mut trainer = BpeTrainer::builder()
        .show_progress(false)
        .vocab_size(case.vocab)
        .min_frequency(case.min_frequency)
        .max_token_length(case.length)
        .special_tokens(case.special.iter().map(special).collect())
        .initial_alphabet((0..=255u8).filter(|&byte| case.alphabet.initial[usize::from(byte)]).map(byte_level::char_of).collect());
    if let Some(limit) = case.alphabet.limit {
        trainer = trainer.limit_alphabet(limit);
    }
    let words: AHashMap<CompactString, u64> =
        words.iter().map(|(word, count)| (word.bytes().map(byte_level::char_of).collect(), *count)).collect();
    let mut model = BPE::default();
    trainer.build().do_train(&words, &mut model).unwrap();
    let file = serde_json::to_value(&model).unwrap();
    let vocab = file["vocab"].as_object().unwrap().iter().map(|(token, id)| (token.clone(), id.as_u64().unwrap() as u32)).collect();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let merges = file["merges"].as_array().unwrap().iter().map(|pair| (text(&pair[0]), text(&pair[1]))).collect();
    (vocab, merges)
}

/// Whether ours is what the library learns. Where two lists of one pair have one count, the library's
/// hash maps, seeded anew each time, decide which comes first: then ours is one of its several answers.
fn agree(words: &BTreeMap<String, u64>, case: &Case) -> bool {
    let ours = ours(words, case);
    (0..40).any(|_| library(words, case) == ours)
}

fn words(letters: &'static str, most: usize) -> impl Strategy<Value = BTreeMap<String, u64>> {
    prop::collection::btree_map(letters, 1..4u64, 1..most)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Two or three letters make ties, and the same token in many ways.
    #[test]
    fn ties_are_broken_alike(
        words in prop_oneof![words("a{0,4}b{0,3}a{0,9}", 12), words("[ab]{1,9}", 30), words("[abc]{1,12}", 60)],
        extra in 0..200usize, min_frequency in 0..4u64, length in prop::option::of(2..9usize),
    ) {
        let case = Case { min_frequency, length, ..Case::new(257 + extra) };
        prop_assert!(agree(&words, &case), "{:?} {:?}", ours(&words, &case), library(&words, &case));
    }

    #[test]
    fn any_characters(
        words in prop_oneof![words("[가나다각 ]{1,6}", 40), words("[👩👧\u{200d}🇰🇷é\\PC]{1,5}", 30)],
        extra in 0..300usize, min_frequency in 0..3u64,
    ) {
        let case = Case { min_frequency, ..Case::new(257 + extra) };
        prop_assert!(agree(&words, &case));
    }

    /// Special tokens that merges make as well, and bytes that are left out.
    #[test]
    fn alphabets_and_special_tokens(
        words in words("[abcde]{1,8}", 30), special in prop::collection::btree_set("[abc]{1,3}|<x>|…", 0..4),
        initial in prop::collection::vec(any::<bool>(), 8), limit in prop::option::of(1..7usize), extra in 0..40usize,
    ) {
        let mut alphabet = Alphabet { initial: [false; 256], limit };
        if limit.is_none() {
            initial.iter().zip(b'a'..).for_each(|(&initial, byte)| alphabet.initial[usize::from(byte)] = initial);
        }
        let special = special.into_iter().collect();
        let case = Case { alphabet, special, ..Case::new(extra) };
        prop_assert!(agree(&words, &case), "{:?} {:?}", ours(&words, &case), library(&words, &case));
    }
}

fn map(words: &[(&str, u64)]) -> BTreeMap<String, u64> {
    words.iter().map(|&(word, count)| (word.to_owned(), count)).collect()
}

#[test]
fn by_hand() {
    // ab 5+3, bc 3+1: `ab` first; then (ab,c) 3, (b,c) 1; then `bc`.
    let words = map(&[("ab", 5), ("abc", 3), ("bc", 1)]);
    let (vocab, merges) = ours(&words, &Case::new(260));
    let pairs: Vec<(&str, &str)> = merges.iter().map(|(left, right)| (&left[..], &right[..])).collect();
    assert_eq!(pairs, [("a", "b"), ("ab", "c"), ("b", "c")]);
    assert_eq!((vocab["<|endoftext|>"], vocab["!"], vocab["ab"], vocab["abc"], vocab["bc"]), (0, 1, 257, 258, 259));
    // Equal counts: lower ids first; `aaaa` is two of `aa`, not three.
    let (_, merges) = ours(&map(&[("xy", 2), ("aaaa", 1), ("cd", 2)]), &Case::new(300));
    let pairs: Vec<(&str, &str)> = merges.iter().map(|(left, right)| (&left[..], &right[..])).collect();
    assert_eq!(pairs, [("a", "a"), ("c", "d"), ("x", "y"), ("aa", "aa")]);
}

/// The library adds counts up in 32 bits with a sign and loses `th`, which occurs 3 × 2^30 times.
#[test]
fn counts_beyond_31_bits() {
    let words = map(&[("th", 3 << 30), ("ab", 1 << 30), ("xyz", 5_000_000_000), ("yz", 5_000_000_000), ("cd", 1)]);
    let case = Case::new(300);
    let (_, merges) = ours(&words, &case);
    let pairs: Vec<(&str, &str)> = merges.iter().map(|(left, right)| (&left[..], &right[..])).collect();
    // yz 10^10, then (x, yz) 5 × 10^9, th 3.2 × 10^9, ab 1.07 × 10^9, cd 1.
    assert_eq!(pairs, [("y", "z"), ("x", "yz"), ("t", "h"), ("a", "b"), ("c", "d")]);
    assert_ne!(library(&words, &case).1, merges);
    // The largest counts that a sum of 63 bits holds.
    let (_, merges) = ours(&map(&[("ab", u64::MAX / 4), ("abc", u64::MAX / 4 - 1)]), &case);
    assert_eq!(merges.len(), 2);
}

/// A word of many letters costs no more than its merges.
#[test]
fn long_words() {
    let mut state = 7u64;
    let mut letter = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        char::from(b'a' + (state >> 60) as u8)
    };
    let long: String = (0..20_000).map(|_| letter()).collect();
    let words = map(&[(&long, 1), (&"a".repeat(5000), 2), ("abc", 3)]);
    let case = Case { min_frequency: 2, ..Case::new(1500) };
    assert_eq!(ours(&words, &case), library(&words, &case));
    // A million letters: far beyond what can be looked through for each of ten thousand merges.
    let long: String = (0..1_000_000).map(|_| letter()).collect();
    let (vocab, _) = ours(&map(&[(&long, 1)]), &Case { min_frequency: 2, ..Case::new(10_000) });
    assert_eq!(vocab.len(), 10_000);
}

/// Texts with many different words, none of them longer than a few letters.
fn texts(count: u32) -> Vec<String> {
    let letter = |n: u32| char::from_u32(0xac00 + n.wrapping_mul(2_654_435_761) % 900).unwrap();
    (0..count).map(|i| (0..12u32).map(|j| format!("{}{} ", letter(i % 97 * j), letter((i * j) % 1013))).collect()).collect()
}

#[test]
fn counts_are_the_same_on_disk_and_in_any_order() {
    let texts = texts(60_000);
    let folder = tempfile::tempdir().unwrap();
    let scanner = Scanner::new(Pattern::Qwen2.rules());
    let counted = |budget: u64, threads: usize, backwards: bool, limit: u64| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let texts: Vec<String> = if backwards { texts.iter().rev().cloned().collect() } else { texts.clone() };
        let counts =
            pool.install(|| count(&scanner, texts.into_iter().map(|text| (0, text)), 1, limit, budget, folder.path())).unwrap().remove(0);
        let mut all = BTreeMap::new();
        for _ in 0..2 {
            all.clear();
            counts
                .for_each(|word, count| {
                    assert!(all.insert(word.to_vec(), count).is_none());
                    Ok(())
                })
                .unwrap();
        }
        (all, matches!(counts, Counts::Disk(_)))
    };
    let (expected, spilled) = counted(1 << 30, 1, false, u64::MAX);
    assert!(!spilled && expected.len() > 20_000);
    assert_eq!(
        expected.iter().map(|(word, count)| word.len() as u64 * count).sum::<u64>(),
        texts.iter().map(|text| text.len() as u64).sum::<u64>()
    );
    for (threads, backwards) in [(1, true), (3, false), (4, true)] {
        assert_eq!(counted(1 << 30, threads, backwards, u64::MAX), (expected.clone(), false));
        assert_eq!(counted(1, threads, backwards, u64::MAX), (expected.clone(), true));
    }
    let limited = |budget| counted(budget, 2, false, 1_000_000).0;
    assert_eq!(limited(1 << 30), limited(1));
    assert_eq!(limited(1).iter().map(|(word, count)| word.len() as u64 * count).sum::<u64>(), 999_999); // the last byte is half a character
    assert!(folder.path().read_dir().unwrap().next().is_none(), "the files have no name");
}
