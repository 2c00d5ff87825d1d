//! One file with all utterances, `.safetensors` or `.parquet`, joined from their parts without loading all of them into memory.

use super::index::{Format, Indexed};
use super::npy::{NpyFile, to_bytes};
use super::stream::Timing;
use crate::durable;
use crate::error::{Error, Result};
use parquet::basic::{Compression, LogicalType, Repetition, Type};
use parquet::column::writer::{ColumnWriter, ColumnWriterImpl};
use parquet::data_type::{ByteArray, FloatType};
use parquet::errors::ParquetError;
use parquet::file::properties::{WriterProperties, WriterVersion};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::{PrimitiveTypeBuilder, Type as Schema};
use serde_json::{Map, Value, json};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::Arc;

/// Rows read at once, and rows after which a parquet row group is written.
const ROWS: usize = 16_384;

/// Joins the parts of `utterances` in `folder` into the file `path`, atomically.
pub(super) fn join(format: Format, path: &Path, folder: &Path, utterances: &[Indexed], timing: &Timing) -> Result<()> {
    let unfinished = durable::unfinished(path)?;
    match format {
        Format::Npy => return Ok(()),
        Format::Safetensors => safetensors(&unfinished, folder, utterances)?,
        Format::Parquet => parquet(&unfinished, folder, utterances, timing)?,
    }
    durable::keep(unfinished, path)
}

fn safetensors(path: &Path, folder: &Path, utterances: &[Indexed]) -> Result<()> {
    let mut header = Map::new();
    header.insert("__metadata__".into(), json!({ "format": "pt" }));
    let mut at = 0;
    for part in open_parts(folder, utterances) {
        let (utterance, file) = part?;
        let end = at + file.rows * file.dim * 4;
        let entry = json!({ "dtype": "F32", "shape": [file.rows, file.dim], "data_offsets": [at, end] });
        header.insert(utterance.id.clone(), entry);
        at = end;
    }
    let mut header = Value::Object(header).to_string().into_bytes();
    header.resize(header.len().next_multiple_of(8), b' ');
    let io = || Error::io(path, "write");
    let mut out = BufWriter::with_capacity(1 << 20, File::create(path).map_err(Error::io(path, "create"))?);
    out.write_all(&(header.len() as u64).to_le_bytes()).and_then(|()| out.write_all(&header)).map_err(io())?;
    let (mut rows, mut bytes) = (Vec::new(), Vec::new());
    for part in open_parts(folder, utterances) {
        let (_, file) = part?;
        for first in (0..file.rows).step_by(ROWS) {
            file.read_range(first, ROWS.min(file.rows - first), &mut rows)?;
            to_bytes(&rows, &mut bytes);
            out.write_all(&bytes).map_err(io())?;
        }
    }
    out.into_inner().map_err(|e| e.into_error()).and_then(|f| f.sync_all()).map_err(io())
}

/// Converts a parquet write error.
pub(super) fn full_disk(path: &Path) -> impl Fn(ParquetError) -> Error {
    move |e| {
        Error::failed(
            format!("{}: {e}", path.display()),
            "check that there is space on the disk, or choose --format npy",
        )
    }
}

/// Floats hardly compress. Names repeat, and dictionary encoding handles them.
pub(super) fn properties() -> WriterProperties {
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
pub(super) fn text_column(name: &str) -> std::result::Result<Schema, ParquetError> {
    column(name, Type::BYTE_ARRAY).with_logical_type(Some(LogicalType::String)).build()
}

/// A column of lists of float32.
pub(super) fn list_of_floats(name: &str) -> std::result::Result<Schema, ParquetError> {
    let element = Arc::new(column("element", Type::FLOAT).build()?);
    let group =
        |name, repetition, fields| Schema::group_type_builder(name).with_repetition(repetition).with_fields(fields);
    let list = Arc::new(group("list", Repetition::REPEATED, vec![element]).build()?);
    group(name, Repetition::REQUIRED, vec![list]).with_logical_type(Some(LogicalType::List)).build()
}

/// Writes lists of `dim` values each.
pub(super) fn write_lists(
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
    for part in open_parts(folder, utterances) {
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

/// The `.npy` parts of utterances, in the order of the index.
fn open_parts<'a>(
    folder: &'a Path,
    utterances: &'a [Indexed],
) -> impl Iterator<Item = Result<(&'a Indexed, NpyFile)>> + 'a {
    utterances.iter().map(move |u| Ok((u, NpyFile::open(&folder.join(u.file.as_deref().unwrap_or_default()))?)))
}
