//! Batches of images in a random order that can resume from a position, and the batches to validate on.

use crate::data::{Course, Permutation, Position};
use crate::error::{Error, Result};
use crate::group::Share;
use crate::image::set::ImageSet;
use crate::seed::stream;
use candle_core::{Device, Tensor};
use std::sync::Arc;

/// Images that are processed together in one step.
#[derive(Debug, Clone)]
pub struct ImageBatch {
    /// (B, H, W, C), from 0 to 1.
    pub images: Tensor,
    /// (B), for users that need them.
    pub labels: Tensor,
    /// Their indices in the set, from 0.
    pub sources: Vec<usize>,
}

impl ImageBatch {
    fn read(set: &ImageSet, which: Vec<usize>, device: &Device) -> Result<ImageBatch> {
        let labels: Vec<u32> = which.iter().map(|&i| set.labels[i]).collect();
        let labels = Tensor::from_vec(labels, which.len(), device)?;
        Ok(ImageBatch { images: set.tensor(&which, device)?, labels, sources: which })
    }
}

/// Gives batches in order, endlessly. Batch i of epoch e is a pure function of (seed, e, i).
#[derive(Debug)]
pub struct ImageLoader {
    set: Arc<ImageSet>,
    which: Vec<usize>,
    batch: usize,
    seed: u64,
    at: Position,
    order: Permutation,
    share: Share,
}

impl ImageLoader {
    /// Batches of `batch` images, from the images of `set` that `which` lists, along `course`. Images left at the end of an epoch
    /// that do not fill a batch are skipped.
    ///
    /// # Errors
    /// If there are too few images for a batch.
    pub fn new(
        set: Arc<ImageSet>,
        which: Vec<usize>,
        batch: usize,
        seed: u64,
        course: impl Into<Course>,
    ) -> Result<Self> {
        let Course { at, share } = course.into();
        if batch == 0 || which.len() < batch {
            return Err(Error::failed(
                format!("{} images are too few for a batch of {batch}", which.len()),
                "choose a smaller train.batch_size, or give more images",
            ));
        }
        let order = order(which.len(), seed, at.epoch);
        let mut loader = ImageLoader { set, which, batch, seed, at, order, share };
        loader.turn();
        loader.pass(share.rank);
        Ok(loader)
    }

    /// The next batch.
    ///
    /// # Errors
    /// If the device is out of memory.
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self, device: &Device) -> Result<ImageBatch> {
        let first = self.at.batch * self.batch as u64;
        let places = (first..first + self.batch as u64).map(|place| self.which[self.order.at(place) as usize]);
        let batch = ImageBatch::read(&self.set, places.collect(), device)?;
        self.pass(self.share.ranks);
        Ok(batch)
    }

    /// Passes over `n` batches.
    fn pass(&mut self, n: u64) {
        for _ in 0..n {
            self.at.batch += 1;
            self.turn();
        }
    }

    /// The position of the batch that the next call of [`ImageLoader::next`] returns.
    pub fn position(&self) -> Position {
        self.at
    }

    fn turn(&mut self) {
        if self.at.batch >= (self.which.len() / self.batch) as u64 {
            self.at = Position { epoch: self.at.epoch + 1, batch: 0 };
            self.order = order(self.which.len(), self.seed, self.at.epoch);
        }
    }
}

fn order(n: usize, seed: u64, epoch: u64) -> Permutation {
    Permutation::new(n as u64, &mut stream(seed, "images", epoch))
}

/// Whole batches of the images that `which` lists, in that order; one smaller batch if there are too few for a whole one. Of these batches,
/// those in `share`.
pub fn batches<'a>(
    set: &'a ImageSet,
    which: &'a [usize],
    batch: usize,
    device: &'a Device,
    share: Share,
) -> impl Iterator<Item = Result<ImageBatch>> + 'a {
    let batch = batch.clamp(1, which.len().max(1));
    let mine = which.chunks_exact(batch).enumerate().filter(move |(i, _)| share.has(*i as u64));
    mine.map(move |(_, which)| ImageBatch::read(set, which.to_vec(), device))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::fixtures::images;

    #[test]
    fn an_epoch_has_every_image_once_and_goes_on_from_a_position() {
        let set = Arc::new(images(50, 1).train);
        let which: Vec<usize> = (10..50).collect();
        let loader = |at| ImageLoader::new(set.clone(), which.clone(), 8, 3, at).unwrap();
        let mut whole = loader(Position::default());
        let batches: Vec<ImageBatch> = (0..12).map(|_| whole.next(&Device::Cpu).unwrap()).collect();
        let mut seen: Vec<usize> = batches[..5].iter().flat_map(|b| b.sources.clone()).collect();
        seen.sort_unstable();
        assert_eq!(seen, which);
        assert_ne!(batches[0].sources, batches[5].sources);
        let mut later = loader(Position { epoch: 1, batch: 2 });
        for batch in &batches[7..] {
            let again = later.next(&Device::Cpu).unwrap();
            assert_eq!(again.sources, batch.sources);
            let labels = again.labels.to_vec1::<u32>().unwrap();
            assert!(labels.iter().zip(&again.sources).all(|(&label, &i)| label == set.labels[i]));
        }
        assert_eq!(later.position(), whole.position());
        assert!(ImageLoader::new(set, vec![1, 2], 3, 0, Position::default()).is_err());
    }
}
