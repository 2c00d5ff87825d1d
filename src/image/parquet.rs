//! Images in parquet files, as the hub's data sets have them: a column `{bytes, path}` of PNG or JPEG files, and one of labels.
//!
//! The files of a directory are told apart by their names: those with `train` in it are trained on, those with `test` (or `valid`, if there
//! is no test) are tested on.

use super::set::{ImageSet, ImageSize, Images};
use crate::audio::guarded;
use crate::data::table::{damaged, open};
use crate::error::{Error, Problem, Result};
use parquet::file::reader::FileReader;
use parquet::record::Field;
use rayon::prelude::*;
use std::path::{Path, PathBuf};

/// What is asked of a user whose file is not so.
const WANTED: &str =
    "a data set of images has a column {bytes, path} of PNG or JPEG files and a column of integer labels (label)";

/// Usual names of labels, the first there is.
const LABELS: [&str; 4] = ["label", "labels", "fine_label", "coarse_label"];

/// The parquet files at `path`, in their order: itself, those in it, or those in its folders.
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

/// The images of one file with their sizes and labels.
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
        let grey = !image.color().has_color();
        let pixels = if grey { image.to_luma8().into_raw() } else { image.to_rgb8().into_raw() };
        Ok((pixels, ImageSize { height, width, channels: if grey { 1 } else { 3 } }, class))
    };
    found.into_par_iter().enumerate().map(decode).collect()
}
