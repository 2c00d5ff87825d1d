//! The configuration of Deep InfoMax (Hjelm et al. 2019): images in, a vector for each out.

use super::layers::Sections;
use super::model::check_dim;
use super::train::TrainConfig;
use crate::error::Problem;
use serde::{Deserialize, Serialize};

/// The convolutions of an encoder, as the authors' code names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Architecture {
    /// What fits the size of the images.
    #[serde(rename = "auto")]
    Auto,
    /// 64 and 128 channels of 5/2/2.
    #[serde(rename = "basic28x28")]
    Basic28x28,
    /// 64, 128 and 256 channels of 4/2/1 with batch norm.
    #[serde(rename = "basic32x32")]
    Basic32x32,
    /// 64, 128, 256 and 512 channels of 4/2/1 with batch norm.
    #[serde(rename = "basic64x64")]
    Basic64x64,
}

impl Architecture {
    /// What [`Architecture::Auto`] is for images of a height and width; none if nothing fits.
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

    /// The convolution, from 0, whose places are the local features: those of 7 x 7 or 8 x 8.
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
    /// Units of the fully connected layer behind them.
    pub fc_dim: usize,
    /// Numbers in Y, what the encoder makes of an image: 64 in the paper.
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
    /// Donsker and Varadhan (equation 2).
    Dv,
    /// Jensen and Shannon (equation 4).
    Jsd,
    /// Noise-contrastive (equation 5).
    Infonce,
}

/// The form of the local critic (Hjelm et al. 2019, section 3.3 and appendix A.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LocalCriticKind {
    /// Encode and dot product: the features of each place and Y are mapped to one space.
    Dot,
    /// Concatenate and convolve: a network of the features of a place together with Y.
    Concat,
}

/// The `[objective]` section: equation 8, `alpha * global + beta / M^2 * sum over places of local + gamma * prior`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DimObjectiveConfig {
    /// How mutual information is estimated.
    pub estimator: DimEstimator,
    /// The weight of the information between all places together and Y.
    pub alpha: f64,
    /// The weight of the mean information between a place and Y.
    pub beta: f64,
    /// The weight of making Y look like the prior, uniform in each number.
    pub gamma: f64,
    /// The form of the local critic.
    pub local_critic: LocalCriticKind,
    /// Numbers that `dot` maps to: 2048 in the paper. `concat` has layers of 512, as the global critic.
    pub critic_dim: usize,
    /// The weight of the squared slope of the prior's discriminator: what keeps it from running ahead.
    pub gradient_penalty: f64,
    /// The weight of the cross-entropy of labels that a linear layer reads off Y; 0 leaves labels alone. The encoder that is trained with
    /// labels is what unsupervised ones are compared with.
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
    /// The share of the training images that are kept for validation.
    pub valid_share: f64,
    /// Images validated on, at most.
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

/// Everything that a run of Deep InfoMax is made of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DimConfig {
    /// The seed of every random stream.
    pub seed: u64,
    /// The encoder.
    pub encoder: ImageEncoderConfig,
    /// What is maximised.
    pub objective: DimObjectiveConfig,
    /// Where images come from.
    pub data: ImageDataConfig,
    /// How the model is trained: Adam of 1e-4, betas .5 and .999, batches of 64 (the authors' code).
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
            faults.push(Problem::new("train.batch_size", "1 image has no others to be told from; choose 2 or more"));
        }
        if !self.train.init.is_empty() {
            faults.push(Problem::new("train.init", "models of images begin at random; leave it out"));
        }
    }
}
