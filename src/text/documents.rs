//! Reads the documents of text files: `.txt` with one sentence per line, `.txt` prose, `.jsonl`.

use crate::error::Result;
use crate::text::lines::{Line, Lines};
use crate::text::prose::Paragraph;
use crate::text::reading::{LONGEST, Reading};
use crate::text::split::Split;
use serde_json::Value;
use std::fmt;
use std::path::Path;

/// Size in bytes of the longest document that is held in memory as a whole (a line of `.jsonl`, a row of a table).
pub(super) const LONGEST_DOCUMENT: usize = 64 << 20;

/// A position in a file: path and line.
struct At<'a>(&'a Path, u64);

impl fmt::Display for At<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.0.display(), self.1)
    }
}

/// Passes on the documents of a `.txt` file; a blank line and the end of the file end a document.
pub(super) fn text(path: &Path, split: Split, reading: &mut Reading<'_>) -> Result<()> {
    let mut paragraph = Paragraph::new();
    let mut lines = Lines::open(path, LONGEST)?;
    let mut last = 0;
    while let Some((number, line)) = lines.next()? {
        let at = At(path, number);
        last = number;
        match (line, split) {
            (Err(what), _) => {
                paragraph.end(&at, reading)?;
                reading.problem(&at, what)?;
            }
            (Ok(line), Split::Lines) if !line.trim().is_empty() => reading.sentence(line, &at)?,
            (Ok(line), Split::Sentences) if !line.trim().is_empty() => paragraph.line(line, &at, reading)?,
            _ => {
                paragraph.end(&at, reading)?;
                reading.blank()?;
            }
        }
        if reading.is_futile() {
            return Ok(());
        }
    }
    paragraph.end(&At(path, last), reading)?;
    reading.end()
}

/// Passes on the documents of a `.jsonl` file, one per line.
pub(super) fn json_lines(path: &Path, split: Split, reading: &mut Reading<'_>) -> Result<()> {
    let mut lines = Lines::open(path, LONGEST_DOCUMENT)?;
    while let Some((number, line)) = lines.next()? {
        json(line, split, &At(path, number), reading)?;
        if reading.is_futile() {
            return Ok(());
        }
    }
    Ok(())
}

/// A document in JSON: a text, a list of sentences, or an object with one of them.
fn json(line: Line<'_>, split: Split, at: &At<'_>, reading: &mut Reading<'_>) -> Result<()> {
    let line = match line {
        Ok(line) if line.trim().is_empty() => return reading.blank(),
        Ok(line) => line,
        Err(what) => return reading.problem(at, what),
    };
    match serde_json::from_str(line) {
        Err(e) => reading.problem(at, format!("is not JSON: {e}")),
        Ok(Value::String(text)) => document(&text, split, at, reading),
        Ok(Value::Array(sentences)) => list(&sentences, at, reading),
        Ok(Value::Object(keys)) => match (keys.get("text"), keys.get("sentences")) {
            (Some(Value::String(text)), None) => document(text, split, at, reading),
            (None, Some(Value::Array(sentences))) => list(sentences, at, reading),
            (Some(_), Some(_)) => reading.problem(at, "has both `text` and `sentences`"),
            _ => reading.problem(at, "has neither a string as `text` nor a list as `sentences`"),
        },
        Ok(_) => reading.problem(at, "is neither a string, nor a list of strings, nor an object"),
    }
}

fn list(sentences: &[Value], at: &At<'_>, reading: &mut Reading<'_>) -> Result<()> {
    if let Some(i) = sentences.iter().position(|sentence| !sentence.is_string()) {
        return reading.problem(at, format!("item {i} of the list is not a string"));
    }
    for sentence in sentences.iter().filter_map(Value::as_str) {
        reading.sentence(sentence, at)?;
    }
    reading.end()
}

/// A document held in memory as a whole: its lines are sentences, or its paragraphs are split into sentences.
pub(super) fn document(text: &str, split: Split, at: &dyn fmt::Display, reading: &mut Reading<'_>) -> Result<()> {
    let mut paragraph = Paragraph::new();
    for line in text.lines() {
        match split {
            Split::Lines => reading.sentence(line, at)?,
            Split::Sentences if !line.trim().is_empty() => paragraph.line(line, at, reading)?,
            Split::Sentences => {
                paragraph.end(at, reading)?;
            }
        }
    }
    paragraph.end(at, reading)?;
    if text.trim().is_empty() { reading.blank() } else { reading.end() }
}
