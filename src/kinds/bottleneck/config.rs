//! The configuration of the information bottleneck (Alemi et al. 2017; Belghazi et al. 2018, section 5.3).

use crate::config::layers::Sections;
use crate::config::{ImageDataConfig, TrainConfig, check_dim};
use crate::error::Problem;
use serde::{Deserialize, Serialize};

/// The `[encoder]` section: fully connected layers, which do not use the positions of pixels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BottleneckEncoderConfig {
    /// Units of each hidden layer.
    pub hidden_dims: Vec<usize>,
    /// Dimension of Z: 256 in the papers.
    pub code_dim: usize,
}

impl Default for BottleneckEncoderConfig {
    fn default() -> Self {
        BottleneckEncoderConfig { hidden_dims: vec![1024, 1024], code_dim: 256 }
    }
}

/// How noise enters Z, and how I(X; Z) is estimated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Information {
    /// Z = m(X) + s(X) noise; estimated by the divergence from a standard normal, an upper bound (Alemi et al. 2017).
    Vib,
    /// Z = m(X) + s(X) noise; estimated by MINE.
    MineGaussian,
    /// Z = m(X) + noise; estimated by MINE.
    MineAdditive,
    /// Z = m(X + noise): the noise passes through the encoder; estimated by MINE.
    MinePropagated,
}

impl Information {
    /// Whether I(X; Z) is estimated by MINE.
    pub fn by_mine(self) -> bool {
        self != Information::Vib
    }
}

/// The `[objective]` section: H(Y|Z) + beta I(X;Z), which is minimized.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BottleneckObjectiveConfig {
    /// How noise enters Z, and how I(X; Z) is estimated.
    pub information: Information,
    /// The cost of one nat of I(X;Z).
    pub beta: f64,
    /// Units of each of MINE's two hidden layers.
    pub critic_dim: usize,
    /// The weight of a new batch in MINE's running mean.
    pub rate: f64,
    /// The standard deviation of the noise of `mine-propagated`, with pixels from -1 to 1.
    pub noise: f64,
    /// The number of codes per image whose class probabilities are averaged, in validation and test; 12 in Alemi et al. 2017.
    pub samples: usize,
}

impl Default for BottleneckObjectiveConfig {
    fn default() -> Self {
        BottleneckObjectiveConfig {
            information: Information::Vib,
            beta: 1e-3,
            critic_dim: 512,
            rate: 0.01,
            noise: 0.3,
            samples: 12,
        }
    }
}

/// The complete configuration of a run of the information bottleneck.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BottleneckConfig {
    /// The seed of every random stream.
    pub seed: u64,
    /// The encoder.
    pub encoder: BottleneckEncoderConfig,
    /// The objective that is minimized.
    pub objective: BottleneckObjectiveConfig,
    /// The source of images.
    pub data: ImageDataConfig,
    /// How the model is trained.
    pub train: TrainConfig,
}

impl Default for BottleneckConfig {
    fn default() -> Self {
        BottleneckConfig {
            seed: 0,
            encoder: BottleneckEncoderConfig::default(),
            objective: BottleneckObjectiveConfig::default(),
            data: ImageDataConfig::default(),
            train: TrainConfig {
                batch_size: 100,
                lr: 1e-4,
                betas: [0.5, 0.999],
                warmup_steps: 0,
                ..TrainConfig::default()
            },
        }
    }
}

impl Sections for BottleneckConfig {
    fn collect_faults(&self, faults: &mut Vec<Problem>) {
        self.data.validate(faults);
        self.train.validate(faults);
        self.encoder.hidden_dims.iter().for_each(|&dim| check_dim("encoder.hidden_dims", dim, faults));
        check_dim("encoder.code_dim", self.encoder.code_dim, faults);
        check_dim("objective.critic_dim", self.objective.critic_dim, faults);
        let mut check = |ok: bool, key: &str, what: String| {
            if !ok {
                faults.push(Problem::new(key, what));
            }
        };
        let o = &self.objective;
        check((0.0..=1e6).contains(&o.beta), "objective.beta", format!("{} is not a number of at least 0", o.beta));
        check(o.rate > 0.0 && o.rate <= 1.0, "objective.rate", format!("{} is not above 0 and at most 1", o.rate));
        check((0.0..=1e3).contains(&o.noise), "objective.noise", format!("{} is not from 0 to 1000", o.noise));
        check((1..=1000).contains(&o.samples), "objective.samples", format!("{} is not from 1 to 1000", o.samples));
        check(
            self.train.batch_size > 1,
            "train.batch_size",
            "a batch of 1 image has no other images to pair with; choose 2 or more".into(),
        );
        check(
            self.train.init.is_empty(),
            "train.init",
            "image models start from random weights; remove this key".into(),
        );
    }
}
