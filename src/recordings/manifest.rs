//! Manifests, lists of recordings: fairseq's `.tsv`, and `.jsonl`.

use crate::error::{Error, Problem, Result};
use crate::recordings::scan::{file, relative};
use crate::recordings::{FoundRecording, speaker_of};
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// The recordings in a manifest, the lines that cannot be used, and the directory that paths are relative to.
///
/// # Errors
///
/// The manifest cannot be read, is neither `.tsv` nor `.jsonl`, or lists nothing.
pub(super) fn read(manifest: &Path) -> Result<(Vec<FoundRecording>, Vec<Problem>, PathBuf)> {
    let kind = manifest.extension().and_then(|e| e.to_str()).unwrap_or("").to_ascii_lowercase();
    if kind != "tsv" && kind != "jsonl" {
        return Err(Error::usage(
            format!(
                "{}: neither a directory nor a manifest (.tsv or .jsonl) nor a table (.parquet)",
                manifest.display()
            ),
            "pass the directory that contains the recordings, or a manifest that lists them",
        ));
    }
    let bytes = std::fs::read(manifest).map_err(Error::io(manifest, "read"))?;
    let text = String::from_utf8(bytes).map_err(|_| {
        Error::failed(format!("{}: is not UTF-8 text", manifest.display()), "save the manifest as UTF-8")
    })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let beside = manifest.parent().unwrap_or(Path::new(""));
    let (found, problems, root) =
        if kind == "tsv" { tsv(manifest, text, beside) } else { jsonl(manifest, text, beside) };
    if found.is_empty() && problems.is_empty() {
        return Err(Error::failed(
            format!("{}: lists no recordings", manifest.display()),
            if kind == "tsv" {
                "its first line is the root directory, the others are `path<TAB>frames`"
            } else {
                "every line is an object such as {\"path\": \"a.wav\", \"speaker\": \"s1\"}"
            },
        ));
    }
    Ok((found, problems, root))
}

/// fairseq's manifest: the root directory, then `relative path<TAB>frames`.
fn tsv(manifest: &Path, text: &str, beside: &Path) -> (Vec<FoundRecording>, Vec<Problem>, PathBuf) {
    let mut lines = text.lines().enumerate();
    let root = beside.join(lines.next().map_or("", |(_, root)| root.trim_end()));
    let (mut found, mut problems) = (Vec::new(), Vec::new());
    for (number, line) in lines.filter(|(_, line)| !line.trim().is_empty()) {
        let place = format!("{}:{}", manifest.display(), number + 1);
        let (path, frames) = line.split_once('\t').unwrap_or((line, ""));
        let frames = match frames.trim() {
            "" => None,
            text => match text.parse() {
                Ok(frames) => Some(frames),
                Err(_) => {
                    problems.push(Problem::new(place, format!("`{text}` is not a number of frames")));
                    continue;
                }
            },
        };
        let path = root.join(path.trim());
        let relative = relative(&path, &root);
        let speaker = speaker(&path, &relative, &root);
        found.push(FoundRecording { speaker, frames, line: Some(place), ..file(&path, &root) });
    }
    (found, problems, root)
}

/// The first folder below the root; unknown for a file outside it.
fn speaker(path: &Path, relative: &str, root: &Path) -> String {
    if path.starts_with(root) { speaker_of(relative) } else { "-".into() }
}

/// A line of a `.jsonl` manifest; other keys are ignored.
#[derive(Deserialize)]
struct Line {
    path: PathBuf,
    #[serde(default)]
    speaker: Option<Name>,
    #[serde(default)]
    id: Option<Name>,
    #[serde(default)]
    start: Option<f64>,
    #[serde(default)]
    end: Option<f64>,
}

/// A name, which may look like a number (LibriSpeech's speakers do).
#[derive(Deserialize)]
#[serde(untagged)]
enum Name {
    Text(String),
    Number(i64),
}

impl Name {
    fn text(self) -> String {
        match self {
            Name::Text(text) => text,
            Name::Number(number) => number.to_string(),
        }
    }
}

/// One object per line: path (relative to the manifest), and optionally speaker, id, start and end in seconds.
fn jsonl(manifest: &Path, text: &str, beside: &Path) -> (Vec<FoundRecording>, Vec<Problem>, PathBuf) {
    let (mut found, mut problems) = (Vec::new(), Vec::new());
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let place = format!("{}:{}", manifest.display(), number + 1);
        let line: Line = match serde_json::from_str(line) {
            Ok(line) => line,
            Err(e) => {
                // serde counts lines from the start of its input, which is this single line.
                let what = e.to_string();
                let what = what.split(" at line ").next().unwrap_or(&what).to_string();
                problems.push(Problem::new(place, format!("{what} (column {})", e.column())));
                continue;
            }
        };
        let bad = |t: Option<f64>| t.is_some_and(|t| !t.is_finite() || t < 0.0);
        if bad(line.start) || bad(line.end) || line.end.is_some_and(|end| end <= line.start.unwrap_or(0.0)) {
            problems.push(Problem::new(
                place,
                "start and end must be in seconds, at least 0, with the end after the start",
            ));
            continue;
        }
        let path = beside.join(&line.path);
        let relative = relative(&path, beside);
        found.push(FoundRecording {
            speaker: line.speaker.map_or_else(|| speaker(&path, &relative, beside), Name::text),
            id: line.id.map(Name::text),
            section: (line.start, line.end),
            line: Some(place),
            ..file(&path, beside)
        });
    }
    (found, problems, beside.to_path_buf())
}
