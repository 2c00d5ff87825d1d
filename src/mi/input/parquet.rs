//! Columns of a parquet file: numbers, Boolean values, text, and lists of numbers as several columns.

use crate::data::columns::{damaged, open};
use crate::error::{Error, Result};
use crate::guard::guarded;
use crate::mi::input::column::{Cells, Column};
use crate::mi::input::table::{FoundColumn, Table, Wanted};
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;
use parquet::schema::types::Type;
use std::fs::File;
use std::path::Path;

/// The remedy for an incomplete file.
const AGAIN: &str = "copy it again, or write it again";

/// The prefix of the columns in which pandas stores row names, which are not data.
const INDEX: &str = "__index_level_";

/// A parquet file whose footer was read.
pub(super) struct Parquet {
    file: String,
    reader: SerializedFileReader<File>,
    names: Vec<String>,
    /// The index of each name in the schema.
    places: Vec<usize>,
}

impl Parquet {
    /// Reads the footer.
    ///
    /// # Errors
    /// It is not a complete parquet file.
    pub(super) fn open(path: &Path, file: String) -> Result<Parquet> {
        let opened = guarded(|| {
            let reader = open(path)?;
            let fields = reader.metadata().file_metadata().schema_descr().root_schema().get_fields();
            let named = fields.iter().map(|f| f.name().to_string()).enumerate();
            let (places, names) = named.filter(|(_, name)| !name.starts_with(INDEX)).unzip();
            Ok((reader, places, names))
        });
        let (reader, places, names) = opened.map_err(|what| Error::failed(format!("{file}: {what}"), AGAIN))?;
        Ok(Parquet { file, reader, names, places })
    }

    fn columns(&self, wanted: &[Wanted]) -> Result<Vec<Vec<Column>>> {
        let broken = |e| Error::failed(format!("{}: {}", self.file, damaged(e)), AGAIN);
        let schema = self.reader.metadata().file_metadata().schema_descr().root_schema();
        let fields = wanted.iter().map(|w| schema.get_fields()[self.places[w.at]].clone()).collect();
        let projection = Type::group_type_builder(schema.name()).with_fields(fields).build().map_err(broken)?;
        let mut columns: Vec<Gathered> = wanted.iter().map(|w| Gathered::new(&self.names[w.at], w.labels)).collect();
        for (number, row) in self.reader.get_row_iter(Some(projection)).map_err(broken)?.enumerate() {
            let row = row.map_err(broken)?;
            // In the order of the projection.
            for (column, (_, field)) in columns.iter_mut().zip(row.get_column_iter()) {
                column.add(field, number, &self.file)?;
            }
        }
        columns.into_iter().map(|column| column.finish(&self.file)).collect()
    }
}

impl Table for Parquet {
    fn file(&self) -> &str {
        &self.file
    }

    fn names(&self) -> &[String] {
        &self.names
    }

    fn read(self: Box<Self>, wanted: &[Wanted]) -> Result<FoundColumn> {
        let columns = guarded(|| Ok(self.columns(wanted)));
        let columns = columns.map_err(|what| Error::failed(format!("{}: {what}", self.file), AGAIN))??;
        Ok(FoundColumn { columns, lines: None })
    }
}

/// A column of the file, as far as it has been read.
struct Gathered<'a> {
    name: &'a str,
    labels: bool,
    /// One, or one for each element of a list; none before the first value.
    cells: Vec<Cells>,
    list: bool,
    rows: usize,
}

impl<'a> Gathered<'a> {
    fn new(name: &'a str, labels: bool) -> Self {
        Gathered { name, labels, cells: Vec::new(), list: false, rows: 0 }
    }

    fn add(&mut self, field: &Field, row: usize, file: &str) -> Result<()> {
        let place = || format!("{file} row {} column `{}`", row + 1, self.name);
        let one = std::slice::from_ref(field);
        let (values, list) = match field {
            Field::ListInternal(list) => (list.elements(), true),
            _ => (one, false),
        };
        if self.cells.is_empty() && !matches!(field, Field::Null) {
            if values.is_empty() {
                return Err(Error::failed(format!("{}: the list is empty", place()), "give lists of the same length"));
            }
            // All rows before were missing, and the width was not known.
            let mut missing = Cells::new(self.labels);
            (0..self.rows).for_each(|_| missing.push_missing());
            self.cells = (0..values.len()).map(|_| missing.clone()).collect();
            self.list = list;
        }
        self.rows += 1;
        if matches!(field, Field::Null) {
            self.cells.iter_mut().for_each(Cells::push_missing);
            return Ok(());
        }
        if values.len() != self.cells.len() {
            let what = format!("{}: the list has {} elements, not {}", place(), values.len(), self.cells.len());
            return Err(Error::failed(what, "give lists of the same length"));
        }
        for (cells, value) in self.cells.iter_mut().zip(values) {
            if !push(cells, value) {
                let what = format!("{} holds neither numbers nor text nor lists of these", place());
                return Err(Error::failed(what, "write it as numbers or text, or choose another column"));
            }
        }
        Ok(())
    }

    fn finish(self, file: &str) -> Result<Vec<Column>> {
        if self.rows == 0 {
            return Err(Error::failed(format!("{file} has no rows"), "give one row per sample"));
        }
        if self.cells.is_empty() {
            let what = format!("{file}: column `{}` has no values at all", self.name);
            return Err(Error::failed(what, "choose another column"));
        }
        let name = |j: usize| if self.list { format!("{}.{}", self.name, j + 1) } else { self.name.into() };
        Ok(self.cells.into_iter().enumerate().map(|(j, cells)| Column { name: name(j), cells }).collect())
    }
}

/// Adds a value. False if it is of a kind that cannot be added.
fn push(cells: &mut Cells, value: &Field) -> bool {
    match value {
        Field::Null => cells.push_missing(),
        Field::Bool(v) => cells.push(v, f64::from(u8::from(*v))),
        Field::Byte(v) => cells.push(v, f64::from(*v)),
        Field::Short(v) => cells.push(v, f64::from(*v)),
        Field::Int(v) => cells.push(v, f64::from(*v)),
        Field::Long(v) => cells.push(v, *v as f64),
        Field::UByte(v) => cells.push(v, f64::from(*v)),
        Field::UShort(v) => cells.push(v, f64::from(*v)),
        Field::UInt(v) => cells.push(v, f64::from(*v)),
        Field::ULong(v) => cells.push(v, *v as f64),
        Field::Float16(v) => cells.push(v, f64::from(*v)),
        Field::Float(v) => cells.push(v, f64::from(*v)),
        Field::Double(v) => cells.push(v, *v),
        Field::Decimal(_) => cells.push_text(&value.to_string()),
        Field::Str(text) => cells.push_text(text),
        Field::Bytes(bytes) => match std::str::from_utf8(bytes.data()) {
            Ok(text) => cells.push_text(text),
            Err(_) => return false,
        },
        _ => return false,
    }
    true
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DataType, DoubleType, FloatType, Int64Type};
    use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
    use parquet::schema::parser::parse_message_type;
    use std::sync::Arc;

    type Group<'a> = SerializedRowGroupWriter<'a, File>;

    /// Writes a parquet file of one row group.
    pub(in super::super) fn write(path: &Path, schema: &str, fill: impl FnOnce(&mut Group<'_>)) {
        let schema = Arc::new(parse_message_type(&format!("message m {{ {schema} }}")).unwrap());
        let mut writer = SerializedFileWriter::new(File::create(path).unwrap(), schema, Default::default()).unwrap();
        let mut group = writer.next_row_group().unwrap();
        fill(&mut group);
        group.close().unwrap();
        writer.close().unwrap();
    }

    /// Writes the next column.
    pub(in super::super) fn column<T: DataType>(group: &mut Group<'_>, values: &[T::T], levels: [Option<&[i16]>; 2]) {
        let mut column = group.next_column().unwrap().unwrap();
        column.typed::<T>().write_batch(values, levels[0], levels[1]).unwrap();
        column.close().unwrap();
    }

    const LIST: &str = "OPTIONAL GROUP z (LIST) { REPEATED GROUP list { OPTIONAL FLOAT element; } }";

    fn read(path: &Path, wanted: &[(usize, bool)]) -> Result<Vec<(String, Cells)>> {
        let table = Box::new(Parquet::open(path, "d.parquet".into())?);
        let wanted: Vec<Wanted> = wanted.iter().map(|&(at, labels)| Wanted { at, labels }).collect();
        Ok(table.read(&wanted)?.columns.into_iter().flatten().map(|c| (c.name, c.cells)).collect())
    }

    fn numbers(cells: &Cells) -> &[f64] {
        let Cells::Numbers { values, .. } = cells else { panic!("labels") };
        values
    }

    #[test]
    fn numbers_truth_values_and_text_are_read_in_the_order_they_are_asked_for() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("d.parquet");
        let schema = "REQUIRED DOUBLE a; OPTIONAL INT64 b; REQUIRED BOOLEAN c; OPTIONAL BYTE_ARRAY d (UTF8); REQUIRED \
                      INT64 __index_level_0__;";
        write(&path, schema, |group| {
            column::<DoubleType>(group, &[0.5, 1.5], [None; 2]);
            column::<Int64Type>(group, &[7], [Some(&[0, 1]), None]);
            column::<BoolType>(group, &[true, false], [None; 2]);
            column::<ByteArrayType>(group, &[ByteArray::from("red")], [Some(&[1, 0]), None]);
            column::<Int64Type>(group, &[0, 1], [None; 2]);
        });
        let columns = read(&path, &[(3, true), (1, false), (0, false), (2, false)]).unwrap();
        assert_eq!(columns.iter().map(|c| c.0.as_str()).collect::<Vec<_>>(), ["d", "b", "a", "c"]);
        let Cells::Labels(labels) = &columns[0].1 else { panic!("numbers") };
        assert_eq!(labels, &["red", ""]);
        assert!(numbers(&columns[1].1)[0].is_nan() && numbers(&columns[1].1)[1] == 7.0);
        assert_eq!((numbers(&columns[2].1), numbers(&columns[3].1)), (&[0.5, 1.5][..], &[1.0, 0.0][..]));
        let Cells::Numbers { text: Some(text), .. } = &read(&path, &[(3, false)]).unwrap()[0].1 else { panic!() };
        assert_eq!((text.row, text.cell.as_str()), (0, "red"));
    }

    #[test]
    fn lists_of_one_length_are_several_columns() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("d.parquet");
        // A missing list, [1, 2], [3, missing].
        let levels: [Option<&[i16]>; 2] = [Some(&[0, 3, 3, 3, 2]), Some(&[0, 0, 1, 0, 1])];
        write(&path, LIST, |group| column::<FloatType>(group, &[1.0, 2.0, 3.0], levels));
        let columns = read(&path, &[(0, false)]).unwrap();
        assert_eq!((columns[0].0.as_str(), columns[1].0.as_str(), columns.len()), ("z.1", "z.2", 2));
        assert_eq!(numbers(&columns[0].1)[1..], [1.0, 3.0]);
        assert!(numbers(&columns[0].1)[0].is_nan() && numbers(&columns[1].1)[2].is_nan());
        let levels: [Option<&[i16]>; 2] = [Some(&[3, 3, 3]), Some(&[0, 1, 0])];
        write(&path, LIST, |group| column::<FloatType>(group, &[1.0, 2.0, 3.0], levels));
        let e = read(&path, &[(0, false)]).err().unwrap().to_string();
        assert_eq!(e, "d.parquet row 2 column `z`: the list has 1 elements, not 2");
    }

    #[test]
    fn what_is_cut_off_or_holds_something_else_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("d.parquet");
        write(&path, "REQUIRED GROUP a { REQUIRED DOUBLE b; }", |group| column::<DoubleType>(group, &[1.0], [None; 2]));
        let e = read(&path, &[(0, false)]).err().unwrap().to_string();
        assert_eq!(e, "d.parquet row 1 column `a` holds neither numbers nor text nor lists of these");
        write(&path, "OPTIONAL DOUBLE a;", |group| column::<DoubleType>(group, &[], [Some(&[0, 0]), None]));
        let e = read(&path, &[(0, false)]).err().unwrap().to_string();
        assert_eq!(e, "d.parquet: column `a` has no values at all");
        let whole = std::fs::read(&path).unwrap();
        std::fs::write(&path, &whole[..whole.len() - 9]).unwrap();
        let e = read(&path, &[]).err().unwrap().to_string();
        assert!(e.starts_with("d.parquet: is not a whole parquet file"), "{e}");
    }
}
