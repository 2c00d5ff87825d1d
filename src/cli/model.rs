//! MODEL on the command line: resolved once, and said what it resolved to.

use super::Terminal;
use crate::error::Result;
use crate::weights::Pretrained;
use crate::weights::torch::is_torch_file;
use std::path::Path;

/// Opens what a user gave as MODEL.
pub(super) fn open(reference: &str, terminal: &Terminal) -> Result<Pretrained> {
    let model = Pretrained::open(Path::new(reference))?;
    if !model.ignored.is_empty() || model.origin.layout != "model directory" {
        terminal.note(&format!("{reference}: {}", model.origin.layout));
    }
    Ok(model)
}

/// Whether a user means a model by this, rather than features or recordings.
///
/// # Errors
/// The file cannot be read.
pub(super) fn is_model(reference: &str) -> Result<bool> {
    let path = Path::new(reference);
    if path.extension().is_some_and(|e| e == "pt" || e == "safetensors") {
        return Ok(true);
    }
    if path.is_file() {
        return is_torch_file(path);
    }
    Ok(path.join("config.json").is_file() || path.join("model").join("config.json").is_file())
}
