//! MODEL on the command line: resolved once, and said what it resolved to.

use super::{Terminal, remote};
use crate::error::{Error, Result};
use crate::weights::hub::{Kind, RepoRef, Settings};
use crate::weights::torch::is_torch_file;
use crate::weights::{DimModel, Pretrained, TextModel};
use std::path::Path;

/// Opens what a user gave as MODEL; what is on the hub is fetched, and called by its commit from then on.
pub(super) fn open(reference: &str, terminal: &Terminal) -> Result<Pretrained> {
    open_here(remote::model(reference, terminal)?, terminal)
}

/// Opens a model of audio that is on this machine.
pub(super) fn open_here(here: remote::Here, terminal: &Terminal) -> Result<Pretrained> {
    if TextModel::is_at(&here.path) {
        return Err(Error::usage(
            format!("{}: is a model of text", here.name),
            "this takes models of audio; `cpc extract` and `cpc probe` take those of text",
        ));
    }
    if DimModel::is_at(&here.path) {
        return Err(Error::usage(
            format!("{}: is a model of images", here.name),
            "this takes models of audio; `cpc extract` and `cpc probe` take those of images",
        ));
    }
    let mut model = Pretrained::open(&here.path)?;
    if !model.ignored.is_empty() || model.origin.layout != "model directory" {
        terminal.note(&format!("{}: {}", here.name, model.origin.layout));
    }
    model.origin.reference = here.name;
    Ok(model)
}

/// Whether a user means a model by this, rather than features or recordings.
///
/// # Errors
/// The file cannot be read, or the reference is none.
pub(super) fn is_model(reference: &str, terminal: &Terminal) -> Result<bool> {
    if RepoRef::is_reference(reference) {
        return Ok(Settings::from_env(terminal.offline)?.reference(reference)?.kind() == Kind::Model);
    }
    let path = Path::new(reference);
    if path.extension().is_some_and(|e| e == "pt" || e == "safetensors") {
        return Ok(true);
    }
    if path.is_file() {
        return is_torch_file(path);
    }
    Ok(path.join("config.json").is_file() || path.join("model").join("config.json").is_file())
}
