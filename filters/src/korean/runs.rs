//! A text cut where the kind of character changes.

use crate::chars::{is_letter, is_space, starts_with_syllable, syllables};

/// Kinds of characters that stay together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Hangul syllables.
    Hangul,
    /// Letters of any other script.
    Letters,
    /// Digits, with single points and commas between them.
    Digits,
    /// `.`, `!`, `?`: `...` is one.
    Stop,
    /// `,`, `/`, `:`, `;`: `://` is one.
    Pause,
    /// `-` and `~`.
    Dash,
    /// A bracket or quotation mark, each by itself.
    Bracket,
    /// White space.
    Space,
    /// All other signs, single jamo (`ㅋㅋ`) included.
    Sign,
}

impl Kind {
    /// Whether a particle or ending can follow directly: `API는`, `'법'이`, `f(x)를`.
    pub(super) fn bears_suffix(self) -> bool {
        matches!(self, Self::Letters | Self::Digits | Self::Bracket | Self::Sign)
    }
}

/// Kinds of the ASCII characters, so that the common case is one look-up.
const ASCII: [Kind; 128] = {
    let mut table = [Kind::Sign; 128];
    let mut code = 0;
    while code < 128 {
        table[code] = other_kind(code as u8 as char);
        code += 1;
    }
    table
};

fn kind(c: char) -> Kind {
    match c {
        '가'..='힣' => Kind::Hangul,
        '\0'..='\x7f' => ASCII[c as usize],
        _ => match other_kind(c) {
            Kind::Sign if is_letter(c) && !matches!(c, '\u{3131}'..='\u{318E}') => Kind::Letters,
            Kind::Sign if is_space(c) => Kind::Space,
            known => known,
        },
    }
}

/// All that can be said without tables of Unicode.
const fn other_kind(c: char) -> Kind {
    match c {
        'a'..='z' | 'A'..='Z' => Kind::Letters,
        '0'..='9' => Kind::Digits,
        ' ' | '\t'..='\r' | '\u{1c}'..='\u{1f}' => Kind::Space,
        '.' | '!' | '?' | '。' | '！' | '？' | '…' => Kind::Stop,
        ',' | '/' | ':' | ';' | '·' | '：' | '，' | '、' => Kind::Pause,
        '-' | '~' | '∼' => Kind::Dash,
        '(' | ')' | '[' | ']' | '{' | '}' | '<' | '>' | '"' | '\'' | '‘' | '’' | '“' | '”' | '「' | '」' | '『' | '』' | '（' | '）' => {
            Kind::Bracket
        }
        _ => Kind::Sign,
    }
}

/// Calls `found` with kind and byte range of each run between two places of the text.
pub(super) fn each(text: &str, from: usize, to: usize, mut found: impl FnMut(Kind, usize, usize)) {
    let mut start = from;
    let mut before = Kind::Space;
    while start < to {
        let rest = &text[start..to];
        // Most runs are of syllables, and most others a space between two of these.
        let (plain, length) = match syllables(rest.as_bytes()) {
            0 => (Kind::Space, one_space(rest.as_bytes())),
            length => (Kind::Hangul, length),
        };
        if length > 0 {
            found(plain, start, start + length);
            (start, before) = (start + length, plain);
            continue;
        }
        let Some(c) = rest.chars().next() else { break };
        let first = kind(c);
        let (kind, length) = match first {
            Kind::Letters if rest.starts_with("http") => (first, address(rest).unwrap_or_else(|| run(rest, first))),
            Kind::Sign if before == Kind::Space && matches!(c, '#' | '@') => match tag(rest) {
                0 => (first, run(rest, first)),
                length => (Kind::Letters, length),
            },
            Kind::Bracket => (first, c.len_utf8()),
            _ => (first, run(rest, first)),
        };
        found(kind, start, start + length);
        (start, before) = (start + length, kind);
    }
}

/// 1 where the run of white space at the beginning is a space and nothing else.
fn one_space(bytes: &[u8]) -> usize {
    let alone = |next: &[u8]| starts_with_syllable(next) || next.first().is_some_and(u8::is_ascii_graphic);
    usize::from(bytes.split_first().is_some_and(|(first, next)| *first == b' ' && alone(next)))
}

/// Bytes of the run of this kind at the beginning; names (`main.rs`) and numbers (`1,000.5`, `2023-03-01`)
/// go on behind a sign that stands between two of their characters.
fn run(rest: &str, first: Kind) -> usize {
    for (at, c) in rest.char_indices() {
        let inside = || rest.as_bytes().get(at + 1);
        let joins = match (first, c) {
            (Kind::Letters, '.') => inside().is_some_and(u8::is_ascii_alphabetic),
            (Kind::Digits, '.' | ',' | '/' | '-' | ':') => inside().is_some_and(u8::is_ascii_digit),
            _ => kind(c) == first,
        };
        if !joins {
            return at;
        }
    }
    rest.len()
}

/// Bytes of an address with its scheme.
fn address(rest: &str) -> Option<usize> {
    let after = ["https://", "http://"].into_iter().find(|scheme| rest.starts_with(scheme))?.len();
    let inside = |byte: &u8| byte.is_ascii_graphic() && !b"\"'()<>[]{}`|\\".contains(byte);
    let length = rest.bytes().skip(after).take_while(inside).count();
    (length > 0).then_some(after + length)
}

/// Bytes of `#word` or `@name`, 0 when no letter follows the sign.
fn tag(rest: &str) -> usize {
    let word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    match rest.as_bytes() {
        [_, first, ..] if first.is_ascii_alphabetic() => 1 + rest.bytes().skip(1).take_while(word).count(),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_of_one_kind() {
        let shown = |text: &'static str| {
            let mut runs = Vec::new();
            each(text, 0, text.len(), |_, start, end| runs.push(&text[start..end]));
            runs
        };
        assert_eq!(shown("제4조제1항(이하"), ["제", "4", "조제", "1", "항", "(", "이하"]);
        assert_eq!(shown("1,000.5원."), ["1,000.5", "원", "."]);
        assert_eq!(shown("https://a.b/?c=1)에서"), ["https://a.b/?c=1", ")", "에서"]);
        assert_eq!(shown("https://"), ["https", "://"]);
        assert_eq!(shown("main.rs의 2023-03-01, 3/4."), ["main.rs", "의", " ", "2023-03-01", ",", " ", "3/4", "."]);
        assert_eq!(shown("#include #1 a#b @"), ["#include", " ", "#", "1", " ", "a", "#", "b", " ", "@"]);
        assert_eq!(shown("ㅋㅋㅋ((**`std::v`"), ["ㅋㅋㅋ", "(", "(", "**`", "std", "::", "v", "`"]);
        assert_eq!(shown("1..2"), ["1", "..", "2"]);
        assert_eq!(shown("가  나 \u{3000}다 \n라 é마 "), ["가", "  ", "나", " \u{3000}", "다", " \n", "라", " ", "é", "마", " "]);
    }
}
