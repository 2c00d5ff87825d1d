//! Recordings in parquet files: a column for each channel, a row for each frame.

use super::stretches::{Rows, Stretches};
use crate::data::columns::{damaged, open};
use crate::series::{Channel, TableColumns};
use parquet::basic::{ConvertedType, LogicalType, TimeUnit, Type};
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::DataType;
use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader, RowGroupReader};
use parquet::schema::types::ColumnDescriptor;
use std::path::Path;
use std::sync::Arc;

/// Rows that are read at once to look at times.
const ROWS: usize = 8192;

/// Where the values of a file are.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Table {
    /// The columns that are channels.
    columns: Arc<[usize]>,
    /// The rows before each row group, then all.
    before: Arc<[u64]>,
}

/// What a file holds.
pub(super) struct Header {
    pub(super) channels: Vec<Channel>,
    pub(super) rows: Rows,
    pub(super) table: Table,
    /// Columns that are not read.
    pub(super) left_out: Vec<String>,
}

/// Whether a file with these first bytes is one.
pub(super) fn recognized(first: &[u8]) -> bool {
    first.starts_with(b"PAR1")
}

/// Seconds in a unit of a column of times.
fn unit(column: &ColumnDescriptor) -> f64 {
    match (column.logical_type_ref(), column.converted_type()) {
        (Some(LogicalType::Timestamp(kind)), _) => match kind.unit {
            TimeUnit::MILLIS => 1e-3,
            TimeUnit::MICROS => 1e-6,
            TimeUnit::NANOS => 1e-9,
        },
        (_, ConvertedType::TIMESTAMP_MILLIS) => 1e-3,
        (_, ConvertedType::TIMESTAMP_MICROS) => 1e-6,
        _ => 1.0,
    }
}

/// Reads the footer, the times and the subjects.
///
/// # Errors
/// What is wrong, as the rest of a sentence that begins with the file.
pub(super) fn header(path: &Path, columns: TableColumns) -> Result<Header, String> {
    let file = open(path)?;
    let schema = file.metadata().file_metadata().schema_descr();
    let names: Vec<String> = schema.columns().iter().map(|column| column.path().string()).collect();
    let [clock, subject] = columns.places(&names)?;
    let number = |column: &ColumnDescriptor| {
        let numeric = matches!(column.physical_type(), Type::INT32 | Type::INT64 | Type::FLOAT | Type::DOUBLE);
        numeric && column.max_rep_level() == 0 && !matches!(column.logical_type_ref(), Some(LogicalType::Decimal(_)))
    };
    let (columns, others): (Vec<usize>, Vec<usize>) =
        (0..names.len()).filter(|&i| Some(i) != clock && Some(i) != subject).partition(|&i| number(&schema.column(i)));
    if columns.is_empty() {
        return Err(super::NO_NUMBERS.into());
    }
    let mut before = vec![0];
    for group in file.metadata().row_groups() {
        before.push(before[before.len() - 1] + u64::try_from(group.num_rows()).unwrap_or(0));
    }
    let mut rows = Stretches::new(clock.is_some());
    for i in 0..file.num_row_groups() {
        let group = file.get_row_group(i).map_err(damaged)?;
        let (mut at, end) = (0, before[i + 1] - before[i]);
        while at < end {
            let n = ROWS.min((end - at) as usize);
            let mut times = vec![0.0; if clock.is_some() { n } else { 0 }];
            if let Some(column) = clock {
                values(&*group, column, at as usize, &mut times).map_err(damaged)?;
            }
            let names = subject.map(|column| texts(&*group, column, at as usize, n)).transpose()?;
            for (j, row) in (before[i] + at..).enumerate().take(n) {
                let time = clock.map(|column| times[j] * unit(&schema.column(column)));
                if time.is_some_and(|time| !time.is_finite()) {
                    return Err(format!("row {row}: has no time"));
                }
                let name = names.as_ref().map(|names| names[j].as_str());
                rows.row(name, time).map_err(|what| format!("row {row}: {what}"))?;
            }
            at += n as u64;
        }
    }
    let rows = rows.finish()?;
    let channel = |&i: &usize| Channel { name: names[i].clone(), unit: String::new(), rate: rows.rate };
    Ok(Header {
        channels: columns.iter().map(channel).collect(),
        rows,
        left_out: others.iter().map(|&i| names[i].clone()).collect(),
        table: Table { columns: columns.into(), before: before.into() },
    })
}

impl Table {
    /// Fills `out` with frames of these channels from `first` on.
    pub(super) fn read(&self, path: &Path, channels: &[usize], first: u64, out: &mut [f32]) -> Result<(), String> {
        let (file, width) = (open(path)?, channels.len());
        let end = first + (out.len() / width) as u64;
        for (i, rows) in self.before.windows(2).enumerate() {
            let (from, to) = (first.max(rows[0]), end.min(rows[1]));
            if from >= to {
                continue;
            }
            let group = file.get_row_group(i).map_err(damaged)?;
            let mut column = vec![0.0; (to - from) as usize];
            for (j, &channel) in channels.iter().enumerate() {
                values(&*group, self.columns[channel], (from - rows[0]) as usize, &mut column).map_err(damaged)?;
                let places = out.iter_mut().skip((from - first) as usize * width + j).step_by(width);
                places.zip(&column).for_each(|(to, value)| *to = *value as f32);
            }
        }
        Ok(())
    }
}

/// The cells of a column as text, from row `first` of its group on; nulls are empty.
fn texts(group: &dyn RowGroupReader, column: usize, first: usize, rows: usize) -> Result<Vec<String>, String> {
    let described = group.metadata().column(column).column_descr();
    let ColumnReader::ByteArrayColumnReader(mut reader) = group.get_column_reader(column).map_err(damaged)? else {
        let mut numbers = vec![0.0; rows];
        values(group, column, first, &mut numbers).map_err(damaged)?;
        return Ok(numbers.iter().map(|n| if n.is_nan() { String::new() } else { n.to_string() }).collect());
    };
    let mut skipped = 0;
    while skipped < first {
        match reader.skip_records(first - skipped).map_err(damaged)? {
            0 => break,
            n => skipped += n,
        }
    }
    let mut out = Vec::with_capacity(rows);
    while out.len() < rows {
        let (mut levels, mut cells) = (Vec::new(), Vec::new());
        let read = reader.read_records(rows - out.len(), Some(&mut levels), None, &mut cells).map_err(damaged)?;
        if read.0 == 0 {
            return Err("ends before its footer says".into());
        }
        let (present, mut cells) = (described.max_def_level(), cells.iter());
        for i in 0..read.0 {
            let there = present == 0 || levels.get(i) == Some(&present);
            let cell = if there { cells.next() } else { None };
            out.push(cell.map_or(String::new(), |cell| String::from_utf8_lossy(cell.data()).into_owned()));
        }
    }
    Ok(out)
}

/// Fills `out` with the values of a column from row `first` of its group on; nulls are NaN.
fn values(group: &dyn RowGroupReader, column: usize, first: usize, out: &mut [f64]) -> Result<(), ParquetError> {
    let described = group.metadata().column(column).column_descr();
    let levels = described.max_def_level();
    let unsigned = match described.logical_type_ref() {
        Some(LogicalType::Integer(kind)) => !kind.is_signed,
        _ => false,
    };
    fn fill<T: DataType>(
        mut reader: ColumnReaderImpl<T>,
        (present, first): (i16, usize),
        out: &mut [f64],
        number: impl Fn(&T::T) -> f64,
    ) -> Result<(), ParquetError> {
        let mut skipped = 0;
        while skipped < first {
            match reader.skip_records(first - skipped)? {
                0 => break,
                n => skipped += n,
            }
        }
        let mut at = 0;
        while at < out.len() {
            let (mut levels, mut values) = (Vec::new(), Vec::new());
            let (count, _, _) = reader.read_records(out.len() - at, Some(&mut levels), None, &mut values)?;
            if count == 0 {
                return Err(ParquetError::General("ends before its footer says".into()));
            }
            let mut values = values.iter();
            for i in 0..count {
                let there = present == 0 || levels.get(i) == Some(&present);
                out[at + i] = if there { values.next().map_or(f64::NAN, &number) } else { f64::NAN };
            }
            at += count;
        }
        Ok(())
    }
    let from = (levels, first);
    match group.get_column_reader(column)? {
        ColumnReader::Int32ColumnReader(r) if unsigned => fill(r, from, out, |v| f64::from(*v as u32)),
        ColumnReader::Int32ColumnReader(r) => fill(r, from, out, |v| f64::from(*v)),
        ColumnReader::Int64ColumnReader(r) if unsigned => fill(r, from, out, |v| *v as u64 as f64),
        ColumnReader::Int64ColumnReader(r) => fill(r, from, out, |v| *v as f64),
        ColumnReader::FloatColumnReader(r) => fill(r, from, out, |v| f64::from(*v)),
        ColumnReader::DoubleColumnReader(r) => fill(r, from, out, |v| *v),
        _ => Err(ParquetError::General(format!("column `{}` holds no numbers", described.path().string()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::series::tests::usual;
    use crate::series::{Run, probe};
    use parquet::data_type::{ByteArray, ByteArrayType, DoubleType, FloatType, Int32Type, Int64Type};
    use parquet::file::writer::SerializedFileWriter;
    use parquet::schema::parser::parse_message_type;

    /// A file of three columns in row groups of 5 rows: times in microseconds, x with nulls, and y.
    fn written(path: &Path, rows: i64) {
        let schema =
            "message m { required int64 timestamp (TIMESTAMP(MICROS,true)); optional double x; required float y; }";
        let schema = Arc::new(parse_message_type(schema).unwrap());
        let file = std::fs::File::create(path).unwrap();
        let mut out = SerializedFileWriter::new(file, schema, Default::default()).unwrap();
        for first in (0..rows).step_by(5) {
            let group: Vec<i64> = (first..rows.min(first + 5)).collect();
            let mut writer = out.next_row_group().unwrap();
            let mut next = |write: &mut dyn FnMut(&mut parquet::file::writer::SerializedColumnWriter)| {
                let mut column = writer.next_column().unwrap().unwrap();
                write(&mut column);
                column.close().unwrap();
            };
            let times: Vec<i64> = group.iter().map(|t| 1_700_000_000_000_000 + t * 20_000).collect();
            next(&mut |c| {
                c.typed::<Int64Type>().write_batch(&times, None, None).unwrap();
            });
            let there: Vec<i16> = group.iter().map(|t| i16::from(t % 4 != 3)).collect();
            let x: Vec<f64> = group.iter().filter(|t| *t % 4 != 3).map(|t| *t as f64 + 0.5).collect();
            next(&mut |c| {
                c.typed::<DoubleType>().write_batch(&x, Some(&there), None).unwrap();
            });
            let y: Vec<f32> = group.iter().map(|t| -(*t as f32)).collect();
            next(&mut |c| {
                c.typed::<FloatType>().write_batch(&y, None, None).unwrap();
            });
            writer.close().unwrap();
        }
        out.close().unwrap();
    }

    #[test]
    fn frames_are_read_across_row_groups_and_nulls_are_missing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.parquet");
        written(&path, 13);
        let info = usual(&path).unwrap();
        let names: Vec<&str> = info.channels.iter().map(|c| c.name.as_str()).collect();
        assert_eq!((names, info.channels[0].rate), (vec!["x", "y"], Some(50.0)));
        let selection = info.select(&["y".into(), "x".into()]).unwrap();
        assert_eq!(selection.runs, [Run { first: 0, frames: 13 }]);
        let mut out = vec![0.0; 2 * 8];
        info.read(&path, &selection, 3, &mut out).unwrap();
        for (t, frame) in (3..).zip(out.chunks_exact(2)) {
            assert_eq!(frame[0], -(t as f32));
            assert!(if t % 4 == 3 { frame[1].is_nan() } else { frame[1] == t as f32 + 0.5 }, "{t}");
        }
        assert!(
            probe(&path, TableColumns { time: "when", subject: "" })
                .unwrap_err()
                .contains("has no column when; it has timestamp, x, y")
        );
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
        assert!(usual(&path).unwrap_err().contains("is not a whole parquet file"));
    }

    #[test]
    fn a_column_of_texts_or_numbers_names_subjects() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.parquet");
        for text in [true, false] {
            let kind = if text { "optional binary subject (UTF8)" } else { "optional int32 subject" };
            let schema = Arc::new(parse_message_type(&format!("message m {{ {kind}; required double x; }}")).unwrap());
            let file = std::fs::File::create(&path).unwrap();
            let mut out = SerializedFileWriter::new(file, schema, Default::default()).unwrap();
            for rows in [&[1, 1, 2][..], &[2, 0, 1][..]] {
                let mut writer = out.next_row_group().unwrap();
                let there: Vec<i16> = rows.iter().map(|row| i16::from(*row > 0)).collect();
                let named = rows.iter().copied().filter(|row| *row > 0);
                let mut column = writer.next_column().unwrap().unwrap();
                if text {
                    let cells: Vec<ByteArray> = named.map(|row| ByteArray::from(&*row.to_string())).collect();
                    column.typed::<ByteArrayType>().write_batch(&cells, Some(&there), None).unwrap();
                } else {
                    let cells: Vec<i32> = named.collect();
                    column.typed::<Int32Type>().write_batch(&cells, Some(&there), None).unwrap();
                }
                column.close().unwrap();
                let mut column = writer.next_column().unwrap().unwrap();
                column.typed::<DoubleType>().write_batch(&[1.0, 2.0, 3.0], None, None).unwrap();
                column.close().unwrap();
                writer.close().unwrap();
            }
            out.close().unwrap();
            let info = usual(&path).unwrap();
            let run = |first, frames| Run { first, frames };
            let want = [("1", vec![run(0, 2), run(5, 1)]), ("2", vec![run(2, 2)]), ("", vec![run(4, 1)])];
            assert_eq!(info.subjects(), want.map(|(name, runs)| (name.to_string(), runs)));
            assert_eq!(info.channels.len(), 1);
        }
    }
}
