//! Places in a text by its bytes, many of them compared at once.

/// Bytes of a block: a bit for each in a mask.
const BLOCK: usize = 64;

/// Places of the bytes that `is` picks, ascending. A block without one costs a few vector instructions, if `is`
/// consists of comparisons joined by `|` and `&`, and a place no branch that could be mispredicted.
pub(crate) fn places<F: Fn(u8) -> bool>(bytes: &[u8], is: F) -> Places<'_, F> {
    Places { rest: bytes, is, behind: 0, found: 0 }
}

/// See [`places`].
#[derive(Clone)]
pub(crate) struct Places<'a, F> {
    /// What comes behind the latest block.
    rest: &'a [u8],
    is: F,
    /// Where that begins.
    behind: usize,
    /// The places in the latest block that are still to come, as a set of bits.
    found: u64,
}

impl<F: Fn(u8) -> bool> Iterator for Places<'_, F> {
    type Item = usize;

    #[inline]
    fn next(&mut self) -> Option<usize> {
        while self.found == 0 {
            if let Some((block, rest)) = self.rest.split_first_chunk() {
                (self.found, self.rest) = (mask(block, &self.is), rest);
            } else if self.rest.is_empty() {
                return None;
            } else {
                let mut block = [0; BLOCK];
                block[..self.rest.len()].copy_from_slice(self.rest);
                let there = (1 << self.rest.len()) - 1;
                (self.found, self.rest) = (mask(&block, &self.is) & there, &[]);
            }
            self.behind += BLOCK;
        }
        let at = self.found.trailing_zeros() as usize;
        self.found &= self.found - 1;
        Some(self.behind - BLOCK + at)
    }
}

/// A bit for each byte of the block that `is` picks.
#[inline]
fn mask(block: &[u8; BLOCK], is: impl Fn(u8) -> bool) -> u64 {
    let mut flags = [0; BLOCK];
    for (flag, byte) in flags.iter_mut().zip(block) {
        *flag = u8::from(is(*byte));
    }
    let flags: [u64; BLOCK / 8] = std::array::from_fn(|at| flags.as_chunks().0.get(at).map_or(0, |flags| u64::from_le_bytes(*flags)));
    if flags.iter().fold(0, |any, flags| any | flags) == 0 {
        return 0;
    }
    // The product brings the lowest bits of eight bytes together in the highest byte.
    let gathered = flags.map(|flags| flags.wrapping_mul(0x0102_0408_1020_4080) >> 56);
    gathered.iter().rev().fold(0, |mask, eight| mask << 8 | eight)
}

/// The character that begins at a place where one does.
pub(crate) fn char_at(text: &str, at: usize) -> Option<char> {
    text.get(at..)?.chars().next()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn places_are_those_of_a_plain_search(bytes in prop::collection::vec(prop_oneof![9 => Just(b'a'), 1 => any::<u8>()], 0..600)) {
            for wanted in [b'a', 0, 0xE2] {
                let expected: Vec<usize> = (0..bytes.len()).filter(|at| bytes[*at] == wanted).collect();
                prop_assert_eq!(places(&bytes, |byte| byte == wanted).collect::<Vec<_>>(), expected);
            }
        }
    }
}
