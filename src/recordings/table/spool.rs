//! A temporary file for unpacked data. It has no name, so it disappears however the program ends.

use crate::audio::Input;
use std::fs::File;
use std::io::{Error, ErrorKind, Read, Result, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A file of concatenated byte ranges.
#[derive(Debug)]
pub(super) struct Spool {
    file: Arc<File>,
    dir: PathBuf,
    end: u64,
}

/// A range of bytes of a spool.
#[derive(Debug, Clone)]
pub(super) struct Stretch {
    file: Arc<File>,
    begin: u64,
    length: u64,
}

/// The directory for temporary files that may be large: TMPDIR, or /var/tmp, because /tmp may be in memory.
fn directory() -> PathBuf {
    let large = Path::new("/var/tmp");
    if std::env::var_os("TMPDIR").is_none() && large.is_dir() { large.into() } else { std::env::temp_dir() }
}

impl Spool {
    /// Creates an empty spool.
    pub(super) fn create() -> std::result::Result<Self, String> {
        let dir = directory();
        let file = tempfile::tempfile_in(&dir).map_err(|e| refused(&dir, &e))?;
        Ok(Spool { file: Arc::new(file), dir, end: 0 })
    }

    /// Appends bytes.
    pub(super) fn add(&mut self, bytes: &[u8]) -> std::result::Result<Stretch, String> {
        write_all_at(&self.file, bytes, self.end).map_err(|e| refused(&self.dir, &e))?;
        let stretch = Stretch { file: Arc::clone(&self.file), begin: self.end, length: bytes.len() as u64 };
        self.end += stretch.length;
        Ok(stretch)
    }
}

fn refused(dir: &Path, error: &Error) -> String {
    format!("cannot be unpacked to {}: {error}; set TMPDIR to a directory with more space", dir.display())
}

impl Stretch {
    /// Opens the bytes as a stream.
    pub(super) fn open(self) -> std::result::Result<Input, String> {
        let length = self.length;
        Ok(Input::new(Reading { stretch: self, at: 0 }, length))
    }
}

/// A stretch that is being read. The file's own position is shared, so it is not used.
struct Reading {
    stretch: Stretch,
    at: u64,
}

impl Read for Reading {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let left = usize::try_from(self.stretch.length.saturating_sub(self.at)).unwrap_or(usize::MAX);
        let n = buffer.len().min(left);
        let n = read_at(&self.stretch.file, &mut buffer[..n], self.stretch.begin + self.at)?;
        self.at += n as u64;
        Ok(n)
    }
}

impl Seek for Reading {
    fn seek(&mut self, to: SeekFrom) -> Result<u64> {
        let to = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.stretch.length.checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        self.at = to.ok_or_else(|| Error::new(ErrorKind::InvalidInput, "a seek before the beginning"))?;
        Ok(self.at)
    }
}

#[cfg(unix)]
fn read_at(file: &File, buffer: &mut [u8], at: u64) -> Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, buffer, at)
}

#[cfg(unix)]
fn write_all_at(file: &File, bytes: &[u8], at: u64) -> Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, at)
}

#[cfg(windows)]
fn read_at(file: &File, buffer: &mut [u8], at: u64) -> Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, buffer, at)
}

#[cfg(windows)]
fn write_all_at(file: &File, mut bytes: &[u8], mut at: u64) -> Result<()> {
    while !bytes.is_empty() {
        let n = std::os::windows::fs::FileExt::seek_write(file, bytes, at)?;
        if n == 0 {
            return Err(ErrorKind::WriteZero.into());
        }
        (bytes, at) = (&bytes[n..], at + n as u64);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stretches_are_streams_of_their_own() {
        let mut spool = Spool::create().unwrap();
        let (a, empty, b) = (spool.add(b"first").unwrap(), spool.add(b"").unwrap(), spool.add(b"second").unwrap());
        let read = |stretch: &Stretch, from: SeekFrom| {
            let mut input = stretch.clone().open().unwrap();
            let mut text = String::new();
            input.seek(from).unwrap();
            input.read_to_string(&mut text).unwrap();
            text
        };
        assert_eq!(read(&a, SeekFrom::Start(0)), "first");
        assert_eq!(read(&b, SeekFrom::End(-3)), "ond");
        assert_eq!(read(&b, SeekFrom::Start(2)), "cond");
        assert_eq!(read(&b, SeekFrom::Start(99)), "");
        assert_eq!(read(&empty, SeekFrom::Current(0)), "");
        let mut input = b.open().unwrap();
        assert!(input.seek(SeekFrom::End(-7)).is_err() && input.seek(SeekFrom::Current(-1)).is_err());
    }
}
