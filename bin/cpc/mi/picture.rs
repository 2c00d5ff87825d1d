//! Writing the pictures of the commands.

use cpc::durable;
use cpc::error::Result;
use cpc::report::plot::Figure;
use std::path::{Path, PathBuf};

/// The name of a picture, for clap: refused before any work if it is not that of an SVG file.
///
/// # Errors
/// The name does not end in `.svg`.
pub(super) fn svg_file(name: &str) -> std::result::Result<PathBuf, String> {
    let path = PathBuf::from(name);
    match path.extension() {
        Some(ending) if ending == "svg" => Ok(path),
        _ => Err("pictures are SVG, and the name does not end in .svg".into()),
    }
}

/// Writes a figure.
///
/// # Errors
/// The file cannot be written.
pub(super) fn write(path: &Path, figure: &Figure) -> Result<()> {
    durable::write(path, figure.svg()?.as_bytes())
}
