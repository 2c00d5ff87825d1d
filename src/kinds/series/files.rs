//! The model directory of a series model: `config.json` and `model.safetensors`.

use crate::config::{ConvEncoderConfig, HeadsConfig, HeadsKind};
use crate::error::{Error, Problem, Result};
use crate::kinds::series::SeriesConfig;
use crate::nn::ContextConfig;
use crate::recordings::{Expected, Gaps, Scale, SensorsConfig};
use crate::signal::{Extractor, Layer, Sizes};
use crate::weights::model_dir::{Origin, place, read_config};
use crate::weights::{read_tensors, sha256_of};
use candle_core::{Device, Tensor};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// The contents of `config.json`: sufficient to build the model that the weights belong to, and to prepare its input.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SeriesModelConfig {
    /// `cpc-series`.
    pub kind: String,
    /// The version of this format: 1.
    pub format: u32,
    /// The sample rate of the input, in Hz.
    pub sample_rate: f64,
    /// The channels of the input, in order.
    pub channels: Vec<String>,
    /// To what the values of a channel are scaled.
    pub scale: Scale,
    /// Mean and standard deviation of each channel in the corpus it was trained on, if it scales by them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moments: Option<Vec<(f32, f32)>>,
    /// What becomes of missing values.
    pub gaps: Gaps,
    /// The column of times in tables, if it has no usual name.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub time: String,
    /// The column of subjects in tables, if it has no usual name.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub subject: String,
    /// g_enc.
    pub encoder: ConvEncoderConfig,
    /// g_ar.
    pub context: ContextConfig,
    /// W_k.
    pub heads: HeadsConfig,
}

impl SeriesModelConfig {
    /// The name of this kind of model.
    pub const KIND: &'static str = "cpc-series";

    /// The model of a run on such recordings.
    pub fn of(cfg: &SeriesConfig, expected: &Expected) -> Self {
        let mut heads = cfg.heads.clone();
        if heads.kind == HeadsKind::Transformer {
            heads.positions = cfg.encoder.frames(cfg.data.window).saturating_sub(heads.steps);
        }
        SeriesModelConfig {
            kind: Self::KIND.into(),
            format: 1,
            sample_rate: expected.rate,
            channels: expected.channels.clone(),
            scale: cfg.data.scale,
            moments: expected.scale.clone(),
            gaps: cfg.data.gaps,
            time: cfg.data.time.clone(),
            subject: cfg.data.subject.clone(),
            encoder: cfg.encoder.clone(),
            context: cfg.context.clone(),
            heads,
        }
    }

    /// Reads the `config.json` of a directory.
    ///
    /// # Errors
    /// The file is missing, or has contents that this crate does not support.
    pub fn read(dir: &Path) -> Result<SeriesModelConfig> {
        read_config(dir, SeriesModelConfig::KIND, |config: &SeriesModelConfig, faults| {
            config.encoder.validate(faults);
            config.context.validate(faults);
            config.heads.validate(faults);
            config.heads.validate_sizes(config.encoder.hidden_dim, config.context.hidden_dim, faults);
            if !(config.sample_rate > 0.0 && config.sample_rate.is_finite()) {
                faults.push(Problem::new("sample_rate", format!("{} is not a rate", config.sample_rate)));
            }
            let figures = config.moments.as_ref().map(Vec::len);
            if config.channels.is_empty() || figures.is_some_and(|n| n != config.channels.len()) {
                faults.push(Problem::new("moments", "are not one for each of the channels"));
            }
            if config.scale == Scale::Corpus && figures.is_none() {
                faults.push(Problem::new("moments", "are missing, and scale is corpus"));
            }
        })
    }

    /// The sizes of the network.
    pub fn sizes(&self) -> Sizes {
        Sizes {
            channels: self.channels.len(),
            rate: self.sample_rate,
            encoder: self.encoder.clone(),
            context: self.context.clone(),
            heads: self.heads.clone(),
        }
    }

    /// What the model expects of its input.
    pub fn expected(&self) -> Expected {
        Expected { channels: self.channels.clone(), rate: self.sample_rate, scale: self.moments.clone() }
    }

    /// How its input is read; `rate` is that of recordings that do not say theirs, or 0.
    pub fn input(&self, rate: f64) -> SensorsConfig {
        let (time, subject) = (self.time.clone(), self.subject.clone());
        SensorsConfig { rate, scale: self.scale, gaps: self.gaps, time, subject, ..SensorsConfig::default() }
    }
}

/// A trained model.
#[derive(Debug, Clone)]
pub struct SeriesModel {
    /// Its sizes, and what it expects of its input.
    pub config: SeriesModelConfig,
    /// Every parameter and buffer by name, on the CPU.
    pub tensors: HashMap<String, Tensor>,
    /// The origin of the model.
    pub origin: Origin,
    /// The directory on this machine.
    pub path: PathBuf,
}

impl SeriesModel {
    /// Opens a model directory, or the `model/` of a run directory, under the name `reference`.
    ///
    /// # Errors
    /// A file is missing or damaged; the error names it.
    pub fn open(path: &Path, reference: &str) -> Result<SeriesModel> {
        if !path.exists() {
            return Err(Error::failed(
                format!("{reference}: there is no such file or directory"),
                "give a model directory or a run directory",
            ));
        }
        let path = place(path);
        let origin = Origin { reference: reference.into(), layout: "model directory".into() };
        let (config, tensors) = (SeriesModelConfig::read(&path)?, read_tensors(&path.join("model.safetensors"))?);
        Ok(SeriesModel { config, tensors, origin, path })
    }

    /// Its features of signals, on a device.
    ///
    /// # Errors
    /// The weights do not match the model; it does not have a requested layer.
    pub fn extractor(&self, layers: &[Layer], device: &Device) -> Result<Extractor> {
        Extractor::open(&self.config.sizes(), &self.tensors, &self.origin.reference, layers, device)
    }

    /// SHA-256 of the tensors in the format of `model.safetensors`, in hexadecimal.
    ///
    /// # Errors
    /// A tensor operation fails.
    pub fn sha256(&self) -> Result<String> {
        sha256_of(&self.tensors, &self.origin.reference)
    }
}
