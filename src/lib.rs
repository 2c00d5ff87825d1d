#![doc = include_str!("../README.md")]

pub mod audio;
#[cfg(feature = "cli")]
pub mod command;
pub mod config;
pub mod data;
pub mod device;
pub mod digest;
pub mod durable;
pub mod error;
pub mod eval;
pub mod features;
pub mod group;
pub mod guard;
pub mod hub;
#[cfg(feature = "images")]
pub mod image;
pub mod kinds;
pub mod memory;
pub mod mi;
pub mod model;
pub mod nn;
pub mod objective;
pub mod observer;
pub mod ops;
pub mod options;
pub mod recordings;
pub mod report;
pub mod seed;
pub mod series;
pub mod signal;
#[cfg(feature = "text")]
pub mod text;
pub mod toolkit;
pub mod train;
pub mod units;
pub mod weights;

use config::Layers;
use error::Result;
use kinds::{ExtractRequest, Model, ProbeRequest, Probed, RunConfig};
use observer::{Observer, Session, Silent};
use std::path::Path;
use toolkit::{Report, Toolkit};

/// The configuration that results from layers: a preset, a file, settings, and DATA.
///
/// # Errors
/// Unknown presets and keys, or values out of range. All faults are reported at once.
pub fn configure(layers: &Layers) -> Result<RunConfig> {
    Toolkit::standard().configure(layers)
}

/// Trains a model as a new run in the directory `out`. `observer` receives reports on the progress.
///
/// # Errors
/// The data cannot be read, `out` contains a run already, or training diverged.
pub fn pretrain(config: RunConfig, out: impl AsRef<Path>, observer: &dyn Observer) -> Result<Report> {
    Toolkit::standard().pretrain_config(config, out.as_ref(), &Session::new(observer)?)
}

/// Opens a trained model: a model or run directory, `hf:owner/name`, or a checkpoint of CPC_audio.
///
/// # Errors
/// Names the file that is missing, or the part of a file that cannot be read.
pub fn open(model: impl AsRef<Path>) -> Result<Box<dyn Model>> {
    Toolkit::standard().open(model, &Session::new(&Silent)?)
}

/// Writes a model's features for the requested files.
///
/// # Errors
/// The input cannot be read, or the directory holds something else.
pub fn extract(model: &dyn Model, request: &ExtractRequest) -> Result<kinds::Extracted> {
    model.extract(request, &Session::new(&Silent)?)
}

/// Measures how well a classifier predicts labels from features, of models or of directories.
///
/// # Errors
/// The features, the data or the labels cannot be read, or do not fit each other.
pub fn probe(request: &ProbeRequest) -> Result<Probed> {
    Toolkit::standard().probe(request, &Session::new(&Silent)?)
}
