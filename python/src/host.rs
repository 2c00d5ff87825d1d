//! Commands run by Python: their options as words, their files perhaps in memory, their result as data.

use crate::errors::exception;
use crate::work::{Stop, Tell, Told, work};
use cpc::command::{self, Host};
use cpc::error::Error;
use cpc::mi::input::Source;
use cpc::observer::{Observer, Progress, TrainLine, ValidLine};
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use serde::Serialize;
use std::collections::HashMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Time between two reports on progress.
const PAUSE: Duration = Duration::from_millis(100);

/// The kinds of what may stand for a file.
const KINDS: [&str; 3] = ["npy", "npz", "csv"];

/// What a command came to: the result as JSON and as text, each as often as it has one, and pictures.
#[derive(Debug, Default)]
struct Found {
    json: Option<String>,
    text: String,
    pictures: Vec<String>,
}

/// Passes on what is reported, and keeps the result.
pub struct Caller {
    sources: HashMap<PathBuf, Source>,
    stop: Stop,
    offline: bool,
    tell: Tell,
    found: Mutex<Found>,
    said: Mutex<Option<Instant>>,
    /// What training counts its data in.
    unit: Mutex<&'static str>,
}

impl std::fmt::Debug for Caller {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Caller").field("sources", &self.sources).finish_non_exhaustive()
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Caller {
    /// One that has no files in memory.
    pub fn new(stop: Stop, offline: bool, tell: Tell) -> Caller {
        let (found, said, unit) = (Mutex::default(), Mutex::default(), Mutex::default());
        Caller { sources: HashMap::new(), stop, offline, tell, found, said, unit }
    }

    fn text(&self, kind: &'static str, text: &str) {
        (self.tell)(Told::Text(kind, text.into()));
    }

    /// A line of metrics, as `metrics.jsonl` has it.
    fn line(&self, kind: &'static str, line: &impl Serialize, rate: Option<f64>) {
        let Ok(mut value) = serde_json::to_value(line) else { return };
        if let Some(rate) = rate {
            value[format!("{}_per_second", locked(&self.unit))] = rate.into();
        }
        value["kind"] = kind.into();
        self.text(kind, &value.to_string());
    }

    /// Whether it is time for another report; the last one is always due.
    fn due(&self, last: bool) -> bool {
        let mut said = locked(&self.said);
        let due = last || said.is_none_or(|at| at.elapsed() >= PAUSE);
        if due {
            *said = Some(Instant::now());
        }
        due
    }
}

impl Observer for Caller {
    fn note(&self, text: &str) {
        self.text("note", text);
    }

    fn detail(&self, text: &str) {
        self.text("detail", text);
    }

    fn warning(&self, text: &str) {
        self.text("warning", text);
    }

    fn progress(&self, at: &Progress) {
        if self.due(at.done >= at.of && at.of > 0.0) {
            (self.tell)(Told::Progress(at.what.into(), at.unit.into(), at.done, at.of));
        }
    }

    fn start(&self, from: u64, of: u64, unit: &'static str) {
        *locked(&self.unit) = unit;
        (self.tell)(Told::Start(from, of, unit));
    }

    fn step(&self, step: u64) {
        if self.due(false) {
            (self.tell)(Told::Step(step));
        }
    }

    fn train(&self, line: &TrainLine) {
        self.line("train", line, Some(line.rate));
    }

    fn valid(&self, line: &ValidLine, _best: bool) {
        self.line("valid", line, None);
    }

    fn done(&self) {
        self.text("done", "");
    }
}

impl Host for Caller {
    fn source(&self, path: &Path) -> Option<Source> {
        self.sources.get(path).cloned()
    }

    fn result(&self, json: Option<&str>, text: &str) {
        let mut found = locked(&self.found);
        found.json = json.map(String::from).or(found.json.take());
        found.text.push_str(text);
    }

    fn picture(&self, svg: &str) {
        locked(&self.found).pictures.push(svg.into());
    }

    fn stop(&self) -> Arc<AtomicBool> {
        self.stop.now.clone()
    }

    fn unwatched(&self) -> Arc<AtomicBool> {
        self.stop.unwatched.clone()
    }

    fn offline(&self) -> bool {
        self.offline
    }
}

/// A result as JSON or `None`, as text, pictures of it, and the error that the command ended with all the same.
type Outcome = (Option<String>, String, Vec<String>, Option<PyErr>);

/// Runs a command line. `files` has what stands for files of columns: a name in messages, a kind and the content, by the word of the command line.
/// `tell(kind, value)` is called with what is reported.
#[pyfunction]
pub fn run(
    py: Python<'_>,
    args: Vec<OsString>,
    files: HashMap<PathBuf, (String, String, Bound<'_, PyBytes>)>,
    offline: bool,
    tell: Option<Py<PyAny>>,
) -> PyResult<Outcome> {
    let mut sources = HashMap::new();
    for (path, (name, kind, bytes)) in files {
        let Some(kind) = KINDS.into_iter().find(|known| *known == kind) else {
            return Err(exception(py, &Error::usage(format!("{kind} is no kind of content"), "give npy, npz or csv")));
        };
        sources.insert(path, Source::Memory { name, kind, bytes: bytes.as_bytes().into() });
    }
    let stop = Stop::default();
    let own = stop.clone();
    let (found, ended) = work(py, &stop, tell.as_ref(), move |tell| {
        let caller = Arc::new(Caller { sources, ..Caller::new(own, offline, tell) });
        let ended = command::run(args, caller.clone());
        let found = std::mem::take(&mut *locked(&caller.found));
        match ended {
            // Problems of data are a result too.
            Err(error) if found.json.is_some() => Ok((found, Some(error))),
            ended => ended.map(|()| (found, None)),
        }
    })?;
    Ok((found.json, found.text, found.pictures, ended.map(|error| exception(py, &error))))
}
