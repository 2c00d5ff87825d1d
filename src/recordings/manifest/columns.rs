//! Manifests in columns: fairseq's `.tsv`, and tables whose first line names their columns, such as Common Voice's `validated.tsv`.

use super::{DURATION, END, Entry, ID, Listed, PATH, Reading, SPEAKER, START, speaker_below};
use crate::error::{Error, Problem, Result};
use crate::recordings::FoundRecording;
use crate::recordings::scan::{file, relative};
use std::path::{Path, PathBuf};

pub(super) fn read(reading: &Reading<'_>, text: &str, separator: u8) -> Result<Listed> {
    let first = text.lines().next().unwrap_or_default();
    // fairseq's first line is a directory, and nothing else.
    let directory = || !PATH.contains(&first.trim()) || reading.beside.join(first.trim()).is_dir();
    if separator == b'\t' && !first.contains('\t') && directory() {
        return Ok(fairseq(reading, text));
    }
    table(reading, text, separator)
}

/// fairseq's manifest: the root directory, then `relative path<TAB>frames`.
fn fairseq(reading: &Reading<'_>, text: &str) -> Listed {
    let mut lines = text.lines().enumerate();
    let root = reading.beside.join(lines.next().map_or("", |(_, root)| root.trim_end()));
    let mut listed = Listed { root, ..Listed::default() };
    for (number, line) in lines.filter(|(_, line)| !line.trim().is_empty()) {
        let place = reading.line(number + 1);
        let (path, frames) = line.split_once('\t').unwrap_or((line, ""));
        let frames = match frames.trim() {
            "" => None,
            text => match text.parse() {
                Ok(frames) => Some(frames),
                Err(_) => {
                    listed.problems.push(Problem::new(place, format!("`{text}` is not a number of frames")));
                    continue;
                }
            },
        };
        let path = listed.root.join(path.trim());
        let relative = relative(&path, &listed.root);
        let speaker = speaker_below(&path, &relative, &listed.root);
        listed.found.push(FoundRecording { speaker, frames, line: Some(place), ..file(&path, &listed.root) });
    }
    listed
}

/// A table whose first line names its columns.
fn table(reading: &Reading<'_>, text: &str, separator: u8) -> Result<Listed> {
    // Tabs separate without quotes: the sentences of Common Voice contain single ones.
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(separator)
        .quoting(separator != b'\t')
        .flexible(true)
        .from_reader(text.as_bytes());
    let unreadable = |e: csv::Error| Error::failed(format!("{}: {e}", reading.manifest.display()), "check its quotes");
    let names: Vec<String> = reader.headers().map_err(unreadable)?.iter().map(|n| n.trim().to_string()).collect();
    let column = |known: &[&str]| known.iter().find_map(|name| names.iter().position(|n| n == name));
    let Some(path) = column(PATH) else {
        return Err(Error::failed(
            format!("{}: none of its columns is a path: {}", reading.manifest.display(), names.join(", ")),
            format!(
                "name the column of the recordings `path` in the first line (also known: {})",
                PATH[1..].join(", ")
            ),
        ));
    };
    let [speaker, id, start, end, duration] = [SPEAKER, ID, START, END, DURATION].map(column);
    let used = [Some(path), speaker, id, start, end, duration];
    let mut listed = Listed::default();
    let mut rows = Vec::new();
    for row in reader.records() {
        let row = row.map_err(unreadable)?;
        let place = reading.line(row.position().map_or(0, |p| p.line() as usize));
        let cell = |at: Option<usize>| at.and_then(|at| row.get(at)).map(str::trim).filter(|cell| !cell.is_empty());
        let seconds = |at: Option<usize>| {
            cell(at)
                .map(|cell| cell.parse::<f64>().map_err(|_| format!("`{cell}` is not a number of seconds")))
                .transpose()
        };
        let times = seconds(start).and_then(|s| Ok((s, seconds(end)?, seconds(duration)?)));
        match (cell(Some(path)), times) {
            (None, _) => listed.problems.push(Problem::new(place, "has no path")),
            (_, Err(what)) => listed.problems.push(Problem::new(place, what)),
            (Some(path), Ok((start, end, duration))) => {
                let [speaker, id] = [speaker, id].map(|at| cell(at).map(str::to_string));
                rows.push((place, Entry { path: path.into(), speaker, id, start, end, duration }));
            }
        }
        for (at, name) in names.iter().enumerate().filter(|(at, _)| !used.contains(&Some(*at))) {
            if cell(Some(at)).is_some() {
                *listed.unused.keys.entry(name.clone()).or_default() += 1;
            }
        }
    }
    listed.root = root(reading.beside, rows.first().map(|(_, entry)| entry.path.as_path()));
    for (place, entry) in rows {
        match reading.found(entry, &listed.root, place) {
            Ok(found) => listed.found.push(found),
            Err(problem) => listed.problems.push(problem),
        }
    }
    Ok(listed)
}

/// The directory that paths are relative to: that of the manifest, or its folder `clips` as in Common Voice.
fn root(beside: &Path, first: Option<&Path>) -> PathBuf {
    let clips = beside.join("clips");
    match first {
        Some(first) if !beside.join(first).exists() && clips.join(first).exists() => clips,
        _ => beside.to_path_buf(),
    }
}
