//! What every kind of file gives: names, and the columns of some of them.

use super::array::{Npy, Npz};
use super::column::Column;
use super::delimited::Delimited;
use super::parquet::Parquet;
use super::tensors::Tensors;
use crate::error::{Error, Result};
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

/// What can be read, for messages.
const KINDS: &str = ".npy, .npz, .safetensors, .csv, .tsv or .parquet, or `-` for CSV on standard input";

/// A file that is open, of which nothing but names was read.
pub(super) trait Table {
    /// The file, as messages name it.
    fn file(&self) -> &str;

    /// What names stand for.
    fn what(&self) -> &'static str {
        "column"
    }

    /// What can be asked for.
    fn names(&self) -> &[String];

    /// What should be said though nothing is wrong.
    fn warning(&self) -> Option<String> {
        None
    }

    /// Reads what is asked for.
    ///
    /// # Errors
    /// The file is damaged, or holds what is neither numbers nor labels.
    fn read(self: Box<Self>, wanted: &[Wanted]) -> Result<Found>;
}

/// A name that is asked for.
#[derive(Clone, Copy)]
pub(super) struct Wanted {
    /// Its place among the names.
    pub at: usize,
    /// Labels are wanted, not numbers.
    pub labels: bool,
}

/// What was read.
pub(super) struct Found {
    /// For each name that was asked for its columns: a name may stand for several.
    pub columns: Vec<Vec<Column>>,
    /// The line of each row, where a file has lines.
    pub lines: Option<Vec<u64>>,
}

/// Opens a file by the ending of its name; `-` is CSV on standard input.
///
/// # Errors
/// It is missing, a directory, empty, damaged, or of no kind that can be read.
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
        _ => Box::new(Parquet::open(path, name)?),
    })
}
