//! The patches of images that a convolution sees, as the rows of a matrix: with them a convolution is a product
//! ([`linear`](super::linear)).
//!
//! Images are (B, H, W, C), channels last, so that a row of a patch is one run of memory.

use super::function::{Floats, Form, function};
use crate::error::{Error, Result};
use candle_core::{D, Device, Tensor};
use rayon::prelude::*;

/// A square window that moves over images.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Its height and width.
    pub kernel: usize,
    /// How far it moves, in both directions.
    pub stride: usize,
    /// Rows and columns of zeros on each side.
    pub padding: usize,
}

impl Window {
    /// How often it fits into `size` rows or columns.
    pub fn out(self, size: usize) -> usize {
        (size + 2 * self.padding).checked_sub(self.kernel).map_or(0, |rest| rest / self.stride + 1)
    }
}

/// (B * H' * W', k * k * C) of images (B, H, W, C): a row is a patch, its rows one behind the other.
///
/// # Errors
/// The window does not fit into the images.
pub fn patches(images: &Tensor, window: Window) -> Result<Tensor> {
    match Form::of(images) {
        Form::Fused => fused(images, window),
        Form::Composed => composed(images, window),
    }
}

fn fits(images: &Tensor, window: Window) -> Result<[usize; 6]> {
    let (b, h, w, c) = images.dims4()?;
    let (rows, columns) = (window.out(h), window.out(w));
    if rows == 0 || columns == 0 || window.stride == 0 {
        let what = format!("a window of {} does not fit into images of {h} x {w}", window.kernel);
        return Err(Error::Tensor(candle_core::Error::Msg(what)));
    }
    Ok([b, h, w, c, rows, columns])
}

/// [`patches`] by candle's operations: for each place in the window, the strided rows and columns that it meets.
pub fn composed(images: &Tensor, window: Window) -> Result<Tensor> {
    let Window { kernel, stride, padding } = window;
    let [b, h, w, c, rows, columns] = fits(images, window)?;
    // To a multiple of the stride, with room for the last place of the window.
    let whole = |out: usize| (out + (kernel - 1) / stride) * stride;
    let pad = |t: &Tensor, dim: usize, size: usize, whole: usize| -> Result<Tensor> {
        let padded = t.pad_with_zeros(dim, padding, whole.saturating_sub(size + padding))?;
        Ok(padded.narrow(dim, 0, whole)?)
    };
    let (tall, wide) = (whole(rows), whole(columns));
    let x = pad(&pad(images, 1, h, tall)?, 2, w, wide)?.contiguous()?;
    let x = x.reshape((b, tall / stride, stride, wide / stride, stride * c))?;
    let mut places = Vec::new();
    for i in 0..kernel {
        for j in 0..kernel {
            let place = x.narrow(1, i / stride, rows)?.narrow(2, i % stride, 1)?;
            let place = place.narrow(3, j / stride, columns)?.narrow(4, j % stride * c, c)?;
            places.push(place.contiguous()?.reshape((b * rows * columns, c))?);
        }
    }
    Ok(Tensor::cat(&places, D::Minus1)?)
}

/// A run of memory of a patch row and where it lies in the image, both in elements.
struct Run {
    patch: usize,
    image: usize,
    length: usize,
}

/// The runs of all patches of one image, patch by patch.
fn runs([_, h, w, c, rows, columns]: [usize; 6], window: Window, mut each: impl FnMut(Run)) {
    let Window { kernel, stride, padding } = window;
    for row in 0..rows {
        for column in 0..columns {
            let patch = (row * columns + column) * kernel * kernel * c;
            let left = column * stride; // in the padded image
            let (from, to) = (left.max(padding), (left + kernel).min(w + padding));
            for i in 0..kernel {
                let top = row * stride + i;
                if top < padding || top >= h + padding || from >= to {
                    continue;
                }
                each(Run {
                    patch: patch + (i * kernel + from - left) * c,
                    image: ((top - padding) * w + from - padding) * c,
                    length: (to - from) * c,
                });
            }
        }
    }
}

/// [`patches`] on the CPU in f32.
pub fn fused(images: &Tensor, window: Window) -> Result<Tensor> {
    let images = images.contiguous()?;
    let sizes = fits(&images, window)?;
    let [b, h, w, c, rows, columns] = sizes;
    let (row, image) = (window.kernel * window.kernel * c, h * w * c);
    let mut out = vec![0.0f32; b * rows * columns * row];
    {
        let x = Floats::of(&images)?;
        out.par_chunks_mut(rows * columns * row).zip(x.par_chunks(image)).for_each(|(out, x)| {
            runs(sizes, window, |run| {
                out[run.patch..][..run.length].copy_from_slice(&x[run.image..][..run.length]);
            });
        });
    }
    let out = Tensor::from_vec(out, (b * rows * columns, row), &Device::Cpu)?;
    let backward = move |grad: &Tensor| -> Result<[Option<Tensor>; 3]> {
        let grad = grad.contiguous()?;
        let g = Floats::of(&grad)?;
        let mut d = vec![0.0f32; b * image];
        d.par_chunks_mut(image).zip(g.par_chunks(rows * columns * row)).for_each(|(d, g)| {
            runs(sizes, window, |run| {
                let (to, from) = (&mut d[run.image..][..run.length], &g[run.patch..][..run.length]);
                to.iter_mut().zip(from).for_each(|(d, g)| *d += g);
            });
        });
        Ok([Some(Tensor::from_vec(d, (b, h, w, c), &Device::Cpu)?), None, None])
    };
    let constant = Tensor::zeros(1, images.dtype(), images.device())?;
    function([&images, &constant, &constant], out, backward)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::check::{close, finite_differences, random, same};

    const WINDOWS: [(usize, usize, usize, usize, usize); 6] =
        // kernel, stride, padding, height, width
        [(5, 2, 2, 7, 8), (4, 2, 1, 6, 6), (3, 1, 1, 4, 5), (1, 1, 0, 3, 3), (3, 2, 0, 5, 7), (2, 3, 0, 6, 7)];

    #[test]
    fn both_forms_agree_and_their_gradients_are_the_slopes() {
        for (kernel, stride, padding, h, w) in WINDOWS {
            let window = Window { kernel, stride, padding };
            let images = [random(&[3, h, w, 2], 1)];
            finite_differences(|t| composed(&t[0], window), &images);
            same(|t| fused(&t[0], window), |t| composed(&t[0], window), &images);
        }
    }

    #[test]
    fn a_product_of_patches_is_the_convolution() {
        for (kernel, stride, padding, h, w) in WINDOWS {
            let window = Window { kernel, stride, padding };
            let (images, weight) = (random(&[3, h, w, 2], 1), random(&[4, 2, kernel, kernel], 2));
            let flat = weight.permute((0, 2, 3, 1)).unwrap().contiguous().unwrap();
            let flat = flat.reshape((4, kernel * kernel * 2)).unwrap();
            let got = composed(&images, window).unwrap().matmul(&flat.t().unwrap()).unwrap();
            let got = got.reshape((3, window.out(h), window.out(w), 4)).unwrap();
            let channels_first = images.permute((0, 3, 1, 2)).unwrap().contiguous().unwrap();
            let want = channels_first.conv2d(&weight, padding, stride, 1, 1).unwrap();
            close(&got, &want.permute((0, 2, 3, 1)).unwrap().contiguous().unwrap(), 1e-12);
        }
    }

    #[test]
    fn a_window_that_does_not_fit_is_refused() {
        let window = Window { kernel: 5, stride: 1, padding: 0 };
        assert!(fused(&random(&[1, 4, 9, 1], 1).to_dtype(candle_core::DType::F32).unwrap(), window).is_err());
    }
}
