//! Passport numbers, which are too plain to be known without a word beside them.

use super::context::{before, behind, says};
use super::groups::Chain;

const PASSPORT: &[&str] = &["여권", "passport"];

/// The number around the first group: a Korean one (`M12345678`, since 2021 `M123A4567`), or one or
/// two letters and seven or eight digits, or nine digits, as other countries have.
pub(super) fn around(text: &str, floor: usize, chain: &Chain) -> Option<(usize, usize)> {
    let bytes = text.as_bytes();
    let first = chain.first();
    let upper = bytes[floor..first.start].iter().rev().take(3).take_while(|byte| byte.is_ascii_uppercase()).count();
    let end = first.end + bytes[first.end..].iter().take(9).take_while(|byte| byte.is_ascii_alphanumeric()).count();
    let start = first.start - upper;
    let right = match (upper, first.len, &bytes[first.end..end]) {
        (1..=2, 7..=8, []) | (0, 9, []) => true,
        (1, 3, [letter, digits @ ..]) => letter.is_ascii_uppercase() && digits.len() == 4 && digits.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    let whole = !bytes[..start].last().is_some_and(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
    let said = || says(before(text, floor, start, 40), PASSPORT) || says(behind(text, end, 24), PASSPORT);
    (right && whole && said()).then_some((start, end))
}
