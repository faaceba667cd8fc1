//! Lines that a site puts around every text: rights, sign-offs, footers, banners.
//!
//! A line is judged alone and whole; the text around it always stays. What decides is how little of a
//! line is left when the phrases of its kind are taken away: a sentence about such things has more.

use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, AhoCorasickKind};

use super::code::{Kind, has_marks, pieces};
use super::phrases::{
    BANNERS, BYLINE, CONSENT, COOKIE_ENDS, CREDITS, FOOTER, FOOTER_STRONG, FURNITURE, NO_PERSON_ENDS, NO_PERSONS, PAPERS, REPORTERS,
    REQUEST, RIGHTS, SIGNS, SURNAMES, VERBS,
};

/// Longest line that is looked at, in bytes.
const MAX_LINE: usize = 600;

/// Without one of these a line is text.
static HINTS: LazyLock<Option<AhoCorasick>> =
    LazyLock::new(|| AhoCorasick::builder().ascii_case_insensitive(true).kind(Some(AhoCorasickKind::DFA)).build(SIGNS).ok());

/// What a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found {
    /// Boilerplate wherever it stands.
    Surely,
    /// `댓글`, `구독 목록`: words of a footer that may head a part of the text as well.
    InFooters,
    /// The same marked as a heading: `## 구독`.
    Heading,
}

/// A line that may go.
struct Candidate {
    start: usize,
    end: usize,
    found: Found,
}

/// The text without boilerplate, and how many lines went; `None` when there are none.
///
/// A text of one line is no line around a text: `공감` may be all that somebody wrote.
pub(super) fn remove(text: &str) -> Option<(String, usize)> {
    if !text.trim().contains('\n') {
        return None;
    }
    let hints = HINTS.as_ref()?;
    let mut hint = hints.find(text)?;
    let fenced = fenced(text);
    let mut candidates = Vec::new();
    loop {
        let start = text[..hint.start()].rfind('\n').map_or(0, |feed| feed + 1);
        let end = text[hint.start()..].find('\n').map_or(text.len(), |feed| hint.start() + feed);
        let in_code = fenced.get(fenced.partition_point(|(_, end)| *end <= start)).is_some_and(|(begin, _)| *begin <= start);
        if !in_code
            && end - start <= MAX_LINE
            && let Some(found) = judged(&text[start..end])
        {
            candidates.push(Candidate { start, end: (end + 1).min(text.len()), found });
        }
        // Each line once: the next sign behind it.
        match text.get(end..).and_then(|rest| hints.find(rest).map(|next| (end, next))) {
            Some((base, next)) => hint = aho_corasick::Match::new(next.pattern(), base + next.start()..base + next.end()),
            None => break,
        }
    }
    let (mut out, mut done, mut removed) = (String::new(), 0, 0);
    for group in candidates.chunk_by(|one, next| is_blank(&text[one.end..next.start])) {
        let beside = group.iter().any(|line| line.found == Found::Surely);
        let last = group.iter().any(|line| line.found != Found::Surely) && ends_text(&text[group[group.len() - 1].end..]);
        for line in group {
            let goes = match line.found {
                Found::Surely => true,
                Found::InFooters => beside || last,
                Found::Heading => last,
            };
            if goes {
                out.push_str(&text[done..line.start]);
                done = line.end;
                removed += 1;
            }
        }
    }
    out.push_str(&text[done..]);
    (removed > 0).then_some((out, removed))
}

/// Has the text no letter or digit?
fn is_blank(text: &str) -> bool {
    !text.contains(char::is_alphanumeric)
}

/// Is what follows a footer no more than up to three lines of its words (`이전글 다음글 목록`), or nothing?
fn ends_text(rest: &str) -> bool {
    let mut lines = rest.lines().filter(|line| !is_blank(line));
    lines.by_ref().take(3).all(|line| line.len() <= MAX_LINE && left(&line.to_lowercase(), FOOTER) == 0) && lines.next().is_none()
}

/// Where fenced blocks are: what they show is no footer.
fn fenced(text: &str) -> Vec<(usize, usize)> {
    if !has_marks(text) {
        return Vec::new();
    }
    let mut at = 0;
    let mut fenced = Vec::new();
    for (kind, piece) in pieces(text) {
        if kind == Kind::Fenced {
            fenced.push((at, at + piece.len()));
        }
        at += piece.len();
    }
    fenced
}

/// What a line is, if it may go.
fn judged(line: &str) -> Option<Found> {
    let heading = line.trim_start().starts_with('#');
    let lower = line.to_lowercase();
    let line = lower.trim_matches(|c: char| !c.is_alphanumeric() && !matches!(c, '©' | 'ⓒ' | '(' | ')' | '?' | '.' | '!'));
    if line.is_empty() {
        None
    } else if is_rights(line) || is_byline(line) || is_credit(line) || is_banner(line) {
        Some(Found::Surely)
    } else if is_footer(line) {
        Some(match (is_bare(line), heading) {
            (true, false) => Found::InFooters,
            (_, true) => Found::Heading,
            (false, false) => Found::Surely,
        })
    } else {
        None
    }
}

/// Letters and digits that are left of a line without these phrases; longer ones are tried first.
fn left(line: &str, phrases: &[&str]) -> usize {
    let mut rest = line;
    let mut left = 0;
    'line: while let Some(c) = rest.chars().next() {
        let longest = phrases.iter().filter(|phrase| rest.starts_with(**phrase)).map(|phrase| phrase.len()).max();
        if let Some(length) = longest {
            rest = &rest[length..];
            continue 'line;
        }
        left += usize::from(c.is_alphanumeric() && !c.is_ascii_digit());
        rest = &rest[c.len_utf8()..];
    }
    left
}

/// A sentence that tells something: `요청했다.`, `되나요?` A footer forbids, asks or names.
fn tells(line: &str) -> bool {
    let end = line.trim_end_matches(|c: char| !c.is_alphanumeric());
    let formal = ["합니다", "됩니다", "습니다", "드립니다", "바랍니다"].iter().any(|end_| end.ends_with(end_));
    (end.ends_with(['다', '까', '죠']) || end.ends_with("보자")) && !formal
}

/// `저작권자 ⓒ 한국일보 무단전재 및 재배포 금지`, `Copyright 2023 ... All rights reserved.`
fn is_rights(line: &str) -> bool {
    if ["전재", "배포", "복제"].iter().any(|word| line.contains(word))
        && let Some(end) = ["금지", "금합니다", "금함", "불허"].iter().filter_map(|word| Some(line.rfind(word)? + word.len())).max()
    {
        // Of `금지하는 조항이 …` much is left behind the word.
        return !tells(line) && left(line, RIGHTS) <= 14 && left(&line[end..], RIGHTS) <= 4;
    }
    let claim =
        line.strip_prefix("copyright").or_else(|| line.strip_prefix("저작권자")).map(|rest| rest.trim_start_matches([' ', 's', ':']));
    // `저작권자(이하 "갑")` is a party of a contract.
    let claimed = claim.is_some_and(|rest| {
        ["©", "ⓒ", "(c)", "(주)", "by "].iter().any(|sign| rest.starts_with(sign)) || rest.starts_with(|c: char| c.is_ascii_digit())
    });
    let signed = line.starts_with(['©', 'ⓒ']) || line.strip_prefix("(c)").is_some_and(|rest| names_a_year(rest.trim_start()));
    let reserved = line.trim_end_matches('.').ends_with("all rights reserved");
    let chars = line.chars().count();
    ((claimed || signed) && chars <= 120 && !is_sentence(line)) || (reserved && chars <= 60)
}

/// `2023 Example Inc.`, but not `2020년 실적` or `1.5 m`, which stand behind the third letter of a list.
fn names_a_year(line: &str) -> bool {
    let digits = line.bytes().take_while(u8::is_ascii_digit).count();
    let rest = &line[digits..];
    digits == 4 && (line.starts_with("19") || line.starts_with("20")) && !rest.starts_with('년') && rest.contains(char::is_alphabetic)
}

/// Does a line that begins as a claim of rights go on as a sentence?
fn is_sentence(line: &str) -> bool {
    if ["reserved", "licensed", "permission", "권리"].iter().any(|word| line.contains(word)) {
        return tells(line);
    }
    let end = line.trim_end_matches(|c: char| !c.is_alphanumeric());
    end.ends_with(['다', '까', '죠', '음', '함']) || line.split(|c: char| !c.is_alphanumeric()).any(|word| VERBS.contains(&word))
}

/// `사진=연합뉴스`, `이 기사는 2023년 1월 3일 09:00에 송고되었습니다`
fn is_credit(line: &str) -> bool {
    let sent = ["이 기사는 ", "본 기사는 "].iter().any(|begin| line.starts_with(begin))
        && ["송고되었습니다", "송고됐습니다"].iter().any(|end| line.trim_end_matches('.').ends_with(end))
        && line.contains(|c: char| c.is_ascii_digit())
        && line.chars().count() <= 60;
    let source = CREDITS.iter().find_map(|begin| line.strip_prefix(begin)).is_some_and(|rest| {
        let named = rest.chars().all(|c| c.is_alphanumeric() || matches!(c, ' ' | '·' | ',' | '/'));
        let known = PAPERS.iter().chain(&["제공", "캡처", "캡쳐", "db"]).any(|end| rest.ends_with(end));
        named && known && rest.chars().count() <= 24
    });
    sent || source
}

/// `홍길동 기자 hong@news.co.kr`, `/서울=홍길동 기자`: who wrote it, and nothing else.
fn is_byline(line: &str) -> bool {
    if !REPORTERS.iter().any(|word| line.contains(word)) || tells(line) {
        return false;
    }
    let (words, mail) = without_mail(line);
    let names: Vec<&str> = words.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty() && left(word, BYLINE) > 0).collect();
    if mail {
        return names.len() <= 3 && left(&words, BYLINE) <= 14;
    }
    // Without an address only names, and a paper's.
    let (papers, people): (Vec<&str>, Vec<&str>) = names.into_iter().partition(|word| PAPERS.iter().any(|end| word.ends_with(end)));
    // `김철수·이영희 기자`
    let most = if line.contains(['·', 'ㆍ', '・', ',']) { 3 } else { 1 };
    papers.len() <= 1 && (1..=most).contains(&people.len()) && people.iter().all(|person| is_person(person))
}

/// A name of three syllables, maybe with the title glued to it.
fn is_person(word: &str) -> bool {
    let name = REPORTERS.iter().find_map(|title| word.strip_suffix(title)).unwrap_or(word);
    name.chars().count() == 3
        && name.starts_with(|c| SURNAMES.contains(c))
        && name.chars().all(|c| matches!(c, '가'..='힣'))
        && !name.ends_with(NO_PERSON_ENDS)
        && !NO_PERSONS.contains(&name)
}

/// The line without its addresses, those that `pii` has masked too.
fn without_mail(line: &str) -> (String, bool) {
    let is_mail = |word: &str| {
        word.contains("<email") || word.split_once('@').is_some_and(|(local, domain)| !local.is_empty() && domain.contains('.'))
    };
    let parts = line.split(' ').filter(|word| !is_mail(word)).collect::<Vec<_>>();
    let glued =
        line.split(' ').filter(|word| is_mail(word)).map(|word| word.trim_matches(|c: char| c.is_ascii())).collect::<Vec<_>>().join(" ");
    let found = parts.len() < line.split(' ').count();
    (format!("{} {glued}", parts.join(" ")), found)
}

/// `공감 12 댓글 3`, `구독과 좋아요 부탁드립니다!`
fn is_footer(line: &str) -> bool {
    let strong = FOOTER_STRONG.iter().filter(|word| line.contains(**word)).count();
    let chars = line.chars().count();
    let furniture = strong > 0 && chars <= 80 && left(line, FOOTER) == 0;
    let asks = REQUEST.iter().any(|word| line.contains(word));
    furniture || (strong > 0 && asks && chars <= 60 && !line.ends_with('?') && left(line, FOOTER) <= 3)
}

/// One or two words of a footer that neither count nor ask, and are no button: what a part of a text may be called.
fn is_bare(line: &str) -> bool {
    const BUTTONS: [&str; 6] = ["하기", "쓰기", "달기", "누르기", "더보기", "접기"];
    let words = line.split_whitespace().count();
    let says_more = line.contains(|c: char| c.is_ascii_digit() || matches!(c, '|' | '·' | '/' | ',' | '!'));
    words <= 2 && !says_more && !BUTTONS.iter().chain(REQUEST).any(|word| line.contains(word))
}

/// Cookie banners and what English pages put under a text.
fn is_banner(line: &str) -> bool {
    let cookies = line.contains("쿠키") || line.contains("cookie");
    let banner = BANNERS.iter().any(|begin| line.starts_with(begin))
        && line.chars().count() <= 250
        && (line.trim_end_matches('.') == "we use cookies" || CONSENT.iter().any(|word| line.contains(word)));
    let button = COOKIE_ENDS.contains(&line.trim_end_matches(['.', '!']));
    (cookies && (banner || button)) || FURNITURE.iter().any(|(begin, ends)| is_furniture(line, begin, ends))
}

/// Does a line begin so, and go on with one of these words and little else, or not at all?
fn is_furniture(line: &str, begin: &str, ends: &[&str]) -> bool {
    line.strip_prefix(begin).is_some_and(|behind| {
        let behind = behind.trim_matches(|c: char| !c.is_alphanumeric());
        let ends_so = ends.iter().any(|end| behind.strip_prefix(end).is_some_and(|rest| !rest.starts_with(char::is_alphanumeric)));
        behind.is_empty() || (ends_so && behind.chars().count() <= 40)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(lines: &[&str], boilerplate: bool) {
        for line in lines {
            assert_eq!(judged(line), boilerplate.then_some(Found::Surely), "{line}");
            let text = format!("앞 문장이다.\n{line}\n뒤 문장이다.");
            let wanted = boilerplate.then(|| ("앞 문장이다.\n뒤 문장이다.".to_owned(), 1));
            assert_eq!(remove(&text), wanted, "{line}");
        }
    }

    #[test]
    fn lines_that_go() {
        all(
            &[
                "<저작권자(c) 연합뉴스, 무단 전재-재배포 금지>",
                "저작권자 ⓒ 한국일보 무단전재 및 재배포 금지",
                "저작권자 © 서울신문 무단전재, 재배포 및 AI학습 이용 금지",
                "[무단전재 및 재배포 금지]",
                "※ 본 기사의 저작권은 ○○일보에 있으며 무단 전재를 금합니다.",
                "ⓒ 한겨레신문사, 무단전재 및 재배포 금지",
                "ⓒ 2023 Daum Corp.",
                "Copyright ⓒ 매일경제 & mk.co.kr. All rights reserved.",
                "Copyright 2021. 조선일보 All rights reserved.",
                "© 2023 Example Inc. All Rights Reserved.",
                "All rights reserved.",
                "홍길동 기자 hong@news.co.kr",
                "홍길동기자 hong@news.co.kr",
                "/서울=홍길동 특파원 hong@news.co.kr",
                "hong@news.co.kr 홍길동 인턴기자",
                "홍길동 기자",
                "한국일보 홍길동 기자",
                "[연합뉴스 홍길동 기자 <EMAIL>]",
                "[서울=뉴시스] 김철수 기자",
                "김철수·이영희 기자",
                "사진=연합뉴스",
                "이 기사는 2023년 1월 3일 09:00에 송고되었습니다",
                "저작권자(c) 한국일보",
                "© 2020 Kim. This work is licensed under CC BY 4.0",
                "공감 12 댓글 3",
                "좋아요 5 공유하기 신고",
                "댓글 달기 | 공유하기 | 스크랩",
                "구독하기",
                "구독과 좋아요 부탁드립니다!",
                "공감과 댓글은 큰 힘이 됩니다 ^^",
                "구독, 좋아요, 알림설정까지 꾹 눌러주세요~",
                "이 사이트는 더 나은 서비스를 위해 쿠키를 사용합니다. 계속하면 동의하는 것으로 봅니다.",
                "We use cookies to improve your experience. By continuing you agree.",
                "This website uses cookies.",
                "Accept all cookies",
                "Share this:",
                "Like this: Like Loading...",
                "Share on Facebook",
                "Click to share on Twitter (Opens in new window)",
                "Subscribe to our newsletter",
                "Follow us on Instagram!",
                "Leave a Reply",
                "Leave a Reply Cancel reply",
                "Leave a comment below",
                "We use cookies.",
                "(c) 2023 Example Inc.",
                "박지은 기자",
            ],
            true,
        );
    }

    #[test]
    fn sentences_about_them_stay() {
        all(
            &[
                "신문사는 무단전재 및 재배포 금지를 요청했다.",
                "무단전재와 재배포를 금지하는 조항이 왜 필요한지 알아보자.",
                "##### 제47조 (자율주행시스템의 무단 해체 및 조작 금지)",
                "저작권자는 자신의 저작물을 복제할 권리를 가진다.",
                "홍길동 기자는 그 사건을 처음으로 보도했다.",
                "그는 기자",
                "기자 회견이 열렸다.",
                "문의: 홍길동 팀장 hong@news.co.kr",
                "구독 경제가 성장하면서 좋아요 수가 중요해졌다.",
                "댓글 문화에 대한 연구",
                "이 글에 공감하는 사람이 많았다.",
                "댓글을 남길 때에는 예의를 지켜 주세요, 라는 안내문이 있었다.",
                "쿠키를 사용하는 사이트가 많다.",
                "오븐에 쿠키를 20분 구워 주세요.",
                "Browsers use cookies to keep a session alive.",
                "The phrase \"All rights reserved\" was once required by a convention.",
                "Copyright law protects authors.",
                "Share this knowledge with people who have never heard of the method before.",
                "Subscribers can follow the topic.",
                "공유 자원에 접근하는 스레드",
                "(c) 세 번째 조건을 만족한다.",
                "저작권자(이하 \"갑\")와 이용자는 다음과 같이 계약을 체결함",
                "저작권자 (원저작자)의 허락을 받아 이용할 수 있음",
                "(c) 2015 년에는 새로운 법이 제정되었습니다",
                "Copyright by law belongs to the author who wrote the text",
                "Copyright 2020 is a novel by Kim.",
                "© 2020 was the year when everything changed for artists, and many of them left",
                "Like this: a = b + c",
                "강남구 기자",
                "민주당 기자",
                "정치부 기자",
                "사진 = imread(path)",
                "사진=풍경을 담은 그림",
                "그는 기사를 송고했다",
                "(c) 3.5 m",
                "(c) 3 apples",
                "(c) 2020년 실적 요약",
                "(c) 1 mole of gas expands",
                "이 사이트는 쿠키를 좋아하는 사람들이 모인 곳입니다. 버터 100g과 설탕을 준비하세요.",
                "본 사이트는 쿠키런 공략을 다룹니다.",
                "We use cookies and milk to celebrate Christmas.",
                "진정한 기자",
                "유명한 기자",
                "최고의 기자",
                "Leave a comment explaining why",
                "Sign up for our first battle, he said.",
                "Subscribe to our Observable with next()",
                "Follow us on this journey through Rome",
            ],
            false,
        );
    }

    #[test]
    fn fenced_blocks_and_long_lines_stay() {
        assert_eq!(remove("예:\n```\n// Copyright 2023 A\n구독하기\n```\n끝"), None);
        let long = format!("첫째 줄\n{} 무단전재 및 재배포 금지", "본문이 이어진다. ".repeat(60));
        assert_eq!(remove(&long), None);
        assert_eq!(remove("공감\n"), None);
        assert_eq!(remove("구독하기\n본문\n공감 1 댓글 2"), Some(("본문\n".to_owned(), 2)));
    }

    #[test]
    fn words_of_footers_head_parts_of_texts() {
        for line in
            ["댓글", "## 댓글", "공감", "# 구독", "- 구독", "구독 목록", "## 구독 추가", "좋아요", "## 구독하기", "조회수", "스크랩"]
        {
            let text = format!("{line}\n\n무엇인지 알아본다.\n\n{line}\n\n끝 문장이다.");
            assert_eq!(remove(&text), None, "{line}");
            // Behind the text, alone or with others.
            let footers = [
                (line.to_owned(), 1, ""),
                (format!("{line}\n\n댓글 3\n이전글 다음글"), 2, "\n이전글 다음글"),
                (format!("공감 3\n\n{line}"), 2, "\n"),
            ];
            for (footer, removed, left) in footers {
                assert_eq!(remove(&format!("본문이다.\n{footer}")), Some((format!("본문이다.\n{left}"), removed)), "{footer}");
            }
        }
        // Beside a line that is boilerplate anywhere; a heading is not.
        assert_eq!(remove("첫 글\n공감 3\n댓글\n둘째 글이다."), Some(("첫 글\n둘째 글이다.".to_owned(), 2)));
        assert_eq!(remove("ⓒ 2023 Daum Corp.\n\n# 구독\n\n본문이다."), Some(("\n# 구독\n\n본문이다.".to_owned(), 1)));
        assert_eq!(remove("글이다.\n공감\n댓글\n구독\n글이다."), None);
        assert_eq!(remove("글이다.\n공감\n댓글\n구독\n"), Some(("글이다.\n".to_owned(), 3)));
    }
}
