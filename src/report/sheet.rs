//! A contact sheet: one picture of many images.

use crate::config::ImageSize;
use crate::error::{Error, Result};
use crate::image::ImageSet;
use image::{ColorType, ImageEncoder, codecs::png::PngEncoder};

/// Number of pixels between images, and side of the square that shows one pixel of an image.
const GAP: usize = 4;
const ZOOM: usize = 2;

/// A PNG of images of `set`, arranged in `lines`; with `apart`, the first image of each line is set a little apart from the others.
///
/// # Errors
/// The picture is too large to be written.
pub fn sheet(set: &ImageSet, lines: &[Vec<usize>], apart: bool) -> Result<Vec<u8>> {
    let ImageSize { height, width, channels } = set.size;
    let (tall, wide) = (height * ZOOM + GAP, width * ZOOM + GAP);
    let across = lines.iter().map(Vec::len).max().unwrap_or(0);
    let apart = if apart { GAP } else { 0 };
    let (rows, columns) = (lines.len() * tall + GAP, across * wide + 2 * GAP + apart);
    let mut canvas = vec![255u8; rows * columns * 3];
    for (y, line) in lines.iter().enumerate() {
        for (x, &image) in line.iter().enumerate() {
            let (top, left) = (GAP + y * tall, GAP + x * wide + if x > 0 { apart } else { 0 });
            let pixels = set.image(image);
            for row in 0..height * ZOOM {
                for column in 0..width * ZOOM {
                    let at = ((top + row) * columns + left + column) * 3;
                    let pixel = (row / ZOOM * width + column / ZOOM) * channels;
                    for color in 0..3 {
                        canvas[at + color] = pixels[pixel + color.min(channels - 1)];
                    }
                }
            }
        }
    }
    let mut png = Vec::new();
    PngEncoder::new(&mut png)
        .write_image(&canvas, columns as u32, rows as u32, ColorType::Rgb8.into())
        .map_err(|e| Error::failed(format!("a picture cannot be created: {e}"), "report this as a bug in cpc"))?;
    Ok(png)
}
