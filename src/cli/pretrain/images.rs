//! Pretraining on images: Deep InfoMax.

use super::subject::{Job, Subject};
use crate::config::{DimConfig, ImageDataConfig, TrainConfig};
use crate::error::Result;
use crate::image::{self, ImageSet};
use crate::model::Dim;
use crate::nn::{ImageEncoder, ParamStore};
use crate::train::{ImageMaterial, ImageTask, Start, Task};
use crate::weights::DimModelConfig;

/// Images to train and to validate on, those to test, and how many labels there are; said to the user.
pub(super) fn material(data: &ImageDataConfig, seed: u64, job: &Job) -> Result<(ImageMaterial, ImageSet, usize)> {
    let images = image::open(job.data)?;
    let (size, classes) = (images.train.size, images.classes.len());
    let material = ImageMaterial::split(images.train, data.valid_share, data.valid_images, seed);
    job.terminal.note(&format!(
        "{}: {} images of {size}, {classes} labels; training on {}, validating on {}",
        data.path,
        material.set.len(),
        material.train.len(),
        material.valid.len()
    ));
    Ok((material, images.test, classes))
}

/// What the training of a model begins with.
pub(super) fn start(job: &Job) -> Start {
    job.from.map_or(Start::Fresh, |(path, state)| Start::Checkpoint(path.clone(), state.clone()))
}

impl Subject for DimConfig {
    type Task = ImageTask<Dim, DimModelConfig>;
    type Material = ();

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

    fn follow(&mut self, new: &DimConfig) {
        self.data.path.clone_from(&new.data.path);
    }

    fn prepare(&mut self, job: &Job) -> Result<(Self::Task, Start, ())> {
        let (material, _, classes) = material(&self.data, self.seed, job)?;
        let size = material.set.size;
        self.encoder.architecture = ImageEncoder::architecture(&self.encoder, size)?;
        let store = ParamStore::new(self.seed, job.device);
        let build = |graph: bool| {
            let vb = if graph { store.builder() } else { store.frozen() };
            Dim::new(&self.encoder, &self.objective, size, classes, &vb, &store.frozen())
        };
        let (models, config) = ([build(true)?, build(false)?], DimModelConfig::new(self, size, classes));
        let task = ImageTask::new(config, store, models, material, self.train.batch_size, self.seed, job.at())?;
        Ok((task, start(job), ()))
    }

    fn describe(&self, task: &Self::Task) -> String {
        format!(
            "model: {:.1} M parameters, Y of {} numbers for an image",
            task.params().num_trainable() as f64 / 1e6,
            self.encoder.latent_dim
        )
    }
}
