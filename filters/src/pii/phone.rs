//! Telephone numbers: Korean ones in all their shapes, North American and international ones.

use super::context::{before, says};
use super::groups::{Chain, Gap, Joined, is_free_before, is_free_behind};

/// Words before a number that make it one to call.
const CALL: &[&str] = &[
    "전화",
    "연락",
    "문의",
    "휴대폰",
    "핸드폰",
    "휴대전화",
    "팩스",
    "대표번호",
    "상담",
    "예약",
    "콜센터",
    "고객센터",
    "☎",
    "☏",
    "📞",
    "tel",
    "phone",
    "mobile",
    "fax",
    "h.p",
    "call",
    "contact",
];

/// Words that are written onto the number: `HP010-1234-5678`.
const ONTO: &[&str] = &["hp", "tel", "fax", "phone", "mobile", "cell"];

/// How far before a number such a word may stand, in bytes.
const NEAR: usize = 40;

/// Most bytes between two numbers of a list.
const LISTED: usize = 4;

/// The number that begins with the chain; `behind_phone` when the match that ends at `floor` is one too.
///
/// Without a word near it: mobile numbers in every shape; `+` numbers; and numbers with an area
/// code, when dashes, dots or parentheses divide them. With one: also those divided by spaces or
/// not at all.
pub(super) fn at(text: &str, floor: usize, behind_phone: bool, chain: &Chain) -> Option<(usize, usize)> {
    let bytes = text.as_bytes();
    let first = chain.first();
    let mut start = first.start;
    let plus = ["+", "＋"].into_iter().find(|plus| text[floor..start].ends_with(plus));
    if let Some(plus) = plus {
        start -= plus.len();
    }
    if !(is_free_before(bytes, start) || is_onto_word(&bytes[floor..start])) || first.len > 15 {
        return None;
    }
    let called = || is_listed(bytes, floor, start, behind_phone) || says(before(text, floor, start, NEAR), CALL);
    // The longest that fits: `02-123-4567` is more than `02-123`.
    let groups = (1..=chain.groups().len()).rev().find(|&groups| {
        is_free_behind(bytes, chain.end(groups))
            && (is_written_as_korean(chain, groups, plus.is_some(), &called)
                || is_service(text, floor, chain, groups, &called)
                || is_north_american(text, floor, chain, groups, &called)
                || (plus.is_some() && is_international(chain, groups)))
    })?;
    // The parenthesis of `(02)123-4567`.
    let opened = ["(", "（"].into_iter().find(|sign| chain.gaps(groups).first() == Some(&Gap::Paren) && text[floor..start].ends_with(sign));
    Some((start - opened.map_or(0, str::len), chain.end(groups)))
}

/// `전화 02 123 4567, 02 765 4321`: the word goes for both. What was masked counts as a number.
fn is_listed(bytes: &[u8], floor: usize, start: usize, behind_phone: bool) -> bool {
    let near = (0..=LISTED).any(|gap| bytes[floor..start - gap.min(start - floor)].ends_with(b"<PHONE>"));
    near || (behind_phone && start - floor <= LISTED)
}

/// Does one of the words end the bytes, and is it no part of a longer one?
fn is_onto_word(before: &[u8]) -> bool {
    let letters = before.iter().rev().take(8).take_while(|byte| byte.is_ascii_alphabetic()).count();
    let (rest, word) = before.split_at(before.len() - letters);
    let whole = !rest.last().is_some_and(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'/'));
    whole && ONTO.iter().any(|onto| word.eq_ignore_ascii_case(onto.as_bytes()))
}

fn is_written_as_korean(chain: &Chain, groups: usize, plus: bool, called: &dyn Fn() -> bool) -> bool {
    let joined = chain.joined(groups);
    let dialled = !plus && groups > 1 && joined.starts_with(&[0, 0, 8, 2]);
    let abroad = dialled || (joined.starts_with(&[8, 2]) && (plus || groups > 1));
    let national = if abroad {
        &joined[if dialled { 4 } else { 2 }..]
    } else if plus {
        return false;
    } else {
        &joined[..]
    };
    // Behind the country's code the zero is left out, or written as `(0)`.
    let national = match (abroad, national.strip_prefix(&[0])) {
        (true, Some(rest)) => rest,
        (true, None) => national,
        (false, Some(rest)) => rest,
        (false, None) => return false,
    };
    let Some((area, mobile)) = area(national) else { return false };
    let rest = national.len() - area;
    // Where the writer has put the gaps: before the last four, and behind the area.
    let last = chain.groups()[groups - 1].len;
    let second_last = groups.checked_sub(2).map_or(0, |at| chain.groups()[at].len);
    let well_divided = match groups {
        1 => true,
        // `02110-1301` is an American postal code; `0101234-5678` is written.
        2 => last == rest || (last == 4 && (mobile || second_last == area + 1)) || (abroad && last == national.len()),
        _ => last == rest || (last == 4 && second_last == rest - 4),
    };
    let alone = !abroad && chain.first().len == 1;
    if !well_divided || alone || (chain.gaps(groups).contains(&Gap::Space) && groups > 3 && !abroad) {
        return false;
    }
    let by_spaces = chain.gaps(groups).contains(&Gap::Space);
    match (groups, mobile, plus) {
        (_, _, true) => true,
        (_, true, _) if national.starts_with(&[1, 0]) => !abroad || groups >= 3,
        (1, _, _) => called(),
        _ => !by_spaces || called(),
    }
}

/// The length of the area code without its zero, and whether it is a mobile one; `None` when this
/// is no number of the Korean plan.
fn area(national: &[u8]) -> Option<(usize, bool)> {
    let (area, mobile, lengths) = match national {
        [1, 0, ..] => (2, true, 8..=8),
        [1, 1 | 6..=9, ..] => (2, true, 7..=8),
        [2, ..] => (1, false, 7..=8),
        [3, 1..=3, ..] | [4, 1..=4, ..] | [5, 1..=5, ..] | [6, 1..=4, ..] => (2, false, 7..=8),
        [7, 0, ..] => (2, false, 8..=8),
        [8, 0, ..] | [6, 0, ..] => (2, false, 7..=8),
        [5, 0, 2..=8, ..] => (3, false, 7..=8),
        _ => return None,
    };
    let rest = &national[area..];
    // No exchange begins with 0. None begins with 1 either, but the numbers of forms do: 02-123-4567.
    let begins_well = mobile || area == 3 || rest.first() != Some(&0);
    (lengths.contains(&rest.len()) && begins_well).then_some((area, mobile))
}

/// `1588-1234`: numbers of firms. A span of years looks alike (`1588-1592`), so a second half that
/// could be a later year needs a word. `제1800-1234` is the number of a document.
fn is_service(text: &str, floor: usize, chain: &Chain, groups: usize, called: &dyn Fn() -> bool) -> bool {
    const PREFIXES: [u64; 27] = [
        1522, 1533, 1544, 1551, 1555, 1566, 1577, 1588, 1599, 1600, 1601, 1602, 1603, 1604, 1644, 1660, 1661, 1666, 1668, 1670, 1688, 1800,
        1811, 1833, 1855, 1877, 1899,
    ];
    if groups == 1 && chain.has_lengths(&[8]) {
        return PREFIXES.contains(&(chain.first().value() / 10_000)) && called();
    }
    if groups != 2 || !chain.has_lengths(&[4, 4]) || !PREFIXES.contains(&chain.first().value()) {
        return false;
    }
    let (first, second) = (chain.first().value(), chain.groups()[1].value());
    let ordinal = text[floor..chain.first().start].strip_suffix('제').is_some_and(|rest| !rest.ends_with(|c| matches!(c, '가'..='힣')));
    if ordinal || text[chain.end(2)..].trim_start().starts_with('년') {
        return false;
    }
    let years = (first + 1..2100).contains(&second);
    (chain.gaps(2)[0] == Gap::Dash && !years) || called()
}

/// `415-555-2671`, `(415) 555-2671`, `1-800-555-2671`; with spaces alone only directly behind a word
/// (`Tel: 415 555 2671`), and not when round numbers stand there: so are amounts written.
fn is_north_american(text: &str, floor: usize, chain: &Chain, groups: usize, called: &dyn Fn() -> bool) -> bool {
    let joined: Joined = chain.joined(groups);
    let skipped = match groups {
        3 if chain.has_lengths(&[3, 3, 4]) => 0,
        4 if chain.has_lengths(&[1, 3, 3, 4]) && joined[0] == 1 => 1,
        _ => return false,
    };
    let [a, b, _, c, ..] = joined[skipped..] else { return false };
    let gaps = &chain.gaps(groups)[skipped..];
    let divided = gaps == [Gap::Dash, Gap::Dash] || gaps == [Gap::Paren, Gap::Dash];
    let spaced = gaps == [Gap::Space, Gap::Space];
    let believed = || if spaced { !is_round(chain, groups) && is_directly_called(text, floor, chain.first().start) } else { called() };
    (2..=9).contains(&a) && b <= 8 && (2..=9).contains(&c) && (divided || believed())
}

/// Do two of the last three groups end with two zeros?
fn is_round(chain: &Chain, groups: usize) -> bool {
    chain.groups()[groups - 3..groups].iter().filter(|group| group.value() % 100 == 0).count() >= 2
}

/// `Tel: 415 555 2671`: a Latin word, and only signs between it and the number.
fn is_directly_called(text: &str, floor: usize, start: usize) -> bool {
    let window = before(text, floor, start, NEAR).trim_end_matches([' ', ':', '.', '#', '(', '+']);
    let word = window.rsplit(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or("");
    word.len() >= 3 && CALL.iter().any(|call| word.eq_ignore_ascii_case(call))
}

/// `+44 20 7946 0958`: a plus and ten to fifteen digits (ITU-T E.164), alone or in groups.
fn is_international(chain: &Chain, groups: usize) -> bool {
    let joined = chain.joined(groups);
    let digits = (10..=15).contains(&joined.len()) && joined[0] != 0;
    // `+10 20 30 40 50` is a row of numbers.
    digits && if groups == 1 { joined.len() > 10 } else { chain.first().len <= 3 && chain.groups()[groups - 1].len >= 3 }
}
