//! Images in parquet files, in the format of the hub's data sets: a column `{bytes, path}` of PNG or JPEG files, and a column of labels.
//!
//! The files of a directory are distinguished by their names: those with `train` in the name are for training, those with `test` (or `valid`,
//! if there is no test) are for testing.

use crate::config::ImageSize;
use crate::data::columns::{damaged, open};
use crate::error::{Error, Problem, Result};
use crate::guard::guarded;
use crate::image::{ImageSet, Images};
use parquet::file::reader::FileReader;
use parquet::record::Field;
use rayon::prelude::*;
use std::path::{Path, PathBuf};

/// The remedy for a file in another format.
const WANTED: &str =
    "an image data set has a column {bytes, path} of PNG or JPEG files and a column of integer labels (label)";

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
    let set = |files: &[&PathBuf]| -> Result<Vec<(Vec<u8>, ImageSize, u32)>> {
        let rows: Vec<Vec<_>> = files.iter().map(|file| rows(file)).collect::<Result<_>>()?;
        Ok(rows.concat())
    };
    let (train, test) = (set(&train)?, set(&test)?);
    let classes = train.iter().chain(&test).map(|row| row.2).max().map_or(0, |most| most + 1);
    let size = train.first().or(test.first()).map_or(ImageSize { height: 1, width: 1, channels: 1 }, |row| row.1);
    let gather = |rows: Vec<(Vec<u8>, ImageSize, u32)>, name: &str| -> Result<ImageSet> {
        let odd = rows.iter().enumerate().filter(|(_, row)| row.1 != size);
        let odd: Vec<Problem> = odd
            .map(|(i, row)| {
                let place = format!("{} image {} of those to {name} on", path.display(), i + 1);
                Problem::new(place, format!("is {}, the first is {size}", row.1))
            })
            .collect();
        if !odd.is_empty() {
            return Err(Error::problems(odd, "bring all images to one size first"));
        }
        Ok(ImageSet {
            size,
            labels: rows.iter().map(|row| row.2).collect(),
            pixels: rows.into_iter().flat_map(|row| row.0).collect(),
        })
    };
    Ok(Images {
        train: gather(train, "train")?,
        test: gather(test, "test")?,
        classes: (0..classes).map(|label| label.to_string()).collect(),
    })
}

/// The images of one file, with their sizes and labels.
fn rows(path: &Path) -> Result<Vec<(Vec<u8>, ImageSize, u32)>> {
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
        let label = LABELS.iter().find_map(|name| names.iter().position(|n| n == name));
        let label = label.ok_or_else(|| format!("has no column of labels; its columns are {}", names.join(", ")))?;
        let mut found = Vec::new();
        for (number, row) in reader.get_row_iter(None).map_err(damaged)?.enumerate() {
            let row = row.map_err(damaged)?;
            let (mut bytes, mut class) = (None, None);
            for (at, (_, field)) in row.get_column_iter().enumerate() {
                match field {
                    Field::Group(group) => {
                        let inside = group.get_column_iter().find_map(|(_, field)| match field {
                            Field::Bytes(bytes) => Some(bytes.data().to_vec()),
                            _ => None,
                        });
                        bytes = bytes.or(inside);
                    }
                    Field::Bytes(whole) if bytes.is_none() => bytes = Some(whole.data().to_vec()),
                    Field::Long(n) if at == label => class = u32::try_from(*n).ok().filter(|&n| n < 65_536),
                    Field::Int(n) if at == label => class = u32::try_from(*n).ok().filter(|&n| n < 65_536),
                    _ => {}
                }
            }
            let bytes = bytes.ok_or_else(|| format!("row {} has no image", number + 1))?;
            let class = class.ok_or_else(|| format!("row {}: its label is no number from 0", number + 1))?;
            found.push((bytes, class));
        }
        Ok(found)
    });
    let found = read.map_err(bad)?;
    let decode = |(number, (bytes, class)): (usize, (Vec<u8>, u32))| {
        let image = guarded(|| image::load_from_memory(&bytes).map_err(|e| e.to_string()));
        let image = image.map_err(|what| bad(format!("row {} cannot be read as an image: {what}", number + 1)))?;
        let (height, width) = (image.height() as usize, image.width() as usize);
        let gray = !image.color().has_color();
        let pixels = if gray { image.to_luma8().into_raw() } else { image.to_rgb8().into_raw() };
        Ok((pixels, ImageSize { height, width, channels: if gray { 1 } else { 3 } }, class))
    };
    found.into_par_iter().enumerate().map(decode).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ::image::{ColorType, ImageEncoder, codecs::png::PngEncoder};
    use parquet::data_type::{ByteArray, ByteArrayType, Int64Type};
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
        let schema = format!(
            "message m {{ OPTIONAL GROUP image {{ OPTIONAL BYTE_ARRAY bytes; OPTIONAL BYTE_ARRAY path (UTF8); }} OPTIONAL INT64 {label}; }}"
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
        column.typed::<Int64Type>().write_batch(labels, Some(&vec![1; labels.len()]), None).unwrap();
        column.close().unwrap();
        group.close().unwrap();
        writer.close().unwrap();
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
        fails("row 1: its label is no number from 0");
        write(&file, std::slice::from_ref(&one), &[0], "kind");
        fails("has no column of labels; its columns are image, kind");
        write(&file, &[one[..20].to_vec()], &[0], "label");
        fails("row 1 cannot be read as an image");
        std::fs::write(&file, b"PAR1 and no more").unwrap();
        fails("train.parquet");
    }
}
