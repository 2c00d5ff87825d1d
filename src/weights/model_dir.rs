//! A model directory: `config.json` and `model.safetensors`. Every command accepts one as MODEL.

use super::tensors::{read_tensors, write_tensors};
use crate::config::{Config, ContextConfig, EncoderConfig, HeadsConfig, HeadsKind};
use crate::durable;
use crate::error::{Error, Problem, Result};
use candle_core::Tensor;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

/// The origin of a model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The reference that the model was requested by.
    pub reference: String,
    /// The layout that was found: `model directory`, or a kind of checkpoint.
    pub layout: String,
}

/// The contents of `config.json`: sufficient to build the model that the weights belong to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelConfig {
    /// `cpc-audio`.
    pub model_type: String,
    /// The version of this format: 1.
    pub format: u32,
    /// The sample rate of the input, in Hz.
    pub sample_rate: u32,
    /// g_enc.
    pub encoder: EncoderConfig,
    /// g_ar.
    pub context: ContextConfig,
    /// W_k.
    pub heads: HeadsConfig,
    /// The origin of a converted model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
}

impl ModelConfig {
    /// The audio model of a run.
    pub fn audio(cfg: &Config) -> Self {
        let mut heads = cfg.heads.clone();
        if heads.kind == HeadsKind::Transformer {
            heads.positions = cfg.encoder.frames(cfg.data.window).saturating_sub(heads.steps);
        }
        ModelConfig {
            model_type: "cpc-audio".into(),
            format: 1,
            sample_rate: cfg.data.sample_rate,
            encoder: cfg.encoder.clone(),
            context: cfg.context.clone(),
            heads,
            origin: None,
        }
    }
}

/// The directory of the model at `path`: `path` itself, or the `model/` of a run directory.
pub(super) fn place(path: &Path) -> PathBuf {
    let inside = path.join("model");
    if !path.join("config.json").exists() && inside.join("config.json").exists() { inside } else { path.to_path_buf() }
}

/// The type of the model at `path`, a model directory or a run directory, if there is one.
pub(super) fn model_type(path: &Path) -> Option<String> {
    let text = std::fs::read_to_string(place(path).join("config.json")).ok()?;
    let json: serde_json::Value = serde_json::from_str(&text).ok()?;
    json["model_type"].as_str().map(String::from)
}

/// Reads the `config.json` of a model of this type, in format 1. `check` collects values that are out of range, and returns the type and the
/// format that the file states.
pub(super) fn read_config<C: DeserializeOwned>(
    dir: &Path,
    model_type: &str,
    check: impl Fn(&C, &mut Vec<Problem>) -> (String, u32),
) -> Result<C> {
    let file = dir.join("config.json");
    if dir.is_dir() && !file.exists() {
        return Err(Error::failed(
            format!("{}: not a model directory: it contains no config.json", dir.display()),
            "give a run directory, its model/, or one of its checkpoints/",
        ));
    }
    let text = std::fs::read_to_string(&file).map_err(Error::io(&file, "read"))?;
    let wrong = |what: String| {
        Error::failed(
            format!("{}: {what}", file.display()),
            "copy or download the model again, or use the version of cpc that wrote it",
        )
    };
    let config: C = serde_json::from_str(&text).map_err(|e| wrong(e.to_string()))?;
    let mut faults = Vec::new();
    let (said, format) = check(&config, &mut faults);
    if format != 1 || said != model_type {
        return Err(wrong(format!("{said} of format {format} is not supported by this version of cpc")));
    }
    match faults.first() {
        Some(fault) => Err(wrong(fault.to_string())),
        None => Ok(config),
    }
}

/// A directory that holds a model.
#[derive(Debug, Clone)]
pub struct ModelDir {
    /// The directory.
    pub path: PathBuf,
    /// Its `config.json`.
    pub config: ModelConfig,
}

impl ModelDir {
    /// Opens a model directory, or the `model/` of a run directory.
    ///
    /// # Errors
    /// A file is missing or cannot be read; the error names it and the fault.
    pub fn open(path: &Path) -> Result<ModelDir> {
        let path = place(path);
        Ok(ModelDir { config: ModelDir::read_config(&path)?, path })
    }

    /// Reads the `config.json` of a directory.
    ///
    /// # Errors
    /// The file is missing, or has contents that this crate does not support.
    pub fn read_config(dir: &Path) -> Result<ModelConfig> {
        read_config(dir, "cpc-audio", |config: &ModelConfig, faults| {
            config.encoder.validate(faults);
            config.context.validate(faults);
            config.heads.validate(faults);
            config.heads.validate_sizes(config.encoder.hidden_dim, config.context.hidden_dim, faults);
            (config.model_type.clone(), config.format)
        })
    }

    /// The weights by name, on the CPU.
    pub fn tensors(&self) -> Result<HashMap<String, Tensor>> {
        read_tensors(&self.path.join("model.safetensors"))
    }

    /// Writes a model into an existing directory, each file atomically, the weights last.
    pub fn write(path: &Path, config: &ModelConfig, tensors: &BTreeMap<String, Tensor>) -> Result<()> {
        durable::write_json(&path.join("config.json"), config)?;
        write_tensors(&path.join("model.safetensors"), tensors)
    }
}
