//! Work on a thread of its own, while the interpreter is free and answers to Ctrl-C.

use crate::errors::exception;
use cpc::error::{Error, Result};
use pyo3::prelude::*;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Time between two looks at signals.
const LOOK: Duration = Duration::from_millis(50);

/// Room for the deepest computation, as the main thread of a program has it.
const STACK: usize = 8 << 20;

/// What can stop work.
#[derive(Debug, Clone)]
pub struct Stop {
    /// Stops it at the next suitable moment.
    pub now: Arc<AtomicBool>,
    /// Whether no work looks at `now`.
    pub unwatched: Arc<AtomicBool>,
}

impl Default for Stop {
    fn default() -> Self {
        Stop { now: Arc::default(), unwatched: Arc::new(AtomicBool::new(true)) }
    }
}

/// Does work, and waits for it. An exception of Python, such as `KeyboardInterrupt`, stops it: training then writes a checkpoint first. Work
/// that looks at nothing is left alone, and ends for itself.
pub fn work<T: Send + 'static>(
    py: Python<'_>,
    stop: &Stop,
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> PyResult<T> {
    refuse_forks(py)?;
    let (send, done) = channel();
    let done = Mutex::new(done);
    let run = move || {
        let result = catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
            Err(Error::failed("cpc panicked; what it said is on standard error", "report this as a bug in cpc"))
        });
        let _ = send.send(result);
    };
    let started = std::thread::Builder::new().name("cpc".into()).stack_size(STACK).spawn(run);
    started.map_err(|e| exception(py, &Error::io("a thread", "start")(e)))?;
    let mut stopped = None;
    let result = loop {
        match py.detach(|| done.lock().unwrap_or_else(PoisonError::into_inner).recv_timeout(LOOK)) {
            Ok(result) => break result,
            Err(RecvTimeoutError::Disconnected) => {
                break Err(Error::failed("the work ended without a result", "report this as a bug in cpc"));
            }
            Err(RecvTimeoutError::Timeout) => (),
        }
        if let Err(raised) = py.check_signals() {
            stop.now.store(true, Ordering::Relaxed);
            // The second one does not wait.
            if stopped.is_some() || stop.unwatched.load(Ordering::Relaxed) {
                return Err(raised);
            }
            stopped = Some(raised);
        }
    };
    match (result, stopped) {
        (Err(Error::Interrupted { .. }), Some(raised)) => Err(raised),
        (result, _) => result.map_err(|error| exception(py, &error)),
    }
}

/// The process that computed first; 0 before.
static FIRST: AtomicU32 = AtomicU32::new(0);

/// Refuses to compute in a process that was forked from one that has computed: its threads are not in the copy, and it would wait for
/// them forever.
fn refuse_forks(py: Python<'_>) -> PyResult<()> {
    let own = std::process::id();
    match FIRST.compare_exchange(0, own, Ordering::Relaxed, Ordering::Relaxed) {
        Err(first) if first != own => Err(exception(
            py,
            &Error::failed(
                format!("process {own} was forked from process {first} after cpc had computed there"),
                "start processes with multiprocessing.get_context(\"spawn\"), or with \"forkserver\"; joblib does that by itself, torch's DataLoader with multiprocessing_context=\"spawn\"",
            ),
        )),
        _ => Ok(()),
    }
}
