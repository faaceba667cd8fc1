//! Payment cards: the issuers' prefixes and lengths, and the Luhn digit.

use super::context::{before, says};
use super::groups::{Chain, Gap, is_free_before, is_free_behind, number};

const CARD: &[&str] = &["카드", "card", "visa", "비자", "마스터", "결제"];

/// The card number that begins with the chain. In code one without gaps needs a word before it:
/// one of ten numbers has the right last digit.
pub(super) fn at(text: &str, floor: usize, chain: &Chain, is_code: bool) -> Option<(usize, usize)> {
    let bytes = text.as_bytes();
    let shapes: [&[usize]; 4] = [&[4, 4, 4, 4, 3], &[4, 4, 4, 4], &[4, 6, 5], &[4, 6, 4]];
    let groups = match shapes.into_iter().find(|shape| chain.has_lengths(shape)) {
        Some(shape) => shape.len(),
        None if (13..=19).contains(&chain.first().len) => 1,
        None => return None,
    };
    let gaps = chain.gaps(groups);
    if gaps.iter().any(|gap| *gap != gaps[0] || *gap == Gap::Paren) {
        return None;
    }
    let (start, end) = (chain.first().start, chain.end(groups));
    let digits = chain.joined(groups);
    let right = is_free_before(bytes, start) && is_free_behind(bytes, end) && is_issued(&digits) && has_luhn(&digits);
    (right && (groups > 1 || !is_code || says(before(text, floor, start, 40), CARD))).then_some((start, end))
}

/// Visa, Mastercard, American Express, Discover, JCB, Diners Club, UnionPay, and Korean cards that
/// are good at home only (9).
fn is_issued(digits: &[u8]) -> bool {
    let (two, four) = (number(&digits[..2]), number(&digits[..4]));
    match digits.len() {
        13 => digits[0] == 4,
        14 => matches!(two, 36 | 38 | 39) || (3000..3060).contains(&four),
        15 => matches!(two, 34 | 37),
        16 => {
            matches!(digits[0], 4 | 9) || matches!(two, 51..=55 | 62 | 65) || matches!(four, 2221..=2720 | 3528..=3589 | 6011 | 6440..=6499)
        }
        17..=18 => two == 62,
        19 => two == 62 || digits[0] == 4,
        _ => false,
    }
}

fn has_luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(at, digit)| match (at % 2, u32::from(*digit) * 2) {
            (0, _) => u32::from(*digit),
            (_, double) => double / 10 + double % 10,
        })
        .sum();
    // A row of one digit repeated is a placeholder.
    sum.is_multiple_of(10) && digits.iter().any(|digit| *digit != digits[0])
}
