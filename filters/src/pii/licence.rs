//! Driving licences: region, year, six digits and two more (`11-12-123456-12`), beside words that say so.

use super::context::{before, counts, says};
use super::groups::{Chain, Gap, is_free_before, is_free_behind};

const LICENCE: &[&str] = &["면허", "driver", "driving licen"];

/// Words close enough for twelve digits in a row.
const NUMBER: &[&str] = &["면허번호", "면허증", "운전면허"];

/// Regions whose name stood for the first two digits.
const REGIONS: &[&str] =
    &["서울", "부산", "경기", "강원", "충북", "충남", "전북", "전남", "경북", "경남", "제주", "대구", "인천", "광주", "대전", "울산"];

/// The number that begins with the chain.
pub(super) fn at(text: &str, floor: usize, chain: &Chain) -> Option<(usize, usize)> {
    let bytes = text.as_bytes();
    let groups = match chain {
        _ if chain.has_lengths(&[2, 2, 6, 2]) => 4,
        _ if chain.has_lengths(&[2, 6, 2]) => 3,
        _ if chain.has_lengths(&[12]) => 1,
        _ => return None,
    };
    let gaps = chain.gaps(groups);
    let (start, end) = (chain.first().start, chain.end(groups));
    let window = before(text, floor, start, 40);
    let region = (11..=28).contains(&(chain.joined(2).iter().take(2).fold(0, |value, digit| value * 10 + u32::from(*digit))));
    let said = match groups {
        4 => region && says(window, LICENCE),
        3 => REGIONS.iter().any(|name| window.trim_end_matches([' ', '-']).ends_with(name)) && says(window, LICENCE),
        _ => region && says(window, NUMBER),
    };
    let divided = gaps.iter().all(|gap| *gap == Gap::Dash) || gaps.iter().all(|gap| *gap == Gap::Space);
    (said && divided && is_free_before(bytes, start) && is_free_behind(bytes, end) && !counts(&text[end..])).then_some((start, end))
}
