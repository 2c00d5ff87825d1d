//! Resolves DATA to parquet files.

use crate::error::{Error, Result};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Parquet files, and the directory that their names are relative to.
pub(crate) type Wanted = (Vec<PathBuf>, PathBuf);

/// Whether a file has the extension of a table.
pub(crate) fn is_table(path: &Path) -> bool {
    path.extension().is_some_and(|e| e.eq_ignore_ascii_case("parquet"))
}

/// The parquet file at `data`. If nothing of that name exists, the files of the split that it names: `DIR/train` for
/// `DIR/train-00000-of-00002.parquet` and the like, in DIR or in DIR/data.
///
/// # Errors
/// A directory cannot be read.
pub(crate) fn at(data: &Path) -> Result<Option<Wanted>> {
    let Some(split) = data.file_name().and_then(|n| n.to_str()) else { return Ok(None) };
    let parent = data.parent().unwrap_or(Path::new(""));
    if data.exists() {
        let file = data.is_file() && is_table(data);
        return Ok(file.then(|| (vec![data.to_path_buf()], parent.to_path_buf())));
    }
    let mut listed = Vec::new();
    for folder in ["", "data/"] {
        let dir = parent.join(folder);
        let dir = if dir.as_os_str().is_empty() { PathBuf::from(".") } else { dir };
        if !dir.is_dir() {
            continue;
        }
        for entry in std::fs::read_dir(&dir).map_err(Error::io(&dir, "read"))? {
            let name = entry.map_err(Error::io(&dir, "read"))?.file_name();
            listed.extend(name.to_str().map(|name| format!("{folder}{name}")));
        }
    }
    listed.sort();
    let Ok(Chosen { place, files }) = tables_of(split, &listed) else { return Ok(None) };
    let root = place.rsplit_once('/').map_or(parent.to_path_buf(), |(folder, _)| parent.join(folder));
    Ok(Some((files.iter().map(|file| parent.join(file)).collect(), root)))
}

/// Parquet files of a listing, and the path that stands for all of them.
#[derive(Debug, PartialEq, Eq)]
pub struct Chosen {
    /// The path that selects them in their location: a file, a folder or a split; empty for all.
    pub place: String,
    /// The paths of the files.
    pub files: Vec<String>,
}

/// Why a listing has no parquet files for a path.
#[derive(Debug, PartialEq, Eq)]
pub enum NoTables {
    /// There are no parquet files.
    None,
    /// Several folders contain them, and the path names none of the folders.
    Several(Vec<String>),
    /// There are none at that path, but some in these folders.
    Other(Vec<String>),
}

/// The parquet files that a path selects in a listing of paths with `/`: a file, the files below a folder, or the files of
/// a split (`CONFIG/SPLIT` for `CONFIG/SPLIT-00000-of-00002.parquet` and the like, in CONFIG or in CONFIG/data). An empty
/// path selects all files, if they are in one folder.
///
/// # Errors
/// There are none, or they are in several folders.
pub fn tables_of(path: &str, listed: &[String]) -> std::result::Result<Chosen, NoTables> {
    let tables: Vec<&String> = listed.iter().filter(|name| is_table(Path::new(name))).collect();
    let split_name = |name: &str| -> (String, String) {
        name.rsplit_once('/').map_or((String::new(), name.into()), |(folder, name)| (folder.into(), name.into()))
    };
    let folders: BTreeSet<String> = tables.iter().map(|name| split_name(name).0).collect();
    let named = || folders.iter().filter(|f| !f.is_empty()).take(12).cloned().collect::<Vec<_>>();
    let chosen = |place: &str, keep: &dyn Fn(&str) -> bool| {
        let files: Vec<String> = tables.iter().filter(|name| keep(name)).map(ToString::to_string).collect();
        (!files.is_empty()).then(|| Chosen { place: place.into(), files })
    };
    if tables.is_empty() {
        return Err(NoTables::None);
    }
    if path.is_empty() {
        return match (folders.len(), folders.first()) {
            (1, Some(folder)) => chosen(folder, &|_| true).ok_or(NoTables::None),
            _ => Err(NoTables::Several(named())),
        };
    }
    let below = format!("{path}/");
    if let Some(found) = chosen(path, &|name| name == path || name.starts_with(&below)) {
        return Ok(found);
    }
    let (folder, split) = split_name(path);
    let deeper = if folder.is_empty() { "data".into() } else { format!("{folder}/data") };
    for folder in [folder, deeper] {
        let place = if folder.is_empty() { split.clone() } else { format!("{folder}/{split}") };
        let of_split = |name: &str| {
            let (in_folder, name) = split_name(name);
            in_folder == folder && is_part(&name, &split)
        };
        if let Some(found) = chosen(&place, &of_split) {
            return Ok(found);
        }
    }
    Err(NoTables::Other(named()))
}

/// Whether a file name is that of a split: `train.parquet`, `train-00000-of-00002.parquet`, or the latter with a hash
/// appended.
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

    #[test]
    fn a_listing_is_chosen_from_as_a_directory_is() {
        let listed = |names: &[&str]| names.iter().map(|n| n.to_string()).collect::<Vec<_>>();
        let of = |place: &str, files: &[&str]| Ok(Chosen { place: place.into(), files: listed(files) });
        // The layouts of librispeech_asr, of its conversion, and of a dataset with one configuration.
        let own = listed(&[
            "README.md",
            "clean/test-00000-of-00001.parquet",
            "clean/train.100-00000-of-00014.parquet",
            "other/test-00000-of-00001.parquet",
        ]);
        assert_eq!(
            tables_of("clean", &own),
            of("clean", &["clean/test-00000-of-00001.parquet", "clean/train.100-00000-of-00014.parquet"])
        );
        assert_eq!(
            tables_of("clean/train.100", &own),
            of("clean/train.100", &["clean/train.100-00000-of-00014.parquet"])
        );
        assert_eq!(tables_of("", &own), Err(NoTables::Several(listed(&["clean", "other"]))));
        assert_eq!(tables_of("clean/train", &own), Err(NoTables::Other(listed(&["clean", "other"]))));
        let converted = listed(&["clean/test/0000.parquet", "clean/test/0001.parquet", "all/test/0000.parquet"]);
        assert_eq!(
            tables_of("clean/test", &converted),
            of("clean/test", &["clean/test/0000.parquet", "clean/test/0001.parquet"])
        );
        let one = listed(&["data/train-00000-of-00001.parquet", "data/test-00000-of-00001.parquet"]);
        assert_eq!(tables_of("train", &one), of("data/train", &["data/train-00000-of-00001.parquet"]));
        assert_eq!(
            tables_of("", &one),
            of("data", &["data/train-00000-of-00001.parquet", "data/test-00000-of-00001.parquet"])
        );
        let file = "data/test-00000-of-00001.parquet";
        assert_eq!(tables_of(file, &one), of(file, &[file]));
        assert_eq!(tables_of("", &listed(&["a.parquet"])), of("", &["a.parquet"]));
        assert_eq!(tables_of("", &listed(&["a.txt"])), Err(NoTables::None));
    }
}
