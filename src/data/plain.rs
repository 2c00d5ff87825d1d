//! Text files as UTF-8, whatever they are encoded in: a byte order mark is taken off, and UTF-16 with a mark is decoded. What is not
//! text is refused by what it is: another kind of file, UTF-16 without a mark, UTF-32.
//!
//! A line ends with a newline, with a carriage return (old Mac programs), or with both.

use crate::data::contents::contents;
use crate::error::{Error, Result};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::path::Path;

/// Number of bytes that an encoding is recognized from.
pub(crate) const HEAD: usize = 1 << 16;

/// What to do about text in an encoding that is not recognized.
pub(crate) const TO_UTF8: &str =
    "save it as UTF-8; if it was written on Windows: iconv -f WINDOWS-1252 -t UTF-8 FILE > NEW";

/// Why a file is not read as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refused {
    /// The end of a sentence that begins with the file's name.
    pub what: String,
    /// What to do about it.
    pub remedy: String,
}

impl Refused {
    /// The error for the file `name`.
    pub(crate) fn error(self, name: &str) -> Error {
        Error::failed(format!("{name}: {}", self.what), self.remedy)
    }
}

/// An encoding that is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Encoding {
    Utf8,
    /// UTF-16, with the most significant byte first or last.
    Utf16 {
        big: bool,
    },
}

/// The encoding of a text that begins with `start`, and the length of its byte order mark.
fn encoding(start: &[u8]) -> std::result::Result<(Encoding, usize), Refused> {
    let refused = |what: &str, remedy: &str| Err(Refused { what: what.into(), remedy: remedy.into() });
    let utf32 =
        |from: &str| refused(&format!("is {from}"), &format!("convert it: iconv -f {from} -t UTF-8 FILE > NEW"));
    if start.starts_with(b"\xef\xbb\xbf") {
        return Ok((Encoding::Utf8, 3));
    }
    if start.starts_with(b"\xff\xfe\0\0") || start.starts_with(b"\0\0\xfe\xff") {
        return utf32("UTF-32");
    }
    if start.starts_with(b"\xff\xfe") || start.starts_with(b"\xfe\xff") {
        return Ok((Encoding::Utf16 { big: start[0] == 0xfe }, 2));
    }
    if let Some(found) = contents(start) {
        return refused(&format!("is {}", found.what), found.remedy);
    }
    match unmarked(start) {
        Some(from) => {
            let what = format!("is {from} without a byte order mark");
            refused(&what, &format!("convert it: iconv -f {from} -t UTF-8 FILE > NEW"))
        }
        None => Ok((Encoding::Utf8, 0)),
    }
}

/// The wide encoding without a byte order mark that a text is in, by its NUL bytes: the upper bytes of the characters of many scripts, and
/// of the blanks and line ends of all.
fn unmarked(start: &[u8]) -> Option<&'static str> {
    let mut zeros = [0usize; 4];
    start.iter().enumerate().filter(|(_, b)| **b == 0).for_each(|(i, _)| zeros[i % 4] += 1);
    let (n, all) = (start.len() / 4, zeros.iter().sum::<usize>());
    // The upper bytes of Thai, for example, are control characters.
    let controls = start.iter().filter(|b| b.is_ascii_control() && !b.is_ascii_whitespace() && **b != 0).count();
    if n == 0 || all == 0 && controls * 10 < start.len() {
        return None;
    }
    // Upper planes are rare: two of four bytes are zero in nearly every character.
    let full = |i: usize| zeros[i] * 10 >= n * 9;
    if full(2) && full(3) && zeros[0] * 2 < n {
        return Some("UTF-32LE");
    }
    if full(0) && full(1) && zeros[3] * 2 < n {
        return Some("UTF-32BE");
    }
    let (even, odd) = (zeros[0] + zeros[2], zeros[1] + zeros[3]);
    let many = all * 5 >= start.len();
    let broken = controls > 0 || std::str::from_utf8(start).is_err_and(|e| e.error_len().is_some());
    // Without many NUL bytes, as in Chinese, the rest has to be no text in UTF-8 but one in UTF-16.
    let read = |big: bool| {
        let units = start.chunks_exact(2).map(|b| unit([b[0], b[1]], big));
        let units: Vec<u16> = units.collect();
        let cut = units.len() - usize::from(units.last().is_some_and(|u| (0xd800..0xdc00).contains(u)));
        char::decode_utf16(units[..cut].iter().copied()).all(|c| c.is_ok_and(|c| !c.is_control() || c.is_whitespace()))
    };
    match (even * 20 <= odd, odd * 20 <= even) {
        (true, _) if many || broken && read(false) => Some("UTF-16LE"),
        (_, true) if many || broken && read(true) => Some("UTF-16BE"),
        _ => None,
    }
}

fn unit(bytes: [u8; 2], big: bool) -> u16 {
    if big { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) }
}

/// The bytes of `input` as UTF-8, without a byte order mark. They may still have bytes that are not UTF-8.
///
/// # Errors
/// The outer error is one of reading.
pub(crate) fn decoded<'a>(
    mut input: Box<dyn Read + 'a>,
) -> io::Result<std::result::Result<Box<dyn BufRead + 'a>, Refused>> {
    let mut start = Vec::new();
    input.by_ref().take(HEAD as u64).read_to_end(&mut start)?;
    let (encoding, mark) = match encoding(&start) {
        Ok(found) => found,
        Err(refused) => return Ok(Err(refused)),
    };
    start.drain(..mark);
    let input = Cursor::new(start).chain(input);
    Ok(Ok(match encoding {
        Encoding::Utf8 => Box::new(BufReader::with_capacity(HEAD, input)),
        Encoding::Utf16 { big } => Box::new(BufReader::with_capacity(
            HEAD,
            Utf16 { input: BufReader::new(input), big, high: None, out: Vec::new(), at: 0 },
        )),
    }))
}

/// The bytes of a file as UTF-8.
///
/// # Errors
/// The outer error: it cannot be read.
pub(crate) fn open(path: &Path) -> Result<std::result::Result<Box<dyn BufRead>, Refused>> {
    let file = File::open(path).map_err(Error::io(path, "read"))?;
    decoded(Box::new(file)).map_err(Error::io(path, "read"))
}

/// All bytes of a file as UTF-8, with one newline at the end of each line. They may still have bytes that are not UTF-8.
///
/// # Errors
/// It cannot be read, or is not text.
pub(crate) fn bytes(path: &Path) -> Result<Vec<u8>> {
    let mut all = Vec::new();
    let mut input = open(path)?.map_err(|refused| refused.error(&path.display().to_string()))?;
    input.read_to_end(&mut all).map_err(Error::io(path, "read"))?;
    let all = newlines(all);
    match all.iter().position(|&b| b == 0) {
        Some(at) => Err(nul(&all, at).error(&path.display().to_string())),
        None => Ok(all),
    }
}

/// All of a table in text as UTF-8, with one newline at the end of each line; `name` is its name in messages.
///
/// # Errors
/// It cannot be read, is not text, or is a page of HTML.
pub(crate) fn table(input: impl Read, name: &str) -> Result<Vec<u8>> {
    let failed = |e: io::Error| Error::failed(format!("{name}: cannot be read: {e}"), "copy it again");
    let mut all = Vec::new();
    let mut input = decoded(Box::new(input)).map_err(failed)?.map_err(|refused| refused.error(name))?;
    input.read_to_end(&mut all).map_err(failed)?;
    let all = newlines(all);
    if let Some(at) = all.iter().position(|&b| b == 0) {
        return Err(nul(&all, at).error(name));
    }
    no_page(&all).map_err(|refused| refused.error(name))?;
    Ok(all)
}

/// Refuses a page of HTML, which is what a browser or `curl` may save in place of a table.
pub(crate) fn no_page(start: &[u8]) -> std::result::Result<(), Refused> {
    let start = start.trim_ascii_start();
    let begins = |with: &[u8]| start.get(..with.len()).is_some_and(|start| start.eq_ignore_ascii_case(with));
    if !begins(b"<!doctype html") && !begins(b"<html") {
        return Ok(());
    }
    Err(Refused { what: "is a page of HTML".into(), remedy: "download the table itself, not the page about it".into() })
}

/// All of a file as text, with one newline at the end of each line.
///
/// # Errors
/// It cannot be read, or is not text; the error names the first line that is not UTF-8.
pub(crate) fn text(path: &Path) -> Result<String> {
    String::from_utf8(bytes(path)?).map_err(|e| {
        let line = line_of(e.as_bytes(), e.utf8_error().valid_up_to());
        Error::failed(format!("{} line {line}: is not UTF-8", path.display()), TO_UTF8)
    })
}

/// What is wrong with a text that has a NUL byte at `at`.
pub(crate) fn nul(bytes: &[u8], at: usize) -> Refused {
    Refused {
        what: format!("line {} has a NUL byte, which no text has", line_of(bytes, at)),
        remedy: "take it out, with tr -d '\\000' < FILE > NEW, if the rest is text".into(),
    }
}

fn line_of(bytes: &[u8], at: usize) -> usize {
    1 + bytes[..at].iter().filter(|b| **b == b'\n').count()
}

/// One newline where a line ends in a carriage return, or in some and a newline.
pub(crate) fn newlines(bytes: Vec<u8>) -> Vec<u8> {
    if !bytes.contains(&b'\r') {
        return bytes;
    }
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let returns = bytes[at..].iter().take_while(|b| **b == b'\r').count();
        match bytes.get(at + returns) {
            _ if returns == 0 => out.push(bytes[at]),
            Some(b'\n') => {}
            _ => out.resize(out.len() + returns, b'\n'),
        }
        at += returns.max(1);
    }
    out
}

/// UTF-16 as UTF-8.
struct Utf16<R> {
    input: BufReader<R>,
    big: bool,
    /// The first half of a character of two units.
    high: Option<u16>,
    out: Vec<u8>,
    at: usize,
}

impl<R: Read> Utf16<R> {
    /// The next unit; none at the end.
    fn next(&mut self) -> io::Result<Option<u16>> {
        let mut bytes = Vec::with_capacity(2);
        self.input.by_ref().take(2).read_to_end(&mut bytes)?;
        match bytes[..] {
            [] => Ok(None),
            [a, b] => Ok(Some(unit([a, b], self.big))),
            _ => Err(invalid("this UTF-16 text ends within a character")),
        }
    }
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

impl<R: Read> Read for Utf16<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.at == self.out.len() {
            (self.at, self.out) = (0, Vec::new());
            while self.out.len() < out.len().max(4) {
                let Some(unit) = self.next()? else { break };
                let units = self.high.take().into_iter().chain([unit]);
                if (0xd800..0xdc00).contains(&unit) {
                    if units.count() > 1 {
                        return Err(invalid("this UTF-16 text has half of a character"));
                    }
                    self.high = Some(unit);
                    continue;
                }
                for c in char::decode_utf16(units) {
                    let c = c.map_err(|_| invalid("this UTF-16 text has half of a character"))?;
                    self.out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                }
            }
            if self.out.is_empty() && self.high.take().is_some() {
                return Err(invalid("this UTF-16 text ends within a character"));
            }
        }
        let n = (self.out.len() - self.at).min(out.len());
        out[..n].copy_from_slice(&self.out[self.at..][..n]);
        self.at += n;
        Ok(n)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A text in UTF-16.
    pub(crate) fn utf16(text: &str, big: bool, mark: bool) -> Vec<u8> {
        let marked = if mark { format!("\u{feff}{text}") } else { text.into() };
        marked.encode_utf16().flat_map(|u| if big { u.to_be_bytes() } else { u.to_le_bytes() }).collect()
    }

    fn utf32(text: &str, big: bool) -> Vec<u8> {
        text.chars().flat_map(|c| if big { (c as u32).to_be_bytes() } else { (c as u32).to_le_bytes() }).collect()
    }

    fn read(bytes: &[u8]) -> Result<String> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.txt");
        std::fs::write(&path, bytes).unwrap();
        text(&path)
    }

    /// What is said about a text, after the name of its file.
    fn said(bytes: &[u8]) -> (String, String) {
        let e = read(bytes).unwrap_err();
        (e.to_string().split_once("a.txt").unwrap().1.to_string(), e.remedy())
    }

    const TEXTS: [&str; 4] =
        ["one, two\nthree\n", "Größe;日本\r\n1,5;𝄞\r\n", "今天天气很好。\n我们去公园。\n", "ไป\nมา\n"];

    #[test]
    fn marks_are_taken_off_and_utf_16_with_a_mark_is_decoded() {
        for text in TEXTS {
            let want = text.replace("\r\n", "\n");
            assert_eq!(read(text.as_bytes()).unwrap(), want);
            assert_eq!(read(format!("\u{feff}{text}").as_bytes()).unwrap(), want);
            for big in [false, true] {
                assert_eq!(read(&utf16(text, big, true)).unwrap(), want);
            }
        }
        // Longer than the start that the encoding is recognized from, with characters of two units across its end.
        let long = "a𝄞é".repeat(30_000);
        assert_eq!(read(&utf16(&long, false, true)).unwrap(), long);
        assert_eq!(read(b"").unwrap(), "");
    }

    #[test]
    fn wide_characters_without_a_mark_are_named_by_their_encoding() {
        for text in TEXTS {
            for (big, name) in [(false, "LE"), (true, "BE")] {
                let (what, remedy) = said(&utf16(text, big, false));
                assert_eq!(what, format!(": is UTF-16{name} without a byte order mark"), "{text}");
                assert_eq!(remedy, format!("convert it: iconv -f UTF-16{name} -t UTF-8 FILE > NEW"));
                assert_eq!(said(&utf32(text, big)).0, format!(": is UTF-32{name} without a byte order mark"), "{text}");
                assert_eq!(said(&utf32(&format!("\u{feff}{text}"), big)).0, ": is UTF-32");
            }
        }
        let odd = [&utf16("one\n", false, true)[..], b"x"].concat();
        assert!(read(&odd).unwrap_err().to_string().contains("ends within a character"));
        assert!(read(b"\xff\xfe\x00\xd8a\0").unwrap_err().to_string().contains("half of a character"));
    }

    #[test]
    fn nul_bytes_other_encodings_and_other_files_are_named() {
        assert_eq!(said(b"one\ntwo\0\nthree\n").0, ": line 2 has a NUL byte, which no text has");
        assert!(said(b"one\ntwo\0\n").1.contains("tr -d '\\000'"));
        let (what, remedy) = said(b"one\rGr\xf6\xdfe\r");
        assert_eq!((what.as_str(), remedy.as_str()), (" line 2: is not UTF-8", TO_UTF8));
        assert_eq!(said(b"\x1f\x8b\x08\0\0").0, ": is compressed (gzip)");
    }

    #[test]
    fn lines_end_with_a_newline_a_return_or_both() {
        for text in ["a\nb\n\nc", "a\r\nb\r\n\r\nc", "a\rb\r\rc", "a\r\r\nb\r\r\n\r\nc", "a\rb\n\nc"] {
            assert_eq!(read(text.as_bytes()).unwrap(), "a\nb\n\nc", "{text:?}");
        }
        assert_eq!(newlines(b"a\r\r".to_vec()), b"a\n\n");
    }
}
