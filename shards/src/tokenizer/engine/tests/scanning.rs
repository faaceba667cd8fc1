//! Pre-tokens against the regular expressions themselves.

use std::sync::LazyLock;

use proptest::prelude::*;
use serde_json::{Value, json};
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::tokenizer::pattern::Pattern;
use tokenizers::{OffsetReferential, OffsetType, PreTokenizedString, PreTokenizer, PreTokenizerWrapper, SplitDelimiterBehavior};

use super::super::classes::CLASSES;
use super::super::load;
use super::super::pattern::{KNOWN, Rules};
use super::super::scan::Scanner;
use super::families::SEQUENCES;
use super::texts::{NASTY, text};

fn regex(pattern: &str) -> Split {
    Split::new(SplitPattern::Regex(pattern.to_owned()), SplitDelimiterBehavior::Isolated, false).unwrap()
}

fn check(split: &Split, scanner: &Scanner, text: &str) -> Result<(), String> {
    let found = (&split.regex).find_matches(text).unwrap();
    let mut at = 0;
    for ((start, end), _) in found {
        if start == end {
            continue;
        }
        let ours = scanner.end(text.as_bytes(), at);
        if (at, ours) != (start, end) {
            return Err(format!("{:?} of {text:?}: {at}..{ours}, not {start}..{end}", split.regex));
        }
        at = end;
    }
    Ok(())
}

fn all() -> impl Iterator<Item = (Split, Scanner)> {
    static ALL: LazyLock<Vec<(Split, Rules)>> = LazyLock::new(|| KNOWN.iter().map(|(pattern, rules)| (regex(pattern), *rules)).collect());
    ALL.iter().map(|(split, rules)| (split.clone(), Scanner::new(*rules)))
}

/// Pre-tokenizers of several parts, as the library runs them.
fn sequences() -> Vec<(PreTokenizerWrapper, Scanner)> {
    let of = |parts: &fn() -> Vec<Value>| {
        let file = json!({"type": "Sequence", "pretokenizers": parts()});
        (serde_json::from_value(file.clone()).unwrap(), Scanner::new(load::pre_tokenizer(&file).unwrap()))
    };
    SEQUENCES.iter().map(of).collect()
}

fn check_sequence(library: &PreTokenizerWrapper, scanner: &Scanner, text: &str) -> Result<(), String> {
    let mut split = PreTokenizedString::from(text);
    library.pre_tokenize(&mut split).unwrap();
    let expected: Vec<&str> =
        split.get_splits(OffsetReferential::Original, OffsetType::Byte).into_iter().map(|(_, (start, end), _)| &text[start..end]).collect();
    let mut found = Vec::new();
    let mut keep = |word: &[u8]| {
        found.push(String::from_utf8_lossy(word).into_owned());
        Ok::<(), ()>(())
    };
    scanner.each_word(text, &mut keep).unwrap();
    if found == expected { Ok(()) } else { Err(format!("{library:?} of {text:?}: {found:?}, not {expected:?}")) }
}

#[test]
fn nasty_texts() {
    for (split, scanner) in all() {
        NASTY.iter().for_each(|text| check(&split, &scanner, text).unwrap());
    }
    for (library, scanner) in sequences() {
        NASTY.iter().for_each(|text| check_sequence(&library, &scanner, text).unwrap());
    }
}

/// Every three characters out of one of each class, among them those that patterns name.
#[test]
fn all_triples_of_classes() {
    let mut characters: Vec<char> = vec!['\'', 's', 'S', 'l', 'e', 'r', ' ', '/', '\u{17f}'];
    let mut seen = Vec::new();
    for c in (0..=0x10_ffff).filter_map(char::from_u32) {
        let class = CLASSES.of(c as u32);
        if seen.iter().filter(|&&other| other == class).count() < 1 {
            seen.push(class);
            characters.push(c);
        }
    }
    assert!((20..60).contains(&characters.len()), "{}", characters.len());
    let sequences = sequences();
    for &a in &characters {
        for &b in &characters {
            for &c in &characters {
                let text = String::from_iter([a, b, c]);
                all().for_each(|(split, scanner)| check(&split, &scanner, &text).unwrap());
                sequences.iter().for_each(|(library, scanner)| check_sequence(library, scanner, &text).unwrap());
            }
        }
    }
}

/// What folds to a letter of a contraction, over all of Unicode.
#[test]
fn apostrophe_before_every_code_point() {
    let (pattern, rules) = KNOWN[1];
    let (split, scanner) = (regex(pattern), Scanner::new(rules));
    let all: Vec<char> = (0..=0x10_ffff).filter_map(char::from_u32).filter(|c| c.is_alphabetic()).collect();
    for part in all.chunks(1 << 12) {
        let text: String = part.iter().flat_map(|&c| ['\'', c, 'l', 'e', ' ', '\'', 'l', c, ' ', '\'', 'r', c, ' ']).collect();
        check(&split, &scanner, &text).unwrap();
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn random_texts(text in text()) {
        for (split, scanner) in all() {
            if let Err(difference) = check(&split, &scanner, &text) {
                return Err(TestCaseError::fail(difference));
            }
        }
        for (library, scanner) in sequences() {
            check_sequence(&library, &scanner, &text).map_err(TestCaseError::fail)?;
        }
    }
}
