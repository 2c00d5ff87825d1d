//! The information bottleneck as a kind of model.

use super::{Bottleneck, BottleneckConfig, BottleneckModelConfig};
use crate::config::{Preset, layers};
use crate::error::{Error, Problem, Result};
use crate::group::Share;
use crate::image::{self, ImageSet, batches};
use crate::kinds::plain::PlainModel;
use crate::kinds::{Job, Kind, Model, Prepared, RunConfig};
use crate::nn::ParamStore;
use crate::observer::Session;
use crate::seed::stream;
use crate::train::{Finished, ImageMaterial, ImageTask, Task};
use crate::weights::model_dir;
use crate::weights::read_tensors;
use candle_core::Device;
use std::collections::BTreeMap;
use std::path::Path;
use toml::Table;

/// The information bottleneck.
pub static BOTTLENECK: InformationBottleneck = InformationBottleneck;

/// The information bottleneck.
#[derive(Debug, Clone, Copy)]
pub struct InformationBottleneck;

const PRESETS: [Preset; 1] = [Preset { name: "ib", toml: include_str!("../../../data/presets/ib.toml") }];

/// Number of images tested at once.
const AT_ONCE: usize = 500;

impl Kind for InformationBottleneck {
    fn name(&self) -> &'static str {
        BottleneckModelConfig::KIND
    }

    fn models(&self) -> &'static str {
        "information bottleneck models"
    }

    fn presets(&self) -> &'static [Preset] {
        &PRESETS
    }

    fn defaults(&self) -> Result<Table> {
        layers::defaults::<BottleneckConfig>()
    }

    fn check(&self, config: Table, faults: Vec<Problem>) -> Result<Table> {
        layers::check::<BottleneckConfig>(config, faults)
    }

    fn legacy_keys(&self) -> &'static [(&'static str, &'static str)] {
        &[("objective", "information"), ("encoder", "code_dim")]
    }

    /// Images are for Deep InfoMax, unless the preset names another kind.
    fn claims(&self, _: &Path) -> Result<bool> {
        Ok(false)
    }

    fn prepare(&self, config: RunConfig, job: &Job) -> Result<Prepared> {
        let ib: BottleneckConfig = config.sections()?;
        let images = image::open(job.data)?;
        images.notes.iter().for_each(|note| job.session.observer.warning(note));
        let (size, classes, test) = (images.train.size, images.classes.len(), images.test);
        let material = ImageMaterial::split(images.train, ib.data.valid_share, ib.data.valid_images, ib.seed);
        job.note(&material.about(&ib.data.path, classes));
        job.same_data(|| Ok(material.set.sha256().into_bytes()))?;
        let device = job.session.device.clone();
        let store = ParamStore::new(ib.seed, &device);
        let models =
            [build(&ib, size.numbers(), classes, &store, true)?, build(&ib, size.numbers(), classes, &store, false)?];
        let model_config = BottleneckModelConfig::new(&ib, size, classes);
        let batch = ib.train.batch_size;
        let task = ImageTask::new(model_config, store, models, material, batch, ib.seed, job.course())?;
        let about = format!(
            "model: {:.1} M parameters, a {}-dimensional code for each image",
            task.params().num_trainable() as f64 / 1e6,
            ib.encoder.code_dim
        );
        Ok(Prepared {
            config,
            task: Box::new(task),
            start: job.start(),
            about,
            steps: None,
            conclude: Box::new(move |finished, _| tested(&ib, &test, classes, &device, finished)),
        })
    }

    fn open(&self, path: &Path, reference: &str, _: &Session) -> Result<Box<dyn Model>> {
        Ok(Box::new(PlainModel::open(self.name(), "images", path, reference)?))
    }
}

fn build(
    config: &BottleneckConfig,
    numbers: usize,
    classes: usize,
    store: &ParamStore,
    graph: bool,
) -> Result<Bottleneck> {
    let vb = if graph { store.builder() } else { store.frozen() };
    Bottleneck::new(&config.encoder, &config.objective, numbers, classes, &vb, &store.frozen())
}

/// The error on the test images, of the model after the last step. No step was chosen by means of these images.
fn tested(
    config: &BottleneckConfig,
    test: &ImageSet,
    classes: usize,
    device: &Device,
    finished: &Finished,
) -> Result<BTreeMap<&'static str, f64>> {
    if test.is_empty() {
        return Ok(BTreeMap::new());
    }
    let store = ParamStore::new(config.seed, device);
    let model = build(config, test.size.numbers(), classes, &store, false)?;
    let last = model_dir::checkpoints(finished.run())?.pop().map_or_else(|| finished.model.clone(), |(_, path)| path);
    let file = last.join("model.safetensors");
    store.load(&read_tensors(&file)?, None, &file.display().to_string())?;
    let all: Vec<usize> = (0..test.len()).collect();
    let (mut wrong, mut seen) = (0, 0);
    for (i, batch) in batches(test, &all, AT_ONCE, device, Share::ALL).enumerate() {
        let batch = batch?;
        wrong += model.errors(&batch.images, &batch.labels, &mut stream(config.seed, "test codes", i as u64))?;
        seen += batch.sources.len();
    }
    if seen == 0 {
        return Err(Error::failed("there are no test images", "give a data set that contains test images"));
    }
    Ok(BTreeMap::from([("test_images", seen as f64), ("test_error", wrong as f64 / seen as f64)]))
}
