//! Lines of metrics.

use serde::Serialize;
use std::collections::BTreeMap;

/// Metrics of batches: loss and accuracy of each step k with the accuracy at chance, and metrics by name.
#[derive(Debug, Default, Clone, PartialEq, Serialize)]
pub struct Figures {
    /// Mean over the K steps, in nats; or the metric named `loss`.
    pub loss: f64,
    /// Loss of each step k, in nats.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub loss_per_step: Vec<f64>,
    /// The fraction of positions whose true future scores highest, for each step k.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub accuracy_per_step: Vec<f64>,
    /// log(N + 1) - loss, for each step k: a lower bound on the mutual information of c_t and z_{t+k}, in nats.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub bound_per_step: Vec<f64>,
    /// The accuracy at chance: 1 / (N + 1); 0 for models without steps.
    #[serde(skip_serializing_if = "is_zero")]
    pub chance: f64,
    /// Metrics by name, for models without steps.
    #[serde(flatten)]
    pub named: BTreeMap<&'static str, f64>,
}

fn is_zero(x: &f64) -> bool {
    *x == 0.0
}

impl Figures {
    /// The metrics for losses and accuracies of each step, with `negatives` negatives.
    pub fn new(loss: Vec<f64>, accuracy: Vec<f64>, negatives: f64) -> Self {
        let candidates = negatives + 1.0;
        Figures {
            loss: loss.iter().sum::<f64>() / loss.len().max(1) as f64,
            bound_per_step: loss.iter().map(|l| candidates.ln() - l).collect(),
            loss_per_step: loss,
            accuracy_per_step: accuracy,
            chance: 1.0 / candidates,
            named: BTreeMap::new(),
        }
    }

    /// A metric by its name; the loss if there is none of that name.
    pub fn value(&self, name: &str) -> f64 {
        self.named.get(name).copied().unwrap_or(self.loss)
    }

    /// The metrics for values in the order of [`Measured::values`](super::task::Measured).
    pub(crate) fn of(values: &[f64], steps: usize, names: &[&'static str], negatives: f64) -> Self {
        if steps > 0 {
            let (loss, rest) = values.split_at(steps.min(values.len()));
            return Figures::new(loss.to_vec(), rest[..steps.min(rest.len())].to_vec(), negatives);
        }
        let mut named: BTreeMap<&'static str, f64> = names.iter().copied().zip(values.iter().copied()).collect();
        Figures { loss: named.remove("loss").unwrap_or_default(), named, ..Figures::default() }
    }
}

/// A line of training metrics: means over the batches since the last line, unless stated otherwise.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TrainLine {
    /// Number of updates made.
    pub step: u64,
    /// The epoch of the last batch, from 0.
    pub epoch: u64,
    /// The learning rate of the last update.
    pub lr: f64,
    /// The metrics.
    #[serde(flatten)]
    pub figures: Figures,
    /// The global norm of the last update's gradient, before clipping.
    pub grad_norm: f64,
    /// The median duration of a complete step, in seconds.
    pub step_seconds: f64,
    /// The mean time that the trainer waited for data, in seconds per step.
    pub data_wait_seconds: f64,
    /// The amount of data trained on per second of wall-clock time, in the unit of the task.
    #[serde(skip)]
    pub rate: f64,
    /// The peak resident memory of the process, in bytes; 0 where the system does not report it.
    pub peak_rss_bytes: u64,
}

/// A line of validation metrics.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ValidLine {
    /// Number of updates made before the validation.
    pub step: u64,
    /// The metrics, means over the validation windows.
    #[serde(flatten)]
    pub figures: Figures,
    /// The mean standard deviation of the dimensions of z.
    pub spread: f64,
    /// The number of directions that z uses: the participation ratio of the eigenvalues of its covariance.
    pub effective_rank: f64,
    /// Number of validation windows.
    pub windows: usize,
    /// The duration of the validation, in seconds.
    pub seconds: f64,
}
