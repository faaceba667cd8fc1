//! Pieces to ids: many are looked up in the caches at once, the rest are merged.

use super::cache::Packed;
use super::keys::{self, WHOLE};
use super::state::State;

/// What encodes a piece that no cache knows.
pub(super) trait PieceModel {
    /// Reads the place of a key where tokens are looked up, so that the look-up need not wait.
    fn touch(&self, key: u128) -> u64;

    /// Appends the ids of a piece.
    fn merge(&self, state: &mut State, piece: &[u8], whole: bool, out: &mut Vec<u32>);

    /// Appends the ids of the pieces gathered.
    #[inline(never)]
    fn flush(&self, state: &mut State, text: &[u8], out: &mut Vec<u32>) {
        state.batch.look_up(&state.cache);
        std::hint::black_box(state.batch.unknown_keys().fold(0, |near, key| near ^ self.touch(key & !WHOLE)));
        for at in 0..std::mem::take(&mut state.batch.len) {
            let found = state.batch.found[at];
            if found != Packed::NONE {
                found.push_to(out);
                continue;
            }
            let (key, (start, end)) = (state.batch.keys[at], state.batch.spans[at]);
            self.miss(state, key, &text[start..end], out);
        }
    }

    /// A piece that the short cache did not know when it was asked.
    #[inline(never)]
    fn miss(&self, state: &mut State, key: u128, piece: &[u8], out: &mut Vec<u32>) {
        let (from, whole) = (out.len(), key & WHOLE != 0);
        if piece.len() <= keys::LONGEST {
            // It may have been met earlier in the batch.
            let found = state.cache.get(key);
            if found != Packed::NONE {
                return found.push_to(out);
            }
            self.merge(state, piece, whole, out);
            if let Some(ids) = Packed::new(&out[from..]) {
                state.cache.put(key, ids);
            }
        } else if whole {
            // Where being whole makes a difference, the long cache is for parts alone.
            self.merge(state, piece, true, out);
        } else if let Some(ids) = state.long.get(piece) {
            out.extend_from_slice(ids);
        } else {
            self.merge(state, piece, false, out);
            state.long.put(piece, &out[from..]);
        }
    }
}
