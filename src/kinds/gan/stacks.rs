//! Stacked images: three random images, one in each color channel, so that there are as many modes as triples of labels (Metz et al. 2017,
//! "Stacked MNIST").

use crate::config::ImageSize;
use crate::error::{Error, Result};
use crate::image::ImageSet;
use crate::seed::Stream;
use std::collections::BTreeMap;

/// The prefix of a DATA argument that names a directory of images to stack.
pub const PREFIX: &str = "stacked:";

/// Number of color channels.
const PLANES: usize = 3;

/// The images that are stacked.
#[derive(Debug, Clone)]
pub struct Stacks {
    set: ImageSet,
    classes: usize,
}

/// How samples are spread over triples of labels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    /// Number of triples that occurred.
    pub reached: usize,
    /// Number of all triples.
    pub modes: usize,
    /// The divergence of the triples of the samples from the uniform distribution, in nats; 0 if all triples are equally frequent.
    pub divergence: f64,
}

impl Stacks {
    /// Stacks of grayscale images with `classes` labels.
    ///
    /// # Errors
    /// The images are in color.
    pub fn new(set: ImageSet, classes: usize) -> Result<Self> {
        if set.size.channels != 1 {
            return Err(Error::failed(
                format!("images of {} cannot be stacked: they are in color already", set.size),
                "give grayscale images, such as MNIST",
            ));
        }
        Ok(Stacks { set, classes })
    }

    /// SHA-256 of the images, in hexadecimal.
    pub fn sha256(&self) -> String {
        self.set.sha256()
    }

    /// The size of a stack.
    pub fn size(&self) -> ImageSize {
        ImageSize { channels: PLANES, ..self.set.size }
    }

    /// Draws a stack, (height, width, 3), with pixel values from -1 to 1.
    pub fn draw(&self, stream: &mut Stream) -> Vec<f32> {
        let planes = [(); PLANES].map(|()| self.set.image(stream.below(self.set.len() as u32) as usize));
        let pixel = |i: usize| planes.map(|plane| f32::from(plane[i]) / 127.5 - 1.0);
        (0..self.set.size.numbers()).flat_map(pixel).collect()
    }

    /// The planes of stacks (N, height, width, 3), with the planes of each stack in consecutive order.
    pub fn planes(&self, stacks: &[f32]) -> ImageSet {
        let size = self.set.size;
        let mut pixels = Vec::with_capacity(stacks.len());
        for stack in stacks.chunks_exact(size.numbers() * PLANES) {
            for plane in 0..PLANES {
                pixels.extend(stack.iter().skip(plane).step_by(PLANES).map(|&x| ((x + 1.0) * 127.5).round() as u8));
            }
        }
        let n = pixels.len() / size.numbers().max(1);
        ImageSet { size, pixels, labels: vec![0; n] }
    }

    /// How evenly the triples of stacks are spread, given the labels of their planes.
    pub fn spread(&self, labels: &[u32]) -> Spread {
        let mut counts: BTreeMap<&[u32], usize> = BTreeMap::new();
        labels.chunks_exact(PLANES).for_each(|triple| *counts.entry(triple).or_default() += 1);
        let (modes, n) = (self.classes.pow(PLANES as u32), (labels.len() / PLANES) as f64);
        let part = |&count: &usize| count as f64 / n * (count as f64 / n * modes as f64).ln();
        Spread { reached: counts.len(), modes, divergence: counts.values().map(part).sum() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::fixtures::images;
    use crate::seed::stream;

    #[test]
    fn planes_of_a_stack_are_images_of_the_set() {
        let set = images(40, 1).train;
        let stacks = Stacks::new(set.clone(), 10).unwrap();
        let mut s = stream(1, "stacks", 0);
        let drawn: Vec<f32> = (0..2).flat_map(|_| stacks.draw(&mut s)).collect();
        assert_eq!(drawn.len(), 2 * stacks.size().numbers());
        let planes = stacks.planes(&drawn);
        assert_eq!(planes.len(), 6);
        let place = |i: usize| (0..set.len()).find(|&j| set.image(j) == planes.image(i));
        let places: Vec<usize> = (0..6).map(|i| place(i).expect("a plane that is no image")).collect();
        assert!(places.windows(2).any(|w| w[0] != w[1]));
        let colors = ImageSet { size: stacks.size(), ..set };
        assert!(Stacks::new(colors, 10).is_err());
    }

    #[test]
    fn even_triples_diverge_by_nothing_and_one_by_all() {
        let stacks = Stacks::new(images(10, 1).train, 10).unwrap();
        let all: Vec<u32> = (0..1000).flat_map(|i| [i / 100, i / 10 % 10, i % 10]).collect();
        let even = stacks.spread(&all);
        assert!(even.reached == 1000 && even.modes == 1000 && even.divergence.abs() < 1e-12);
        let one = stacks.spread(&[1, 2, 3].repeat(50));
        assert!(one.reached == 1 && (one.divergence - 1000f64.ln()).abs() < 1e-12);
    }
}
