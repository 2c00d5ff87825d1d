//! What stands for tables of text in a build without the feature `parquet`.

use super::Split;
use super::reading::Reading;
use crate::data::not_built;
use crate::error::Result;
use std::path::Path;

/// Refuses a table by its name.
pub(super) fn table(path: &Path, _: &str, _: Split, _: &mut Reading<'_>) -> Result<()> {
    Err(not_built(path, ".txt or .jsonl"))
}
