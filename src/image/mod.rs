//! Images in, batches out. Nothing here knows a model.
//!
//! [`Images`] are a training and a test set, of IDX files as MNIST and Fashion-MNIST have them (`idx`) or of parquet files as the hub's
//! image data sets are (`parquet`). An [`ImageLoader`] gives batches of an [`ImageSet`] in a random order; [`Stacks`] are three of them in the
//! colours of one.

#[cfg(test)]
pub(crate) mod fixtures;
mod idx;
mod loader;
mod parquet;
mod set;
mod stacks;

pub use loader::{ImageBatch, ImageLoader, batches};
pub use set::{ImageSet, ImageSize, Images};
pub use stacks::{PREFIX as STACKED, Spread, Stacks};

use crate::error::{Error, Result};
use std::path::Path;

/// Reads a directory of IDX files, or of parquet files of images.
///
/// # Errors
/// There are neither; a file is not whole, or not of that kind; images have several sizes; labels are out of range, or as many as
/// there are images.
pub fn open(path: &Path) -> Result<Images> {
    let images = if idx::is_at(path) {
        idx::read(path)?
    } else if parquet::is_at(path) {
        parquet::read(path)?
    } else {
        std::fs::metadata(path).map_err(Error::io(path, "read"))?;
        return Err(Error::failed(
            format!("{}: there are no images in it", path.display()),
            "give a directory with train-images-idx3-ubyte and its three companions (data/README.md says where from), or with parquet \
             files of images",
        ));
    };
    if images.train.is_empty() {
        return Err(Error::failed(format!("{}: has no images to train on", path.display()), "give another data set"));
    }
    Ok(images)
}

/// Whether `path` is a directory of IDX files.
pub fn is_idx(path: &Path) -> bool {
    idx::is_at(path)
}
