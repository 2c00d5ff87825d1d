//! The model directory of an audio model: `config.json` and `model.safetensors`.

use crate::config::{ConvEncoderConfig, HeadsConfig, HeadsKind};
use crate::durable;
use crate::error::Result;
use crate::kinds::audio::AudioConfig;
use crate::nn::ContextConfig;
use crate::signal::Sizes;
use crate::weights::model_dir::{Origin, place, read_config};
use crate::weights::{read_tensors, write_tensors};
use candle_core::Tensor;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

/// The contents of `config.json`: sufficient to build the model that the weights belong to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AudioModelConfig {
    /// `cpc-audio`.
    #[serde(alias = "model_type")]
    pub kind: String,
    /// The version of this format: 1.
    pub format: u32,
    /// The sample rate of the input, in Hz.
    pub sample_rate: u32,
    /// g_enc.
    pub encoder: ConvEncoderConfig,
    /// g_ar.
    pub context: ContextConfig,
    /// W_k.
    pub heads: HeadsConfig,
    /// The origin of a converted model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
}

impl AudioModelConfig {
    /// The name of this kind of model.
    pub const KIND: &'static str = "cpc-audio";

    /// The sizes of the network.
    pub fn sizes(&self) -> Sizes {
        Sizes {
            channels: 1,
            rate: f64::from(self.sample_rate),
            encoder: self.encoder.clone(),
            context: self.context.clone(),
            heads: self.heads.clone(),
        }
    }

    /// The audio model of a run.
    pub fn audio(cfg: &AudioConfig) -> Self {
        let mut heads = cfg.heads.clone();
        if heads.kind == HeadsKind::Transformer {
            heads.positions = cfg.encoder.frames(cfg.data.window).saturating_sub(heads.steps);
        }
        AudioModelConfig {
            kind: Self::KIND.into(),
            format: 1,
            sample_rate: cfg.data.sample_rate,
            encoder: cfg.encoder.clone(),
            context: cfg.context.clone(),
            heads,
            origin: None,
        }
    }
}

/// A directory that holds a model.
#[derive(Debug, Clone)]
pub struct AudioModelDir {
    /// The directory.
    pub path: PathBuf,
    /// Its `config.json`.
    pub config: AudioModelConfig,
}

impl AudioModelDir {
    /// Opens a model directory, or the `model/` of a run directory.
    ///
    /// # Errors
    /// A file is missing or cannot be read; the error names it and the fault.
    pub fn open(path: &Path) -> Result<AudioModelDir> {
        let path = place(path);
        Ok(AudioModelDir { config: AudioModelDir::read_config(&path)?, path })
    }

    /// Reads the `config.json` of a directory.
    ///
    /// # Errors
    /// The file is missing, or has contents that this crate does not support.
    pub fn read_config(dir: &Path) -> Result<AudioModelConfig> {
        read_config(dir, AudioModelConfig::KIND, |config: &AudioModelConfig, faults| {
            config.encoder.validate(faults);
            config.context.validate(faults);
            config.heads.validate(faults);
            config.heads.validate_sizes(config.encoder.hidden_dim, config.context.hidden_dim, faults);
        })
    }

    /// The weights by name, on the CPU.
    pub fn tensors(&self) -> Result<HashMap<String, Tensor>> {
        read_tensors(&self.path.join("model.safetensors"))
    }

    /// Writes a model into an existing directory, each file atomically, the weights last.
    pub fn write(path: &Path, config: &AudioModelConfig, tensors: &BTreeMap<String, Tensor>) -> Result<()> {
        durable::write_json(&path.join("config.json"), config)?;
        write_tensors(&path.join("model.safetensors"), tensors)
    }
}
