//! Text to ids: added tokens, normalization, pre-tokens, pieces, merges.

use super::Engine;
use super::keys::{self, WHOLE};
use super::nfc::nfc;
use super::pieces::PieceModel;
use super::state::{self, State};
use super::utf8::char_at;
use super::window::{ROOM, Window};

/// The high bits of bytes, without the length of a key.
const HIGH: u128 = 0x0080_8080_8080_8080_8080_8080_8080_8080;
/// First byte of a character of three bytes or more.
const WIDE: u8 = 0xe0;

/// An engine with working memory of its own.
#[cfg(test)]
pub(crate) struct Encoder<'e> {
    pub(super) engine: &'e Engine,
    pub(super) state: State,
}

#[cfg(test)]
impl Encoder<'_> {
    /// Appends the ids of a text.
    pub(crate) fn encode(&mut self, text: &str, out: &mut Vec<u32>) {
        self.engine.encode_with(&mut self.state, text, out);
    }
}

impl Engine {
    /// Appends the ids of a text.
    pub(super) fn encode_with(&self, state: &mut State, text: &str, out: &mut Vec<u32>) {
        let mut done = 0;
        while let Some((start, end, id)) = self.raw.next(text, done) {
            self.section(state, &text[done..start], out);
            out.push(id);
            done = end;
        }
        self.section(state, &text[done..], out);
    }

    /// A text without tokens that are looked for before normalization.
    fn section(&self, state: &mut State, text: &str, out: &mut Vec<u32>) {
        let form = if self.normalize { nfc(text) } else { None };
        let text = form.as_deref().unwrap_or(text);
        let mut done = 0;
        while let Some((start, end, id)) = self.normalized.next(text, done) {
            self.words(state, &text.as_bytes()[done..start], out);
            out.push(id);
            done = end;
        }
        self.words(state, &text.as_bytes()[done..], out);
    }

    fn words(&self, state: &mut State, text: &[u8], out: &mut Vec<u32>) {
        let mut at = 0;
        while at < text.len() && self.scanner.in_windows {
            at = self.window(state, text, at, out);
        }
        while at < text.len() {
            let stop = self.scanner.stop(text, at);
            while at < stop {
                let end = self.scanner.end(&text[..stop], at);
                self.word(state, text, at, end, out);
                at = end;
            }
        }
        self.flush(state, text, out);
    }

    /// The pre-tokens of a window at `at`, or one if it is longer; says where the next begins.
    #[inline]
    fn window(&self, state: &mut State, text: &[u8], at: usize, out: &mut Vec<u32>) -> usize {
        let rest = &text[at..];
        let mut copy = [0; ROOM];
        let bytes = rest.first_chunk().unwrap_or_else(|| {
            copy[..rest.len()].copy_from_slice(rest);
            &copy
        });
        let window = Window::new(bytes, rest.len(), self.scanner.classes, self.scanner.rules.words);
        let (words, end) = self.scanner.starts(&window, bytes);
        if end == 0 {
            let end = self.scanner.end(text, at);
            self.word(state, text, at, end, out);
            return end;
        }
        if state.batch.is_nearly_full() {
            self.flush(state, text, out);
        }
        let cuts = self.bridges.cuts(bytes, window.three, window.four);
        state.batch.push_window(bytes, at, words | cuts, end, words, self.whole_mark);
        at + end
    }

    /// Hands each pre-token of a text to `sink`, as [`Engine::encode`] meets them: normalized, and without
    /// added tokens.
    pub(crate) fn each_word<E>(&self, text: &str, mut sink: impl FnMut(&[u8]) -> Result<(), E>) -> Result<(), E> {
        let mut section = |section: &str| {
            let form = if self.normalize { nfc(section) } else { None };
            let section = form.as_deref().unwrap_or(section);
            let mut words = |stretch: &str| self.scanner.each_word(stretch, &mut sink);
            let mut done = 0;
            while let Some((start, end, _)) = self.normalized.next(section, done) {
                words(&section[done..start])?;
                done = end;
            }
            words(&section[done..])
        };
        let mut done = 0;
        while let Some((start, end, _)) = self.raw.next(text, done) {
            section(&text[done..start])?;
            done = end;
        }
        section(&text[done..])
    }

    /// Whether a text is one pre-token.
    pub(crate) fn is_word(&self, text: &str) -> bool {
        let text = text.as_bytes();
        !text.is_empty() && self.scanner.stop(text, 0) == text.len() && self.scanner.end(text, 0) == text.len()
    }

    /// Appends the ids of a pre-token.
    pub(crate) fn encode_word(&self, word: &[u8], out: &mut Vec<u32>) {
        state::with(self.number, |state| self.merge(state, word, true, out));
    }

    /// A pre-token.
    #[inline]
    fn word(&self, state: &mut State, text: &[u8], start: usize, end: usize, out: &mut Vec<u32>) {
        if end - start <= keys::LONGEST {
            let key = keys::key(text, start, end);
            if key & key << 1 & key << 2 & HIGH == 0 {
                if state.batch.push(key | self.whole_mark, start, end) {
                    self.flush(state, text, out);
                }
                return;
            }
        } else if !text[start..end].iter().any(|&byte| byte >= WIDE) {
            return self.piece(state, text, start, end, true, out);
        }
        self.cut(state, text, start, end, out);
    }

    /// A pre-token with wide characters, in pieces.
    fn cut(&self, state: &mut State, text: &[u8], start: usize, end: usize, out: &mut Vec<u32>) {
        let mut piece = start;
        let (mut left, length) = char_at(text, start);
        let mut at = start + length;
        while at < end {
            let (right, length) = char_at(text, at);
            if self.bridges.can_cut(left, right) {
                self.piece(state, text, piece, at, false, out);
                piece = at;
            }
            left = right;
            at += length;
        }
        self.piece(state, text, piece, end, piece == start, out);
    }

    #[inline]
    fn piece(&self, state: &mut State, text: &[u8], start: usize, end: usize, whole: bool, out: &mut Vec<u32>) {
        let mark = if whole { self.whole_mark } else { 0 };
        if state.batch.push(keys::key_if_short(text, start, end) | mark, start, end) {
            self.flush(state, text, out);
        }
    }

    /// What is added to the key of a whole pre-token: nothing, where being whole makes no difference.
    pub(super) fn whole_mark(has_irregular: bool) -> u128 {
        if has_irregular { WHOLE } else { 0 }
    }
}

impl PieceModel for Engine {
    fn touch(&self, key: u128) -> u64 {
        self.tokens.touch(key)
    }

    fn merge(&self, state: &mut State, piece: &[u8], whole: bool, out: &mut Vec<u32>) {
        let irregular = || if whole { self.irregular.get(piece) } else { None };
        // Few pieces with wide characters are tokens, and merging them takes few steps.
        let wide = piece.iter().any(|&byte| byte >= WIDE);
        let token = if wide { None } else { self.tokens.get(piece) };
        if let Some(id) = token.or_else(irregular) {
            out.push(id);
            return;
        }
        let merger = &mut state.merger;
        out.extend_from_slice(match wide {
            true => merger.merge_wide(piece, &self.pairs, &self.folds, &self.bridges),
            false => merger.merge(piece, &self.pairs),
        });
        merger.shrink();
    }
}
