//! MODEL on the command line: resolved once, and said what it resolved to.

use super::{Terminal, remote};
use crate::error::Result;
use crate::weights::Pretrained;
use crate::weights::hub::{Kind, RepoRef};
use crate::weights::torch::is_torch_file;
use std::path::Path;

/// Opens what a user gave as MODEL; what is on the hub is fetched, and called by its commit from then on.
pub(super) fn open(reference: &str, terminal: &Terminal) -> Result<Pretrained> {
    let here = remote::model(reference, terminal)?;
    let mut model = Pretrained::open(&here.path)?;
    model.origin.reference = here.name;
    if !model.ignored.is_empty() || model.origin.layout != "model directory" {
        terminal.note(&format!("{reference}: {}", model.origin.layout));
    }
    Ok(model)
}

/// Whether a user means a model by this, rather than features or recordings.
///
/// # Errors
/// The file cannot be read, or the reference is none.
pub(super) fn is_model(reference: &str, terminal: &Terminal) -> Result<bool> {
    if RepoRef::is_reference(reference) {
        return Ok(remote::hub(terminal)?.reference(reference)?.kind() == Kind::Model);
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
