//! Work on a thread of its own, while the interpreter is free, hears of it and answers to Ctrl-C.

use crate::errors::exception;
use cpc::error::{Error, Result};
use pyo3::prelude::*;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Time between two looks at signals.
const LOOK: Duration = Duration::from_millis(50);

/// How long work that does not say that it looks at the flag is waited for: most of it does.
const PATIENCE: Duration = Duration::from_millis(700);

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

/// What work reports while it goes on.
pub enum Told {
    /// A kind and a text.
    Text(&'static str, String),
    /// What, unit, done, of.
    Progress(String, String, f64, f64),
    /// Training starts after so many of so many updates, whose data are counted in a unit.
    Start(u64, u64, &'static str),
    /// An update was made.
    Step(u64),
}

enum Message<T> {
    Told(Told),
    Done(Result<T>),
}

/// Takes what work reports.
pub type Tell = Box<dyn Fn(Told) + Send + Sync>;

/// Does work, waits for it, and calls `tell(kind, value)` with what it reports, on the thread of the caller. An exception of Python, such as
/// `KeyboardInterrupt`, stops the work: training then writes a checkpoint first. Work that looks at nothing is hardly waited for.
pub fn work<T: Send + 'static>(
    py: Python<'_>,
    stop: &Stop,
    tell: Option<&Py<PyAny>>,
    work: impl FnOnce(Tell) -> Result<T> + Send + 'static,
) -> PyResult<T> {
    refuse_forks(py)?;
    let (send, heard) = channel();
    let heard = Mutex::new(heard);
    let run = move || {
        let own: Mutex<Sender<Message<T>>> = Mutex::new(send.clone());
        let teller: Tell = Box::new(move |told| {
            // Nobody listens any more to work that was left alone.
            let _ = own.lock().unwrap_or_else(PoisonError::into_inner).send(Message::Told(told));
        });
        let result = catch_unwind(AssertUnwindSafe(|| work(teller))).unwrap_or_else(|_| {
            Err(Error::failed("cpc panicked; what it said is on standard error", "report this as a bug in cpc"))
        });
        let _ = send.send(Message::Done(result));
    };
    let started = std::thread::Builder::new().name("cpc".into()).stack_size(STACK).spawn(run);
    started.map_err(|e| exception(py, &Error::io("a thread", "start")(e)))?;
    let hear = || py.detach(|| heard.lock().unwrap_or_else(PoisonError::into_inner).recv_timeout(LOOK));
    let mut stopped: Option<PyErr> = None;
    let result = loop {
        let next = hear();
        let mut raised = py.check_signals();
        match next {
            Ok(Message::Done(result)) => break raised.and(Ok(result)),
            Ok(Message::Told(told)) if stopped.is_none() && raised.is_ok() => {
                raised = tell.map_or(Ok(()), |tell| call(tell.bind(py), told));
            }
            Ok(Message::Told(_)) | Err(RecvTimeoutError::Timeout) => (),
            Err(RecvTimeoutError::Disconnected) => {
                break Ok(Err(Error::failed("the work ended without a result", "report this as a bug in cpc")));
            }
        }
        if let Err(raised) = raised {
            stop.now.store(true, Ordering::Relaxed);
            // The second one does not wait.
            if stopped.is_some() || stop.unwatched.load(Ordering::Relaxed) {
                let until = Instant::now() + PATIENCE;
                while stopped.is_none() && Instant::now() < until && py.check_signals().is_ok() {
                    if matches!(hear(), Ok(Message::Done(_)) | Err(RecvTimeoutError::Disconnected)) {
                        break;
                    }
                }
                return Err(raised);
            }
            stopped = Some(raised);
        }
    };
    // What was raised is not lost because the work ended meanwhile.
    match stopped {
        Some(raised) => Err(raised),
        None => result?.map_err(|error| exception(py, &error)),
    }
}

fn call(tell: &Bound<'_, PyAny>, told: Told) -> PyResult<()> {
    match told {
        Told::Text(kind, text) => tell.call1((kind, text)),
        Told::Progress(what, unit, done, of) => tell.call1(("progress", (what, unit, done, of))),
        Told::Start(from, of, unit) => tell.call1(("start", (from, of, unit))),
        Told::Step(step) => tell.call1(("step", step)),
    }
    .map(|_| ())
}

/// The process that computed first; 0 before.
static FIRST: AtomicU32 = AtomicU32::new(0);

/// Whether something was computed.
pub fn has_computed() -> bool {
    FIRST.load(Ordering::Relaxed) != 0
}

/// Refuses to compute in a process that was forked from one that has computed: its threads are not in the copy, and it would wait for
/// them forever.
pub fn refuse_forks(py: Python<'_>) -> PyResult<()> {
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
