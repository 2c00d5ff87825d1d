//! What only the owner of a model can say on its card.

use super::About;
use crate::error::{Error, Result};
use std::path::{Path, PathBuf};

/// The name of a card in a model directory.
pub const CARD: &str = "README.md";

/// What only the owner of a model knows.
#[derive(Debug, Default, Clone)]
pub struct Details {
    /// The repository that the model goes to, as owner/name.
    pub repo: String,
    /// The license, by the hub's id.
    pub license: Option<String>,
    /// ISO 639 codes of the languages of the data.
    pub language: Vec<String>,
    /// Data sets of the hub that it was trained on, as owner/name.
    pub dataset: Vec<String>,
    /// Files with what `cpc probe --json` printed of its features.
    pub probe: Vec<PathBuf>,
    /// Files with what `cpc abx --json` printed of its features.
    pub abx: Vec<PathBuf>,
}

impl Details {
    /// Whether nothing is said.
    pub fn is_empty(&self) -> bool {
        let lists = [self.language.is_empty(), self.dataset.is_empty(), self.probe.is_empty(), self.abx.is_empty()];
        self.license.is_none() && lists == [true; 4]
    }

    /// The name of the model in its repository.
    pub fn name(&self) -> &str {
        self.repo.rsplit('/').next().unwrap_or(&self.repo)
    }

    /// What is said, without reports.
    pub fn about(&self) -> About<'_> {
        About {
            name: self.name(),
            license: self.license.as_deref(),
            language: &self.language,
            datasets: &self.dataset,
            repo: Some(&self.repo),
        }
    }

    /// The card of a model of some kind (`models`, such as `text models`) that no run wrote a card for: the README.md in `dir` as it
    /// is if there is one, else what `make` makes of these details.
    ///
    /// # Errors
    /// Details are given and there is a README.md, or they are reports, which such a card has no place for; or a file cannot be read.
    pub fn card(&self, models: &str, dir: &Path, make: impl FnOnce(About) -> String) -> Result<Vec<u8>> {
        if !self.probe.is_empty() || !self.abx.is_empty() {
            return Err(Error::usage(
                format!("--probe and --abx are not for {models}: their cards have no place for reports"),
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
            format!("{}: is there already, so --license and the like have no place in it", path.display()),
            "write them into its header yourself, or move it away: then a card is made",
        ))
    }
}
