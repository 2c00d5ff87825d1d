//! Sentence vectors in a `.parquet` file, each stored with its sentence.

use super::tables::{full_disk, list_of_floats, properties, text_column, write_lists};
use crate::error::{Error, Result};
use parquet::column::writer::ColumnWriter;
use parquet::data_type::ByteArray;
use parquet::errors::ParquetError;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::Type as Schema;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A file being written, with columns `sentence` (string) and `vector` (a list of float32).
pub(super) struct SentenceTable {
    path: PathBuf,
    out: SerializedFileWriter<File>,
    dim: usize,
}

impl SentenceTable {
    /// Creates a file of `dim`-dimensional vectors.
    pub(super) fn create(path: &Path, dim: usize) -> Result<Self> {
        let schema = || {
            let fields = vec![Arc::new(text_column("sentence")?), Arc::new(list_of_floats("vector")?)];
            Schema::group_type_builder("sentences").with_fields(fields).build()
        };
        let file = File::create(path).map_err(Error::io(path, "create"))?;
        let fault = full_disk(path);
        let out = SerializedFileWriter::new(file, Arc::new(schema().map_err(&fault)?), Arc::new(properties()));
        Ok(SentenceTable { path: path.to_path_buf(), out: out.map_err(&fault)?, dim })
    }

    /// Writes sentences and their vectors (S, D) as a row group.
    pub(super) fn write(&mut self, sentences: &[String], vectors: &[f32]) -> Result<()> {
        let texts: Vec<ByteArray> = sentences.iter().map(|s| ByteArray::from(s.as_str())).collect();
        self.group(&texts, vectors).map_err(full_disk(&self.path))
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

    /// Completes the file.
    pub(super) fn finish(self) -> Result<()> {
        let file = self.out.into_inner().map_err(full_disk(&self.path))?;
        file.sync_all().map_err(Error::io(&self.path, "write"))
    }
}
