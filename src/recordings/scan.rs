//! Walks a directory and lists files with the names of audio files or tables.

use crate::audio::{EXTENSIONS, is_audio_name};
use crate::data;
use crate::error::{Error, Problem, Result};
use crate::recordings::{FoundRecording, Place, Unused, speaker_of};
use std::path::{Component, Path, PathBuf};
use walkdir::WalkDir;

/// The contents of a directory tree.
#[derive(Default)]
pub(super) struct Listed {
    /// Files with audio extensions.
    pub found: Vec<FoundRecording>,
    /// Files with table extensions, sorted.
    pub tables: Vec<PathBuf>,
    /// Directories and files that could not be read.
    pub problems: Vec<Problem>,
    /// Other files.
    pub unused: Unused,
}

/// All files with audio or table extensions below `root`.
///
/// Links are followed, except circular links. Names that begin with a dot are skipped: they are created by operating
/// systems (`._x.wav` of macOS only looks like audio), not by people.
///
/// # Errors
///
/// The root cannot be read, is empty, or contains no file with an audio or table extension.
pub(super) fn directory(root: &Path) -> Result<Listed> {
    let mut listed = Listed::default();
    let Listed { found, tables, problems, unused } = &mut listed;
    walk(root, problems, |path| match path {
        path if is_audio_name(path) => found.push(file(path, root)),
        path if data::is_table(path) => tables.push(path.to_path_buf()),
        path => unused.file(path),
    })?;
    if listed.found.is_empty() && listed.tables.is_empty() && listed.problems.is_empty() {
        return Err(nothing(root, &listed.unused));
    }
    listed.tables.sort();
    if !listed.found.is_empty() {
        listed.tables.iter().for_each(|table| listed.unused.file(table));
    }
    Ok(listed)
}

/// The files below `root` that `wanted` accepts, what could not be read, and the other files.
///
/// # Errors
///
/// The root cannot be read.
pub(super) fn files(
    root: &Path,
    wanted: &dyn Fn(&Path) -> bool,
) -> Result<(Vec<FoundRecording>, Vec<Problem>, Unused)> {
    let (mut found, mut problems, mut unused) = (Vec::new(), Vec::new(), Unused::default());
    walk(root, &mut problems, |path| if wanted(path) { found.push(file(path, root)) } else { unused.file(path) })?;
    Ok((found, problems, unused))
}

/// Calls `each` with the files below `root`; what cannot be read is a problem.
fn walk(root: &Path, problems: &mut Vec<Problem>, mut each: impl FnMut(&Path)) -> Result<()> {
    let walk = WalkDir::new(root).follow_links(true).into_iter();
    for entry in walk.filter_entry(|e| e.depth() == 0 || !e.file_name().as_encoded_bytes().starts_with(b".")) {
        match entry {
            Ok(entry) if entry.file_type().is_dir() => {}
            Ok(entry) => each(entry.path()),
            Err(e) => unreadable(root, &e, problems)?,
        }
    }
    Ok(())
}

/// A whole file below `root`.
pub(super) fn file(path: &Path, root: &Path) -> FoundRecording {
    let relative = relative(path, root);
    let speaker = speaker_of(&relative);
    FoundRecording {
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

/// Records a path that cannot be read; that is an error only for the root itself.
fn unreadable(root: &Path, error: &walkdir::Error, problems: &mut Vec<Problem>) -> Result<()> {
    let path = error.path().unwrap_or(root);
    // A link to one of its own parents: what it points to is found anyway.
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

fn nothing(root: &Path, unused: &Unused) -> Error {
    let others: usize = unused.audio.values().chain(unused.files.values()).sum();
    let mut what = match others {
        0 => format!("{}: there are no files in this directory", root.display()),
        n => {
            let wanted: Vec<String> = EXTENSIONS.iter().map(|e| format!(".{e}")).collect();
            let wanted = wanted.join(", ");
            format!("{}: none of the {n} files in it is audio (looked for {wanted} and .parquet)", root.display())
        }
    };
    for warning in unused.warnings() {
        what += &format!("\n{warning}");
    }
    Error::failed(what, "pass the directory that contains one folder of recordings per speaker, or a manifest")
}

/// `path` below `root`, with `/` between folders.
pub(super) fn relative(path: &Path, root: &Path) -> String {
    let below = path.strip_prefix(root).unwrap_or(path);
    let named = below.components().filter(|c| !matches!(c, Component::RootDir | Component::CurDir));
    let parts: Vec<_> = named.map(|c| c.as_os_str().to_string_lossy()).collect();
    parts.join("/")
}
