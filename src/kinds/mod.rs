//! Kinds of models: one folder each, and one line of [`STANDARD`].
//!
//! [`Kind`] is what the toolkit requires of a kind. [`Model`] is what a trained model can do. A folder holds everything particular to its
//! kind: configuration, task, model, files on disk, extraction, baselines and card. What the kinds share is in modules of its own.

mod arriving;
pub mod audio;
#[cfg(feature = "images")]
pub mod bottleneck;
pub mod classifier;
mod described;
#[cfg(feature = "images")]
pub mod dim;
#[cfg(feature = "images")]
pub mod gan;
mod kind;
mod model;
#[cfg(feature = "images")]
mod plain;
mod recorded;
mod run_config;
pub mod series;
#[cfg(feature = "text")]
pub mod text;

pub use crate::config::Preset;
pub use crate::options::{Options, each_once};
pub use arriving::Arriving;
pub use described::{Described, word};
pub use kind::{Conclude, Inspected, Job, Kind, Prepared, ProbeRequest, Probed, Probing, Scheme, Steps};
pub use model::{
    Classes, Convert, ExtractRequest, Extracted, Live, LiveSignal, LiveStream, Model, Pieces, Prediction, Predictions,
    Source, not_for,
};
pub use run_config::RunConfig;

/// The kinds of this crate, in the order in which they are asked whether DATA is for them. The first is asked last, and is used
/// where nothing decides.
pub static STANDARD: &[&dyn Kind] = &[
    &audio::AUDIO,
    &series::SERIES,
    &classifier::CLASSIFIER,
    #[cfg(feature = "text")]
    &text::TEXT,
    #[cfg(feature = "images")]
    &dim::DIM,
    #[cfg(feature = "images")]
    &bottleneck::BOTTLENECK,
    #[cfg(feature = "images")]
    &gan::GAN,
];
