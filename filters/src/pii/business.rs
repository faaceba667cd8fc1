//! Business registration numbers: `XXX-XX-XXXXX` with a checksum.

use super::context::{before, says};
use super::groups::{Chain, Gap, is_free_before, is_free_behind};

const BUSINESS: &[&str] = &["사업자", "등록번호", "business registration"];

/// The number that begins with the chain: divided by dashes, or by anything else beside a word that
/// says so. The checksum must be right either way.
pub(super) fn at(text: &str, floor: usize, chain: &Chain) -> Option<(usize, usize)> {
    let bytes = text.as_bytes();
    let groups = match chain {
        _ if chain.has_lengths(&[3, 2, 5]) => 3,
        _ if chain.has_lengths(&[10]) => 1,
        _ => return None,
    };
    let (start, end) = (chain.first().start, chain.end(groups));
    let dashed = groups == 3 && chain.gaps(3) == [Gap::Dash, Gap::Dash];
    let right = is_free_before(bytes, start) && is_free_behind(bytes, end) && has_checksum(&chain.joined(groups));
    (right && (dashed || says(before(text, floor, start, 48), BUSINESS))).then_some((start, end))
}

/// Weights 1 3 7 1 3 7 1 3 5, and the tens of the last product (National Tax Service).
fn has_checksum(digits: &[u8]) -> bool {
    let sum: u32 = digits.iter().zip([1, 3, 7, 1, 3, 7, 1, 3, 5]).map(|(digit, weight)| u32::from(*digit) * weight).sum();
    let tens = u32::from(digits[8]) * 5 / 10;
    // The first three digits are the tax office, from 101 on.
    digits[0] > 0 && (10 - (sum + tens) % 10) % 10 == u32::from(digits[9])
}
