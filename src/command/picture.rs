//! The names of pictures.

use clap::builder::{PathBufValueParser, TypedValueParser};
use std::path::PathBuf;

/// The name of a picture, for clap: refused before any work if it is not that of an SVG file.
pub(crate) fn svg_file() -> impl TypedValueParser<Value = PathBuf> {
    PathBufValueParser::new().try_map(|path: PathBuf| match path.extension() {
        Some(ending) if ending == "svg" => Ok(path),
        _ => Err("pictures are SVG, and the name does not end in .svg"),
    })
}
