//! Korean addresses down to the building: by street (도로명) or by lot (지번).

use super::context::{before, says};
use super::groups::{Chain, Gap};

/// Words before an address that call it one.
const LABELS: &[&str] = &["주소", "거주", "자택", "배송지", "수령지", "받는 곳", "본적", "등록기준지", "소재지", "사는 곳", "address"];

/// Provinces and cities of their rank, in short.
const PROVINCES: [&str; 17] = [
    "서울", "부산", "대구", "인천", "광주", "대전", "울산", "세종", "경기", "강원", "충북", "충남", "전북", "전남", "경북", "경남", "제주",
];

/// Provinces whose full name does not begin with the short one.
const FULL: [&str; 7] = ["충청북도", "충청남도", "전라북도", "전라남도", "경상북도", "경상남도", "전북특별자치도"];

/// Everyday words with the last syllable of a street or a district.
const EVERYDAY: &[&str] = &[
    "도로",
    "대로",
    "가로",
    "철로",
    "선로",
    "수로",
    "진로",
    "경로",
    "통로",
    "활로",
    "골목길",
    "산책길",
    "출근길",
    "퇴근길",
    "활동",
    "운동",
    "이동",
    "행동",
    "노동",
    "자동",
    "관리",
    "정리",
    "처리",
    "승리",
    "거리",
    "수리",
    "논리",
    "심리",
    "화면",
    "장면",
    "측면",
    "표면",
    "반면",
];

/// What stands behind the score of a game.
const RESULTS: &[&str] = &["승", "패", "무승부", "완승", "신승", "대승", "역전", "격파", "제압"];

/// Most words of an address before the number, and bytes in which they are looked for.
const MAX_WORDS: usize = 6;
const MAX_BYTES: usize = 160;

/// The address whose house number is the first group of the chain.
///
/// Before the number stands a street (`로`, `길`) or the smallest district (`동`, `리`, `3가`), before
/// that a city, county or borough; and either the province begins it, or a word like `주소` is before
/// it. What follows up to flat and floor belongs to it.
pub(super) fn around(text: &str, floor: usize, chain: &Chain) -> Option<(usize, usize)> {
    let first = chain.first();
    if first.len > 4 {
        return None;
    }
    let mut from = first.start.saturating_sub(MAX_BYTES).max(floor);
    while !text.is_char_boundary(from) {
        from += 1;
    }
    let head = text[from..first.start].trim_end_matches(' ');
    let head = head.strip_suffix(" 산").unwrap_or(head);
    if !head.ends_with(['로', '길', '동', '리', '가', '읍', '면']) {
        return None;
    }
    let start = from + begin(head, text, floor, from)?;
    let mut end = first.end;
    if chain.gaps(2) == [Gap::Dash] && chain.groups()[1].len <= 4 {
        end = chain.end(2);
    }
    let rest = &text[end..];
    let dashed = end > first.end;
    let score = dashed && RESULTS.iter().any(|word| rest.trim_start_matches(' ').starts_with(word));
    (!score && ends_here(rest, dashed)).then(|| (start, end + detail(&text[end..])))
}

/// Where the address begins in `head`.
fn begin(head: &str, text: &str, floor: usize, from: usize) -> Option<usize> {
    let (mut start, mut borough, mut province) = (None, false, false);
    let mut end = head.len();
    for nth in 0..MAX_WORDS {
        let word = head[..end].rsplit([' ', '\n', '\t', ':', '(', '[', ',', '"', '\'', '>']).next().unwrap_or("");
        let is_district = if nth == 0 { is_smallest(word) } else { is_district(word) };
        if !is_district {
            break;
        }
        let at = end - word.len();
        start = Some(at);
        borough |= nth > 0 && word.ends_with(['시', '군', '구']);
        if is_province(word) {
            province = nth > 0;
            borough |= word.starts_with("세종");
            // `제주시` and `광주시` are cities too: the province may stand before.
            let rest = head[..at].trim_end_matches(' ');
            let above = rest.rsplit(' ').next().unwrap_or("");
            if is_province(above) && at - rest.len() <= 2 {
                start = Some(rest.len() - above.len());
            }
            break;
        }
        match head[..at].strip_suffix(' ') {
            Some(rest) => end = rest.trim_end_matches(' ').len(),
            None => break,
        }
    }
    let start = start?;
    (borough && (province || says(before(text, floor, from + start, 48), LABELS))).then_some(start)
}

fn is_province(word: &str) -> bool {
    let short = PROVINCES.iter().any(|name| {
        word.strip_prefix(name).is_some_and(|rest| matches!(rest, "" | "시" | "도" | "특별시" | "광역시" | "특별자치시" | "특별자치도"))
    });
    short || FULL.contains(&word)
}

/// Syllables and digits only: a word that may be a name.
fn is_name(word: &str) -> bool {
    word.chars().count() >= 2 && word.chars().all(|c| matches!(c, '가'..='힣') || c.is_ascii_digit() || c == '.')
}

fn is_smallest(word: &str) -> bool {
    let numbered = |word: &str| word.trim_end_matches('가').ends_with(|c: char| c.is_ascii_digit());
    is_name(word)
        && !EVERYDAY.contains(&word)
        && (word.ends_with(['로', '길', '동', '리', '읍', '면']) || (word.ends_with('가') && numbered(word)))
}

fn is_district(word: &str) -> bool {
    is_name(word) && (is_province(word) || word.ends_with(['시', '군', '구', '읍', '면', '동', '리', '로', '길', '도', '가']))
}

/// What counts persons, not houses that something is: `1-2인 가구`.
const PEOPLE: &[&str] = &["인 가구", "인가구", "인 이상", "인 이하", "인실", "인용", "인분", "인승"];

/// A house number is followed by a particle, a sign or its unit, not by what is counted: `2호선` is
/// a line, `1인` a person. Nor is a floor alone a house. Numbers that go on, as in `12,032가구`, `84.5㎡`, `3~4억` and
/// `2023.05.06`, and those with a unit are none either.
fn ends_here(rest: &str, dashed: bool) -> bool {
    let mut chars = rest.chars();
    let (first, second) = (chars.next(), chars.next());
    match first {
        // `151번길` is a street, `3번` is counted.
        Some('번') => rest.starts_with("번지"),
        Some('인') => dashed && !PEOPLE.iter().any(|counted| rest.starts_with(counted)),
        Some('호' | '동') => ends_word(&rest['호'.len_utf8()..]),
        Some(c @ '가'..='힣') => "에의을를로으은는과와앞옆입".contains(c),
        Some('.' | ',' | ':' | '/' | '~' | '∼' | '～' | '·' | '-' | '–') if second.is_some_and(|c| c.is_ascii_digit()) => false,
        Some('%' | '％' | '‰' | '°' | '℃' | '℉' | '\u{3380}'..='\u{33df}') => false,
        Some(c) => !c.is_ascii_alphanumeric() && c != '_',
        None => true,
    }
}

/// Length of what still belongs to the address: `번지`, the house's name, building, floor, flat.
fn detail(rest: &str) -> usize {
    let mut done = 0;
    for unit in ["번지", "호", "동"] {
        if let Some(behind) = rest.strip_prefix(unit) {
            done = rest.len() - behind.len();
            break;
        }
    }
    while let Some(length) = unit(&rest[done..]) {
        done += length;
    }
    done
}

/// ` 래미안아파트 101동`, `, 3층`, ` 지하 1층`, ` 1203호`: one step of the way to the door.
fn unit(rest: &str) -> Option<usize> {
    let mut words = rest.trim_start_matches(',').strip_prefix(' ')?;
    if let Some((name, behind)) = words.split_once(' ')
        && (1..=12).contains(&name.chars().count())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '가'..='힣'))
        && !name.starts_with(|c: char| c.is_ascii_digit())
    {
        words = behind;
    }
    let digits = words.bytes().take(5).take_while(u8::is_ascii_digit).count();
    let unit = ["동", "층", "호"].into_iter().find(|unit| words[digits..].starts_with(unit))?;
    let end = rest.len() - words.len() + digits + unit.len();
    // `3동안`, `2층짜리` count something.
    ((1..=4).contains(&digits) && ends_word(&rest[end..])).then_some(end)
}

/// Is what follows no more of the word than a particle?
fn ends_word(rest: &str) -> bool {
    rest.chars().next().is_none_or(|c| !matches!(c, '가'..='힣') || "에의을를로으은는이가과와입인".contains(c))
}
