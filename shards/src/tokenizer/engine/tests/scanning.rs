//! Pre-tokens against the regular expressions themselves.

use proptest::prelude::*;
use tokenizers::SplitDelimiterBehavior;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::tokenizer::pattern::Pattern;

use super::super::classes::CLASSES;
use super::super::pattern::KNOWN;
use super::super::scan::Scanner;
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
    KNOWN.iter().map(|(pattern, rules)| (regex(pattern), Scanner::new(*rules)))
}

#[test]
fn nasty_texts() {
    for (split, scanner) in all() {
        NASTY.iter().for_each(|text| check(&split, &scanner, text).unwrap());
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
    for (split, scanner) in all() {
        for &a in &characters {
            for &b in &characters {
                for &c in &characters {
                    let text = String::from_iter([a, b, c]);
                    check(&split, &scanner, &text).unwrap();
                }
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
    }
}
