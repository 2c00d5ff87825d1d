//! The contrastive objective, and how it is trained.

use crate::error::Problem;
use serde::{Deserialize, Serialize};

/// Where negatives are drawn from (the paper, Table 2, together with `data.sampler`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NegativesFrom {
    /// Any frame of the batch (CPC_audio).
    Batch,
    /// Frames of the other windows of the batch.
    OtherSequences,
    /// Frames of the same window.
    SameSequence,
}

/// The `[objective]` section: what InfoNCE contrasts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ObjectiveConfig {
    /// N: negatives drawn for each position, shared by its K steps. 128 in CPC_audio. 0 uses every candidate.
    pub num_negatives: usize,
    /// Where negatives are drawn from.
    pub negatives_from: NegativesFrom,
    /// Never draw the frames that a position has to predict as its own negatives. CPC_audio does not exclude them.
    pub exclude_positive: bool,
    /// Draw negatives from the windows of all processes of a run, not only from those of the process's own batch.
    pub gather: bool,
    /// Sentences identical to the true future sentence are not counted as negatives. For text.
    pub mask_duplicates: bool,
}

impl Default for ObjectiveConfig {
    fn default() -> Self {
        ObjectiveConfig {
            num_negatives: 128,
            negatives_from: NegativesFrom::Batch,
            exclude_positive: false,
            gather: false,
            mask_duplicates: false,
        }
    }
}

impl ObjectiveConfig {
    /// Adds every value out of range to `faults`.
    pub fn validate(&self, faults: &mut Vec<Problem>) {
        if self.num_negatives > 65_536 {
            let what = format!("{} is more than 65536; 0 uses every candidate", self.num_negatives);
            faults.push(Problem::new("objective.num_negatives", what));
        }
        if self.gather && (self.num_negatives == 0 || self.mask_duplicates) {
            let what = "draws negatives; it cannot be used with num_negatives=0 or mask_duplicates=true";
            faults.push(Problem::new("objective.gather", what));
        }
        if self.gather && self.negatives_from == NegativesFrom::SameSequence {
            let what = "has no effect with negatives_from=same-sequence";
            faults.push(Problem::new("objective.gather", what));
        }
    }
}

/// The rule that updates the parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OptimizerKind {
    /// Kingma and Ba 2015.
    Adam,
    /// With decoupled weight decay (Loshchilov and Hutter 2019).
    Adamw,
}

/// The learning rate as a pure function of the step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Schedule {
    /// `lr` after the warm-up.
    Constant,
    /// From `lr` after the warm-up to 0 at the last step, along a half cosine.
    Cosine,
    /// Multiplied by `decay_factor` every `decay_every` steps.
    Step,
}

/// What is computed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PrecisionKind {
    /// `tf32` on an NVIDIA GPU, `f32` elsewhere.
    Auto,
    /// With all 24 bits of each factor.
    F32,
    /// With 11 bits of each factor, on the tensor cores of an NVIDIA GPU; sums are in f32.
    Tf32,
    /// As `tf32`; between the layers of the encoder, activations and their gradients are bf16, with 8 bits.
    Bf16,
}

/// The `[train]` section.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TrainConfig {
    /// A model whose weights training starts from; empty for random weights.
    pub init: String,
    /// Also load Adam's moments from `init`, which must then be a checkpoint.
    pub init_optimizer: bool,
    /// Number of parameter updates.
    pub steps: u64,
    /// Windows per batch. 8 per GPU in the paper (section 3.1) and CPC_audio.
    pub batch_size: usize,
    /// Batches whose gradients are accumulated before an update; negatives stay within each batch.
    pub accumulate: usize,
    /// What is computed in: `f32`; on an NVIDIA GPU also `tf32`, or `bf16` between the encoder's layers. `auto` is `tf32` there.
    pub precision: PrecisionKind,
    /// The rule that updates the parameters.
    pub optimizer: OptimizerKind,
    /// The learning rate: 2e-4 in the paper (section 3.1) and CPC_audio.
    pub lr: f64,
    /// Adam's decay rates (PyTorch's defaults).
    pub betas: [f64; 2],
    /// Adam's epsilon (CPC_audio).
    pub eps: f64,
    /// Decoupled weight decay, for `adamw` only.
    pub weight_decay: f64,
    /// The learning rate schedule.
    pub schedule: Schedule,
    /// Steps over which the learning rate rises linearly to `lr`. CPC_audio has no warm-up by default, and some seeds then collapse within
    /// the first steps: all z are the same, and accuracy stays at chance.
    pub warmup_steps: u64,
    /// For the `step` schedule: steps between two reductions.
    pub decay_every: u64,
    /// For the `step` schedule: the factor of each reduction.
    pub decay_factor: f64,
    /// The global norm that gradients are clipped to; 0 disables clipping.
    pub clip_norm: f64,
    /// Steps between two lines of metrics.
    pub log_every: u64,
    /// Steps between two validations; 0 validates only at the end.
    pub valid_every: u64,
    /// Validations without a better model after which training ends; 0 never ends it before the last step.
    pub patience: u64,
    /// Steps between two checkpoints; 0 writes one only at the end.
    pub checkpoint_every: u64,
    /// The number of most recent checkpoints to keep (the best model is kept separately, in model/).
    pub keep_last: usize,
}

impl Default for TrainConfig {
    fn default() -> Self {
        TrainConfig {
            init: String::new(),
            init_optimizer: false,
            steps: 100_000,
            batch_size: 8,
            accumulate: 1,
            precision: PrecisionKind::Auto,
            optimizer: OptimizerKind::Adam,
            lr: 2e-4,
            betas: [0.9, 0.999],
            eps: 1e-8,
            weight_decay: 0.0,
            schedule: Schedule::Constant,
            warmup_steps: 300,
            decay_every: 100_000,
            decay_factor: 0.5,
            clip_norm: 0.0,
            log_every: 10,
            valid_every: 1_000,
            patience: 0,
            checkpoint_every: 1_000,
            keep_last: 2,
        }
    }
}

impl TrainConfig {
    /// Adds every value out of range to `faults`.
    pub fn validate(&self, faults: &mut Vec<Problem>) {
        let mut check = |ok: bool, key: &str, what: String| {
            if !ok {
                faults.push(Problem::new(format!("train.{key}"), what));
            }
        };
        let positive = |v: f64| v.is_finite() && v > 0.0;
        check(self.steps > 0, "steps", "must be at least 1".into());
        check(
            (1..=65_536).contains(&self.batch_size),
            "batch_size",
            format!("{} is not between 1 and 65536", self.batch_size),
        );
        check(
            (1..=65_536).contains(&self.accumulate),
            "accumulate",
            format!("{} is not between 1 and 65536", self.accumulate),
        );
        check(positive(self.lr), "lr", format!("{} is not a positive number", self.lr));
        check(positive(self.eps), "eps", format!("{} is not a positive number", self.eps));
        let betas = self.betas.iter().all(|b| (0.0..1.0).contains(b));
        check(betas, "betas", format!("{:?} are not both at least 0 and less than 1", self.betas));
        let decay = (0.0..1e6).contains(&self.weight_decay);
        check(decay, "weight_decay", format!("{} is not a number of at least 0", self.weight_decay));
        let needless = self.weight_decay > 0.0 && self.optimizer == OptimizerKind::Adam;
        check(!needless, "weight_decay", "has no effect with adam; set train.optimizer=adamw".into());
        check(
            (0.0..1e12).contains(&self.clip_norm),
            "clip_norm",
            format!("{} is not a number of at least 0", self.clip_norm),
        );
        check(self.decay_every > 0, "decay_every", "must be at least 1".into());
        check(
            (0.0..=1.0).contains(&self.decay_factor),
            "decay_factor",
            format!("{} is not between 0 and 1", self.decay_factor),
        );
        check(
            self.patience == 0 || self.valid_every > 0,
            "patience",
            "counts validations; set train.valid_every".into(),
        );
        check(self.log_every > 0, "log_every", "must be at least 1".into());
        check(self.keep_last > 0, "keep_last", "must be at least 1".into());
    }
}
