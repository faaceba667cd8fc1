//! Pieces by their characters.

use std::collections::HashMap;

use super::lattice::Node;

const NONE: u32 = u32::MAX;

/// A tree of characters.
pub(super) struct Trie {
    next: HashMap<(u32, char), u32, ahash::RandomState>,
    /// By state: the piece that ends there.
    pieces: Vec<u32>,
}

impl Trie {
    /// A tree of the pieces, numbered in their order.
    pub(super) fn new<'a>(pieces: impl Iterator<Item = &'a [char]>) -> Self {
        let mut trie = Self { next: HashMap::default(), pieces: vec![NONE] };
        for (piece, number) in pieces.zip(0..) {
            let mut state = 0;
            for &character in piece {
                let new = trie.pieces.len() as u32;
                state = *trie.next.entry((state, character)).or_insert(new);
                if state == new {
                    trie.pieces.push(NONE);
                }
            }
            trie.pieces[state as usize] = number;
        }
        trie
    }

    /// Appends the pieces that a text has, by where they begin, then by length; `id` says which of them count.
    pub(super) fn nodes(&self, text: &[char], id: impl Fn(u32) -> Option<u32>, out: &mut Vec<Node>) {
        for begin in 0..text.len() {
            let mut state = 0;
            for (at, &character) in text.iter().enumerate().skip(begin) {
                match self.next.get(&(state, character)) {
                    Some(&next) => state = next,
                    None => break,
                }
                let piece = self.pieces[state as usize];
                if let Some(id) = (piece != NONE).then_some(piece).and_then(&id) {
                    out.push(Node { begin: begin as u32, end: at as u32 + 1, id });
                }
            }
        }
    }
}
