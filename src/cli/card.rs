//! The model card of a run, and the one that goes to the hub with a model.

use crate::digest::sha256;
use crate::durable;
use crate::error::{Error, Result};
use crate::report::model_card::{About, Card, Training};
use crate::weights::ModelConfig;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::path::{Path, PathBuf};

const CARD: &str = "README.md";
const RECORD: &str = "training.json";

/// What a run knows of its model, in `training.json` beside the weights.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Record {
    /// Trainable parameters.
    pub parameters: usize,
    /// How they were trained.
    pub training: Training,
    /// SHA-256 of the card that was written beside it: a card that differs is its owner's.
    #[serde(default)]
    card: String,
}

/// What only the owner of a model knows.
#[derive(Debug, Default, clap::Args)]
pub(super) struct Details {
    /// The license, by the hub's id, such as mit or cc-by-4.0
    #[arg(long, value_name = "ID")]
    license: Option<String>,
    /// A language of the recordings, by its ISO 639 code; may be repeated
    #[arg(long, value_name = "CODE")]
    language: Vec<String>,
    /// A data set of the hub that it was trained on; may be repeated
    #[arg(long, value_name = "OWNER/NAME")]
    dataset: Vec<String>,
    /// What `cpc probe --json` printed of its features; may be repeated
    #[arg(long, value_name = "JSON")]
    probe: Vec<PathBuf>,
    /// What `cpc abx --json` printed of its features; may be repeated
    #[arg(long, value_name = "JSON")]
    abx: Vec<PathBuf>,
}

impl Record {
    /// What a run knows.
    pub fn new(parameters: usize, training: Training) -> Record {
        Record { parameters, training, card: String::new() }
    }

    /// Writes the card of a model called `name` into its directory, and this beside it.
    pub fn write(mut self, dir: &Path, name: &str, config: &ModelConfig) -> Result<()> {
        let card = self.card(name, config).markdown();
        self.card = sha256(card.as_bytes());
        durable::write(&dir.join(CARD), card.as_bytes())?;
        durable::write_json(&dir.join(RECORD), &self)
    }

    /// The record of a model directory; empty if it has none.
    fn read(dir: &Path) -> Result<Record> {
        let path = dir.join(RECORD);
        match std::fs::read_to_string(&path) {
            Ok(text) => serde_json::from_str(&text).map_err(|e| Error::bad_file(&path, e)),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(Record::default()),
            Err(e) => Err(Error::io(&path, "read")(e)),
        }
    }

    fn card<'a>(&'a self, name: &'a str, config: &'a ModelConfig) -> Card<'a> {
        Card {
            name,
            config,
            parameters: self.parameters,
            training: Some(&self.training),
            license: None,
            language: &[],
            datasets: &[],
            repo: None,
            probes: &[],
            abx: &[],
        }
    }
}

impl Details {
    fn is_empty(&self) -> bool {
        let lists = [self.language.is_empty(), self.dataset.is_empty(), self.probe.is_empty(), self.abx.is_empty()];
        self.license.is_none() && lists == [true; 4]
    }

    /// The card to send to `repo`, `owner/name`: a README.md that somebody wrote or changed as it is, else one with these details.
    ///
    /// # Errors
    /// Details are given and somebody wrote or changed the README.md; or a file cannot be read.
    pub fn card(&self, dir: &Path, config: &ModelConfig, repo: &str) -> Result<Vec<u8>> {
        let record = Record::read(dir)?;
        let path = dir.join(CARD);
        match std::fs::read(&path) {
            Ok(own) if sha256(&own) != record.card => {
                if self.is_empty() {
                    return Ok(own);
                }
                return Err(Error::usage(
                    format!("{}: not as cpc wrote it, so --license and the like have no place in it", path.display()),
                    "write them into its header yourself, or move it away: then a card is made",
                ));
            }
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(Error::io(&path, "read")(e)),
            _ => {}
        }
        let (probes, abx) = (reports(&self.probe, "probe")?, reports(&self.abx, "abx")?);
        let of_training = record.training.data.strip_prefix("hf://datasets/");
        let mut datasets: Vec<String> = of_training.into_iter().filter_map(repository).collect();
        datasets.extend(self.dataset.iter().filter(|d| !datasets.contains(d)).cloned().collect::<Vec<_>>());
        let card = Card {
            license: self.license.as_deref(),
            language: &self.language,
            datasets: &datasets,
            repo: Some(repo),
            probes: &probes,
            abx: &abx,
            ..record.card(repo.rsplit('/').next().unwrap_or(repo), config)
        };
        Ok(card.markdown().into_bytes())
    }
}

impl Details {
    /// The card of a model of `what`, text or images, to send to `repo`, `owner/name`: its README.md as it is if there is one, else what
    /// `make` makes of these details.
    ///
    /// # Errors
    /// Details are given and there is a README.md, or they are of audio; or a file cannot be read.
    pub fn card_of(&self, what: &str, dir: &Path, repo: &str, make: impl FnOnce(About) -> String) -> Result<Vec<u8>> {
        if !self.probe.is_empty() || !self.abx.is_empty() {
            return Err(Error::usage(
                format!("--probe and --abx are reports of audio, and this is a model of {what}"),
                "leave them out, and write what you measured into README.md beside the model",
            ));
        }
        let path = dir.join(CARD);
        if path.exists() {
            if self.is_empty() {
                return std::fs::read(&path).map_err(Error::io(&path, "read"));
            }
            return Err(Error::usage(
                format!("{}: is there already, so --license and the like have no place in it", path.display()),
                "write them into its header yourself, or move it away: then a card is made",
            ));
        }
        let about = About {
            name: repo.rsplit('/').next().unwrap_or(repo),
            license: self.license.as_deref(),
            language: &self.language,
            datasets: &self.dataset,
            repo: Some(repo),
        };
        Ok(make(about).into_bytes())
    }
}

/// `owner/name` at the beginning of a reference without its scheme.
fn repository(reference: &str) -> Option<String> {
    let (owner, rest) = reference.split_once('/')?;
    let name = rest.split(['@', '/']).next()?;
    Some(format!("{owner}/{name}"))
}

/// Reports of a command, as it printed them.
fn reports(paths: &[PathBuf], command: &str) -> Result<Vec<Value>> {
    let read = |path: &PathBuf| {
        let text = std::fs::read_to_string(path).map_err(Error::io(path, "read"))?;
        let report: Value = serde_json::from_str(&text).unwrap_or_default();
        if Card::shows(command, &report) {
            return Ok(report);
        }
        Err(Error::failed(
            format!("{}: not what `cpc {command} --json` prints", path.display()),
            format!("make it with: cpc {command} ... --json > {}", path.display()),
        ))
    };
    paths.iter().map(read).collect()
}
