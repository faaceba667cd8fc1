//! Secrets without a shape: what is assigned to a name like `password`, and passwords in URLs.

/// Names that hold a password, which people choose.
pub(super) const PASSWORDS: &[&str] = &["password", "passwd", "passphrase", "pwd"];

/// Names that hold a token, which a machine has made.
pub(super) const TOKENS: &[&str] =
    &["secret", "token", "api_key", "apikey", "api-key", "access_key", "accesskey", "access-key", "auth_key", "private_key", "credential"];

/// Longest rest of a name behind such a word (`password_for_the_database`), and longest value.
const MAX_NAME: usize = 32;
const MAX_VALUE: usize = 160;

/// The value that is assigned to the name whose telling word ends at `at`.
///
/// It stands behind `=`, `:`, `:=` or `=>`, in quotes: or, where the name is in capitals, behind `=`
/// to the end of the word, as files of environment variables have it.
pub(super) fn value(text: &str, at: usize, chosen: bool) -> Option<(usize, usize)> {
    let bytes = text.as_bytes();
    let name = at + count(&bytes[at..], MAX_NAME, |byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
    let mut next = name + count(&bytes[name..], 2, |byte| matches!(byte, b'"' | b'\'' | b']'));
    next += spaces(bytes, next);
    let sign = count(&bytes[next..], 2, |byte| matches!(byte, b'=' | b':' | b'>'));
    if sign == 0 {
        return None;
    }
    let bare = sign == 1 && bytes[next] == b'=' && next == name && bytes[at - 1].is_ascii_uppercase();
    next += sign;
    next += spaces(bytes, next);
    // `const PASSWORD: &str = "..."`
    let of_type = count(&bytes[next..], 24, |byte| {
        byte.is_ascii_alphanumeric() || matches!(byte, b'&' | b'\'' | b'<' | b'>' | b' ' | b'*' | b'[' | b']')
    });
    if of_type > 0 && bytes.get(next + of_type) == Some(&b'=') {
        next += of_type + 1;
        next += spaces(bytes, next);
    }
    let quote = *bytes.get(next)?;
    if matches!(quote, b'"' | b'\'' | b'`') {
        let start = next + 1;
        let length = count(&bytes[start..], MAX_VALUE + 1, |byte| byte != quote && byte != b'\n');
        let closed = bytes.get(start + length) == Some(&quote);
        return (closed && is_secret(&text[start..start + length], chosen)).then_some((start, start + length));
    }
    let length = count(&bytes[next..], MAX_VALUE + 1, |byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\'' | b'`' | b';' | b','));
    let ends = bytes.get(next + length).is_none_or(|byte| byte.is_ascii_whitespace());
    (bare && ends && is_secret(&text[next..next + length], chosen)).then_some((next, next + length))
}

fn count(bytes: &[u8], most: usize, of: impl Fn(u8) -> bool) -> usize {
    bytes.iter().take(most).take_while(|byte| of(**byte)).count()
}

fn spaces(bytes: &[u8], at: usize) -> usize {
    count(&bytes[at..], 8, |byte| byte == b' ' || byte == b'\t')
}

/// Words of a value that stands for one.
const STAND_INS: &[&str] = &[
    "example",
    "changeme",
    "change_me",
    "change-me",
    "password",
    "passwd",
    "secret",
    "your",
    "xxx",
    "***",
    "...",
    "placeholder",
    "dummy",
    "sample",
    "token",
    "redacted",
    "insert",
    "replace",
    "fixme",
    "todo",
    "foobar",
    "12345678",
    "test",
    "fake",
    "mock",
    "hunter",
    "qwerty",
];

/// Does a value look like a secret? Not names, paths, sentences, templates or words that stand for one.
fn is_secret(value: &str, chosen: bool) -> bool {
    let bytes = value.as_bytes();
    let (least, bits) = if chosen { (8, 2.75) } else { (16, 3.5) };
    if !(least..=MAX_VALUE).contains(&bytes.len()) || !bytes.iter().all(u8::is_ascii_graphic) {
        return false;
    }
    let template =
        value.contains(['{', '}', '<', '>', '(', ')', '\\']) || value.contains("://") || value.starts_with(['$', '%', '/', '.', '@', '-']);
    let lower = value.to_ascii_lowercase();
    let letters = bytes.iter().filter(|byte| byte.is_ascii_alphabetic()).count();
    let digits = bytes.iter().filter(|byte| byte.is_ascii_digit()).count();
    // `Sec-WebSocket-Key1`, `v1.session.id`: words with a number, joined
    let longest_word = bytes.split(|byte| !byte.is_ascii_alphabetic()).map(<[u8]>::len).max().unwrap_or(0);
    let named = !chosen && longest_word >= 7 && bytes.iter().any(|byte| matches!(byte, b'_' | b'-' | b'.' | b':' | b'/'));
    let mixed = letters > 0 && digits > 0;
    mixed && !template && !named && !STAND_INS.iter().any(|word| lower.contains(word)) && entropy(bytes) >= bits
}

/// Shannon entropy in bits a byte, of the value's own distribution.
fn entropy(bytes: &[u8]) -> f64 {
    let mut counts = [0_u32; 256];
    bytes.iter().for_each(|byte| counts[usize::from(*byte)] += 1);
    let whole = bytes.len() as f64;
    counts.iter().filter(|count| **count > 0).map(|count| f64::from(*count) / whole).map(|share| -share * share.log2()).sum()
}

/// The password of `scheme://user:password@host` whose `://` ends at `at`.
pub(super) fn in_url(text: &str, at: usize) -> Option<(usize, usize)> {
    let bytes = text.as_bytes();
    let user = count(&bytes[at..], 64, |byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'%' | b'+'));
    let start = at + user + 1;
    if bytes.get(at + user) != Some(&b':') {
        return None;
    }
    let length = count(&bytes[start..], 64, |byte| {
        byte.is_ascii_graphic() && !matches!(byte, b'@' | b'/' | b'"' | b'\'' | b'`' | b':' | b'?' | b'#')
    });
    let host = bytes.get(start + length) == Some(&b'@') && bytes.get(start + length + 1).is_some_and(u8::is_ascii_alphanumeric);
    (host && is_secret(&text[start..start + length], true)).then_some((start, start + length))
}
