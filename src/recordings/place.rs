//! The place an utterance is read from: a file of its own, or a row of a table.

use crate::audio::{Input, Recording};
use crate::recordings::table::Row;
use std::fmt;
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
