//! Where columns come from.

use crate::error::{Error, Result};
use std::fmt;
use std::fs::File;
use std::io::{BufReader, Cursor, Read, Seek};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A file, or what a program holds in memory in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A file; `-` is standard input.
    File(PathBuf),
    /// The content of a file.
    Memory {
        /// What messages call it.
        name: String,
        /// The kind of the content, as the ending of a file's name: npy, npz, csv or tsv.
        kind: &'static str,
        /// The content.
        bytes: Arc<[u8]>,
    },
}

/// What can be read from any place.
pub(super) trait Seekable: Read + Seek {}

impl<T: Read + Seek> Seekable for T {}

impl Source {
    /// Its content, from the beginning.
    ///
    /// # Errors
    /// The file cannot be opened.
    pub fn reader(&self) -> Result<Box<dyn Read>> {
        match self {
            Source::File(path) if path == Path::new("-") => Ok(Box::new(std::io::stdin())),
            Source::File(path) => Ok(Box::new(file(path)?)),
            Source::Memory { bytes, .. } => Ok(Box::new(Cursor::new(bytes.clone()))),
        }
    }

    /// Its content, at any place of it.
    pub(super) fn seekable(&self) -> Result<Box<dyn Seekable>> {
        match self {
            Source::File(path) => Ok(Box::new(file(path)?)),
            Source::Memory { bytes, .. } => Ok(Box::new(Cursor::new(bytes.clone()))),
        }
    }

    /// Whether two are the same, also by different paths.
    pub(super) fn is(&self, other: &Source) -> bool {
        let (Source::File(x), Source::File(y)) = (self, other) else { return self == other };
        x == y || matches!((x.canonicalize(), y.canonicalize()), (Ok(x), Ok(y)) if x == y)
    }
}

fn file(path: &Path) -> Result<BufReader<File>> {
    File::open(path).map(BufReader::new).map_err(Error::io(path, "read"))
}

impl<P: AsRef<Path> + ?Sized> From<&P> for Source {
    fn from(path: &P) -> Source {
        Source::File(path.as_ref().to_path_buf())
    }
}

impl From<PathBuf> for Source {
    fn from(path: PathBuf) -> Source {
        Source::File(path)
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::File(path) if path == Path::new("-") => f.write_str("standard input"),
            Source::File(path) => write!(f, "{}", path.display()),
            Source::Memory { name, .. } => f.write_str(name),
        }
    }
}
