//! What `symphonia` reads from: a file, from a byte onwards, with an end to its patience.
//!
//! A damaged file can send a demuxer round in circles (a FLAC seek table that points backwards does). Every seek and
//! every byte read is therefore counted, and past a budget that no sound file comes near, reading fails.

use std::fs::File;
use std::io::{Error, Read, Result, Seek, SeekFrom};
use symphonia::core::io::{MediaSource, MediaSourceStream, MediaSourceStreamOptions};

/// A file from `base` on, seen as a stream that begins at 0.
struct Source {
    file: File,
    base: u64,
    length: u64,
    budget: u64,
}

/// A seek costs as much of the budget as reading this many bytes.
const SEEK_COST: u64 = 4096;

/// A stream of `file` without its first `base` bytes.
pub(super) fn stream(mut file: File, base: u64) -> Result<MediaSourceStream<'static>> {
    let length = file.metadata()?.len().saturating_sub(base);
    file.seek(SeekFrom::Start(base))?;
    let budget = length.saturating_mul(4).saturating_add(16 << 20);
    let source = Source { file, base, length, budget };
    Ok(MediaSourceStream::new(Box::new(source), MediaSourceStreamOptions::default()))
}

impl Source {
    fn spend(&mut self, cost: u64) -> Result<()> {
        self.budget = self.budget.checked_sub(cost).ok_or_else(|| Error::other("reading it leads round in circles"))?;
        Ok(())
    }
}

impl Read for Source {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let n = self.file.read(buffer)?;
        self.spend(n.max(64) as u64)?;
        Ok(n)
    }
}

impl Seek for Source {
    fn seek(&mut self, to: SeekFrom) -> Result<u64> {
        self.spend(SEEK_COST)?;
        let to = match to {
            SeekFrom::Start(at) => SeekFrom::Start(at.saturating_add(self.base)),
            other => other,
        };
        self.file.seek(to)?.checked_sub(self.base).ok_or_else(|| Error::other("a seek before the beginning"))
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
