//! Tables in text: one row a frame, one column a channel, and perhaps one of times.

use crate::data::decimal::{number, with_comma};
use crate::data::dialect::{Dialect, FirstLine, MISSING, first_line, is_number, sample};
use crate::series::clock::seconds;
use crate::series::stretches::{Rows, Stretches};
use crate::series::{Channel, TableColumns};
use csv::ByteRecord;
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;

/// Rows between two places that the index knows.
const STEP: u64 = 1024;

/// Bytes of the beginning of a file from which its form is told.
const HEAD: u64 = 1 << 16;

/// How a table is written, and where its rows are.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Delimited {
    separator: u8,
    /// Whether numbers have a decimal comma.
    comma: bool,
    /// The columns that are channels.
    columns: Arc<[usize]>,
    /// Where every [`STEP`]-th row begins: its byte and its line.
    index: Arc<[(u64, u64)]>,
}

/// What a table holds.
pub(super) struct Header {
    pub(super) channels: Vec<Channel>,
    pub(super) rows: Rows,
    pub(super) delimited: Delimited,
    /// Columns of text, which are not read.
    pub(super) left_out: Vec<String>,
}

/// Reads the table once, to find its rows.
///
/// # Errors
/// What is wrong, as the rest of a sentence that begins with the file.
pub(super) fn header(path: &Path, columns: TableColumns) -> Result<Header, String> {
    let read = |e: std::io::Error| format!("cannot be read: {e}");
    let mut file = File::open(path).map_err(|e| format!("cannot be opened: {e}"))?;
    let mut start = Vec::new();
    file.by_ref().take(HEAD).read_to_end(&mut start).map_err(read)?;
    if start.contains(&0) || start.starts_with(b"\xff\xfe") || start.starts_with(b"\xfe\xff") {
        return Err("is not text in UTF-8".into());
    }
    let mark = if start.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
    let tabs = path.extension().is_some_and(|e| e.eq_ignore_ascii_case("tsv"));
    let whole = (start.len() as u64) < HEAD;
    let dialect = Dialect::of(&start[mark..], if tabs { b'\t' } else { b',' }, whole);
    let skip = mark + dialect.skip;
    let records = sample(&start[skip..], dialect.separator, whole);
    let Some(first) = records.first() else { return Err("is empty".into()) };
    let named = match first_line(&records, false) {
        FirstLine::Names => true,
        FirstLine::Row | FirstLine::RowOfCounts => false,
        FirstLine::Unclear => {
            return Err("has a first line that may be a row or names; write a line of names above it".into());
        }
    };
    let names: Vec<String> = match named {
        true => first.iter().map(str::to_string).collect(),
        false => (1..=first.len()).map(|i| i.to_string()).collect(),
    };
    let [clock, subject] = columns.places(&names)?;
    let body = &records[usize::from(named)..];
    let cells = |i: usize| body.iter().filter_map(move |record| record.get(i)).filter(|cell| !cell.is_empty());
    let numbers = |i: usize| cells(i).all(|cell| is_number(cell) || MISSING.contains(&cell));
    let (columns, text): (Vec<usize>, Vec<usize>) =
        (0..names.len()).filter(|&i| Some(i) != clock && Some(i) != subject).partition(|&i| numbers(i));
    if columns.is_empty() {
        return Err(super::NO_NUMBERS.into());
    }
    let comma =
        columns.iter().any(|&i| cells(i).any(|cell| cell.parse::<f64>().is_err() && with_comma(cell).is_some()));

    file.seek(SeekFrom::Start(skip as u64)).map_err(read)?;
    let mut reader = reader(BufReader::with_capacity(1 << 18, file), dialect.separator);
    let (mut record, mut count, mut index) = (ByteRecord::new(), 0u64, Vec::new());
    let mut rows = Stretches::new(clock.is_some());
    let mut skip_names = named;
    while reader.read_byte_record(&mut record).map_err(|e| format!("cannot be read: {e}"))? {
        let place = record.position().cloned().unwrap_or_else(csv::Position::new);
        if std::mem::take(&mut skip_names) || is_blank(&record) {
            continue;
        }
        if record.len() != names.len() {
            return Err(format!(
                "line {}: has {} cells, and the first line has {}",
                place.line(),
                record.len(),
                names.len()
            ));
        }
        if count % STEP == 0 {
            index.push((skip as u64 + place.byte(), place.line()));
        }
        let time = |i: usize| {
            let cell = String::from_utf8_lossy(&record[i]);
            seconds(cell.trim(), comma).ok_or_else(|| format!("line {}: `{cell}` is no time", place.line()))
        };
        let subject = subject.map(|i| String::from_utf8_lossy(&record[i]));
        rows.row(subject.as_deref(), clock.map(time).transpose()?)
            .map_err(|what| format!("line {}: {what}", place.line()))?;
        count += 1;
    }
    let rows = rows.finish()?;
    let channel = |&i: &usize| Channel { name: names[i].clone(), unit: String::new(), rate: rows.rate };
    let channels = columns.iter().map(channel).collect();
    let delimited = Delimited { separator: dialect.separator, comma, columns: columns.into(), index: index.into() };
    Ok(Header { channels, rows, delimited, left_out: text.into_iter().map(|i| names[i].clone()).collect() })
}

/// Whether a line has nothing in it; such lines are no rows.
fn is_blank(record: &ByteRecord) -> bool {
    record.len() == 1 && record[0].is_empty()
}

fn reader<R: Read>(input: R, separator: u8) -> csv::Reader<R> {
    csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(separator)
        .trim(csv::Trim::All)
        .from_reader(input)
}

impl Delimited {
    /// Fills `out` with values of some channels, frame by frame from `first` on; NaN where a cell is empty or says that its value is missing.
    ///
    /// # Errors
    /// What is wrong, as the rest of a sentence that begins with the file.
    pub(super) fn read(&self, path: &Path, channels: &[usize], first: u64, out: &mut [f32]) -> Result<(), String> {
        if channels.is_empty() || out.is_empty() {
            return Ok(());
        }
        let (at, line) =
            *self.index.get((first / STEP) as usize).ok_or("ends before the frames that were asked for")?;
        let mut file = File::open(path).map_err(|e| format!("cannot be opened: {e}"))?;
        file.seek(SeekFrom::Start(at)).map_err(|e| format!("cannot be read: {e}"))?;
        let mut reader = reader(BufReader::new(file), self.separator);
        let mut record = ByteRecord::new();
        let mut next = |record: &mut ByteRecord| -> Result<(), String> {
            while reader.read_byte_record(record).map_err(|e| format!("cannot be read: {e}"))? {
                if !is_blank(record) {
                    return Ok(());
                }
            }
            Err("ends before the frames that were asked for".into())
        };
        for _ in 0..first % STEP {
            next(&mut record)?;
        }
        for frame in out.chunks_exact_mut(channels.len()) {
            next(&mut record)?;
            let line = line + record.position().map_or(0, csv::Position::line).saturating_sub(1);
            for (value, &channel) in frame.iter_mut().zip(channels) {
                let cell = record.get(self.columns[channel]).unwrap_or_default();
                let cell = std::str::from_utf8(cell).map_err(|_| format!("line {line}: is not text (UTF-8)"))?;
                *value = match cell {
                    "" => f32::NAN,
                    cell if MISSING.contains(&cell) => f32::NAN,
                    cell => {
                        let number = number(cell, self.comma);
                        number.ok_or_else(|| format!("line {line}: `{cell}` is no number"))? as f32
                    }
                };
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::series::Run;

    fn write(name: &str, text: &str) -> (tempfile::TempDir, std::path::PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        (dir, path)
    }

    #[test]
    fn columns_of_numbers_are_channels_and_times_give_the_rate() {
        let (_dir, path) = write("a.csv", "\u{feff}Time,x,activity,y\n0,1,walk,2\n0.02,3,walk,\n0.04,5,run,NaN\n");
        let header = header(&path, TableColumns::default()).unwrap();
        let of = |i: usize| (header.channels[i].name.as_str(), header.channels[i].rate.unwrap());
        assert_eq!((of(0).0, of(1).0, header.channels.len()), ("x", "y", 2));
        assert!((of(0).1 - 50.0).abs() < 1e-9);
        assert_eq!(
            (header.left_out, header.rows.runs),
            (vec!["activity".to_string()], vec![Run { first: 0, frames: 3 }])
        );
        let mut out = [0.0; 4];
        header.delimited.read(&path, &[1, 0], 0, &mut out).unwrap();
        assert!(out[..2] == [2.0, 1.0] && out[2].is_nan() && out[3] == 3.0);
    }

    #[test]
    fn rows_are_found_anywhere_in_a_long_table_with_decimal_commas() {
        let text: String = (0..5000).map(|i| format!("{i},5;{}\n", -i)).collect();
        let (_dir, path) = write("a.csv", &text);
        let header = header(&path, TableColumns::default()).unwrap();
        assert_eq!((header.channels.len(), header.channels[0].rate), (2, None));
        assert_eq!(header.rows.runs, [Run { first: 0, frames: 5000 }]);
        for first in [0u64, 1023, 1024, 3000, 4998] {
            let mut out = [0.0; 4];
            header.delimited.read(&path, &[0, 1], first, &mut out).unwrap();
            let i = first as f32;
            assert_eq!(out, [i + 0.5, -i, i + 1.5, -i - 1.0]);
        }
        assert!(header.delimited.read(&path, &[0], 4999, &mut [0.0; 2]).is_err());
    }

    #[test]
    fn blank_lines_are_no_rows_even_of_a_single_column() {
        let (_dir, path) = write("a.csv", "x\n1\n  \n2\n\"\"\n3\n");
        let header = header(&path, TableColumns::default()).unwrap();
        assert_eq!(header.rows.runs, [Run { first: 0, frames: 3 }]);
        let mut out = [0.0; 3];
        header.delimited.read(&path, &[0], 0, &mut out).unwrap();
        assert_eq!(out, [1.0, 2.0, 3.0]);
    }

    #[test]
    fn what_is_no_table_of_numbers_is_refused_in_words() {
        for (text, time, words) in [
            ("", "", "is empty"),
            ("a,b\nx,y\n", "", "no column of numbers"),
            ("a,b\n1,2\n3\n", "", "line 3: has 1 cells"),
            ("a,b\n1,2\n3,4\n", "when", "has no column when; it has a, b"),
            ("time,b\n1,2\nsoon,4\n", "", "line 3: `soon` is no time"),
            ("time,b\n1,2\n0,4\n", "", "line 3: "),
        ] {
            let (_dir, path) = write("a.csv", text);
            let error = header(&path, TableColumns { time, subject: "" }).err().unwrap_or_default();
            assert!(error.contains(words), "{error}, not {words}");
        }
        let (_dir, path) = write("a.csv", &format!("a,b\n{}oops,4\n", "1,2\n".repeat(300)));
        let header = header(&path, TableColumns::default()).unwrap();
        let error = header.delimited.read(&path, &[0], 300, &mut [0.0]).unwrap_err();
        assert_eq!(error, "line 302: `oops` is no number");
    }
}
