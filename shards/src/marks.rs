//! Which blocks of a shard have been compared with their checksums.

use std::sync::atomic::{AtomicU64, Ordering};

/// A set of small numbers that many threads add to. A number that is in it stays there; two threads that find one
/// missing at the same time both do the work it stands for, and agree.
#[derive(Debug)]
pub(crate) struct Marks(Box<[AtomicU64]>);

impl Marks {
    /// An empty set of numbers below `count`.
    pub(crate) fn new(count: u64) -> Self {
        Self((0..count.div_ceil(64)).map(|_| AtomicU64::new(0)).collect())
    }

    pub(crate) fn has(&self, number: u64) -> bool {
        // The order of memory does not matter: what is marked lies in a file that nobody writes to.
        self.0.get((number / 64) as usize).is_some_and(|word| word.load(Ordering::Relaxed) >> (number % 64) & 1 == 1)
    }

    pub(crate) fn add(&self, number: u64) {
        if let Some(word) = self.0.get((number / 64) as usize) {
            word.fetch_or(1 << (number % 64), Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Marks;

    #[test]
    fn has_what_was_added_by_any_thread() {
        let marks = Marks::new(130);
        std::thread::scope(|scope| {
            for start in 0..3 {
                let marks = &marks;
                scope.spawn(move || (start..130).step_by(6).for_each(|number| marks.add(number)));
            }
        });
        assert!((0..130).all(|number| marks.has(number) == (number % 6 < 3)));
        marks.add(200);
        assert!(!marks.has(200) && !Marks::new(0).has(0));
    }
}
