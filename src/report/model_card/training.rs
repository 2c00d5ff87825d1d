//! How a model was trained, as far as it is known.

use crate::config::Config;
use serde::{Deserialize, Serialize};

/// How a model was trained. What is empty, zero or `None` is not known, and is left out of the card.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Training {
    /// The version of cpc-toolkit that trained it.
    pub cpc_version: String,
    /// The corpus: a path, of which the card gives the last part, or `hf://datasets/owner/name`.
    pub data: String,
    /// Hours of recordings trained on.
    pub hours: Option<f64>,
    /// Utterances trained on.
    pub utterances: Option<usize>,
    /// Speakers trained on.
    pub speakers: Option<usize>,
    /// Updates of the parameters.
    pub steps: u64,
    /// Windows in an update.
    pub batch_size: usize,
    /// Samples in a window.
    pub window_samples: usize,
    /// N, negatives drawn for each position; `Some(0)` is every candidate.
    pub num_negatives: Option<usize>,
    /// Where negatives are drawn from: a value of `objective.negatives_from`.
    pub negatives_from: String,
    /// Which windows share a batch: a value of `data.sampler`.
    pub sampler: String,
    /// The rule that moves the parameters: a value of `train.optimizer`.
    pub optimizer: String,
    /// The learning rate.
    pub lr: Option<f64>,
    /// The learning rate over the steps: a value of `train.schedule`.
    pub schedule: String,
    /// The seed of every random stream.
    pub seed: Option<u64>,
    /// The model whose weights it began with, as a path or reference.
    pub init: String,
    /// The figures of its weights on the validation windows.
    pub validation: Option<Validation>,
}

/// What a model reached.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Validation {
    /// On which windows: `validation`, or `training` where none were held out.
    pub on: String,
    /// Updates made before it.
    pub step: u64,
    /// InfoNCE in nats, the mean over the K steps.
    pub loss: f64,
    /// InfoNCE in nats of each step k (K).
    pub loss_per_step: Vec<f64>,
    /// The share of positions whose true future scores highest, of each step k (K).
    pub accuracy_per_step: Vec<f64>,
    /// N, the negatives that each position met, on average where batches differ: chance is an accuracy of 1 / (N + 1).
    pub negatives_met: f64,
}

impl Training {
    /// What a run's configuration knows: all but the version, the amount of data, and the figures.
    pub fn of(config: &Config) -> Self {
        let (data, train, objective) = (&config.data, &config.train, &config.objective);
        Training {
            data: data.path.clone(),
            steps: train.steps,
            batch_size: train.batch_size * train.accumulate,
            window_samples: data.window,
            num_negatives: Some(objective.num_negatives),
            negatives_from: choice(&objective.negatives_from),
            sampler: choice(&data.sampler),
            optimizer: choice(&train.optimizer),
            lr: Some(train.lr),
            schedule: choice(&train.schedule),
            seed: Some(config.seed),
            init: train.init.clone(),
            ..Training::default()
        }
    }
}

impl Validation {
    /// The candidates that a position's true future is one of: N + 1.
    pub(super) fn candidates(&self) -> f64 {
        self.negatives_met + 1.0
    }
}

/// The name of a choice, as the configuration has it.
pub(super) fn choice(choice: &impl Serialize) -> String {
    serde_json::to_value(choice).ok().and_then(|v| v.as_str().map(str::to_string)).unwrap_or_default()
}
