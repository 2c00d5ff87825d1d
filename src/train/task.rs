//! What the trainer trains: a model with its data and objective, of whatever kind.

use crate::data::Position;
use crate::error::{Problem, Result};
use crate::nn::{ParamStore, Phase, Rows};
use crate::objective::PerStep;
use crate::seed::Stream;
use candle_core::Tensor;
use std::path::Path;

/// What one batch gave.
pub struct Outcome {
    /// Loss and accuracy of each step k; training descends the sum of the losses.
    pub per_step: PerStep,
    /// Negatives that each position met: chance is an accuracy of 1 / (negatives + 1).
    pub negatives: usize,
    /// The latents (B, T, D), detached.
    pub z: Tensor,
    /// The rows of tables that the batch looked up, for the optimizer; a model without tables has none.
    pub rows: Vec<Rows>,
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
