//! Secrets without a shape: what is assigned to a name like `password`, and passwords in URLs.

/// Names that hold a password, which people choose.
pub(super) const PASSWORDS: &[&str] = &["password", "passwd", "passphrase", "pwd", "비밀번호", "패스워드"];

/// Names that hold a token, which a machine has made.
pub(super) const TOKENS: &[&str] =
    &["secret", "token", "api_key", "apikey", "api-key", "access_key", "accesskey", "access-key", "auth_key", "private_key", "credential"];

/// Longest rest of a name behind such a word (`password_for_the_database`), and longest value.
const MAX_NAME: usize = 32;
const MAX_VALUE: usize = 160;

/// Ends of names that tell what a secret is like or where it lies, and do not hold it.
const ABOUT: &[&str] = &["type", "path", "name", "policy", "regex", "url", "uri", "file", "dir"];

/// The value that is assigned to the name whose telling word ends at `at`.
///
/// It stands behind `=`, `:`, `:=` or `=>`, in quotes. Without quotes it stands behind `=` or `:`, as
/// files of configuration have it, to the end of the line or to `;`, and has to look more like a secret
/// than an expression does; a name in capitals is enough of a sign (`DB_PASSWORD=… ./run`).
pub(super) fn value(text: &str, at: usize, chosen: bool) -> Option<(usize, usize)> {
    let bytes = text.as_bytes();
    let name = at + count(&bytes[at..], MAX_NAME, |byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
    if !holds(bytes, at, name) {
        return None;
    }
    let mut next = name + count(&bytes[name..], 2, |byte| matches!(byte, b'"' | b'\'' | b']'));
    let unquoted = next == name;
    next += spaces(bytes, next);
    let sign = count(&bytes[next..], 2, |byte| matches!(byte, b'=' | b':' | b'>'));
    if sign == 0 {
        return None;
    }
    let bare = unquoted && sign == 1 && bytes[next] != b'>';
    let variable = bare && bytes[next] == b'=' && next == name && bytes[at - 1].is_ascii_uppercase();
    next += sign;
    next += spaces(bytes, next);
    // `const PASSWORD: &str = "..."`
    let of_type = count(&bytes[next..], 24, |byte| {
        byte.is_ascii_alphanumeric() || matches!(byte, b'&' | b'\'' | b'<' | b'>' | b' ' | b'*' | b'[' | b']')
    });
    let typed = next + of_type + 1 + spaces(bytes, (next + of_type + 1).min(bytes.len()));
    if of_type > 0 && bytes.get(next + of_type) == Some(&b'=') && bytes.get(typed).is_some_and(|byte| is_quote(*byte)) {
        next = typed;
    }
    let quote = *bytes.get(next)?;
    if is_quote(quote) {
        let start = next + 1;
        let length = count(&bytes[start..], MAX_VALUE + 1, |byte| byte != quote && byte != b'\n');
        let closed = bytes.get(start + length) == Some(&quote);
        return (closed && is_secret(&text[start..start + length], chosen)).then_some((start, start + length));
    }
    let length = count(&bytes[next..], MAX_VALUE + 1, |byte| byte.is_ascii_graphic() && !is_quote(byte) && !matches!(byte, b';' | b','));
    let end = next + length;
    let behind = bytes.get(end + spaces(bytes, end));
    let is_last = behind.is_none_or(|byte| matches!(byte, b'\n' | b'\r' | b';' | b'#') || is_quote(*byte));
    let is_word = bytes.get(end).is_none_or(u8::is_ascii_whitespace);
    let stands = (variable && is_word) || (bare && is_last && alternates(&bytes[next..end]));
    (stands && is_secret(&text[next..end], chosen)).then_some((next, end))
}

/// Does a name whose telling word ends at `at`, and which ends at `end`, hold a secret?
fn holds(bytes: &[u8], at: usize, end: usize) -> bool {
    let ends_with =
        |part: &[u8], word: &str| part.len() >= word.len() && part[part.len() - word.len()..].eq_ignore_ascii_case(word.as_bytes());
    let (before, rest) = (&bytes[..at], &bytes[at..end]);
    if ABOUT.iter().any(|word| ends_with(rest, word)) {
        return false;
    }
    if ends_with(before, "token") {
        // `tokenizer` is another word; `tokens` and `tokenValue` are not.
        let plural = usize::from(rest.first().is_some_and(|byte| byte.eq_ignore_ascii_case(&b's')));
        let same_case = |byte: &u8| byte.is_ascii_lowercase() || (byte.is_ascii_uppercase() && bytes[at - 1].is_ascii_uppercase());
        return !rest.get(plural).is_some_and(same_case);
    }
    // Of a shell, the working directory
    let is_directory = before
        .strip_suffix(b"PWD")
        .map(|before| before.strip_suffix(b"OLD").unwrap_or(before))
        .is_some_and(|before| rest.is_empty() && !before.last().is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_'));
    !is_directory
}

/// Do letters and digits take turns, three times at least? Names like `sha256` and `utf8_to_utf16` turn less.
fn alternates(value: &[u8]) -> bool {
    let turns = |pair: &[u8]| {
        (pair[0].is_ascii_digit() && pair[1].is_ascii_alphabetic()) || (pair[0].is_ascii_alphabetic() && pair[1].is_ascii_digit())
    };
    value.windows(2).filter(|pair| turns(pair)).count() >= 3
}

/// The token behind `Bearer ` (RFC 6750, section 2.1), which ends at `at`.
pub(super) fn bearer(text: &str, at: usize) -> Option<(usize, usize)> {
    let bytes = text.as_bytes();
    let length = count(&bytes[at..], MAX_VALUE + 1, |byte| {
        byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'+' | b'/' | b'=')
    });
    let value = text[at..at + length].trim_end_matches('.');
    (value.len() >= 20 && alternates(value.as_bytes()) && is_secret(value, false)).then_some((at, at + value.len()))
}

fn is_quote(byte: u8) -> bool {
    matches!(byte, b'"' | b'\'' | b'`')
}

/// `C:/Users/kim1`, `models/v2-base`: a file or a repository, with a word between its strokes.
fn is_path(value: &str) -> bool {
    let drive = value.as_bytes().get(1) == Some(&b':') && value.as_bytes().get(2) == Some(&b'/');
    let word = |part: &str| {
        part.len() >= 4 && part.bytes().enumerate().all(|(at, byte)| byte.is_ascii_lowercase() || (at == 0 && byte.is_ascii_uppercase()))
    };
    drive || value.starts_with("~/") || (value.contains('/') && value.split(['/', '-', '_']).any(word))
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
    mixed && !template && !named && !is_path(value) && !STAND_INS.iter().any(|word| lower.contains(word)) && entropy(bytes) >= bits
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
