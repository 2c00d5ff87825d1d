//! Pretraining on recordings.

use super::report::best;
use super::subject::{Job, Subject};
use crate::cli::card::Record;
use crate::cli::model;
use crate::config::{Config, OnBadFile, TrainConfig};
use crate::data::{Corpus, Windows};
use crate::error::Result;
use crate::report::model_card::{Training, Validation};
use crate::train::{AudioTask, Finished, Start, Task, begin};
use crate::weights::hub::RepoRef;
use crate::weights::{ModelConfig, ModelDir};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What is trained and validated on.
pub(super) struct Material {
    train: Arc<Windows>,
    valid: Option<Arc<Windows>>,
    /// Of what is trained on.
    hours: f64,
    utterances: usize,
    speakers: usize,
}

impl Subject for Config {
    type Task = AudioTask;
    type Material = Material;

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

    fn follow(&mut self, new: &Config) {
        self.data.path.clone_from(&new.data.path);
        (self.data.prefetch, self.data.on_bad_file) = (new.data.prefetch, new.data.on_bad_file);
    }

    fn prepare(&mut self, job: &Job) -> Result<(AudioTask, Start, Material)> {
        let terminal = job.terminal;
        let init = match self.train.init.as_str() {
            init if !init.is_empty() && job.from.is_none() => Some(model::open(init, terminal)?),
            _ => None,
        };
        // What is on the hub may change: the run keeps the commit.
        if let Some(init) = init.as_ref().filter(|init| RepoRef::is_reference(&init.origin.reference)) {
            self.train.init.clone_from(&init.origin.reference);
        }
        let material = material(self, job)?;
        let task = AudioTask::new(self, material.train.clone(), material.valid.clone(), job.at(), job.device)?;
        let start = match (&init, job.from) {
            (_, Some((path, state))) => {
                ModelDir::read_config(path)?;
                Start::Checkpoint(path.clone(), state.clone())
            }
            (Some(init), None) => {
                if !init.has_heads() {
                    terminal.note("the weights to begin with have no prediction heads: those begin at random");
                }
                begin(init, task.params(), &self.heads, &self.train)?
            }
            (None, None) => Start::Fresh,
        };
        Ok((task, start, material))
    }

    fn describe(&self, task: &AudioTask) -> String {
        let rate = f64::from(self.data.sample_rate);
        let (hop, field) = (self.encoder.hop(), self.encoder.receptive_field());
        format!(
            "model: {:.1} M parameters, a frame every {hop} samples ({:.1} ms) that sees {field} samples ({:.1} ms); {} steps ahead reach {:.0} ms",
            task.params().num_trainable() as f64 / 1e6,
            1e3 * hop as f64 / rate,
            1e3 * field as f64 / rate,
            self.heads.steps,
            1e3 * (hop * self.heads.steps) as f64 / rate,
        )
    }

    fn ahead(&self, k: usize) -> String {
        let frame = self.encoder.hop() as f64 / f64::from(self.data.sample_rate);
        format!("{:.0} ms", 1e3 * k as f64 * frame)
    }

    fn frame_seconds(&self) -> Option<f64> {
        Some(self.encoder.hop() as f64 / f64::from(self.data.sample_rate))
    }

    fn write_card(&self, name: &str, finished: &Finished, material: &Material, parameters: usize) -> Result<()> {
        let Some((on, step, figures)) = best(finished) else { return Ok(()) };
        let last = |path: &Path| path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        let data = &self.data.path;
        let training = Training {
            cpc_version: env!("CARGO_PKG_VERSION").into(),
            // Of a path, its end: a card does not tell where things lay.
            data: if RepoRef::is_reference(data) { data.clone() } else { last(Path::new(data)) },
            hours: Some(material.hours),
            utterances: Some(material.utterances),
            speakers: Some(material.speakers),
            steps: finished.steps,
            validation: Some(Validation {
                on: on.into(),
                step,
                loss: figures.loss,
                loss_per_step: figures.loss_per_step.clone(),
                accuracy_per_step: figures.accuracy_per_step.clone(),
                negatives_met: 1.0 / figures.chance - 1.0,
            }),
            ..Training::of(self)
        };
        Record::new(parameters, training).write(&finished.model, name, &ModelConfig::audio(self))
    }
}

/// The windows to train and to validate on.
fn material(config: &Config, job: &Job) -> Result<Material> {
    let terminal = job.terminal;
    let corpus = Corpus::open(job.data, &config.data, &|_| {})?;
    for problem in &corpus.problems {
        terminal.warning(&format!("left out: {problem}"));
    }
    let hours = corpus.seconds() / 3600.0;
    terminal.note(&format!(
        "{}: {} utterances, {} speakers, {}",
        config.data.path,
        corpus.utterances.len(),
        corpus.speakers.len(),
        if hours < 1.0 { format!("{:.1} minutes", hours * 60.0) } else { format!("{hours:.1} hours") }
    ));
    if config.data.on_bad_file == OnBadFile::Skip && !corpus.problems.is_empty() {
        terminal.warning(&format!("{} files are left out", corpus.problems.len()));
    }
    let list = |name: &str| if name.is_empty() { None } else { Some(PathBuf::from(name)) };
    let (train_list, valid_list) = (list(&config.data.train), list(&config.data.valid));
    let (train, valid) =
        corpus.split(train_list.as_deref(), valid_list.as_deref(), config.data.valid_share, config.seed)?;
    let held = valid.utterances.len();
    let (hours, utterances, speakers) = (train.seconds() / 3600.0, train.utterances.len(), train.speakers.len());
    let train = Arc::new(Windows::new(Arc::new(train), &config.data)?);
    let material = |valid| Material { train: train.clone(), valid, hours, utterances, speakers };
    terminal.note(&format!("training on {} windows; {}", train.len(), train.dropped()));
    if held == 0 {
        terminal.note("no validation: no utterances are held out; model/ will be the last one");
        return Ok(material(None));
    }
    match Windows::new(Arc::new(valid), &config.data) {
        Ok(valid) => {
            terminal.note(&format!(
                "validating on {} of {} windows from {held} utterances",
                valid.len().min(config.data.valid_windows as u64),
                valid.len()
            ));
            Ok(material(Some(Arc::new(valid))))
        }
        Err(e) if valid_list.is_some() => Err(e),
        Err(_) => {
            terminal.warning(&format!(
                "no validation: the {held} utterances that were held out are shorter than a window; name longer ones with --valid"
            ));
            Ok(material(None))
        }
    }
}
