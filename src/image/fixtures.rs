//! Small sets of images for tests: bright squares on a dark background, whose position is their label.

use crate::config::ImageSize;
use crate::image::{ImageSet, Images};
use crate::seed::stream;
use std::path::Path;

/// The given numbers of training and test images, 28 x 28, with ten labels.
pub(crate) fn images(train: usize, test: usize) -> Images {
    let set = |n: usize, name: &str| {
        let mut s = stream(5, name, 0);
        let size = ImageSize { height: 28, width: 28, channels: 1 };
        let mut set = ImageSet { size, pixels: vec![0; n * 784], labels: Vec::new() };
        for i in 0..n {
            let label = i as u32 % 10;
            let (top, left) = ((label / 5 * 12) as usize, (label % 5 * 5) as usize);
            for row in top..top + 10 {
                for column in left..left + 6 {
                    set.pixels[i * 784 + row * 28 + column] = 128 + s.below(128) as u8;
                }
            }
            set.labels.push(label);
        }
        set
    };
    Images {
        train: set(train, "train"),
        test: set(test, "test"),
        classes: (0..10).map(|label: u32| label.to_string()).collect(),
        notes: Vec::new(),
    }
}

/// Writes the four IDX files.
pub(crate) fn write_idx(dir: &Path, images: &Images) {
    for (set, name) in [(&images.train, "train"), (&images.test, "t10k")] {
        let number = |n: usize| (n as u32).to_be_bytes();
        let mut bytes = 0x0803u32.to_be_bytes().to_vec();
        for n in [set.len(), set.size.height, set.size.width] {
            bytes.extend(number(n));
        }
        bytes.extend(&set.pixels);
        std::fs::write(dir.join(format!("{name}-images-idx3-ubyte")), bytes).unwrap();
        let mut bytes = 0x0801u32.to_be_bytes().to_vec();
        bytes.extend(number(set.len()));
        bytes.extend(set.labels.iter().map(|&label| label as u8));
        std::fs::write(dir.join(format!("{name}-labels-idx1-ubyte")), bytes).unwrap();
    }
}
