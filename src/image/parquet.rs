//! Images in parquet files, in the format of the hub's data sets: a column `{bytes, path}` of PNG or JPEG files, and a column of labels, which
//! are whole numbers from 0 of any type, Boolean values, or text. Classes of text are in alphabetical order.
//!
//! The files of a directory are distinguished by their names: those with `train` in the name are for training, those with `test` (or `valid`,
//! if there is no test) are for testing.

use crate::config::ImageSize;
use crate::data::columns::{ByteRows, damaged, open};
use crate::error::{Error, Problem, Result};
use crate::guard::guarded;
use crate::image::decode::{Decoded, decode};
use crate::image::{ImageSet, Images};
use parquet::basic::{ConvertedType, Type};
use parquet::file::reader::FileReader;
use parquet::record::Field;
use rayon::prelude::*;
use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};

/// The remedy for a file in another format.
const WANTED: &str = "an image data set has a column {bytes, path} of PNG or JPEG files and a column of labels, whole numbers or text, called label";

/// Largest number of classes of numbers.
const CLASSES: u64 = 65_536;

/// Number of problems that are collected in a file.
const COLLECTED: usize = 1000;

/// A label as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Label {
    Number(u32),
    Truth(bool),
    Text(String),
}

/// An image with its label.
type Row = (Decoded, Label);

/// Usual names of the label column; the first that exists is used.
const LABELS: [&str; 4] = ["label", "labels", "fine_label", "coarse_label"];

/// The parquet files at `path`, in order: the file itself, or the files in the directory and in its folders.
fn tables(path: &Path) -> Vec<PathBuf> {
    let named = |p: &Path| p.extension().is_some_and(|e| e == "parquet");
    if path.is_file() {
        return if named(path) { vec![path.to_path_buf()] } else { Vec::new() };
    }
    let files = walkdir::WalkDir::new(path).max_depth(2).sort_by_file_name().into_iter().flatten();
    files.map(|entry| entry.into_path()).filter(|p| named(p)).collect()
}

/// Whether there are parquet files with images at `path`.
pub(super) fn is_at(path: &Path) -> bool {
    !tables(path).is_empty()
}

/// Whether the first parquet file at `path` has images: bytes that begin like an image file, in one of the first rows.
pub(super) fn has_images(path: &Path) -> bool {
    let named = |p: &Path| p.extension().is_some_and(|e| e == "parquet");
    let below = || walkdir::WalkDir::new(path).max_depth(2).into_iter().flatten().map(|entry| entry.into_path());
    let Some(file) = below().find(|p| named(p) && p.is_file()) else { return false };
    let found = guarded(|| {
        let reader = open(&file)?;
        let schema = reader.metadata().file_metadata().schema_descr_ptr();
        if reader.num_row_groups() == 0 {
            return Ok(false);
        }
        let group = reader.get_row_group(0).map_err(damaged)?;
        for column in 0..schema.num_columns() {
            let described = schema.column(column);
            let bytes = described.physical_type() == Type::BYTE_ARRAY && described.max_rep_level() == 0;
            if !bytes || described.converted_type() == ConvertedType::UTF8 {
                continue;
            }
            let rows = ByteRows::new(&*group, column).and_then(|mut rows| rows.next()).map_err(damaged)?;
            if rows.iter().flatten().any(|bytes| image::guess_format(bytes.data()).is_ok()) {
                return Ok(true);
            }
        }
        Ok(false)
    });
    found.unwrap_or(false)
}

/// Reads the files at `path`.
pub(super) fn read(path: &Path) -> Result<Images> {
    let files = tables(path);
    let of = |word: &str| -> Vec<&PathBuf> {
        let named = |f: &&PathBuf| f.file_name().is_some_and(|n| n.to_string_lossy().contains(word));
        files.iter().filter(named).collect()
    };
    let (mut train, mut test) = (of("train"), of("test"));
    if train.is_empty() {
        train = files.iter().filter(|f| !test.contains(f)).collect();
    }
    if test.is_empty() {
        test = of("valid");
        train.retain(|f| !test.contains(f));
    }
    let set = |files: &[&PathBuf]| -> Result<Vec<Row>> {
        let rows: Vec<Vec<_>> = files.iter().map(|file| rows(file)).collect::<Result<_>>()?;
        Ok(rows.into_iter().flatten().collect())
    };
    let (train, test) = (set(&train)?, set(&test)?);
    let classes = classes(train.iter().chain(&test).map(|row| &row.1), path)?;
    let number: HashMap<&str, u32> = classes.iter().map(String::as_str).zip(0..).collect();
    let class = |label: &Label| match label {
        Label::Number(n) => *n,
        Label::Truth(truth) => u32::from(*truth),
        Label::Text(text) => number.get(text.as_str()).copied().unwrap_or(0),
    };
    let size = train.first().or(test.first()).map_or(ImageSize { height: 1, width: 1, channels: 1 }, |row| row.0.size);
    let turned = train.iter().chain(&test).filter(|row| row.0.turned).count();
    let gather = |rows: Vec<Row>, name: &str| -> Result<ImageSet> {
        let odd = rows.iter().enumerate().filter(|(_, row)| row.0.size != size);
        let odd: Vec<Problem> = odd
            .map(|(i, row)| {
                let place = format!("{} image {} of those to {name} on", path.display(), i + 1);
                Problem::new(place, format!("is {}, the first is {size}", row.0.size))
            })
            .collect();
        if !odd.is_empty() {
            let remedy = "bring all images to one size first, and all to gray or all to color (with Pillow, image.convert(\"RGB\"))";
            return Err(Error::problems(odd, remedy));
        }
        Ok(ImageSet {
            size,
            labels: rows.iter().map(|row| class(&row.1)).collect(),
            pixels: rows.into_iter().flat_map(|row| row.0.pixels).collect(),
        })
    };
    let note = format!(
        "{}: {turned} images have an EXIF orientation, which turns them when they are shown; here their pixels are as they are stored",
        path.display()
    );
    Ok(Images {
        train: gather(train, "train")?,
        test: gather(test, "test")?,
        notes: if turned > 0 { vec![note] } else { Vec::new() },
        classes,
    })
}

/// The names of the classes.
fn classes<'a>(labels: impl Iterator<Item = &'a Label>, path: &Path) -> Result<Vec<String>> {
    let (mut most, mut truths, mut texts) = (None, false, BTreeSet::new());
    for label in labels {
        match label {
            Label::Number(n) => most = most.max(Some(*n)),
            Label::Truth(_) => truths = true,
            Label::Text(text) => _ = texts.insert(text.clone()),
        }
    }
    match (most, truths, texts.is_empty()) {
        (most, false, true) => Ok((0..most.map_or(0, |most| most + 1)).map(|label| label.to_string()).collect()),
        (None, true, true) => Ok(["false", "true"].map(String::from).to_vec()),
        (None, false, false) => Ok(texts.into_iter().collect()),
        _ => {
            let what =
                format!("{}: the labels of some files are numbers, and of others truth values or text", path.display());
            Err(Error::failed(what, "give the labels of all files one type"))
        }
    }
}

/// The label in a field, or what is wrong with it.
fn label(field: &Field) -> std::result::Result<Label, String> {
    let number = |n: i128| match u64::try_from(n) {
        Ok(n) if n < CLASSES => Ok(Label::Number(n as u32)),
        _ => Err(format!("its label {n} is not between 0 and {}", CLASSES - 1)),
    };
    let text = |text: &str| match text.trim() {
        "" => Err("its label is empty".into()),
        text => Ok(Label::Text(text.into())),
    };
    match field {
        Field::Null => Err("has no label".into()),
        Field::Bool(truth) => Ok(Label::Truth(*truth)),
        Field::Byte(n) => number((*n).into()),
        Field::Short(n) => number((*n).into()),
        Field::Int(n) => number((*n).into()),
        Field::Long(n) => number((*n).into()),
        Field::UByte(n) => number((*n).into()),
        Field::UShort(n) => number((*n).into()),
        Field::UInt(n) => number((*n).into()),
        Field::ULong(n) => number((*n).into()),
        // Programs make floats of whole numbers when some are missing.
        Field::Float(x) if x.fract() == 0.0 => number(*x as i128),
        Field::Double(x) if x.fract() == 0.0 => number(*x as i128),
        Field::Str(string) => text(string),
        Field::Bytes(bytes) => match std::str::from_utf8(bytes.data()) {
            Ok(string) => text(string),
            Err(_) => Err("its label is bytes that are no text".into()),
        },
        other => Err(format!("its label {other} is neither a whole number nor text")),
    }
}

/// The images of one file.
fn rows(path: &Path) -> Result<Vec<Row>> {
    let bad = |what: String| Error::failed(format!("{}: {what}", path.display()), WANTED);
    let read = guarded(|| {
        let reader = open(path)?;
        let names: Vec<String> = reader
            .metadata()
            .file_metadata()
            .schema_descr()
            .root_schema()
            .get_fields()
            .iter()
            .map(|f| f.name().to_string())
            .collect();
        let label_at = LABELS.iter().find_map(|name| names.iter().position(|n| n == name));
        let label_at =
            label_at.ok_or_else(|| format!("has no column of labels; its columns are {}", names.join(", ")))?;
        let (mut found, mut problems) = (Vec::new(), Vec::new());
        for (number, row) in reader.get_row_iter(None).map_err(damaged)?.enumerate() {
            let row = row.map_err(damaged)?;
            let (mut bytes, mut class) = (None, Err("has no label".to_string()));
            for (at, (_, field)) in row.get_column_iter().enumerate() {
                match field {
                    field if at == label_at => class = label(field),
                    Field::Group(group) => {
                        let inside = group.get_column_iter().find_map(|(_, field)| match field {
                            Field::Bytes(bytes) => Some(bytes.data().to_vec()),
                            _ => None,
                        });
                        bytes = bytes.or(inside);
                    }
                    Field::Bytes(whole) if bytes.is_none() => bytes = Some(whole.data().to_vec()),
                    _ => {}
                }
            }
            match (bytes, class) {
                (Some(bytes), Ok(class)) => found.push((number, bytes, class)),
                (None, _) => problems.push(Problem::new(row_of(path, number), "has no image")),
                (_, Err(what)) => problems.push(Problem::new(row_of(path, number), what)),
            }
            if problems.len() > COLLECTED {
                break;
            }
        }
        Ok((found, problems))
    });
    let (found, problems) = read.map_err(bad)?;
    if !problems.is_empty() {
        return Err(Error::problems(problems, format!("leave these rows out, or repair them: {WANTED}")));
    }
    let decoded = found.into_par_iter().map(|(number, bytes, class)| {
        let image = guarded(|| decode(&bytes));
        image.map(|image| (image, class)).map_err(|what| {
            let what = format!("{}: cannot be read as an image: {what}", row_of(path, number));
            Error::failed(
                what,
                "leave this image out, or write it as PNG or JPEG, for example with Pillow's image.save",
            )
        })
    });
    decoded.collect()
}

fn row_of(path: &Path, number: usize) -> String {
    format!("{} row {}", path.display(), number + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ::image::{ColorType, ImageEncoder, codecs::png::PngEncoder};
    use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DataType, DoubleType, Int32Type, Int64Type};
    use parquet::file::writer::SerializedFileWriter;
    use parquet::schema::parser::parse_message_type;
    use std::fs::File;
    use std::sync::Arc;

    fn png(pixels: &[u8], width: u32, color: ColorType) -> Vec<u8> {
        let mut file = Vec::new();
        let height = pixels.len() as u32 / width / u32::from(color.channel_count());
        PngEncoder::new(&mut file).write_image(pixels, width, height, color.into()).unwrap();
        file
    }

    /// Writes a file in the format of the hub's image data sets.
    fn write(path: &Path, images: &[Vec<u8>], labels: &[i64], label: &str) {
        write_labels::<Int64Type>(path, images, &format!("INT64 {label}"), labels, &vec![1; labels.len()]);
    }

    /// Writes a file whose labels are of some type; their levels are 0 where there is none.
    fn write_labels<T: DataType>(path: &Path, images: &[Vec<u8>], label: &str, labels: &[T::T], levels: &[i16]) {
        let schema = format!(
            "message m {{ OPTIONAL GROUP image {{ OPTIONAL BYTE_ARRAY bytes; OPTIONAL BYTE_ARRAY path (UTF8); }} OPTIONAL {label}; }}"
        );
        let schema = Arc::new(parse_message_type(&schema).unwrap());
        let mut writer = SerializedFileWriter::new(File::create(path).unwrap(), schema, Default::default()).unwrap();
        let mut group = writer.next_row_group().unwrap();
        let mut column = group.next_column().unwrap().unwrap();
        let values: Vec<ByteArray> = images.iter().map(|bytes| bytes.clone().into()).collect();
        column.typed::<ByteArrayType>().write_batch(&values, Some(&vec![2; values.len()]), None).unwrap();
        column.close().unwrap();
        let mut column = group.next_column().unwrap().unwrap();
        column.typed::<ByteArrayType>().write_batch(&[], Some(&vec![1; values.len()]), None).unwrap();
        column.close().unwrap();
        let mut column = group.next_column().unwrap().unwrap();
        column.typed::<T>().write_batch(labels, Some(levels), None).unwrap();
        column.close().unwrap();
        group.close().unwrap();
        writer.close().unwrap();
    }

    #[test]
    fn labels_of_every_type_are_classes() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("train.parquet");
        let images: Vec<Vec<u8>> = (0..3).map(|i| png(&[i; 4], 2, ColorType::L8)).collect();
        let read = || crate::image::open(dir.path()).map(|images| (images.train.labels, images.classes));
        let names = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
        for kind in [
            "INTEGER(8,true)",
            "INTEGER(16,true)",
            "INTEGER(32,true)",
            "INTEGER(8,false)",
            "INTEGER(16,false)",
            "INTEGER(32,false)",
        ] {
            write_labels::<Int32Type>(&file, &images, &format!("INT32 label ({kind})"), &[1, 0, 2], &[1; 3]);
            assert_eq!(read().unwrap(), (vec![1, 0, 2], names(&["0", "1", "2"])), "{kind}");
        }
        for kind in ["INTEGER(64,true)", "INTEGER(64,false)"] {
            write_labels::<Int64Type>(&file, &images, &format!("INT64 label ({kind})"), &[1, 0, 2], &[1; 3]);
            assert_eq!(read().unwrap().0, [1, 0, 2], "{kind}");
        }
        write_labels::<DoubleType>(&file, &images, "DOUBLE label", &[1.0, 0.0, 2.0], &[1; 3]);
        assert_eq!(read().unwrap().0, [1, 0, 2]);
        write_labels::<BoolType>(&file, &images, "BOOLEAN label", &[true, false, true], &[1; 3]);
        assert_eq!(read().unwrap(), (vec![1, 0, 1], names(&["false", "true"])));
        let text = ["dog", "cat", "dog"].map(ByteArray::from);
        for kind in ["BYTE_ARRAY label (UTF8)", "BYTE_ARRAY label (STRING)", "BYTE_ARRAY label"] {
            write_labels::<ByteArrayType>(&file, &images, kind, &text, &[1; 3]);
            assert_eq!(read().unwrap(), (vec![1, 0, 1], names(&["cat", "dog"])), "{kind}");
        }
        // Classes of text are those of training and test images together.
        write_labels::<ByteArrayType>(
            &dir.path().join("test.parquet"),
            &images[..1],
            "BYTE_ARRAY label (UTF8)",
            &["ape".into()],
            &[1],
        );
        assert_eq!(read().unwrap(), (vec![2, 1, 2], names(&["ape", "cat", "dog"])));
        write_labels::<Int32Type>(&dir.path().join("test.parquet"), &images[..1], "INT32 label", &[0], &[1]);
        assert!(read().unwrap_err().to_string().contains("of some files are numbers, and of others"));
    }

    #[test]
    fn rows_without_a_label_that_can_be_used_are_named() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("train.parquet");
        let images: Vec<Vec<u8>> = (0..3).map(|i| png(&[i; 4], 2, ColorType::L8)).collect();
        let said = || {
            let e = crate::image::open(dir.path()).unwrap_err();
            assert!(e.remedy().starts_with("leave these rows out"), "{e:?}");
            e.to_string().replace(&format!("{}/", dir.path().display()), "")
        };
        write_labels::<Int32Type>(&file, &images, "INT32 label (INTEGER(8,true))", &[1], &[0, 1, 0]);
        assert_eq!(said(), "train.parquet row 1: has no label\ntrain.parquet row 3: has no label");
        // The largest unsigned numbers are stored as negative ones.
        write_labels::<Int32Type>(&file, &images, "INT32 label (INTEGER(32,false))", &[-1, 0, 1], &[1; 3]);
        assert_eq!(said(), "train.parquet row 1: its label 4294967295 is not between 0 and 65535");
        write_labels::<Int64Type>(&file, &images, "INT64 label (INTEGER(64,false))", &[0, -1, 1], &[1; 3]);
        assert_eq!(said(), "train.parquet row 2: its label 18446744073709551615 is not between 0 and 65535");
        write_labels::<DoubleType>(&file, &images, "DOUBLE label", &[0.0, 1.5, 1.0], &[1; 3]);
        assert_eq!(said(), "train.parquet row 2: its label 1.5 is neither a whole number nor text");
        write_labels::<ByteArrayType>(&file, &images, "BYTE_ARRAY label (UTF8)", &["a".into(), " ".into()], &[1, 1, 0]);
        assert_eq!(said(), "train.parquet row 2: its label is empty\ntrain.parquet row 3: has no label");
    }

    #[test]
    fn images_are_recognized_by_their_first_bytes() {
        let dir = tempfile::tempdir().unwrap();
        assert!(!crate::image::is_at(dir.path()) && !crate::image::is_at(&dir.path().join("none")));
        let file = dir.path().join("data.parquet");
        write(&file, &[b"RIFF\x10\0\0\0WAVEfmt ".to_vec(), b"fLaC".to_vec()], &[0, 1], "label");
        assert!(!crate::image::is_at(dir.path()));
        write(&file, &[png(&[0; 4], 2, ColorType::L8)], &[0], "label");
        assert!(crate::image::is_at(dir.path()) && crate::image::is_at(&file));
        std::fs::write(&file, b"PAR1 and no more").unwrap();
        assert!(!crate::image::is_at(dir.path()));
    }

    #[test]
    fn images_that_are_turned_when_shown_are_said() {
        let dir = tempfile::tempdir().unwrap();
        let all = crate::image::decode::tests::pillow();
        let of = |name: &str| {
            all.iter().find(|(n, ..)| n == name).map(|(_, _, file, pixels)| (file.clone(), pixels.clone())).unwrap()
        };
        let (exif, alpha) = (of("exif.png"), of("rgb16.png"));
        write(&dir.path().join("train.parquet"), &[exif.0, alpha.0], &[0, 1], "label");
        let images = crate::image::open(dir.path()).unwrap();
        assert_eq!(images.train.pixels, [exif.1, alpha.1].concat());
        assert!(images.notes[0].contains("1 images have an EXIF orientation"), "{:?}", images.notes);
    }

    #[test]
    fn the_hubs_tables_of_images_are_read_and_told_apart_by_name() {
        let dir = tempfile::tempdir().unwrap();
        let colors: Vec<u8> = (0..2 * 2 * 3).collect();
        let other: Vec<u8> = colors.iter().map(|x| 200 - x).collect();
        let of = |pixels: &[u8]| png(pixels, 2, ColorType::Rgb8);
        write(&dir.path().join("train-00000-of-00001.parquet"), &[of(&colors), of(&other)], &[0, 2], "fine_label");
        write(&dir.path().join("test-00000-of-00001.parquet"), &[of(&other)], &[1], "fine_label");
        let images = crate::image::open(dir.path()).unwrap();
        assert_eq!(images.train.size, ImageSize { height: 2, width: 2, channels: 3 });
        assert_eq!((images.train.labels, images.test.labels, images.classes.len()), (vec![0, 2], vec![1], 3));
        assert_eq!((images.train.pixels, images.test.pixels), ([colors, other.clone()].concat(), other));
        // A single file is used for training only; grayscale images have one value per pixel.
        let alone = dir.path().join("alone");
        std::fs::create_dir(&alone).unwrap();
        write(&alone.join("data.parquet"), &[png(&[1, 2, 3], 1, ColorType::L8)], &[0], "label");
        let images = crate::image::open(&alone).unwrap();
        assert_eq!((images.train.pixels, images.train.size.channels, images.test.len()), (vec![1, 2, 3], 1, 0));
    }

    #[test]
    fn what_is_wrong_with_a_table_of_images_is_said() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("train.parquet");
        let (one, wide) = (png(&[0; 4], 2, ColorType::L8), png(&[0; 6], 3, ColorType::L8));
        let fails = |part: &str| {
            let said = crate::image::open(dir.path()).unwrap_err().to_string();
            assert!(said.contains(part), "{said} has no {part}");
        };
        write(&file, &[one.clone(), wide], &[0, 1], "label");
        fails("image 2 of those to train on: is 2 x 3 x 1");
        write(&file, std::slice::from_ref(&one), &[-1], "label");
        fails("row 1: its label -1 is not between 0 and 65535");
        write(&file, std::slice::from_ref(&one), &[0], "kind");
        fails("has no column of labels; its columns are image, kind");
        write(&file, &[one[..20].to_vec()], &[0], "label");
        fails("row 1: cannot be read as an image");
        std::fs::write(&file, b"PAR1 and no more").unwrap();
        fails("train.parquet");
    }
}
