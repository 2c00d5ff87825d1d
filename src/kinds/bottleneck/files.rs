//! The `config.json` of an information bottleneck model.

use crate::config::ImageSize;
use crate::kinds::bottleneck::{BottleneckConfig, BottleneckEncoderConfig, BottleneckObjectiveConfig};
use serde::{Deserialize, Serialize};

/// The `config.json` of an information bottleneck model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BottleneckModelConfig {
    /// `ib`.
    #[serde(alias = "model_type")]
    pub kind: String,
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
    /// The name of this kind of model.
    pub const KIND: &'static str = "ib";

    /// The model of a run on images of a given size with `classes` labels.
    pub fn new(cfg: &BottleneckConfig, size: ImageSize, classes: usize) -> Self {
        BottleneckModelConfig {
            kind: Self::KIND.into(),
            format: 1,
            size,
            classes,
            encoder: cfg.encoder.clone(),
            objective: cfg.objective.clone(),
        }
    }
}
