//! What stands for parquet files in a build without them.

use crate::error::Error;
use std::path::Path;

/// This build cannot read `path`; `instead` is what it can read.
pub(crate) fn not_built(path: &Path, instead: &str) -> Error {
    Error::usage(
        format!("{}: this cpc was built without parquet", path.display()),
        format!("build it with the feature `parquet`, or give {instead}"),
    )
}
