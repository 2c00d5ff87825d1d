//! What stands for tables of text in a build without the feature `parquet`.

use super::Split;
use super::reading::Reading;
use crate::error::{Error, Result};
use std::path::Path;

/// Refuses a table by its name.
pub(super) fn table(path: &Path, _: &str, _: Split, _: &mut Reading<'_>) -> Result<()> {
    Err(Error::usage(
        format!("{}: this cpc was built without parquet", path.display()),
        "build it with the feature `parquet`, or give .txt or .jsonl",
    ))
}
