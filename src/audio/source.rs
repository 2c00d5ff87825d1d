//! The source of a recording's bytes, and what `symphonia` reads of them.
//!
//! A recording is a file of its own, or is stored inside something else (a row of a table). Either way it is a stream
//! that begins at 0 and has a length. A damaged recording can send a demuxer into an endless loop (a FLAC seek table
//! that points backwards does). Every seek and every byte that `symphonia` reads is therefore counted, and reading
//! fails once a budget is exceeded that no valid sound file comes near.

use std::fs::File;
use std::io::{Error, Read, Result, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use symphonia::core::io::{MediaSource, MediaSourceStream, MediaSourceStreamOptions};

/// Something that holds the bytes of one recording, such as the path of a file.
pub trait Recording {
    /// Its name in messages: a path, or a row of a table.
    fn place(&self) -> String;

    /// The original file name; only its extension is used, as a hint.
    fn name(&self) -> &Path;

    /// Opens its bytes, positioned at the beginning.
    ///
    /// # Errors
    /// What is wrong with it, as the rest of a sentence that begins with its place.
    fn open(&self) -> std::result::Result<Input, String>;
}

impl Recording for Path {
    fn place(&self) -> String {
        self.display().to_string()
    }

    fn name(&self) -> &Path {
        self
    }

    fn open(&self) -> std::result::Result<Input, String> {
        // Check the metadata before opening: opening a pipe would block until its other end is opened.
        let metadata = std::fs::metadata(self).map_err(|e| format!("cannot be opened: {e}"))?;
        if metadata.is_dir() {
            return Err("is a directory, not an audio file".into());
        }
        if !metadata.is_file() {
            return Err("is not a regular file".into());
        }
        let file = File::open(self).map_err(|e| format!("cannot be opened: {e}"))?;
        Ok(Input::new(file, metadata.len()))
    }
}

impl Recording for PathBuf {
    fn place(&self) -> String {
        self.as_path().place()
    }

    fn name(&self) -> &Path {
        self
    }

    fn open(&self) -> std::result::Result<Input, String> {
        self.as_path().open()
    }
}

/// What an [`Input`] reads from.
trait Bytes: Read + Seek + Send + Sync {}

impl<T: Read + Seek + Send + Sync> Bytes for T {}

/// The bytes of a recording: a stream that begins at 0.
pub struct Input {
    bytes: Box<dyn Bytes>,
    length: u64,
}

impl Input {
    /// A stream of `length` bytes, positioned at 0.
    pub fn new(bytes: impl Read + Seek + Send + Sync + 'static, length: u64) -> Self {
        Input { bytes: Box::new(bytes), length }
    }

    /// Its length in bytes.
    pub(super) fn length(&self) -> u64 {
        self.length
    }
}

impl Read for Input {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        self.bytes.read(buffer)
    }
}

impl Seek for Input {
    fn seek(&mut self, to: SeekFrom) -> Result<u64> {
        self.bytes.seek(to)
    }
}

/// `length` bytes of an input from byte `base` onward, presented as a stream that begins at 0.
struct Source {
    input: Input,
    base: u64,
    length: u64,
    at: u64,
    budget: u64,
}

/// A seek uses as much of the budget as reading this many bytes.
const SEEK_COST: u64 = 4096;

/// The bytes `base..end` of `input`.
pub(super) fn stream(mut input: Input, (base, end): (u64, u64)) -> Result<MediaSourceStream<'static>> {
    let length = input.length.min(end).saturating_sub(base);
    input.seek(SeekFrom::Start(base))?;
    let budget = length.saturating_mul(4).saturating_add(16 << 20);
    let source = Source { input, base, length, at: 0, budget };
    Ok(MediaSourceStream::new(Box::new(source), MediaSourceStreamOptions::default()))
}

impl Source {
    fn spend(&mut self, cost: u64) -> Result<()> {
        self.budget =
            self.budget.checked_sub(cost).ok_or_else(|| Error::other("reading it ends in an endless loop"))?;
        Ok(())
    }
}

impl Read for Source {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let left = usize::try_from(self.length.saturating_sub(self.at)).unwrap_or(usize::MAX);
        let wanted = buffer.len().min(left);
        let n = self.input.read(&mut buffer[..wanted])?;
        self.at += n as u64;
        self.spend(n.max(64) as u64)?;
        Ok(n)
    }
}

impl Seek for Source {
    fn seek(&mut self, to: SeekFrom) -> Result<u64> {
        self.spend(SEEK_COST)?;
        let to = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.length.checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        let to = to.ok_or_else(|| Error::other("a seek before the beginning"))?;
        self.input.seek(SeekFrom::Start(to.saturating_add(self.base)))?;
        self.at = to;
        Ok(to)
    }
}

impl MediaSource for Source {
    fn is_seekable(&self) -> bool {
        true
    }

    fn byte_len(&self) -> Option<u64> {
        Some(self.length)
    }
}
