//! Working memory of an encoder, one for each thread and engine.

use std::cell::RefCell;
use std::sync::atomic::{AtomicU64, Ordering};

use super::batch::Batch;
use super::cache::Cache;
use super::long_cache::LongCache;
use super::merge::Merger;

/// Engines whose state a thread keeps; one that it used longest ago goes first.
const KEPT: usize = 4;

/// The caches, and memory for pieces and their merges.
pub(crate) struct State {
    pub(super) cache: Cache,
    pub(super) long: LongCache,
    pub(super) batch: Batch,
    pub(super) merger: Merger,
}

impl State {
    pub(super) fn new() -> Self {
        Self { cache: Cache::new(), long: LongCache::new(), batch: Batch::new(), merger: Merger::default() }
    }
}

/// A number that no other engine of this process has.
pub(super) fn unique() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

thread_local! {
    static STATES: RefCell<Vec<(u64, State)>> = const { RefCell::new(Vec::new()) };
}

/// Calls `f` with this thread's state for an engine.
pub(super) fn with<T>(engine: u64, f: impl FnOnce(&mut State) -> T) -> T {
    STATES.with_borrow_mut(|states| {
        match states.iter().position(|(owner, _)| *owner == engine) {
            Some(0) => {}
            Some(at) => states[..=at].rotate_right(1),
            None => {
                states.truncate(KEPT - 1);
                states.insert(0, (engine, State::new()));
            }
        }
        f(&mut states[0].1)
    })
}
