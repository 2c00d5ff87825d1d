//! Files of word vectors, read word by word: word2vec's text and binary formats, and GloVe's text format.
//!
//! - word2vec text (and fastText's `.vec`): a line with the number of words and the dimension, then one line `word v1 ... vD` per word;
//! - word2vec binary: the same first line, then each word, a space and D little-endian floats (with or without a newline after them);
//! - GloVe text: one line `word v1 ... vD` per word, without a first line of numbers.
//!
//! The format is detected from the beginning of the file. Only one line is held in memory at a time. Words that are not UTF-8, and words that
//! are empty or white space, such as a non-breaking space, are skipped and counted: published files contain some.

use crate::error::{Error, Result};
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

/// Largest number of bytes in a line, and number of bytes examined to detect the format.
const LINE: usize = 1 << 20;

/// Largest dimension of a vector.
const WIDEST: usize = 1 << 16;

/// What to do about a file that cannot be used.
const REMEDY: &str =
    "give word vectors in the format of word2vec (text or binary) or GloVe; download the file again if it is damaged";

/// A file of word vectors, positioned at its first word.
#[derive(Debug)]
pub struct WordVectors {
    name: String,
    reader: BufReader<File>,
    format: Format,
    words: Option<u64>,
    dim: usize,
    skipped: Skipped,
}

/// Numbers of words that were skipped.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Skipped {
    /// Words that are not UTF-8.
    pub not_utf8: u64,
    /// Words that are empty or white space, such as a non-breaking space.
    pub blank: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    /// Lines of text; the number is that of the first line that holds a word.
    Text(u64),
    Binary,
}

impl WordVectors {
    /// Opens a file.
    ///
    /// # Errors
    /// If it cannot be read, or is in none of the three formats.
    pub fn open(path: &Path) -> Result<WordVectors> {
        let name = path.display().to_string();
        let bad = |what: String| Error::failed(format!("{name}: {what}"), REMEDY);
        let file = File::open(path).map_err(Error::io(path, "read"))?;
        let mut reader = BufReader::with_capacity(LINE, file);
        let start = reader.fill_buf().map_err(Error::io(path, "read"))?;
        if start.starts_with(b"\x1f\x8b") || start.starts_with(b"PK") {
            return Err(Error::failed(format!("{name}: is compressed"), "decompress it first, with gunzip or unzip"));
        }
        let (first, rest) = match start.iter().position(|&b| b == b'\n') {
            Some(end) => (&start[..end], &start[end + 1..]),
            None if start.len() < LINE => (start, &start[start.len()..]),
            None => return Err(bad("the first line has no end within 1 MiB".into())),
        };
        let header = std::str::from_utf8(first).ok().and_then(|line| {
            let mut numbers = line.split_ascii_whitespace().map(str::parse::<u64>);
            let pair = numbers.next()?.ok().zip(numbers.next()?.ok());
            pair.filter(|_| numbers.next().is_none())
        });
        let (words, dim) = match header {
            Some((words, dim)) => (Some(words), dim as usize),
            None => (None, trimmed(first).split(separates).count().saturating_sub(1)),
        };
        if dim == 0 || dim > WIDEST {
            return Err(bad(format!("line 1: a vector of {dim} values")));
        }
        let skip = if words.is_some() { (first.len() + 1).min(start.len()) } else { 0 };
        let second = rest.split(|&b| b == b'\n').next().unwrap_or_default();
        let text = words.is_none() || words == Some(0) || entry(second, dim, &mut Vec::new()).is_ok();
        // A damaged line of text is distinguished from floats by the control characters that floats contain.
        let text = text || !second.iter().any(|&b| b < b' ' && b != b'\t' && b != b'\r');
        let format = if text { Format::Text(if words.is_some() { 2 } else { 1 }) } else { Format::Binary };
        reader.consume(skip);
        Ok(WordVectors { name, reader, format, words, dim, skipped: Skipped::default() })
    }

    /// Dimension of a vector.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// Numbers of words skipped so far.
    pub fn skipped(&self) -> Skipped {
        self.skipped
    }

    /// Passes every word with its vector to `each`, until `each` returns false.
    ///
    /// # Errors
    /// If the file ends early, or a line or a word has the wrong number of values or values that are not finite numbers; errors that
    /// `each` returns.
    pub fn for_each(&mut self, mut each: impl FnMut(&str, &[f32]) -> Result<bool>) -> Result<()> {
        let (mut word, mut vector) = (Vec::new(), Vec::with_capacity(self.dim));
        let mut n = 0;
        loop {
            let there = match self.format {
                Format::Text(first) => self.line(first + n, &mut word, &mut vector)?,
                Format::Binary => {
                    self.words.is_some_and(|words| n < words) && {
                        self.binary(n + 1, &mut word, &mut vector)?;
                        true
                    }
                }
            };
            if !there {
                break;
            }
            n += 1;
            match std::str::from_utf8(&word) {
                Ok(word) if !word.trim().is_empty() => {
                    if !each(word, &vector)? {
                        return Ok(());
                    }
                }
                Ok(_) => self.skipped.blank += 1,
                Err(_) => self.skipped.not_utf8 += 1,
            }
        }
        match self.words {
            Some(words) if words != n => Err(self.bad(format!("the first line says {words} words, and there are {n}"))),
            _ => Ok(()),
        }
    }

    fn bad(&self, what: String) -> Error {
        Error::failed(format!("{}: {what}", self.name), REMEDY)
    }

    /// Reads the next line; false at the end.
    fn line(&mut self, number: u64, word: &mut Vec<u8>, vector: &mut Vec<f32>) -> Result<bool> {
        let mut line = Vec::new();
        let read = self
            .reader
            .by_ref()
            .take(LINE as u64)
            .read_until(b'\n', &mut line)
            .map_err(Error::io(&self.name, "read"))?;
        if read == LINE && line.last() != Some(&b'\n') {
            return Err(self.bad(format!("line {number}: longer than 1 MiB")));
        }
        if trimmed(&line).is_empty() && self.reader.fill_buf().map_err(Error::io(&self.name, "read"))?.is_empty() {
            return Ok(false);
        }
        let own = entry(&line, self.dim, vector).map_err(|what| self.bad(format!("line {number}: {what}")))?;
        word.clear();
        word.extend_from_slice(own);
        Ok(true)
    }

    /// Reads the next word of a binary file.
    fn binary(&mut self, number: u64, word: &mut Vec<u8>, vector: &mut Vec<f32>) -> Result<()> {
        let words = self.words.unwrap_or_default();
        let early = || format!("ends within word {number} of {words}");
        word.clear();
        self.reader.by_ref().take(LINE as u64).read_until(b' ', word).map_err(Error::io(&self.name, "read"))?;
        if word.pop() != Some(b' ') {
            return Err(self.bad(early()));
        }
        let newlines = word.iter().take_while(|&&b| b == b'\n').count();
        word.drain(..newlines);
        let mut bytes = vec![0; self.dim * size_of::<f32>()];
        match self.reader.read_exact(&mut bytes) {
            Err(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => return Err(self.bad(early())),
            other => other.map_err(Error::io(&self.name, "read"))?,
        }
        vector.clear();
        vector.extend(bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])));
        if vector.iter().all(|x| x.is_finite()) {
            return Ok(());
        }
        Err(self.bad(format!("word {number}, {:?}: a value is not a finite number", String::from_utf8_lossy(word))))
    }
}

fn separates(b: &u8) -> bool {
    *b == b' ' || *b == b'\t'
}

fn trimmed(line: &[u8]) -> &[u8] {
    line.trim_ascii_end()
}

/// Returns the word of a line and writes its `dim` values to `vector`; or returns a description of what is wrong.
fn entry<'l>(line: &'l [u8], dim: usize, vector: &mut Vec<f32>) -> std::result::Result<&'l [u8], String> {
    vector.clear();
    let number = |field: &[u8]| std::str::from_utf8(field).ok()?.parse::<f32>().ok().filter(|x| x.is_finite());
    let line = trimmed(line);
    let values = line.split(separates).count() - 1;
    if values < dim {
        return Err(format!("a word and {values} values, not {dim}"));
    }
    let mut fields = line.rsplitn(dim + 1, separates);
    for field in fields.by_ref().take(dim) {
        let shown = || String::from_utf8_lossy(&field[..field.len().min(40)]).into_owned();
        vector.push(number(field).ok_or_else(|| format!("{:?} is not a finite number", shown()))?);
    }
    vector.reverse();
    // A word may contain spaces (GloVe has such words), but not a space followed by a number: that is an extra value.
    let word = fields.next().unwrap_or_default();
    match word.iter().rposition(separates) {
        Some(at) if number(&word[at + 1..]).is_some() => Err(format!("more than {dim} values")),
        _ => Ok(word),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Words = Vec<(String, Vec<f32>)>;

    /// The contents of a file with these bytes, and the number of words that were skipped.
    fn read(bytes: &[u8]) -> Result<(Words, Skipped)> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("vectors");
        std::fs::write(&path, bytes).unwrap();
        let mut file = WordVectors::open(&path)?;
        let mut all = Vec::new();
        file.for_each(|word, vector| {
            all.push((word.to_string(), vector.to_vec()));
            Ok(true)
        })?;
        Ok((all, file.skipped()))
    }

    #[test]
    fn the_three_formats_give_the_same_words() {
        let want = vec![("the".to_string(), vec![1.5, -2.0]), ("été".to_string(), vec![0.25, 3e-3])];
        assert_eq!(read("2 2\nthe 1.5 -2\nété 0.25 3e-3 \n".as_bytes()).unwrap().0, want);
        assert_eq!(read("the 1.5 -2\nété\t0.25 3e-3".as_bytes()).unwrap().0, want);
        for newline in ["", "\n"] {
            let mut bytes = b"2 2\n".to_vec();
            for (word, vector) in &want {
                bytes.extend(format!("{word} ").bytes());
                bytes.extend(vector.iter().flat_map(|x: &f32| x.to_le_bytes()));
                bytes.extend(newline.bytes());
            }
            assert_eq!(read(&bytes).unwrap().0, want);
            assert!(read(&bytes[..bytes.len() - 4]).unwrap_err().to_string().contains("ends within word 2 of 2"));
        }
    }

    #[test]
    fn a_word_may_hold_spaces_and_one_that_is_white_space_or_not_utf_8_is_counted() {
        let lines = "a 1 2\n. . . 3 4\n\u{a0} 1 1\n\u{3000} 1 1\n\u{2009}\u{a0} 1 1\nb\u{a0}c 5 6\n";
        let bytes = [lines.as_bytes(), b"\xff 5 6\n 7 8\nb 9 10\n"].concat();
        let (all, skipped) = read(&bytes).unwrap();
        let words: Vec<&str> = all.iter().map(|w| w.0.as_str()).collect();
        assert_eq!(words, ["a", ". . .", "b\u{a0}c", "b"]);
        assert_eq!(skipped, Skipped { not_utf8: 1, blank: 4 });
    }

    #[test]
    fn a_line_that_cannot_be_used_is_named() {
        let text = |bytes: &[u8]| read(bytes).unwrap_err().to_string();
        assert!(
            text(b"a 1 2\nb 1\n").contains("vectors: line 2: a word and 1 values, not 2"),
            "{}",
            text(b"a 1 2\nb 1\n")
        );
        assert!(text(b"a 1 2\nb 1 2 3\n").contains("line 2: more than 2 values"));
        assert!(text(b"a 1 2\nb 1 x\n").contains("line 2: \"x\" is not a finite number"));
        assert!(text(b"1 2\na 1 nan\n").contains("line 2: \"nan\" is not"));
        assert!(text(b"3 2\na 1 2\nb 1 2\n").contains("says 3 words, and there are 2"));
        assert!(text(b"").contains("line 1: a vector of 0 values"));
        assert!(text(b"\x1f\x8b\x08").contains("is compressed"));
        let long = [b"a 1 2\nb ".as_slice(), &vec![b'1'; LINE], b" 1\n"].concat();
        assert!(text(&long).contains("line 2: longer than 1 MiB"));
    }
}
