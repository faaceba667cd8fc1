//! Numbers of health insurance certificates: eleven digits (`1-1234567890`), beside words that say so.

use super::context::{before, counts, says};
use super::groups::{Chain, Gap, is_free_before, is_free_behind};

const INSURED: &[&str] = &["건강보험", "의료보험", "보험증", "증번호", "health insurance"];

/// Words close enough for digits in a row.
const NUMBER: &[&str] = &["보험증", "증번호", "보험번호", "insurance number", "insurance no"];

/// The number that begins with the chain.
pub(super) fn at(text: &str, floor: usize, chain: &Chain) -> Option<(usize, usize)> {
    let bytes = text.as_bytes();
    let (groups, words) = match chain {
        _ if chain.has_lengths(&[1, 10]) && chain.gaps(2) == [Gap::Dash] => (2, INSURED),
        _ if chain.has_lengths(&[11]) => (1, NUMBER),
        _ => return None,
    };
    let (start, end) = (chain.first().start, chain.end(groups));
    let begins = chain.first().digits().first().is_some_and(|digit| *digit > 0);
    let said = begins && says(before(text, floor, start, 40), words);
    (said && is_free_before(bytes, start) && is_free_behind(bytes, end) && !counts(&text[end..])).then_some((start, end))
}
