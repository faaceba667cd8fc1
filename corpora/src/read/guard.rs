//! Decoders of others that panic.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

thread_local! {
    /// How many decoders this thread is inside of.
    static INSIDE: Cell<u32> = const { Cell::new(0) };
}

/// Whether a panic of this thread would become an error of a record, as a decoder's that is given damaged
/// bytes. For panic hooks: there is nothing to tell that the error will not tell.
#[must_use]
pub fn panic_is_caught() -> bool {
    INSIDE.get() > 0
}

/// Runs a decoder that answers some malformed bytes with a panic (an index, an assertion, an
/// addition in its own code) and makes that an error like the others: one bad file must not end
/// a run. What the closure held is dropped with it, so nothing half-changed is seen afterwards.
pub(super) fn guarded<T>(decode: impl FnOnce() -> std::result::Result<T, String>) -> std::result::Result<T, String> {
    INSIDE.set(INSIDE.get() + 1);
    let decoded = catch_unwind(AssertUnwindSafe(decode));
    INSIDE.set(INSIDE.get() - 1);
    decoded.unwrap_or_else(|panic| {
        let said = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
        Err(format!("the decoder gave up: {}", said.unwrap_or("no reason given")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_inside_is_an_error_and_known_to_be_caught() {
        assert!(!panic_is_caught());
        let error = guarded(|| -> Result<(), String> {
            if panic_is_caught() { panic!("at byte {}", 7) } else { Ok(()) }
        })
        .unwrap_err();
        assert_eq!(error, "the decoder gave up: at byte 7");
        assert!(!panic_is_caught());
        assert_eq!(guarded(|| guarded(|| Ok(panic_is_caught()))), Ok(true));
    }
}
