//! What rules see in a text.

use std::collections::BTreeSet;

use serde::de::IgnoredAny;
use trainer::{Reward, Sample};

use crate::eval::judge::{formula, span};

type Judge = dyn Fn(&Sample) -> f64 + Send + Sync;

/// A rule about one answer.
pub(super) struct Rule {
    name: String,
    judge: Box<Judge>,
}

impl Rule {
    pub(super) fn new(name: &str, judge: impl Fn(&Sample) -> f64 + Send + Sync + 'static) -> Self {
        Self { name: name.to_owned(), judge: Box::new(judge) }
    }
}

impl Reward for Rule {
    fn name(&self) -> &str {
        &self.name
    }

    fn score(&self, samples: &[Sample]) -> trainer::Result<Vec<f64>> {
        Ok(samples.iter().map(|sample| (self.judge)(sample)).collect())
    }
}

/// Whether the final answers of two texts are the same: the last `\boxed{}`, formula or number of each. A reference
/// without any is the answer itself.
pub(super) fn same_answer(response: &str, reference: &str) -> bool {
    let right = final_answer(reference).unwrap_or_else(|| reference.trim().to_owned());
    final_answer(response).is_some_and(|found| formula::equal(&found, &right))
}

/// As problems are judged, but for plain sentences: there the last number counts also where a particle or an ending
/// is written right after it, as in `12입니다`.
fn final_answer(text: &str) -> Option<String> {
    if text.contains("\\boxed") || text.contains(['$', '=']) { formula::answer(text) } else { last_number(text) }
}

fn last_number(text: &str) -> Option<String> {
    let end = text.rfind(|c: char| c.is_ascii_digit())? + 1;
    let is_part = |c: char| c.is_ascii_digit() || c == ',' || c == '.';
    let number = text[..end].trim_end_matches(is_part).len();
    let digits = text[number..end].trim_start_matches([',', '.']);
    let before = text[..end - digits.len()].strip_suffix('-');
    let negative = before.is_some_and(|before| !before.ends_with(char::is_alphanumeric));
    Some(if negative { format!("-{digits}") } else { digits.to_owned() })
}

/// Whether two texts are the same but for case, punctuation and white space.
pub(super) fn same_text(response: &str, reference: &str) -> bool {
    span::exact_match(response, &[reference.to_owned()])
}

/// The share of Hangul among letters; 0 without letters.
pub(super) fn korean(text: &str) -> f64 {
    let is_hangul = |c: char| matches!(c, '\u{1100}'..='\u{11ff}' | '\u{3131}'..='\u{318e}' | '\u{a960}'..='\u{a97c}' | '가'..='힣' | '\u{d7b0}'..='\u{d7fb}');
    let letters = text.chars().filter(|c| c.is_alphabetic()).count();
    let hangul = text.chars().filter(|&c| is_hangul(c)).count();
    if letters == 0 { 0.0 } else { (hangul as f64 / letters as f64).min(1.0) }
}

/// Whether a text is a JSON object or list.
pub(super) fn is_json(text: &str) -> bool {
    text.trim_start().starts_with(['{', '[']) && serde_json::from_str::<IgnoredAny>(text).is_ok()
}

/// Whether a text consists of these elements in this order, each with something in it, and white space between them.
pub(super) fn has_tags(text: &str, tags: &[String]) -> bool {
    let mut rest = text.trim();
    for tag in tags {
        let (open, close) = (format!("<{tag}>"), format!("</{tag}>"));
        let Some((inside, after)) = rest.strip_prefix(open.as_str()).and_then(|inside| inside.split_once(close.as_str())) else {
            return false;
        };
        if inside.trim().is_empty() || inside.contains(&open) {
            return false;
        }
        rest = after.trim_start();
    }
    rest.is_empty()
}

/// 1 within the limits in characters, less in proportion outside.
pub(super) fn length(text: &str, min: u64, max: Option<u64>) -> f64 {
    let characters = text.chars().count() as u64;
    match max {
        _ if characters < min => characters as f64 / min as f64,
        Some(max) if characters > max => (1.0 - (characters - max) as f64 / max as f64).max(0.0),
        _ => 1.0,
    }
}

/// The share of runs of so many words that stand in the text before already.
pub(super) fn repeated(text: &str, words: usize) -> f64 {
    let all: Vec<&str> = text.split_whitespace().collect();
    let runs = all.windows(words.max(1)).len();
    let distinct = all.windows(words.max(1)).collect::<BTreeSet<_>>().len();
    if runs == 0 { 0.0 } else { 1.0 - distinct as f64 / runs as f64 }
}
