//! Classifiers as a kind of model.

use super::{ClassifierConfig, ClassifierModel, ClassifierModelConfig, prepare};
use crate::config::{Preset, layers};
use crate::error::{Problem, Result};
use crate::kinds::{Job, Kind, Model, Prepared, RunConfig};
use crate::observer::Session;
use std::path::Path;
use toml::Table;

/// Classifiers on top of trained models.
pub static CLASSIFIER: ClassifierKind = ClassifierKind;

/// Classifiers on top of trained models.
#[derive(Debug, Clone, Copy)]
pub struct ClassifierKind;

const PRESETS: [Preset; 1] = [Preset { name: "finetune", toml: include_str!("../../../data/presets/finetune.toml") }];

impl Kind for ClassifierKind {
    fn name(&self) -> &'static str {
        ClassifierModelConfig::KIND
    }

    fn models(&self) -> &'static str {
        "classifiers"
    }

    fn presets(&self) -> &'static [Preset] {
        &PRESETS
    }

    fn defaults(&self) -> Result<Table> {
        layers::defaults::<ClassifierConfig>()
    }

    fn check(&self, config: Table, faults: Vec<Problem>) -> Result<Table> {
        layers::check::<ClassifierConfig>(config, faults)
    }

    fn free_keys(&self) -> &'static [&'static str] {
        &["data.on_bad_file"]
    }

    /// The recordings decide on the window, and the model on the layer.
    fn settles(&self, key: &str, value: &str) -> bool {
        (key == "data.window" && value == "0") || (key == "finetune.layer" && value.trim_matches('"').is_empty())
    }

    /// None: data are for the kind of the model that is fine-tuned.
    fn claims(&self, _: &Path) -> Result<bool> {
        Ok(false)
    }

    fn prepare(&self, config: RunConfig, job: &Job) -> Result<Prepared> {
        prepare::prepare(config, job)
    }

    fn open(&self, path: &Path, reference: &str, _: &Session) -> Result<Box<dyn Model>> {
        Ok(Box::new(ClassifierModel::open(path, reference)?))
    }
}
