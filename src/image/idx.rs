//! IDX files (LeCun's format): `train-images-idx3-ubyte`, `train-labels-idx1-ubyte` and the same for `t10k`, plain or gzipped.
//!
//! They are read by [`candle_datasets::vision::mnist::load_dir`], which trusts the headers. So the headers are checked first: the magic
//! numbers, and the counts against each other and against the lengths of the files. Then the range of the labels is checked.

use crate::config::ImageSize;
use crate::error::{Error, Problem, Result};
use crate::image::{ImageSet, Images};
use candle_core::Tensor;
use candle_datasets::vision::mnist;
use flate2::read::GzDecoder;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

/// The four files, each with its number of dimensions.
const FILES: [(&str, u32); 4] = [
    ("train-images-idx3-ubyte", 3),
    ("train-labels-idx1-ubyte", 1),
    ("t10k-images-idx3-ubyte", 3),
    ("t10k-labels-idx1-ubyte", 1),
];

/// The magic number of unsigned bytes, with the number of dimensions in its last byte.
const MAGIC: u32 = 0x0800;

/// Longer sides indicate a file of another kind.
const LONGEST_SIDE: u32 = 4096;

/// Whether one of the files exists.
pub(super) fn is_at(dir: &Path) -> bool {
    FILES.iter().any(|(name, _)| place(dir, name).is_some())
}

/// Where a file is, plain or gzipped.
fn place(dir: &Path, name: &str) -> Option<PathBuf> {
    [name.to_string(), format!("{name}.gz")].into_iter().map(|name| dir.join(name)).find(|path| path.is_file())
}

/// Reads the four files.
pub(super) fn read(dir: &Path) -> Result<Images> {
    let mut problems = Vec::new();
    let mut headers = Vec::new();
    for (name, dimensions) in FILES {
        let checked = match place(dir, name) {
            None => Err("is missing, and so is its .gz".to_string()),
            Some(path) => header(&path, dimensions),
        };
        match checked {
            Ok(header) => headers.push(header),
            Err(what) => problems.push(Problem::new(dir.join(name).display(), what)),
        }
    }
    if let [train, train_labels, test, test_labels] = &headers[..] {
        for (images, labels, name) in [(train, train_labels, FILES[1].0), (test, test_labels, FILES[3].0)] {
            if images[0] != labels[0] {
                let what = format!("has {} labels, for {} images", labels[0], images[0]);
                problems.push(Problem::new(dir.join(name).display(), what));
            }
        }
        if train[1..] != test[1..] {
            let what = format!(
                "has images of {} x {}, but the training images are {} x {}",
                test[1], test[2], train[1], train[2]
            );
            problems.push(Problem::new(dir.join(FILES[2].0).display(), what));
        }
    }
    if !problems.is_empty() {
        return Err(Error::problems(problems, "fetch these files again: data/README.md says where to get them"));
    }
    // If any file is gzipped, all are unpacked into one directory, because the reader takes a directory.
    let unpacked = tempfile::tempdir().map_err(Error::io(std::env::temp_dir(), "make a directory in"))?;
    let zipped = FILES.iter().any(|(name, _)| !dir.join(name).is_file());
    if zipped {
        for (name, _) in FILES {
            unpack(&place(dir, name).unwrap_or_default(), &unpacked.path().join(name))?;
        }
    }
    let data = mnist::load_dir(if zipped { unpacked.path() } else { dir })
        .map_err(|e| Error::bad_file(dir, format!("cannot be read: {e}")))?;
    let [height, width] = [headers[0][1], headers[0][2]].map(|n| n as usize);
    let size = ImageSize { height, width, channels: 1 };
    let set = |images: &Tensor, labels: &Tensor, name: &str| -> Result<ImageSet> {
        let labels: Vec<u32> = labels.to_vec1::<u8>()?.into_iter().map(u32::from).collect();
        if let Some(at) = labels.iter().position(|&label| label as usize >= data.labels) {
            let what = format!("label {} of number {at} (from 0) is not one of 0 to {}", labels[at], data.labels - 1);
            return Err(Error::bad_file(dir.join(name), what));
        }
        let numbers = images.flatten_all()?.to_vec1::<f32>()?;
        Ok(ImageSet { size, pixels: numbers.into_iter().map(|x| (x * 255.0).round() as u8).collect(), labels })
    };
    Ok(Images {
        train: set(&data.train_images, &data.train_labels, FILES[1].0)?,
        test: set(&data.test_images, &data.test_labels, FILES[3].0)?,
        classes: (0..data.labels).map(|label| label.to_string()).collect(),
        notes: Vec::new(),
    })
}

/// A file's contents, unpacked if it is gzipped.
fn contents(path: &Path) -> std::io::Result<Box<dyn Read>> {
    let file = BufReader::new(File::open(path)?);
    Ok(if path.extension().is_some_and(|e| e == "gz") { Box::new(GzDecoder::new(file)) } else { Box::new(file) })
}

/// The sizes in the header of a file, after checking them against its length.
fn header(path: &Path, dimensions: u32) -> std::result::Result<Vec<u32>, String> {
    let cannot = |e: std::io::Error| format!("cannot be read: {e}");
    let mut file = contents(path).map_err(cannot)?;
    let mut number = || -> std::result::Result<u32, String> {
        let mut bytes = [0; 4];
        file.read_exact(&mut bytes).map_err(|_| "ends within its header".to_string())?;
        Ok(u32::from_be_bytes(bytes))
    };
    let magic = number()?;
    if magic != MAGIC + dimensions {
        return Err(format!(
            "begins with the number {magic:#010x}, not with {:#010x}: it is not an IDX file of {} bytes",
            MAGIC + dimensions,
            if dimensions == 1 { "labels as" } else { "images as" }
        ));
    }
    let sizes = (0..dimensions).map(|_| number()).collect::<std::result::Result<Vec<u32>, String>>()?;
    if let Some(side) = sizes[1..].iter().find(|side| !(1..=LONGEST_SIDE).contains(*side)) {
        return Err(format!("gives an image side of {side}: its header is damaged"));
    }
    let wanted: u64 = sizes.iter().map(|&n| u64::from(n)).product();
    let found = std::io::copy(&mut file, &mut std::io::sink()).map_err(cannot)?;
    match found.cmp(&wanted) {
        std::cmp::Ordering::Less => Err(format!("is cut off: it has {found} of {wanted} bytes after its header")),
        std::cmp::Ordering::Greater => Err(format!("has {found} bytes after its header, which speaks of {wanted}")),
        std::cmp::Ordering::Equal => Ok(sizes),
    }
}

fn unpack(from: &Path, to: &Path) -> Result<()> {
    let mut file = contents(from).map_err(Error::io(from, "read"))?;
    let mut out = File::create(to).map_err(Error::io(to, "write"))?;
    std::io::copy(&mut file, &mut out).map_err(Error::io(from, "unpack"))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::fixtures::{images, write_idx};
    use std::io::Write;

    #[test]
    fn what_is_written_is_read_plain_and_gzipped() {
        let (dir, wanted) = (tempfile::tempdir().unwrap(), images(30, 20));
        write_idx(dir.path(), &wanted);
        assert_eq!(read(dir.path()).unwrap(), wanted);
        for (name, _) in FILES {
            let plain = std::fs::read(dir.path().join(name)).unwrap();
            let file = File::create(dir.path().join(format!("{name}.gz"))).unwrap();
            let mut zip = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
            zip.write_all(&plain).unwrap();
            zip.finish().unwrap();
            std::fs::remove_file(dir.path().join(name)).unwrap();
            assert_eq!(read(dir.path()).unwrap(), wanted, "{name}");
        }
    }

    #[test]
    fn each_fault_is_named_with_its_file() {
        let broken = |spoil: &dyn Fn(&Path)| {
            let dir = tempfile::tempdir().unwrap();
            write_idx(dir.path(), &images(30, 20));
            spoil(dir.path());
            read(dir.path()).unwrap_err().to_string()
        };
        let change = |name: &'static str, edit: &'static dyn Fn(&mut Vec<u8>)| {
            move |dir: &Path| {
                let mut bytes = std::fs::read(dir.join(name)).unwrap();
                edit(&mut bytes);
                std::fs::write(dir.join(name), bytes).unwrap();
            }
        };
        let error = broken(&change(FILES[0].0, &|b| b[3] = 1));
        assert!(error.contains("train-images-idx3-ubyte") && error.contains("0x00000801"), "{error}");
        let error = broken(&change(FILES[2].0, &|b| b.truncate(b.len() - 5)));
        assert!(error.contains("t10k-images-idx3-ubyte") && error.contains("cut off"), "{error}");
        let error = broken(&change(FILES[2].0, &|b| b.push(0)));
        assert!(error.contains("which speaks of"), "{error}");
        let error = broken(&change(FILES[1].0, &|b| b[9] = 10));
        assert!(error.contains("label 10 of number 1"), "{error}");
        let error = broken(&change(FILES[3].0, &|b| {
            b[7] -= 1;
            b.pop();
        }));
        assert!(error.contains("19 labels, for 20 images"), "{error}");
        let error = broken(&change(FILES[0].0, &|b| b.truncate(7)));
        assert!(error.contains("ends within its header"), "{error}");
        let error = broken(&|dir| std::fs::remove_file(dir.join(FILES[3].0)).unwrap());
        assert!(error.contains("t10k-labels-idx1-ubyte: is missing"), "{error}");
    }
}
