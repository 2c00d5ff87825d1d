//! The folder of features that are made on the way to something else, and go on where they were interrupted.

use crate::digest::sha256;
use crate::error::{Error, Result};
use std::path::{Path, PathBuf};

/// The folder in `dir` for features that `whose` identifies; what interrupted calls left there of others is removed, so that they are never mixed.
///
/// # Errors
/// `dir` cannot be read, or what was left cannot be removed.
pub(super) fn folder(dir: &Path, prefix: &str, whose: &str) -> Result<PathBuf> {
    let own = dir.join(format!("{prefix}-{}", &sha256(whose.as_bytes())[..16]));
    let entries = match std::fs::read_dir(dir) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(own),
        entries => entries.map_err(Error::io(dir, "read"))?,
    };
    for entry in entries {
        let path = entry.map_err(Error::io(dir, "read"))?.path();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if name.starts_with(prefix) && path != own {
            std::fs::remove_dir_all(&path).map_err(Error::io(&path, "remove"))?;
        }
    }
    Ok(own)
}
