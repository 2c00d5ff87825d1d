//! Writing the pictures of the commands.

use clap::builder::{PathBufValueParser, TypedValueParser};
use cpc::durable;
use cpc::error::Result;
use cpc::report::plot::Figure;
use std::path::{Path, PathBuf};

/// The name of a picture, for clap: refused before any work if it is not that of an SVG file.
pub(super) fn svg_file() -> impl TypedValueParser<Value = PathBuf> {
    PathBufValueParser::new().try_map(|path: PathBuf| match path.extension() {
        Some(ending) if ending == "svg" => Ok(path),
        _ => Err("pictures are SVG, and the name does not end in .svg"),
    })
}

/// Writes a figure.
///
/// # Errors
/// The figure has no panels, or the file cannot be written.
pub(super) fn write(path: &Path, figure: &Figure) -> Result<()> {
    durable::write(path, figure.svg()?.as_bytes())
}
