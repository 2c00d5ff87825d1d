//! Walks through a directory and lists what is named like audio.

use super::{Found, Place, speaker_of, table};
use crate::audio::{EXTENSIONS, is_audio_name};
use crate::error::{Error, Problem, Result};
use std::path::{Component, Path, PathBuf};
use walkdir::WalkDir;

/// What is below a directory.
#[derive(Default)]
pub(super) struct Listed {
    /// What is named like audio.
    pub found: Vec<Found>,
    /// What is named like a table, sorted.
    pub tables: Vec<PathBuf>,
    /// What could not be looked into.
    pub problems: Vec<Problem>,
}

/// Everything named like audio or tables below `root`.
///
/// Links are followed, links in circles are not. Names that begin with a dot are left out: they are the work of
/// operating systems (`._x.wav` of macOS only pretends to be audio), not of people.
///
/// # Errors
///
/// The root cannot be read, is empty, or holds nothing named like audio or a table.
pub(super) fn directory(root: &Path) -> Result<Listed> {
    let (mut listed, mut others) = (Listed::default(), 0usize);
    let walk = WalkDir::new(root).follow_links(true).into_iter();
    for entry in walk.filter_entry(|e| e.depth() == 0 || !e.file_name().as_encoded_bytes().starts_with(b".")) {
        let entry = match entry {
            Ok(entry) => entry,
            Err(e) => {
                unreadable(root, &e, &mut listed.problems)?;
                continue;
            }
        };
        if entry.file_type().is_dir() {
            continue;
        }
        match entry.path() {
            path if is_audio_name(path) => listed.found.push(file(path, root)),
            path if table::is_table(path) => listed.tables.push(path.to_path_buf()),
            _ => others += 1,
        }
    }
    if listed.found.is_empty() && listed.tables.is_empty() && listed.problems.is_empty() {
        return Err(nothing(root, others));
    }
    listed.tables.sort();
    Ok(listed)
}

/// A whole file below `root`.
pub(super) fn file(path: &Path, root: &Path) -> Found {
    let relative = relative(path, root);
    let speaker = speaker_of(&relative);
    Found {
        place: Place::File(path.to_path_buf()),
        relative,
        speaker,
        id: None,
        label: None,
        section: (None, None),
        frames: None,
        line: None,
        looked: None,
    }
}

/// Notes a place that cannot be looked into; that is an error only for the root itself.
fn unreadable(root: &Path, error: &walkdir::Error, problems: &mut Vec<Problem>) -> Result<()> {
    let path = error.path().unwrap_or(root);
    // A link to one of its own parents: what is behind it is found anyway.
    if error.loop_ancestor().is_some() {
        return Ok(());
    }
    let reason = error.io_error().map_or_else(|| error.to_string(), ToString::to_string);
    if error.depth() == 0 {
        let kind = error.io_error().map_or(std::io::ErrorKind::Other, std::io::Error::kind);
        return Err(Error::io(root, "read")(std::io::Error::new(kind, reason)));
    }
    let dangling = error.io_error().is_some_and(|e| e.kind() == std::io::ErrorKind::NotFound);
    let what =
        if dangling { "a link to something that is not there".into() } else { format!("cannot be read: {reason}") };
    problems.push(Problem::new(path.display(), what));
    Ok(())
}

fn nothing(root: &Path, others: usize) -> Error {
    let wanted: Vec<String> = EXTENSIONS.iter().map(|e| format!(".{e}")).collect();
    let what = match others {
        0 => format!("{}: there are no files in this directory", root.display()),
        n => format!(
            "{}: none of the {n} files in it is audio (looked for {} and .parquet)",
            root.display(),
            wanted.join(", ")
        ),
    };
    Error::failed(what, "give the directory that holds a folder of recordings for each speaker, or a manifest")
}

/// `path` below `root`, with `/` between folders.
pub(super) fn relative(path: &Path, root: &Path) -> String {
    let below = path.strip_prefix(root).unwrap_or(path);
    let named = below.components().filter(|c| !matches!(c, Component::RootDir | Component::CurDir));
    let parts: Vec<_> = named.map(|c| c.as_os_str().to_string_lossy()).collect();
    parts.join("/")
}
