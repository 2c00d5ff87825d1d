//! Kaldi's `wav.scp`, with `segments` and `utt2spk` beside it.

use super::{Entry, Listed, Reading};
use crate::data::plain;
use crate::error::{Problem, Result};
use std::collections::HashMap;
use std::path::Path;

pub(super) fn read(reading: &Reading<'_>, text: &str) -> Result<Listed> {
    let mut listed = Listed { root: reading.beside.to_path_buf(), ..Listed::default() };
    let mut recordings = Vec::new();
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let place = reading.line(number + 1);
        match line.trim().split_once(char::is_whitespace).map(|(id, path)| (id, path.trim())) {
            None => listed.problems.push(Problem::new(place, "is not an id and a path")),
            Some((_, command)) if command.ends_with('|') => {
                let what = "is a command, not a file; run it with its output to a file, and list that file";
                listed.problems.push(Problem::new(place, what));
            }
            Some((id, path)) => recordings.push((id.to_string(), path.to_string(), place)),
        }
    }
    let speakers: HashMap<String, String> = match beside(reading, "utt2spk")? {
        Some(text) => text.lines().filter_map(|line| line.trim().split_once(char::is_whitespace)).map(owned).collect(),
        None => HashMap::new(),
    };
    let entry = |id: &str, path: &str, (start, end)| Entry {
        // Kaldi's paths are relative to the directory that its recipe runs in.
        path: if reading.beside.join(path).exists() {
            path.into()
        } else {
            std::path::absolute(path).unwrap_or(path.into())
        },
        speaker: Some(speakers.get(id).cloned().unwrap_or_else(|| "-".into())),
        id: Some(id.into()),
        start,
        end,
        duration: None,
    };
    let mut entries = Vec::new();
    match beside(reading, "segments")? {
        None => {
            entries.extend(recordings.iter().map(|(id, path, place)| (entry(id, path, (None, None)), place.clone())))
        }
        Some(text) => {
            let paths: HashMap<&str, &str> = recordings.iter().map(|(id, path, _)| (&**id, &**path)).collect();
            for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
                let place = format!("{}:{}", reading.beside.join("segments").display(), number + 1);
                let words: Vec<&str> = line.split_whitespace().collect();
                let read = match words[..] {
                    [id, recording, start, end] => match (paths.get(recording), start.parse(), end.parse()) {
                        (Some(path), Ok(start), Ok(end)) => Ok(entry(id, path, (Some(start), Some(end)))),
                        (None, ..) => Err(format!("`{recording}` is not in {}", reading.manifest.display())),
                        _ => Err("its start and end are not numbers of seconds".into()),
                    },
                    _ => Err("is not an id, a recording, a start and an end".into()),
                };
                match read {
                    Ok(entry) => entries.push((entry, place)),
                    Err(what) => listed.problems.push(Problem::new(place, what)),
                }
            }
        }
    }
    for (entry, place) in entries {
        match reading.found(entry, reading.beside, place) {
            Ok(found) => listed.found.push(found),
            Err(problem) => listed.problems.push(problem),
        }
    }
    Ok(listed)
}

fn owned((a, b): (&str, &str)) -> (String, String) {
    (a.to_string(), b.trim().to_string())
}

/// The text of a file beside the manifest, if there is one.
fn beside(reading: &Reading<'_>, name: &str) -> Result<Option<String>> {
    let path: &Path = &reading.beside.join(name);
    path.exists().then(|| plain::text(path)).transpose()
}
