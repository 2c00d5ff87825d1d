//! The parts of a card that only the owner of the model can provide.

use super::About;
use crate::error::{Error, Result};
use std::path::{Path, PathBuf};

/// The name of a card in a model directory.
pub const CARD: &str = "README.md";

/// What only the owner of a model knows about it.
#[derive(Debug, Default, Clone)]
pub struct Details {
    /// The repository that the model is uploaded to, as owner/name.
    pub repo: String,
    /// The license, by its id on the hub.
    pub license: Option<String>,
    /// ISO 639 codes of the languages of the data.
    pub language: Vec<String>,
    /// Data sets on the hub that the model was trained on, as owner/name.
    pub dataset: Vec<String>,
    /// Files with the output of `cpc probe --json` for its features.
    pub probe: Vec<PathBuf>,
    /// Files with the output of `cpc abx --json` for its features.
    pub abx: Vec<PathBuf>,
}

impl Details {
    /// Whether no details are given.
    pub fn is_empty(&self) -> bool {
        let lists = [self.language.is_empty(), self.dataset.is_empty(), self.probe.is_empty(), self.abx.is_empty()];
        self.license.is_none() && lists == [true; 4]
    }

    /// The name of the model in its repository.
    pub fn name(&self) -> &str {
        self.repo.rsplit('/').next().unwrap_or(&self.repo)
    }

    /// The details without the reports.
    pub fn about(&self) -> About<'_> {
        About {
            name: self.name(),
            license: self.license.as_deref(),
            language: &self.language,
            datasets: &self.dataset,
            repo: Some(&self.repo),
        }
    }

    /// The card of a model of some kind (`models`, such as `text models`) for which no run wrote a card. If `dir` has a README.md, it is
    /// used unchanged; otherwise `make` generates a card from these details.
    ///
    /// # Errors
    /// Details are given although there is a README.md; or they are reports, which such a card cannot include; or a file cannot be read.
    pub fn card(&self, models: &str, dir: &Path, make: impl FnOnce(About) -> String) -> Result<Vec<u8>> {
        if !self.probe.is_empty() || !self.abx.is_empty() {
            return Err(Error::usage(
                format!("--probe and --abx are not for {models}: their cards cannot include reports"),
                "leave them out, and write what you measured into README.md next to the model",
            ));
        }
        let path = dir.join(CARD);
        if !path.exists() {
            return Ok(make(self.about()).into_bytes());
        }
        if self.is_empty() {
            return std::fs::read(&path).map_err(Error::io(&path, "read"));
        }
        Err(Error::usage(
            format!("{}: exists already, so --license and similar options cannot be added to it", path.display()),
            "write them into its header yourself, or move the file elsewhere: then a card is generated",
        ))
    }
}
