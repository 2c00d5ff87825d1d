//! The settings of a critic's training.

use crate::nn::{CriticKind, CriticSize};
use crate::objective::Bound;

/// The settings of a critic's training.
#[derive(Debug, Clone, PartialEq)]
pub struct Training {
    /// The bound that is tightened and reported.
    pub bound: Bound,
    /// The critic's form.
    pub critic: CriticKind,
    /// The critic's size.
    pub size: CriticSize,
    /// The number of pairs in a batch; each is contrasted with all others of its batch.
    pub batch_size: usize,
    /// The maximum number of updates.
    pub steps: u64,
    /// The number of updates between two evaluations on the validation rows.
    pub look_every: u64,
    /// The number of evaluations without a better value after which training ends.
    pub patience: usize,
    /// The learning rate of Adam.
    pub lr: f64,
    /// AdamW's weight decay.
    pub weight_decay: f64,
    /// The seed of initial weights and batches.
    pub seed: u64,
}

impl Training {
    /// The defaults: two layers of 64 units and batches of 250 pairs, or 64 for the joint critic, which scores each pair by itself. (250 x 250
    /// scores are few enough for candle to process them on one thread. Several threads would wait for each other when critics train in parallel.)
    pub fn new(bound: Bound, critic: CriticKind, seed: u64) -> Training {
        Training {
            bound,
            critic,
            size: CriticSize { hidden_dim: 64, layers: 2, embedding_dim: 16 },
            batch_size: if critic == CriticKind::Joint { 64 } else { 250 },
            steps: 5000,
            look_every: 50,
            patience: 10,
            lr: 1e-3,
            weight_decay: 0.01,
            seed,
        }
    }
}
