//! E-mail addresses whose `@` or dots are written out: `name(at)naver.com`, `name 골뱅이 네이버 닷컴`, `name @ naver . com`.

use super::context::{before, says};
use super::email::{is_top_level, local};
use super::groups::ascii_at;
use super::hidden::Sign;

/// Where most private mail in Korea and abroad is: behind these hardly anything but an address stands.
const PROVIDERS: &[&str] = &[
    "naver",
    "daum",
    "hanmail",
    "gmail",
    "nate",
    "kakao",
    "hotmail",
    "outlook",
    "yahoo",
    "icloud",
    "korea",
    "empas",
    "paran",
    "chol",
    "dreamwiz",
    "lycos",
    "freechal",
    "hanafos",
    "googlemail",
    "protonmail",
    "live",
    "msn",
    "aol",
];

/// The same as they are called.
const CALLED: &[&str] =
    &["네이버", "지메일", "쥐메일", "구글", "다음", "한메일", "네이트", "카카오", "핫메일", "아웃룩", "야후", "아이클라우드", "코리아"];

/// What ends such a name.
const ENDS: &[&str] =
    &["닷컴", "점컴", "쩜컴", "닷 컴", "점 컴", "쩜 컴", "닷넷", "점넷", "쩜넷", "닷 넷", "점 넷", ".com", ".net", ". com"];

/// A dot between labels, as it is written out; the first two are only spaced.
const DOTS: &[&str] = &[
    " . ", ". ", " .", "(dot)", "[dot]", "{dot}", "(DOT)", "[DOT]", " (dot) ", " [dot] ", " dot ", " DOT ", "닷", "점", "쩜", " 닷 ",
    " 점 ",
];

/// How many of [`DOTS`] are dots with spaces.
const SPACED: usize = 3;

const MAIL: &[&str] = &["메일", "mail", "e-mail", "email"];

/// A domain behind a sign.
#[derive(Clone, Copy)]
struct Domain {
    end: usize,
    /// A label is that of a provider.
    provider: bool,
    /// A dot was written as a word.
    word: bool,
}

/// The address around a sign at `start..end`.
pub(super) fn around(text: &str, floor: usize, sign: Sign, start: usize, end: usize, is_code: bool) -> Option<(usize, usize)> {
    let bytes = text.as_bytes();
    match sign {
        Sign::At | Sign::Snail => {
            let (from, to) = (before_space(bytes, floor, start), behind_space(bytes, end));
            // `names[at] self.is`: in code only what is written together.
            let even = (from < start) == (to > end) && !(is_code && to > end);
            if sign == Sign::At && !even {
                return None;
            }
            let name = name(bytes, floor, from)?;
            let domain = domain(bytes, to, true).map(|domain| domain.end).or_else(|| called(text, to))?;
            Some((name, domain))
        }
        Sign::Letter => {
            let name = name(bytes, floor, start)?;
            domain(bytes, end, false).filter(|domain| domain.provider).map(|domain| (name, domain.end))
        }
        Sign::Dot => worded(text, floor, start),
        Sign::Angle => bracketed(text, floor, start).map(|name| (name, end - 1)),
        Sign::Digits => None,
    }
}

/// The address around an `@` at `start..end` that has spaces beside it or dots that are not plain.
pub(super) fn spaced(text: &str, floor: usize, start: usize, end: usize) -> Option<(usize, usize)> {
    let bytes = text.as_bytes();
    let (from, to) = (before_space(bytes, floor, start), behind_space(bytes, end));
    let name = name(bytes, floor, from)?;
    let domain = domain(bytes, to, true).filter(|domain| domain.provider || domain.word);
    let together = from == start || to > end;
    let said = || says(before(text, floor, name, 24), MAIL);
    match domain {
        Some(domain) if together || said() => Some((name, domain.end)),
        _ => None,
    }
}

/// `name at gmail dot com`: the provider's name before the dot at `dot`, the word `at` before that.
fn worded(text: &str, floor: usize, dot: usize) -> Option<(usize, usize)> {
    let bytes = text.as_bytes();
    let label = bytes[floor..dot].iter().rev().take_while(|byte| byte.is_ascii_alphanumeric()).count();
    let sign = text[floor..dot - label].strip_suffix(" at ").or_else(|| text[floor..dot - label].strip_suffix(" AT "))?;
    let name = name(bytes, floor, floor + sign.len())?;
    domain(bytes, dot - label, true).filter(|domain| domain.provider).map(|domain| (name, domain.end))
}

/// `<name at site.org>`, as mailing lists write: where the name begins, when the top level begins at `dot`.
fn bracketed(text: &str, floor: usize, dot: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    let host = bytes[floor..dot].iter().rev().take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.')).count();
    let sign = text[floor..dot - host].strip_suffix(" at ")?;
    name(bytes, floor, floor + sign.len()).filter(|name| host > 0 && *name > floor && bytes[name - 1] == b'<')
}

fn before_space(bytes: &[u8], floor: usize, at: usize) -> usize {
    at - usize::from(at > floor && bytes[at - 1] == b' ')
}

fn behind_space(bytes: &[u8], at: usize) -> usize {
    at + usize::from(bytes.get(at) == Some(&b' '))
}

/// Where the part before the sign begins: two letters or more.
fn name(bytes: &[u8], floor: usize, at: usize) -> Option<usize> {
    local(bytes, floor, at).filter(|(_, local)| local.len() >= 2 && local != b"git").map(|(start, _)| start)
}

/// The longest domain under a known top level from `start` on; dots may be written out when `spelled`.
fn domain(bytes: &[u8], start: usize, spelled: bool) -> Option<Domain> {
    let (mut at, mut labels, mut found) = (start, 0, None);
    let (mut provider, mut word) = (false, false);
    let capitals = bytes.get(start).is_some_and(u8::is_ascii_uppercase);
    loop {
        let mut label = [0; 24];
        let mut length = 0;
        while let Some((ascii, bytes_of)) = ascii_at(bytes, at).filter(|(ascii, _)| ascii.is_ascii_alphanumeric() || *ascii == b'-') {
            *label.get_mut(length)? = ascii;
            (length, at) = (length + 1, at + bytes_of);
        }
        let label = &label[..length];
        if label.is_empty() || label.starts_with(b"-") || label.ends_with(b"-") || labels == 5 {
            return found;
        }
        if labels > 0 && is_top_level(label, capitals) && bytes.get(at) != Some(&b'_') {
            found = Some(Domain { end: at, provider, word });
        }
        labels += 1;
        provider |= PROVIDERS.iter().any(|name| label.eq_ignore_ascii_case(name.as_bytes()));
        if bytes.get(at) == Some(&b'.') && bytes.get(at + 1).is_some_and(u8::is_ascii_alphanumeric) {
            at += 1;
            continue;
        }
        let dot = DOTS.iter().position(|dot| bytes[at..].starts_with(dot.as_bytes())).filter(|_| spelled);
        match dot {
            Some(dot) => (at, word) = (at + DOTS[dot].len(), word || dot >= SPACED),
            None => return found,
        }
    }
}

/// `네이버닷컴`: where it ends.
fn called(text: &str, start: usize) -> Option<usize> {
    let rest = text.get(start..)?;
    let name = CALLED.iter().find(|name| rest.starts_with(**name))?;
    let behind = &rest[name.len()..];
    let spaceless = behind.strip_prefix(' ').unwrap_or(behind);
    let end = ENDS.iter().find(|end| spaceless.starts_with(**end))?;
    Some(text.len() - spaceless.len() + end.len())
}
