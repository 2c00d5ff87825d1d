//! Checkpoints: everything that a run needs to resume as if it had never stopped.
//!
//! `checkpoints/step-N/` is a model directory with two additional files: `optimizer.safetensors` (Adam's moments) and `state.json`
//! (the step, the position in the data, the best validation so far). Random streams are functions of the seed and the step, so only
//! the seed has to be stored. A checkpoint is written under a temporary name and then renamed, so it is either complete or absent.

use crate::data::Position;
use crate::durable;
use crate::error::{Error, Result};
use crate::nn::Optimizer;
use crate::train::task::Task;
use crate::weights::model_dir::checkpoints;
use crate::weights::{read_tensors, write_tensors};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// The best validation of a run.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Best {
    /// Number of updates made before it.
    pub step: u64,
    /// The metric that decides, which is the loss unless the task names another; `loss` in the file.
    #[serde(rename = "loss")]
    pub value: f64,
}

/// The contents of `state.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// The version of this format: 1.
    pub format: u32,
    /// Number of updates made.
    pub step: u64,
    /// Number of updates made before this run, of which Adam's moments are the result (`--resume-optimizer`).
    #[serde(default)]
    pub updates_before: u64,
    /// The seed that determines every random stream, together with the step or the position in the data.
    pub seed: u64,
    /// The position of the next batch of training data.
    pub position: Position,
    /// The best validation so far.
    pub best: Option<Best>,
}

/// The path of the checkpoint after `step` updates.
pub fn path(run: &Path, step: u64) -> PathBuf {
    run.join("checkpoints").join(format!("step-{step}"))
}

/// Writes `checkpoints/step-N`, then removes all except the last `keep` checkpoints.
pub fn write(run: &Path, task: &impl Task, optimizer: &Optimizer, state: &State, keep: usize) -> Result<PathBuf> {
    let dir = run.join("checkpoints");
    std::fs::create_dir_all(&dir).map_err(Error::io(&dir, "create"))?;
    let path = path(run, state.step);
    durable::write_dir(&path, |tmp| {
        task.write_model(tmp)?;
        write_tensors(&tmp.join("optimizer.safetensors"), &optimizer.tensors())?;
        durable::write_json(&tmp.join("state.json"), state)
    })?;
    let all = checkpoints(run)?;
    for (_, old) in &all[..all.len().saturating_sub(keep)] {
        std::fs::remove_dir_all(old).map_err(Error::io(old, "remove"))?;
    }
    Ok(path)
}

/// Reads the state of a checkpoint.
pub fn read_state(path: &Path) -> Result<State> {
    let file = path.join("state.json");
    let text = std::fs::read_to_string(&file).map_err(Error::io(&file, "read"))?;
    let state: State = serde_json::from_str(&text).map_err(|e| damaged(&file, &e.to_string()))?;
    if state.format != 1 {
        Err(damaged(&file, "a format that this version of cpc does not support"))
    } else {
        Ok(state)
    }
}

fn damaged(file: &Path, what: &str) -> Error {
    Error::failed(
        format!("{}: {what}", file.display()),
        "remove this checkpoint and resume again from the previous one",
    )
}

/// Loads the weights and moments of a checkpoint into a task and its optimizer.
pub fn load(path: &Path, state: &State, task: &impl Task, optimizer: &mut Optimizer) -> Result<()> {
    let weights = read_tensors(&path.join("model.safetensors"))?;
    task.params().load(&weights, None, &path.display().to_string())?;
    let file = path.join("optimizer.safetensors");
    optimizer.load(&read_tensors(&file)?, state.step, state.updates_before, &file.display().to_string())
}
