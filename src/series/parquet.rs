//! Recordings in parquet files: a column for each channel, a row for each frame.

use super::clock::Clock;
use super::delimited::TIMES;
use crate::data::columns::{damaged, open};
use crate::series::{Channel, Run};
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
    pub(super) runs: Vec<Run>,
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

/// Reads the footer and the times; `time` is the name of the column of times, empty for a usual one.
///
/// # Errors
/// What is wrong, as the rest of a sentence that begins with the file.
pub(super) fn header(path: &Path, time: &str) -> Result<Header, String> {
    let file = open(path)?;
    let schema = file.metadata().file_metadata().schema_descr();
    let names: Vec<String> = schema.columns().iter().map(|column| column.path().string()).collect();
    let clock = match time {
        "" => names.iter().position(|name| TIMES.contains(&name.to_lowercase().as_str())),
        _ => Some(
            names
                .iter()
                .position(|name| name == time)
                .ok_or_else(|| format!("has no column {time}; it has {}", names.join(", ")))?,
        ),
    };
    let number = |column: &ColumnDescriptor| {
        let numeric = matches!(column.physical_type(), Type::INT32 | Type::INT64 | Type::FLOAT | Type::DOUBLE);
        numeric && column.max_rep_level() == 0 && !matches!(column.logical_type_ref(), Some(LogicalType::Decimal(_)))
    };
    let (columns, others): (Vec<usize>, Vec<usize>) =
        (0..names.len()).filter(|&i| Some(i) != clock).partition(|&i| number(&schema.column(i)));
    if columns.is_empty() {
        return Err(super::NO_NUMBERS.into());
    }
    let mut before = vec![0];
    for group in file.metadata().row_groups() {
        before.push(before[before.len() - 1] + u64::try_from(group.num_rows()).unwrap_or(0));
    }
    let rows = before[before.len() - 1];
    let (rate, runs) = match clock {
        None => (None, if rows == 0 { Vec::new() } else { vec![Run { first: 0, frames: rows }] }),
        Some(column) => {
            let (mut clock, unit) = (Clock::default(), unit(&schema.column(column)));
            for i in 0..file.num_row_groups() {
                let group = file.get_row_group(i).map_err(damaged)?;
                let rows = before[i + 1] - before[i];
                let mut at = 0;
                while at < rows {
                    let n = ROWS.min((rows - at) as usize);
                    let mut times = vec![0.0; n];
                    values(&*group, column, at as usize, &mut times).map_err(damaged)?;
                    for (time, row) in times.iter().zip(before[i] + at..) {
                        if !time.is_finite() {
                            return Err(format!("row {row}: has no time"));
                        }
                        clock.next(time * unit).map_err(|what| format!("row {row}: {what}"))?;
                    }
                    at += n as u64;
                }
            }
            clock.runs()?
        }
    };
    let channel = |&i: &usize| Channel { name: names[i].clone(), unit: String::new(), rate };
    Ok(Header {
        channels: columns.iter().map(channel).collect(),
        runs,
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
    use crate::series::probe;
    use parquet::data_type::{DoubleType, FloatType, Int64Type};
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
        let info = probe(&path, "").unwrap();
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
        assert!(probe(&path, "when").unwrap_err().contains("has no column when; it has timestamp, x, y"));
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
        assert!(probe(&path, "").unwrap_err().contains("is not a whole parquet file"));
    }
}
