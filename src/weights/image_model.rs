//! The model directory of an image model: `config.json` and `model.safetensors`.

use super::model_dir::{Origin, model_type, place, read_config};
use super::tensors::{read_tensors, sha256_of, write_tensors};
use crate::config::{
    BottleneckConfig, BottleneckEncoderConfig, BottleneckObjectiveConfig, DimConfig, DimObjectiveConfig,
    ImageEncoderConfig,
};
use crate::durable;
use crate::error::Result;
use crate::image::ImageSize;
use candle_core::Tensor;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

/// The `config.json` of a Deep InfoMax model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DimModelConfig {
    /// `dim`.
    pub model_type: String,
    /// The version of this format: 1.
    pub format: u32,
    /// The size of the images.
    pub size: ImageSize,
    /// The number of labels in training.
    pub classes: usize,
    /// The encoder.
    pub encoder: ImageEncoderConfig,
    /// The objective it was trained with, which determines the critics.
    pub objective: DimObjectiveConfig,
    /// The origin of a copied model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
}

impl DimModelConfig {
    /// The `model_type` of such a model in `config.json`.
    pub const MODEL_TYPE: &'static str = "dim";

    /// The model of a run on images of a given size with `classes` labels.
    pub fn new(cfg: &DimConfig, size: ImageSize, classes: usize) -> Self {
        DimModelConfig {
            model_type: Self::MODEL_TYPE.into(),
            format: 1,
            size,
            classes,
            encoder: cfg.encoder.clone(),
            objective: cfg.objective.clone(),
            origin: None,
        }
    }
}

/// A trained image model.
#[derive(Debug, Clone)]
pub struct DimModel {
    /// The sizes.
    pub config: DimModelConfig,
    /// Every parameter by name, on the CPU.
    pub tensors: HashMap<String, Tensor>,
    /// The reference that the model was requested by.
    pub reference: String,
    /// The directory.
    pub path: PathBuf,
}

impl DimModel {
    /// Whether there is an image model at `path`, a model directory or a run directory.
    pub fn is_at(path: &Path) -> bool {
        model_type(path).as_deref() == Some(DimModelConfig::MODEL_TYPE)
    }

    /// Opens a model directory, or the `model/` of a run directory.
    ///
    /// # Errors
    /// A file is missing or cannot be read; the error names it and the fault.
    pub fn open(path: &Path) -> Result<DimModel> {
        let dir = place(path);
        let config = read_config(&dir, DimModelConfig::MODEL_TYPE, |config: &DimModelConfig, faults| {
            config.encoder.validate(faults);
            config.objective.validate(faults);
            (config.model_type.clone(), config.format)
        })?;
        let tensors = read_tensors(&dir.join("model.safetensors"))?;
        Ok(DimModel { config, tensors, reference: path.display().to_string(), path: dir })
    }

    /// SHA-256 of the tensors in the format of `model.safetensors`, in hexadecimal.
    ///
    /// # Errors
    /// The tensors cannot be written in that format.
    pub fn sha256(&self) -> Result<String> {
        sha256_of(&self.tensors, &self.reference)
    }
}

/// The `config.json` of an information bottleneck model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BottleneckModelConfig {
    /// `ib`.
    pub model_type: String,
    /// The version of this format: 1.
    pub format: u32,
    /// The size of the images.
    pub size: ImageSize,
    /// The number of labels.
    pub classes: usize,
    /// The encoder.
    pub encoder: BottleneckEncoderConfig,
    /// The objective it was trained with.
    pub objective: BottleneckObjectiveConfig,
}

impl BottleneckModelConfig {
    /// The model of a run on images of a given size with `classes` labels.
    pub fn new(cfg: &BottleneckConfig, size: ImageSize, classes: usize) -> Self {
        BottleneckModelConfig {
            model_type: "ib".into(),
            format: 1,
            size,
            classes,
            encoder: cfg.encoder.clone(),
            objective: cfg.objective.clone(),
        }
    }
}

/// Writes a model of any configuration into an existing directory, each file atomically, the weights last.
///
/// # Errors
/// Writing to disk fails.
pub fn write_model(dir: &Path, config: &impl Serialize, tensors: &BTreeMap<String, Tensor>) -> Result<()> {
    durable::write_json(&dir.join("config.json"), config)?;
    write_tensors(&dir.join("model.safetensors"), tensors)
}
