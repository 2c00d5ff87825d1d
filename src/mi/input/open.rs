//! Opening a file of columns, of whatever kind.

use crate::data::contents::contents;
use crate::data::plain::HEAD;
use crate::error::{Error, Result};
use crate::mi::input::array::{Npy, Npz};
use crate::mi::input::delimited::Delimited;
#[cfg(feature = "parquet")]
use crate::mi::input::parquet::Parquet;
use crate::mi::input::source::Source;
use crate::mi::input::table::Table;
use crate::mi::input::tensors::Tensors;
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// The kinds of files that can be read, for messages.
const KINDS: &str = ".npy, .npz, .safetensors, .csv, .tsv or .parquet, or `-` for CSV on standard input";

/// Opens a source, whose kind is given by the ending of a file's name; `-` is CSV on standard input. `asked` are the names and patterns of the columns
/// that are wanted from it.
///
/// # Errors
/// It is missing, a directory, empty, damaged, of a kind that cannot be read, or of another kind than the ending says.
pub(super) fn open(source: &Source, asked: &[String]) -> Result<Box<dyn Table>> {
    let ending = match source {
        Source::File(path) if path == Path::new("-") => "csv".into(),
        Source::File(path) => ending(path)?,
        Source::Memory { kind, .. } => (*kind).to_string(),
    };
    let name = source.to_string();
    Ok(match (ending.as_str(), source) {
        ("npy", _) => Box::new(Npy::open(source.seekable()?, name)?),
        ("npz", _) => Box::new(Npz::open(source.seekable()?, name)?),
        ("csv", _) => Box::new(Delimited::open(source.reader()?, name, b',', asked)?),
        ("tsv", _) => Box::new(Delimited::open(source.reader()?, name, b'\t', asked)?),
        ("safetensors", Source::File(path)) => Box::new(Tensors::open(path, name)?),
        #[cfg(feature = "parquet")]
        ("parquet", Source::File(path)) => Box::new(Parquet::open(path, name)?),
        #[cfg(not(feature = "parquet"))]
        ("parquet", Source::File(path)) => {
            return Err(crate::data::not_built(path, ".npy, .npz, .safetensors, .csv or .tsv"));
        }
        _ => return Err(Error::usage(format!("{name}: {ending} cannot be read from memory"), "give .npy or .npz")),
    })
}

/// The ending of a file's name.
///
/// # Errors
/// The file is missing, a directory, empty, of a kind that cannot be read, or of another kind than the ending says.
fn ending(path: &Path) -> Result<String> {
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
    if held.is_file() {
        check(path, &ending, &name)?;
    }
    Ok(ending)
}

/// Refuses a file whose first bytes say that it is of another kind than the ending of its name says.
fn check(path: &Path, ending: &str, name: &str) -> Result<()> {
    let mut start = Vec::new();
    let mut file = File::open(path).map_err(Error::io(path, "read"))?;
    file.by_ref().take(HEAD as u64).read_to_end(&mut start).map_err(Error::io(path, "read"))?;
    let Some(found) = contents(&start) else { return Ok(()) };
    let meant: &[&str] = match ending {
        "npy" => &["an array of numpy"],
        // An archive without arrays is named as such.
        "npz" => &["arrays of numpy (.npz)", "an archive (zip)"],
        "safetensors" => &["a safetensors file"],
        "parquet" => &["a parquet file"],
        _ => &[],
    };
    match meant.contains(&found.what) {
        true => Ok(()),
        false => Err(Error::failed(format!("{name}: is {}", found.what), found.remedy)),
    }
}
