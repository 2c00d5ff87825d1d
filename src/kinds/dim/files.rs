//! The model directory of an image model: `config.json` and `model.safetensors`.

use crate::config::{ImageEncoderConfig, ImageSize};
use crate::error::Result;
use crate::kinds::dim::{DimConfig, DimObjectiveConfig};
use crate::weights::model_dir::{Origin, place, read_config};
use crate::weights::{read_tensors, sha256_of};
use candle_core::Tensor;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// The `config.json` of a Deep InfoMax model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DimModelConfig {
    /// `dim`.
    #[serde(alias = "model_type")]
    pub kind: String,
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
    /// The name of this kind of model: the value of `kind` in `config.json`.
    pub const KIND: &'static str = "dim";

    /// The model of a run on images of a given size with `classes` labels.
    pub fn new(cfg: &DimConfig, size: ImageSize, classes: usize) -> Self {
        DimModelConfig {
            kind: Self::KIND.into(),
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
    /// Opens a model directory, or the `model/` of a run directory.
    ///
    /// # Errors
    /// A file is missing or cannot be read; the error names it and the fault.
    pub fn open(path: &Path) -> Result<DimModel> {
        let dir = place(path);
        let config = read_config(&dir, DimModelConfig::KIND, |config: &DimModelConfig, faults| {
            config.encoder.validate(faults);
            config.objective.validate(faults);
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
