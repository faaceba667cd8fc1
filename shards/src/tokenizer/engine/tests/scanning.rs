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
use super::super::window::{ROOM, Window};
use super::families::SEQUENCES;
use super::texts::{NASTY, long_spans, text};

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

/// Compares where windows say that pre-tokens begin with what is found one by one.
fn check_windows(scanner: &Scanner, text: &str) -> Result<(), String> {
    let text = text.as_bytes();
    let (mut at, mut ends) = (0, Vec::new());
    while at < text.len() && scanner.in_windows {
        let mut bytes = [0; ROOM];
        let length = ROOM.min(text.len() - at);
        bytes[..length].copy_from_slice(&text[at..at + length]);
        let (starts, end) = scanner.starts(&Window::new(&bytes, text.len() - at, scanner.classes, scanner.rules.words), &bytes);
        ends.extend((1..end).filter(|place| starts >> place & 1 != 0).map(|place| at + place));
        at = if end == 0 { scanner.end(text, at) } else { at + end };
        ends.push(at);
    }
    let mut at = 0;
    for found in ends {
        let end = scanner.end(text, at);
        if found != end {
            return Err(format!("{:?}: {at}..{found}, not {at}..{end}", String::from_utf8_lossy(text)));
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
        long_spans().iter().for_each(|text| check_windows(&scanner, text).unwrap());
        // Each text at each place of a window.
        for before in 0..64 {
            NASTY.iter().for_each(|text| check_windows(&scanner, &("x".repeat(before) + " " + text)).unwrap());
        }
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
                for (split, scanner) in all() {
                    check(&split, &scanner, &text).unwrap();
                    check_windows(&scanner, &text).unwrap();
                    check_windows(&scanner, &format!("{}{text} {text}{text}", "\n".repeat(59))).unwrap();
                }
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
            if let Err(difference) = check(&split, &scanner, &text).and(check_windows(&scanner, &text)) {
                return Err(TestCaseError::fail(difference));
            }
        }
        for (library, scanner) in sequences() {
            check_sequence(&library, &scanner, &text).map_err(TestCaseError::fail)?;
        }
    }
}

/// White space, marks and letters alone, of which windows make the most of their decisions.
const DENSE: &str = "  \n\r\t!'./aslLSé한1\u{301}";

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn windows_of_dense_text(picks in prop::collection::vec(0..DENSE.chars().count(), 0..150)) {
        let characters: Vec<char> = DENSE.chars().collect();
        let text: String = picks.into_iter().map(|pick| characters[pick]).collect();
        for (_, scanner) in all() {
            check_windows(&scanner, &text).map_err(TestCaseError::fail)?;
        }
    }
}
