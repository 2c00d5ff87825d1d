//! Images in memory.

use crate::config::ImageSize;
use crate::digest::hex;
use candle_core::{Device, Tensor};
use sha2::{Digest, Sha256};

/// Images of one size with their labels.
#[derive(Debug, Clone, PartialEq)]
pub struct ImageSet {
    /// The size of each.
    pub size: ImageSize,
    /// The images, concatenated, each (height, width, channels).
    pub pixels: Vec<u8>,
    /// One label for each, from 0.
    pub labels: Vec<u32>,
}

impl ImageSet {
    /// The number of images.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there are no images.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// SHA-256 of the images and their labels, in hexadecimal.
    pub fn sha256(&self) -> String {
        let labels: &[u8] = bytemuck::cast_slice(&self.labels);
        hex(&Sha256::new().chain_update(&self.pixels).chain_update(labels).finalize())
    }

    /// Image `i`.
    pub fn image(&self, i: usize) -> &[u8] {
        let n = self.size.numbers();
        &self.pixels[i * n..(i + 1) * n]
    }

    /// The images `which` (B, H, W, C), with pixel values from 0 to 1.
    ///
    /// # Errors
    /// If the device is out of memory.
    pub fn tensor(&self, which: &[usize], device: &Device) -> candle_core::Result<Tensor> {
        let mut numbers = Vec::with_capacity(which.len() * self.size.numbers());
        for &i in which {
            numbers.extend(self.image(i).iter().map(|&p| f32::from(p) / 255.0));
        }
        let ImageSize { height, width, channels } = self.size;
        Tensor::from_vec(numbers, (which.len(), height, width, channels), device)
    }
}

impl ImageSet {
    fn empty(size: ImageSize) -> ImageSet {
        ImageSet { size, pixels: Vec::new(), labels: Vec::new() }
    }

    fn add(&mut self, other: &ImageSet, i: usize) {
        self.pixels.extend_from_slice(other.image(i));
        self.labels.push(other.labels[i]);
    }
}

/// A training and a test set.
#[derive(Debug, Clone, PartialEq)]
pub struct Images {
    /// The training set.
    pub train: ImageSet,
    /// The test set; empty if the data have no such part.
    pub test: ImageSet,
    /// Names of the labels.
    pub classes: Vec<String>,
    /// What a user should know about the images.
    pub notes: Vec<String>,
}

impl Images {
    /// The images that two lists name, as a training set and a test set: `train/3` is the fourth image of the training set.
    ///
    /// # Errors
    /// A list names an image that is not there.
    pub fn chosen(self, train: &[String], test: &[String]) -> Result<Images, String> {
        let of = |names: &[String]| -> Result<ImageSet, String> {
            let mut set = ImageSet::empty(self.train.size);
            for name in names {
                let (part, number) = name.split_once('/').unwrap_or(("", name));
                let from = match part {
                    "train" => Some(&self.train),
                    "test" => Some(&self.test),
                    _ => None,
                };
                let place = number.parse::<usize>().ok();
                let (from, i) = from
                    .zip(place)
                    .filter(|(from, i)| *i < from.len())
                    .ok_or_else(|| format!("there is no image `{name}`"))?;
                set.add(from, i);
            }
            Ok(set)
        };
        let (train, test) = (of(train)?, of(test)?);
        Ok(Images { train, test, ..self })
    }
}
