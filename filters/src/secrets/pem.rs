//! Private keys in PEM armour (RFC 7468).

/// Longest key in bytes; an RSA key of 16384 bits has some 12 KiB.
const MAX_KEY: usize = 16 << 10;

/// Least base64 of a key. Documentation shows armour with dots in between.
const MIN_BASE64: usize = 40;

const BEGIN: &str = "-----BEGIN ";

/// Where the key ends whose armour begins at `start`: behind its last line, or, when that is missing,
/// behind the last line of base64.
pub(super) fn end(text: &str, start: usize) -> Option<usize> {
    let label = text[start..].strip_prefix(BEGIN)?;
    let length = label.bytes().take(40).take_while(|byte| byte.is_ascii_uppercase() || matches!(byte, b' ' | b'0'..=b'9')).count();
    let (label, rest) = label.split_at(length);
    if !label.ends_with("PRIVATE KEY") && label != "PGP PRIVATE KEY BLOCK" {
        return None;
    }
    let body = rest.strip_prefix("-----")?;
    let begin = text.len() - body.len();
    let mut cut = (begin + MAX_KEY).min(text.len());
    while !text.is_char_boundary(cut) {
        cut -= 1;
    }
    let window = &text[begin..cut];
    // Base64 has no dashes. In code a key may stand in a string, with `\n` written out.
    let closing = format!("-----END {label}-----");
    let (inside, end) = match window.find("-----").filter(|at| window[*at..].starts_with(&closing)) {
        Some(at) => (&window[..at], begin + at + closing.len()),
        None => {
            let length = window.bytes().take_while(|byte| is_base64(*byte) || matches!(byte, b'\n' | b'\r' | b' ' | b'\\')).count();
            let key = window[..length].trim_end();
            (key, begin + key.len())
        }
    };
    (inside.bytes().filter(|byte| is_base64(*byte)).count() >= MIN_BASE64).then_some(end)
}

fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=')
}
