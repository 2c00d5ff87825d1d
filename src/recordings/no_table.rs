//! What stands for tables in a build without the feature `parquet`: every use of one is refused by name.

use super::{Columns, FoundRecording};
use crate::audio::Input;
use crate::data::not_built;
use crate::error::{Problem, Result};
use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};

/// A row of a parquet file, which this build cannot read: there is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Row {}

impl Row {
    /// The parquet file.
    pub fn file(&self) -> &Path {
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
