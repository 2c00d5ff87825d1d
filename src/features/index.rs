//! `index.json`: what lies in a directory of features, and what made it.

use super::{Extractor, Layer, Timing};
use crate::data::Utterance;
use crate::durable;
use crate::error::{Error, Result};
use crate::weights::Pretrained;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// The name of the index in a directory of features.
pub const FILE_NAME: &str = "index.json";

/// How features are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// A `.npy` (T, D) float32 for each utterance, laid out as the input tree.
    Npy,
    /// One `.safetensors` for each layer, with a tensor (T, D) for each utterance.
    Safetensors,
    /// One `.parquet` for each layer: utterance, speaker, frame, time, vector.
    Parquet,
}

/// What is done to the features of each utterance, over its frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Normalize {
    /// Nothing.
    None,
    /// Their mean is subtracted.
    Mean,
    /// Their mean is subtracted, and they are divided by their standard deviation.
    MeanVar,
}

/// What features were made with: the same settings give the same features.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Made {
    /// Where the model was.
    pub model: String,
    /// SHA-256 of the model's weights, in hexadecimal: what the hub shows of `model.safetensors`.
    pub model_sha256: String,
    /// The layers.
    pub layers: Vec<LayerInfo>,
    /// How they are stored.
    pub format: Format,
    /// What was done to each utterance.
    pub normalize: Normalize,
    /// When frames are.
    #[serde(flatten)]
    pub timing: Timing,
}

impl Made {
    /// What will be made with a model: `extractor` is that of `model`.
    ///
    /// # Errors
    /// A tensor operation fails.
    pub fn new(model: &Pretrained, extractor: &Extractor, format: Format, normalize: Normalize) -> Result<Self> {
        let many = extractor.layers().len() > 1;
        let layers = extractor.layers().iter().zip(extractor.dims());
        Ok(Made {
            model: model.origin.reference.clone(),
            model_sha256: model.sha256()?,
            layers: layers.map(|(&layer, &dim)| LayerInfo::new(layer, dim, format, many)).collect(),
            format,
            normalize,
            timing: extractor.timing(),
        })
    }

    /// Whether both make the same features; where the model lies does not matter.
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
    /// Its folder (`.` where there is one layer) or its file, below the directory.
    pub path: String,
}

impl LayerInfo {
    /// Where a layer goes, one of `many` or alone.
    pub fn new(layer: Layer, dim: usize, format: Format, many: bool) -> Self {
        let path = match format {
            Format::Npy if many => layer.file_name(),
            Format::Npy => ".".into(),
            Format::Safetensors => format!("{}.safetensors", layer.file_name()),
            Format::Parquet => format!("{}.parquet", layer.file_name()),
        };
        LayerInfo { name: layer.to_string(), dim, path }
    }
}

/// One utterance of the features.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Indexed {
    /// Its id, as label files name it.
    pub id: String,
    /// Who speaks.
    pub speaker: String,
    /// T.
    pub frames: usize,
    /// The length of the audio.
    pub seconds: f64,
    /// The `.npy` below the layer's folder; for other formats the id is the key.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub file: Option<String>,
}

impl Indexed {
    /// An utterance of a corpus, its length counted at `rate`, whose features are in `file`.
    pub fn new(utterance: &Utterance, speaker: &str, frames: u64, rate: u32, file: String) -> Self {
        Indexed {
            id: utterance.id.clone(),
            speaker: speaker.to_string(),
            frames: frames as usize,
            seconds: utterance.samples as f64 / f64::from(rate),
            file: Some(file),
        }
    }
}

/// The index.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Index {
    /// Whether every utterance is there; otherwise the same command goes on.
    pub complete: bool,
    /// What made the features.
    #[serde(flatten)]
    pub made: Made,
    /// Files that were left out, and why.
    #[serde(default)]
    pub left_out: Vec<String>,
    /// The utterances, in the order of the input.
    pub utterances: Vec<Indexed>,
}

impl Index {
    /// The index of a directory, if there is one.
    ///
    /// # Errors
    /// It cannot be read, or is not one.
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

    /// Writes the index of a directory, whole or not at all.
    pub fn write(&self, dir: &Path) -> Result<()> {
        let path = dir.join(FILE_NAME);
        let json = serde_json::to_vec_pretty(self)
            .map_err(|e| Error::failed(format!("{}: {e}", path.display()), "report this as a fault of cpc"))?;
        durable::write(&path, &json)
    }
}
