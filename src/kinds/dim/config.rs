//! The configuration of Deep InfoMax (Hjelm et al. 2019), which maps images to vectors.

use crate::config::layers::Sections;
use crate::config::{ImageDataConfig, ImageEncoderConfig, LocalCriticKind, TrainConfig, check_dim};
use crate::error::Problem;
use serde::{Deserialize, Serialize};

/// How mutual information is estimated (Hjelm et al. 2019, section 3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DimEstimator {
    /// Donsker-Varadhan (equation 2).
    Dv,
    /// Jensen-Shannon (equation 4).
    Jsd,
    /// Noise-contrastive (equation 5).
    Infonce,
}

/// The `[objective]` section: equation 8, `alpha * global + beta / M^2 * sum over locations of local + gamma * prior`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DimObjectiveConfig {
    /// How mutual information is estimated.
    pub estimator: DimEstimator,
    /// The weight of the information between all locations jointly and Y.
    pub alpha: f64,
    /// The weight of the mean information between a location and Y.
    pub beta: f64,
    /// The weight of matching the distribution of Y to the prior, which is uniform in each dimension.
    pub gamma: f64,
    /// The form of the local critic.
    pub local_critic: LocalCriticKind,
    /// Dimension of the common space of `dot`: 2048 in the paper. `concat` has layers of 512 units, like the global critic.
    pub critic_dim: usize,
    /// The weight of the squared gradient norm of the prior's discriminator, a penalty that keeps the discriminator from outpacing the encoder.
    pub gradient_penalty: f64,
    /// The weight of the cross-entropy of labels that a linear layer predicts from Y; 0 ignores labels. An encoder trained with labels is
    /// the baseline for unsupervised encoders.
    pub labels: f64,
}

impl Default for DimObjectiveConfig {
    fn default() -> Self {
        DimObjectiveConfig {
            estimator: DimEstimator::Jsd,
            alpha: 0.0,
            beta: 1.0,
            gamma: 0.1,
            local_critic: LocalCriticKind::Dot,
            critic_dim: 2048,
            gradient_penalty: 1.0,
            labels: 0.0,
        }
    }
}

impl DimObjectiveConfig {
    /// Adds every value out of range to `faults`.
    pub fn validate(&self, faults: &mut Vec<Problem>) {
        let weights = [
            ("alpha", self.alpha),
            ("beta", self.beta),
            ("gamma", self.gamma),
            ("labels", self.labels),
            ("gradient_penalty", self.gradient_penalty),
        ];
        for (key, weight) in weights {
            if !(0.0..=1e6).contains(&weight) {
                faults
                    .push(Problem::new(format!("objective.{key}"), format!("{weight} is not a number of at least 0")));
            }
        }
        if self.alpha + self.beta + self.labels == 0.0 {
            let what = "objective.beta and objective.labels are 0 too: nothing is learned";
            faults.push(Problem::new("objective.alpha", what));
        }
        check_dim("objective.critic_dim", self.critic_dim, faults);
    }
}

/// The complete configuration of a run of Deep InfoMax.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DimConfig {
    /// The seed of every random stream.
    pub seed: u64,
    /// The encoder.
    pub encoder: ImageEncoderConfig,
    /// The objective that is maximized.
    pub objective: DimObjectiveConfig,
    /// The source of images.
    pub data: ImageDataConfig,
    /// How the model is trained: Adam with learning rate 1e-4 and betas .5 and .999, batches of 64 (the authors' code).
    pub train: TrainConfig,
}

impl Default for DimConfig {
    fn default() -> Self {
        DimConfig {
            seed: 0,
            encoder: ImageEncoderConfig::default(),
            objective: DimObjectiveConfig::default(),
            data: ImageDataConfig::default(),
            train: TrainConfig {
                batch_size: 64,
                lr: 1e-4,
                betas: [0.5, 0.999],
                warmup_steps: 0,
                ..TrainConfig::default()
            },
        }
    }
}

impl Sections for DimConfig {
    fn collect_faults(&self, faults: &mut Vec<Problem>) {
        self.encoder.validate(faults);
        self.objective.validate(faults);
        self.data.validate(faults);
        self.train.validate(faults);
        if self.train.batch_size < 2 {
            faults.push(Problem::new("train.batch_size", "a batch of 1 image has no negatives; choose 2 or more"));
        }
        if !self.train.init.is_empty() {
            faults.push(Problem::new("train.init", "image models start from random weights; remove this key"));
        }
    }
}
