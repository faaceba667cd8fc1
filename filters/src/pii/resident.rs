//! Registration numbers of residents and of foreigners: `YYMMDD-SNNNNNN`.

use super::Kind;
use super::context::{before, behind, says};
use super::groups::{Chain, Gap, is_free_before, is_free_behind};

const REGISTERED: &[&str] = &["주민", "외국인등록", "거소신고", "생년월일", "resident registration", "rrn"];

/// Companies have numbers of the same shape (법인등록번호).
const COMPANY: &[&str] = &["법인"];

/// The number that begins with the chain.
///
/// The first six digits are a day of the century that the seventh names; 1 to 4 are residents, 5 to
/// 8 foreigners. The last digit was a checksum until October 2020; numbers given out since have six
/// random digits, also those of foreigners of any age. So a number in two parts is taken by its day and
/// seventh digit alone, and the checksum speaks where the shape does not: thirteen digits in a row, or a
/// space between the parts. Who was born since has no checksum: there a word must say it.
pub(super) fn at(text: &str, floor: usize, chain: &Chain) -> Option<(Kind, usize, usize)> {
    let bytes = text.as_bytes();
    let (groups, dashed) = match chain {
        _ if chain.has_lengths(&[6, 7]) && chain.gaps(2)[0] != Gap::Paren => (2, matches!(chain.gaps(2)[0], Gap::Dash | Gap::Dot)),
        _ if chain.has_lengths(&[13]) => (1, false),
        _ => return None,
    };
    let (start, end) = (chain.first().start, chain.end(groups));
    if !is_free_before(bytes, start) || !is_free_behind(bytes, end) {
        return None;
    }
    let digits: [u8; 13] = chain.joined(groups)[..].try_into().ok()?;
    let kind = match digits[6] {
        1..=4 => Kind::ResidentNumber,
        5..=8 => Kind::ForeignerNumber,
        // 9 and 0 are people born before 1900.
        _ => return None,
    };
    let window = before(text, floor, start, 48);
    let named = || says(window, REGISTERED) || says(behind(text, end, 24), REGISTERED);
    // Directly behind, so that nothing masked between can part the word from the number.
    let company_behind = COMPANY.iter().any(|word| text[end..].trim_start_matches([' ', '(', ':']).starts_with(word));
    let company = (says(window, COMPANY) || company_behind) && !has_checksum(&digits);
    let believed = dashed || (has_checksum(&digits) && !is_random(&digits) && !is_barcode(&digits, groups)) || named();
    (is_day(&digits) && !company && believed).then_some((kind, start, end))
}

/// Years from which on nobody has a number yet: a bound that does not move with the clock.
const UNBORN: u32 = 2040;

/// Born when the last six digits were random already (October 2020).
fn is_random(digits: &[u8; 13]) -> bool {
    matches!(digits[6], 3 | 4 | 7 | 8) && super::groups::number(&digits[..4]) >= 2010
}

fn is_day(digits: &[u8; 13]) -> bool {
    let two = |at: usize| u32::from(digits[at]) * 10 + u32::from(digits[at + 1]);
    let century = if matches!(digits[6], 1 | 2 | 5 | 6) { 1900 } else { 2000 };
    let (year, month, day) = (century + two(0), two(2), two(4));
    if year >= UNBORN {
        return false;
    }
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        2 => 28 + u32::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return false,
    };
    (1..=days).contains(&day)
}

/// Weights 2 to 9, then 2 to 5, modulo 11; foreigners' numbers add two.
fn has_checksum(digits: &[u8; 13]) -> bool {
    let sum: u32 = digits[..12].iter().zip([2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5]).map(|(digit, weight)| u32::from(*digit) * weight).sum();
    let added = if digits[6] >= 5 { 2 } else { 0 };
    (11 - sum % 11 + added) % 10 == u32::from(digits[12])
}

/// Barcodes of Korean goods begin with 880, and every twelfth of them reads as a day of 1988.
fn is_barcode(digits: &[u8; 13], groups: usize) -> bool {
    let sum: u32 = digits.iter().enumerate().map(|(at, digit)| u32::from(*digit) * if at % 2 == 0 { 1 } else { 3 }).sum();
    groups == 1 && digits.starts_with(&[8, 8, 0]) && sum.is_multiple_of(10)
}
