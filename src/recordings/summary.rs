//! The contents of a corpus, for people (`Display`) and programs (`Serialize`).

use crate::audio::Format;
use crate::error::Problem;
use crate::recordings::{Corpus, Unused};
use serde::Serialize;
use std::collections::{BTreeMap, HashSet};
use std::fmt;

/// Upper bounds of the histogram's bins, in seconds; the last bin is open.
const BOUNDS: [f64; 11] = [0.5, 1.0, 2.0, 4.0, 6.0, 8.0, 12.0, 16.0, 24.0, 32.0, 60.0];

/// Faults that are listed before the rest is only counted.
const LISTED: usize = 10;

/// The output of `cpc info DATA`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    /// Number of usable files, or tables.
    pub files: usize,
    /// Number of utterances; more than files if a manifest lists sections, or in tables.
    pub utterances: usize,
    /// Total length of all utterances, in hours.
    pub hours: f64,
    /// Number of speakers.
    pub speakers: usize,
    /// Number of utterances by sample rate in Hz.
    pub rates: BTreeMap<u32, usize>,
    /// Number of utterances by format.
    pub formats: BTreeMap<Format, usize>,
    /// Number of utterances by number of channels.
    pub channels: BTreeMap<u16, usize>,
    /// Lengths in seconds; `None` if there are no utterances.
    pub lengths: Option<Lengths>,
    /// What is not used: files by extension, and keys of a manifest by the number of lines.
    pub unused: Unused,
    /// Recordings that are read, but not as their headers say, and recordings of silence.
    pub remarks: Vec<Fault>,
    /// Recordings that cannot be used: place and fault.
    pub problems: Vec<Fault>,
}

/// The lengths of utterances, in seconds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Lengths {
    /// The shortest.
    pub shortest: f64,
    /// 10 % of the utterances are at most this long.
    pub tenth: f64,
    /// Half of the utterances are at most this long.
    pub median: f64,
    /// 90 % of the utterances are at most this long.
    pub ninetieth: f64,
    /// The longest.
    pub longest: f64,
    /// Number of utterances by length.
    pub histogram: Vec<Bin>,
}

/// A bin of the histogram of lengths.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Bin {
    /// Lower bound in seconds, inclusive.
    pub from: f64,
    /// Upper bound in seconds, exclusive; open if `None`.
    pub to: Option<f64>,
    /// Number of utterances in the bin.
    pub count: usize,
}

/// A recording that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// The file, the line of a manifest, or the row of a table.
    pub at: String,
    /// What is wrong.
    pub what: String,
}

impl From<&Problem> for Fault {
    fn from(problem: &Problem) -> Self {
        Fault { at: problem.at.clone(), what: problem.what.clone() }
    }
}

impl Summary {
    /// Summarizes a corpus.
    pub fn new(corpus: &Corpus) -> Summary {
        let mut summary = Summary {
            files: corpus.utterances.iter().map(|u| u.place.file()).collect::<HashSet<_>>().len(),
            utterances: corpus.utterances.len(),
            hours: corpus.seconds() / 3600.0,
            speakers: corpus.speakers.len(),
            rates: BTreeMap::new(),
            formats: BTreeMap::new(),
            channels: BTreeMap::new(),
            lengths: Lengths::of(corpus.utterances.iter().map(|u| u.samples as f64 / corpus.rate()).collect()),
            unused: corpus.unused.clone(),
            remarks: corpus.remarks.iter().map(Fault::from).collect(),
            problems: corpus.problems.iter().map(Fault::from).collect(),
        };
        for utterance in &corpus.utterances {
            *summary.rates.entry(utterance.info.rate).or_default() += 1;
            *summary.formats.entry(utterance.info.format).or_default() += 1;
            *summary.channels.entry(utterance.info.channels).or_default() += 1;
        }
        summary
    }
}

impl Lengths {
    /// Summarizes lengths in seconds.
    pub(super) fn of(mut seconds: Vec<f64>) -> Option<Lengths> {
        seconds.sort_by(f64::total_cmp);
        let at = |share: f64| seconds.get(((seconds.len() as f64 * share).ceil() as usize).saturating_sub(1)).copied();
        let mut histogram = Vec::with_capacity(BOUNDS.len() + 1);
        let (mut from, mut before) = (0.0, 0);
        for to in BOUNDS.iter().copied().map(Some).chain([None]) {
            let below = to.map_or(seconds.len(), |to| seconds.partition_point(|&s| s < to));
            histogram.push(Bin { from, to, count: below - before });
            (from, before) = (to.unwrap_or(from), below);
        }
        let first = histogram.iter().position(|b| b.count > 0)?;
        let last = histogram.iter().rposition(|b| b.count > 0)?;
        Some(Lengths {
            shortest: at(0.0)?,
            tenth: at(0.1)?,
            median: at(0.5)?,
            ninetieth: at(0.9)?,
            longest: at(1.0)?,
            histogram: histogram[first..=last].to_vec(),
        })
    }
}

/// `16000 Hz (1834), 8000 Hz (12)`: the most frequent first; counts are given only if there is more than one kind.
pub(super) fn counts<K>(map: &BTreeMap<K, usize>, name: impl Fn(&K) -> String) -> String {
    let mut entries: Vec<(&K, &usize)> = map.iter().collect();
    entries.sort_by_key(|(_, n)| std::cmp::Reverse(**n));
    if let [(only, _)] = entries[..] {
        return name(only);
    }
    entries.into_iter().map(|(k, n)| format!("{} ({n})", name(k))).collect::<Vec<_>>().join(", ")
}

/// The line about the length of a corpus.
pub(super) fn length(f: &mut fmt::Formatter<'_>, hours: f64) -> fmt::Result {
    match hours {
        hours if hours >= 1.0 => writeln!(f, "length     {hours:.2} hours"),
        hours if hours >= 1.0 / 60.0 => writeln!(f, "length     {:.1} minutes", hours * 60.0),
        hours => writeln!(f, "length     {:.1} seconds", hours * 3600.0),
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "files      {}", self.files)?;
        if self.utterances != self.files {
            writeln!(f, "utterances {}", self.utterances)?;
        }
        length(f, self.hours)?;
        writeln!(f, "speakers   {}", self.speakers)?;
        if !self.rates.is_empty() {
            writeln!(f, "rates      {}", counts(&self.rates, |r| format!("{r} Hz")))?;
            writeln!(f, "formats    {}", counts(&self.formats, |k| k.to_string()))?;
            let name = |n: &u16| match n {
                1 => "mono".to_string(),
                2 => "stereo".to_string(),
                n => format!("{n} channels"),
            };
            writeln!(f, "channels   {}", counts(&self.channels, name))?;
        }
        if let Some(lengths) = &self.lengths {
            lengths.fmt(f)?;
        }
        for warning in self.unused.warnings() {
            writeln!(f, "not used   {warning}")?;
        }
        if !self.unused.files.is_empty() {
            writeln!(f, "left out   files that are not audio: {}", self.unused.others())?;
        }
        if !self.remarks.is_empty() {
            list(f, "remarks ", &self.remarks)?;
            writeln!(f)?;
        }
        match self.problems.is_empty() {
            true => write!(f, "problems   none"),
            false => list(f, "problems", &self.problems),
        }
    }
}

/// The number of faults, and the first of them.
pub(super) fn list(f: &mut fmt::Formatter<'_>, title: &str, faults: &[Fault]) -> fmt::Result {
    write!(f, "{title}   {}", faults.len())?;
    faults.iter().take(LISTED).try_for_each(|p| write!(f, "\n  {}: {}", p.at, p.what))?;
    match faults.len().saturating_sub(LISTED) {
        0 => Ok(()),
        more => write!(f, "\n  ... and {more} more; --json lists all"),
    }
}

impl fmt::Display for Lengths {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Lengths { shortest, tenth, median, ninetieth, longest, histogram } = self;
        writeln!(
            f,
            "lengths    {shortest:.2} s to {longest:.2} s; 10 %: {tenth:.2} s, half: {median:.2} s, 90 %: {ninetieth:.2} s"
        )?;
        let most = histogram.iter().map(|b| b.count).max().unwrap_or(1).max(1);
        let width = most.to_string().len();
        for bin in histogram {
            let range = match bin.to {
                Some(to) => format!("{} to {to} s", bin.from),
                None => format!("{} s or more", bin.from),
            };
            writeln!(f, "  {range:>12}  {:>width$}  {}", bin.count, bar(bin.count, most))?;
        }
        Ok(())
    }
}

/// A bar of at most 32 blocks; any count above zero is visible.
fn bar(count: usize, most: usize) -> String {
    let eighths = (count * 256).div_ceil(most);
    let mut bar = "█".repeat(eighths / 8);
    if !eighths.is_multiple_of(8) {
        bar.push(['▏', '▎', '▍', '▌', '▋', '▊', '▉'][eighths % 8 - 1]);
    }
    bar
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::fixtures::{fixture, wav};

    #[test]
    fn a_corpus_is_summed_up_for_people_and_programs() {
        let dir = tempfile::tempdir().unwrap();
        for (i, seconds) in [1, 1, 1, 3, 5].into_iter().enumerate() {
            wav(&dir.path().join(format!("s1/{i}.wav")), 8_000, 2, seconds * 8_000, |_, _| 0);
        }
        std::fs::create_dir(dir.path().join("s2")).unwrap();
        std::fs::copy(fixture("tone.flac"), dir.path().join("s2/tone.flac")).unwrap();
        std::fs::write(dir.path().join("s2/bad.wav"), "").unwrap();
        let summary = Summary::new(&Corpus::inspect(dir.path(), 16_000, &|_| {}).unwrap());
        let text = summary.to_string().replace(&dir.path().display().to_string(), "DATA");
        let expected = "\
files      6
length     12.0 seconds
speakers   2
rates      8000 Hz (5), 16000 Hz (1)
formats    WAV (5), FLAC (1)
channels   stereo (5), mono (1)
lengths    1.00 s to 5.00 s; 10 %: 1.00 s, half: 1.00 s, 90 %: 5.00 s
      1 to 2 s  4  ████████████████████████████████
      2 to 4 s  1  ████████
      4 to 6 s  1  ████████
problems   1
  DATA/s2/bad.wav: is empty (0 bytes); copy it again";
        assert_eq!(text, expected);
        let json = serde_json::to_value(&summary).unwrap();
        assert_eq!((&json["rates"]["8000"], &json["formats"]["flac"]), (&5.into(), &1.into()));
        assert_eq!(json["problems"][0]["what"], "is empty (0 bytes); copy it again");
    }

    #[test]
    fn a_corpus_of_problems_alone_is_summed_up_too() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("bad.wav"), "").unwrap();
        let summary = Summary::new(&Corpus::inspect(dir.path(), 16_000, &|_| {}).unwrap());
        assert_eq!(summary.lengths, None);
        assert!(summary.to_string().starts_with("files      0\nlength     0.0 seconds\nspeakers   0\nproblems   1\n"));
    }
}
