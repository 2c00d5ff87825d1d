//! Frozen features on disk: what is written, by which format, and how it is read back.
//!
//! A directory of features has an [`Index`] of what made it and what is in it. A [`FeatureDirectory`] is one that is being written, [`UtteranceFiles`] writes one utterance, a [`FeatureSet`]
//! reads a directory. A [`FeatureFormat`] is a way to store features.

mod chunks;
mod directory;
pub mod format;
mod frames;
mod index;
mod npy;
mod pool;
mod set;
mod table;
mod whole;
mod writing;

pub use chunks::{Chunk, Chunks};
pub use directory::{Destination, FeatureDirectory, Wanted};
pub use format::{FORMATS, FeatureFormat, Format, RowWriter};
pub use frames::{Frames, Timing};
pub use index::{Index, Indexed, LayerInfo, Made, Normalize, Removed, Source};
pub(crate) use npy::file_size;
pub use npy::{NpyFile, NpyWriter};
pub use pool::{Pool, Pooling};
pub use set::{FeatureSet, FeatureUtterance};
pub use table::TextTable;
pub use whole::{begin, inputs};
pub use writing::{UtteranceFiles, file_names};

/// Rows that are read at once, and after which a row group of parquet is written.
const ROWS: usize = 16_384;
