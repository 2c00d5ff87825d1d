//! Manifests, lists of recordings: one file per way of writing them, and [`Entry`], which all of them give.

mod columns;
mod json;
mod kaldi;

use crate::data::plain;
use crate::error::{Error, Problem, Result};
use crate::recordings::scan::{file, relative};
use crate::recordings::{FoundRecording, Unused, speaker_of};
use flate2::read::MultiGzDecoder;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Names of the recording's path, in JSON and as headers of columns.
const PATH: &[&str] = &["path", "audio_filepath", "audio_path", "audio", "wav", "file", "filename", "file_name"];
/// Names of the speaker.
const SPEAKER: &[&str] = &["speaker", "speaker_id", "client_id", "spk_id", "spk"];
/// Names of the utterance's id.
const ID: &[&str] = &["id", "ID", "utt_id", "utterance_id"];
/// Names of the start of a section, in seconds.
const START: &[&str] = &["start", "offset"];
/// Names of its end, in seconds.
const END: &[&str] = &["end"];
/// Names of its length, in seconds.
const DURATION: &[&str] = &["duration"];

pub use json::{Lists, lists};

/// What a manifest lists.
#[derive(Debug, Default)]
pub(super) struct Listed {
    /// The recordings.
    pub found: Vec<FoundRecording>,
    /// The lines that cannot be used.
    pub problems: Vec<Problem>,
    /// The directory that paths are relative to.
    pub root: PathBuf,
    /// Keys that are not used.
    pub unused: Unused,
}

/// The file name extensions of manifests; each may be followed by `.gz`.
const KINDS: [&str; 5] = ["tsv", "csv", "jsonl", "json", "scp"];

/// The kind of manifest that a file name says, and whether it is compressed.
fn kind(manifest: &Path) -> Option<(&'static str, bool)> {
    let name = manifest.file_name()?.to_string_lossy().to_lowercase();
    let bare = name.strip_suffix(".gz").unwrap_or(&name);
    let kind = KINDS.into_iter().find(|kind| bare.ends_with(&format!(".{kind}")))?;
    Some((kind, bare != name))
}

/// Whether a file is named as a manifest.
pub(super) fn is_name(path: &Path) -> bool {
    kind(path).is_some()
}

/// The recordings in a manifest.
///
/// # Errors
///
/// The manifest cannot be read, is of no known kind, or lists nothing.
pub(super) fn read(manifest: &Path) -> Result<Listed> {
    let Some((kind, zipped)) = kind(manifest) else {
        return Err(Error::usage(
            format!(
                "{}: neither a directory nor a manifest (.tsv, .csv, .jsonl, .json or .scp), nor a recording or a table (.parquet)",
                manifest.display()
            ),
            "pass the directory that contains the recordings, or a manifest that lists them",
        ));
    };
    let text = text(manifest, zipped)?;
    let beside = manifest.parent().unwrap_or(Path::new(""));
    let reading = Reading { manifest, beside };
    let listed = match kind {
        "jsonl" | "json" => json::read(&reading, &text),
        "scp" => kaldi::read(&reading, &text)?,
        kind => columns::read(&reading, &text, if kind == "tsv" { b'\t' } else { b',' })?,
    };
    if listed.found.is_empty() && listed.problems.is_empty() {
        return Err(Error::failed(
            format!("{}: lists no recordings", manifest.display()),
            match kind {
                "jsonl" | "json" => "every line is an object such as {\"path\": \"a.wav\", \"speaker\": \"s1\"}",
                "scp" => "every line is an id and a path",
                "tsv" => {
                    "its first line is the root directory, the others are `path<TAB>frames`; or its first line names the columns, such as \
                     path and speaker"
                }
                _ => "its first line names the columns, such as path and speaker",
            },
        ));
    }
    Ok(listed)
}

/// The text of a manifest.
fn text(manifest: &Path, zipped: bool) -> Result<String> {
    if !zipped {
        return plain::text(manifest);
    }
    let damaged = |e: std::io::Error| Error::failed(format!("{}: {e}", manifest.display()), "copy it again");
    let file = File::open(manifest).map_err(Error::io(manifest, "open"))?;
    let mut text = String::new();
    MultiGzDecoder::new(file).read_to_string(&mut text).map_err(damaged)?;
    Ok(text)
}

/// The manifest that is being read, and the directory it is in.
struct Reading<'a> {
    manifest: &'a Path,
    beside: &'a Path,
}

/// A recording, or a section of one, as a manifest lists it.
#[derive(Debug, Default)]
struct Entry {
    path: PathBuf,
    speaker: Option<String>,
    id: Option<String>,
    /// In seconds.
    start: Option<f64>,
    /// In seconds.
    end: Option<f64>,
    /// In seconds.
    duration: Option<f64>,
}

impl Reading<'_> {
    /// The place of a line, counted from 1.
    fn line(&self, number: usize) -> String {
        format!("{}:{number}", self.manifest.display())
    }

    /// The recording of an entry; paths are relative to `root`.
    fn found(&self, entry: Entry, root: &Path, place: String) -> std::result::Result<FoundRecording, Problem> {
        let Entry { path, speaker, id, start, end, duration } = entry;
        let bad = |t: Option<f64>| t.is_some_and(|t| !t.is_finite() || t < 0.0);
        let begin = start.unwrap_or(0.0);
        if bad(start) || bad(end) || bad(duration) || end.is_some_and(|end| end <= begin) || duration == Some(0.0) {
            return Err(Problem::new(
                place,
                "start, end and duration must be in seconds, at least 0, with the end after the start",
            ));
        }
        let by_length = duration.map(|duration| begin + duration);
        if let (Some(end), Some(other)) = (end, by_length)
            && (end - other).abs() > 0.01
        {
            return Err(Problem::new(
                place,
                format!("ends at {end} s by its end, and at {other} s by its duration; leave one of them out"),
            ));
        }
        let path = root.join(path);
        let relative = relative(&path, root);
        Ok(FoundRecording {
            speaker: speaker.unwrap_or_else(|| speaker_below(&path, &relative, root)),
            id,
            section: (start, end.or(by_length)),
            line: Some(place),
            ..file(&path, root)
        })
    }
}

/// The first folder below the root; unknown for a file outside it.
fn speaker_below(path: &Path, relative: &str, root: &Path) -> String {
    if path.starts_with(root) { speaker_of(relative) } else { "-".into() }
}
