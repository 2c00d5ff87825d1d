//! PNG and JPEG files to pixels, as Pillow's `Image.open(file).convert("L")` or `convert("RGB")` shows them: transparency is left out, of
//! 16 bits per color the upper 8 are taken, palettes and CMYK become RGB. Gray stays one channel.
//!
//! Grayscale PNG files of 16 bits are refused: programs reduce them in different ways, and Pillow cuts off all values above 255.

use crate::config::ImageSize;
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageReader};
use std::io::Cursor;

/// An image.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Decoded {
    /// (height, width, channels).
    pub pixels: Vec<u8>,
    pub size: ImageSize,
    /// Whether its EXIF data say that it should be turned or mirrored to be shown. Its pixels are as they are stored.
    pub turned: bool,
}

/// The image in a file, or what is wrong with it.
pub(super) fn decode(bytes: &[u8]) -> Result<Decoded, String> {
    if is_cut(bytes) {
        return Err("the JPEG file is cut off: it has no end marker".into());
    }
    let reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format().map_err(|e| e.to_string())?;
    let mut decoder = reader.into_decoder().map_err(|e| e.to_string())?;
    let turned = decoder.orientation().is_ok_and(|orientation| orientation != Orientation::NoTransforms);
    let image = DynamicImage::from_decoder(decoder).map_err(|e| e.to_string())?;
    let size = |channels| ImageSize { height: image.height() as usize, width: image.width() as usize, channels };
    let upper = |values: &[u16], of: usize, keep: usize| {
        values.chunks_exact(of).flat_map(|pixel| &pixel[..keep]).map(|v| (v >> 8) as u8).collect()
    };
    let (pixels, channels) = match &image {
        DynamicImage::ImageLuma16(_) => {
            return Err(
                "it is gray with 16 bits per pixel, which programs reduce to 8 in different ways; reduce it first, for example with \
                 PIL.Image.fromarray((numpy.asarray(image) >> 8).astype('uint8'))"
                    .into(),
            );
        }
        DynamicImage::ImageLumaA16(image) => (upper(image.as_raw(), 2, 1), 1),
        DynamicImage::ImageRgb16(image) => (upper(image.as_raw(), 3, 3), 3),
        DynamicImage::ImageRgba16(image) => (upper(image.as_raw(), 4, 3), 3),
        _ if image.color().has_color() => (image.to_rgb8().into_raw(), 3),
        _ => (image.to_luma8().into_raw(), 1),
    };
    Ok(Decoded { pixels, size: size(channels), turned })
}

/// Whether a file is a JPEG whose last scan has no end. The decoder would fill what is missing with gray.
fn is_cut(bytes: &[u8]) -> bool {
    if !bytes.starts_with(b"\xff\xd8\xff") {
        return false;
    }
    let last = |marker: u8| bytes.windows(2).rposition(|pair| pair == [0xff, marker]);
    match last(0xda) {
        Some(scan) => last(0xd9).is_none_or(|end| end < scan),
        None => true,
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;

    /// Name, channels, file and pixels of each image that Pillow was asked about.
    pub(in super::super) fn pillow() -> Vec<(String, usize, Vec<u8>, Vec<u8>)> {
        let lines = include_str!("pillow.txt").lines().filter(|line| !line.starts_with('#'));
        let bytes = |text: &str| STANDARD.decode(text).unwrap();
        lines
            .map(|line| match line.split(' ').collect::<Vec<_>>()[..] {
                [name, channels, file, pixels] => (name.into(), channels.parse().unwrap(), bytes(file), bytes(pixels)),
                _ => panic!("{line}"),
            })
            .collect()
    }

    #[test]
    fn pixels_are_those_that_pillow_shows() {
        for (name, channels, file, wanted) in pillow() {
            if name == "gray16.png" {
                let e = decode(&file).unwrap_err();
                assert!(e.starts_with("it is gray with 16 bits per pixel"), "{e}");
                continue;
            }
            let image = decode(&file).unwrap();
            assert_eq!(image.size, ImageSize { height: 8, width: 8, channels }, "{name}");
            assert_eq!(image.turned, name.starts_with("exif"), "{name}");
            // Decoders of JPEG may round differently.
            let most = if name.ends_with(".jpg") { 3 } else { 0 };
            let far = image.pixels.iter().zip(&wanted).map(|(a, b)| a.abs_diff(*b)).max().unwrap();
            assert!(
                image.pixels.len() == wanted.len() && far <= most,
                "{name} is {far} away: {:?}\n{wanted:?}",
                image.pixels
            );
        }
    }

    #[test]
    fn what_is_cut_off_or_of_another_kind_is_refused() {
        for (name, _, file, _) in pillow() {
            for length in [file.len() / 2, file.len() - 2] {
                if name.ends_with(".jpg") {
                    assert_eq!(
                        decode(&file[..length]).unwrap_err(),
                        "the JPEG file is cut off: it has no end marker",
                        "{name}"
                    );
                } else if length < file.len() - 12 {
                    assert!(decode(&file[..length]).is_err(), "{name}");
                }
            }
        }
        for (bytes, what) in [(&b"RIFF\x10\0\0\0WEBPVP8 "[..], "WebP"), (b"GIF89a\x01\0", "Gif"), (b"II*\0", "Tiff")] {
            let e = decode(bytes).unwrap_err();
            assert!(e.to_lowercase().contains(&what.to_lowercase()), "{e}");
        }
    }
}
