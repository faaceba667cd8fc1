//! One walk over the text: it stops at digits, `@` and `:` alone, and asks who knows what is there.

use super::groups::{Chain, ascii_at};
use super::place::is_in_name;
use super::{Kind, account, address, business, card, email, ip, passport, phone, resident};
use crate::mask::Span;

/// What a byte may begin.
const NOTHING: u8 = 0;
const DIGIT: u8 = 1;
const AT: u8 = 2;
const COLON: u8 = 3;
/// First byte of a character in full width.
const WIDE: u8 = 4;

const STOPS: [u8; 256] = {
    let mut stops = [NOTHING; 256];
    let mut digit = b'0';
    while digit <= b'9' {
        stops[digit as usize] = DIGIT;
        digit += 1;
    }
    stops[b'@' as usize] = AT;
    stops[b':' as usize] = COLON;
    stops[0xEF] = WIDE;
    stops
};

/// Everything of the kinds that are on. Time is linear: at each stop a bounded number of bytes
/// is looked at, and a row of digits is read once for each of up to five groups before it.
pub(super) fn find(text: &str, on: &[bool], is_code: bool) -> Vec<Span> {
    let bytes = text.as_bytes();
    let mut spans: Vec<Span> = Vec::new();
    // No match reaches before the end of the one before it.
    let (mut at, mut floor) = (0, 0);
    while let Some(stop) = bytes[at..].iter().position(|byte| STOPS[usize::from(*byte)] != NOTHING) {
        at += stop;
        let mut next = at + 1;
        let found = match stop_at(bytes, at) {
            DIGIT => {
                let chain = Chain::at(bytes, at);
                next = chain.first().end;
                let behind_phone = spans.last().is_some_and(|span| span.class == Kind::Phone as usize);
                number(text, floor, behind_phone, &chain, on, is_code)
            }
            AT if on[Kind::Email as usize] => email::around(bytes, floor, at).map(|(start, end)| (Kind::Email, start, end)),
            COLON if on[Kind::Ip as usize] && is_v6_colon(bytes, at) => {
                ip::v6_around(bytes, floor, at).map(|(start, end)| (Kind::Ip, start, end))
            }
            _ => None,
        };
        if let Some((kind, start, end)) = found {
            spans.push(Span { start, end, class: kind as usize });
            (next, floor) = (end, end);
        }
        at = next;
    }
    spans
}

/// What the byte at `at` begins; in full width it is what the character stands for.
fn stop_at(bytes: &[u8], at: usize) -> u8 {
    match STOPS[usize::from(bytes[at])] {
        WIDE => ascii_at(bytes, at).map_or(NOTHING, |(ascii, _)| STOPS[usize::from(ascii)]),
        stop => stop,
    }
}

/// Paths of C++ and Rust have colons too: one of an address has another or a hexadecimal digit on
/// both sides.
fn is_v6_colon(bytes: &[u8], at: usize) -> bool {
    let part = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_hexdigit() || *byte == b':');
    part(bytes.get(at + 1)) && at > 0 && part(bytes.get(at - 1))
}

/// Who knows the number that begins with the chain? The surest is asked first.
fn number(text: &str, floor: usize, behind_phone: bool, chain: &Chain, on: &[bool], is_code: bool) -> Option<(Kind, usize, usize)> {
    let kind = |kind: Kind| move |(start, end): (usize, usize)| (kind, start, end);
    let first = chain.first().len;
    // One or two digits alone are most numbers of a text; only an address, an IP, a phone has such.
    let known = if first == 1 && chain.groups().len() == 1 {
        None
    } else {
        ip::v4_at(text, floor, chain, is_code)
            .map(kind(Kind::Ip))
            .or_else(|| person(text, floor, behind_phone, chain, is_code).filter(|(_, start, end)| !is_in_name(text, floor, *start, *end)))
    };
    let known = known.or_else(|| address::around(text, floor, chain).map(kind(Kind::Address)));
    known.filter(|(kind, _, _)| on[*kind as usize])
}

/// The numbers of persons and firms.
fn person(text: &str, floor: usize, behind_phone: bool, chain: &Chain, is_code: bool) -> Option<(Kind, usize, usize)> {
    let kind = |kind: Kind| move |(start, end): (usize, usize)| (kind, start, end);
    resident::at(text, floor, chain)
        .or_else(|| card::at(text, floor, chain, is_code).map(kind(Kind::Card)))
        .or_else(|| phone::at(text, floor, behind_phone, chain).map(kind(Kind::Phone)))
        .or_else(|| business::at(text, floor, chain).map(kind(Kind::BusinessNumber)))
        .or_else(|| account::at(text, floor, chain).map(kind(Kind::Account)))
        .or_else(|| passport::around(text, floor, chain).map(kind(Kind::Passport)))
}
