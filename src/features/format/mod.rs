//! Formats of features: one trait, one file per format, one line in [`FORMATS`].

mod npy;
#[cfg(feature = "parquet")]
mod parquet;
mod safetensors;

#[cfg(feature = "parquet")]
pub(super) use self::parquet::write_table;
pub(super) use self::safetensors::tensors;

use super::index::{Index, Indexed, LayerInfo};
use super::npy::NpyFile;
use super::{FeatureSet, Timing};
use crate::error::{Error, Result};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::fmt;
use std::ops::Deref;
use std::path::Path;
use std::str::FromStr;

/// The formats of this build. The first is the default.
pub static FORMATS: &[&dyn FeatureFormat] = &[
    &npy::Npy,
    &safetensors::Safetensors,
    #[cfg(feature = "parquet")]
    &parquet::Parquet,
];

/// A way to store features.
pub trait FeatureFormat: Sync {
    /// Its name on the command line and in `index.json`, and the extension of its files.
    fn name(&self) -> &'static str;

    /// A one-line description.
    fn about(&self) -> &'static str;

    /// Whether each utterance has its own `.npy` file. Otherwise those files are parts, to be joined.
    fn separate(&self) -> bool {
        false
    }

    /// The folder or file of a layer, relative to the directory; `many` is true if there are several layers.
    fn layer_path(&self, layer: &str, many: bool) -> String;

    /// Joins the parts of `utterances`, the `.npy` files in `folder`, into the new file `path`.
    ///
    /// # Errors
    /// A part cannot be read, or the file cannot be written.
    fn join(&self, path: &Path, folder: &Path, utterances: &[Indexed], timing: &Timing) -> Result<()>;

    /// Opens a layer of a directory that has an index.
    ///
    /// # Errors
    /// A part is missing or has another shape (the error names it), or the format is only for other tools.
    fn open(&self, dir: &Path, index: &Index, layer: &LayerInfo) -> Result<FeatureSet>;

    /// A new file of `dim`-dimensional rows, each with a text next to it if `texts` is true.
    ///
    /// # Errors
    /// The format cannot store rows in this way, or the file cannot be created.
    fn rows(&self, path: &Path, dim: usize, texts: bool) -> Result<Box<dyn RowWriter>>;
}

/// A file of rows that is being written.
pub trait RowWriter {
    /// Adds rows (n, dim), and their texts if the file has texts.
    ///
    /// # Errors
    /// The file cannot be written.
    fn write(&mut self, texts: &[String], rows: &[f32]) -> Result<()>;

    /// Completes the file.
    ///
    /// # Errors
    /// The file cannot be written.
    fn finish(self: Box<Self>) -> Result<()>;
}

/// One of [`FORMATS`].
#[derive(Clone, Copy)]
pub struct Format(&'static dyn FeatureFormat);

impl Default for Format {
    fn default() -> Self {
        Format(FORMATS[0])
    }
}

impl Deref for Format {
    type Target = dyn FeatureFormat;

    fn deref(&self) -> &Self::Target {
        self.0
    }
}

impl FromStr for Format {
    type Err = String;

    fn from_str(name: &str) -> std::result::Result<Self, String> {
        let names = || FORMATS.iter().map(|format| format.name()).collect::<Vec<_>>().join(", ");
        let found = FORMATS.iter().find(|format| format.name() == name);
        found.map(|format| Format(*format)).ok_or_else(|| format!("`{name}` is none of {}", names()))
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Debug for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl PartialEq for Format {
    fn eq(&self, other: &Format) -> bool {
        self.name() == other.name()
    }
}

impl Eq for Format {}

impl Serialize for Format {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Format {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// The `.npy` parts of utterances, in the order of the index.
fn parts<'a>(folder: &'a Path, utterances: &'a [Indexed]) -> impl Iterator<Item = Result<(&'a Indexed, NpyFile)>> + 'a {
    utterances.iter().map(move |u| Ok((u, NpyFile::open(&folder.join(u.file.as_deref().unwrap_or_default()))?)))
}

/// The name of a layer's folder or file: `c:2` is `c2`, because some systems do not allow colons in names.
fn file_name(layer: &str) -> String {
    layer.replace(':', "")
}

/// The error for a format that cannot hold rows.
fn no_rows(format: &str, why: &str, other: &str) -> Error {
    Error::usage(format!("--format {format}: {why}"), format!("choose {other}"))
}
