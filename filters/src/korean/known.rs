//! The pieces of the words met last, for a text says most of its words again.

use std::cell::RefCell;

use super::Part;

/// Words that are remembered by a thread: 512 KiB, which stay in the nearer caches.
const SLOTS: usize = 1 << 14;
/// Most pieces of a word that is remembered.
const PIECES: usize = 4;
/// Most syllables of one.
const SYLLABLES: usize = 8;

/// A run of syllables and what stood around it: all that its pieces depend on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Key(u128);

impl Key {
    /// Nothing for a longer word.
    pub(super) fn new(word: &[u16], attached: bool, digits_follow: bool) -> Option<Self> {
        // 14 bits a syllable, then four and two more; the number of syllables makes it more than zero.
        let syllables = word.iter().fold(0, |key, syllable| key << 14 | u128::from(*syllable));
        let around = u128::from(attached) << 116 | u128::from(digits_follow) << 117;
        (word.len() <= SYLLABLES).then_some(Self(syllables | (word.len() as u128) << 112 | around))
    }

    fn slot(self) -> usize {
        let folded = (self.0 as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (self.0 >> 64) as u64;
        (folded.wrapping_mul(0xd6e8_feb8_6659_fd93) >> (64 - SLOTS.trailing_zeros())) as usize
    }
}

/// Pieces in the order of the word, from and to syllables.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pieces {
    pieces: [(u8, u8, Part); PIECES],
    count: u8,
}

impl Pieces {
    pub(super) fn iter(&self) -> impl Iterator<Item = &(u8, u8, Part)> {
        self.pieces.iter().take(self.count.into())
    }
}

/// Words by their keys; a new one takes the place of another.
#[derive(Default)]
pub(super) struct Known(Vec<(Key, Pieces)>);

thread_local! {
    static KNOWN: RefCell<Known> = const { RefCell::new(Known(Vec::new())) };
}

impl Known {
    /// Lends what the thread knows; whoever asks meanwhile begins with nothing.
    pub(super) fn with<T>(work: impl FnOnce(&mut Self) -> T) -> T {
        let mut known = KNOWN.take();
        if known.0.is_empty() {
            known.0 = vec![(Key::default(), Pieces { pieces: [(0, 0, Part::Stem); PIECES], count: 0 }); SLOTS];
        }
        let result = work(&mut known);
        KNOWN.set(known);
        result
    }

    pub(super) fn get(&self, key: Key) -> Option<Pieces> {
        let (known, pieces) = self.0.get(key.slot())?;
        (*known == key).then_some(*pieces)
    }

    /// Remembers the pieces unless they are too many.
    pub(super) fn insert(&mut self, key: Key, found: impl ExactSizeIterator<Item = (u8, u8, Part)>) {
        let mut pieces = Pieces { pieces: [(0, 0, Part::Stem); PIECES], count: found.len() as u8 };
        if let Some(slot) = self.0.get_mut(key.slot()).filter(|_| found.len() <= PIECES) {
            pieces.pieces.iter_mut().zip(found).for_each(|(to, piece)| *to = piece);
            *slot = (key, pieces);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_tell_words_apart() {
        let word = |text: &str| text.chars().map(super::super::syllable::of).collect::<Vec<_>>();
        let key = |text: &str, attached, digits| Key::new(&word(text), attached, digits);
        let keys =
            [key("가", false, false), key("가", true, false), key("가", false, true), key("가가", false, false), key("힣", false, false)];
        for (at, one) in keys.iter().enumerate() {
            assert!(one.is_some_and(|key| key != Key::default()) && !keys[..at].contains(one), "{one:?}");
        }
        assert!(key("가나다라마바사아", true, true).is_some() && key("가나다라마바사아자", true, true).is_none());
    }

    #[test]
    fn what_is_known_is_what_was_found() {
        let key = Key::new(&[1, 2, 3], false, false).unwrap();
        let pieces = |count: usize| vec![(0, 1, Part::Ending); count].into_iter();
        Known::with(|known| {
            known.insert(key, pieces(PIECES));
            assert_eq!(known.get(key).map(|pieces| pieces.iter().count()), Some(PIECES));
            assert!(known.get(Key::new(&[1, 2, 4], false, false).unwrap()).is_none());
            let other = Key::new(&[5], false, false).unwrap();
            known.insert(other, pieces(PIECES + 1));
            assert!(known.get(other).is_none());
        });
    }
}
