//! `.parquet`: one file per layer, or one file of sentences with their vectors.

use super::{FeatureFormat, RowWriter, file_name, no_rows, parts};
use crate::error::{Error, Result};
use crate::features::index::{Index, Indexed, LayerInfo};
use crate::features::{FeatureSet, ROWS, Timing};
use parquet::basic::{Compression, LogicalType, Repetition, Type};
use parquet::column::writer::{ColumnWriter, ColumnWriterImpl};
use parquet::data_type::{ByteArray, FloatType};
use parquet::errors::ParquetError;
use parquet::file::properties::{WriterProperties, WriterVersion};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::{PrimitiveTypeBuilder, Type as Schema};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// `.parquet`.
pub(super) struct Parquet;

impl FeatureFormat for Parquet {
    fn name(&self) -> &'static str {
        "parquet"
    }

    fn about(&self) -> &'static str {
        "One .parquet file per layer: utterance, speaker, frame, time, vector"
    }

    fn layer_path(&self, layer: &str, _: bool) -> String {
        format!("{}.parquet", file_name(layer))
    }

    fn join(&self, path: &Path, folder: &Path, utterances: &[Indexed], timing: &Timing) -> Result<()> {
        parquet(path, folder, utterances, timing)
    }

    fn open(&self, dir: &Path, _: &Index, _: &LayerInfo) -> Result<FeatureSet> {
        Err(Error::usage(
            format!("{} holds parquet files, a format for other tools", dir.display()),
            "extract with --format npy or safetensors",
        ))
    }

    fn rows(&self, path: &Path, dim: usize, texts: bool) -> Result<Box<dyn RowWriter>> {
        match texts {
            true => Ok(Box::new(SentenceTable::create(path, dim)?)),
            false => Err(no_rows(self.name(), "these rows have no texts", "npy")),
        }
    }
}

/// Converts a parquet write error.
fn full_disk(path: &Path) -> impl Fn(ParquetError) -> Error {
    move |e| {
        Error::failed(
            format!("{}: {e}", path.display()),
            "check that there is space on the disk, or choose --format npy",
        )
    }
}

/// Floats hardly compress. Names repeat, and dictionary encoding handles them.
fn properties() -> WriterProperties {
    WriterProperties::builder()
        .set_writer_version(WriterVersion::PARQUET_1_0)
        .set_compression(Compression::UNCOMPRESSED)
        .set_column_dictionary_enabled("vector.list.element".into(), false)
        .build()
}

fn column(name: &str, kind: Type) -> PrimitiveTypeBuilder<'_> {
    Schema::primitive_type_builder(name, kind).with_repetition(Repetition::REQUIRED)
}

/// A column of strings.
fn text_column(name: &str) -> std::result::Result<Schema, ParquetError> {
    column(name, Type::BYTE_ARRAY).with_logical_type(Some(LogicalType::String)).build()
}

/// A column of lists of float32.
fn list_of_floats(name: &str) -> std::result::Result<Schema, ParquetError> {
    let element = Arc::new(column("element", Type::FLOAT).build()?);
    let group =
        |name, repetition, fields| Schema::group_type_builder(name).with_repetition(repetition).with_fields(fields);
    let list = Arc::new(group("list", Repetition::REPEATED, vec![element]).build()?);
    group(name, Repetition::REQUIRED, vec![list]).with_logical_type(Some(LogicalType::List)).build()
}

/// Writes lists of `dim` values each.
fn write_lists(
    writer: &mut ColumnWriterImpl<'_, FloatType>,
    values: &[f32],
    dim: usize,
) -> std::result::Result<usize, ParquetError> {
    let begins: Vec<i16> = (0..values.len()).map(|i| i16::from(i % dim != 0)).collect(); // 0 where a list starts
    writer.write_batch(values, Some(&vec![1; values.len()]), Some(&begins))
}

/// `utterance`, `speaker`: strings; `frame`: from 0; `time`: the center of the frame's receptive field, in seconds; `vector`: a list of
/// float32.
fn schema() -> std::result::Result<Schema, ParquetError> {
    let fields = vec![
        Arc::new(text_column("utterance")?),
        Arc::new(text_column("speaker")?),
        Arc::new(column("frame", Type::INT32).build()?),
        Arc::new(column("time", Type::DOUBLE).build()?),
        Arc::new(list_of_floats("vector")?),
    ];
    Schema::group_type_builder("features").with_fields(fields).build()
}

fn parquet(path: &Path, folder: &Path, utterances: &[Indexed], timing: &Timing) -> Result<()> {
    let fault = full_disk(path);
    let file = File::create(path).map_err(Error::io(path, "create"))?;
    let mut out =
        SerializedFileWriter::new(file, Arc::new(schema().map_err(&fault)?), Arc::new(properties())).map_err(&fault)?;
    let mut group = Group::default();
    let mut rows = Vec::new();
    for part in parts(folder, utterances) {
        let (utterance, file) = part?;
        for first in (0..file.rows).step_by(ROWS) {
            let n = ROWS.min(file.rows - first);
            file.read_range(first, n, &mut rows)?;
            group.add(utterance, first, n, &rows, timing);
            if group.frames.len() >= ROWS {
                group.write(&mut out).map_err(&fault)?;
            }
        }
    }
    if !group.frames.is_empty() {
        group.write(&mut out).map_err(&fault)?;
    }
    let file = out.into_inner().map_err(fault)?;
    file.sync_all().map_err(Error::io(path, "write"))
}

/// The columns of a row group.
#[derive(Default)]
struct Group {
    utterances: Vec<ByteArray>,
    speakers: Vec<ByteArray>,
    frames: Vec<i32>,
    times: Vec<f64>,
    values: Vec<f32>,
    dim: usize,
}

impl Group {
    fn add(&mut self, utterance: &Indexed, first: usize, n: usize, rows: &[f32], timing: &Timing) {
        let (id, speaker) = (ByteArray::from(utterance.id.as_str()), ByteArray::from(utterance.speaker.as_str()));
        for t in first..first + n {
            self.utterances.push(id.clone());
            self.speakers.push(speaker.clone());
            self.frames.push(i32::try_from(t).unwrap_or(i32::MAX));
            self.times.push(timing.seconds(t as u64));
        }
        self.dim = rows.len() / n.max(1);
        self.values.extend_from_slice(rows);
    }

    fn write(&mut self, out: &mut SerializedFileWriter<File>) -> std::result::Result<(), ParquetError> {
        let mut group = out.next_row_group()?;
        let mut i = 0;
        while let Some(mut column) = group.next_column()? {
            match (i, column.untyped()) {
                (0, ColumnWriter::ByteArrayColumnWriter(w)) => w.write_batch(&self.utterances, None, None)?,
                (1, ColumnWriter::ByteArrayColumnWriter(w)) => w.write_batch(&self.speakers, None, None)?,
                (2, ColumnWriter::Int32ColumnWriter(w)) => w.write_batch(&self.frames, None, None)?,
                (3, ColumnWriter::DoubleColumnWriter(w)) => w.write_batch(&self.times, None, None)?,
                (4, ColumnWriter::FloatColumnWriter(w)) => write_lists(w, &self.values, self.dim)?,
                _ => return Err(ParquetError::General("a column of another type".into())),
            };
            column.close()?;
            i += 1;
        }
        group.close()?;
        *self = Group::default();
        Ok(())
    }
}

/// A file being written, with columns `sentence` (string) and `vector` (a list of float32).
struct SentenceTable {
    path: PathBuf,
    out: SerializedFileWriter<File>,
    dim: usize,
}

impl SentenceTable {
    /// Creates a file of `dim`-dimensional vectors.
    fn create(path: &Path, dim: usize) -> Result<Self> {
        let schema = || {
            let fields = vec![Arc::new(text_column("sentence")?), Arc::new(list_of_floats("vector")?)];
            Schema::group_type_builder("sentences").with_fields(fields).build()
        };
        let file = File::create(path).map_err(Error::io(path, "create"))?;
        let fault = full_disk(path);
        let out = SerializedFileWriter::new(file, Arc::new(schema().map_err(&fault)?), Arc::new(properties()));
        Ok(SentenceTable { path: path.to_path_buf(), out: out.map_err(&fault)?, dim })
    }

    fn group(&mut self, texts: &[ByteArray], vectors: &[f32]) -> std::result::Result<(), ParquetError> {
        let mut group = self.out.next_row_group()?;
        while let Some(mut column) = group.next_column()? {
            match column.untyped() {
                ColumnWriter::ByteArrayColumnWriter(w) => w.write_batch(texts, None, None)?,
                ColumnWriter::FloatColumnWriter(w) => write_lists(w, vectors, self.dim)?,
                _ => return Err(ParquetError::General("a column of another type".into())),
            };
            column.close()?;
        }
        group.close()?;
        Ok(())
    }
}

impl RowWriter for SentenceTable {
    /// Writes them as one row group.
    fn write(&mut self, sentences: &[String], vectors: &[f32]) -> Result<()> {
        let texts: Vec<ByteArray> = sentences.iter().map(|s| ByteArray::from(s.as_str())).collect();
        self.group(&texts, vectors).map_err(full_disk(&self.path))
    }

    fn finish(self: Box<Self>) -> Result<()> {
        let file = self.out.into_inner().map_err(full_disk(&self.path))?;
        file.sync_all().map_err(Error::io(&self.path, "write"))
    }
}

/// Writes columns of texts and of numbers, as the only row group.
pub(in crate::features) fn write_table(path: &Path, table: &crate::features::TextTable) -> Result<()> {
    let fault = full_disk(path);
    let schema = || -> std::result::Result<Schema, ParquetError> {
        let mut fields = Vec::new();
        for (name, _) in &table.texts {
            fields.push(Arc::new(text_column(name)?));
        }
        for (name, _) in &table.numbers {
            fields.push(Arc::new(column(name, Type::DOUBLE).build()?));
        }
        Schema::group_type_builder("table").with_fields(fields).build()
    };
    let write = || -> std::result::Result<(), ParquetError> {
        let file = File::create(path)?;
        let mut out = SerializedFileWriter::new(file, Arc::new(schema()?), Arc::new(properties()))?;
        let mut group = out.next_row_group()?;
        let (mut texts, mut numbers) = (table.texts.iter(), table.numbers.iter());
        while let Some(mut column) = group.next_column()? {
            match column.untyped() {
                ColumnWriter::ByteArrayColumnWriter(writer) => {
                    let cells = texts.next().map_or(&[][..], |(_, cells)| cells);
                    let cells: Vec<ByteArray> = cells.iter().map(|cell| cell.as_str().into()).collect();
                    writer.write_batch(&cells, None, None)?;
                }
                ColumnWriter::DoubleColumnWriter(writer) => {
                    writer.write_batch(numbers.next().map_or(&[][..], |(_, cells)| cells), None, None)?;
                }
                _ => {}
            }
            column.close()?;
        }
        group.close()?;
        out.close().map(drop)
    };
    write().map_err(fault)
}
