//! Sixty-four bytes of text as sets of places, one bit each, so that where its pre-tokens begin follows from arithmetic on
//! whole sets and no branch has to guess what comes next.

use wide::u8x16;

use super::classes::{Classes, LETTER, LOWER, NUMBER, SPACE, UPPER};
use super::pattern::Words;
use super::utf8::char_at;

/// Bytes of a window.
pub(super) const BYTES: usize = 64;
/// Bytes that are read: a character or key may go on beyond the window.
pub(super) const ROOM: usize = BYTES + 16;
/// Bytes compared at once.
const VECTOR: usize = 16;

/// Sets of places in a window; bit 0 is its first byte. All bytes of a character are in the set that it is in.
#[derive(Default)]
pub(super) struct Window {
    /// What the pattern takes for letters, and those of them that are of one case alone, where it tells cases apart.
    pub(super) letters: u64,
    pub(super) uppers: u64,
    pub(super) lowers: u64,
    /// Digits of ASCII, the only ones in a window.
    pub(super) digits: u64,
    /// White space of ASCII, the only one in a window.
    pub(super) spaces: u64,
    /// Line feeds and carriage returns.
    pub(super) breaks: u64,
    /// The character U+0020.
    pub(super) blanks: u64,
    pub(super) apostrophes: u64,
    pub(super) slashes: u64,
    /// Bytes that continue a character.
    pub(super) continuations: u64,
    /// Where characters of three bytes begin, and of four.
    pub(super) three: u64,
    pub(super) four: u64,
    /// Bytes before the end of the text, or before a character that the sets do not tell of.
    pub(super) length: usize,
    /// Whether the text ends there.
    pub(super) last: bool,
}

impl Window {
    /// The first bytes of a text that has `left` of them, for a pattern with such words; what is beyond the end does not matter.
    #[inline]
    pub(super) fn new(bytes: &[u8; ROOM], left: usize, classes: &Classes, words: Words) -> Self {
        let mut window = Self { length: left.min(BYTES), last: left <= BYTES, ..Self::default() };
        let (mut high, mut syllables) = (0, 0);
        let (vectors, _) = bytes.as_chunks::<VECTOR>();
        for (at, vector) in (0..).step_by(VECTOR).zip(&vectors[..BYTES / VECTOR]) {
            let bytes = u8x16::new(*vector);
            let is = |byte: u8| bytes.simd_eq(u8x16::splat(byte));
            let place = |found: u8x16| u64::from(found.to_bitmask()) << at;
            window.letters |= place(within(bytes | u8x16::splat(0x20), b'a', b'z'));
            window.digits |= place(within(bytes, b'0', b'9'));
            window.blanks |= place(is(b' '));
            window.spaces |= place(within(bytes, b'\t', b'\r'));
            window.breaks |= place(is(b'\n') | is(b'\r'));
            window.apostrophes |= place(is(b'\''));
            high |= place(bytes);
            if words == Words::ByCase {
                window.uppers |= place(within(bytes, b'A', b'Z'));
                window.lowers |= place(within(bytes, b'a', b'z'));
                window.slashes |= place(is(b'/'));
            }
        }
        window.spaces |= window.blanks;
        if high != 0 {
            for at in (0..BYTES).step_by(VECTOR) {
                syllables |= window.characters(bytes, at);
            }
            window.letters |= syllables | syllables << 1 | syllables << 2;
            window.others(bytes, high & !window.continuations & !syllables, classes, words);
        }
        if words == Words::ByCase {
            window.end_where_cases_meet();
        }
        window
    }

    /// Takes down what characters beyond ASCII begin and go on in sixteen bytes; says where syllables of Hangul begin.
    #[inline]
    fn characters(&mut self, bytes: &[u8; ROOM], at: usize) -> u64 {
        let vector = |from: usize| bytes[from..].first_chunk().map_or(u8x16::ZERO, |vector| u8x16::new(*vector));
        let (bytes, next) = (vector(at), vector(at + 1));
        let kind = |mask: u8, bits: u8| (bytes & u8x16::splat(mask)).simd_eq(u8x16::splat(bits));
        let is = |byte: u8| bytes.simd_eq(u8x16::splat(byte));
        let place = |found: u8x16| u64::from(found.to_bitmask()) << at;
        self.continuations |= place(kind(0xc0, 0x80));
        self.three |= place(kind(0xf0, 0xe0));
        self.four |= place(kind(0xf0, 0xf0));
        // U+AC00 to U+D77F, as `utf8::begins_syllable` has it.
        let first = is(0xea) & within(next, 0xb0, 0xbf);
        let last = is(0xed) & within(next, 0x80, 0x9d);
        place(first | is(0xeb) | is(0xec) | last)
    }

    /// Looks up characters that begin at the places given, up to one that ends the window.
    fn others(&mut self, bytes: &[u8; ROOM], mut places: u64, classes: &Classes, words: Words) {
        let wanted = if words == Words::WithMarks { UPPER | LOWER } else { LETTER };
        while places != 0 {
            let at = places.trailing_zeros() as usize;
            places &= places - 1;
            let (code, length) = char_at(bytes, at);
            let class = classes.of(code);
            // A combining mark is now a part of a word, now a mark.
            let either = words == Words::ByCase && class & LETTER == 0 && class & (UPPER | LOWER) != 0;
            if class & (NUMBER | SPACE) != 0 || either {
                return self.end_at(at);
            }
            let all = ((1 << length) - 1) << at;
            self.letters |= if class & wanted != 0 { all } else { 0 };
            if words == Words::ByCase {
                self.uppers |= if class & (UPPER | LOWER) == UPPER { all } else { 0 };
                self.lowers |= if class & (UPPER | LOWER) == LOWER { all } else { 0 };
            }
        }
    }

    /// Ends the window before a word in which letters of a case and letters without one are side by side: such a word is split by what
    /// follows.
    #[inline]
    fn end_where_cases_meet(&mut self) {
        let cased = self.uppers | self.lowers;
        let plain = self.letters & !cased;
        let meeting = cased << 1 & plain | plain << 1 & cased;
        if meeting != 0 {
            let up_to = before(meeting.trailing_zeros() as usize);
            let starts = self.letters & !(self.letters << 1) & up_to;
            self.end_at(starts.checked_ilog2().unwrap_or(0) as usize);
        }
    }

    fn end_at(&mut self, place: usize) {
        if place < self.length {
            (self.length, self.last) = (place, false);
        }
    }
}

/// Which bytes are in a range.
#[inline]
fn within(bytes: u8x16, first: u8, last: u8) -> u8x16 {
    let from = bytes - u8x16::splat(first);
    from.min(u8x16::splat(last - first)).simd_eq(from)
}

/// The places before one, which is at most 64.
#[inline]
pub(super) fn before(place: usize) -> u64 {
    if place < 64 { (1 << place) - 1 } else { u64::MAX }
}
