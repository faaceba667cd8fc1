//! Characters without a shape of their own: controls, zero-width spaces, direction marks, joiners.

use crate::bytes::{char_at, places};
use crate::chars::is_space;

/// The text without invisible characters, `None` when it has none to remove.
///
/// White space of every kind stays for the next step. A zero-width joiner stays where it shapes
/// what is read: between emoji, and inside scripts that join their letters.
pub(super) fn remove(text: &str) -> Option<String> {
    let first = places(text.as_bytes(), may_begin_suspect).find(|&at| char_at(text, at).is_some_and(is_suspect))?;
    let mut out = String::with_capacity(text.len());
    out.push_str(&text[..first]);
    let mut rest = text[first..].chars();
    while let Some(c) = rest.next() {
        if !is_suspect(c) || shapes(c, out.chars().next_back(), rest.clone().next()) {
            out.push(c);
        }
    }
    (out.len() != text.len()).then_some(out)
}

/// Invisible anywhere, or at least where nothing around it gives it a role.
fn is_suspect(c: char) -> bool {
    match c {
        ' '..='~' | '\n' | '\t' => false,
        '\0'..='\u{9f}' => !is_space(c),
        '\u{ad}'
        | '\u{180e}'
        | '\u{200b}'..='\u{200f}'
        | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{feff}'
        | '\u{fff9}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e007f}' => true,
        _ => false,
    }
}

/// Whether the first byte of a character leaves it possible that it is a suspect.
fn may_begin_suspect(byte: u8) -> bool {
    let control = (byte < b' ') & (byte != b'\n') & (byte != b'\t') | (byte == 0x7F);
    control | (byte == 0xC2) | (byte == 0xE1) | (byte == 0xE2) | (byte == 0xEF) | (byte == 0xF3)
}

/// Does this invisible character change how its neighbours look?
fn shapes(c: char, before: Option<char>, after: Option<char>) -> bool {
    match (c, before, after) {
        ('\u{200c}' | '\u{200d}', Some(before), Some(after)) => {
            (joins(before) && joins(after)) || (c == '\u{200d}' && is_pictograph(before) && is_pictograph(after))
        }
        // Flags of regions are spelled with tag characters behind a black flag.
        ('\u{e0020}'..='\u{e007f}', Some(before), _) => before == '\u{1f3f4}' || matches!(before, '\u{e0020}'..='\u{e007e}'),
        _ => false,
    }
}

/// Scripts in which a joiner chooses between forms: Arabic to Thaana, the Brahmic scripts, Mongolian.
fn joins(c: char) -> bool {
    matches!(c, '\u{600}'..='\u{7ff}' | '\u{840}'..='\u{109f}' | '\u{1780}'..='\u{18af}'
        | '\u{1a20}'..='\u{1bff}' | '\u{a800}'..='\u{abff}' | '\u{fb50}'..='\u{fdff}'
        | '\u{fe70}'..='\u{fefc}' | '\u{11000}'..='\u{11fff}')
}

/// Emoji, their skin tones and the selector that follows them.
fn is_pictograph(c: char) -> bool {
    matches!(c, '\u{2190}'..='\u{2bff}' | '\u{fe0f}' | '\u{1f000}'..='\u{1faff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn joiners_stay_where_they_join() {
        assert_eq!(remove("👩\u{200d}💻 가족 👩🏽\u{200d}🚒 ❤\u{fe0f}\u{200d}🔥"), None);
        assert_eq!(remove("क\u{94d}\u{200d}ष می\u{200c}خواهم"), None);
        assert_eq!(remove("\u{1f3f4}\u{e0067}\u{e0062}\u{e007f}"), None);
        assert_eq!(remove("한\u{200d}글\u{200c}\u{200b}!").as_deref(), Some("한글!"));
    }

    #[test]
    fn suspects_are_found_by_their_first_bytes() {
        for c in ('\0'..=char::MAX).filter(|&c| is_suspect(c)) {
            assert!(may_begin_suspect(c.encode_utf8(&mut [0; 4]).as_bytes()[0]), "{c:?}");
        }
    }

    #[test]
    fn controls_go_and_white_space_stays() {
        assert_eq!(remove("a\tb\r\nc\u{c}\u{85}\u{a0}\u{3000}"), None);
        assert_eq!(remove("\u{feff}a\0b\u{7f}\u{9c}\u{ad}c").as_deref(), Some("abc"));
        assert_eq!(remove("a\u{202e}b\u{2066}\u{e0041}").as_deref(), Some("ab"));
    }
}
