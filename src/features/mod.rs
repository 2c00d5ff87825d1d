//! Frozen features: the outputs of a trained model for audio, from a stream or from whole files.
//!
//! A [`Stream`] accepts samples as they arrive and returns frames as they become final; everything else is built on it.
//! An [`Extractor`] holds a model and the requested layers, and creates streams. [`extract`] writes the features of corpora to a
//! directory with an [`Index`]; a [`FeatureSet`] reads them back.

mod extract;
mod images;
mod index;
mod layer;
mod npy;
mod sentence_table;
mod sentences;
mod set;
mod stream;
mod tables;
mod writing;

pub(crate) use extract::file_names;
pub use extract::{extract, extract_samples};
pub use images::{ImageExtractor, ImageLayer};
pub use index::{Format, Index, Indexed, LayerInfo, Made, Normalize};
pub use layer::Layer;
pub use npy::{NpyFile, NpyWriter};
pub use sentences::SentenceExtractor;
pub use set::{FeatureSet, Utterance};
pub use stream::{Extractor, Frames, Stream, Timing};
pub(crate) use writing::Writing;
