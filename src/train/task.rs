//! What the trainer trains: a model with its data and objective, of whatever kind.

use crate::data::Position;
use crate::error::{Problem, Result};
use crate::model::Descent;
use crate::nn::{ParamStore, Phase, Rows};
use crate::objective::PerStep;
use crate::seed::Stream;
use candle_core::{DType, Tensor};
use std::path::Path;

/// What one batch gave.
pub struct Outcome {
    /// What training descends, a scalar.
    pub objective: Tensor,
    /// What is told of it.
    pub measured: Measured,
    /// The latents (.., D), detached.
    pub z: Tensor,
    /// The rows of tables that the batch looked up, for the optimizer; a model without tables has none.
    pub rows: Vec<Rows>,
}

/// Figures of a batch, where it was computed.
#[derive(Debug, Clone)]
pub struct Measured {
    /// Losses of the steps, then accuracies of the steps, then what `names` names (F).
    pub values: Tensor,
    /// Steps k.
    pub steps: usize,
    /// Names of figures, of which `loss` is the one that says which model is best.
    pub names: Vec<&'static str>,
    /// Negatives that each position met: chance is an accuracy of 1 / (negatives + 1).
    pub negatives: usize,
}

impl Outcome {
    /// Of CPC: loss and accuracy of each step k, of which the sum of the losses is descended.
    ///
    /// # Errors
    /// None but the device's.
    pub fn of_steps(per_step: &PerStep, negatives: usize, z: Tensor, rows: Vec<Rows>) -> Result<Self> {
        let steps = per_step.loss.dim(0)?;
        let values = Tensor::cat(&[per_step.loss.detach(), per_step.accuracy.to_dtype(per_step.loss.dtype())?], 0)?;
        let measured = Measured { values, steps, names: Vec::new(), negatives };
        Ok(Outcome { objective: per_step.loss.sum_all()?, measured, z, rows })
    }

    /// Of a model without steps.
    ///
    /// # Errors
    /// None but the device's.
    pub fn of_descent(descent: Descent) -> Result<Self> {
        let (names, values): (Vec<_>, Vec<_>) = descent.figures.into_iter().unzip();
        let values = values.iter().map(|v| v.to_dtype(DType::F32)).collect::<candle_core::Result<Vec<_>>>()?;
        let measured = Measured { values: Tensor::stack(&values, 0)?, steps: 0, names, negatives: 0 };
        Ok(Outcome { objective: descent.objective, measured, z: descent.z, rows: Vec::new() })
    }
}

/// A batch, as far as the trainer looks into it.
pub trait Batch {
    /// Rows.
    fn rows(&self) -> usize;
    /// How much it holds, in the task's unit.
    fn amount(&self) -> f64;
    /// Where it came from, for messages.
    fn sources(&self) -> Vec<String>;
    /// What could not be read and was replaced.
    fn skipped(&self) -> &[Problem];
}

/// A model with its data and objective.
pub trait Task {
    /// A batch of its data.
    type Batch: Batch;

    /// The unit of [`Batch::amount`], as a metric calls it: `audio_seconds`.
    fn unit(&self) -> &'static str;

    /// The parameters.
    fn params(&self) -> &ParamStore;

    /// The next training batch; waits for it.
    fn next_batch(&mut self) -> Result<Self::Batch>;

    /// Where the training data stands: what to hand to a new task to go on with the next batch.
    fn position(&self) -> Position;

    /// The validation batches, the same at each call; none if there is no validation data.
    fn validation(&self) -> Result<Box<dyn Iterator<Item = Result<Self::Batch>>>>;

    /// The objective on a batch; in [`Phase::Eval`] without a graph. `stream` is for negatives.
    fn outcome(&self, batch: &Self::Batch, phase: Phase, stream: &mut Stream) -> Result<Outcome>;

    /// Writes the model into a directory that exists.
    fn write_model(&self, dir: &Path) -> Result<()>;
}
