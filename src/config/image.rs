//! The configuration of Deep InfoMax (Hjelm et al. 2019), which maps each image to a vector.

use super::layers::Sections;
use super::model::check_dim;
use super::train::TrainConfig;
use crate::error::Problem;
use serde::{Deserialize, Serialize};

/// The convolutional architecture of an encoder, named as in the authors' code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Architecture {
    /// The architecture that fits the size of the images.
    #[serde(rename = "auto")]
    Auto,
    /// Convolutions of 64 and 128 channels, kernel/stride/padding 5/2/2.
    #[serde(rename = "basic28x28")]
    Basic28x28,
    /// Convolutions of 64, 128 and 256 channels, kernel/stride/padding 4/2/1, with batch norm.
    #[serde(rename = "basic32x32")]
    Basic32x32,
    /// Convolutions of 64, 128, 256 and 512 channels, kernel/stride/padding 4/2/1, with batch norm.
    #[serde(rename = "basic64x64")]
    Basic64x64,
}

impl Architecture {
    /// The architecture that [`Architecture::Auto`] stands for, given the height and width of the images; none if none fits.
    pub fn of(self, size: [usize; 2]) -> Option<Architecture> {
        let side = |n| size == [n, n];
        let fitting = [(28, Self::Basic28x28), (32, Self::Basic32x32), (64, Self::Basic64x64)];
        fitting.into_iter().find(|&(n, kind)| side(n) && (self == Self::Auto || self == kind)).map(|(_, kind)| kind)
    }

    /// The channels of each convolution.
    pub fn channels(self) -> &'static [usize] {
        match self {
            Self::Auto => &[],
            Self::Basic28x28 => &[64, 128],
            Self::Basic32x32 => &[64, 128, 256],
            Self::Basic64x64 => &[64, 128, 256, 512],
        }
    }

    /// Kernel, stride and padding of every convolution.
    pub fn window(self) -> [usize; 3] {
        match self {
            Self::Basic28x28 | Self::Auto => [5, 2, 2],
            Self::Basic32x32 | Self::Basic64x64 => [4, 2, 1],
        }
    }

    /// Whether each convolution and the fully connected layer have batch norm.
    pub fn batch_norm(self) -> bool {
        matches!(self, Self::Basic32x32 | Self::Basic64x64)
    }

    /// The index, from 0, of the convolution whose output gives the local features, at 7 x 7 or 8 x 8 locations.
    pub fn local(self) -> usize {
        if self == Self::Basic64x64 { 2 } else { 1 }
    }
}

/// The `[encoder]` section.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ImageEncoderConfig {
    /// The convolutions.
    pub architecture: Architecture,
    /// Units of the fully connected layer after the convolutions.
    pub fc_dim: usize,
    /// Dimension of Y, the encoder's output for an image: 64 in the paper.
    pub latent_dim: usize,
}

impl Default for ImageEncoderConfig {
    fn default() -> Self {
        ImageEncoderConfig { architecture: Architecture::Auto, fc_dim: 1024, latent_dim: 64 }
    }
}

impl ImageEncoderConfig {
    /// Adds every value out of range to `faults`.
    pub fn validate(&self, faults: &mut Vec<Problem>) {
        check_dim("encoder.fc_dim", self.fc_dim, faults);
        check_dim("encoder.latent_dim", self.latent_dim, faults);
    }
}

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

/// The form of the local critic (Hjelm et al. 2019, section 3.3 and appendix A.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LocalCriticKind {
    /// Encode and dot product: the features of each location and Y are mapped to a common space.
    Dot,
    /// Concatenate and convolve: a network applied to the features of a location concatenated with Y.
    Concat,
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
    /// The weight of the cross-entropy of labels that a linear layer predicts from Y; 0 ignores labels. The encoder that is trained with
    /// labels is the baseline that unsupervised ones are compared with.
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
            let what = "objective.beta and objective.labels are 0 too: nothing is learnt";
            faults.push(Problem::new("objective.alpha", what));
        }
        check_dim("objective.critic_dim", self.critic_dim, faults);
    }
}

/// The `[data]` section.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ImageDataConfig {
    /// DATA.
    pub path: String,
    /// The fraction of the training images that is held out for validation.
    pub valid_share: f64,
    /// The maximum number of validation images.
    pub valid_images: usize,
}

impl Default for ImageDataConfig {
    fn default() -> Self {
        ImageDataConfig { path: String::new(), valid_share: 0.02, valid_images: 1024 }
    }
}

impl ImageDataConfig {
    /// Adds every value out of range to `faults`.
    pub fn validate(&self, faults: &mut Vec<Problem>) {
        if !(0.0..0.9).contains(&self.valid_share) {
            faults.push(Problem::new("data.valid_share", format!("{} is not from 0 to 0.9", self.valid_share)));
        }
        if self.valid_images == 0 {
            faults.push(Problem::new(
                "data.valid_images",
                "must be at least 1; set data.valid_share=0 for no validation",
            ));
        }
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
    const PRESETS: &'static [(&'static str, &'static str)] = &[
        ("dim-local", include_str!("../../data/presets/dim-local.toml")),
        ("dim-global", include_str!("../../data/presets/dim-global.toml")),
        ("dim-both", include_str!("../../data/presets/dim-both.toml")),
        ("image-supervised", include_str!("../../data/presets/image-supervised.toml")),
    ];
    const USUAL: &'static str = "dim-local";
    const MARKS: &'static [(&'static str, &'static str)] = &[("encoder", "architecture"), ("encoder", "fc_dim")];

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
