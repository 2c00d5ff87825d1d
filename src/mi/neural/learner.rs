//! A critic with its optimizer, and one update of it.

use crate::config::{OptimizerKind, TrainConfig};
use crate::error::Result;
use crate::mi::neural::training::Training;
use crate::nn::{Baseline, Critic, Optimizer, ParamStore};
use crate::objective::{Bound, Surrogate, rows_of};
use candle_core::{Device, Tensor};
use std::collections::HashMap;

/// The global norm that gradients are clipped to: bounds with exponentials have rare gradients that are thousands of times too large.
const CLIP: f64 = 5.0;

/// A critic, its optimizer, and the state of its training.
pub(crate) struct Learner {
    store: ParamStore,
    critic: Critic,
    baseline: Option<Baseline>,
    optimizer: Optimizer,
    surrogate: Surrogate,
    cfg: TrainConfig,
    bound: Bound,
    lr: f64,
}

impl Learner {
    /// A learner for x (p) and y (q).
    pub fn new(dims: [usize; 2], training: &Training) -> Result<Learner> {
        let store = ParamStore::new(training.seed, &Device::Cpu);
        let vb = store.builder();
        let critic = Critic::new(training.critic, dims, training.size, &vb)?;
        let baseline = training.bound.wants_baseline();
        let baseline = baseline.then(|| Baseline::new(dims[1], training.size, &vb)).transpose()?;
        let cfg = TrainConfig {
            optimizer: OptimizerKind::Adamw,
            weight_decay: training.weight_decay,
            clip_norm: CLIP,
            ..TrainConfig::default()
        };
        let (optimizer, surrogate) = (Optimizer::new(&store)?, Surrogate::new(training.bound));
        Ok(Learner { store, critic, baseline, optimizer, surrogate, cfg, bound: training.bound, lr: training.lr })
    }

    /// The critic, and the baseline if there is one, on the same storage and without a graph. They see every update.
    pub fn frozen(&self, dims: [usize; 2], training: &Training) -> Result<(Critic, Option<Baseline>)> {
        let vb = self.store.frozen();
        let baseline = self.baseline.is_some();
        let baseline = baseline.then(|| Baseline::new(dims[1], training.size, &vb)).transpose()?;
        Ok((Critic::new(training.critic, dims, training.size, &vb)?, baseline))
    }

    /// One update. `scores` computes T(x_j, y_i) of all pairs of a batch (N, N) with the critic; `y` (N, q) is for the baseline. If `valued`,
    /// returns the bound on this batch before the update.
    pub fn learn(
        &mut self,
        scores: impl FnOnce(&Critic) -> Result<Tensor>,
        y: &Tensor,
        valued: bool,
    ) -> Result<Option<f64>> {
        let mut scores = scores(&self.critic)?;
        if self.bound == Bound::LeaveOneOut {
            scores = scores.t()?.contiguous()?; // its rows belong to x
        }
        let (rows, log_a) = (rows_of(&scores)?, self.baseline.as_ref().map(|b| b.forward(y)).transpose()?);
        let value = valued.then(|| self.bound.estimate(&rows, log_a.as_ref())).transpose()?;
        let loss = self.surrogate.loss(&rows, log_a.as_ref())?;
        self.descend(&loss)?;
        Ok(value)
    }

    /// One update of a conditional density, by the likelihood of the pairs of `x` (N, p) and `y` (N, q).
    pub fn learn_density(&mut self, x: &Tensor, y: &Tensor) -> Result<()> {
        let loss = self.critic.pairs(x, y)?.mean_all()?.neg()?;
        self.descend(&loss)
    }

    fn descend(&mut self, loss: &Tensor) -> Result<()> {
        let gradients = self.optimizer.collect(loss.backward()?, &[])?;
        self.optimizer.step(&gradients, 1.0, self.lr, &self.cfg)?;
        Ok(())
    }

    /// Copies of the parameters, which later updates do not change.
    pub fn copies(&self) -> Result<HashMap<String, Tensor>> {
        self.store.tensors().into_iter().map(|(name, tensor)| Ok((name, tensor.copy()?))).collect()
    }

    /// Restores the parameters from copies.
    pub fn restore(&self, copies: &HashMap<String, Tensor>) -> Result<()> {
        self.store.load(copies, None, "the best critic")
    }
}
