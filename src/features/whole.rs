//! Directories that one command fills at once, for kinds whose extractions are short: they hold what that command wrote, and nothing else.

use super::Chunks;
use super::index::{FILE_NAME, must_be_empty};
use crate::durable;
use crate::error::{Error, Result};
use crate::group::Share;
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};

/// The absolute paths of inputs, as the key `inputs` of an index.
pub fn inputs<'a>(paths: impl IntoIterator<Item = &'a PathBuf>) -> Vec<String> {
    let absolute = |path: &PathBuf| match path.exists() {
        true => std::path::absolute(path).unwrap_or_else(|_| path.clone()).display().to_string(),
        // A reference to the hub.
        false => path.display().to_string(),
    };
    paths.into_iter().map(absolute).collect()
}

/// Opens the chunks of a directory, for a shard or for all, and marks it as one that the same model makes of the same inputs, and that is not
/// complete. `key` makes what stands for everything that chunks are computed from, if it is needed.
///
/// # Errors
/// The directory holds something else, or another process writes to it; its index cannot be read.
pub fn begin(
    dir: &Path,
    model_sha256: &str,
    inputs: &[String],
    shard: Option<Share>,
    key: impl FnOnce() -> Result<String>,
) -> Result<Chunks> {
    let mark = || {
        replaceable(dir, model_sha256, inputs)?;
        if shard.is_some() && dir.join(FILE_NAME).exists() {
            return Ok(());
        }
        let index = json!({ "complete": false, "model_sha256": model_sha256, "inputs": inputs });
        durable::write_json(&dir.join(FILE_NAME), &index)
    };
    Chunks::begin(dir, shard, mark, key)
}

/// Refuses to write to `dir` unless it is absent or empty, or holds what the same model made of the same inputs.
///
/// # Errors
/// The directory holds something else; its index cannot be read.
fn replaceable(dir: &Path, model_sha256: &str, inputs: &[String]) -> Result<()> {
    let file = dir.join(FILE_NAME);
    if !file.exists() {
        return must_be_empty(dir);
    }
    let text = fs::read_to_string(&file).map_err(Error::io(&file, "read"))?;
    let index: Value = serde_json::from_str(&text).unwrap_or_default();
    let given = index["inputs"].as_array().map(|all| all.iter().filter_map(Value::as_str).collect::<Vec<_>>());
    let refuse = |what: &str| {
        let what = format!("{} holds features of {what}", dir.display());
        Err(Error::usage(what, "choose another --out, or remove that directory"))
    };
    match given {
        _ if index["model_sha256"] != model_sha256 => refuse("another model"),
        Some(given) if given == inputs => Ok(()),
        Some(given) => refuse(&format!("other inputs ({})", given.join(", "))),
        None => refuse("inputs that its index does not name"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_again_may_replace_what_is_there() {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("out");
        let mine = vec!["/a.txt".to_string()];
        let refused = |sha: &str, inputs: &[String]| replaceable(&out, sha, inputs).unwrap_err().to_string();
        assert!(replaceable(&out, "ab", &mine).is_ok());
        fs::create_dir(&out).unwrap();
        assert!(replaceable(&out, "ab", &mine).is_ok());
        fs::write(out.join("x.npy"), "x").unwrap();
        assert!(refused("ab", &mine).contains("is not empty, and contains no features"));
        fs::write(out.join(FILE_NAME), json!({"model_sha256": "ab", "inputs": ["/a.txt"]}).to_string()).unwrap();
        assert!(replaceable(&out, "ab", &mine).is_ok());
        assert!(refused("cd", &mine).ends_with("features of another model"));
        assert!(refused("ab", &["/b.txt".into()]).ends_with("features of other inputs (/a.txt)"));
        fs::write(out.join(FILE_NAME), json!({"model_sha256": "ab"}).to_string()).unwrap();
        assert!(refused("ab", &mine).contains("does not name"));
    }
}
