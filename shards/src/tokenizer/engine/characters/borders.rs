//! Characters that stand side by side in some token.
//!
//! A merge only ever makes a token. So between two characters that are neighbours in no token that merges
//! make, none crosses, and the text can be cut there. For wide characters the table may name neighbours
//! where there are none, which costs speed, but never the other way round.

const ASCII: u32 = 0x80;

/// All neighbours of a vocabulary.
pub(super) struct Borders {
    /// By the left character: a bit for each right one.
    ascii: [u128; ASCII as usize],
    /// One bit per hash of two characters, of which one is not ASCII.
    wide: Vec<u64>,
    shift: u32,
}

impl Borders {
    /// The neighbours in all tokens that merges make.
    pub(super) fn new<'a>(tokens: impl Iterator<Item = &'a str>) -> Self {
        let mut found: Vec<(u32, u32)> = Vec::new();
        for token in tokens {
            let codes = || token.chars().map(u32::from);
            found.extend(codes().zip(codes().skip(1)));
        }
        found.sort_unstable();
        found.dedup();
        let size = (found.len() * 24).next_power_of_two().clamp(1 << 10, 1 << 26);
        let mut borders = Self { ascii: [0; ASCII as usize], wide: vec![0; size / 64], shift: 64 - size.trailing_zeros() };
        for (left, right) in found {
            if left < ASCII && right < ASCII {
                borders.ascii[left as usize] |= 1 << right;
            } else {
                let bit = borders.bit(left, right);
                borders.wide[bit / 64] |= 1 << (bit % 64);
            }
        }
        borders
    }

    /// Whether no token has the two characters side by side.
    #[inline]
    pub(super) fn can_cut(&self, left: u32, right: u32) -> bool {
        if left < ASCII && right < ASCII {
            return self.ascii[left as usize] >> right & 1 == 0;
        }
        let bit = self.bit(left, right);
        self.wide[bit / 64] >> (bit % 64) & 1 == 0
    }

    #[inline]
    fn bit(&self, left: u32, right: u32) -> usize {
        let key = u64::from(left) << 32 | u64::from(right);
        ((key ^ key >> 29).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> self.shift) as usize
    }
}
