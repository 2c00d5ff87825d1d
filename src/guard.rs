//! Handles panics in decoders: the file is reported as damaged, and nothing worse happens.
//!
//! Of thousands of damaged files tried, a few make `symphonia` panic (a Vorbis setup header with too many mappings
//! does). Those panics are caught here, and so are those of other decoders. By the time a panic is caught, Rust has
//! already reported it; [`hush`] keeps that report from the user.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

thread_local! {
    static GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// Runs `work`; a panic in it becomes an ordinary error.
pub(crate) fn guarded<T>(work: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    let outer = GUARDED.replace(true);
    let outcome = catch_unwind(AssertUnwindSafe(work));
    GUARDED.set(outer);
    outcome.unwrap_or_else(|_| Err("damaged: the decoder gave up on it".into()))
}

/// Keeps panics that are caught while reading audio from being reported on standard error; all other panics are reported
/// as before. A program calls this once at startup.
pub fn hush() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if !GUARDED.get() {
            before(panic);
        }
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_an_error() {
        let outcome: Result<(), String> = guarded(|| std::panic::resume_unwind(Box::new("no")));
        assert_eq!(outcome.unwrap_err(), "damaged: the decoder gave up on it");
        assert_eq!(guarded(|| Ok(1)), Ok(1));
        assert!(!GUARDED.get());
    }
}
