//! Instructions about Korean: acrostics, particles, speech levels and numerals, after KITE.

use filters::{Part, split_eojeol};

use super::sentences::sentences;
use super::text::is_hangul;

/// A speech level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Speech {
    /// 존댓말
    Honorific,
    /// 반말
    Plain,
}

/// A system of numerals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Numerals {
    /// 하나, 둘, 셋
    Native,
    /// 일, 이, 삼
    Sino,
}

/// Whether the lines that are not blank begin with the letters of `word`, one each.
pub(super) fn is_acrostic(response: &str, word: &str) -> bool {
    let opening = |line: &str| line.trim_start_matches(|c: char| !c.is_alphanumeric()).chars().next();
    let lines = response.lines().filter(|line| !line.trim().is_empty());
    lines.map(opening).eq(word.chars().filter(|c| !c.is_whitespace()).map(Some))
}

/// The particles that the instruction names.
const POSTPOSITIONS: [&str; 12] = ["가", "이", "은", "는", "을", "를", "에", "에서", "와", "과", "로", "으로"];

/// Whether a word ends in one of the named particles. Nouns that only look so (아이, 사과, 고가) do not.
pub(super) fn has_postposition(response: &str) -> bool {
    response.split_whitespace().any(|eojeol| {
        let pieces = split_eojeol(eojeol);
        pieces.iter().any(|piece| piece.part == Part::Particle && POSTPOSITIONS.contains(&&eojeol[piece.start..piece.end]))
    })
}

/// Endings of the polite levels: 해요체, 하십시오체, 하오체's requests.
const POLITE: [&str; 7] = ["요", "죠", "니다", "니까", "시오", "소서", "시다"];
/// Words that end so and are no verbs.
const NOT_POLITE: [&str; 8] = ["필요", "중요", "주요", "수요", "소요", "개요", "가요", "동요"];

/// Whether every sentence is of this level. Headings and other lines that no mark ends are of none.
pub(super) fn speaks(response: &str, speech: Speech) -> bool {
    let ended = |sentence: &&str| sentence.ends_with(|c: char| !c.is_alphanumeric());
    let all: Vec<&str> = response.lines().flat_map(sentences).filter(|sentence| sentence.contains(is_hangul)).collect();
    let judged: Vec<&str> = if all.iter().any(&ended) { all.into_iter().filter(&ended).collect() } else { all };
    let polite = |sentence: &&str| {
        let word = sentence.trim_end_matches(|c: char| !c.is_alphanumeric()).rsplit(char::is_whitespace).next().unwrap_or_default();
        POLITE.iter().any(|ending| word.ends_with(ending)) && !NOT_POLITE.contains(&word)
    };
    let count = judged.iter().filter(|sentence| polite(sentence)).count();
    match speech {
        Speech::Honorific => count > 0 && count == judged.len(),
        Speech::Plain => !judged.is_empty() && count == 0,
    }
}

const NATIVE_TENS: [&str; 10] = ["열", "스물", "스무", "서른", "마흔", "쉰", "예순", "일흔", "여든", "아흔"];
const NATIVE_UNITS: [&str; 15] = ["하나", "한", "둘", "두", "셋", "세", "석", "넷", "네", "넉", "다섯", "여섯", "일곱", "여덟", "아홉"];
/// Of these, what is a word of another meaning as well.
const NATIVE_UNSURE: [&str; 6] = ["한", "두", "세", "석", "네", "넉"];
const SINO: [char; 13] = ['일', '이', '삼', '사', '오', '육', '칠', '팔', '구', '십', '백', '천', '만'];
/// What is counted in: a numeral before it is one for sure.
const COUNTERS: [&str; 50] = [
    "개월", "개", "명", "마리", "번째", "번", "권", "시간", "시", "분", "초", "살", "세", "잔", "송이", "대", "가지", "째", "병", "장",
    "자루", "켤레", "그루", "채", "쪽", "층", "호", "년", "월", "일", "주", "달", "원", "도", "배", "인", "차례", "사람", "곳", "군데",
    "벌", "통", "박스", "상자", "판", "조각", "모금", "끼", "미터", "킬로",
];
/// What may follow a numeral that is a word of its own.
const TAILS: [&str; 20] = [
    "와",
    "과",
    "이",
    "가",
    "은",
    "는",
    "을",
    "를",
    "도",
    "에",
    "의",
    "로",
    "만",
    "뿐",
    "까지",
    "부터",
    "입니다",
    "이다",
    "이에요",
    "예요",
];

/// 이 as `this`, not as `two`.
const THIS: [&str; 5] = ["이번", "이분", "이곳", "이달", "이도"];
const THIS_BEFORE: [&str; 6] = ["사람", "시간", "곳", "분", "장", "달"];

/// Whether there are numerals of this system and none of the other.
pub(super) fn counts_in(response: &str, wanted: Numerals) -> bool {
    let words: Vec<&str> = response.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    let (mut native, mut sino) = (0, 0);
    let mut counted = false;
    for (at, word) in words.iter().enumerate() {
        // A counter after a numeral is none itself: 이십 세, 삼 일.
        if counted && COUNTERS.iter().any(|counter| is_with_tail(word, counter)) {
            counted = false;
            continue;
        }
        let next = words.get(at + 1);
        let before_counter = next.is_some_and(|next| COUNTERS.iter().any(|counter| is_with_tail(next, counter)));
        counted = false;
        let is_this = THIS.iter().any(|this| is_with_tail(word, this))
            || (*word == "이" && next.is_some_and(|next| THIS_BEFORE.iter().any(|noun| next.starts_with(noun))));
        if is_this {
            continue;
        }
        for (system, count) in [(Numerals::Native, &mut native), (Numerals::Sino, &mut sino)] {
            if is_numeral(word, system, before_counter) {
                *count += 1;
                counted = before_counter;
                break;
            }
        }
    }
    match wanted {
        Numerals::Native => native > 0 && sino == 0,
        Numerals::Sino => sino > 0 && native == 0,
    }
}

/// Whether a word is this, alone or with a particle.
fn is_with_tail(word: &str, whole: &str) -> bool {
    word.strip_prefix(whole).is_some_and(|rest| rest.is_empty() || TAILS.contains(&rest))
}

/// Whether a word is a numeral, with its counter or before one where it could mean something else.
fn is_numeral(word: &str, system: Numerals, before_counter: bool) -> bool {
    let (length, unsure) = match system {
        Numerals::Native => native(word),
        Numerals::Sino => sino(word),
    };
    let rest = &word[length..];
    let counted = COUNTERS.iter().any(|counter| is_with_tail(rest, counter));
    let alone = rest.is_empty() || TAILS.contains(&rest);
    length > 0 && (counted || (rest.is_empty() && before_counter) || (alone && !unsure))
}

/// Bytes of the numeral that a word begins with, and whether they may be another word.
fn native(word: &str) -> (usize, bool) {
    let tens = NATIVE_TENS.iter().find(|tens| word.starts_with(*tens)).map_or(0, |tens| tens.len());
    let unit = NATIVE_UNITS.iter().find(|unit| word[tens..].starts_with(*unit));
    (tens + unit.map_or(0, |unit| unit.len()), tens == 0 && unit.is_some_and(|unit| NATIVE_UNSURE.contains(unit)))
}

/// The same for the numerals that came from Chinese.
fn sino(word: &str) -> (usize, bool) {
    // The last letters may be the counter: 삼일 is three days or thirty-one's beginning; it is a numeral in both.
    let digits: Vec<char> = word.chars().take_while(|c| SINO.contains(c)).collect();
    let sure = digits.len() > 1 && digits.iter().any(|c| matches!(c, '십' | '백' | '천' | '삼' | '육' | '칠' | '팔'))
        || matches!(digits[..], ['삼' | '육' | '칠' | '팔' | '십']);
    (digits.iter().map(|c| c.len_utf8()).sum(), !sure)
}
