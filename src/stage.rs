//! The stages: each a function from its inputs to files, with no memory of anything else.

pub(crate) mod clean;
pub(crate) mod dedup;
pub(crate) mod import;
pub(crate) mod mix;
pub(crate) mod tokenize;
pub(crate) mod tokenizer;
pub(crate) mod train;

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::error::{Error, Result};

/// Runs `work` on every item with `workers` threads. The order of the items is the order in which
/// they are started; the first error stops the rest and is the one returned, lowest index first.
pub(crate) fn for_each<T: Sync>(items: &[T], workers: usize, cancel: &AtomicBool, work: impl Fn(&T) -> Result<()> + Sync) -> Result<()> {
    let next = AtomicUsize::new(0);
    let failed: Mutex<Option<(usize, Error)>> = Mutex::new(None);
    std::thread::scope(|scope| {
        for _ in 0..workers.clamp(1, items.len().max(1)) {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::SeqCst);
                    let Some(item) = items.get(index) else { return };
                    if let Err(error) = check(cancel).and_then(|()| work(item)) {
                        next.store(items.len(), Ordering::SeqCst);
                        let mut slot = failed.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                        if slot.as_ref().is_none_or(|(earlier, _)| index < *earlier) {
                            *slot = Some((index, error));
                        }
                        return;
                    }
                }
            });
        }
    });
    match failed.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner) {
        Some((_, error)) => Err(error),
        None => Ok(()),
    }
}

/// An error once Ctrl-C was pressed.
pub(crate) fn check(cancel: &AtomicBool) -> Result<()> {
    if cancel.load(Ordering::Relaxed) { Err(Error::interrupted()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_item_is_worked_on_once_and_an_error_stops_the_rest() {
        let seen = Mutex::new(Vec::new());
        let items: Vec<usize> = (0..100).collect();
        let cancel = AtomicBool::new(false);
        for_each(&items, 4, &cancel, |item| {
            seen.lock().unwrap().push(*item);
            Ok(())
        })
        .unwrap();
        let mut seen = seen.into_inner().unwrap();
        seen.sort_unstable();
        assert_eq!(seen, items);
        let error = for_each(&items, 1, &cancel, |item| if *item == 3 { Err(Error::new("three")) } else { Ok(()) }).unwrap_err();
        assert_eq!(error.message, "three");
        cancel.store(true, Ordering::Relaxed);
        assert!(for_each(&items, 2, &cancel, |_| Ok(())).is_err());
    }
}
