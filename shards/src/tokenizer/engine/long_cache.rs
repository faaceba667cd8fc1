//! What was encoded lately of longer pieces: identifiers, rulers, indented lines, long words.
//!
//! Merging these takes longest, and in code and documents they come again. One entry is two cache
//! lines, the size is fixed, and the newest piece takes the place of its hash.

use super::hash::hash_bytes;

/// Longest piece that is remembered.
pub(crate) const LONGEST: usize = 46;
/// Most ids that are remembered.
const MOST: usize = 20;
/// Entries: 1 MB.
const ENTRIES: usize = 1 << 13;

#[derive(Clone, Copy)]
struct Entry {
    length: u8,
    count: u8,
    piece: [u8; LONGEST],
    ids: [u32; MOST],
}

/// A direct-mapped cache.
pub(crate) struct LongCache {
    entries: Vec<Entry>,
}

impl LongCache {
    pub(crate) fn new() -> Self {
        Self { entries: vec![Entry { length: 0, count: 0, piece: [0; LONGEST], ids: [0; MOST] }; ENTRIES] }
    }

    /// The ids of a piece that is not empty, if they are remembered.
    pub(crate) fn get(&self, piece: &[u8]) -> Option<&[u32]> {
        if piece.len() > LONGEST {
            return None;
        }
        let entry = &self.entries[at(piece)];
        let same = entry.length as usize == piece.len() && entry.piece[..piece.len()] == *piece;
        same.then(|| &entry.ids[..entry.count as usize])
    }

    /// Remembers the ids of a piece, unless they or it are too many.
    pub(crate) fn put(&mut self, piece: &[u8], ids: &[u32]) {
        if piece.len() > LONGEST || ids.len() > MOST {
            return;
        }
        let entry = &mut self.entries[at(piece)];
        (entry.length, entry.count) = (piece.len() as u8, ids.len() as u8);
        entry.piece[..piece.len()].copy_from_slice(piece);
        entry.ids[..ids.len()].copy_from_slice(ids);
    }
}

fn at(piece: &[u8]) -> usize {
    hash_bytes(piece) as usize % ENTRIES
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_back_the_last_of_a_place() {
        let mut cache = LongCache::new();
        let long = [7; LONGEST + 1];
        for length in 1..=LONGEST {
            cache.put(&long[..length], &[length as u32, 1]);
            assert_eq!(cache.get(&long[..length]), Some(&[length as u32, 1][..]));
        }
        cache.put(&long, &[1]);
        assert_eq!(cache.get(&long), None);
        cache.put(b"many", &[1; MOST + 1]);
        assert_eq!(cache.get(b"many"), None);
        assert_eq!(cache.get(b"other"), None);
    }
}
