//! The interface between the trainer and what it trains: a model of any kind, with its data and objective.

use crate::data::Position;
use crate::error::{Problem, Result};
use crate::group::Share;
use crate::model::Descent;
use crate::nn::{EmbeddingRows, ParamStore, Phase};
use crate::objective::PerStep;
use crate::ops::rows::sum;
use crate::seed::Stream;
use candle_core::{DType, Tensor};
use std::path::Path;

/// The result of one batch.
pub struct Outcome {
    /// The objective that training minimizes, a scalar.
    pub objective: Tensor,
    /// The metrics to report.
    pub measured: Measured,
    /// The latents (.., D), detached.
    pub z: Tensor,
    /// The rows of tables that the batch looked up, for the optimizer; a model without tables has none.
    pub rows: Vec<EmbeddingRows>,
}

/// Metrics of a batch, on the device where they were computed.
#[derive(Debug, Clone)]
pub struct Measured {
    /// Losses of the steps, then accuracies of the steps, then the metrics listed in `names` (F).
    pub values: Tensor,
    /// Number of steps k.
    pub steps: usize,
    /// Number of steps that the batch has: short windows do not have all. The values of the others are 0.
    pub reached: usize,
    /// Names of the metrics, `loss` among them.
    pub names: Vec<&'static str>,
    /// Number of negatives per position: the accuracy at chance is 1 / (negatives + 1).
    pub negatives: usize,
}

impl Outcome {
    /// The outcome of CPC: loss and accuracy of each step k. The objective is the sum of the losses.
    ///
    /// # Errors
    /// Only errors of the device.
    pub fn of_steps(per_step: &PerStep, negatives: usize, z: Tensor, rows: Vec<EmbeddingRows>) -> Result<Self> {
        let steps = per_step.loss.dim(0)?;
        let values = Tensor::cat(&[per_step.loss.detach(), per_step.accuracy.to_dtype(per_step.loss.dtype())?], 0)?;
        let measured = Measured { values, steps, reached: steps, names: Vec::new(), negatives };
        Ok(Outcome { objective: sum(&per_step.loss)?, measured, z, rows })
    }

    /// The outcome of a batch of short windows in a model of `steps` steps: those that the windows do not reach are not measured.
    ///
    /// # Errors
    /// Only errors of the device.
    pub fn out_of(mut self, steps: usize) -> Result<Self> {
        let Measured { values, reached, .. } = &self.measured;
        if *reached < steps {
            let none = Tensor::zeros(steps - reached, values.dtype(), values.device())?;
            let (loss, accuracy) = (values.narrow(0, 0, *reached)?, values.narrow(0, *reached, *reached)?);
            self.measured.values = Tensor::cat(&[&loss, &none, &accuracy, &none], 0)?;
            self.measured.steps = steps;
        }
        Ok(self)
    }

    /// The outcome of a model without steps.
    ///
    /// # Errors
    /// Only errors of the device.
    pub fn of_descent(descent: Descent) -> Result<Self> {
        let (names, values): (Vec<_>, Vec<_>) = descent.figures.into_iter().unzip();
        let values = values.iter().map(|v| v.to_dtype(DType::F32)).collect::<candle_core::Result<Vec<_>>>()?;
        let measured = Measured { values: Tensor::stack(&values, 0)?, steps: 0, reached: 0, names, negatives: 0 };
        Ok(Outcome { objective: descent.objective, measured, z: descent.z, rows: Vec::new() })
    }
}

/// The properties of a batch that the trainer uses.
pub trait Batch {
    /// Number of rows.
    fn rows(&self) -> usize;
    /// The amount of data, in the task's unit.
    fn amount(&self) -> f64;
    /// The sources of the data, for messages.
    fn sources(&self) -> Vec<String>;
    /// What could not be read and was replaced.
    fn skipped(&self) -> &[Problem];
}

/// A model with its data and objective.
pub trait Task {
    /// A batch of its data.
    type Batch: Batch;

    /// The unit of [`Batch::amount`], as used in metric names, e.g. `audio_seconds`.
    fn unit(&self) -> &'static str;

    /// The parameters.
    fn params(&self) -> &ParamStore;

    /// The learning rate of a parameter, as a fraction of that of the step.
    fn rate(&self, _name: &str) -> f64 {
        1.0
    }

    /// The metric that decides which validation is the best one: the lower, the better.
    fn deciding(&self) -> &'static str {
        "loss"
    }

    /// Waits for the next training batch of this process and returns it.
    fn next_batch(&mut self) -> Result<Self::Batch>;

    /// The position in the training data of the next batch of this process: a new task whose course starts at it continues with that batch.
    fn position(&self) -> Position;

    /// Of the validation batches, which are the same in each call, those in `share`, in order; none if there is no validation data.
    fn validation(&self, share: Share) -> Result<Box<dyn Iterator<Item = Result<Self::Batch>>>>;

    /// The objective and metrics of a batch; in [`Phase::Eval`] without a graph. `stream` is used to draw negatives.
    fn outcome(&self, batch: &Self::Batch, phase: Phase, stream: &mut Stream) -> Result<Outcome>;

    /// Writes the model into a directory that exists.
    fn write_model(&self, dir: &Path) -> Result<()>;
}
