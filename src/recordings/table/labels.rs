//! Reads labels of utterances from a column.

use crate::data::at;
use crate::data::columns::open;
use crate::error::{Error, Result};
use crate::recordings::Columns;
use crate::recordings::table::scan;
use crate::recordings::{corpus, scan as walk};
use parquet::file::reader::FileReader;
use serde_json::Value;
use std::collections::HashMap;
use std::path::Path;

/// The label of each utterance of parquet data, by the id that [`Corpus`](crate::recordings::Corpus) gives it: the value of the column that
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
            format!("{}: labels from a column are for parquet data only", data.display()),
            "pass a label file, or the word `speaker`",
        ));
    };
    // The column is requested by name, so it is an error if it is missing.
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

/// The class names of a column, as the `datasets` package writes them to a file's metadata; empty if it has none.
fn classes(path: &Path, column: &str) -> Vec<String> {
    let Ok(file) = crate::guard::guarded(|| open(path)) else { return Vec::new() };
    let entries = file.metadata().file_metadata().key_value_metadata().into_iter().flatten();
    let text = entries.filter(|e| e.key == "huggingface").find_map(|e| e.value.as_deref());
    let Some(info) = text.and_then(|text| serde_json::from_str::<Value>(text).ok()) else { return Vec::new() };
    let names = info["info"]["features"][column]["names"].as_array();
    names.into_iter().flatten().filter_map(|name| name.as_str().map(String::from)).collect()
}
