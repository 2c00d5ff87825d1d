//! Labels of utterances, from a column.

use super::{at, open, scan};
use crate::config::Columns;
use crate::data::{corpus, scan as walk};
use crate::error::{Error, Result};
use parquet::file::reader::FileReader;
use serde_json::Value;
use std::collections::HashMap;
use std::path::Path;

/// The label of each utterance of parquet data, by the id that [`Corpus`](crate::data::Corpus) gives it: the value of the column that
/// `columns` names, or `label`. Numbers that stand for classes become the classes' names where the file says them (the `ClassLabel`
/// of the `datasets` package). No audio is read; rows without a label are left out.
///
/// # Errors
/// `data` is not parquet, cannot be read, or has no such column.
pub fn labels(data: &Path, columns: &Columns) -> Result<HashMap<String, String>> {
    let (files, root) = match at(data)? {
        Some(wanted) => wanted,
        None if data.is_dir() => (walk::directory(data)?.tables, data.to_path_buf()),
        None => Default::default(),
    };
    let Some(first) = files.first() else {
        return Err(Error::usage(
            format!("{}: labels of a column are for parquet data", data.display()),
            "give a file of labels, or the word `speaker`",
        ));
    };
    // Asked for by its name, a column that is missing is an error.
    let label = if columns.label.is_empty() { "label" } else { &columns.label };
    let columns = Columns { label: label.into(), ..columns.clone() };
    let (found, problems) = scan(&files, &root, &columns, false, &|_| {})?;
    if found.is_empty() {
        return Err(Error::BadFiles(problems));
    }
    let classes = classes(first, label);
    let named = |label: &String| {
        let class = label.parse::<usize>().ok().and_then(|n| classes.get(n));
        class.unwrap_or(label).clone()
    };
    let ids = corpus::names(&found);
    Ok(ids.into_iter().zip(&found).filter_map(|(id, row)| Some((id, named(row.label.as_ref()?)))).collect())
}

/// The names of a column's classes, as the `datasets` package writes them to a file's metadata; empty if it did not.
fn classes(path: &Path, column: &str) -> Vec<String> {
    let Ok(file) = crate::audio::guarded(|| open(path)) else { return Vec::new() };
    let entries = file.metadata().file_metadata().key_value_metadata().into_iter().flatten();
    let text = entries.filter(|e| e.key == "huggingface").find_map(|e| e.value.as_deref());
    let Some(info) = text.and_then(|text| serde_json::from_str::<Value>(text).ok()) else { return Vec::new() };
    let names = info["info"]["features"][column]["names"].as_array();
    names.into_iter().flatten().filter_map(|name| name.as_str().map(String::from)).collect()
}
