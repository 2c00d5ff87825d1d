//! Reads the values of one column of a row group, a few rows at a time.

use parquet::basic::{ConvertedType, LogicalType};
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::{ByteArray, ByteArrayType, DataType};
use parquet::errors::{ParquetError, Result};
use parquet::file::reader::{RowGroupReader, SerializedFileReader};
use std::fs::File;
use std::path::Path;

/// Number of rows read at once, if they are small.
const ROWS: usize = 64;

/// Approximate number of bytes read at once.
const BYTES: i64 = 32 << 20;

/// The recordings of a row group, in order.
pub(crate) struct ByteRows {
    column: Values<ByteArrayType>,
    at_once: usize,
}

impl ByteRows {
    /// The recordings in column `column`.
    pub(crate) fn new(group: &dyn RowGroupReader, column: usize) -> Result<Self> {
        let meta = group.metadata().column(column);
        let row = meta.uncompressed_size().max(1) / group.metadata().num_rows().max(1);
        let at_once = usize::try_from(BYTES / row.max(1)).unwrap_or(1).clamp(1, ROWS);
        match group.get_column_reader(column)? {
            ColumnReader::ByteArrayColumnReader(reader) => {
                Ok(ByteRows { column: Values::new(reader, meta.column_descr().max_def_level()), at_once })
            }
            _ => Err(ParquetError::General("its recordings are not bytes".into())),
        }
    }

    /// The next rows; empty at the end.
    pub(crate) fn next(&mut self) -> Result<Vec<Option<ByteArray>>> {
        self.column.next(self.at_once)
    }
}

/// Column `column` as text: names unchanged, numbers in decimal.
pub(crate) fn texts(group: &dyn RowGroupReader, column: usize) -> Result<Vec<Option<String>>> {
    let described = group.metadata().column(column).column_descr();
    let levels = described.max_def_level();
    let named = || group.metadata().column(column).column_path().string();
    let unsigned = match described.logical_type_ref() {
        Some(LogicalType::Integer(kind)) => !kind.is_signed,
        _ => matches!(
            described.converted_type(),
            ConvertedType::UINT_8 | ConvertedType::UINT_16 | ConvertedType::UINT_32 | ConvertedType::UINT_64
        ),
    };
    fn all<T: DataType>(
        reader: ColumnReaderImpl<T>,
        levels: i16,
        text: impl Fn(&T::T) -> String,
    ) -> Result<Vec<Option<String>>> {
        let mut values = Values::<T>::new(reader, levels);
        let mut texts = Vec::new();
        loop {
            let some = values.next(1024)?;
            if some.is_empty() {
                return Ok(texts);
            }
            texts.extend(some.iter().map(|v| v.as_ref().map(&text)));
        }
    }
    match group.get_column_reader(column)? {
        ColumnReader::BoolColumnReader(r) => all(r, levels, ToString::to_string),
        // Unsigned numbers are stored as signed ones.
        ColumnReader::Int32ColumnReader(r) if unsigned => all(r, levels, |v| (*v as u32).to_string()),
        ColumnReader::Int64ColumnReader(r) if unsigned => all(r, levels, |v| (*v as u64).to_string()),
        ColumnReader::Int32ColumnReader(r) => all(r, levels, ToString::to_string),
        ColumnReader::Int64ColumnReader(r) => all(r, levels, ToString::to_string),
        // Programs make floats of whole numbers when some are missing.
        ColumnReader::FloatColumnReader(r) => whole(all(r, levels, ToString::to_string)?, &named()),
        ColumnReader::DoubleColumnReader(r) => whole(all(r, levels, ToString::to_string)?, &named()),
        ColumnReader::ByteArrayColumnReader(r) => {
            all(r, levels, |bytes| String::from_utf8_lossy(bytes.data()).into_owned())
        }
        _ => Err(ParquetError::General(format!("column `{}` holds neither names nor integers", named()))),
    }
}

/// Floats as whole numbers, where NaN is a null.
fn whole(floats: Vec<Option<String>>, column: &str) -> Result<Vec<Option<String>>> {
    let text = |float: Option<String>| match float {
        Some(text) if text == "NaN" => Ok(None),
        // Rust writes whole floats without a point.
        Some(text) if text.contains(['.', 'e', 'i']) => Err(ParquetError::General(format!(
            "column `{column}` holds {text}, which is neither a name nor a whole number"
        ))),
        Some(text) if text == "-0" => Ok(Some("0".into())),
        other => Ok(other),
    };
    floats.into_iter().map(text).collect()
}

/// Values with nulls.
struct Values<T: DataType> {
    reader: ColumnReaderImpl<T>,
    /// The definition level of a value that is not null.
    present: i16,
}

impl<T: DataType> Values<T> {
    fn new(reader: ColumnReaderImpl<T>, present: i16) -> Self {
        Values { reader, present }
    }

    fn next(&mut self, rows: usize) -> Result<Vec<Option<T::T>>> {
        let (mut levels, mut values) = (Vec::new(), Vec::new());
        let (count, _, _) = self.reader.read_records(rows, Some(&mut levels), None, &mut values)?;
        if self.present == 0 {
            return Ok(values.into_iter().map(Some).collect());
        }
        let mut values = values.into_iter();
        Ok(levels.iter().take(count).map(|level| if *level == self.present { values.next() } else { None }).collect())
    }
}

/// The name of a row in messages.
pub(crate) fn row_name(file: &Path, number: u64) -> String {
    format!("{} row {number}", file.display())
}

/// Opens a parquet file and reads its footer.
pub(crate) fn open(path: &Path) -> std::result::Result<SerializedFileReader<File>, String> {
    let file = File::open(path).map_err(|e| format!("cannot be opened: {e}"))?;
    SerializedFileReader::new(file).map_err(|e| {
        format!("is not a whole parquet file ({}); copy it again", e.to_string().trim_start_matches("Parquet error: "))
    })
}

/// Describes the damage in a file whose footer is intact.
pub(crate) fn damaged(error: parquet::errors::ParquetError) -> String {
    let text = error.to_string();
    let what = text.trim_start_matches("Parquet error: ");
    // A column that holds something else is whole.
    if what.starts_with("column `") { what.into() } else { format!("damaged: {what}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use parquet::data_type::{BoolType, DoubleType, FloatType, Int32Type, Int64Type};
    use parquet::file::reader::FileReader;
    use parquet::file::writer::SerializedFileWriter;
    use parquet::schema::parser::parse_message_type;
    use std::sync::Arc;

    /// The texts of a column with a null after its first value.
    fn read<T: DataType>(column: &str, values: &[T::T]) -> Result<Vec<Option<String>>> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.parquet");
        let schema = Arc::new(parse_message_type(&format!("message m {{ OPTIONAL {column}; }}")).unwrap());
        let mut writer = SerializedFileWriter::new(File::create(&path).unwrap(), schema, Default::default()).unwrap();
        let mut group = writer.next_row_group().unwrap();
        let mut out = group.next_column().unwrap().unwrap();
        let mut levels = vec![1; values.len() + 1];
        levels[1] = 0;
        out.typed::<T>().write_batch(values, Some(&levels), None).unwrap();
        out.close().unwrap();
        group.close().unwrap();
        writer.close().unwrap();
        texts(&*open(&path).unwrap().get_row_group(0).unwrap(), 0)
    }

    #[test]
    fn labels_of_every_type_are_texts_with_their_own_sign() {
        let text = |texts: [&str; 2]| vec![Some(texts[0].to_string()), None, Some(texts[1].to_string())];
        for kind in ["INTEGER(8,true)", "INTEGER(16,true)", "INTEGER(32,true)", "INT_8", "INT_16"] {
            assert_eq!(read::<Int32Type>(&format!("INT32 a ({kind})"), &[-1, 7]).unwrap(), text(["-1", "7"]), "{kind}");
        }
        for kind in ["INTEGER(8,false)", "INTEGER(16,false)", "UINT_8", "UINT_16"] {
            assert_eq!(
                read::<Int32Type>(&format!("INT32 a ({kind})"), &[200, 7]).unwrap(),
                text(["200", "7"]),
                "{kind}"
            );
        }
        for kind in ["INTEGER(32,false)", "UINT_32"] {
            assert_eq!(
                read::<Int32Type>(&format!("INT32 a ({kind})"), &[-1, 7]).unwrap(),
                text(["4294967295", "7"]),
                "{kind}"
            );
        }
        for kind in ["INTEGER(64,false)", "UINT_64"] {
            let found = read::<Int64Type>(&format!("INT64 a ({kind})"), &[-1, 7]).unwrap();
            assert_eq!(found, text(["18446744073709551615", "7"]), "{kind}");
        }
        assert_eq!(read::<Int64Type>("INT64 a", &[-1, 7]).unwrap(), text(["-1", "7"]));
        assert_eq!(read::<BoolType>("BOOLEAN a", &[true, false]).unwrap(), text(["true", "false"]));
        let names = ["ä", "b"].map(ByteArray::from);
        assert_eq!(read::<ByteArrayType>("BYTE_ARRAY a (UTF8)", &names).unwrap(), text(["ä", "b"]));
        assert_eq!(read::<DoubleType>("DOUBLE a", &[3.0, -0.0]).unwrap(), text(["3", "0"]));
        assert_eq!(read::<FloatType>("FLOAT a", &[3.0, f32::NAN]).unwrap(), [Some("3".to_string()), None, None]);
        let e = damaged(read::<DoubleType>("DOUBLE a", &[0.5, 1.0]).unwrap_err());
        assert_eq!(e, "column `a` holds 0.5, which is neither a name nor a whole number");
    }
}
