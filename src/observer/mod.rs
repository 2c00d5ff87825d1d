//! How a piece of work reaches the world: who hears of it, what stops it, where it computes, and whether it may connect.

mod lines;

pub use lines::{Figures, TrainLine, ValidLine};

use crate::error::Result;
use candle_core::Device;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// Hears how work goes. Every method does nothing unless it is overridden; methods may be called from several threads.
pub trait Observer: Sync {
    /// A line about what is going on.
    fn note(&self, _text: &str) {}
    /// A detail, for those who want to see everything.
    fn detail(&self, _text: &str) {}
    /// Something that the user should know.
    fn warning(&self, _text: &str) {}
    /// How far long work is.
    fn progress(&self, _at: &Progress) {}
    /// Training begins after `from` of `of` updates. `unit` is the unit in which the task counts its data.
    fn start(&self, _from: u64, _of: u64, _unit: &'static str) {}
    /// An update was made.
    fn step(&self, _step: u64) {}
    /// A line of training metrics was written.
    fn train(&self, _line: &TrainLine) {}
    /// A validation was made; `best` says whether it is the best so far.
    fn valid(&self, _line: &ValidLine, _best: bool) {}
    /// The long work that was reported last is over.
    fn done(&self) {}
}

/// How far long work is.
#[derive(Debug, Clone, Copy)]
pub struct Progress<'a> {
    /// What is being worked on, such as the name of a file; may be empty.
    pub what: &'a str,
    /// The unit of `done` and `of`, such as `bytes`.
    pub unit: &'static str,
    /// The amount that is done.
    pub done: f64,
    /// The whole amount; 0 if it is not known.
    pub of: f64,
}

/// Hears nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Observer for Silent {}

/// What every piece of work is given.
#[derive(Clone)]
pub struct Session<'a> {
    /// Hears how the work goes.
    pub observer: &'a dyn Observer,
    /// Stops the work at the next good moment when it is raised.
    pub stop: Arc<AtomicBool>,
    /// Where models compute.
    pub device: Device,
    /// Whether no connection may be made: of the hub, only what is in the cache is used.
    pub offline: bool,
}

impl<'a> Session<'a> {
    /// On the first device that this build can use, until the end, with connections.
    ///
    /// # Errors
    /// A GPU is there and cannot be used.
    pub fn new(observer: &'a dyn Observer) -> Result<Self> {
        Ok(Session { observer, stop: Arc::default(), device: crate::device::parse("auto")?, offline: false })
    }
}
