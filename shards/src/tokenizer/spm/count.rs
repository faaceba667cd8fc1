//! How often a word occurs, and what comes after it.

/// Stands for the end of a line, and of all lines, among first bytes.
pub(super) const END: u8 = 0;

/// What is known of a word.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Count {
    pub(super) all: u64,
    /// How often it is the last of a line.
    pub(super) last: u64,
    /// First bytes of the lines after that.
    pub(super) next: Bytes,
}

impl Count {
    /// Adds what is known of another word that shall be the same.
    pub(super) fn add(&mut self, other: &Self) {
        self.all += other.all;
        self.last += other.last;
        self.next.extend(&other.next);
    }
}

/// A set of bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Bytes([u64; 4]);

impl Bytes {
    pub(super) fn insert(&mut self, byte: u8) {
        self.0[usize::from(byte) / 64] |= 1 << (byte % 64);
    }

    pub(super) fn extend(&mut self, other: &Self) {
        self.0.iter_mut().zip(other.0).for_each(|(set, more)| *set |= more);
    }

    /// Whether it has more than one.
    pub(super) fn several(&self) -> bool {
        self.0.iter().map(|set| set.count_ones()).sum::<u32>() > 1
    }
}
