//! Where threads wait for each other, unless one of them has failed.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

/// How often who waits looks whether anyone has failed.
const LOOK: Duration = Duration::from_millis(100);

/// A barrier for a number of threads that can be given up.
#[derive(Debug)]
pub(crate) struct Meeting {
    size: usize,
    state: Mutex<State>,
    all_here: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Who waits now.
    waiting: usize,
    /// Meetings that were held.
    held: u64,
}

impl Meeting {
    pub(crate) fn new(size: usize) -> Self {
        Self { size, state: Mutex::default(), all_here: Condvar::new() }
    }

    /// Waits until all are here; false where `failed` says that someone will not come.
    pub(crate) fn wait(&self, failed: impl Fn() -> bool) -> bool {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.waiting += 1;
        if state.waiting == self.size {
            state.waiting = 0;
            state.held += 1;
            self.all_here.notify_all();
            return true;
        }
        let before = state.held;
        while state.held == before {
            if failed() {
                state.waiting -= 1;
                return false;
            }
            state = self.all_here.wait_timeout(state, LOOK).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

    #[test]
    fn nobody_goes_on_before_all_are_here() {
        let (meeting, arrived) = (Meeting::new(3), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    for round in 1..=50 {
                        arrived.fetch_add(1, Ordering::SeqCst);
                        assert!(meeting.wait(|| false));
                        assert!(arrived.load(Ordering::SeqCst) >= 3 * round);
                        assert!(meeting.wait(|| false));
                    }
                });
            }
        });
    }

    #[test]
    fn who_waits_for_one_that_failed_gives_up() {
        let (meeting, failed) = (Meeting::new(2), AtomicBool::new(false));
        std::thread::scope(|scope| {
            let waits = scope.spawn(|| meeting.wait(|| failed.load(Ordering::SeqCst)));
            failed.store(true, Ordering::SeqCst);
            assert!(!waits.join().unwrap());
        });
    }
}
