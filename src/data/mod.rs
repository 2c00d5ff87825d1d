//! From a directory of recordings, or tables of them, to batches of windows.
//!
//! A [`Corpus`] is the list of what can be read and of what cannot; [`Corpus::split`] makes training and validation
//! sets of it. [`Windows`] knows every window of a corpus without holding any; a [`Plan`] says which windows share a
//! batch in one epoch; a [`Loader`] reads the batches ahead of the trainer. [`Pieces`] reads an utterance from its beginning to its end. [`Summary`] is what `cpc info` prints.
//!
//! Chance is a pure function of the seed and the [`Position`]: a run that goes on from a position gets the batches that
//! an uninterrupted run would have got.

mod corpus;
mod loader;
mod manifest;
mod permutation;
mod pieces;
mod place;
mod plan;
mod scan;
mod split;
mod summary;
pub(crate) mod table;
mod validation;
mod windows;

pub use corpus::{Corpus, Utterance};
pub use loader::{Batch, Loader, Position};
pub use permutation::Permutation;
pub use pieces::Pieces;
pub use place::Place;
pub use plan::Plan;
pub use summary::{Bin, Fault, Lengths, Summary};
pub use table::{Chosen, NoTables, Row, labels, tables_of};
pub use validation::{Validation, validation_batches};
pub use windows::{Dropped, Windows};

use crate::audio::AudioInfo;
use crate::error::Problem;

/// A recording, or a section of one, before its headers were looked at.
#[derive(Debug, Clone, PartialEq)]
struct Found {
    /// Where it is read from.
    place: Place,
    /// The path below the corpus' root (of a row: the table's, then the name of the recording), with `/` between folders.
    relative: String,
    /// The name of the speaker.
    speaker: String,
    /// The utterance's id, where a manifest or a table gives one.
    id: Option<String>,
    /// What a column says of it.
    label: Option<String>,
    /// Start and end of the section, in seconds; the whole file if both are missing.
    section: (Option<f64>, Option<f64>),
    /// The length that a manifest gives, in frames of the file.
    frames: Option<u64>,
    /// Where a manifest names it: `manifest:line`.
    line: Option<String>,
    /// What its header says, where that has been looked at.
    looked: Option<Result<AudioInfo, Problem>>,
}

/// The speaker of a file at `relative`: the first folder; `-` if there is none, or if it lies outside of the root.
fn speaker_of(relative: &str) -> String {
    relative.split_once('/').map_or("-", |(folder, _)| if folder == ".." { "-" } else { folder }).to_string()
}
