//! Exact match and F1 of short answers, as KorQuAD 1.0's own script has them: F1 is over characters.

use std::collections::BTreeMap;

/// Whether the answer is one of the texts, but for case, punctuation and white space.
pub(crate) fn exact_match(answer: &str, texts: &[String]) -> bool {
    texts.iter().any(|text| normal(text) == normal(answer))
}

/// The best F1 over the texts.
pub(super) fn f1(answer: &str, texts: &[String]) -> f64 {
    texts.iter().map(|text| overlap(answer, text)).fold(0.0, f64::max)
}

fn overlap(answer: &str, text: &str) -> f64 {
    let count = |text: &str| {
        let mut counts = BTreeMap::<char, usize>::new();
        normal(text).chars().filter(|c| *c != ' ').for_each(|c| *counts.entry(c).or_default() += 1);
        counts
    };
    let (answer, text) = (count(answer), count(text));
    let same: usize = answer.iter().map(|(c, count)| count.min(text.get(c).unwrap_or(&0))).sum();
    let total: usize = answer.values().sum::<usize>() + text.values().sum::<usize>();
    if same == 0 { 0.0 } else { 2.0 * same as f64 / total as f64 }
}

/// Quotation marks and brackets become spaces, other ASCII punctuation goes, letters are small, and one space is
/// between words.
fn normal(text: &str) -> String {
    const SPACES: [char; 12] = ['\'', '"', '《', '》', '<', '>', '〈', '〉', '(', ')', '‘', '’'];
    let spaced = text.replace(SPACES, " ").to_lowercase();
    let kept: String = spaced.chars().filter(|c| !c.is_ascii_punctuation()).collect();
    kept.split_whitespace().collect::<Vec<_>>().join(" ")
}
