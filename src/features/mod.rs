//! Frozen features: what a trained model makes of audio, from a stream or from whole files.
//!
//! A [`Stream`] takes samples as they come and gives frames as they become final; everything else is made of it.
//! An [`Extractor`] holds a model and the layers that are wanted, and starts streams. [`extract`] writes the features of corpora to a
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
