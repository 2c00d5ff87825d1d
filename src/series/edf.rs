//! EDF, EDF+ and BDF: recordings in records of equal duration, each with the samples of every signal, as integers that the header maps to
//! physical units (Kemp and Olivan 2003; BDF, of BioSemi, has 24 bits instead of 16).

use crate::series::{Channel, Run};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

/// How the samples of a file are laid out.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Edf {
    /// Bytes before the first record.
    start: u64,
    /// Bytes of a record.
    record: usize,
    /// Bytes of a sample.
    width: usize,
    /// Where the samples of each channel lie, in the order of the file.
    signals: Vec<Signal>,
}

/// A channel within a record.
#[derive(Debug, Clone, PartialEq)]
struct Signal {
    /// Bytes of the record before it.
    at: usize,
    /// Samples in a record.
    samples: usize,
    /// A sample is `gain * value + offset`.
    gain: f64,
    offset: f64,
}

/// What a header says.
pub(super) struct Header {
    pub(super) channels: Vec<Channel>,
    /// The stretches without a gap, for a channel of one sample a record.
    pub(super) runs: Vec<Run>,
    /// Signals of annotations, which are not read.
    pub(super) annotations: usize,
    pub(super) edf: Edf,
}

/// Bytes of the header itself, and of what it says of each signal.
const FIXED: usize = 256;

/// What the header says of each signal, in its order: the bytes of each field.
const FIELDS: [usize; 10] = [16, 80, 8, 8, 8, 8, 8, 80, 8, 32];

/// Whether a file with these first bytes is one.
pub(super) fn recognized(first: &[u8]) -> bool {
    first.starts_with(b"0       ") || first.starts_with(b"\xffBIOSEMI")
}

/// Reads the header.
///
/// # Errors
/// What is wrong, as the rest of a sentence that begins with the file.
pub(super) fn header(path: &Path) -> Result<Header, String> {
    let read = |e: std::io::Error| match e.kind() {
        std::io::ErrorKind::UnexpectedEof => "is cut off within its header".to_string(),
        _ => format!("cannot be read: {e}"),
    };
    let mut file = File::open(path).map_err(|e| format!("cannot be opened: {e}"))?;
    let size = file.metadata().map_err(read)?.len();
    let mut fixed = [0; FIXED];
    file.read_exact(&mut fixed).map_err(read)?;
    let bdf = fixed[0] == 0xff;
    let text = |from: usize, n: usize| text(&fixed[from..from + n]);
    let start: u64 = number(&text(184, 8), "the length of its header")?;
    let plus = text(192, 44);
    let records: i64 = number(&text(236, 8), "the number of its records")?;
    let seconds: f64 = number(&text(244, 8), "the duration of a record")?;
    let count: usize = number(&text(252, 4), "the number of its signals")?;
    if count == 0 || start != ((count + 1) * FIXED) as u64 {
        return Err(format!("says that it has {count} signals and a header of {start} bytes, which do not agree"));
    }
    let mut bytes = vec![0; count * FIXED];
    file.read_exact(&mut bytes).map_err(read)?;
    let mut at = 0;
    let mut columns = FIELDS.iter().map(|n| {
        let column: Vec<String> = (0..count).map(|i| self::text(&bytes[at + i * n..at + (i + 1) * n])).collect();
        at += count * n;
        column
    });
    let mut column = || columns.next().unwrap_or_default();
    let (labels, _, units) = (column(), column(), column());
    let [low, high, least, most] = [column(), column(), column(), column()];
    let (_, samples) = (column(), column());

    let width = if bdf { 3 } else { 2 };
    let (mut channels, mut signals, mut annotations, mut record) = (Vec::new(), Vec::new(), Vec::new(), 0);
    for i in 0..count {
        let what = |field: &str| format!("{field} of signal {} ({})", i + 1, labels[i]);
        let samples: usize = number(&samples[i], &what("the samples in a record"))?;
        let at = record;
        record += samples * width;
        if labels[i] == "EDF Annotations" || labels[i] == "BDF Annotations" {
            annotations.push(at..at + samples * width);
            continue;
        }
        let value = |column: &[String], field: &str| number::<f64>(&column[i], &what(field));
        let (low, high) = (value(&low, "the physical minimum")?, value(&high, "the physical maximum")?);
        let (least, most) = (value(&least, "the digital minimum")?, value(&most, "the digital maximum")?);
        if least >= most || low == high {
            return Err(format!(
                "maps {least} to {most} onto {low} to {high} for signal {} ({}), which gives no values",
                i + 1,
                labels[i]
            ));
        }
        let gain = (high - low) / (most - least);
        if samples > 0 && (seconds <= 0.0 || !seconds.is_finite()) {
            return Err(format!("has records of {seconds} s, so its signals have no rate"));
        }
        channels.push(Channel {
            name: labels[i].clone(),
            unit: units[i].clone(),
            rate: Some(samples as f64 / seconds),
        });
        signals.push(Signal { at, samples, gain, offset: low - gain * least });
    }
    if record == 0 {
        return Err("has records without samples".into());
    }
    let held = (size - start.min(size)) / record as u64;
    let records = match u64::try_from(records) {
        Ok(records) if records > held => {
            return Err(format!("is cut off: its header promises {records} records, and {held} are whole"));
        }
        Ok(records) => records,
        Err(_) => held, // -1 while it is being recorded
    };
    let edf = Edf { start, record, width, signals };
    let runs = match plus.get(..5) {
        Some("EDF+D" | "BDF+D") => {
            let Some(clock) = annotations.first() else {
                return Err("is discontinuous (EDF+D), but has no annotations that say when its records begin".into());
            };
            edf.runs(&mut file, records, clock.clone(), seconds)?
        }
        _ if records == 0 => Vec::new(),
        _ => vec![Run { first: 0, frames: records }],
    };
    Ok(Header { channels, runs, annotations: annotations.len(), edf })
}

impl Edf {
    /// Samples of a channel in a record.
    pub(super) fn per_record(&self, channel: usize) -> usize {
        self.signals[channel].samples
    }

    /// The stretches of records that follow each other without a gap; each record of a discontinuous file begins with its time.
    fn runs(
        &self,
        file: &mut File,
        records: u64,
        clock: std::ops::Range<usize>,
        seconds: f64,
    ) -> Result<Vec<Run>, String> {
        let mut runs: Vec<Run> = Vec::new();
        let mut expected = f64::NAN;
        let mut bytes = vec![0; clock.len()];
        for i in 0..records {
            let at = self.start + i * self.record as u64 + clock.start as u64;
            file.seek(SeekFrom::Start(at))
                .and_then(|_| file.read_exact(&mut bytes))
                .map_err(|e| format!("cannot be read: {e}"))?;
            let end = bytes.iter().position(|b| *b == 0x14 || *b == 0x15).unwrap_or(0);
            let onset = std::str::from_utf8(&bytes[..end]).ok().and_then(|text| text.parse::<f64>().ok());
            let onset = onset.ok_or_else(|| format!("does not say when its record {} begins", i + 1))?;
            match runs.last_mut() {
                // Times are printed with a few digits.
                Some(run) if (onset - expected).abs() < 1e-3 * seconds => run.frames += 1,
                _ => runs.push(Run { first: i, frames: 1 }),
            }
            expected = onset + seconds;
        }
        Ok(runs)
    }

    /// Fills `out` with samples of some channels, all of the same number in a record, frame by frame from `first` on.
    ///
    /// # Errors
    /// What is wrong, as the rest of a sentence that begins with the file.
    pub(super) fn read(&self, path: &Path, channels: &[usize], first: u64, out: &mut [f32]) -> Result<(), String> {
        let Some(each) = channels.first().map(|&c| self.signals[c].samples) else { return Ok(()) };
        let read = |e: std::io::Error| format!("cannot be read: {e}");
        let mut file = File::open(path).map_err(|e| format!("cannot be opened: {e}"))?;
        let mut bytes = vec![0; self.record];
        let (mut frame, mut rest) = (first, out);
        while !rest.is_empty() {
            let (record, skip) = (frame / each as u64, (frame % each as u64) as usize);
            file.seek(SeekFrom::Start(self.start + record * self.record as u64)).map_err(read)?;
            file.read_exact(&mut bytes).map_err(read)?;
            let n = (each - skip).min(rest.len() / channels.len());
            let (now, later) = rest.split_at_mut(n * channels.len());
            for (j, &channel) in channels.iter().enumerate() {
                let Signal { at, gain, offset, .. } = self.signals[channel];
                for (i, frame) in now.chunks_exact_mut(channels.len()).enumerate() {
                    let value = match bytes[at + (skip + i) * self.width..] {
                        [a, b, c, ..] if self.width == 3 => i32::from_le_bytes([0, a, b, c]) >> 8,
                        [a, b, ..] => i32::from(i16::from_le_bytes([a, b])),
                        _ => 0,
                    };
                    frame[j] = (gain * f64::from(value) + offset) as f32;
                }
            }
            frame += n as u64;
            rest = later;
        }
        Ok(())
    }
}

/// A field of a header, without the spaces that fill it: in UTF-8, or else in Latin-1.
fn text(bytes: &[u8]) -> String {
    let latin = |_| bytes.iter().map(|&b| char::from(b)).collect();
    let text = String::from_utf8(bytes.to_vec()).unwrap_or_else(latin);
    text.trim_matches(|c: char| c.is_whitespace() || c == '\0').to_string()
}

fn number<T: std::str::FromStr>(text: &str, what: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("says `{text}` for {what}, which is not a number"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file of two signals of 4 and 2 samples a record, and one of annotations with the time of each record.
    fn file(bdf: bool, kind: &str, records: i64, times: &[f64]) -> Vec<u8> {
        let field = |text: &str, n: usize| format!("{text:<n$}").into_bytes();
        let mut bytes = field(if bdf { "?BIOSEMI" } else { "0" }, 8);
        if bdf {
            bytes[0] = 0xff;
        }
        for (text, n) in [("X", 80), ("Startdate X", 80), ("01.02.03", 8), ("04.05.06", 8), ("1024", 8), (kind, 44)] {
            bytes.extend(field(text, n));
        }
        for (text, n) in [(records.to_string().as_str(), 8), ("0.5", 8), ("3", 4)] {
            bytes.extend(field(text, n));
        }
        let notes = if bdf { "BDF Annotations" } else { "EDF Annotations" };
        let columns = [
            ["ECG I", "SpO2", notes],
            ["", "", ""],
            ["uV", "%", ""],
            ["-1000", "0", "-1"],
            ["1000", "100", "1"],
            ["-500", "-200", "-32768"],
            ["500", "200", "32767"],
            ["", "", ""],
            ["4", "2", "10"],
            ["", "", ""],
        ];
        for (column, n) in columns.iter().zip(FIELDS) {
            column.iter().for_each(|text| bytes.extend(field(text, n)));
        }
        let width = if bdf { 3 } else { 2 };
        for (r, time) in times.iter().enumerate() {
            for value in [0, 1, 2, 3].map(|i| 10 * r as i32 + i).into_iter().chain([100, -200]) {
                bytes.extend(&value.to_le_bytes()[..width]);
            }
            let mut note = format!("+{time}\x14\x14").into_bytes();
            note.resize(10 * width, 0);
            bytes.extend(note);
        }
        bytes
    }

    fn write(bytes: &[u8]) -> (tempfile::TempDir, std::path::PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.edf");
        std::fs::write(&path, bytes).unwrap();
        (dir, path)
    }

    #[test]
    fn samples_are_in_physical_units_and_annotations_are_left_out() {
        for (bdf, kind) in [(false, ""), (false, "EDF+C"), (true, ""), (true, "BDF+C")] {
            let (_dir, path) = write(&file(bdf, kind, 3, &[0.0, 0.5, 1.0]));
            let header = header(&path).unwrap();
            let of = |i: usize| {
                (header.channels[i].name.as_str(), header.channels[i].unit.as_str(), header.channels[i].rate)
            };
            assert_eq!((of(0), of(1)), (("ECG I", "uV", Some(8.0)), ("SpO2", "%", Some(4.0))));
            assert_eq!((header.channels.len(), header.annotations), (2, 1));
            assert_eq!(header.runs, [Run { first: 0, frames: 3 }]);
            let mut out = [0.0; 5];
            header.edf.read(&path, &[0], 3, &mut out).unwrap();
            assert_eq!(out, [6.0, 20.0, 22.0, 24.0, 26.0]);
            let mut out = [0.0; 6];
            header.edf.read(&path, &[1], 0, &mut out).unwrap();
            assert_eq!(out, [75.0, 0.0, 75.0, 0.0, 75.0, 0.0]);
        }
    }

    #[test]
    fn gaps_of_a_discontinuous_file_divide_it() {
        let (_dir, path) = write(&file(false, "EDF+D", -1, &[0.0, 0.5, 7.0, 7.5, 8.0, 20.0]));
        let runs = header(&path).unwrap().runs;
        let want = [(0, 2), (2, 3), (5, 1)].map(|(first, frames)| Run { first, frames });
        assert_eq!(runs, want);
    }

    #[test]
    fn a_header_that_is_wrong_is_refused_in_words() {
        let whole = file(false, "", 3, &[0.0, 0.5, 1.0]);
        let changed = |at: usize, text: &str| {
            let mut bytes = whole.clone();
            bytes[at..at + text.len()].copy_from_slice(text.as_bytes());
            bytes
        };
        let cases = [
            (whole[..whole.len() - 1].to_vec(), "promises 3 records, and 2 are whole"),
            (whole[..300].to_vec(), "cut off within its header"),
            (changed(252, "7   "), "7 signals and a header of 1024 bytes"),
            (changed(244, "0       "), "records of 0 s"),
            (changed(236, "three   "), "`three` for the number of its records"),
            (changed(256 + 3 * (16 + 80 + 8 + 16), "500     "), "which gives no values"),
        ];
        for (bytes, words) in cases {
            let (_dir, path) = write(&bytes);
            let error = header(&path).err().unwrap_or_default();
            assert!(error.contains(words), "{error}, not {words}");
        }
    }
}
