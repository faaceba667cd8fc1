//! Tokens that begin with a sign of who gave them out.

use super::Kind;

/// How tokens of one kind go on behind their sign.
pub(super) struct Shape {
    pub(super) kind: Kind,
    pub(super) sign: &'static str,
    /// Characters behind the sign.
    letters: Letters,
    least: usize,
    most: usize,
}

#[derive(Clone, Copy)]
enum Letters {
    /// `A` to `Z` and digits.
    Upper,
    /// Letters and digits.
    Plain,
    /// Letters, digits, `_` and `-`.
    Url,
    /// Letters, digits, `/`.
    Path,
}

const fn shape(kind: Kind, sign: &'static str, letters: Letters, least: usize, most: usize) -> Shape {
    Shape { kind, sign, letters, least, most }
}

/// The shapes as their issuers document them. A longer sign stands before one that begins it.
#[rustfmt::skip]
pub(super) const SHAPES: &[Shape] = &[
    shape(Kind::Aws, "AKIA", Letters::Upper, 16, 16),
    shape(Kind::Aws, "ASIA", Letters::Upper, 16, 16),
    shape(Kind::Github, "github_pat_", Letters::Url, 36, 255),
    shape(Kind::Github, "ghp_", Letters::Plain, 36, 255),
    shape(Kind::Github, "gho_", Letters::Plain, 36, 255),
    shape(Kind::Github, "ghu_", Letters::Plain, 36, 255),
    shape(Kind::Github, "ghs_", Letters::Plain, 36, 255),
    shape(Kind::Github, "ghr_", Letters::Plain, 36, 255),
    shape(Kind::Gitlab, "glpat-", Letters::Url, 20, 64),
    shape(Kind::Gitlab, "glptt-", Letters::Url, 20, 64),
    shape(Kind::Gitlab, "gldt-", Letters::Url, 20, 64),
    shape(Kind::Gitlab, "glrt-", Letters::Url, 20, 64),
    shape(Kind::Slack, "xoxb-", Letters::Url, 20, 255),
    shape(Kind::Slack, "xoxp-", Letters::Url, 20, 255),
    shape(Kind::Slack, "xoxa-", Letters::Url, 20, 255),
    shape(Kind::Slack, "xoxr-", Letters::Url, 20, 255),
    shape(Kind::Slack, "xoxs-", Letters::Url, 20, 255),
    shape(Kind::Slack, "hooks.slack.com/services/", Letters::Path, 40, 64),
    shape(Kind::Google, "AIza", Letters::Url, 35, 35),
    shape(Kind::Google, "GOCSPX-", Letters::Url, 28, 28),
    shape(Kind::Stripe, "sk_live_", Letters::Plain, 16, 255),
    shape(Kind::Stripe, "sk_test_", Letters::Plain, 16, 255),
    shape(Kind::Stripe, "rk_live_", Letters::Plain, 16, 255),
    shape(Kind::Stripe, "rk_test_", Letters::Plain, 16, 255),
    shape(Kind::Stripe, "whsec_", Letters::Plain, 24, 255),
    shape(Kind::Models, "sk-ant-", Letters::Url, 32, 255),
    shape(Kind::Models, "sk-proj-", Letters::Url, 32, 255),
    shape(Kind::Models, "sk-svcacct-", Letters::Url, 32, 255),
    shape(Kind::Models, "sk-", Letters::Plain, 32, 64),
    shape(Kind::Models, "hf_", Letters::Plain, 34, 40),
    shape(Kind::Registries, "npm_", Letters::Plain, 36, 36),
    shape(Kind::Registries, "pypi-AgE", Letters::Url, 50, 255),
    shape(Kind::Registries, "cio", Letters::Plain, 32, 32),
    shape(Kind::Registries, "rubygems_", Letters::Plain, 48, 48),
    shape(Kind::Registries, "dckr_pat_", Letters::Url, 27, 27),
];

impl Letters {
    fn has(self, byte: u8) -> bool {
        match self {
            Self::Upper => byte.is_ascii_uppercase() || byte.is_ascii_digit(),
            Self::Plain => byte.is_ascii_alphanumeric(),
            Self::Url => byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'),
            Self::Path => byte.is_ascii_alphanumeric() || byte == b'/',
        }
    }
}

/// Where the token ends whose sign stands at `start`; `None` when what follows is no token.
pub(super) fn end(bytes: &[u8], floor: usize, start: usize, shape: &Shape) -> Option<usize> {
    let behind = start + shape.sign.len();
    // The sign of a hook is the host of a URL; every other one begins the word.
    let word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    if bytes[floor..start].last().is_some_and(word) || !bytes[start..].starts_with(shape.sign.as_bytes()) {
        return None;
    }
    let length = bytes[behind..].iter().take(shape.most + 1).take_while(|byte| shape.letters.has(**byte)).count();
    let body = &bytes[behind..behind + length];
    let whole = !bytes.get(behind + length).is_some_and(word);
    ((shape.least..=shape.most).contains(&length) && whole && is_random(body)).then_some(behind + length)
}

/// Letters and digits without a pattern: no row of `x`, no `EXAMPLE`, no name.
fn is_random(body: &[u8]) -> bool {
    let mut seen = [false; 128];
    body.iter().for_each(|byte| seen[usize::from(byte & 0x7F)] = true);
    let different = seen.iter().filter(|seen| **seen).count();
    let digits = body.iter().filter(|byte| byte.is_ascii_digit()).count();
    // 10 of 16 is what two of a thousand random keys fall short of.
    different >= 10.min(body.len() * 5 / 8)
        && digits > 0
        && digits < body.len()
        && !has(body, b"EXAMPLE")
        && !has(body, b"0123456789")
        && !has(body, b"1234567890")
}

fn has(body: &[u8], word: &[u8]) -> bool {
    body.windows(word.len()).any(|part| part.eq_ignore_ascii_case(word))
}

/// Where the signed token (RFC 7519) ends that begins with `eyJ`, the base64 of `{"`, at `start`:
/// two such parts and a signature. Each is at most 8 KiB.
pub(super) fn jwt_end(bytes: &[u8], floor: usize, start: usize) -> Option<usize> {
    let part = |from: usize| bytes[from..].iter().take(8 << 10).take_while(|byte| Letters::Url.has(**byte)).count();
    if bytes[floor..start].last().is_some_and(|byte| Letters::Url.has(*byte)) || !bytes[start..].starts_with(b"eyJ") {
        return None;
    }
    let header = start + part(start);
    let payload = header + 1 + part((header + 1).min(bytes.len()));
    let signature = payload + 1 + part((payload + 1).min(bytes.len()));
    let dots = bytes.get(header) == Some(&b'.') && bytes.get(payload) == Some(&b'.');
    let parts = dots && bytes[header + 1..].starts_with(b"eyJ") && header - start >= 16 && payload - header > 8 && signature - payload > 20;
    parts.then_some(signature)
}
