//! How a model was trained, as far as it is known.

use crate::kinds::audio::AudioConfig;
use crate::kinds::word;
use serde::{Deserialize, Serialize};

/// How a model was trained. A field that is empty, zero or `None` is not known, and is omitted from the card.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Training {
    /// The version of cpc-toolkit that trained it.
    pub cpc_version: String,
    /// The corpus: a path, of which the card shows only the last part, or `hf://datasets/owner/name`.
    pub data: String,
    /// Hours of recordings trained on.
    pub hours: Option<f64>,
    /// Number of utterances trained on.
    pub utterances: Option<usize>,
    /// Number of speakers trained on.
    pub speakers: Option<usize>,
    /// Number of parameter updates.
    pub steps: u64,
    /// Number of windows per update.
    pub batch_size: usize,
    /// Number of samples per window.
    pub window_samples: usize,
    /// N, the number of negatives drawn for each position; `Some(0)` means every candidate.
    pub num_negatives: Option<usize>,
    /// Where negatives are drawn from: a value of `objective.negatives_from`.
    pub negatives_from: String,
    /// Which windows share a batch: a value of `data.sampler`.
    pub sampler: String,
    /// The optimizer that updates the parameters: a value of `train.optimizer`.
    pub optimizer: String,
    /// The learning rate.
    pub lr: Option<f64>,
    /// The learning rate schedule: a value of `train.schedule`.
    pub schedule: String,
    /// The seed of every random stream.
    pub seed: Option<u64>,
    /// The model whose weights it was initialized with, as a path or reference.
    pub init: String,
    /// The figures of its weights on the validation windows.
    pub validation: Option<Validation>,
}

/// The performance that a model reached.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Validation {
    /// The windows it was measured on: `validation`, or `training` if none were held out.
    pub on: String,
    /// Number of updates made before the measurement.
    pub step: u64,
    /// InfoNCE in nats, the mean over the K steps.
    pub loss: f64,
    /// InfoNCE in nats for each step k (K).
    pub loss_per_step: Vec<f64>,
    /// The share of positions whose true future scores highest, for each step k (K).
    pub accuracy_per_step: Vec<f64>,
    /// N, the number of negatives for each position, averaged if batches differ: chance level is an accuracy of 1 / (N + 1).
    pub negatives_met: f64,
}

impl Training {
    /// The facts contained in a run's configuration: everything except the version, the amount of data, and the figures.
    pub fn of(config: &AudioConfig) -> Self {
        let (data, train, objective) = (&config.data, &config.train, &config.objective);
        Training {
            data: data.path.clone(),
            steps: train.steps,
            batch_size: train.batch_size * train.accumulate,
            window_samples: data.window,
            num_negatives: Some(objective.num_negatives),
            negatives_from: word(&objective.negatives_from),
            sampler: word(&data.sampler),
            optimizer: word(&train.optimizer),
            lr: Some(train.lr),
            schedule: word(&train.schedule),
            seed: Some(config.seed),
            init: train.init.clone(),
            ..Training::default()
        }
    }
}

impl Validation {
    /// Number of candidates for each position, including the true future: N + 1.
    pub(super) fn candidates(&self) -> f64 {
        self.negatives_met + 1.0
    }
}
