//! What `cpc info` prints about recordings of several channels, for people (`Display`) and programs (`Serialize`).

use super::corpus::{Found, find, leave_texts};
use super::survey::{Moments, survey};
use crate::error::{Problem, Result};
use crate::recordings::summary::{Fault, Lengths, counts, length, list};
use crate::recordings::{FoundRecording, Unused};
use crate::series::{self, Format, Run, TableColumns};
use rayon::prelude::*;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;

/// Channels that are listed before the rest is only counted.
const LISTED: usize = 40;

/// The output of `cpc info DATA`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Overview {
    /// Number of usable recordings.
    pub recordings: usize,
    /// Total length, in hours; of recordings that do not say their rate, none.
    pub hours: f64,
    /// Number of subjects: the first folders, or what a column of tables names.
    pub subjects: usize,
    /// Number of recordings by format.
    pub formats: BTreeMap<String, usize>,
    /// Number of recordings by their rates in Hz.
    pub rates: BTreeMap<String, usize>,
    /// The channels by name, in the order in which they are found first.
    pub channels: Vec<ChannelOverview>,
    /// Lengths in seconds; `None` if no recording says its rate.
    pub lengths: Option<Lengths>,
    /// Number of interruptions of recordings.
    pub interruptions: usize,
    /// What is in the files and is not read, by the number of files.
    pub left_out: BTreeMap<String, usize>,
    /// What is not used.
    pub unused: Unused,
    /// Recordings that cannot be used: place and fault.
    pub problems: Vec<Fault>,
}

/// A channel in all recordings.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ChannelOverview {
    /// Its name.
    pub name: String,
    /// Its units.
    pub units: BTreeSet<String>,
    /// Number of recordings that have it.
    pub recordings: usize,
    /// Number of recordings in which it never changes.
    pub flat: usize,
    /// The mean of its values.
    pub mean: f64,
    /// Their standard deviation.
    pub deviation: f64,
    /// The least value.
    pub least: f64,
    /// The greatest value.
    pub most: f64,
    /// Number of values that are missing.
    pub missing: u64,
    #[serde(skip)]
    moments: Moments,
}

/// A recording that was read.
struct Looked {
    format: Format,
    subject: String,
    rates: Vec<Option<f64>>,
    seconds: Option<f64>,
    interruptions: usize,
    left_out: Vec<String>,
    /// Name, unit, values, and how many are missing.
    channels: Vec<(String, String, Moments, u64)>,
}

/// Reads a file, all channels of it: a recording, or one of each subject that a column names.
fn look(found: &FoundRecording, rate: Option<f64>, columns: TableColumns) -> std::result::Result<Vec<Looked>, String> {
    let path = found.place.file();
    let info = series::probe(path, columns)?;
    if rate.is_none() && info.is_list() {
        return Err(series::NO_NUMBERS.into());
    }
    let part = |subject: &str, own: Option<&Vec<Run>>| {
        let (mut channels, mut seconds, mut interruptions, mut rates) = (Vec::new(), None::<f64>, 0, Vec::new());
        for mut selection in info.groups() {
            if let Some(own) = own {
                selection.runs.clone_from(own);
            }
            let surveyed = survey(path, &info, &selection)?;
            let frames: u64 = selection.runs.iter().map(|run| run.frames).sum();
            for (&i, moments) in selection.channels.iter().zip(surveyed.moments) {
                let channel = &info.channels[i];
                channels.push((channel.name.clone(), channel.unit.clone(), moments, frames - moments.count));
            }
            interruptions = interruptions.max(selection.runs.len().saturating_sub(1));
            let own = selection.rate.or(rate);
            seconds = own.map(|rate| (frames as f64 / rate).max(seconds.unwrap_or(0.0))).or(seconds);
            rates.push(selection.rate);
        }
        let (format, left_out) = (info.format, info.left_out.clone());
        Ok(Looked { format, subject: subject.to_string(), rates, seconds, interruptions, left_out, channels })
    };
    match info.subjects() {
        [] => Ok(vec![part(&found.speaker, None)?]),
        subjects => subjects.iter().map(|(subject, own)| part(subject, Some(own))).collect(),
    }
}

impl Overview {
    /// Reads all recordings in a directory, or a single one. `rate` is that of recordings that do not say theirs. `progress` is called with the
    /// number of recordings read so far, from several threads.
    ///
    /// # Errors
    /// There are none, or the path cannot be read.
    pub fn of(
        data: &Path,
        rate: Option<f64>,
        columns: TableColumns,
        progress: &(dyn Fn(usize) + Sync),
    ) -> Result<Overview> {
        let Found { mut found, mut problems, mut unused, .. } = find(data)?;
        let done = std::sync::atomic::AtomicUsize::new(0);
        let mut looked: Vec<_> = found
            .par_iter()
            .map(|found| {
                let looked = look(found, rate, columns);
                progress(done.fetch_add(1, std::sync::atomic::Ordering::Relaxed) + 1);
                looked
            })
            .collect();
        leave_texts(&mut found, &mut looked, &mut unused);
        let mut overview = Overview {
            recordings: 0,
            hours: 0.0,
            subjects: 0,
            formats: BTreeMap::new(),
            rates: BTreeMap::new(),
            channels: Vec::new(),
            lengths: None,
            interruptions: 0,
            left_out: BTreeMap::new(),
            unused,
            problems: Vec::new(),
        };
        let (mut subjects, mut lengths) = (BTreeSet::new(), Vec::new());
        for (found, looked) in found.iter().zip(looked) {
            match looked {
                Ok(parts) => {
                    for looked in parts {
                        subjects.insert(looked.subject.clone());
                        lengths.extend(looked.seconds);
                        overview.add(looked);
                    }
                }
                Err(what) => problems.push(Problem::new(&found.place, what)),
            }
        }
        for channel in &mut overview.channels {
            let m = channel.moments;
            (channel.mean, channel.deviation, channel.least, channel.most) = (m.mean, m.deviation(), m.least, m.most);
        }
        overview.subjects = subjects.len();
        overview.hours = lengths.iter().sum::<f64>() / 3600.0;
        overview.lengths = Lengths::of(lengths);
        problems.sort_by(|a, b| (&a.at, &a.what).cmp(&(&b.at, &b.what)));
        overview.problems = problems.iter().map(Fault::from).collect();
        Ok(overview)
    }

    fn add(&mut self, looked: Looked) {
        self.recordings += 1;
        self.interruptions += looked.interruptions;
        *self.formats.entry(looked.format.to_string()).or_default() += 1;
        let rates: Vec<String> =
            looked.rates.iter().map(|rate| rate.map_or("not said".into(), |rate| format!("{rate} Hz"))).collect();
        *self.rates.entry(rates.join(" and ")).or_default() += 1;
        looked.left_out.into_iter().for_each(|what| *self.left_out.entry(what).or_default() += 1);
        for (name, unit, moments, missing) in looked.channels {
            let i = match self.channels.iter().position(|channel| channel.name == name) {
                Some(i) => i,
                None => {
                    let (units, moments) = (BTreeSet::new(), Moments::default());
                    let [mean, deviation, least, most] = [0.0; 4];
                    let [recordings, flat, missing] = [0; 3];
                    self.channels.push(ChannelOverview {
                        name,
                        units,
                        recordings,
                        flat,
                        mean,
                        deviation,
                        least,
                        most,
                        missing: missing as u64,
                        moments,
                    });
                    self.channels.len() - 1
                }
            };
            let channel = &mut self.channels[i];
            channel.recordings += 1;
            channel.flat += usize::from(moments.count > 0 && moments.deviation() == 0.0);
            channel.missing += missing;
            channel.moments = channel.moments.and(moments);
            if !unit.is_empty() {
                channel.units.insert(unit);
            }
        }
    }
}

/// A value with four digits.
fn digits(value: f64) -> String {
    match value.abs() {
        0.0 => "0".into(),
        v if (1e-3..1e6).contains(&v) => {
            let places = (3 - v.log10().floor() as i32).max(0) as usize;
            format!("{value:.places$}")
        }
        _ => format!("{value:.3e}"),
    }
}

impl fmt::Display for Overview {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "recordings {}", self.recordings)?;
        match self.lengths {
            Some(_) => length(f, self.hours)?,
            None => writeln!(f, "length     not known: no recording says its rate; give --rate")?,
        }
        writeln!(f, "subjects   {}", self.subjects)?;
        writeln!(f, "rates      {}", counts(&self.rates, String::clone))?;
        writeln!(f, "formats    {}", counts(&self.formats, String::clone))?;
        if let Some(lengths) = &self.lengths {
            lengths.fmt(f)?;
        }
        let width = self.channels.iter().take(LISTED).map(|c| c.name.chars().count()).max().unwrap_or(0).max(7);
        writeln!(
            f,
            "\n{:<width$}  {:<8}  {:>10}  {:>10}  {:>10}  {:>10}  {:>8}  {:>5}  recordings",
            "channel", "unit", "mean", "deviation", "least", "greatest", "missing", "flat"
        )?;
        for c in self.channels.iter().take(LISTED) {
            let units: Vec<&str> = c.units.iter().map(String::as_str).collect();
            writeln!(
                f,
                "{:<width$}  {:<8}  {:>10}  {:>10}  {:>10}  {:>10}  {:>8}  {:>5}  {}",
                c.name,
                if units.is_empty() { "-".into() } else { units.join(", ") },
                digits(c.mean),
                digits(c.deviation),
                digits(c.least),
                digits(c.most),
                c.missing,
                c.flat,
                c.recordings
            )?;
        }
        if let more @ 1.. = self.channels.len().saturating_sub(LISTED) {
            writeln!(f, "and {more} more channels")?;
        }
        writeln!(f)?;
        if self.interruptions > 0 {
            writeln!(f, "gaps       recordings are interrupted {} times", self.interruptions)?;
        }
        for (what, files) in &self.left_out {
            writeln!(f, "left out   {what} (in {files} files)")?;
        }
        for warning in self.unused.warnings() {
            writeln!(f, "not used   {warning}")?;
        }
        if !self.unused.files.is_empty() {
            writeln!(f, "left out   files that are not recordings: {}", self.unused.others())?;
        }
        match self.problems.is_empty() {
            true => write!(f, "problems   none"),
            false => list(f, "problems", &self.problems),
        }
    }
}
