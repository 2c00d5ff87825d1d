//! A game of generator, discriminator and estimator as a training task.

use super::task::{Batch, Outcome, Task};
use crate::config::GanConfig;
use crate::data::Position;
use crate::error::{Problem, Result};
use crate::model::MineGan;
use crate::nn::{ParamStore, Phase};
use crate::seed::{Stream, stream};
use crate::toy::Toy;
use crate::weights::write_model;
use candle_core::{Device, Tensor};
use serde_json::json;
use std::path::Path;

/// Samples of a distribution, (B, 2).
pub struct Samples(Tensor, u64);

/// The game on a distribution on the plane.
pub struct GanTask {
    config: GanConfig,
    toy: Toy,
    store: ParamStore,
    game: MineGan,
    at: Position,
}

impl GanTask {
    /// A new game on `device`, with samples from `at` on.
    ///
    /// # Errors
    /// None that a user can make.
    pub fn new(config: &GanConfig, toy: Toy, at: Position, device: &Device) -> Result<Self> {
        let store = ParamStore::new(config.seed, device);
        let game = MineGan::new(config, 2, &store)?;
        Ok(GanTask { config: config.clone(), toy, store, game, at })
    }
}

impl Batch for Samples {
    fn rows(&self) -> usize {
        self.0.dim(0).unwrap_or_default()
    }

    fn amount(&self) -> f64 {
        self.rows() as f64
    }

    fn sources(&self) -> Vec<String> {
        vec![format!("batch {} of the distribution", self.1)]
    }

    fn skipped(&self) -> &[Problem] {
        &[]
    }
}

impl Task for GanTask {
    type Batch = Samples;

    fn unit(&self) -> &'static str {
        "samples"
    }

    fn params(&self) -> &ParamStore {
        &self.store
    }

    fn next_batch(&mut self) -> Result<Samples> {
        let (n, mut stream) = (self.config.train.batch_size, stream(self.config.seed, "toy", self.at.batch));
        let points: Vec<f32> = (0..n).flat_map(|_| self.toy.draw(&mut stream)).collect();
        let batch = Samples(Tensor::from_vec(points, (n, 2), self.store.device())?, self.at.batch);
        self.at.batch += 1;
        Ok(batch)
    }

    fn position(&self) -> Position {
        self.at
    }

    /// None: no loss of one player says that the game goes well.
    fn validation(&self) -> Result<Box<dyn Iterator<Item = Result<Samples>>>> {
        Ok(Box::new(std::iter::empty()))
    }

    fn outcome(&self, batch: &Samples, _: Phase, stream: &mut Stream) -> Result<Outcome> {
        Outcome::of_descent(self.game.descent(&batch.0, stream)?)
    }

    fn write_model(&self, dir: &Path) -> Result<()> {
        let config = json!({
            "model_type": "mine-gan",
            "format": 1,
            "data": self.toy.to_string(),
            "generator": self.config.generator,
            "objective": self.config.objective,
        });
        write_model(dir, &config, &self.store.tensors())
    }
}
