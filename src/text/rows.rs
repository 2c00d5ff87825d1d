//! Reads documents, or sentences, from the rows of a parquet file.

use crate::data::columns::{ByteRows, damaged, open};
use crate::error::{Error, Result};
use crate::guard::guarded;
use crate::text::documents::{LONGEST_DOCUMENT, document};
use crate::text::reading::{At, Reading};
use crate::text::split::Split;
use parquet::basic::{ConvertedType, LogicalType, Type};
use parquet::file::reader::FileReader;
use parquet::schema::types::SchemaDescriptor;
use std::path::Path;

/// Text columns used if none is chosen.
const USUAL: [&str; 2] = ["text", "sentence"];

/// Passes on the rows of a table. Each row is a document or, with [`Split::Lines`], a sentence; then an empty row and the
/// end of the file end a document.
pub(super) fn table(path: &Path, column: &str, split: Split, reading: &mut Reading<'_>) -> Result<()> {
    let opened = guarded(|| {
        let file = open(path)?;
        Ok((file.metadata().file_metadata().schema_descr_ptr(), file))
    });
    let (schema, file) = match opened {
        Ok(opened) => opened,
        Err(what) => return reading.problem(&path.display(), what),
    };
    let column = find(path, &schema, column)?;
    let mut number = 0;
    for group in 0..file.num_row_groups() {
        let end = number + u64::try_from(file.metadata().row_group(group).num_rows()).unwrap_or(0);
        let mut outcome = Ok(());
        let read = guarded(|| {
            let group = file.get_row_group(group).map_err(damaged)?;
            let mut rows = ByteRows::new(&*group, column).map_err(damaged)?;
            loop {
                let some = rows.next().map_err(damaged)?;
                for bytes in &some {
                    outcome = row(path, number, bytes.as_ref().map(|b| b.data()), split, reading);
                    number += 1;
                    if outcome.is_err() {
                        return Ok(());
                    }
                }
                if some.is_empty() || reading.is_futile() {
                    return Ok(());
                }
            }
        });
        outcome?;
        if let Err(what) = read {
            reading.problem(&format!("{} rows {number} to {}", path.display(), end.saturating_sub(1)), what)?;
        }
        number = end;
    }
    reading.end()
}

fn row(path: &Path, number: u64, bytes: Option<&[u8]>, split: Split, reading: &mut Reading<'_>) -> Result<()> {
    let bytes = bytes.unwrap_or_default();
    let at = At { path, line: number, row: true };
    reading.counts.lines += 1;
    if bytes.len() > LONGEST_DOCUMENT {
        return reading.problem(&at, format!("is longer than {LONGEST_DOCUMENT} bytes"));
    }
    match (std::str::from_utf8(bytes), split) {
        (Err(e), _) => reading.problem(&at, format!("is not UTF-8 (byte {})", e.valid_up_to())),
        (Ok(text), _) if text.trim().is_empty() => reading.blank(),
        (Ok(text), Split::Lines) => reading.sentence(text, &at),
        (Ok(text), Split::Sentences) => document(text, split, &at, reading),
    }
}

/// The index of the text column: the chosen one, the usual one, or the only one.
fn find(path: &Path, schema: &SchemaDescriptor, chosen: &str) -> Result<usize> {
    let text = |i: &usize| {
        let column = schema.column(*i);
        let named =
            column.converted_type() == ConvertedType::UTF8 || column.logical_type_ref() == Some(&LogicalType::String);
        named && column.physical_type() == Type::BYTE_ARRAY && column.max_rep_level() == 0
    };
    let texts: Vec<usize> = (0..schema.num_columns()).filter(text).collect();
    let called = |name: &str| texts.iter().copied().find(|&i| schema.column(i).path().string() == name);
    let found = match (chosen, texts.as_slice()) {
        ("", [only]) => Some(*only),
        ("", _) => USUAL.iter().find_map(|name| called(name)),
        _ => called(chosen),
    };
    found.ok_or_else(|| {
        let names: Vec<String> = texts.iter().map(|&i| schema.column(i).path().string()).collect();
        let what = match (chosen, names.len()) {
            (_, 0) => "has no column of text".to_string(),
            ("", n) => format!("has {n} columns of text, and none is called `text` or `sentence`"),
            _ => format!("has no column `{chosen}` of text"),
        };
        let remedy = match names.len() {
            0 => "use parquet files with a column of strings".to_string(),
            _ => format!("choose one of its columns with --column text=NAME: {}", names.join(", ")),
        };
        Error::usage(format!("{}: {what}", path.display()), remedy)
    })
}
