//! Trained models: features of samples in memory, and of samples that arrive in pieces.

use crate::errors::exception;
use crate::host::Caller;
use crate::work::{Stop, work};
use cpc::device;
use cpc::error::{Error, Result};
use cpc::features::{Frames, Timing};
use cpc::kinds::{self, Arriving, ExtractRequest, LiveSignal, LiveStream, Options, not_for};
use cpc::observer::{Session, Silent};
use cpc::toolkit::Toolkit;
use numpy::{IntoPyArray, PyArray2, PyArrayMethods, PyReadonlyArray1};
use pyo3::prelude::*;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Values per piece, as `cpc extract` has them: what it writes is equal to the bit.
const PIECE: usize = 32_000;

/// A trained model.
#[pyclass(frozen, module = "cpc._cpc")]
pub struct Model {
    model: Arc<dyn kinds::Model>,
    device: String,
    offline: bool,
}

/// Opens a model: a model or run directory, `hf:owner/name`, or a checkpoint of CPC_audio.
#[pyfunction]
pub fn open(py: Python<'_>, path: PathBuf, device: String, offline: bool) -> PyResult<Model> {
    let named = device.clone();
    let model = work(py, &Stop::default(), None, move |_| {
        let session = session(&named, offline)?;
        Toolkit::standard().open(path, &session)
    })?;
    Ok(Model { model: model.into(), device, offline })
}

fn session(device: &str, offline: bool) -> Result<Session<'static>> {
    Ok(Session { device: device::parse(device)?, offline, ..Session::new(&Silent)? })
}

/// Rows of each layer.
type Layers<'py> = Vec<Bound<'py, PyArray2<f32>>>;

/// Frames as arrays (frames, dimensions), without a copy.
fn arrays<'py>(py: Python<'py>, frames: Frames, layers: &[(String, usize)]) -> PyResult<Layers<'py>> {
    let each = frames.layers.into_iter().zip(layers);
    each.map(|(rows, (_, dim))| rows.into_pyarray(py).reshape([frames.count, *dim])).collect()
}

#[pymethods]
impl Model {
    /// The kind of the model.
    #[getter]
    fn kind(&self) -> &'static str {
        self.model.kind()
    }

    /// What it is a model of: audio, series, text or images.
    #[getter]
    fn subject(&self) -> &'static str {
        self.model.subject()
    }

    /// The name of the model.
    #[getter]
    fn reference(&self) -> &str {
        self.model.reference()
    }

    /// The layers that it has.
    #[getter]
    fn layers(&self) -> Vec<String> {
        self.model.layers()
    }

    /// Its description, as JSON and as text.
    fn describe(&self, py: Python<'_>) -> PyResult<(String, String)> {
        let described = self.model.describe().map_err(|e| exception(py, &e))?;
        Ok((described.json, described.text))
    }

    /// The signal that it takes: audio or series, its channels and its rate; an error for models of other things.
    fn signal(&self, py: Python<'_>) -> PyResult<(&'static str, usize, f64)> {
        let signal = self.live().and_then(|live| live.signal()).map_err(|e| exception(py, &e))?;
        Ok(match signal {
            LiveSignal::Audio(rate) => ("audio", 1, f64::from(rate)),
            LiveSignal::Series { rate, scale } => ("series", scale.len(), rate),
        })
    }

    /// Features of samples in memory: an array (frames, dimensions) for each layer.
    fn features<'py>(
        &self,
        py: Python<'py>,
        samples: PyReadonlyArray1<'py, f32>,
        rate: Option<f64>,
        layers: Vec<String>,
    ) -> PyResult<Layers<'py>> {
        // The work has a hold of its own on the array: an interrupt may leave it behind.
        let held = Held::new(&samples)?;
        let (model, device, offline) = (self.model.clone(), self.device.clone(), self.offline);
        let (frames, layers) = work(py, &Stop::default(), None, move |_| {
            let live = model.live().ok_or_else(|| not_for(&*model, "features of samples"))?;
            let mut arriving = Arriving::new(live.signal()?, rate)?;
            let mut stream = live.stream(&layers, &session(&device, offline)?)?;
            let samples = held.samples();
            if let Some(at) = samples.iter().position(|value| !value.is_finite()) {
                let what = format!("value {at} of the samples is {}, not a finite number", samples[at]);
                return Err(Error::failed(what, "give finite values; samples of audio are between -1 and 1"));
            }
            let mut pieces = samples.chunks(PIECE);
            let mut ended = false;
            let mut waiting = Vec::new();
            let mut next = || {
                while waiting.len() < PIECE && !ended {
                    match pieces.next() {
                        Some(piece) => waiting.extend(arriving.push(piece)?),
                        None => {
                            ended = true;
                            waiting.extend(arriving.finish()?);
                        }
                    }
                }
                let rest = waiting.split_off(waiting.len().min(PIECE));
                Ok(std::mem::replace(&mut waiting, rest))
            };
            let mut all = Frames::default();
            stream.run(&mut next, &mut |frames| {
                all.extend(&frames);
                Ok(())
            })?;
            match all.count {
                0 => Err(Error::failed(
                    format!("{} values are too few for one frame", samples.len()),
                    format!("give at least {} samples", stream.timing().receptive_field),
                )),
                _ => Ok((all, stream.layers())),
            }
        })?;
        arrays(py, frames, &layers)
    }

    /// Writes the features of files to a directory, as `cpc extract` does.
    fn extract(
        &self,
        py: Python<'_>,
        paths: Vec<PathBuf>,
        out: PathBuf,
        layers: Vec<String>,
        split: Option<String>,
        tell: Option<Py<PyAny>>,
    ) -> PyResult<()> {
        let (model, device, offline, stop) = (self.model.clone(), self.device.clone(), self.offline, Stop::default());
        let own = stop.clone();
        work(py, &stop, tell.as_ref(), move |tell| {
            let caller = Caller::new(own.clone(), offline, tell);
            let session = Session {
                device: device::parse(&device)?,
                offline,
                stop: own.now,
                unwatched: own.unwatched,
                ..Session::new(&caller)?
            };
            let options = Options::new().with_some("split", split);
            let request = ExtractRequest { layers, options, ..ExtractRequest::new(paths, out) };
            model.extract(&request, &session).map(|_| ())
        })
    }

    /// A stream of samples that arrive in pieces.
    fn stream(&self, py: Python<'_>, rate: Option<f64>, layers: Vec<String>) -> PyResult<Stream> {
        let (model, device, offline) = (self.model.clone(), self.device.clone(), self.offline);
        work(py, &Stop::default(), None, move |_| {
            let live = model.live().ok_or_else(|| not_for(&*model, "a stream"))?;
            let arriving = Arriving::new(live.signal()?, rate)?;
            let stream = live.stream(&layers, &session(&device, offline)?)?;
            let (layers, timing) = (stream.layers(), stream.timing());
            Ok(Stream {
                broken: Arc::default(),
                state: Arc::new(Mutex::new(Some(Open { arriving, stream }))),
                layers,
                timing,
            })
        })
    }
}

impl Model {
    fn live(&self) -> Result<&dyn kinds::Live> {
        self.model.live().ok_or_else(|| not_for(&*self.model, "features of samples"))
    }
}

/// Samples that belong to an array of Python, kept alive while a thread without the interpreter reads them.
struct Held {
    _array: Py<PyAny>,
    start: *const f32,
    length: usize,
}

// SAFETY: the array lives as long as this does, and nothing here writes to it.
unsafe impl Send for Held {}

impl Held {
    fn new(samples: &PyReadonlyArray1<'_, f32>) -> PyResult<Held> {
        let slice = samples.as_slice()?;
        Ok(Held { start: slice.as_ptr(), length: slice.len(), _array: samples.as_any().clone().unbind() })
    }

    fn samples(&self) -> &[f32] {
        // SAFETY: `_array` keeps the memory. Writing to it meanwhile changes what is computed, as with any function of numpy that releases the
        // interpreter.
        unsafe { std::slice::from_raw_parts(self.start, self.length) }
    }
}

/// A stream that has not ended.
struct Open {
    arriving: Arriving,
    stream: Box<dyn LiveStream>,
}

/// A signal that arrives in pieces.
#[pyclass(frozen, module = "cpc._cpc")]
pub struct Stream {
    state: Arc<Mutex<Option<Open>>>,
    broken: Arc<AtomicBool>,
    layers: Vec<(String, usize)>,
    timing: Timing,
}

#[pymethods]
impl Stream {
    /// The names and dimensions of the layers.
    #[getter]
    fn layers(&self) -> Vec<(String, usize)> {
        self.layers.clone()
    }

    /// Frames per second.
    #[getter]
    fn frame_rate(&self) -> f64 {
        self.timing.frame_rate
    }

    /// The time of a frame in seconds: the middle of what it sees.
    fn seconds(&self, frame: u64) -> f64 {
        self.timing.seconds(frame)
    }

    /// Accepts samples, and returns the frames that they make final.
    fn push<'py>(&self, py: Python<'py>, samples: PyReadonlyArray1<'py, f32>) -> PyResult<Layers<'py>> {
        let held = Held::new(&samples)?;
        let frames = self.work(py, move |state| {
            let open = state.as_mut().ok_or_else(ended)?;
            open.stream.push(&open.arriving.push(held.samples())?)
        })?;
        arrays(py, frames, &self.layers)
    }

    /// Ends the signal, and returns the last frames.
    fn finish<'py>(&self, py: Python<'py>) -> PyResult<Layers<'py>> {
        let frames = self.work(py, |state| {
            let Open { mut arriving, mut stream } = state.take().ok_or_else(ended)?;
            let mut frames = stream.push(&arriving.finish()?)?;
            frames.extend(&stream.finish()?);
            Ok(frames)
        })?;
        arrays(py, frames, &self.layers)
    }
}

impl Stream {
    /// Works on the stream. If that is interrupted, the stream has ended: nobody knows which frames are missing.
    fn work(
        &self,
        py: Python<'_>,
        step: impl FnOnce(&mut Option<Open>) -> Result<Frames> + Send + 'static,
    ) -> PyResult<Frames> {
        let (state, broken, stop) = (self.state.clone(), self.broken.clone(), Stop::default());
        let outcome = work(py, &stop, None, move |_| {
            if broken.load(Ordering::Relaxed) {
                return Err(Error::usage("the stream was interrupted", "start another with model.stream()"));
            }
            step(&mut state.lock().unwrap_or_else(PoisonError::into_inner))
        });
        if outcome.is_err() && stop.now.load(Ordering::Relaxed) {
            self.broken.store(true, Ordering::Relaxed);
        }
        outcome
    }
}

fn ended() -> Error {
    Error::usage("the stream has ended", "start another with model.stream()")
}
