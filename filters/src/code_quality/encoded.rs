//! Data written as letters: where The Stack v2's three expressions match.

use std::ops::Range;

use crate::bytes::places;
use crate::chars::{is_alnum, is_space};

/// Shortest run of the base64 alphabet that is taken for data, in characters.
const MIN_BASE64: usize = 64;
/// Fewest bytes or code units in a row that are taken for data.
const MIN_UNITS: usize = 8;

/// Characters in encoded data, and in the longest match of one expression.
pub(super) fn encoded(text: &str) -> (usize, usize) {
    let mut spans = Vec::new();
    base64(text.as_bytes(), &mut spans);
    escapes(text.as_bytes(), &mut spans);
    hexadecimal(text, &mut spans);
    let chars = |span: Range<usize>| text[span].chars().count();
    let longest = spans.iter().map(|span| chars(span.clone())).max().unwrap_or(0);
    // What two expressions match counts once.
    spans.sort_unstable_by_key(|span| span.start);
    let (mut all, mut behind) = (0, 0);
    for Range { start, end } in spans {
        if end > behind {
            all += chars(start.max(behind)..end);
            behind = end;
        }
    }
    (all, longest)
}

/// `[a-zA-Z0-9+/\n=]{64,}`
fn base64(bytes: &[u8], spans: &mut Vec<Range<usize>>) {
    let mut start = 0;
    let outside = |byte: u8| !(byte.is_ascii_alphanumeric() | (byte == b'+') | (byte == b'/') | (byte == b'=') | (byte == b'\n'));
    for end in places(bytes, outside).chain([bytes.len()]) {
        if end - start >= MIN_BASE64 {
            spans.push(start..end);
        }
        start = end + 1;
    }
}

/// `(?:\\u[0-9a-fA-F]{4}){8,}`
fn escapes(bytes: &[u8], spans: &mut Vec<Range<usize>>) {
    let is_unit = |at: usize| {
        bytes[at..].starts_with(b"\\u") && bytes.get(at + 2..at + 6).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    };
    let mut behind = 0;
    for start in places(bytes, |byte| byte == b'\\') {
        if start >= behind {
            behind = start;
            while is_unit(behind) {
                behind += 6;
            }
            if behind - start >= MIN_UNITS * 6 {
                spans.push(start..behind);
            }
        }
    }
}

/// `(?:\b(?:0x|\\x)?[0-9a-fA-F]{2}(?:,|\b\s*)){8,}`, with words and white space of Unicode.
///
/// White space behind a comma is no part of it, so that `0x1f,0x8b` is data and a table in C, `0x1f, 0x8b`, is not.
fn hexadecimal(text: &str, spans: &mut Vec<Range<usize>>) {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        if !may_begin(bytes[at]) {
            at += 1;
            continue;
        }
        let (mut end, mut units) = (at, 0);
        while let Some(behind) = unit(text, end) {
            (end, units) = (behind, units + 1);
        }
        if units >= MIN_UNITS {
            spans.push(at..end);
            at = end;
        } else {
            // No other match can begin inside the word that stands here.
            at += bytes[at..].iter().take_while(|byte| byte.is_ascii_alphanumeric()).count().max(1);
        }
    }
}

fn may_begin(byte: u8) -> bool {
    byte.is_ascii_hexdigit() || byte == b'\\'
}

/// Where the unit that begins here ends, with the comma or white space behind it.
fn unit(text: &str, at: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    let rest = bytes.get(at..)?;
    let prefix = if rest.starts_with(b"0x") || rest.starts_with(b"\\x") { 2 } else { 0 };
    let digits = rest.get(prefix..prefix + 2)?;
    if !digits.iter().all(u8::is_ascii_hexdigit) || !is_boundary(text, at) {
        return None;
    }
    let behind = at + prefix + 2;
    match bytes.get(behind) {
        Some(b',') => Some(behind + 1),
        _ if !is_boundary(text, behind) => None,
        _ => Some(behind + text[behind..].chars().take_while(|&c| is_space(c)).map(char::len_utf8).sum::<usize>()),
    }
}

/// `\b`: one of both sides is a character of words, the other is not.
fn is_boundary(text: &str, at: usize) -> bool {
    let is_word = |c: Option<char>| c.is_some_and(|c| is_alnum(c) || c == '_');
    is_word(text[..at].chars().next_back()) != is_word(text[at..].chars().next())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_each_expression_matches() {
        for (text, expected) in [
            ("QUJD".repeat(20), (80, 80)),
            (format!("x = \"{}==\"", "a/+9".repeat(16)), (66, 66)),
            ("a_b ".repeat(100), (0, 0)),
            ("0x1f,".repeat(8), (40, 40)),
            ("0x1f, ".repeat(80), (0, 0)),
            ("0x1f ".repeat(8), (40, 40)),
            // A backslash is at a boundary only behind a word.
            (format!("\"{}\"", "\\x1f".repeat(8)), (0, 0)),
            (format!("\"{}\"", "\\x1f".repeat(9)), (32, 32)),
            ("de ad be ef 00 11 22".to_owned(), (0, 0)),
            ("de ad be ef 00 11 22 33 rest".to_owned(), (24, 24)),
            ("de ad be ef 00 11 22 33\u{3000}\u{3000}나머지".to_owned(), (25, 25)),
            ("de ad be ef 00 11 22 33나머지".to_owned(), (0, 0)),
            ("가de ad be ef 00 11 22 33 44 ".to_owned(), (24, 24)),
            ("\\uac00".repeat(9), (54, 54)),
            ("\\uac00".repeat(7), (0, 0)),
            // Bytes on lines of their own are base64 as well, and go on behind it.
            (format!("{}1f 8b", "1f\n".repeat(22)), (71, 71)),
        ] {
            assert_eq!(encoded(&text), expected, "{text:?}");
        }
    }
}
