//! What an answer is worth.

pub(crate) mod formula;
pub(crate) mod span;

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::instructions;
use super::item::{Answer, Gold, Item, Record, letter, rounded};

/// The record of an item that was answered. `prompt` is what the model read, without `cut` tokens.
pub(super) fn judge(item: &Item, prompt: String, cut: usize, answer: Answer) -> Record {
    let mut scores = BTreeMap::new();
    let mut followed = Vec::new();
    let mut score = |name: &str, value: f64| scores.extend([(name.to_owned(), rounded(value))]);
    let (prediction, gold) = match (&item.gold, &answer) {
        (Gold::Choice(right), Answer::LogLikelihoods(values)) => {
            let chosen = likeliest(values);
            score("accuracy", f64::from(chosen == *right));
            (json!(chosen), json!(right))
        }
        (Gold::Letter { right, letters }, Answer::Text { text, .. }) => {
            let chosen = letter_of(text, *letters);
            score("accuracy", f64::from(chosen == Some(*right)));
            (json!(chosen.map(letter)), json!(letter(*right)))
        }
        (Gold::Degree(gold), Answer::LogLikelihoods(values)) => (json!(rounded(expected(values))), json!(gold)),
        (Gold::Texts(texts), Answer::Text { text, .. }) => {
            let text = text.trim();
            score("exact-match", f64::from(span::exact_match(text, texts)));
            score("f1", span::f1(text, texts));
            (json!(text), json!(texts))
        }
        (Gold::Formula(formula), Answer::Text { text, .. }) => {
            let found = formula::answer(text);
            score("exact-match", f64::from(found.as_deref().is_some_and(|found| formula::equal(found, formula))));
            (json!(found), json!(formula))
        }
        (Gold::Instructions(instructions), Answer::Text { text, .. }) => {
            let result = instructions::check(instructions, text);
            if !result.ids.is_empty() {
                score("prompt-strict", f64::from(result.strict.iter().all(|&follows| follows)));
                score("prompt-loose", f64::from(result.loose.iter().all(|&follows| follows)));
            }
            let count = |list: &[bool]| list.iter().filter(|&&follows| follows).count() as f64;
            score("strict", count(&result.strict));
            score("loose", count(&result.loose));
            score("instructions", result.ids.len() as f64);
            followed =
                result.ids.into_iter().zip(result.strict).zip(result.loose).map(|((id, strict), loose)| (id, strict, loose)).collect();
            (Value::Null, Value::Null)
        }
        // A text where likelihoods were asked for, or the other way round: nothing that was written here.
        _ => (Value::Null, Value::Null),
    };
    Record { id: item.id.clone(), subject: item.subject.clone(), prompt, cut, answer, prediction, gold, scores, instructions: followed }
}

/// The first of the likeliest.
fn likeliest(values: &[f64]) -> usize {
    values.iter().enumerate().fold(0, |best, (at, value)| if *value > values[best] { at } else { best })
}

/// The mean of the choices 0, 1, 2, .. by their probabilities among each other.
fn expected(values: &[f64]) -> f64 {
    let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let weights = || values.iter().map(|value| (value - most).exp());
    weights().enumerate().map(|(at, weight)| at as f64 * weight).sum::<f64>() / weights().sum::<f64>()
}

/// The letter that a text chooses: of what is said to be the answer (`정답은 (C)`, `Answer: C`), else the first
/// that stands alone.
fn letter_of(text: &str, letters: usize) -> Option<usize> {
    const SAID: [&str; 5] = ["정답은", "정답:", "정답：", "답:", "Answer:"];
    let said = SAID.iter().filter_map(|said| text.rfind(said).map(|at| at + said.len())).max();
    let alone = |text: &str| {
        let mut before = None;
        let mut characters = text.chars().peekable();
        while let Some(c) = characters.next() {
            let free = |c: Option<char>| c.is_none_or(|c| !c.is_ascii_alphanumeric());
            let at = (c as usize).wrapping_sub('A' as usize);
            if at < letters && free(before) && free(characters.peek().copied()) {
                return Some(at);
            }
            before = Some(c);
        }
        None
    };
    said.and_then(|at| alone(&text[at..])).or_else(|| alone(text))
}

#[cfg(test)]
mod tests;
