//! From a directory of recordings, or tables of them, to batches of windows.
//!
//! A [`Corpus`] is the list of what can be read and of what cannot. [`Corpus::split`] divides it into training and validation sets.
//! [`Windows`] knows every window of a corpus without holding any. A [`Plan`] determines which windows share a batch in one epoch. A
//! [`RecordingLoader`] reads the batches ahead of the trainer. [`Pieces`] reads an utterance from its beginning to its end. [`Summary`] is
//! what `cpc info` prints.
//!
//! Randomness is a pure function of the seed and the [`Position`](crate::data::Position): a run that resumes from a position gets the
//! batches that an uninterrupted run would have received.

mod any;
mod config;
mod corpus;
mod loader;
mod manifest;
mod medium;
mod names;
mod noise;
mod pieces;
mod place;
mod plan;
mod scan;
mod sensors;
pub mod split;
mod summary;
#[cfg(not(feature = "parquet"))]
#[path = "no_table.rs"]
mod table;
#[cfg(feature = "parquet")]
mod table;
mod unused;
mod validation;
mod windows;

pub use any::{AnyCorpus, Shelf};
pub use config::{Columns, RecordingsConfig, Sampler, WindowCut};
pub use corpus::{Corpus, Utterance};
pub use loader::{RecordingLoader, WindowBatch};
pub use manifest::{Lists, lists};
pub use medium::{Medium, Sound};
pub use noise::NoiseCorpus;
pub use pieces::Pieces;
pub use place::{Place, digest};
pub use plan::Plan;
pub use sensors::{
    Division, Expected, Gaps, Moments, Overview, Scale, SensorInfo, SensorReader, Sensors, SensorsConfig, scaling,
};
pub use summary::{Bin, Fault, Lengths, Summary};
pub use table::{Row, labels};
pub use unused::Unused;
pub use validation::{Validation, validation_batches};
pub use windows::{Dropped, Windows};

use crate::audio::AudioInfo;
use crate::error::Problem;

/// A recording, or a section of one, before its headers are read.
#[derive(Debug, Clone, PartialEq)]
struct FoundRecording {
    /// The place it is read from.
    place: Place,
    /// The path below the root of the corpus, with `/` between folders; for a row, the path of the table followed by the name
    /// of the recording.
    relative: String,
    /// The name of the speaker.
    speaker: String,
    /// The utterance's id, if a manifest or a table gives one.
    id: Option<String>,
    /// Its label, from a column of a table.
    label: Option<String>,
    /// Start and end of the section, in seconds; the whole file if both are `None`.
    section: (Option<f64>, Option<f64>),
    /// The length that a manifest gives, in frames of the file.
    frames: Option<u64>,
    /// The position in the manifest that lists it: `manifest:line`.
    line: Option<String>,
    /// The result of reading its header, if that has been done.
    looked: Option<Result<AudioInfo, Problem>>,
}

/// The speaker of a file at `relative`: the first folder; `-` if there is none, or if the file is outside the root.
fn speaker_of(relative: &str) -> String {
    relative.split_once('/').map_or("-", |(folder, _)| if folder == ".." { "-" } else { folder }).to_string()
}
