//! Images in, batches out. Nothing here depends on a model.
//!
//! [`Images`] are a training and a test set, read from IDX files, the format of MNIST and Fashion-MNIST (`idx`), or from parquet files, the
//! format of the hub's image data sets (`parquet`). An [`ImageLoader`] gives batches of an [`ImageSet`] in a random order.

#[cfg(feature = "parquet")]
mod decode;
#[cfg(test)]
pub(crate) mod fixtures;
mod idx;
mod loader;
#[cfg(feature = "parquet")]
mod parquet;
mod set;

pub use loader::{ImageBatch, ImageLoader, batches};
pub use set::{ImageSet, Images};

use crate::error::{Error, Result};
use std::path::Path;

/// Reads a directory of IDX files, or of parquet files of images.
///
/// # Errors
/// If there are neither; a file is incomplete or not of that kind; images have different sizes; labels are out of range, or not as many as
/// there are images.
pub fn open(path: &Path) -> Result<Images> {
    let images = if idx::is_at(path) {
        idx::read(path)?
    } else if let Some(images) = tables(path)? {
        images
    } else {
        std::fs::metadata(path).map_err(Error::io(path, "read"))?;
        return Err(Error::failed(
            format!("{}: there are no images in it", path.display()),
            "give a directory with train-images-idx3-ubyte and its three companions (data/README.md says where to get \
             them), or with parquet files of images",
        ));
    };
    if images.train.is_empty() {
        return Err(Error::failed(format!("{}: has no images to train on", path.display()), "give another data set"));
    }
    Ok(images)
}

/// Whether there are IDX files at `path`, or parquet files whose first rows have images.
pub fn is_at(path: &Path) -> bool {
    idx::is_at(path) || has_images(path)
}

#[cfg(feature = "parquet")]
fn has_images(path: &Path) -> bool {
    parquet::has_images(path)
}

#[cfg(not(feature = "parquet"))]
fn has_images(_: &Path) -> bool {
    false
}

/// The images of a directory of parquet files.
#[cfg(feature = "parquet")]
fn tables(path: &Path) -> Result<Option<Images>> {
    parquet::is_at(path).then(|| parquet::read(path)).transpose()
}

/// None, or an error: this build cannot read parquet.
#[cfg(not(feature = "parquet"))]
fn tables(path: &Path) -> Result<Option<Images>> {
    let mut files = std::fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path());
    match files.find(|file| crate::data::is_table(file)) {
        Some(file) => Err(crate::data::not_built(&file, "IDX files")),
        None => Ok(None),
    }
}
