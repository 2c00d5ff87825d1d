//! The configuration of a generative adversarial network with MINE against mode collapse (Belghazi et al. 2018, section 5.1).

use crate::config::layers::Sections;
use crate::config::{TrainConfig, check_dim};
use crate::error::Problem;
use serde::{Deserialize, Serialize};

/// The `[generator]` section, G([e, c]).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GeneratorConfig {
    /// Dimension of e, the noise.
    pub noise_dim: usize,
    /// Dimension of c, the code that the samples should carry information about.
    pub code_dim: usize,
    /// Units of each hidden layer; for images, channels at the smallest resolution and after each doubling.
    pub hidden_dims: Vec<usize>,
}

impl Default for GeneratorConfig {
    fn default() -> Self {
        GeneratorConfig { noise_dim: 3, code_dim: 3, hidden_dims: vec![128; 3] }
    }
}

/// The `[objective]` section: V(D, G) - beta I(G([e, c]); c).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GanObjectiveConfig {
    /// The weight of the information, in nats, in the generator's objective; 0 for a plain GAN.
    pub beta: f64,
    /// The weight of a new batch in MINE's running mean.
    pub rate: f64,
    /// Units of each hidden layer of the discriminator; for images, channels of its convolutions.
    pub discriminator_dims: Vec<usize>,
    /// Units of each hidden layer of MINE's network.
    pub critic_dims: Vec<usize>,
    /// Whether the gradient of the information is clipped to the norm of the adversarial gradient.
    pub adaptive_clipping: bool,
}

impl Default for GanObjectiveConfig {
    fn default() -> Self {
        GanObjectiveConfig {
            beta: 1.0,
            rate: 0.01,
            discriminator_dims: vec![128; 3],
            critic_dims: vec![128; 3],
            adaptive_clipping: true,
        }
    }
}

/// The `[data]` section.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GanDataConfig {
    /// DATA: `toy:25-gaussians`, `toy:spiral`, or `stacked:` followed by a directory of images.
    pub path: String,
    /// For stacked images: a model of the preset image-supervised, which classifies the samples.
    pub classifier: String,
    /// The number of stacks that are generated and classified after training; 26,000 in the papers.
    pub counted: usize,
}

impl Default for GanDataConfig {
    fn default() -> Self {
        GanDataConfig { path: String::new(), classifier: String::new(), counted: 26_000 }
    }
}

/// The complete configuration of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GanConfig {
    /// The seed of every random stream.
    pub seed: u64,
    /// G.
    pub generator: GeneratorConfig,
    /// The objective.
    pub objective: GanObjectiveConfig,
    /// The data that the generator imitates.
    pub data: GanDataConfig,
    /// How the networks are trained.
    pub train: TrainConfig,
}

impl Default for GanConfig {
    fn default() -> Self {
        GanConfig {
            seed: 0,
            generator: GeneratorConfig::default(),
            objective: GanObjectiveConfig::default(),
            data: GanDataConfig::default(),
            train: TrainConfig {
                batch_size: 256,
                lr: 1e-3,
                betas: [0.5, 0.999],
                warmup_steps: 0,
                ..TrainConfig::default()
            },
        }
    }
}

impl Sections for GanConfig {
    fn collect_faults(&self, faults: &mut Vec<Problem>) {
        self.train.validate(faults);
        let (g, o) = (&self.generator, &self.objective);
        check_dim("generator.noise_dim", g.noise_dim, faults);
        check_dim("generator.code_dim", g.code_dim, faults);
        g.hidden_dims.iter().for_each(|&dim| check_dim("generator.hidden_dims", dim, faults));
        o.discriminator_dims.iter().for_each(|&dim| check_dim("objective.discriminator_dims", dim, faults));
        o.critic_dims.iter().for_each(|&dim| check_dim("objective.critic_dims", dim, faults));
        let mut check = |ok: bool, key: &str, what: String| {
            if !ok {
                faults.push(Problem::new(key, what));
            }
        };
        check((0.0..=1e6).contains(&o.beta), "objective.beta", format!("{} is not a number of at least 0", o.beta));
        check(o.rate > 0.0 && o.rate <= 1.0, "objective.rate", format!("{} is not above 0 and at most 1", o.rate));
        check(self.data.counted > 0, "data.counted", "0 samples cover no modes; choose 1 or more".into());
        check(!o.critic_dims.is_empty(), "objective.critic_dims", "name at least one hidden layer".into());
        check(
            self.train.batch_size > 1,
            "train.batch_size",
            "a batch of 1 sample has no other samples to pair with; choose 2 or more".into(),
        );
        check(
            self.train.init.is_empty(),
            "train.init",
            "these networks start from random weights; remove this key".into(),
        );
    }
}
