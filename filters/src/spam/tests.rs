use super::*;
use crate::lexicon::Stream;
use crate::lexicon::tests::{HARD, UNSEEN, on_lines};

fn words() -> &'static Lexicon {
    WORDS.as_ref().unwrap()
}

#[test]
fn the_list_has_the_sections_of_the_metrics() {
    let names: Vec<_> = words().sections().iter().map(|name| format!("spam-{name}")).collect();
    assert_eq!(names, NAMES.sections);
}

#[test]
fn advertising_is_found_through_its_tricks() {
    let words = words();
    for text in [
        "토토사이트 추천",
        "토 토 사 이 트",
        "토.토.사.이.트",
        "토토1사이트",
        "ㅌㅗㅌㅗ사이트",
        "안전놀이터에서",
        "바카라는 역시",
        "바 카 라",
        "카지노사이트주소",
        "조건만남을",
        "조 건 만 남",
        "출장안마 24시",
        "출장✓안마",
        "먹튀검증",
        "파워볼",
        "당일대출 됩니다",
        "카톡문의 주세요",
        "비아그라",
        "라인문의 주세요",
        "입플 돌발",
        "정품미프진",
        "먹튀업체",
        "대포통장매입",
        "레플리카시계",
        "후불제출장",
        "홈타이 추천",
        "오피스타 추천",
        "viagra",
        "v1agra",
        "야동사이트",
        "야동보기",
    ] {
        assert!(words.count(&Stream::new(text)).iter().sum::<usize>() > 0, "{text}");
    }
}

#[test]
fn talk_stays() {
    let words = words();
    for text in [
        "이웃집 토토로",
        "카지노업의 허가",
        "도박을 규제하는 법",
        "그 조건 만남은 어려웠다",
        "조건을 만족하는 남자",
        "출장 중에 안마를 받았다",
        "사건마다 다르다",
        "1월변경",
        "대출 상담을 받았다",
        "분야사이의",
        "스크롤링",
        "성인이 된 뒤",
        "바다 이야기를 들었다",
        "콤프레셔",
        "온라인문의",
        "파이프라인문의",
        "레플리카를 늘린다",
        "데이터베이스 레플리카 3개",
        "대입플랜",
        "오피스타워",
        "홈타이머",
        "이미프진",
        "외국계 자본 먹튀",
        "대포통장 근절",
        "후불제 버스",
        "specialist",
        "socialism",
    ] {
        let found = words.hits_of(text);
        assert!(found.is_empty(), "{text}: {found:?}");
    }
}

/// Before rules were made for the hard lines 17 of them were found, 2 wrongly, and 7 missed; what is left is no measurement. Of
/// the unseen lines 5 were found before and 3 missed; afterwards 8 and none.
#[test]
#[allow(clippy::print_stdout)]
fn hard_lines() {
    let [right, wrong, missed] = on_lines(HARD, words(), "spam");
    println!("hard: {right} right, {wrong} wrong, {missed} missed");
    assert!(right >= 24 && wrong <= 2, "{right} {wrong} {missed}");
    let [right, wrong, missed] = on_lines(UNSEEN, words(), "spam");
    println!("unseen: {right} right, {wrong} wrong, {missed} missed");
    assert!(right >= 8 && wrong == 0, "{right} {wrong} {missed}");
}

/// Laws, documentation and reviews of films.
#[test]
fn edited_texts_hold_hardly_any() {
    let words = words();
    for (name, most) in [("korean_law", 2), ("korean_docs", 2), ("english_docs", 2), ("korean_reviews_nsmc", 10)] {
        let Some(texts) = crate::speed::texts(&format!("{name}.jsonl.zst")) else { return };
        let found: Vec<_> = texts.iter().flat_map(|(text, _)| words.hits_of(text)).collect();
        assert!(found.len() <= most, "{name}: {found:?}");
    }
}
