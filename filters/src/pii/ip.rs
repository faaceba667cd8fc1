//! Public IP addresses of both versions.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::context::{before, says};
use super::groups::{Chain, Gap, is_free_before, is_free_behind};

/// Words before four numbers that are a version.
const VERSION: &[&str] = &["version", "ver", "버전", "버젼", "release", "릴리스", "릴리즈", "build", "빌드", "section", "절"];

/// Words before four numbers that are an address, however small.
const LABEL: &[&str] = &["ip", "아이피"];

/// The address of version 4 that begins with the chain.
///
/// Taken is what can lead to somebody: no private, reserved or documentation ranges. Versions, outlines and
/// object identifiers look alike. So none are four numbers that are small (one of them at most 20 or more, and
/// none 100), that begin as an identifier does (`2.5`), that stand behind such a word or behind a product
/// (`Chrome/91.0.1.2`), or that end with zero in code. What is called an address may be small, and may be a
/// public name server's.
pub(super) fn v4_at(text: &str, floor: usize, chain: &Chain, is_code: bool) -> Option<(usize, usize)> {
    let bytes = text.as_bytes();
    if chain.groups().len() < 4 || chain.gaps(4) != [Gap::Dot; 3] {
        return None;
    }
    let mut octets = [0; 4];
    for (octet, group) in octets.iter_mut().zip(chain.groups()) {
        if group.len > 3 || (group.len > 1 && group.digits()[0] == 0) {
            return None;
        }
        *octet = u8::try_from(group.value()).ok()?;
    }
    let (start, end) = (chain.first().start, chain.end(4));
    let product = text[..start].strip_suffix('/').is_some_and(|before| before.ends_with(|c: char| c.is_ascii_alphanumeric()));
    let window = before(text, floor, start, 16);
    let labelled = says(window, LABEL);
    let version = product || (is_code && octets[3] == 0) || says(window, VERSION);
    let unlikely = !labelled && (is_small(&octets) || is_resolver(octets));
    let free = is_free_before(bytes, start) && is_free_behind(bytes, end);
    (free && !version && !unlikely && leads_to_somebody(Ipv4Addr::from(octets))).then_some((start, end))
}

fn is_small(octets: &[u8; 4]) -> bool {
    let identifier = octets[0] <= 2 && octets[1] < 40;
    identifier || (octets.iter().all(|octet| *octet < 100) && octets.iter().filter(|octet| **octet >= 20).count() < 2)
}

fn is_resolver(octets: [u8; 4]) -> bool {
    matches!(octets, [8, 8, 8, 8] | [8, 8, 4, 4] | [9, 9, 9, 9] | [168, 126, 63, 1 | 2])
}

fn leads_to_somebody(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let shared = (a == 100 && (64..128).contains(&b)) || (a == 198 && matches!(b, 18 | 19)) || (a, b, c) == (192, 0, 0);
    !(a == 0
        || a >= 224
        || shared
        || address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_documentation())
}

/// Longest address of version 6 in bytes.
const MAX_V6: usize = 45;

/// The address of version 6 around the colon at `at`: a global one (2000::/3) without the
/// documentation range.
pub(super) fn v6_around(bytes: &[u8], floor: usize, at: usize) -> Option<(usize, usize)> {
    let part = |byte: &u8| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.');
    let start = at - bytes[floor..at].iter().rev().take(MAX_V6).take_while(|byte| part(byte)).count();
    let mut end = at + bytes[at..].iter().take(MAX_V6 + 1).take_while(|byte| part(byte)).count();
    while end > at && matches!(bytes[end - 1], b':' | b'.') {
        end -= 1;
    }
    let token = str::from_utf8(&bytes[start..end]).ok().filter(|token| token.len() <= MAX_V6)?;
    let address: Ipv6Addr = token.parse().ok()?;
    let [first, second, ..] = address.segments();
    let free = is_free_before(bytes, start) && is_free_behind(bytes, end);
    (free && first & 0xe000 == 0x2000 && (first, second) != (0x2001, 0xdb8)).then_some((start, end))
}
