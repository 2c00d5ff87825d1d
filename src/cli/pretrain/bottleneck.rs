//! The information bottleneck on images.

use super::images::{material, start};
use super::subject::{Job, Subject};
use crate::config::{BottleneckConfig, TrainConfig};
use crate::error::{Error, Result};
use crate::image::{ImageSet, batches};
use crate::model::Bottleneck;
use crate::nn::ParamStore;
use crate::seed::stream;
use crate::train::{Finished, ImageTask, Start, Task};
use crate::weights::{BottleneckModelConfig, read_tensors};
use candle_core::Device;
use std::collections::BTreeMap;

/// Images that are tested at once.
const AT_ONCE: usize = 500;

/// What is left to do when training is done: the test images, and where their model is to be built.
pub(super) struct Remaining {
    test: ImageSet,
    classes: usize,
    device: Device,
}

impl BottleneckConfig {
    fn build(&self, numbers: usize, classes: usize, store: &ParamStore, graph: bool) -> Result<Bottleneck> {
        let vb = if graph { store.builder() } else { store.frozen() };
        Bottleneck::new(&self.encoder, &self.objective, numbers, classes, &vb, &store.frozen())
    }
}

impl Subject for BottleneckConfig {
    type Task = ImageTask<Bottleneck, BottleneckModelConfig>;
    type Material = Remaining;

    fn train(&self) -> &TrainConfig {
        &self.train
    }

    fn train_mut(&mut self) -> &mut TrainConfig {
        &mut self.train
    }

    fn seed(&self) -> u64 {
        self.seed
    }

    fn data_path(&mut self) -> &mut String {
        &mut self.data.path
    }

    fn follow(&mut self, new: &BottleneckConfig) {
        self.data.path.clone_from(&new.data.path);
    }

    fn prepare(&mut self, job: &Job) -> Result<(Self::Task, Start, Remaining)> {
        let (material, test, classes) = material(&self.data, self.seed, job)?;
        let size = material.set.size;
        let store = ParamStore::new(self.seed, job.device);
        let models =
            [self.build(size.numbers(), classes, &store, true)?, self.build(size.numbers(), classes, &store, false)?];
        let config = BottleneckModelConfig::new(self, size, classes);
        let task = ImageTask::new(config, store, models, material, self.train.batch_size, self.seed, job.at())?;
        Ok((task, start(job), Remaining { test, classes, device: job.device.clone() }))
    }

    fn describe(&self, task: &Self::Task) -> String {
        format!(
            "model: {:.1} M parameters, a code of {} numbers for an image",
            task.params().num_trainable() as f64 / 1e6,
            self.encoder.code_dim
        )
    }

    /// The error on the test images, of the model after the last step: no step was chosen by these images.
    fn conclude(&self, finished: &Finished, left: &Remaining) -> Result<BTreeMap<&'static str, f64>> {
        if left.test.is_empty() {
            return Ok(BTreeMap::new());
        }
        let store = ParamStore::new(self.seed, &left.device);
        let model = self.build(left.test.size.numbers(), left.classes, &store, false)?;
        let run = finished.model.parent().unwrap_or(&finished.model);
        let last = crate::train::checkpoint::list(run)?.pop().map_or_else(|| finished.model.clone(), |(_, path)| path);
        let file = last.join("model.safetensors");
        store.load(&read_tensors(&file)?, None, &file.display().to_string())?;
        let all: Vec<usize> = (0..left.test.len()).collect();
        let (mut wrong, mut seen) = (0, 0);
        for (i, batch) in batches(&left.test, &all, AT_ONCE, &left.device).enumerate() {
            let batch = batch?;
            wrong += model.errors(&batch.images, &batch.labels, &mut stream(self.seed, "test codes", i as u64))?;
            seen += batch.sources.len();
        }
        if seen == 0 {
            return Err(Error::failed("there are no test images", "give a data set with a test part"));
        }
        Ok(BTreeMap::from([("test_images", seen as f64), ("test_error", wrong as f64 / seen as f64)]))
    }
}
