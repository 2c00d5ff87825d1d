//! `training.json`: what a run records about its model, and the card that is uploaded to the hub with the model.

use super::super::AudioModelConfig;
use super::{AudioCard, Training};
use crate::digest::sha256;
use crate::durable;
use crate::error::{Error, Result};
use crate::report::model_card::{CARD, Details};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::path::{Path, PathBuf};

const RECORD: &str = "training.json";

/// What a run records about its model.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(in crate::kinds::audio) struct Record {
    /// Number of trainable parameters.
    parameters: usize,
    /// How they were trained.
    training: Training,
    /// SHA-256 of the card that was written next to it. A card with another hash was changed by its owner.
    #[serde(default)]
    card: String,
}

impl Record {
    /// A record of these values.
    pub fn new(parameters: usize, training: Training) -> Record {
        Record { parameters, training, card: String::new() }
    }

    /// Writes the card of a model called `name` into its directory, and this record next to it.
    pub fn write(mut self, dir: &Path, name: &str, config: &AudioModelConfig) -> Result<()> {
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

    fn card<'a>(&'a self, name: &'a str, config: &'a AudioModelConfig) -> AudioCard<'a> {
        AudioCard {
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

/// The card to upload to the hub. A README.md that was written or changed by hand is used unchanged; otherwise a card with these details is
/// generated.
///
/// # Errors
/// Details are given although the README.md was written or changed by hand; or a file cannot be read.
pub(in crate::kinds::audio) fn card(details: &Details, dir: &Path, config: &AudioModelConfig) -> Result<Vec<u8>> {
    let record = Record::read(dir)?;
    let path = dir.join(CARD);
    match std::fs::read(&path) {
        Ok(own) if sha256(&own) != record.card => {
            if details.is_empty() {
                return Ok(own);
            }
            return Err(Error::usage(
                format!(
                    "{}: not as cpc wrote it, so --license and similar options cannot be added to it",
                    path.display()
                ),
                "write them into its header yourself, or move the file elsewhere: then a card is generated",
            ));
        }
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(Error::io(&path, "read")(e)),
        _ => {}
    }
    let (probes, abx) = (reports(&details.probe, "probe")?, reports(&details.abx, "abx")?);
    let of_training = record.training.data.strip_prefix("hf://datasets/");
    let mut datasets: Vec<String> = of_training.into_iter().filter_map(repository).collect();
    datasets.extend(details.dataset.iter().filter(|d| !datasets.contains(d)).cloned().collect::<Vec<_>>());
    let card = AudioCard {
        license: details.license.as_deref(),
        language: &details.language,
        datasets: &datasets,
        repo: Some(&details.repo),
        probes: &probes,
        abx: &abx,
        ..record.card(details.name(), config)
    };
    Ok(card.markdown().into_bytes())
}

/// The `owner/name` at the beginning of a reference without its scheme.
fn repository(reference: &str) -> Option<String> {
    let (owner, rest) = reference.split_once('/')?;
    let name = rest.split(['@', '/']).next()?;
    Some(format!("{owner}/{name}"))
}

/// Reads reports of a command, as printed by it.
fn reports(paths: &[PathBuf], command: &str) -> Result<Vec<Value>> {
    let read = |path: &PathBuf| {
        let text = std::fs::read_to_string(path).map_err(Error::io(path, "read"))?;
        let report: Value = serde_json::from_str(&text).unwrap_or_default();
        if AudioCard::shows(command, &report) {
            return Ok(report);
        }
        Err(Error::failed(
            format!("{}: not what `cpc {command} --json` prints", path.display()),
            format!("create it with: cpc {command} ... --json > {}", path.display()),
        ))
    };
    paths.iter().map(read).collect()
}
