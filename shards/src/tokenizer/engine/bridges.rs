//! Where a pre-token can be cut without changing ids.
//!
//! A merge only ever makes a token of the vocabulary. So if no token can lie across a place between
//! two characters, no merge crosses it, and the two sides are encoded one by one. Of all pairs of
//! Hangul syllables few are bridged by any token, so most words fall into short pieces that repeat.
//!
//! A token may begin or end inside a character, so what it holds of the character on either side is
//! the whole of it, its last bytes, or its first ones. The tables may name a bridge where there is
//! none, which costs speed, but never the other way round.

use super::utf8::{char_at, is_continuation, length_from};
use super::window::{BYTES, ROOM};

/// A part of the character on one side: how much of it, and its bits.
type Side = (u32, u32);

/// The character whole.
const WHOLE: u32 = 0;
/// One side of a bridge is part of a wide character, the other is in a narrow one.
const NARROWS: u32 = 1 << 31;

/// What a token holds of a narrow character, whichever.
const NARROW: Side = (6, 0);

/// First character that cuts are tried beside: below, tokens bridge nearly everything.
const FIRST: u32 = 0x800;
const HANGUL: std::ops::RangeInclusive<u32> = 0xac00..=0xd7a3;

/// All bridges of a vocabulary.
pub(crate) struct Bridges {
    hangul: Bitmap,
    other: Bitmap,
    /// By the low 12 bits of the left character, and by the right one without its low 6: which bridges with a part of a character they
    /// may be sides of. A bit stands for one bridge, or for several where there are many.
    left: Vec<u32>,
    right: Vec<u32>,
}

impl Bridges {
    /// The bridges of all tokens.
    pub(crate) fn new<'a>(tokens: impl Iterator<Item = &'a [u8]>) -> Self {
        let mut found: Vec<(Side, Side)> = Vec::new();
        for token in tokens {
            for at in 1..token.len() {
                if let (Some(left), Some(right)) = (left_of(&token[..at]), right_of(&token[at..]))
                    // Beside a narrow character no cut is tried, whatever the whole of the other is.
                    && (is_part(left) || is_part(right) || left != NARROW && right != NARROW)
                {
                    found.push((left, right));
                }
            }
        }
        found.sort_unstable();
        found.dedup();
        let is_whole = |&(left, right): &(Side, Side)| (left.0, right.0) == (WHOLE, WHOLE);
        let is_hangul = |(left, right): &(Side, Side)| HANGUL.contains(&left.1) && HANGUL.contains(&right.1);
        let (mut left, mut right) = (vec![0; 1 << 12], vec![0; 0x11_0000 >> 6]);
        let (narrow, wide): (Vec<_>, Vec<_>) =
            found.iter().filter(|bridge| !is_whole(bridge)).partition(|(left, right)| *left == NARROW || *right == NARROW);
        narrow.into_iter().for_each(|&(l, r)| flag(l, r, NARROWS, &mut left, &mut right));
        // Bridges that follow each other in order have the same left side: one bit serves them all.
        let sides = wide.chunk_by(|a, b| a.0 == b.0);
        sides.zip((0..31).cycle()).for_each(|(side, bit)| side.iter().for_each(|&&(l, r)| flag(l, r, 1 << bit, &mut left, &mut right)));
        let whole = |hangul: bool| found.iter().filter(move |b| is_whole(b) && is_hangul(b) == hangul).copied();
        Self { hangul: Bitmap::new(whole(true)), other: Bitmap::new(whole(false)), left, right }
    }

    /// Whether no token can lie across the place between two characters.
    #[inline]
    pub(crate) fn can_cut(&self, a: u32, b: u32) -> bool {
        if a < FIRST || b < FIRST {
            return false;
        }
        let whole = if HANGUL.contains(&a) && HANGUL.contains(&b) { &self.hangul } else { &self.other };
        !(whole.has((WHOLE, a), (WHOLE, b)) | self.parts_bridge(a, b))
    }

    /// Where a window may be cut: where a wide character follows one, and no token can lie between them. It is told where characters
    /// of three and of four bytes begin.
    #[inline]
    pub(super) fn cuts(&self, bytes: &[u8; ROOM], three: u64, four: u64) -> u64 {
        let (mut pairs, mut cuts) = ((three | four) & (three << 3 | four << 4), 0);
        while pairs != 0 {
            let at = pairs.trailing_zeros() as usize;
            pairs &= pairs - 1;
            let (left, right) = if four == 0 {
                (three_at(bytes, at - 3), three_at(bytes, at))
            } else {
                let length = if three << 3 >> at & 1 != 0 { 3 } else { 4 };
                (char_at(bytes, at - length).0, char_at(bytes, at).0)
            };
            cuts |= u64::from(self.can_cut(left, right)) << at;
        }
        cuts
    }

    /// Whether some token may lie between two characters and hold only a part of the left one, which
    /// is wide.
    pub(crate) fn part_of_left(&self, a: u32, b: u32) -> bool {
        if b < FIRST { self.left[(a & 0xfff) as usize] & NARROWS != 0 } else { self.parts_bridge(a, b) }
    }

    /// The same with a part of the right one, which is wide.
    pub(crate) fn part_of_right(&self, a: u32, b: u32) -> bool {
        let right = self.right[(b >> 6) as usize];
        match a {
            0..0x80 => right & NARROWS != 0,
            0x80..FIRST => right != 0,
            _ => self.parts_bridge(a, b),
        }
    }

    /// Whether a token may lie across two wide characters of which it holds one in part.
    #[inline]
    fn parts_bridge(&self, a: u32, b: u32) -> bool {
        self.left[(a & 0xfff) as usize] & self.right[(b >> 6) as usize] & !NARROWS != 0
    }
}

/// The character of three bytes at a place of a window.
#[inline]
fn three_at(bytes: &[u8; ROOM], at: usize) -> u32 {
    let [first, second, third, ..] = bytes[at % BYTES..].first_chunk::<4>().map_or(0, |four| u32::from_le_bytes(*four)).to_le_bytes();
    u32::from(first & 0x0f) << 12 | u32::from(second & 0x3f) << 6 | u32::from(third & 0x3f)
}

fn is_part(side: Side) -> bool {
    side.0 != WHOLE && side != NARROW
}

/// What a text that ends in `bytes` tells of its last character; none if it is no UTF-8.
fn left_of(bytes: &[u8]) -> Option<Side> {
    let tail = bytes.iter().rev().take(4).take_while(|&&byte| is_continuation(byte)).count();
    if tail == bytes.len() {
        let bits = bytes.iter().fold(0, |bits, &byte| bits << 6 | u32::from(byte & 0x3f));
        return (tail <= 3).then_some((tail as u32, bits));
    }
    let start = bytes.len() - tail - 1;
    let whole = length_from(bytes[start]) == Some(tail + 1);
    let code = char_at(bytes, start).0;
    whole.then_some(if code >= FIRST { (WHOLE, code) } else { NARROW })
}

/// What a text that begins with `bytes` tells of its first character; none if it is no UTF-8.
fn right_of(bytes: &[u8]) -> Option<Side> {
    let length = length_from(bytes[0])?;
    if length < 3 {
        return Some(NARROW);
    }
    let known = length.min(bytes.len());
    if !bytes[1..known].iter().copied().all(is_continuation) {
        return None;
    }
    let code = char_at(&bytes[..known], 0).0;
    match (length, known) {
        (3, 1) => Some((1, code >> 12)),
        (3, 2) => Some((2, code >> 6)),
        (4, 1) => Some((3, code >> 18)),
        (4, 2) => Some((4, code >> 12)),
        (4, 3) => Some((5, code >> 6)),
        _ => Some((WHOLE, code)),
    }
}

/// Notes a bridge with a part of a character at every character that may be a side of it.
fn flag(left: Side, right: Side, bit: u32, lefts: &mut [u32], rights: &mut [u32]) {
    let (bits, mask) = match left {
        NARROW => (0, 0),
        (1, bits) => (bits, 0x3f),
        (_, bits) => (bits & 0xfff, 0xfff),
    };
    let of_left = lefts.iter_mut().enumerate();
    of_left.filter(|(at, _)| mask != 0 && *at as u32 & mask == bits).for_each(|(_, bits)| *bits |= bit);
    let range = match right {
        (1, top) => top << 6..(top + 1) << 6,
        (2 | 5, top) => top..top + 1,
        (3, top) => (top << 12).max(0x400)..(top + 1) << 12,
        (4, top) => top << 6..(top + 1) << 6,
        NARROW => 0..0,
        (_, code) => code >> 6..(code >> 6) + 1,
    };
    let end = (range.end as usize).min(rights.len());
    rights[(range.start as usize).min(end)..end].iter_mut().for_each(|bits| *bits |= bit);
}

/// A set that may hold more than was put in: one bit per hash.
struct Bitmap {
    bits: Vec<u64>,
    shift: u32,
}

impl Bitmap {
    fn new(bridges: impl Iterator<Item = (Side, Side)> + Clone) -> Self {
        let size = (bridges.clone().count() * 24).next_power_of_two().clamp(1 << 10, 1 << 24);
        let mut map = Self { bits: vec![0; size / 64], shift: 64 - size.trailing_zeros() };
        for (left, right) in bridges {
            let hash = map.hash(left, right);
            map.bits[hash / 64] |= 1 << (hash % 64);
        }
        map
    }

    #[inline]
    fn hash(&self, left: Side, right: Side) -> usize {
        let key = u64::from(left.0 << 24 | left.1) << 32 | u64::from(right.0 << 24 | right.1);
        let key = (key ^ key >> 29).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (key >> self.shift) as usize
    }

    #[inline]
    fn has(&self, left: Side, right: Side) -> bool {
        let hash = self.hash(left, right);
        self.bits[hash / 64] >> (hash % 64) & 1 != 0
    }
}
