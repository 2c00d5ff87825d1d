//! Reads the lines of a file that is too large to be held in memory, each line with a maximum length.

use crate::error::{Error, Result};
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

/// Number of bytes discarded at once after a line that is too long.
const GULP: u64 = 1 << 16;

/// The lines of a file.
pub(super) struct Lines {
    path: PathBuf,
    reader: BufReader<File>,
    longest: usize,
    bytes: Vec<u8>,
    number: u64,
}

/// A line, or what is wrong with it.
pub(super) type Line<'a> = std::result::Result<&'a str, String>;

impl Lines {
    /// The lines of the file at `path`, each of at most `longest` bytes.
    pub(super) fn open(path: &Path, longest: usize) -> Result<Self> {
        let file = File::open(path).map_err(Error::io(path, "read"))?;
        let reader = BufReader::with_capacity(1 << 16, file);
        Ok(Lines { path: path.to_path_buf(), reader, longest, bytes: Vec::new(), number: 0 })
    }

    /// The next line with its number, from 1, without its line end; `None` after the last one.
    pub(super) fn next(&mut self) -> Result<Option<(u64, Line<'_>)>> {
        self.bytes.clear();
        let most = self.longest as u64 + 2;
        let read = self.reader.by_ref().take(most).read_until(b'\n', &mut self.bytes);
        if read.map_err(Error::io(&self.path, "read"))? == 0 {
            return Ok(None);
        }
        self.number += 1;
        let ended = self.bytes.strip_suffix(b"\n");
        let line = ended.unwrap_or(&self.bytes);
        if line.strip_suffix(b"\r").unwrap_or(line).len() > self.longest {
            if ended.is_none() {
                self.skip()?;
            }
            return Ok(Some((self.number, Err(format!("the line is longer than {} bytes", self.longest)))));
        }
        let mut line = self.bytes.strip_suffix(b"\n").unwrap_or(&self.bytes);
        line = line.strip_suffix(b"\r").unwrap_or(line);
        if self.number == 1 {
            line = line.strip_prefix("\u{feff}".as_bytes()).unwrap_or(line);
        }
        let text =
            std::str::from_utf8(line).map_err(|e| format!("is not UTF-8 (byte {} of the line)", e.valid_up_to()));
        Ok(Some((self.number, text)))
    }

    /// Skips to the end of the line.
    fn skip(&mut self) -> Result<()> {
        loop {
            self.bytes.clear();
            let read = self.reader.by_ref().take(GULP).read_until(b'\n', &mut self.bytes);
            if read.map_err(Error::io(&self.path, "read"))? == 0 || self.bytes.last() == Some(&b'\n') {
                return Ok(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8], longest: usize) -> Vec<(u64, std::result::Result<String, String>)> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.txt");
        std::fs::write(&path, bytes).unwrap();
        let mut lines = Lines::open(&path, longest).unwrap();
        let mut all = Vec::new();
        while let Some((number, line)) = lines.next().unwrap() {
            all.push((number, line.map(str::to_string)));
        }
        all
    }

    #[test]
    fn line_ends_and_a_byte_order_mark_are_no_text() {
        let texts = read(b"\xef\xbb\xbfone\r\ntwo\n\nfour", 10);
        assert_eq!(texts, [(1, Ok("one".into())), (2, Ok("two".into())), (3, Ok("".into())), (4, Ok("four".into()))]);
        assert!(read(b"", 10).is_empty());
    }

    #[test]
    fn a_line_of_the_greatest_length_is_read_and_a_longer_one_is_named_and_left() {
        let long = "x".repeat(200_000);
        let text = format!("{}\n{}\n{}\r\n{long}\nlast", "a".repeat(10), "b".repeat(11), "c".repeat(10));
        let all = read(text.as_bytes(), 10);
        let too_long = || Err("the line is longer than 10 bytes".to_string());
        let expected = [Ok("a".repeat(10)), too_long(), Ok("c".repeat(10)), too_long(), Ok("last".into())];
        assert_eq!(all, (1..).zip(expected).collect::<Vec<_>>());
        assert_eq!(read(long.as_bytes(), 10), [(1, too_long())]);
    }

    #[test]
    fn what_is_not_utf8_is_named_with_line_and_byte() {
        let all = read(b"good\nb\xff\xfed\nagain\n", 10);
        assert_eq!(all[1], (2, Err("is not UTF-8 (byte 1 of the line)".into())));
        assert_eq!((all.len(), &all[2]), (3, &(3, Ok("again".into()))));
    }
}
