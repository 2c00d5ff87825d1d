//! Training of one critic, until it no longer improves on validation rows.

use crate::error::{Error, Result};
use crate::mi::neural::learner::Learner;
use crate::mi::neural::scores::{HeldOutRows, block};
use crate::mi::neural::training::Training;
use crate::mi::parallel::go_on;
use crate::mi::permutation::shuffled;
use crate::nn::{Baseline, Critic};
use crate::objective::Bound;
use crate::seed::stream;
use candle_core::Tensor;
use std::collections::HashMap;

/// The number of training rows and of validation rows that a point of a curve is computed on.
const LOOKED_AT: usize = 2000;

/// The bound while a critic is trained, in nats.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CurvePoint {
    /// Updates so far.
    pub step: u64,
    /// On training rows.
    pub train: f64,
    /// On validation rows.
    pub valid: f64,
}

/// A critic at its best value on validation rows.
pub struct Fitted {
    critic: Critic,
    baseline: Option<Baseline>,
    bound: Bound,
    block: usize,
    best: CurvePoint,
    /// The bound at each evaluation.
    pub curve: Vec<CurvePoint>,
}

impl Fitted {
    /// The point with the best value on validation rows.
    pub fn best(&self) -> CurvePoint {
        self.best
    }

    /// Whether the best evaluation is among the last ones: training ended before it had converged.
    pub fn rising(&self, training: &Training) -> bool {
        self.curve
            .last()
            .is_some_and(|last| last.step >= training.steps && last.step - self.best.step <= 2 * training.look_every)
    }

    /// HeldOutRows of scores (R, 1 + M) for `rows`, in blocks of about `block`, and log a(y) if there is a baseline.
    pub(super) fn scores(&self, data: &HeldOutRows, rows: &[u32], block: usize) -> Result<(Tensor, Option<Tensor>)> {
        let scores = data.scores(Some(&self.critic), rows, block, self.bound)?;
        let baseline = self.baseline.as_ref().map(|b| b.forward(&data.y(rows)?)).transpose()?;
        Ok((scores, baseline))
    }

    fn value(&self, data: &HeldOutRows, rows: &[u32]) -> Result<f64> {
        let (scores, baseline) = self.scores(data, &rows[..rows.len().min(LOOKED_AT)], self.block)?;
        self.bound.estimate(&scores, baseline.as_ref())
    }
}

/// Trains a critic on the rows `train`, with the rows `valid` for validation.
///
/// # Errors
/// There are fewer than 2 rows of either, or a loss is not finite.
pub fn fit(data: &HeldOutRows, train: &[u32], valid: &[u32], training: &Training) -> Result<Fitted> {
    if train.len() < 2 || valid.len() < 2 {
        let what = format!("{} training rows and {} validation rows are too few", train.len(), valid.len());
        return Err(Error::failed(what, "give more rows, or fewer folds"));
    }
    let dims = data.dims()?;
    let mut learner = Learner::new(dims, training)?;
    let (critic, baseline) = learner.frozen(dims, training)?;
    let mut fitted = Fitted {
        critic,
        baseline,
        bound: training.bound,
        block: block(training.critic),
        best: CurvePoint { step: 0, train: f64::NEG_INFINITY, valid: f64::NEG_INFINITY },
        curve: Vec::new(),
    };
    let batch = training.batch_size.clamp(2, train.len());
    let mut kept: HashMap<String, Tensor> = HashMap::new();
    let (mut order, mut at, mut epoch, mut worse) = (Vec::new(), 0, 0, 0);
    for step in 0..=training.steps {
        go_on()?;
        if step % training.look_every == 0 || step == training.steps {
            let point = CurvePoint { step, train: fitted.value(data, train)?, valid: fitted.value(data, valid)? };
            fitted.curve.push(point);
            if kept.is_empty() || point.valid > fitted.best.valid {
                fitted.best = point;
                worse = 0;
                kept = learner.copies()?;
            } else {
                worse += 1;
            }
            if worse >= training.patience || step == training.steps {
                break;
            }
        }
        if at + batch > order.len() {
            order = shuffled(train.len(), &mut stream(training.seed, "mi/batches", epoch));
            (at, epoch) = (0, epoch + 1);
        }
        let rows: Vec<u32> = order[at..at + batch].iter().map(|&i| train[i]).collect();
        at += batch;
        if training.bound.wants_density() {
            learner.learn_density(&data.x(&rows)?, &data.y(&rows)?)?;
        } else {
            learner.learn(|critic| data.all_pairs(Some(critic), &rows, &rows), &data.y(&rows)?, false)?;
        }
    }
    learner.restore(&kept)?;
    Ok(fitted)
}
