//! The environment of a piece of work: who is informed of it, what stops it, where it computes, whether it may connect, and which
//! processes share it.

mod lines;

pub use lines::{Figures, TrainLine, ValidLine};

use crate::error::Result;
use crate::group::Group;
use candle_core::Device;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Receives reports on the progress of work. Every method does nothing unless it is overridden. Methods may be called from several threads.
pub trait Observer: Sync {
    /// A line about the progress of the work.
    fn note(&self, _text: &str) {}
    /// A detail, for users who want to see everything.
    fn detail(&self, _text: &str) {}
    /// Something that the user should know.
    fn warning(&self, _text: &str) {}
    /// The progress of long work.
    fn progress(&self, _at: &Progress) {}
    /// Training starts after `from` of `of` updates. `unit` is the unit in which the task counts its data.
    fn start(&self, _from: u64, _of: u64, _unit: &'static str) {}
    /// An update was made.
    fn step(&self, _step: u64) {}
    /// A line of training metrics was written.
    fn train(&self, _line: &TrainLine) {}
    /// A validation was made; `best` is true if it is the best so far.
    fn valid(&self, _line: &ValidLine, _best: bool) {}
    /// The long work that was reported last has ended.
    fn done(&self) {}
}

/// The progress of long work.
#[derive(Debug, Clone, Copy)]
pub struct Progress<'a> {
    /// The object of the work, such as the name of a file; may be empty.
    pub what: &'a str,
    /// The unit of `done` and `of`, such as `bytes`.
    pub unit: &'a str,
    /// The amount done.
    pub done: f64,
    /// The total amount; 0 if it is not known.
    pub of: f64,
}

/// An observer that ignores all reports.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Observer for Silent {}

/// The environment that every piece of work is given.
#[derive(Clone)]
pub struct Session<'a> {
    /// Receives reports on the progress of the work.
    pub observer: &'a dyn Observer,
    /// Stops the work at the next suitable moment when it is set.
    pub stop: Arc<AtomicBool>,
    /// Whether no work looks at `stop` now. Something that is to stop the work had better end it at once then.
    pub unwatched: Arc<AtomicBool>,
    /// The device on which models are computed.
    pub device: Device,
    /// Whether network connections are forbidden: only what the cache contains of the hub is used.
    pub offline: bool,
    /// The processes that do the work together; usually this one alone.
    pub group: Group,
}

impl<'a> Session<'a> {
    /// A session on the first device that this build can use, without interruption, and with connections allowed.
    ///
    /// # Errors
    /// There is a GPU, but it cannot be used.
    pub fn new(observer: &'a dyn Observer) -> Result<Self> {
        let unwatched = Arc::new(AtomicBool::new(true));
        Ok(Session {
            observer,
            stop: Arc::default(),
            unwatched,
            device: crate::device::parse("auto")?,
            offline: false,
            group: Group::alone(),
        })
    }

    /// Announces that the work looks at `stop` until the returned value is dropped.
    pub fn watch(&self) -> Watch {
        Watch { unwatched: self.unwatched.clone(), before: self.unwatched.swap(false, Ordering::Relaxed) }
    }
}

/// The time in which work looks at the `stop` of its session.
#[derive(Debug)]
pub struct Watch {
    unwatched: Arc<AtomicBool>,
    before: bool,
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.unwatched.store(self.before, Ordering::Relaxed);
    }
}
