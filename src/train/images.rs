//! Image models as training tasks.

use crate::data::{Course, Position};
use crate::error::{Problem, Result};
use crate::group::Share;
use crate::image::{ImageBatch, ImageLoader, ImageSet, batches};
use crate::model::OfImages;
use crate::nn::{ParamStore, Phase};
use crate::seed::{Stream, stream};
use crate::train::task::{Batch, Outcome, Task};
use crate::weights::write_model;
use candle_core::Device;
use serde::Serialize;
use std::path::Path;
use std::sync::Arc;

/// An image model, its graph-free twin for validation, and the loader. `C` is the type of its `config.json`.
pub struct ImageTask<M, C> {
    config: C,
    store: ParamStore,
    model: M,
    twin: M,
    loader: ImageLoader,
    set: Arc<ImageSet>,
    valid: Vec<usize>,
    batch: usize,
}

/// A set of images, split into training and validation images.
pub struct ImageMaterial {
    /// The set.
    pub set: Arc<ImageSet>,
    /// Indices of the training images.
    pub train: Vec<usize>,
    /// Indices of the validation images; empty for no validation.
    pub valid: Vec<usize>,
}

impl ImageMaterial {
    /// Holds out the fraction `share` of a set for validation, drawn with the seed, and uses at most `most` of the held-out images.
    pub fn split(set: ImageSet, share: f64, most: usize, seed: u64) -> Self {
        let n = set.len();
        let mut all: Vec<usize> = (0..n).collect();
        let mut s = stream(seed, "image split", 0);
        for i in (1..n).rev() {
            all.swap(i, s.below(i as u32 + 1) as usize);
        }
        let mut train = all.split_off((n as f64 * share).round() as usize);
        train.sort_unstable();
        all.truncate(most);
        ImageMaterial { set: Arc::new(set), train, valid: all }
    }

    /// What is trained and validated on, in a line.
    pub fn about(&self, data: &str, classes: usize) -> String {
        format!(
            "{data}: {} images of {}, {classes} labels; training on {}, validating on {}",
            self.set.len(),
            self.set.size,
            self.train.len(),
            self.valid.len()
        )
    }
}

impl<M: OfImages, C: Serialize> ImageTask<M, C> {
    /// A task for a model and its twin in `store`, with batches of `batch` images along `course`.
    ///
    /// # Errors
    /// There are too few images for a batch.
    pub fn new(
        config: C,
        store: ParamStore,
        [model, twin]: [M; 2],
        material: ImageMaterial,
        batch: usize,
        seed: u64,
        course: Course,
    ) -> Result<Self> {
        let ImageMaterial { set, train, valid } = material;
        let loader = ImageLoader::new(set.clone(), train, batch, seed, course)?;
        // A batch of one image has no negatives.
        let valid = if valid.len() < 2 { Vec::new() } else { valid };
        Ok(ImageTask { config, store, model, twin, loader, set, valid, batch })
    }

    fn device(&self) -> &Device {
        self.store.device()
    }
}

impl Batch for ImageBatch {
    fn rows(&self) -> usize {
        self.sources.len()
    }

    fn amount(&self) -> f64 {
        self.sources.len() as f64
    }

    fn sources(&self) -> Vec<String> {
        self.sources.iter().map(|i| format!("image {i}")).collect()
    }

    fn skipped(&self) -> &[Problem] {
        &[]
    }
}

impl<M: OfImages, C: Serialize> Task for ImageTask<M, C> {
    type Batch = ImageBatch;

    fn unit(&self) -> &'static str {
        "images"
    }

    fn params(&self) -> &ParamStore {
        &self.store
    }

    fn next_batch(&mut self) -> Result<ImageBatch> {
        let device = self.device().clone();
        self.loader.next(&device)
    }

    fn position(&self) -> Position {
        self.loader.position()
    }

    fn validation(&self, share: Share) -> Result<Box<dyn Iterator<Item = Result<ImageBatch>>>> {
        let mine: Vec<_> = batches(&self.set, &self.valid, self.batch, self.device(), share).collect();
        Ok(Box::new(mine.into_iter()))
    }

    fn outcome(&self, batch: &ImageBatch, phase: Phase, stream: &mut Stream) -> Result<Outcome> {
        let model = if phase == Phase::Train { &self.model } else { &self.twin };
        Outcome::of_descent(model.descent(&batch.images, &batch.labels, phase, stream)?)
    }

    fn write_model(&self, dir: &Path) -> Result<()> {
        write_model(dir, &self.config, &self.store.tensors())
    }
}
