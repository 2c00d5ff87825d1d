//! The interface of a kind of model: what the toolkit requires of it, from a configuration to a trained model.
//!
//! A kind is a modality together with a method, such as CPC on audio or Deep InfoMax. It is one folder in `kinds/` and one line of
//! [`STANDARD`](super::STANDARD). All code outside that folder uses the kind only through this trait.

use super::described::Described;
use super::model::Model;
use super::run_config::RunConfig;
use crate::config::Preset;
use crate::data::Course;
use crate::error::{Error, Problem, Result};
use crate::observer::Session;
use crate::options::Options;
use crate::recordings::Division;
use crate::train::checkpoint::State;
use crate::train::{AnyTask, Finished, Start};
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use toml::Table;

/// A prefix of DATA that stands for something other than a plain path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scheme {
    /// The prefix, such as `toy:`.
    pub prefix: &'static str,
    /// Whether a path follows the prefix.
    pub path: bool,
}

/// The inputs from which a kind prepares its task.
pub struct Job<'a> {
    /// The session: where notes go, and when to stop.
    pub session: &'a Session<'a>,
    /// The run directory.
    pub out: &'a Path,
    /// Where the data are on this machine. If DATA begins with a [`Scheme`], it is unchanged from the configuration.
    pub data: &'a Path,
    /// The checkpoint that the run resumes from.
    pub from: Option<&'a (PathBuf, State)>,
}

impl Job<'_> {
    /// The batches that this process trains on: where they start in the data, and its share of them.
    pub fn course(&self) -> Course {
        let at = self.from.map(|(_, state)| state.position).unwrap_or_default();
        Course { at, share: self.session.group.share() }
    }

    /// The start of the training of a kind that has no initial weights from elsewhere.
    pub fn start(&self) -> Start {
        self.from.map_or(Start::Fresh, |(path, state)| Start::Checkpoint(path.clone(), state.clone()))
    }

    /// Checks that all processes of the group see the same data. A process alone computes no digest.
    ///
    /// # Errors
    /// They do not, or the digest cannot be computed.
    pub fn same_data(&self, digest: impl FnOnce() -> Result<Vec<u8>>) -> Result<()> {
        let remedy = "copy the same data to all machines, or use a file system that all of them see";
        self.session.group.same(&format!("DATA {}", self.data.display()), remedy, digest)
    }

    /// Sends a note to the observer.
    pub fn note(&self, text: &str) {
        self.session.observer.note(text);
    }
}

/// The distance of each step of a model that predicts steps.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Steps {
    /// The distance of step k = 1 .. K, such as `10 ms`.
    pub ahead: Vec<String>,
    /// Seconds from one latent to the next, if the latents are spaced in time.
    pub frame_seconds: Option<f64>,
}

/// What remains to be done after training: the model card, and what is measured once. The name of the run is passed to it.
pub type Conclude = Box<dyn FnOnce(&Finished, &str) -> Result<BTreeMap<&'static str, f64>>>;

/// A run that is ready to train.
pub struct Prepared {
    /// The configuration, including the values that were settled only during preparation.
    pub config: RunConfig,
    /// The task to train.
    pub task: Box<dyn AnyTask>,
    /// What training starts from.
    pub start: Start,
    /// A one-line description of the model.
    pub about: String,
    /// The steps, if the model predicts steps.
    pub steps: Option<Steps>,
    /// What remains to be done after training.
    pub conclude: Conclude,
}

/// What `cpc info` prints about data.
pub struct Inspected {
    /// The description.
    pub described: Described,
    /// The parts that cannot be used.
    pub problems: Vec<Problem>,
}

/// A kind of model.
pub trait Kind: Sync {
    /// Its name in `config.toml` and `config.json`, such as `cpc-audio`.
    fn name(&self) -> &'static str;

    /// Its models, in a word or two in the plural, such as `audio models`.
    fn models(&self) -> &'static str;

    /// Its presets. The first is the default.
    fn presets(&self) -> &'static [Preset];

    /// The default preset for the given DATA.
    fn preset_for(&self, _data: &str) -> &'static str {
        self.presets().first().map_or("", |preset| preset.name)
    }

    /// Every key of its configuration with its default. `seed`, `data.path` and the section `train` are among them.
    ///
    /// # Errors
    /// The defaults cannot be written as TOML.
    fn defaults(&self) -> Result<Table>;

    /// Checks a configuration, and returns it with every value in its proper type. `faults` are those already known.
    ///
    /// # Errors
    /// [`Error::Config`] with all faults.
    fn check(&self, config: Table, faults: Vec<Problem>) -> Result<Table>;

    /// Keys, by section and name, that identify a configuration of this kind if it was written before configurations named their kind.
    fn legacy_keys(&self) -> &'static [(&'static str, &'static str)] {
        &[]
    }

    /// Whether a run's `config.toml` is of this kind: by its key `kind`, or by [`Kind::legacy_keys`] if it has none.
    fn wrote(&self, config: &Table) -> bool {
        match config.get("kind").and_then(toml::Value::as_str) {
            Some(kind) => kind == self.name(),
            None => self
                .legacy_keys()
                .iter()
                .any(|(section, key)| config.get(*section).is_some_and(|s| s.get(key).is_some())),
        }
    }

    /// Keys that a resumed run may change in addition to those of [`RunConfig::resumed`]. They do not change what it computes.
    fn free_keys(&self) -> &'static [&'static str] {
        &[]
    }

    /// Whether a run that was asked for `value` of `key` settles the value by itself when it starts. A resumed run keeps what it settled.
    fn settles(&self, _key: &str, _value: &str) -> bool {
        false
    }

    /// Prefixes of DATA that stand for something other than a plain path.
    fn schemes(&self) -> &'static [Scheme] {
        &[]
    }

    /// Whether DATA is for this kind, judging by its name and by what the path contains.
    ///
    /// # Errors
    /// The path cannot be read.
    fn claims(&self, data: &Path) -> Result<bool>;

    /// Prepares a run for training.
    ///
    /// # Errors
    /// The data cannot be read, or do not fit the configuration.
    fn prepare(&self, config: RunConfig, job: &Job) -> Result<Prepared>;

    /// Writes what training would be given first, augmented, to `job.out` in a form that people can hear or see.
    ///
    /// # Errors
    /// The data cannot be read, or this kind has no such form.
    fn listen(&self, _config: RunConfig, _job: &Job) -> Result<Described> {
        Err(Error::usage(format!("--listen: it is for recordings, not for {}", self.models()), "leave it out"))
    }

    /// Whether a reference names a model of this kind that is not a directory with a `config.json`: a checkpoint of another program, or a
    /// word.
    ///
    /// # Errors
    /// A file cannot be read.
    fn recognizes(&self, _reference: &Path) -> Result<bool> {
        Ok(false)
    }

    /// Opens a trained model. `reference` is the name by which it is called from then on.
    ///
    /// # Errors
    /// Names the file that is missing, or the part of a file that cannot be read.
    fn open(&self, path: &Path, reference: &str, session: &Session) -> Result<Box<dyn Model>>;

    /// Files of a model directory, apart from `README.md`.
    fn files(&self) -> &'static [&'static str] {
        &["config.json", "model.safetensors"]
    }

    /// What the folds of a probe keep together if nothing else is asked for.
    fn division(&self) -> Division {
        Division::Recording
    }

    /// Baseline features for comparison with a model's, by name, apart from `random`, the untrained model: (name, description).
    fn baselines(&self) -> &'static [(&'static str, &'static str)] {
        &[]
    }

    /// A baseline of [`Kind::baselines`] that extracts features as a model does. `None` if this kind has no such baseline.
    ///
    /// # Errors
    /// The baseline cannot be created.
    fn baseline(&self, _name: &str) -> Result<Option<Box<dyn Model>>> {
        Ok(None)
    }

    /// This kind's own probe of how well a classifier predicts labels from features. `None` for the shared probe, which extracts features
    /// of utterances and probes them ([`crate::toolkit`]).
    fn probe(&self) -> Option<&dyn Probing> {
        None
    }

    /// The label of every utterance of `data`, from a column.
    ///
    /// # Errors
    /// This kind's data have no columns, or there is no such column.
    fn labels(&self, data: &Path, _options: &Options) -> Result<HashMap<String, String>> {
        Err(Error::usage(
            format!("{}: labels from a column are not for {}", data.display(), self.models()),
            "give a file of labels with --labels",
        ))
    }

    /// Describes data. `options` are those of `cpc info`.
    ///
    /// # Errors
    /// The data cannot be read, or this kind does not describe its data.
    fn inspect(&self, data: &Path, _options: &Options, _session: &Session) -> Result<Inspected> {
        Err(Error::usage(
            format!("{}: `cpc info` cannot describe the data of {}", data.display(), self.models()),
            "`cpc pretrain` reports what it finds in them",
        ))
    }
}

/// A kind's own probe of how well a classifier predicts labels from its features.
pub trait Probing {
    /// Options of `cpc probe` that it accepts. `report` is among them if it writes a report page.
    fn options(&self) -> &'static [&'static str];

    /// Measures models, along with baselines, as `request` specifies.
    ///
    /// # Errors
    /// The data or the labels cannot be read, or do not fit the models.
    fn probe(&self, models: &[Box<dyn Model>], request: &ProbeRequest, session: &Session) -> Result<Probed>;
}

/// What to measure, and how.
#[derive(Debug, Default, Clone)]
pub struct ProbeRequest {
    /// Directories of features, and models.
    pub features: Vec<PathBuf>,
    /// The data that models and baselines extract features from.
    pub data: Option<PathBuf>,
    /// Whether a report page is created.
    pub page: bool,
    /// The other options, by the names of the flags of `cpc probe`.
    pub options: Options,
}

/// The result of a probe.
#[derive(Debug, Clone)]
pub struct Probed {
    /// The table.
    pub described: Described,
    /// Accuracy on the test set, as a fraction, by the name of the features, in the order of the table.
    pub accuracies: Vec<(String, f64)>,
    /// The report page, if it was requested.
    pub page: Option<String>,
}
