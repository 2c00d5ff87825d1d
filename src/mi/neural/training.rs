//! How a critic is trained.

use crate::nn::{CriticKind, CriticSize};
use crate::objective::Bound;

/// How a critic is trained.
#[derive(Debug, Clone, PartialEq)]
pub struct Training {
    /// The bound that is tightened and reported.
    pub bound: Bound,
    /// The critic's form.
    pub critic: CriticKind,
    /// The critic's size.
    pub size: CriticSize,
    /// Pairs in a batch; each is contrasted with all others of its batch.
    pub batch_size: usize,
    /// Updates at most.
    pub steps: u64,
    /// Updates from one look at the validation rows to the next.
    pub look_every: u64,
    /// Looks without a better value after which training ends.
    pub patience: usize,
    /// The learning rate of Adam.
    pub lr: f64,
    /// AdamW's decay.
    pub weight_decay: f64,
    /// The seed of starts and batches.
    pub seed: u64,
}

impl Training {
    /// What is usual: two layers of 64 units, batches of 250 pairs, of 64 for the joint critic, which scores each pair by itself. (250 x 250
    /// scores are few enough for candle to go through them on one thread: several would wait for each other where critics train side by side.)
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
