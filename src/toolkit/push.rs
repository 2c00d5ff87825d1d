//! What is uploaded to the hub for a model: its files and its card.

use crate::error::{Error, Result};
use crate::hub::Content;
use crate::kinds::{Model, not_for};
use crate::report::model_card::{CARD, Details};
use std::path::Path;
use tempfile::TempDir;

/// The files of a model, ready to upload to the hub.
pub struct Upload {
    /// Names in the repository, and contents. The card is the last entry.
    pub files: Vec<(String, Content)>,
    /// The card, as Markdown.
    pub card: Vec<u8>,
    /// The directory of a model that was not stored as one, kept until this is dropped.
    _made: TempDir,
}

impl Upload {
    /// The files of a model, and its card with the details from its owner.
    ///
    /// # Errors
    /// Such models have no directory, details are given that its card cannot include, or a file cannot be written.
    pub fn new(model: &dyn Model, details: &Details) -> Result<Upload> {
        let made = tempfile::tempdir().map_err(Error::io(std::env::temp_dir(), "make a directory in"))?;
        let Some(dir) = model.directory(made.path())? else { return Err(not_for(model, "the hub")) };
        let card = match model.card(&dir, details)? {
            Some(card) => card,
            None => details.card(&format!("models of the kind {}", model.kind()), &dir, |a| a.minimal(model.kind()))?,
        };
        let mut files: Vec<(String, Content)> =
            model.files().iter().map(|&name| (name.into(), Content::File(dir.join(name)))).collect();
        files.extend(units(&dir)?);
        files.push((CARD.into(), Content::Bytes(card.clone())));
        Ok(Upload { files, card, _made: made })
    }
}

/// The files of units beside a model.
fn units(dir: &Path) -> Result<Vec<(String, Content)>> {
    let mut names: Vec<String> = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(Error::io(dir, "read"))? {
        let name = entry.map_err(Error::io(dir, "read"))?.file_name().to_string_lossy().into_owned();
        let count = name.strip_prefix("units-").and_then(|rest| rest.strip_suffix(".safetensors"));
        if count.is_some_and(|count| count.parse::<usize>().is_ok()) {
            names.push(name);
        }
    }
    names.sort();
    Ok(names.into_iter().map(|name| (name.clone(), Content::File(dir.join(name)))).collect())
}
