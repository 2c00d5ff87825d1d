//! What is uploaded to the hub for a model: its files and its card.

use crate::error::{Error, Result};
use crate::features::Normalize;
use crate::hub::Content;
use crate::kinds::{Model, not_for, word};
use crate::report::model_card::{CARD, CITATION, Details, plain, table};
use crate::units::Codebook;
use std::path::{Path, PathBuf};
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
        let units = units(&dir)?;
        let card = with_units(card, &units)?;
        let mut files: Vec<(String, Content)> =
            model.files().iter().map(|&name| (name.into(), Content::File(dir.join(name)))).collect();
        files.extend(units.into_iter().map(|path| (name(&path), Content::File(path))));
        files.push((CARD.into(), Content::Bytes(card.clone())));
        Ok(Upload { files, card, _made: made })
    }
}

/// The files of units beside a model, the fewest units first.
fn units(dir: &Path) -> Result<Vec<PathBuf>> {
    let mut found: Vec<(usize, PathBuf)> = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(Error::io(dir, "read"))? {
        let path = entry.map_err(Error::io(dir, "read"))?.path();
        let name = name(&path);
        let count = name.strip_prefix("units-").and_then(|rest| rest.strip_suffix(".safetensors"));
        found.extend(count.and_then(|count| count.parse().ok()).map(|count| (count, path)));
    }
    found.sort();
    Ok(found.into_iter().map(|(_, path)| path).collect())
}

fn name(path: &Path) -> String {
    path.file_name().map_or(String::new(), |name| name.to_string_lossy().into_owned())
}

/// A card that also states the units beside the model.
fn with_units(card: Vec<u8>, units: &[PathBuf]) -> Result<Vec<u8>> {
    if units.is_empty() {
        return Ok(card);
    }
    let mut rows = Vec::new();
    for path in units {
        let codebook = Codebook::read(path)?;
        let about = &codebook.about;
        let removed = if about.removed { ", speakers removed" } else { "" };
        let normalized = match about.normalize {
            Normalize::None => String::new(),
            how => format!(", normalized: {}", word(&how)),
        };
        rows.push(vec![
            codebook.count().to_string(),
            plain(&name(path)),
            format!("{}{normalized}{removed}", plain(&about.layer)),
            format!("{} frames", about.frames),
        ]);
    }
    let text = String::from_utf8_lossy(&card);
    let (before, after) = text.split_at(text.find(CITATION).unwrap_or(text.len()));
    let section = format!(
        "\n## Discrete units\n\nCentroids of k-means: `cpc units apply` gives each frame the number of the nearest one.\n\n{}",
        table(&["units", "file", "layer", "fitted on"], &rows)
    );
    Ok(format!("{before}{section}{after}").into_bytes())
}
