//! White space, signs and tags in one pass over the pieces of a text.

use super::code::{Kind, has_marks, pieces};
use super::tags::{Removed, behind_sign};
use super::{Whitespace, comments};
use crate::bytes::{char_at, places};
use crate::chars::is_space;
use crate::words::is_line_break;

/// What to rewrite.
pub(super) struct Rules {
    pub(super) whitespace: Whitespace,
    pub(super) signs: bool,
    /// Full-width ASCII and half-width Hangul letters take their usual width.
    pub(super) narrow: bool,
    pub(super) strip_tags: bool,
}

impl Rules {
    /// The rewritten text, `None` when nothing changes. A text that is code altogether is one block
    /// of it.
    pub(super) fn apply(&self, text: &str, is_code: bool) -> Option<String> {
        if self.leaves(text) {
            return None;
        }
        let pieces = match is_code {
            true => vec![(Kind::Fenced, text)],
            false if self.strip_tags => comments::apart(text, pieces(text)),
            false => pieces(text),
        };
        let mut writer = Writer { rules: self, out: String::with_capacity(text.len()), gap: Gap::default() };
        for (kind, piece) in pieces {
            match (kind, self.whitespace) {
                (Kind::Prose, _) => writer.prose(piece),
                (Kind::Comment, _) => writer.removed(Removed::Block),
                (Kind::Inline, Whitespace::Collapse) => writer.verbatim(piece),
                (Kind::Fenced, Whitespace::Collapse) => writer.block(piece),
                (Kind::Inline | Kind::Fenced, _) => writer.code(piece),
            }
        }
        let out = writer.out;
        (out != text).then_some(out)
    }

    /// Might a second pass over the result find more to do?
    pub(super) fn may_uncover(&self, text: &str) -> bool {
        has_marks(text) || (self.strip_tags && text.contains('<')) || (self.narrow && has_wide(text))
    }

    /// A quick look, for most texts need nothing: true only when every step would leave the text
    /// as it is.
    fn leaves(&self, text: &str) -> bool {
        let tidy = match self.whitespace {
            Whitespace::Keep => true,
            Whitespace::Lines => has_tidy_lines(text),
            Whitespace::Collapse => is_collapsed(text),
        };
        let is_sign = |at| matches!(char_at(text, at), Some('\u{318D}' | '\u{FF5E}'));
        let signs = self.signs && places(text.as_bytes(), |byte| (byte == 0xE3) | (byte == 0xEF)).any(is_sign);
        let tags = self.strip_tags && text.contains('>');
        let wide = self.narrow && has_wide(text);
        tidy && !(signs || tags || wide)
    }
}

/// Most line feeds in a row: two empty lines, as between the functions of a Python file.
const MAX_LINE_FEEDS: usize = 3;

/// White space that was read but not yet written; at the end it is dropped.
#[derive(Default)]
struct Gap {
    line_feeds: usize,
    spaces: String,
    after_return: bool,
    /// A fenced block is before or after: in a collapsed text it keeps its own lines.
    fence: bool,
}

struct Writer<'a> {
    rules: &'a Rules,
    out: String,
    gap: Gap,
}

impl Writer<'_> {
    fn prose(&mut self, text: &str) {
        let mut done = 0;
        for at in places(text.as_bytes(), |byte| is_stop(byte) | (byte == b'<')) {
            // It may lie in a tag that is removed.
            let Some(c) = char_at(text, at).filter(|_| at >= done) else { continue };
            self.plain(&text[done..at]);
            done = at + c.len_utf8();
            match c {
                '\u{318D}' if self.rules.signs => self.push('·'),
                '\u{FF5E}' if self.rules.signs => self.push('~'),
                '\u{FF01}'..='\u{FFDC}' if self.rules.narrow => self.push(usual_width(c)),
                '<' if self.rules.strip_tags => match behind_sign(&text[done..]) {
                    Some((removed, length)) => {
                        done += length;
                        self.removed(removed);
                    }
                    None => self.push(c),
                },
                _ => self.push(c),
            }
        }
        self.plain(&text[done..]);
    }

    /// Code where lines are tidied: the white space of lines is, nothing else.
    fn code(&mut self, text: &str) {
        let mut done = 0;
        for at in places(text.as_bytes(), is_stop) {
            let Some(c) = char_at(text, at) else { continue };
            self.plain(&text[done..at]);
            self.push(c);
            done = at + c.len_utf8();
        }
        self.plain(&text[done..]);
    }

    /// A piece without a stop: what is neither space nor tab stays as it is.
    fn plain(&mut self, text: &str) {
        match self.rules.whitespace {
            Whitespace::Keep => self.out.push_str(text),
            Whitespace::Collapse => text.chars().for_each(|c| self.push(c)),
            Whitespace::Lines => {
                let behind = text.trim_start_matches([' ', '\t']);
                let visible = behind.trim_end_matches([' ', '\t']);
                self.gap.spaces.push_str(&text[..text.len() - behind.len()]);
                self.gap.after_return &= text.is_empty();
                if !visible.is_empty() {
                    self.close_gap();
                    self.out.push_str(visible);
                    self.gap.spaces.push_str(&behind[visible.len()..]);
                }
            }
        }
    }

    /// Inline code in a collapsed text.
    fn verbatim(&mut self, text: &str) {
        self.close_gap();
        self.out.push_str(text);
    }

    /// A fenced block in a collapsed text: its own lines.
    fn block(&mut self, text: &str) {
        self.gap.fence = true;
        self.close_gap();
        self.out.push_str(text.trim_end_matches(['\n', '\r']));
        self.gap.fence = true;
    }

    fn push(&mut self, c: char) {
        match self.rules.whitespace {
            Whitespace::Keep => self.out.push(c),
            _ if !is_space(c) => {
                self.close_gap();
                self.out.push(c);
            }
            _ if is_line_break(c) => {
                let second_half = self.gap.after_return && c == '\n';
                self.gap.line_feeds += usize::from(!second_half);
                self.gap.spaces.clear();
                self.gap.after_return = c == '\r';
            }
            _ => {
                self.gap.spaces.push(if c == '\t' { '\t' } else { ' ' });
                self.gap.after_return = false;
            }
        }
    }

    /// Writes the gap before something visible.
    fn close_gap(&mut self) {
        let Gap { line_feeds, spaces, fence, .. } = &mut self.gap;
        if self.rules.whitespace == Whitespace::Collapse {
            let apart = *fence || *line_feeds > 0 || !spaces.is_empty();
            if apart && !self.out.is_empty() && !self.out.ends_with([' ', '\n']) {
                self.out.push(if *fence { '\n' } else { ' ' });
            } else if *fence && self.out.ends_with(' ') {
                self.out.pop();
                self.out.push('\n');
            }
        } else {
            if !self.out.is_empty() {
                (0..(*line_feeds).min(MAX_LINE_FEEDS)).for_each(|_| self.out.push('\n'));
            }
            self.out.push_str(spaces);
        }
        spaces.clear();
        (*line_feeds, *fence, self.gap.after_return) = (0, false, false);
    }

    /// A tag is left out; the neighbours of a block must not become one word.
    fn removed(&mut self, removed: Removed) {
        self.gap.after_return = false;
        let together = self.gap.line_feeds == 0 && self.gap.spaces.is_empty() && self.out.ends_with(|c| !is_space(c));
        if removed == Removed::Block && together {
            if self.rules.whitespace == Whitespace::Keep {
                self.out.push(' ');
            } else {
                self.gap.spaces.push(' ');
            }
        }
    }
}

/// First bytes of the characters that are not simply written as they are: line breaks, white space but
/// for space and tab, signs and wide letters. Few others begin so.
fn is_stop(byte: u8) -> bool {
    (byte < b' ') & (byte != b'\t') | (byte == 0xC2) | (byte == 0xE1) | (byte == 0xE2) | (byte == 0xE3) | (byte == 0xEF)
}

fn has_wide(text: &str) -> bool {
    // All of them begin with this byte.
    places(text.as_bytes(), |byte| byte == 0xEF).any(|at| char_at(text, at).is_some_and(|c| usual_width(c) != c))
}

/// Full-width ASCII and half-width Hangul letters, as [`super::Width::HalfAscii`] writes them.
fn usual_width(c: char) -> char {
    // U+FFA1 to U+FFDC leave gaps where a row of six vowels ends.
    let moved = match c {
        '＜' | '＞' | '｀' | '～' => return c,
        '\u{FF01}'..='\u{FF5D}' => u32::from(c) - 0xFF01 + 0x21,
        '\u{FFA1}'..='\u{FFBE}' => u32::from(c) - 0xFFA1 + 0x3131,
        '\u{FFC2}'..='\u{FFC7}' => u32::from(c) - 0xFFC2 + 0x314F,
        '\u{FFCA}'..='\u{FFCF}' => u32::from(c) - 0xFFCA + 0x3155,
        '\u{FFD2}'..='\u{FFD7}' => u32::from(c) - 0xFFD2 + 0x315B,
        '\u{FFDA}'..='\u{FFDC}' => u32::from(c) - 0xFFDA + 0x3161,
        _ => return c,
    };
    char::from_u32(moved).unwrap_or(c)
}

/// Would [`Whitespace::Lines`] change nothing?
fn has_tidy_lines(text: &str) -> bool {
    let bytes = text.as_bytes();
    let is_tidy = |at| match char_at(text, at) {
        // Behind something visible, or behind no more line feeds than may stand there.
        Some('\n') => !matches!(bytes[..at].last(), None | Some(b' ' | b'\t')) && !bytes[..at].ends_with(&[b'\n'; MAX_LINE_FEEDS]),
        c => !c.is_some_and(is_space),
    };
    places(bytes, is_stop).all(is_tidy) && !text.ends_with([' ', '\t', '\n'])
}

/// Would [`Whitespace::Collapse`] change nothing, code or not?
fn is_collapsed(text: &str) -> bool {
    let mut spaced = true;
    for c in text.chars() {
        match c {
            ' ' if spaced => return false,
            ' ' => spaced = true,
            _ if is_space(c) => return false,
            _ => spaced = false,
        }
    }
    !spaced || text.is_empty()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use unicode_normalization::UnicodeNormalization;

    use super::*;

    #[test]
    fn what_changes_is_found_by_first_bytes() {
        let changes = |c: char| (is_space(c) && !matches!(c, ' ' | '\t')) || usual_width(c) != c || matches!(c, '\u{318D}' | '\u{FF5E}');
        for c in ('\0'..=char::MAX).filter(|&c| changes(c)) {
            assert!(is_stop(c.encode_utf8(&mut [0; 4]).as_bytes()[0]), "{c:?}");
        }
    }

    proptest! {
        /// Character by character is what the rules say; piece by piece is faster.
        #[test]
        fn pieces_are_written_as_characters_are(text in "[ \t\n\r\u{b}\u{85}\u{a0}\u{3000}a-c가é“]{0,60}") {
            for whitespace in [Whitespace::Keep, Whitespace::Lines, Whitespace::Collapse] {
                let rules = Rules { whitespace, signs: true, narrow: true, strip_tags: true };
                let writer = || Writer { rules: &rules, out: String::new(), gap: Gap::default() };
                let [mut by_pieces, mut as_prose, mut by_chars] = [writer(), writer(), writer()];
                by_pieces.code(&text);
                as_prose.prose(&text);
                text.chars().for_each(|c| by_chars.push(c));
                prop_assert_eq!(&by_pieces.out, &by_chars.out);
                prop_assert_eq!(&as_prose.out, &by_chars.out);
                if whitespace == Whitespace::Lines {
                    prop_assert_eq!(has_tidy_lines(&text), by_chars.out == text, "{:?}", text);
                }
            }
        }
    }

    /// Compatibility decomposition is the oracle of width; it gives conjoining jamo for the letters,
    /// as it does for the usual ones.
    #[test]
    fn widths_are_those_of_unicode() {
        for c in '\u{FF01}'..='\u{FFDC}' {
            let narrowed = usual_width(c);
            if narrowed != c {
                assert!(c.nfkd().eq(narrowed.nfkd()), "{c} {narrowed}");
                assert!(narrowed.is_ascii() || matches!(narrowed, 'ㄱ'..='ㅣ'), "{c} {narrowed}");
            }
        }
        assert_eq!(('\u{FF01}'..='\u{FFDC}').filter(|c| usual_width(*c) != *c).count(), 94 - 4 + 30 + 21);
        assert_eq!(usual_width('ㅋ'), 'ㅋ');
    }
}
