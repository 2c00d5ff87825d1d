//! Opening a file of columns, of whatever kind.

use crate::error::{Error, Result};
use crate::mi::input::array::{Npy, Npz};
use crate::mi::input::delimited::Delimited;
#[cfg(feature = "parquet")]
use crate::mi::input::parquet::Parquet;
use crate::mi::input::table::Table;
use crate::mi::input::tensors::Tensors;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

/// The kinds of files that can be read, for messages.
const KINDS: &str = ".npy, .npz, .safetensors, .csv, .tsv or .parquet, or `-` for CSV on standard input";

/// Opens a file, whose kind is given by the ending of its name; `-` is CSV on standard input.
///
/// # Errors
/// It is missing, a directory, empty, damaged, or of a kind that cannot be read.
pub(super) fn open(path: &Path) -> Result<Box<dyn Table>> {
    if path == Path::new("-") {
        let input = Box::new(BufReader::new(std::io::stdin()));
        return Ok(Box::new(Delimited::open(input, "standard input".into(), b',')?));
    }
    let name = path.display().to_string();
    let held = std::fs::metadata(path).map_err(Error::io(path, "read"))?;
    if held.is_dir() {
        return Err(Error::usage(format!("{name} is a directory"), format!("give a file: {KINDS}")));
    }
    let ending = path.extension().map(|e| e.to_string_lossy().to_lowercase()).unwrap_or_default();
    if !["npy", "npz", "safetensors", "csv", "tsv", "parquet"].contains(&ending.as_str()) {
        let what = format!("{name}: files of this kind cannot be read");
        return Err(Error::usage(what, format!("give {KINDS}")));
    }
    // A pipe has no length.
    if held.is_file() && held.len() == 0 {
        return Err(Error::failed(format!("{name} is empty"), "was it written to the end?"));
    }
    let file = || File::open(path).map(BufReader::new).map_err(Error::io(path, "read"));
    Ok(match ending.as_str() {
        "npy" => Box::new(Npy::open(file()?, name)?),
        "npz" => Box::new(Npz::open(file()?, name)?),
        "safetensors" => Box::new(Tensors::open(path, name)?),
        "csv" => Box::new(Delimited::open(Box::new(file()?), name, b',')?),
        "tsv" => Box::new(Delimited::open(Box::new(file()?), name, b'\t')?),
        #[cfg(feature = "parquet")]
        _ => Box::new(Parquet::open(path, name)?),
        #[cfg(not(feature = "parquet"))]
        _ => return Err(crate::data::not_built(path, ".npy, .npz, .safetensors, .csv or .tsv")),
    })
}
