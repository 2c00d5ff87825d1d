//! Reads the lines of a file that is too large to be held in memory, each line with a maximum length.
//!
//! A line ends with a newline, a carriage return, or carriage returns and a newline.

use crate::data::plain::{self, Refused};
use crate::error::{Error, Result};
use std::io::BufRead;
use std::path::{Path, PathBuf};

/// The lines of a file.
pub(super) struct Lines {
    path: PathBuf,
    reader: Box<dyn BufRead>,
    longest: usize,
    bytes: Vec<u8>,
    number: u64,
    /// Number of blank lines that were read ahead.
    blank: u64,
}

/// A line, or what is wrong with it.
pub(super) type Line<'a> = std::result::Result<&'a str, String>;

impl Lines {
    /// The lines of the file at `path`, each of at most `longest` bytes; or why it is no text.
    pub(super) fn open(path: &Path, longest: usize) -> Result<std::result::Result<Self, Refused>> {
        let new = |reader| Lines { path: path.to_path_buf(), reader, longest, bytes: Vec::new(), number: 0, blank: 0 };
        Ok(plain::open(path)?.map(new))
    }

    /// The next line with its number, from 1, without its line end; `None` after the last one.
    pub(super) fn next(&mut self) -> Result<Option<(u64, Line<'_>)>> {
        self.bytes.clear();
        if self.blank > 0 {
            self.blank -= 1;
            self.number += 1;
            return Ok(Some((self.number, Ok(""))));
        }
        let Some(length) = self.fill().map_err(Error::io(&self.path, "read"))? else { return Ok(None) };
        self.number += 1;
        if length > self.longest {
            return Ok(Some((self.number, Err(format!("the line is longer than {} bytes", self.longest)))));
        }
        let text = match self.bytes.iter().position(|b| *b == 0) {
            Some(at) => Err(format!("has a NUL byte, which no text has (byte {at} of the line)")),
            None => std::str::from_utf8(&self.bytes)
                .map_err(|e| format!("is not UTF-8 (byte {} of the line)", e.valid_up_to())),
        };
        Ok(Some((self.number, text)))
    }

    /// Reads a line and its end, and keeps as much of it as is allowed. Returns its length; none at the end of the file.
    fn fill(&mut self) -> std::io::Result<Option<usize>> {
        let (mut any, mut length) = (false, 0);
        loop {
            let some = self.reader.fill_buf()?;
            if some.is_empty() {
                return Ok(any.then_some(length));
            }
            any = true;
            let end = some.iter().position(|b| matches!(b, b'\n' | b'\r'));
            let part = &some[..end.unwrap_or(some.len())];
            length += part.len();
            if length <= self.longest {
                self.bytes.extend_from_slice(part);
            }
            let (read, returned) = (part.len() + usize::from(end.is_some()), end.map(|end| some[end] == b'\r'));
            self.reader.consume(read);
            match returned {
                None => continue,
                Some(true) => self.returns()?,
                Some(false) => {}
            }
            return Ok(Some(length));
        }
    }

    /// Reads what follows a carriage return: a newline belongs to it, and further returns are blank lines unless a newline follows them.
    fn returns(&mut self) -> std::io::Result<()> {
        loop {
            match self.reader.fill_buf()?.first() {
                Some(b'\r') => self.blank += 1,
                Some(b'\n') => {
                    self.blank = 0;
                    self.reader.consume(1);
                    return Ok(());
                }
                _ => return Ok(()),
            }
            self.reader.consume(1);
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
        let mut lines = Lines::open(&path, longest).unwrap().unwrap();
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

    #[test]
    fn returns_alone_end_lines_too() {
        let wanted: Vec<_> = (1..).zip(["one", "", "two", "3"].map(|text| Ok(text.to_string()))).collect();
        for text in ["one\r\rtwo\r3", "one\r\r\n\r\ntwo\r\r\n3\r\n", "one\n\ntwo\r3\r"] {
            assert_eq!(read(text.as_bytes(), 10), wanted, "{text:?}");
        }
        // Where one piece that is read from the file ends, and the next begins.
        let long = format!("{}\r\n{}\r{}", "a".repeat((1 << 16) - 1), "b".repeat((1 << 16) - 1), "c");
        assert_eq!(read(long.as_bytes(), 1 << 20).len(), 3);
    }

    #[test]
    fn a_nul_byte_is_named() {
        assert_eq!(
            read(b"one\nt\0wo\n3\n", 10)[1],
            (2, Err("has a NUL byte, which no text has (byte 1 of the line)".into()))
        );
    }
}
