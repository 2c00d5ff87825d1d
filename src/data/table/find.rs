//! Which parquet files DATA means.

use crate::error::{Error, Result};
use std::path::{Path, PathBuf};

/// Parquet files, and the directory that their names are relative to.
pub(in crate::data) type Wanted = (Vec<PathBuf>, PathBuf);

/// Whether a file is named like a table.
pub(in crate::data) fn is_table(path: &Path) -> bool {
    path.extension().is_some_and(|e| e.eq_ignore_ascii_case("parquet"))
}

/// The parquet file at `data`, or, where there is nothing of that name, the files of the split that it names: `DIR/train` for
/// `DIR/train-00000-of-00002.parquet` and the like, in DIR or in DIR/data.
///
/// # Errors
/// A directory cannot be read.
pub(in crate::data) fn at(data: &Path) -> Result<Option<Wanted>> {
    let Some(split) = data.file_name().and_then(|n| n.to_str()) else { return Ok(None) };
    let parent = data.parent().unwrap_or(Path::new(""));
    if data.exists() {
        let file = data.is_file() && is_table(data);
        return Ok(file.then(|| (vec![data.to_path_buf()], parent.to_path_buf())));
    }
    for dir in [parent.to_path_buf(), parent.join("data")] {
        let looked_in = if dir.as_os_str().is_empty() { Path::new(".") } else { &dir };
        if !looked_in.is_dir() {
            continue;
        }
        let mut files = Vec::new();
        for entry in std::fs::read_dir(looked_in).map_err(Error::io(looked_in, "read"))? {
            let name = entry.map_err(Error::io(looked_in, "read"))?.file_name();
            if name.to_str().is_some_and(|name| is_part(name, split)) {
                files.push(dir.join(name));
            }
        }
        if !files.is_empty() {
            files.sort();
            return Ok(Some((files, dir)));
        }
    }
    Ok(None)
}

/// Whether a file's name is that of a split: `train.parquet`, `train-00000-of-00002.parquet`, and with a hash behind it.
fn is_part(name: &str, split: &str) -> bool {
    let Some(name) = name.strip_suffix(".parquet") else { return false };
    let Some(rest) = name.strip_prefix(split) else { return false };
    let numbered = |rest: &str| {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        digits > 0 && rest[digits..].starts_with("-of-")
    };
    rest.is_empty() || rest.strip_prefix('-').is_some_and(numbered)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_split_is_its_numbered_parts_and_no_other() {
        let dir = tempfile::tempdir().unwrap();
        let names =
            ["train-00001-of-00002.parquet", "train-00000-of-00002-0a1b.parquet", "train-other-00000-of-00001.parquet"];
        for name in names.iter().chain(&["test.parquet", "trainer.parquet"]) {
            std::fs::create_dir_all(dir.path().join("data")).unwrap();
            std::fs::write(dir.path().join("data").join(name), "").unwrap();
        }
        let found = |data: &str| {
            let files = at(&dir.path().join(data)).unwrap().map_or(vec![], |(files, _)| files);
            files.iter().map(|f| f.file_name().unwrap().to_str().unwrap().to_string()).collect::<Vec<_>>()
        };
        assert_eq!(found("train"), [names[1], names[0]]);
        assert_eq!(found("data/train"), [names[1], names[0]]);
        assert_eq!(found("train-other"), [names[2]]);
        assert_eq!(
            (found("data/test"), found("data/test.parquet")),
            (vec!["test.parquet".into()], vec!["test.parquet".to_string()])
        );
        assert!(found("valid").is_empty() && found("data").is_empty());
    }
}
