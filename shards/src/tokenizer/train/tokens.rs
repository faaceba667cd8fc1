//! The tokens of a vocabulary that grows, by id.

use ahash::AHashMap;

use crate::tokenizer::byte_level;

/// Tokens as their bytes. An id may have none: a special token that the byte alphabet cannot spell, or
/// an id that is not in use.
pub(super) struct Tokens {
    bytes: Vec<u8>,
    /// Where each token ends in `bytes`.
    ends: Vec<usize>,
    ids: AHashMap<Box<[u8]>, u32>,
}

impl Tokens {
    pub(super) fn new() -> Self {
        Self { bytes: Vec::new(), ends: Vec::new(), ids: AHashMap::new() }
    }

    /// The next id, of a token that text or merges can spell; the old one where it is known.
    pub(super) fn push(&mut self, token: &[u8]) -> u32 {
        if let Some(&id) = self.ids.get(token) {
            return id;
        }
        let id = self.ends.len() as u32;
        self.ids.insert(token.into(), id);
        self.bytes.extend_from_slice(token);
        self.ends.push(self.bytes.len());
        id
    }

    /// The id of a token.
    pub(super) fn id(&self, token: &[u8]) -> Option<u32> {
        self.ids.get(token).copied()
    }

    /// The next id, of a token written in the byte alphabet, as files have it.
    pub(super) fn push_spelled(&mut self, token: &str) {
        match token.chars().map(byte_level::byte_of).collect::<Option<Vec<u8>>>() {
            Some(bytes) => {
                self.push(&bytes);
            }
            None => self.push_opaque(),
        }
    }

    /// The next id, of something that merges never make.
    pub(super) fn push_opaque(&mut self) {
        self.ends.push(self.bytes.len());
    }

    /// Number of ids.
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// Length of a token in bytes.
    #[inline]
    pub(super) fn length(&self, id: u32) -> usize {
        let start = (id as usize).checked_sub(1).map_or(0, |before| self.ends[before]);
        self.ends[id as usize] - start
    }

    pub(super) fn get(&self, id: u32) -> &[u8] {
        let start = (id as usize).checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.bytes[start..self.ends[id as usize]]
    }

    /// The bytes of both.
    pub(super) fn join(&self, left: u32, right: u32) -> Vec<u8> {
        [self.get(left), self.get(right)].concat()
    }
}
