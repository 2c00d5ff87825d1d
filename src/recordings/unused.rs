//! What is in a directory or a manifest and is not used.

use crate::audio::is_foreign_name;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::Path;

/// Counts of what is not used, so that nothing is left out without a word.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize)]
pub struct Unused {
    /// Files of audio or video that is not read, by extension.
    pub audio: BTreeMap<String, usize>,
    /// Other files, by extension.
    pub files: BTreeMap<String, usize>,
    /// Keys or columns of a manifest, by the number of lines that have them.
    pub keys: BTreeMap<String, usize>,
}

impl Unused {
    /// Counts a file.
    pub(super) fn file(&mut self, path: &Path) {
        let ending =
            path.extension().map_or("without extension".into(), |e| format!(".{}", e.to_string_lossy().to_lowercase()));
        let files = if is_foreign_name(path) { &mut self.audio } else { &mut self.files };
        *files.entry(ending).or_default() += 1;
    }

    /// Adds the counts of another directory or manifest.
    pub fn add(&mut self, other: &Unused) {
        let pairs = [(&mut self.audio, &other.audio), (&mut self.files, &other.files), (&mut self.keys, &other.keys)];
        for (mine, theirs) in pairs {
            theirs.iter().for_each(|(name, n)| *mine.entry(name.clone()).or_default() += n);
        }
    }

    /// What a user should know before this is trained on: audio that is not read, and keys that nobody heeds.
    pub fn warnings(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if !self.audio.is_empty() {
            lines.push(format!(
                "files of audio or video that are not read: {}; convert them with `ffmpeg -i IN OUT.flac`",
                counts(&self.audio)
            ));
        }
        if let Some(tables) = self.files.get(".parquet") {
            let what = "tables beside recordings, which are not read";
            lines.push(format!("{what}: {tables} .parquet; give them as data of their own"));
        }
        if !self.keys.is_empty() {
            lines
                .push(format!("keys of the manifest that are not used, and in how many lines: {}", counts(&self.keys)));
        }
        lines
    }

    /// The other files, in words; empty if there are none.
    pub(super) fn others(&self) -> String {
        counts(&self.files)
    }
}

/// `12 .m4a, 3 .opus`: the most frequent first, at most eight.
fn counts(map: &BTreeMap<String, usize>) -> String {
    let mut entries: Vec<(&String, &usize)> = map.iter().collect();
    entries.sort_by_key(|(_, n)| std::cmp::Reverse(**n));
    let rest = entries.len().saturating_sub(8);
    let mut words: Vec<String> = entries.into_iter().take(8).map(|(name, n)| format!("{n} {name}")).collect();
    if rest > 0 {
        words.push(format!("{rest} other kinds"));
    }
    words.join(", ")
}
