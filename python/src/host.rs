//! Commands run by Python: their options as words, their files perhaps in memory, their result as data.

use crate::errors::exception;
use crate::work::{Stop, work};
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
use std::sync::atomic::{AtomicBool, Ordering};
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

/// Hands everything to a function of Python.
#[derive(Debug)]
pub struct Caller {
    sources: HashMap<PathBuf, Source>,
    stop: Stop,
    offline: bool,
    tell: Option<Py<PyAny>>,
    found: Mutex<Found>,
    said: Mutex<Option<Instant>>,
    /// What training counts its data in.
    unit: Mutex<&'static str>,
    /// What the function raised.
    raised: Mutex<Option<PyErr>>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Caller {
    /// One that is told nothing yet. `tell(kind, value)` is called for everything that is reported.
    pub fn new(stop: &Stop, offline: bool, tell: Option<Py<PyAny>>) -> Caller {
        Caller {
            sources: HashMap::new(),
            stop: stop.clone(),
            offline,
            tell,
            found: Mutex::default(),
            said: Mutex::default(),
            unit: Mutex::default(),
            raised: Mutex::default(),
        }
    }

    /// What the function raised, if it did.
    pub fn raised(&self) -> Option<PyErr> {
        locked(&self.raised).take()
    }

    fn tell(&self, call: impl for<'py> FnOnce(&Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>>) {
        let Some(tell) = &self.tell else { return };
        if self.stop.now.load(Ordering::Relaxed) {
            return; // nobody waits for this any more
        }
        Python::try_attach(|py| {
            if let Err(raised) = call(tell.bind(py)) {
                self.stop.now.store(true, Ordering::Relaxed);
                locked(&self.raised).get_or_insert(raised);
            }
        });
    }

    fn text(&self, kind: &str, text: &str) {
        self.tell(|tell| tell.call1((kind, text)));
    }

    /// A line of metrics, as `metrics.jsonl` has it.
    fn line(&self, kind: &str, line: &impl Serialize, rate: Option<f64>) {
        let Ok(mut value) = serde_json::to_value(line) else { return };
        if let Some(rate) = rate {
            value[format!("{}_per_second", locked(&self.unit))] = rate.into();
        }
        value["kind"] = kind.into();
        self.text(kind, &value.to_string());
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
        {
            let mut said = locked(&self.said);
            if said.is_some_and(|at| at.elapsed() < PAUSE) && at.done < at.of {
                return;
            }
            *said = Some(Instant::now());
        }
        self.tell(|tell| tell.call1(("progress", (at.what, at.unit, at.done, at.of))));
    }

    fn start(&self, from: u64, of: u64, unit: &'static str) {
        *locked(&self.unit) = unit;
        self.tell(|tell| tell.call1(("start", (from, of, unit))));
    }

    fn step(&self, step: u64) {
        {
            let mut said = locked(&self.said);
            if said.is_some_and(|at| at.elapsed() < PAUSE) {
                return;
            }
            *said = Some(Instant::now());
        }
        self.tell(|tell| tell.call1(("step", step)));
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

/// Runs a command line. `files` has what stands for files of columns: a name in messages, a kind and the content, by the word of the command line.
/// Returns the result as JSON or `None`, as text, and pictures of it.
#[pyfunction]
#[pyo3(signature = (args, files, offline, tell))]
#[allow(clippy::type_complexity)]
pub fn run(
    py: Python<'_>,
    args: Vec<OsString>,
    files: HashMap<PathBuf, (String, String, Bound<'_, PyBytes>)>,
    offline: bool,
    tell: Option<Py<PyAny>>,
) -> PyResult<(Option<String>, String, Vec<String>, Option<PyErr>)> {
    let stop = Stop::default();
    let mut caller = Caller::new(&stop, offline, tell);
    for (path, (name, kind, bytes)) in files {
        let Some(kind) = KINDS.into_iter().find(|known| *known == kind) else {
            return Err(exception(py, &Error::usage(format!("{kind} is no kind of content"), "give npy, npz or csv")));
        };
        caller.sources.insert(path, Source::Memory { name, kind, bytes: bytes.as_bytes().into() });
    }
    let caller = Arc::new(caller);
    let host = caller.clone();
    let outcome = work(py, &stop, move || command::run(args, host));
    if let Some(raised) = caller.raised() {
        return Err(raised);
    }
    let found = std::mem::take(&mut *locked(&caller.found));
    match outcome {
        // Problems of data are a result too.
        Err(error) if found.json.is_some() => Ok((found.json, found.text, found.pictures, Some(error))),
        Err(error) => Err(error),
        Ok(()) => Ok((found.json, found.text, found.pictures, None)),
    }
}
