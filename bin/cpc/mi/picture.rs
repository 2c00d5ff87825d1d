//! Writing the pictures of the commands.

use cpc::durable;
use cpc::error::{Error, Result};
use cpc::report::plot::Figure;
use std::path::Path;

/// Writes a figure to a `.svg` file.
///
/// # Errors
/// The name does not end in `.svg`, or the file cannot be written.
pub(super) fn write(path: &Path, figure: &Figure) -> Result<()> {
    if path.extension().is_none_or(|e| e != "svg") {
        let what = format!("{}: pictures are SVG, and the name does not end in .svg", path.display());
        return Err(Error::usage(what, "name a .svg file"));
    }
    durable::write(path, figure.svg()?.as_bytes())
}
