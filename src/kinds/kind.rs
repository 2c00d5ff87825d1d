//! The contract of a kind of model: what the toolkit asks of it, from a configuration to a trained model.
//!
//! A kind is CPC on audio, Deep InfoMax, and so on: modality and method together. It is one folder below `kinds/` and one line of
//! [`STANDARD`](super::STANDARD). Everything outside of that folder knows it by this trait alone.

use super::described::Described;
use super::model::Model;
use super::run_config::RunConfig;
use crate::config::Preset;
use crate::error::{Error, Problem, Result};
use crate::observer::Session;
use crate::options::Options;
use crate::train::checkpoint::State;
use crate::train::{AnyTask, Finished, Start};
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use toml::Table;

/// A beginning of DATA that stands for more than a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scheme {
    /// What DATA begins with, such as `toy:`.
    pub prefix: &'static str,
    /// Whether a path follows.
    pub path: bool,
}

/// What a kind makes its task from.
pub struct Job<'a> {
    /// How the work reaches the world.
    pub session: &'a Session<'a>,
    /// The run directory.
    pub out: &'a Path,
    /// Where the data are on this machine; as in the configuration if DATA begins with a [`Scheme`].
    pub data: &'a Path,
    /// The checkpoint that the run resumes from.
    pub from: Option<&'a (PathBuf, State)>,
}

impl Job<'_> {
    /// The position in the data at which training begins.
    pub fn at(&self) -> crate::data::Position {
        self.from.map(|(_, state)| state.position).unwrap_or_default()
    }

    /// The start of the training of a kind that has no weights to begin from but its own.
    pub fn start(&self) -> Start {
        self.from.map_or(Start::Fresh, |(path, state)| Start::Checkpoint(path.clone(), state.clone()))
    }

    /// A note for whoever listens.
    pub fn note(&self, text: &str) {
        self.session.observer.note(text);
    }
}

/// How far ahead each step of a model that predicts steps is.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Steps {
    /// The distance of step k = 1 .. K, such as `10 ms`.
    pub ahead: Vec<String>,
    /// Seconds from one latent to the next, if time passes.
    pub frame_seconds: Option<f64>,
}

/// What is left to do when training is done: the model card, and what is measured once. Gets the name of the run.
pub type Conclude = Box<dyn FnOnce(&Finished, &str) -> Result<BTreeMap<&'static str, f64>>>;

/// A run that is ready to train.
pub struct Prepared {
    /// The configuration, with what has been settled only now.
    pub config: RunConfig,
    /// What is trained.
    pub task: Box<dyn AnyTask>,
    /// What training begins with.
    pub start: Start,
    /// The model in a line.
    pub about: String,
    /// The steps of a model that predicts steps.
    pub steps: Option<Steps>,
    /// What is left to do when training is done.
    pub conclude: Conclude,
}

/// What `cpc info` says about data.
pub struct Inspected {
    /// The description.
    pub described: Described,
    /// What cannot be used.
    pub problems: Vec<Problem>,
}

/// A kind of model.
pub trait Kind: Sync {
    /// Its name in `config.toml` and `config.json`, such as `cpc-audio`.
    fn name(&self) -> &'static str;

    /// Its models in a word or two, in the plural, such as `audio models`.
    fn models(&self) -> &'static str;

    /// Its presets; the first is the one that is used when none is named.
    fn presets(&self) -> &'static [Preset];

    /// The preset for some DATA when none is named.
    fn preset_for(&self, _data: &str) -> &'static str {
        self.presets().first().map_or("", |preset| preset.name)
    }

    /// Every key of its configuration with its default. `seed`, `data.path` and the section `train` are among them.
    ///
    /// # Errors
    /// The defaults cannot be written as TOML.
    fn defaults(&self) -> Result<Table>;

    /// Checks a configuration, and gives it with every value in the type that it has. `faults` are those already known.
    ///
    /// # Errors
    /// [`Error::Config`] with all faults.
    fn check(&self, config: Table, faults: Vec<Problem>) -> Result<Table>;

    /// Keys, by section and name, that tell a configuration of this kind from before configurations named their kind.
    fn marks(&self) -> &'static [(&'static str, &'static str)] {
        &[]
    }

    /// Keys that a resumed run may change besides those of [`RunConfig::resumed`]: they do not change what it computes.
    fn free_keys(&self) -> &'static [&'static str] {
        &[]
    }

    /// Keys whose values a run settles by itself when it starts: a resumed run keeps them.
    fn settled_keys(&self) -> &'static [&'static str] {
        &[]
    }

    /// Beginnings of DATA that stand for more than a path.
    fn schemes(&self) -> &'static [Scheme] {
        &[]
    }

    /// Whether DATA is for this kind, told by its name and what lies there.
    ///
    /// # Errors
    /// What lies there cannot be read.
    fn claims(&self, data: &Path) -> Result<bool>;

    /// Makes a run ready to train.
    ///
    /// # Errors
    /// The data cannot be read, or do not fit the configuration.
    fn prepare(&self, config: RunConfig, job: &Job) -> Result<Prepared>;

    /// Whether a reference names a model of this kind that is not a directory with a `config.json`: a checkpoint of another
    /// program, or a word.
    ///
    /// # Errors
    /// A file cannot be read.
    fn recognizes(&self, _reference: &Path) -> Result<bool> {
        Ok(false)
    }

    /// Opens a trained model. `reference` is what it is called from now on.
    ///
    /// # Errors
    /// Names the file that is missing, or what in it cannot be read.
    fn open(&self, path: &Path, reference: &str, session: &Session) -> Result<Box<dyn Model>>;

    /// Files of a model directory, besides `README.md`.
    fn files(&self) -> &'static [&'static str] {
        &["config.json", "model.safetensors"]
    }

    /// Features to compare a model's with, by name, besides `random`, the untrained model: (name, what it is).
    fn baselines(&self) -> &'static [(&'static str, &'static str)] {
        &[]
    }

    /// A baseline of [`Kind::baselines`] that makes features as a model does; none if this kind has no such baseline.
    ///
    /// # Errors
    /// It cannot be made.
    fn baseline(&self, _name: &str) -> Result<Option<Box<dyn Model>>> {
        Ok(None)
    }

    /// Measures what a classifier reads from features, in this kind's own way; none for the shared way, which extracts features of
    /// utterances and probes them ([`crate::toolkit`]).
    fn probe(&self) -> Option<&dyn Probing> {
        None
    }

    /// The label of every utterance of `data`, from a column.
    ///
    /// # Errors
    /// This kind's data have no columns; there is no such column.
    fn labels(&self, data: &Path, _options: &Options) -> Result<HashMap<String, String>> {
        Err(Error::usage(
            format!("{}: labels of a column are not for {}", data.display(), self.models()),
            "give a file of labels",
        ))
    }

    /// Describes data. `options` are those of `cpc info`.
    ///
    /// # Errors
    /// The data cannot be read, or this kind does not describe its data.
    fn inspect(&self, data: &Path, _options: &Options, _session: &Session) -> Result<Inspected> {
        Err(Error::usage(
            format!("{}: the data of {} are not described", data.display(), self.models()),
            "`cpc pretrain` says what it finds in them",
        ))
    }
}

/// A kind's own way to measure what a classifier reads from its features.
pub trait Probing {
    /// Options of `cpc probe` that it accepts; `report` if it makes the page of a report.
    fn options(&self) -> &'static [&'static str];

    /// Measures models, with baselines, as `request` says.
    ///
    /// # Errors
    /// The data or the labels cannot be read, or do not fit the models.
    fn probe(&self, models: &[Box<dyn Model>], request: &ProbeRequest, session: &Session) -> Result<Probed>;
}

/// What is to be measured, and how.
#[derive(Debug, Default, Clone)]
pub struct ProbeRequest {
    /// Directories of features, and models.
    pub features: Vec<PathBuf>,
    /// The data that models make features of, and baselines.
    pub data: Option<PathBuf>,
    /// Whether the page of a report is made.
    pub page: bool,
    /// The other options, by the names of the flags of `cpc probe`.
    pub options: Options,
}

/// What a probe found.
#[derive(Debug, Clone)]
pub struct Probed {
    /// The table.
    pub described: Described,
    /// Accuracy on the test set, as a share of 1, by the name of the features, in the order of the table.
    pub accuracies: Vec<(String, f64)>,
    /// The page of a report, if it was asked for.
    pub page: Option<String>,
}
