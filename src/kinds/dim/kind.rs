//! Deep InfoMax as a kind of model.

use super::probe::ImageProbing;
use super::{Dim, DimConfig, DimModel, DimModelConfig};
use crate::config::{Preset, layers};
use crate::error::{Problem, Result};
use crate::image;
use crate::kinds::{Described, Inspected, Job, Kind, Model, Options, Prepared, Probing, RunConfig};
use crate::nn::{ImageEncoder, ParamStore};
use crate::observer::Session;
use crate::train::{ImageMaterial, ImageTask, Task};
use serde_json::json;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;
use toml::Table;

/// Deep InfoMax.
pub static DIM: DeepInfoMax = DeepInfoMax;

/// Deep InfoMax.
#[derive(Debug, Clone, Copy)]
pub struct DeepInfoMax;

const PRESETS: [Preset; 4] = [
    Preset { name: "dim-local", toml: include_str!("../../../data/presets/dim-local.toml") },
    Preset { name: "dim-global", toml: include_str!("../../../data/presets/dim-global.toml") },
    Preset { name: "dim-both", toml: include_str!("../../../data/presets/dim-both.toml") },
    Preset { name: "image-supervised", toml: include_str!("../../../data/presets/image-supervised.toml") },
];

impl Kind for DeepInfoMax {
    fn name(&self) -> &'static str {
        DimModelConfig::KIND
    }

    fn models(&self) -> &'static str {
        "image models"
    }

    fn presets(&self) -> &'static [Preset] {
        &PRESETS
    }

    fn defaults(&self) -> Result<Table> {
        layers::defaults::<DimConfig>()
    }

    fn check(&self, config: Table, faults: Vec<Problem>) -> Result<Table> {
        layers::check::<DimConfig>(config, faults)
    }

    fn legacy_keys(&self) -> &'static [(&'static str, &'static str)] {
        &[("encoder", "architecture"), ("encoder", "fc_dim")]
    }

    /// The size of the images decides which convolutions `auto` selects.
    fn settles(&self, key: &str, value: &str) -> bool {
        key == "encoder.architecture" && value == "auto"
    }

    /// Accepts IDX files, and parquet files of images.
    fn claims(&self, data: &Path) -> Result<bool> {
        Ok(image::is_at(data))
    }

    fn prepare(&self, config: RunConfig, job: &Job) -> Result<Prepared> {
        let mut dim: DimConfig = config.sections()?;
        let images = image::open(job.data)?;
        images.notes.iter().for_each(|note| job.session.observer.warning(note));
        let (size, classes) = (images.train.size, images.classes.len());
        let material = ImageMaterial::split(images.train, dim.data.valid_share, dim.data.valid_images, dim.seed);
        job.note(&material.about(&dim.data.path, classes));
        job.same_data(|| Ok(material.set.sha256().into_bytes()))?;
        dim.encoder.architecture = ImageEncoder::architecture(&dim.encoder, size)?;
        let store = ParamStore::new(dim.seed, &job.session.device);
        let build = |graph: bool| {
            let vb = if graph { store.builder() } else { store.frozen() };
            Dim::new(&dim.encoder, &dim.objective, size, classes, &vb, &store.frozen())
        };
        let (models, model_config) = ([build(true)?, build(false)?], DimModelConfig::new(&dim, size, classes));
        let batch = dim.train.batch_size;
        let task = ImageTask::new(model_config, store.clone(), models, material, batch, dim.seed, job.course())?;
        let about = format!(
            "model: {:.1} M parameters, a {}-dimensional Y for each image",
            task.params().num_trainable() as f64 / 1e6,
            dim.encoder.latent_dim
        );
        Ok(Prepared {
            config: config.with(&dim)?,
            task: Box::new(task),
            start: job.start(),
            about,
            steps: None,
            conclude: Box::new(|_, _| Ok(BTreeMap::new())),
        })
    }

    fn open(&self, path: &Path, reference: &str, _: &Session) -> Result<Box<dyn Model>> {
        let mut model = DimModel::open(path)?;
        model.reference = reference.into();
        Ok(Box::new(model))
    }

    fn baselines(&self) -> &'static [(&'static str, &'static str)] {
        &[("pca", "Images: 64 principal components of the training images"), ("pixels", "Images: the pixels")]
    }

    fn probe(&self) -> Option<&dyn Probing> {
        Some(&ImageProbing)
    }

    fn inspect(&self, data: &Path, options: &Options, session: &Session) -> Result<Inspected> {
        options.accept(&[], "images")?;
        let images = image::open(data)?;
        images.notes.iter().for_each(|note| session.observer.warning(note));
        let counts = |set: &image::ImageSet| {
            let mut counts = vec![0usize; images.classes.len()];
            set.labels.iter().for_each(|&label| counts[label as usize] += 1);
            counts
        };
        let (train, test) = (counts(&images.train), counts(&images.test));
        let mut text = format!(
            "images      {}\nsize        {}\ntrain       {}\ntest        {}\n\nlabel     train    test\n",
            data.display(),
            images.train.size,
            images.train.len(),
            images.test.len()
        );
        for ((name, train), test) in images.classes.iter().zip(&train).zip(&test) {
            writeln!(text, "{name:<8} {train:>6}  {test:>6}").ok();
        }
        let info = json!({
            "path": data, "size": images.train.size, "classes": images.classes, "train": train, "test": test,
        });
        Ok(Inspected { described: Described::new(&info, text)?, problems: Vec::new() })
    }
}
