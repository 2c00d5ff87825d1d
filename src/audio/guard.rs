//! What to do when a decoder panics: nothing worse than to call the file damaged.
//!
//! Of thousands of damaged files tried, a few make `symphonia` panic (a Vorbis setup header with too many mappings
//! does). That is caught here, and so are those of other decoders. Rust has reported the panic by then; [`hush`] keeps that report from the user.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

thread_local! {
    static GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// Runs `work`; a panic in it is an error like others.
pub(crate) fn guarded<T>(work: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    let outer = GUARDED.replace(true);
    let outcome = catch_unwind(AssertUnwindSafe(work));
    GUARDED.set(outer);
    outcome.unwrap_or_else(|_| Err("damaged: the decoder gave up on it".into()))
}

/// Keeps panics that are caught while reading audio from being reported on standard error; all others are reported as
/// before. For a program to call once at its beginning.
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
