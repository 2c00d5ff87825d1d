//! The place an utterance is read from: a file of its own, or a row of a table.

use crate::audio::{Input, Recording};
use crate::digest::hex;
use crate::recordings::table::Row;
use sha2::{Digest, Sha256};
use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};

/// The place an utterance is read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A file.
    File(PathBuf),
    /// A row of a parquet file.
    Row(Row),
}

impl Place {
    /// The file that contains it: an audio file, or a table.
    pub fn file(&self) -> &Path {
        match self {
            Place::File(path) => path,
            Place::Row(row) => row.file(),
        }
    }
}

impl Place {
    /// Its name wherever the command runs: an absolute path, or a row of a table with one.
    pub fn absolute(&self) -> String {
        let absolute = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
        match self {
            Place::File(path) => absolute(path).display().to_string(),
            Place::Row(row) => row.named(&absolute(row.file())),
        }
    }
}

/// SHA-256 of the bytes of a recording, in hexadecimal.
///
/// # Errors
/// What is wrong with it, as the rest of a sentence that begins with its place.
pub fn digest(place: &Place) -> Result<String, String> {
    let mut hash = Sha256::new();
    hash_all(place.open()?, &mut hash)?;
    Ok(hex(&hash.finalize()))
}

/// Adds all bytes of an input to a digest.
pub(super) fn hash_all(mut input: impl Read, hash: &mut Sha256) -> Result<(), String> {
    let mut buffer = vec![0; 1 << 16];
    loop {
        match input.read(&mut buffer).map_err(|e| format!("cannot be read: {e}"))? {
            0 => return Ok(()),
            n => hash.update(&buffer[..n]),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::File(path) => path.display().fmt(f),
            Place::Row(row) => row.fmt(f),
        }
    }
}

impl Recording for Place {
    fn place(&self) -> String {
        self.to_string()
    }

    fn name(&self) -> &Path {
        self.file()
    }

    fn open(&self) -> Result<Input, String> {
        match self {
            Place::File(path) => path.open(),
            Place::Row(row) => row.open(),
        }
    }
}
