//! Reads the documents of text files: `.txt` with one sentence per line, `.txt` prose, `.jsonl`.

use crate::data::plain::Refused;
use crate::error::Result;
use crate::text::lines::{Line, Lines};
use crate::text::prose::Paragraph;
use crate::text::reading::{At, LONGEST, Reading};
use crate::text::split::Split;
use serde_json::{Map, Value};
use std::path::Path;

/// Size in bytes of the longest document that is held in memory as a whole (a line of `.jsonl`, a row of a table).
pub(super) const LONGEST_DOCUMENT: usize = 64 << 20;

/// Passes on the documents of a `.txt` file; a blank line and the end of the file end a document.
pub(super) fn text(path: &Path, split: Split, reading: &mut Reading<'_>) -> Result<()> {
    let mut paragraph = Paragraph::new();
    let mut lines = match Lines::open(path, LONGEST)? {
        Ok(lines) => lines,
        Err(refused) => return reading.refuse(&path.display(), refused),
    };
    let mut last = At { path, line: 0, row: false };
    while let Some((line_number, line)) = lines.next()? {
        let at = At { line: line_number, ..last };
        last = at;
        reading.counts.lines += 1;
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
    paragraph.end(&last, reading)?;
    reading.end()
}

/// Passes on the documents of a `.jsonl` file, one per line; `key` is the key of the document in an object, `text` or `sentences` if it is
/// empty.
pub(super) fn json_lines(path: &Path, key: &str, split: Split, reading: &mut Reading<'_>) -> Result<()> {
    let mut lines = match Lines::open(path, LONGEST_DOCUMENT)? {
        Ok(lines) => lines,
        Err(refused) => return reading.refuse(&path.display(), refused),
    };
    while let Some((number, line)) = lines.next()? {
        reading.counts.lines += 1;
        json(line, key, split, &At { path, line: number, row: false }, reading)?;
        if reading.is_futile() {
            return Ok(());
        }
    }
    Ok(())
}

/// A document in JSON: a text, a list of sentences, or an object with one of them. A null is an empty document.
fn json(line: Line<'_>, key: &str, split: Split, at: &At<'_>, reading: &mut Reading<'_>) -> Result<()> {
    let line = match line {
        Ok(line) if line.trim().is_empty() => return reading.blank(),
        Ok(line) => line,
        Err(what) => return reading.problem(at, what),
    };
    let keys = match serde_json::from_str(line) {
        Err(e) => return reading.problem(at, format!("is not JSON: {e}")),
        Ok(Value::Object(keys)) => keys,
        Ok(value) => {
            let what = "is neither a string, nor a list of strings, nor an object";
            return value_of(&value, split, at, reading).unwrap_or_else(|| reading.problem(at, what));
        }
    };
    if !key.is_empty() {
        let Some(value) = keys.get(key) else { return reading.refuse(at, lacking(&format!("has no `{key}`"), &keys)) };
        let what = format!("has neither a string nor a list of sentences as `{key}`");
        return value_of(value, split, at, reading).unwrap_or_else(|| reading.problem(at, what));
    }
    match (keys.get("text"), keys.get("sentences")) {
        (Some(value @ (Value::String(_) | Value::Null)), None)
        | (None, Some(value @ (Value::Array(_) | Value::Null))) => {
            value_of(value, split, at, reading).unwrap_or(Ok(()))
        }
        (Some(_), Some(_)) => reading.problem(at, "has both `text` and `sentences`"),
        (None, None) => reading.refuse(at, lacking("has neither `text` nor `sentences`", &keys)),
        _ => reading.problem(at, "has neither a string as `text` nor a list as `sentences`"),
    }
}

/// What is wrong with an object that lacks the key of the document.
fn lacking(what: &str, keys: &Map<String, Value>) -> Refused {
    let all: Vec<&str> = keys.keys().map(String::as_str).collect();
    let likely = keys.iter().find(|(_, value)| value.is_string() || value.is_array());
    Refused {
        what: format!("{what}; its keys are {}", if all.is_empty() { "none".into() } else { all.join(", ") }),
        remedy: match likely {
            Some((key, _)) => {
                format!("name the key of the text with --column text=KEY, for example --column text={key}")
            }
            None => "give one object per line, with the document as `text`".into(),
        },
    }
}

/// Passes on a document that is a value; none if it can be no document.
fn value_of(value: &Value, split: Split, at: &At<'_>, reading: &mut Reading<'_>) -> Option<Result<()>> {
    match value {
        Value::String(text) => Some(document(text, split, at, reading)),
        Value::Array(sentences) => Some(list(sentences, at, reading)),
        Value::Null => Some(reading.blank()),
        _ => None,
    }
}

fn list(sentences: &[Value], at: &At<'_>, reading: &mut Reading<'_>) -> Result<()> {
    if let Some(i) = sentences.iter().position(|sentence| !sentence.is_string() && !sentence.is_null()) {
        return reading.problem(at, format!("item {i} of the list is not a string"));
    }
    for sentence in sentences {
        reading.sentence(sentence.as_str().unwrap_or_default(), at)?;
    }
    reading.end()
}

/// A document held in memory as a whole: its lines are sentences, or its paragraphs are split into sentences.
pub(super) fn document(text: &str, split: Split, at: &At<'_>, reading: &mut Reading<'_>) -> Result<()> {
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
