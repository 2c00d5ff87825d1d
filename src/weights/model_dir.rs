//! What model directories of all kinds share: `config.json`, which names the kind, and `model.safetensors`.

use crate::durable;
use crate::error::{Error, Problem, Result};
use crate::weights::tensors::write_tensors;
use candle_core::Tensor;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The origin of a model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The reference that the model was requested by.
    pub reference: String,
    /// The layout that was found: `model directory`, or a kind of checkpoint.
    pub layout: String,
}

/// The directory of the model at `path`: `path` itself, or of a run directory its `model/`, or its newest checkpoint as long as no validation
/// has chosen a model.
pub fn place(path: &Path) -> PathBuf {
    let inside = path.join("model");
    match () {
        () if path.join("config.json").exists() => path.to_path_buf(),
        () if is_whole(&inside) => inside,
        () => checkpoints(path).ok().and_then(|mut all| all.pop()).map_or(path.to_path_buf(), |(_, newest)| newest),
    }
}

/// Whether a directory has the files of a model.
pub fn is_whole(dir: &Path) -> bool {
    ["config.json", "model.safetensors"].iter().all(|file| dir.join(file).is_file())
}

/// The directories `checkpoints/step-N` of a run, sorted by N.
///
/// # Errors
/// The directory cannot be read.
pub fn checkpoints(run: &Path) -> Result<Vec<(u64, PathBuf)>> {
    let dir = run.join("checkpoints");
    if !dir.exists() {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    for entry in std::fs::read_dir(&dir).map_err(Error::io(&dir, "read"))? {
        let path = entry.map_err(Error::io(&dir, "read"))?.path();
        let name = path.file_name().and_then(|n| n.to_str()).unwrap_or_default();
        if let Some(step) = name.strip_prefix("step-").and_then(|n| n.parse().ok()) {
            found.push((step, path));
        }
    }
    found.sort();
    Ok(found)
}

/// The kind of the model at `path`, a model directory or a run directory, if there is one.
pub fn kind(path: &Path) -> Option<String> {
    let text = std::fs::read_to_string(place(path).join("config.json")).ok()?;
    let json: serde_json::Value = serde_json::from_str(&text).ok()?;
    // `model_type` is what the key was called before.
    ["kind", "model_type"].iter().find_map(|key| json[*key].as_str()).map(String::from)
}

/// Reads the `config.json` of a model of this kind, in format 1. `check` collects values that are out of range.
///
/// # Errors
/// There is none, it is of another kind or format, or says what this version of cpc does not know.
pub fn read_config<C: DeserializeOwned>(dir: &Path, kind: &str, check: impl Fn(&C, &mut Vec<Problem>)) -> Result<C> {
    let file = dir.join("config.json");
    if dir.is_dir() && !file.exists() {
        return Err(Error::failed(
            format!("{}: not a model directory: it contains no config.json", dir.display()),
            "give a run directory, its model/, or one of its checkpoints/",
        ));
    }
    let text = std::fs::read_to_string(&file).map_err(Error::io(&file, "read"))?;
    let wrong = |what: String| {
        Error::failed(
            format!("{}: {what}", file.display()),
            "copy or download the model again, or use the version of cpc that wrote it",
        )
    };
    // First of all what it is: the keys of another kind are not faults of this one.
    let json: serde_json::Value = serde_json::from_str(&text).map_err(|e| wrong(e.to_string()))?;
    let said = ["kind", "model_type"].iter().find_map(|key| json[*key].as_str()).unwrap_or("an unnamed kind");
    let format = json["format"].as_u64().unwrap_or(0);
    if format != 1 || said != kind {
        return Err(wrong(format!("{said} of format {format} is not supported here; {kind} of format 1 is expected")));
    }
    let config: C = serde_json::from_str(&text).map_err(|e| wrong(e.to_string()))?;
    let mut faults = Vec::new();
    check(&config, &mut faults);
    match faults.first() {
        Some(fault) => Err(wrong(fault.to_string())),
        None => Ok(config),
    }
}

/// Writes a model of any configuration into an existing directory, each file atomically, the weights last.
///
/// # Errors
/// Writing to disk fails.
pub fn write_model(dir: &Path, config: &impl Serialize, tensors: &BTreeMap<String, Tensor>) -> Result<()> {
    durable::write_json(&dir.join("config.json"), config)?;
    write_tensors(&dir.join("model.safetensors"), tensors)
}
