//! The run directory, given by `--out`.

use crate::durable;
use crate::error::{Error, Result};
use crate::train::checkpoint::{self, State};
use crate::weights::model_dir::checkpoints;
use std::path::{Path, PathBuf};

/// The files and directories that a run writes into its directory; nothing else there is ever touched.
const OURS: [&str; 4] = ["config.toml", "metrics.jsonl", "checkpoints", "model"];

fn ours(run: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(run).map_err(Error::io(run, "read"))? {
        let entry = entry.map_err(Error::io(run, "read"))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if OURS.contains(&name.as_str()) || name.starts_with("events.out.tfevents.") {
            found.push(entry.path());
        }
    }
    Ok(found)
}

/// Rejects a directory that cannot hold a new run. The check is cheap, and is to be called before long work.
///
/// # Errors
/// The directory already contains a run and `overwrite` is false; the path is not a directory.
pub fn check_new(run: &Path, overwrite: bool) -> Result<()> {
    if run.exists() && !run.is_dir() {
        return Err(Error::usage(format!("--out {}: is a file", run.display()), "choose a directory"));
    }
    if run.exists() && !overwrite && !ours(run)?.is_empty() {
        let (what, remedy) = if run.join("config.toml").exists() {
            (
                "there is a run already",
                "resume it with --resume, replace it with --overwrite, or choose another directory",
            )
        } else {
            (
                "there are files of a run without its config.toml",
                "replace them with --overwrite, or choose another directory",
            )
        };
        return Err(Error::usage(format!("--out {}: {what}", run.display()), remedy));
    }
    Ok(())
}

/// Creates the directory of a new run with its `config.toml`. With `overwrite`, removes the files that an old run left there.
pub fn create(run: &Path, config: &str, overwrite: bool) -> Result<()> {
    check_new(run, overwrite)?;
    std::fs::create_dir_all(run).map_err(Error::io(run, "create"))?;
    for old in ours(run)? {
        let removed = if old.is_dir() { std::fs::remove_dir_all(&old) } else { std::fs::remove_file(&old) };
        removed.map_err(Error::io(&old, "remove"))?;
    }
    durable::write(&run.join("config.toml"), config.as_bytes())
}

/// The last checkpoint of a run, if it has written one.
///
/// # Errors
/// There is no run in the directory, or its last checkpoint is damaged.
pub fn latest(run: &Path) -> Result<Option<(PathBuf, State)>> {
    if !run.join("config.toml").exists() {
        return Err(Error::usage(
            format!("--resume --out {}: there is no run to resume", run.display()),
            "omit --resume to start one, or check the path",
        ));
    }
    match checkpoints(run)?.pop() {
        None => Ok(None),
        Some((_, path)) => {
            let state = checkpoint::read_state(&path)?;
            Ok(Some((path, state)))
        }
    }
}
