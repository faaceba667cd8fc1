//! Bank accounts. Every bank has its own shape and none a public checksum, so a word must say it.

use super::context::{before, behind, says};
use super::groups::{Chain, Gap, is_free_before, is_free_behind};

/// Words of payment, and banks whose name is one.
const PAYMENT: &[&str] = &[
    "계좌",
    "입금",
    "송금",
    "예금주",
    "은행",
    "뱅크",
    "농협",
    "수협",
    "신협",
    "새마을금고",
    "우체국",
    "국민",
    "신한",
    "하나",
    "기업",
    "account number",
    "account no",
    "bank account",
    "a/c",
];

/// What makes a number an amount or a count.
const UNITS: &[char] = &['원', '명', '개', '건', '년', '월', '주', '만', '억', '달', '엔', '위', '번', '회', '차', '배', '호', '%'];

/// The account that begins with the chain: ten to sixteen digits in two to five groups, or eleven to
/// fourteen in a row.
pub(super) fn at(text: &str, floor: usize, chain: &Chain) -> Option<(usize, usize)> {
    let bytes = text.as_bytes();
    let start = chain.first().start;
    if !is_free_before(bytes, start) {
        return None;
    }
    let groups = (1..=chain.groups().len()).rev().find(|&groups| {
        let digits: usize = chain.groups()[..groups].iter().map(|group| group.len).sum();
        let gaps = chain.gaps(groups);
        let divided = match gaps.first() {
            None => (11..=14).contains(&digits),
            Some(Gap::Dash) => (10..=16).contains(&digits) && gaps.iter().all(|gap| *gap == Gap::Dash),
            Some(Gap::Space) => (10..=16).contains(&digits) && gaps.iter().all(|gap| *gap == Gap::Space) && chain.first().len >= 3,
            Some(Gap::Dot | Gap::Paren) => false,
        };
        divided && !is_date(chain, groups) && is_free_behind(bytes, chain.end(groups))
    })?;
    let end = chain.end(groups);
    let counted = text[end..].trim_start().starts_with(UNITS);
    let said = says(before(text, floor, start, 48), PAYMENT) || says(behind(text, end, 24), PAYMENT);
    (said && !counted).then_some((start, end))
}

/// `2023-01-02-03`: a day, and what follows it; also one written in a row.
fn is_date(chain: &Chain, groups: usize) -> bool {
    let first = chain.first();
    let (year, month) = match (groups, first.len) {
        (1, 12 | 14) => (first.value() / 10_u64.pow(first.len as u32 - 4), first.value() / 10_u64.pow(first.len as u32 - 6) % 100),
        (2.., 4) => (first.value(), chain.groups()[1].value()),
        (2.., 8) => (first.value() / 10_000, first.value() / 100 % 100),
        _ => return false,
    };
    (1900..2100).contains(&year) && (1..=12).contains(&month)
}
