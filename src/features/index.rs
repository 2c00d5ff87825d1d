//! `index.json`: the contents of a feature directory, and what produced it.

use super::{Format, Pool, Timing};
use crate::config::from_word;
use crate::durable::{self, Lock};
use crate::error::{Error, Result};
use crate::group::Share;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// The file name of the index in a feature directory.
pub const FILE_NAME: &str = "index.json";

/// The beginning of the name of a journal of finished utterances, which has a line of JSON for each.
pub(super) const JOURNAL: &str = ".finished";

/// The folder in a feature directory for the parts of files that are not complete yet.
pub(super) const PARTS: &str = ".parts";

/// Normalization of the features of each utterance, over its frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Normalize {
    /// No normalization.
    None,
    /// The mean is subtracted.
    Mean,
    /// The mean is subtracted, and the result is divided by the standard deviation.
    MeanVar,
}

from_word!(Normalize);

/// The settings that features were extracted with: the same settings give the same features.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Made {
    /// The location of the model.
    pub model: String,
    /// SHA-256 of the model's weights, in hexadecimal: the hash that the hub shows for `model.safetensors`.
    pub model_sha256: String,
    /// The layers.
    pub layers: Vec<LayerInfo>,
    /// How the features are stored.
    pub format: Format,
    /// The normalization of each utterance.
    pub normalize: Normalize,
    /// What the frames of each utterance were pooled to.
    #[serde(default, skip_serializing_if = "Pool::is_none")]
    pub pool: Pool,
    /// What was removed from the frames.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub removed: Option<Removed>,
    /// The timing of the frames.
    #[serde(flatten)]
    pub timing: Timing,
}

/// What was removed from frames; the directions are in `removal.safetensors` beside the index.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Removed {
    /// What: `speaker`.
    pub what: String,
    /// The number of directions.
    pub directions: usize,
    /// The number of speakers that they were fitted on.
    pub speakers: usize,
}

impl Made {
    /// The dimensions of the layers.
    pub fn dims(&self) -> Vec<usize> {
        self.layers.iter().map(|layer| layer.dim).collect()
    }

    /// Whether both give the same features; the location of the model is ignored.
    pub fn same(&self, other: &Made) -> bool {
        *self == Made { model: self.model.clone(), ..other.clone() }
    }
}

/// One layer of the features.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LayerInfo {
    /// `c`, `z` or `c:N`.
    pub name: String,
    /// D.
    pub dim: usize,
    /// Its folder (`.` if there is only one layer) or its file, relative to the directory.
    pub path: String,
}

impl LayerInfo {
    /// The entry of a layer; `many` is true if there are several layers.
    pub fn new(layer: &str, dim: usize, format: Format, many: bool) -> Self {
        LayerInfo { name: layer.into(), dim, path: format.layer_path(layer, many) }
    }
}

/// One utterance of the features.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Indexed {
    /// Its id, as used in label files.
    pub id: String,
    /// The speaker.
    pub speaker: String,
    /// T.
    pub frames: usize,
    /// The duration of the audio, in seconds.
    pub seconds: f64,
    /// The `.npy` file, relative to the layer's folder; for other formats the id is the key.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub file: Option<String>,
    /// Where it came from, and what identifies it. Earlier versions did not say.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub source: Option<Source>,
}

/// Where an utterance came from, and what identifies it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Source {
    /// The recording: the absolute path of a file, or of a table with the number of a row.
    pub recording: String,
    /// SHA-256 of its bytes, in hexadecimal.
    pub sha256: String,
    /// The first sample of the utterance, at the sample rate of the features.
    pub start: u64,
    /// Its length in samples.
    pub samples: u64,
}

impl Source {
    /// Whether both are the same section of the same bytes, wherever these are.
    pub fn same(&self, other: &Source) -> bool {
        (&self.sha256, self.start, self.samples) == (&other.sha256, other.start, other.samples)
    }
}

/// The index.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Index {
    /// Whether all utterances are present; if not, running the same command again resumes the extraction.
    pub complete: bool,
    /// The settings of the extraction.
    #[serde(flatten)]
    pub made: Made,
    /// Files that were skipped, and why.
    #[serde(default)]
    pub left_out: Vec<String>,
    /// The utterances, in the order of the input.
    pub utterances: Vec<Indexed>,
}

/// Waits until no other process begins to write to a directory of features, or marks it as incomplete.
pub(super) fn alone(dir: &Path) -> Result<Lock> {
    durable::wait_for(dir, "begin")
}

/// Locks a directory of features for a shard, or for everything, creating it if it is not there. Before another process can begin, `mark`
/// checks what is there, and says what the directory is for.
///
/// # Errors
/// Another process writes to it, or works on the same shard, or on a shard of another division; those of `mark`.
pub(super) fn begin<T>(dir: &Path, shard: Option<Share>, mark: impl FnOnce() -> Result<T>) -> Result<(Vec<Lock>, T)> {
    std::fs::create_dir_all(dir).map_err(Error::io(dir, "create"))?;
    let _alone = alone(dir)?;
    let Some(shard) = shard else {
        let lock = durable::lock(dir)?;
        return Ok((vec![lock], mark()?));
    };
    let locks = vec![durable::lock_shared(dir)?, durable::lock_part(dir, &format!("shard {shard}"))?];
    if durable::is_part_held(dir, "shard", &format!("-{}", shard.ranks))? {
        return Err(Error::failed(
            format!("{}: another process is working on a shard of another number of shards there", dir.display()),
            "wait until it has finished, or use the same number",
        ));
    }
    Ok((locks, mark()?))
}

/// Refuses a directory without an index that is not empty.
///
/// # Errors
/// It has files, or cannot be read.
pub(super) fn must_be_empty(dir: &Path) -> Result<()> {
    let entries = match std::fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(Error::io(dir, "read")(e)),
    };
    let unfinished = |name: std::ffi::OsString| {
        let journal = name.as_encoded_bytes().starts_with(JOURNAL.as_bytes());
        durable::is_lock(&name) || durable::is_unfinished(&name) || name == PARTS || journal
    };
    match entries.flatten().all(|entry| unfinished(entry.file_name())) {
        true => Ok(()),
        false => Err(Error::usage(
            format!("{} is not empty, and contains no features", dir.display()),
            "choose an empty or new directory for --out",
        )),
    }
}

impl Index {
    /// Reads the index of a directory, if there is one.
    ///
    /// # Errors
    /// The file cannot be read, or is not an index.
    pub fn read(dir: &Path) -> Result<Option<Index>> {
        let path = dir.join(FILE_NAME);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(Error::io(&path, "read")(e)),
        };
        let index = serde_json::from_str(&text);
        index.map(Some).map_err(|e| Error::bad_file(&path, format!("not an index that `cpc extract` wrote: {e}")))
    }

    /// Writes the index of a directory atomically.
    pub fn write(&self, dir: &Path) -> Result<()> {
        let path = dir.join(FILE_NAME);
        let json = serde_json::to_vec_pretty(self)
            .map_err(|e| Error::failed(format!("{}: {e}", path.display()), "report this as a bug in cpc"))?;
        durable::write(&path, &json)
    }
}
