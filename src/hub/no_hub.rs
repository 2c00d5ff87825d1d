//! Replaces the hub in a build without it. Every reference is refused with an error that names it.

use super::{Here, is_reference};
use crate::error::{Error, Result};
use crate::observer::Session;
use std::path::{Path, PathBuf};

fn not_built(reference: &str) -> Error {
    Error::usage(
        format!("{reference}: this cpc was built without the hub"),
        "build it with the feature `hub`, or download it and give its path",
    )
}

/// Whether a reference to the hub names a model.
///
/// # Errors
/// Always: this build has no hub.
pub fn is_model(reference: &str, _: &Session) -> Result<bool> {
    Err(not_built(reference))
}

/// Whether `kept`, a reference to a commit, is what `asked` resolved to. Never: this build resolves nothing.
pub fn pins(_: &str, _: &str) -> bool {
    false
}

/// A model.
///
/// # Errors
/// It is on the hub, which this build does not have.
pub fn model(reference: &str, _: &dyn Fn(&str) -> bool, _: &Session) -> Result<Here> {
    if is_reference(reference) {
        return Err(not_built(reference));
    }
    Ok(Here { path: reference.into(), name: reference.into() })
}

/// A file, called `name` in a directory.
///
/// # Errors
/// It is on the hub, which this build does not have.
pub fn file(reference: &str, name: &str, _: &Session) -> Result<PathBuf> {
    if is_reference(reference) {
        return Err(not_built(reference));
    }
    let path = PathBuf::from(reference);
    Ok(if path.is_dir() { path.join(name) } else { path })
}

/// Data.
///
/// # Errors
/// They are on the hub, which this build does not have.
pub fn data(reference: &Path, _: &Session) -> Result<Here> {
    match reference.to_str().filter(|text| is_reference(text)) {
        Some(text) => Err(not_built(text)),
        None => Ok(Here { path: reference.into(), name: reference.display().to_string() }),
    }
}
