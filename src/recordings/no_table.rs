//! Replaces tables in a build without the feature `parquet`. Every use of a table is refused with an error that names it.

use super::{Columns, FoundRecording};
use crate::audio::Input;
use crate::data::not_built;
use crate::error::{Problem, Result};
use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};

/// A row of a parquet file. This build cannot read parquet files, so there are no values of this type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Row {}

impl Row {
    /// The parquet file.
    pub fn file(&self) -> &Path {
        match *self {}
    }

    pub(super) fn named(&self, _: &Path) -> String {
        match *self {}
    }

    pub(super) fn open(&self) -> std::result::Result<Input, String> {
        match *self {}
    }
}

impl fmt::Display for Row {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {}
    }
}

pub(super) fn scan(
    files: &[PathBuf],
    _: &Path,
    _: &Columns,
    _: bool,
    _: &(dyn Fn(usize) + Sync),
) -> Result<(Vec<FoundRecording>, Vec<Problem>)> {
    match files.first() {
        Some(path) => Err(not_built(path, "audio files")),
        None => Ok((Vec::new(), Vec::new())),
    }
}

/// The labels of a column of parquet data.
///
/// # Errors
/// Always: this build cannot read parquet.
pub fn labels(data: &Path, _: &Columns) -> Result<HashMap<String, String>> {
    Err(not_built(data, "audio files"))
}
