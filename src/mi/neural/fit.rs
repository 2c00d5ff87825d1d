//! Training of one critic, until rows that it does not learn from say that it gets no better.

use super::learner::Learner;
use super::scores::{Rows, block};
use super::training::Training;
use crate::error::{Error, Result};
use crate::mi::permutation::shuffled;
use crate::nn::{Baseline, Critic};
use crate::objective::Bound;
use crate::seed::stream;
use candle_core::Tensor;
use std::collections::HashMap;

/// Rows of training and of validation that a point of a curve looks at.
const LOOKED_AT: usize = 2000;

/// The bound while a critic is trained, in nats.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CurvePoint {
    /// Updates so far.
    pub step: u64,
    /// On rows that are learnt from.
    pub train: f64,
    /// On validation rows.
    pub valid: f64,
}

/// A critic as it was where validation rows liked it best.
pub struct Fitted {
    critic: Critic,
    baseline: Option<Baseline>,
    bound: Bound,
    block: usize,
    best: CurvePoint,
    /// The bound at each look.
    pub curve: Vec<CurvePoint>,
}

impl Fitted {
    /// Where the validation rows liked it best.
    pub fn best(&self) -> CurvePoint {
        self.best
    }

    /// Whether the best look is among the last: training ended before it was done.
    pub fn rising(&self, training: &Training) -> bool {
        self.curve
            .last()
            .is_some_and(|last| last.step >= training.steps && last.step - self.best.step <= 2 * training.look_every)
    }

    /// Rows of scores (R, 1 + M) of `rows`, in blocks of about `block`, and log a(y) where there is a baseline.
    pub(super) fn scores(&self, data: &Rows, rows: &[u32], block: usize) -> Result<(Tensor, Option<Tensor>)> {
        let scores = data.scores(Some(&self.critic), rows, block, self.bound)?;
        let baseline = self.baseline.as_ref().map(|b| b.forward(&data.y(rows)?)).transpose()?;
        Ok((scores, baseline))
    }

    fn value(&self, data: &Rows, rows: &[u32]) -> Result<f64> {
        let (scores, baseline) = self.scores(data, &rows[..rows.len().min(LOOKED_AT)], self.block)?;
        self.bound.estimate(&scores, baseline.as_ref())
    }
}

/// Trains a critic on the rows `train`, judged by the rows `valid`.
///
/// # Errors
/// There are fewer than 2 rows of either, or a loss is not finite.
pub fn fit(data: &Rows, train: &[u32], valid: &[u32], training: &Training) -> Result<Fitted> {
    if train.len() < 2 || valid.len() < 2 {
        let what = format!("{} rows to learn from and {} to judge by are too few", train.len(), valid.len());
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
        learner.learn(|critic| data.all_pairs(Some(critic), &rows, &rows), &data.y(&rows)?, false)?;
    }
    learner.restore(&kept)?;
    Ok(fitted)
}
