//! One walk over the text: it stops at digits, `@`, `:` and signs of hidden addresses alone, and asks who knows what is there.

use super::groups::{Chain, ascii_at};
use super::hidden::{Sign, signs};
use super::place::is_in_name;
use super::{Kind, account, address, business, card, email, email_spelled, insurance, ip, licence, passport, phone, resident, spelled};
use crate::bytes::places;
use crate::mask::Span;

/// Everything of the kinds that are on. Time is linear: at each stop a bounded number of bytes
/// is looked at, and a row of digits is read once for each of up to five groups before it.
pub(super) fn find(text: &str, on: &[bool], is_code: bool) -> Vec<Span> {
    let bytes = text.as_bytes();
    let mut spans: Vec<Span> = Vec::new();
    // Digits, `:` (which follows `9`), `@`, and the first byte of all three in full width.
    let mut stops = places(bytes, |byte| (b'0'..=b':').contains(&byte) | (byte == b'@') | (byte == 0xEF));
    let mut signs = signs(text);
    let (mut stop, mut sign) = (stops.next(), signs.next());
    // No match reaches before the end of the one before it.
    let (mut at, mut floor) = (0, 0);
    loop {
        while stop.is_some_and(|stop| stop < at) {
            stop = stops.next();
        }
        while sign.is_some_and(|(_, start, _)| start < at) {
            sign = signs.next();
        }
        let (found, next) = match (stop, sign) {
            (stop, Some((sign, start, end))) if stop.is_none_or(|stop| start <= stop) => {
                let found = hidden(text, floor, sign, start, end, is_code);
                (found.filter(|(kind, _, _)| on[*kind as usize]), start + 1)
            }
            (Some(stop), _) => {
                let behind_phone = spans.last().is_some_and(|span| span.class == Kind::Phone as usize);
                at_stop(text, floor, stop, behind_phone, on, is_code)
            }
            (None, _) => break,
        };
        at = next;
        if let Some((kind, start, end)) = found {
            spans.push(Span { start, end, class: kind as usize });
            (at, floor) = (end, end);
        }
    }
    spans
}

/// What begins with, or stands around, the character at `at`; and where the walk goes on behind it.
fn at_stop(text: &str, floor: usize, at: usize, behind_phone: bool, on: &[bool], is_code: bool) -> (Option<(Kind, usize, usize)>, usize) {
    let bytes = text.as_bytes();
    match ascii_at(bytes, at) {
        Some((b'0'..=b'9', _)) => {
            let chain = Chain::at(bytes, at);
            (number(text, floor, behind_phone, &chain, on, is_code), chain.first().end)
        }
        Some((b'@', _)) if on[Kind::Email as usize] => {
            (email_at(text, floor, at, is_code).map(|(start, end)| (Kind::Email, start, end)), at + 1)
        }
        Some((b':', 1)) if on[Kind::Ip as usize] && is_v6_colon(bytes, at) => {
            (ip::v6_around(bytes, floor, at).map(|(start, end)| (Kind::Ip, start, end)), at + 1)
        }
        _ => (None, at + 1),
    }
}

/// Paths of C++ and Rust have colons too: one of an address has another or a hexadecimal digit on
/// both sides.
fn is_v6_colon(bytes: &[u8], at: usize) -> bool {
    let part = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_hexdigit() || *byte == b':');
    part(bytes.get(at + 1)) && at > 0 && part(bytes.get(at - 1))
}

/// The address around the sign at `at`, also one with spaces, which divide the operands of a product in code.
fn email_at(text: &str, floor: usize, at: usize, is_code: bool) -> Option<(usize, usize)> {
    let bytes = text.as_bytes();
    email::around(bytes, floor, at).or_else(|| {
        let (_, sign) = ascii_at(bytes, at).filter(|_| !is_code)?;
        email_spelled::spaced(text, floor, at, at + sign)
    })
}

/// What is written around a sign that hides it.
fn hidden(text: &str, floor: usize, sign: Sign, start: usize, end: usize, is_code: bool) -> Option<(Kind, usize, usize)> {
    match sign {
        Sign::Digits => spelled::at_start(text.as_bytes(), start).map(|(start, end)| (Kind::Phone, start, end)),
        _ => email_spelled::around(text, floor, sign, start, end, is_code).map(|(start, end)| (Kind::Email, start, end)),
    }
}

/// Who knows the number that begins with the chain? The surest is asked first.
fn number(text: &str, floor: usize, behind_phone: bool, chain: &Chain, on: &[bool], is_code: bool) -> Option<(Kind, usize, usize)> {
    let kind = |kind: Kind| move |(start, end): (usize, usize)| (kind, start, end);
    let first = chain.first().len;
    // One or two digits alone are most numbers of a text; only an address, an IP, a phone has such.
    let known = if first == 1 && chain.groups().len() == 1 {
        spelled::around(text.as_bytes(), floor, &chain.first()).map(kind(Kind::Phone))
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
        .or_else(|| spelled::around(text.as_bytes(), floor, &chain.first()).map(kind(Kind::Phone)))
        .or_else(|| licence::at(text, floor, chain).map(kind(Kind::DrivingLicence)))
        .or_else(|| insurance::at(text, floor, chain).map(kind(Kind::InsuranceNumber)))
        .or_else(|| business::at(text, floor, chain).map(kind(Kind::BusinessNumber)))
        .or_else(|| account::at(text, floor, chain).map(kind(Kind::Account)))
        .or_else(|| passport::around(text, floor, chain).map(kind(Kind::Passport)))
}
