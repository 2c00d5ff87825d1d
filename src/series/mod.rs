//! Recordings of several channels, such as ECG, EEG, motion and machines: from files to values.
//!
//! A [`SeriesInfo`] is what the header of a file says. A [`Selection`] is the channels of it that are wanted, all of one rate, and the stretches
//! without gaps. Values are in the units of the file; a value that the file marks as missing is NaN.

mod clock;
mod delimited;
mod edf;
mod npy;
#[cfg(feature = "parquet")]
mod parquet;
mod stretches;
mod wfdb;

pub use stretches::{TableColumns, stretches};

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Endings of the names of recordings, in lower case.
pub const EXTENSIONS: &[&str] = &[
    "npy",
    "csv",
    "tsv",
    #[cfg(feature = "parquet")]
    "parquet",
    "edf",
    "bdf",
    "rec",
    "hea",
];

/// What is wrong with a table of texts, such as one of labels.
pub const NO_NUMBERS: &str = "has no column of numbers";

/// Whether a file has the name of a recording.
pub fn is_name(path: &Path) -> bool {
    let ending = path.extension().and_then(|e| e.to_str()).map(str::to_lowercase);
    ending.is_some_and(|ending| EXTENSIONS.contains(&ending.as_str()))
}

/// One channel of a recording.
#[derive(Debug, Clone, PartialEq)]
pub struct Channel {
    /// Its name; its number from 1 on if the file has none.
    pub name: String,
    /// The unit of its values; empty if the file says none.
    pub unit: String,
    /// Samples per second, if the file says.
    pub rate: Option<f64>,
}

/// A stretch of a recording without a gap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    /// Its first frame.
    pub first: u64,
    /// Its length in frames.
    pub frames: u64,
}

/// How a recording is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Format {
    /// An array of numpy.
    Npy,
    /// A table in text.
    Table,
    /// A table in parquet.
    Parquet,
    /// EDF, EDF+ or BDF.
    Edf,
    /// A record of WFDB.
    Wfdb,
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Format::Npy => "NumPy",
            Format::Table => "CSV",
            Format::Parquet => "parquet",
            Format::Edf => "EDF",
            Format::Wfdb => "WFDB",
        })
    }
}

/// What the header of a file says.
#[derive(Debug, Clone, PartialEq)]
pub struct SeriesInfo {
    /// How it is stored.
    pub format: Format,
    /// Its channels, in the order of the file.
    pub channels: Vec<Channel>,
    /// What is in the file and is not read, for people.
    pub left_out: Vec<String>,
    /// In units of which each channel has [`SeriesInfo::per_unit`] frames.
    runs: Vec<Run>,
    /// The subjects that a column of a table names, with their rows.
    subjects: Vec<(String, Vec<Run>)>,
    way: Way,
}

#[derive(Debug, Clone, PartialEq)]
enum Way {
    Npy(npy::Npy),
    Table(delimited::Delimited),
    #[cfg(feature = "parquet")]
    Parquet(parquet::Table),
    Edf(edf::Edf),
    Wfdb(wfdb::Wfdb),
}

/// Channels of a recording, all of the same rate.
#[derive(Debug, Clone, PartialEq)]
pub struct Selection {
    /// Their places in [`SeriesInfo::channels`].
    pub channels: Vec<usize>,
    /// Frames per second, if the file says.
    pub rate: Option<f64>,
    /// The stretches without gaps.
    pub runs: Vec<Run>,
}

/// Reads the header of a recording; `columns` are the names of the columns of a table that are no channels.
///
/// # Errors
/// What is wrong, as the rest of a sentence that begins with the file.
pub fn probe(path: &Path, columns: TableColumns) -> Result<SeriesInfo, String> {
    let subjects = Vec::new();
    let mut first = Vec::new();
    let file = File::open(path).map_err(|e| format!("cannot be opened: {e}"))?;
    file.take(16).read_to_end(&mut first).map_err(|e| format!("cannot be read: {e}"))?;
    if edf::recognized(&first) {
        let edf::Header { channels, runs, annotations, edf } = edf::header(path)?;
        let left_out = if annotations > 0 { vec![format!("{annotations} signals of annotations")] } else { Vec::new() };
        return Ok(SeriesInfo { format: Format::Edf, channels, left_out, runs, subjects, way: Way::Edf(edf) });
    }
    if npy::recognized(&first) {
        let npy::Header { channels, runs, npy } = npy::header(path)?;
        let (left_out, way) = (Vec::new(), Way::Npy(npy));
        return Ok(SeriesInfo { format: Format::Npy, channels, left_out, runs, subjects, way });
    }
    #[cfg(feature = "parquet")]
    if parquet::recognized(&first) {
        let parquet::Header { channels, rows, table, left_out } = parquet::header(path, columns)?;
        let left_out = left_out.into_iter().map(|name| format!("column {name}, which holds no numbers")).collect();
        let (runs, subjects, way) = (rows.runs, rows.subjects, Way::Parquet(table));
        return Ok(SeriesInfo { format: Format::Parquet, channels, left_out, runs, subjects, way });
    }
    if path.extension().is_some_and(|e| e.eq_ignore_ascii_case("parquet")) {
        return Err("is not a parquet file".into());
    }
    if path.extension().is_some_and(|e| e.eq_ignore_ascii_case("hea")) {
        let wfdb::Header { channels, runs, wfdb } = wfdb::header(path)?;
        let (left_out, way) = (Vec::new(), Way::Wfdb(wfdb));
        return Ok(SeriesInfo { format: Format::Wfdb, channels, left_out, runs, subjects, way });
    }
    let delimited::Header { channels, rows, delimited, left_out } = delimited::header(path, columns)?;
    let left_out = left_out.into_iter().map(|name| format!("column {name}, which holds text")).collect();
    let (runs, subjects, way) = (rows.runs, rows.subjects, Way::Table(delimited));
    Ok(SeriesInfo { format: Format::Table, channels, left_out, runs, subjects, way })
}

impl SeriesInfo {
    /// Frames of a channel in a unit of the file: the samples of a record of EDF, else 1.
    fn per_unit(&self, channel: usize) -> u64 {
        match &self.way {
            Way::Edf(edf) => edf.per_record(channel) as u64,
            _ => 1,
        }
    }

    /// Whether this is a table of texts and a few numbers, such as labels, rather than a recording: it has no times.
    pub fn is_list(&self) -> bool {
        let timed = self.channels.iter().any(|channel| channel.rate.is_some());
        matches!(self.format, Format::Table | Format::Parquet) && !timed && !self.left_out.is_empty()
    }

    /// The subjects that a column of a table names, in the order in which they come first, with the stretches of each; none if there is no such
    /// column.
    pub fn subjects(&self) -> &[(String, Vec<Run>)] {
        &self.subjects
    }

    /// The files that a recording consists of, its header first.
    pub fn files(&self, path: &Path) -> Vec<PathBuf> {
        let mut files = vec![path.to_path_buf()];
        if let Way::Wfdb(wfdb) = &self.way {
            files.extend(wfdb.files());
        }
        files
    }

    /// The channels of these names, in this order; all channels if there are none.
    ///
    /// # Errors
    /// There is no channel of a name, or two, or the channels have different rates; as the rest of a sentence that begins with the file.
    pub fn select(&self, names: &[String]) -> Result<Selection, String> {
        let find = |name: &String| {
            let mut found = (0..self.channels.len()).filter(|&i| self.channels[i].name == *name);
            match (found.next(), found.next()) {
                (Some(i), None) => Ok(i),
                (Some(_), Some(_)) => Err(format!("has several channels {name}")),
                (None, _) => {
                    let all: Vec<&str> = self.channels.iter().map(|c| c.name.as_str()).collect();
                    Err(format!("has no channel {name}; it has {}", all.join(", ")))
                }
            }
        };
        let channels: Vec<usize> = match names {
            [] => (0..self.channels.len()).collect(),
            names => names.iter().map(find).collect::<Result<_, _>>()?,
        };
        self.of(channels)
    }

    /// The channels in groups of one rate, each in the order of the file.
    pub fn groups(&self) -> Vec<Selection> {
        let mut groups: Vec<Vec<usize>> = Vec::new();
        let same =
            |a: usize, b: usize| self.channels[a].rate == self.channels[b].rate && self.per_unit(a) == self.per_unit(b);
        for i in 0..self.channels.len() {
            match groups.iter_mut().find(|group| same(group[0], i)) {
                Some(group) => group.push(i),
                None => groups.push(vec![i]),
            }
        }
        groups.into_iter().filter_map(|group| self.of(group).ok()).collect()
    }

    /// The channels at these places.
    fn of(&self, channels: Vec<usize>) -> Result<Selection, String> {
        let Some(&first) = channels.first() else { return Err("has no channels".into()) };
        let rate = self.channels[first].rate;
        if let Some(&other) =
            channels.iter().find(|&&i| self.channels[i].rate != rate || self.per_unit(i) != self.per_unit(first))
        {
            let text = |i: usize| {
                let Channel { name, rate, .. } = &self.channels[i];
                format!(
                    "{name} {} samples per second",
                    rate.map_or("an unknown number of".into(), |rate| rate.to_string())
                )
            };
            return Err(format!(
                "has channels of different rates: {}, and {}; choose those of one rate",
                text(first),
                text(other)
            ));
        }
        let unit = self.per_unit(first);
        let runs = self.runs.iter().map(|run| Run { first: run.first * unit, frames: run.frames * unit });
        Ok(Selection { channels, rate, runs: runs.filter(|run| run.frames > 0).collect() })
    }

    /// Fills `out` with values of the selected channels, frame by frame from `first` on.
    ///
    /// # Errors
    /// What is wrong, as the rest of a sentence that begins with the file.
    pub fn read(&self, path: &Path, selection: &Selection, first: u64, out: &mut [f32]) -> Result<(), String> {
        let channels = &selection.channels;
        match &self.way {
            Way::Npy(npy) => npy.read(path, channels, first, out),
            Way::Table(table) => table.read(path, channels, first, out),
            #[cfg(feature = "parquet")]
            Way::Parquet(table) => table.read(path, channels, first, out),
            Way::Edf(edf) => edf.read(path, channels, first, out),
            Way::Wfdb(wfdb) => wfdb.read(channels, first, out),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn usual(path: &Path) -> Result<SeriesInfo, String> {
        probe(path, TableColumns::default())
    }

    #[test]
    fn channels_are_chosen_by_name_in_any_order() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.csv");
        std::fs::write(&path, "time,x,y,z\n0,1,2,3\n0.1,4,5,6\n").unwrap();
        let info = usual(&path).unwrap();
        let chosen = info.select(&["z".into(), "x".into()]).unwrap();
        assert_eq!(
            (chosen.channels.as_slice(), chosen.runs.as_slice()),
            (&[2, 0][..], &[Run { first: 0, frames: 2 }][..])
        );
        let mut out = [0.0; 4];
        info.read(&path, &chosen, 0, &mut out).unwrap();
        assert_eq!(out, [3.0, 1.0, 6.0, 4.0]);
        assert_eq!(info.select(&[]).unwrap().channels, [0, 1, 2]);
        assert_eq!(info.select(&["w".into()]).unwrap_err(), "has no channel w; it has x, y, z");
    }
}
