//! A GAN of generator, discriminator and estimator as a training task.

use crate::data::{Course, Position};
use crate::error::{Problem, Result};
use crate::group::Share;
use crate::kinds::gan::{GanConfig, MineGan, Stacks, Toy};
use crate::nn::{ParamStore, Phase, Samples};
use crate::seed::{Stream, stream};
use crate::train::{Batch, Outcome, Task};
use crate::weights::write_model;
use candle_core::{Device, Tensor};
use serde_json::json;
use std::path::Path;
use std::sync::Arc;

/// The data that a generator imitates.
#[derive(Debug, Clone)]
pub enum Target {
    /// A distribution in the plane.
    Toy(Toy),
    /// Stacked images.
    Stacks(Arc<Stacks>),
}

impl Target {
    /// The kind of its samples.
    pub fn samples(&self) -> Samples {
        match self {
            Target::Toy(_) => Samples::Points(2),
            Target::Stacks(stacks) => Samples::Images(stacks.size()),
        }
    }

    fn draw(&self, stream: &mut Stream) -> Vec<f32> {
        match self {
            Target::Toy(toy) => toy.draw(stream).to_vec(),
            Target::Stacks(stacks) => stacks.draw(stream),
        }
    }
}

/// Samples of the data, (B, numbers), and the index of the batch.
pub struct Real(Tensor, u64);

/// The training task of a GAN.
pub struct GanTask {
    config: GanConfig,
    target: Target,
    store: ParamStore,
    game: MineGan,
    at: Position,
    share: Share,
}

impl GanTask {
    /// A new GAN on `device`, with samples along `course`.
    ///
    /// # Errors
    /// The networks do not fit such samples.
    pub fn new(config: &GanConfig, target: Target, course: Course, device: &Device) -> Result<Self> {
        let store = ParamStore::new(config.seed, device);
        let game = MineGan::new(config, target.samples(), &store)?;
        let Course { mut at, share } = course;
        at.batch += share.rank;
        Ok(GanTask { config: config.clone(), target, store, game, at, share })
    }
}

impl Batch for Real {
    fn rows(&self) -> usize {
        self.0.dim(0).unwrap_or_default()
    }

    fn amount(&self) -> f64 {
        self.rows() as f64
    }

    fn sources(&self) -> Vec<String> {
        vec![format!("batch {} of the target data", self.1)]
    }

    fn skipped(&self) -> &[Problem] {
        &[]
    }
}

impl Task for GanTask {
    type Batch = Real;

    fn unit(&self) -> &'static str {
        "samples"
    }

    fn params(&self) -> &ParamStore {
        &self.store
    }

    fn next_batch(&mut self) -> Result<Real> {
        let (n, mut stream) = (self.config.train.batch_size, stream(self.config.seed, "toy", self.at.batch));
        let numbers: Vec<f32> = (0..n).flat_map(|_| self.target.draw(&mut stream)).collect();
        let shape = (n, self.target.samples().numbers());
        let batch = Real(Tensor::from_vec(numbers, shape, self.store.device())?, self.at.batch);
        self.at.batch += self.share.ranks;
        Ok(batch)
    }

    fn position(&self) -> Position {
        self.at
    }

    /// No batches: the loss of a single network does not show whether training goes well.
    fn validation(&self, _: Share) -> Result<Box<dyn Iterator<Item = Result<Real>>>> {
        Ok(Box::new(std::iter::empty()))
    }

    fn outcome(&self, batch: &Real, _: Phase, stream: &mut Stream) -> Result<Outcome> {
        Outcome::of_descent(self.game.descent(&batch.0, stream)?)
    }

    fn write_model(&self, dir: &Path) -> Result<()> {
        let config = json!({
            "kind": super::MineInGan::KIND,
            "format": 1,
            "data": self.config.data.path,
            "generator": self.config.generator,
            "objective": self.config.objective,
        });
        write_model(dir, &config, &self.store.tensors())
    }
}
