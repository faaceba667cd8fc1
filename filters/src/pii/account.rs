//! Bank accounts. Every bank has its own shape and none a public checksum, so a word must say it.

use super::context::{before, behind, counts, last_of, says};
use super::groups::{Chain, Gap, is_free_before, is_free_behind};

/// Words of payment: beside them a number is an account in any shape.
const PAYMENT: &[&str] = &["계좌", "입금", "송금", "예금주", "account number", "account no", "bank account", "a/c"];

/// Words of banks, which also lend, report and employ: the number must have dashes or stand beside.
const BANKS: &[&str] = &["은행", "뱅크", "농협", "수협", "신협", "새마을금고", "우체국"];

/// Short names of banks, most of them everyday words: only as a whole word, beside dashes.
const SHORT: &[&str] = &[
    "국민",
    "신한",
    "하나",
    "기업",
    "우리",
    "카뱅",
    "케뱅",
    "카카오",
    "토스",
    "새마을",
    "씨티",
    "제일",
    "외환",
    "IBK",
    "KB",
    "NH",
    "KEB",
    "SC",
    "MG",
];

/// Words of other numbers: whichever is nearer to the number says what it is.
const OTHER: &[&str] = &["isbn", "운송장", "등기", "출원", "상품", "접수", "바코드"];

/// What stands between a number and the word beside it.
const BETWEEN: &[char] = &[' ', ':', '(', ')', '[', ']', ',', '/'];

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
    let said = is_said(before(text, floor, start, 48), behind(text, end, 24), chain.gaps(groups).first().copied());
    (said && !counts(&text[end..]) && !is_barcode(chain, groups)).then_some((start, end))
}

/// Do the windows before and behind say that a number with such gaps is an account?
fn is_said(before: &str, behind: &str, gap: Option<Gap>) -> bool {
    let paid = last_of(before, PAYMENT);
    if last_of(before, OTHER) > paid.max(last_of(before, BANKS)) {
        return false;
    }
    let nearest = before.trim_end_matches(BETWEEN).rsplit(BETWEEN).next().unwrap_or("");
    let next = behind.trim_start_matches(BETWEEN).split(BETWEEN).next().unwrap_or("");
    let is_short = |word: &str| SHORT.iter().any(|name| word.eq_ignore_ascii_case(name));
    match gap {
        Some(Gap::Dash) => {
            let named = is_short(nearest) || (behind.trim_start().starts_with('(') && is_short(next));
            paid.is_some() || named || says(before, BANKS) || says(behind, PAYMENT) || says(behind, BANKS)
        }
        None => {
            let beside = BANKS.iter().any(|bank| nearest.ends_with(bank)) || says(next, BANKS);
            paid.is_some() || beside || says(behind, PAYMENT)
        }
        // A row of numbers looks alike.
        Some(_) => paid.is_some(),
    }
}

/// `2023-01-02-03`: a day, and what follows it; also one written in a row. `2022-2023-2024`: years.
fn is_date(chain: &Chain, groups: usize) -> bool {
    let first = chain.first();
    let is_year = |number: u64| (1900..2100).contains(&number);
    let (year, month) = match (groups, first.len) {
        (1, 12 | 14) => (first.value() / 10_u64.pow(first.len as u32 - 4), first.value() / 10_u64.pow(first.len as u32 - 6) % 100),
        (2.., 4) => (first.value(), chain.groups()[1].value()),
        (2.., 8) => (first.value() / 10_000, first.value() / 100 % 100),
        _ => return false,
    };
    is_year(year) && ((1..=12).contains(&month) || is_year(month))
}

/// Thirteen digits of a book (978, 979) or of Korean goods (880), in a row or in the five parts of
/// an ISBN.
fn is_barcode(chain: &Chain, groups: usize) -> bool {
    let digits = chain.joined(groups);
    matches!(groups, 1 | 5) && digits.len() == 13 && [[9, 7, 8], [9, 7, 9], [8, 8, 0]].iter().any(|prefix| digits.starts_with(prefix))
}
