//! Convolutions of images, with or without ReLU: products with the patches under a sliding window.
//!
//! Images are (B, H, W, C), channels last, so that a row of a patch is contiguous in memory. The patches of a few images at a time are laid out
//! as the rows of a matrix that stays in cache, and so are their gradients. The matrix of a whole batch would be many times larger than its
//! images.

use crate::error::{Error, Result};
#[cfg(feature = "cuda")]
use crate::ops::cuda;
use crate::ops::function::{Floats, Form, function};
use crate::ops::linear;
use crate::ops::matrix::{View, ViewMut, multiply};
use crate::ops::norm::relu_in_place;
use candle_core::{D, Device, Tensor};
use rayon::prelude::*;

/// Approximate number of patch elements laid out at once: two megabytes.
const AT_ONCE: usize = 1 << 19;

/// A square window that moves over images.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Its height and width.
    pub kernel: usize,
    /// Its step, in both directions.
    pub stride: usize,
    /// Rows and columns of zeros on each side.
    pub padding: usize,
}

impl Window {
    /// The number of its positions along `size` rows or columns.
    pub fn out(self, size: usize) -> usize {
        (size + 2 * self.padding).checked_sub(self.kernel).map_or(0, |rest| rest / self.stride + 1)
    }
}

/// Returns (B, H', W', O) for images (B, H, W, C), `weight` (O, C, k, k) and `bias` (O), followed by ReLU if `relu`.
///
/// # Errors
/// If the window does not fit into the images.
pub fn conv2d(images: &Tensor, weight: &Tensor, bias: &Tensor, window: Window, relu: bool) -> Result<Tensor> {
    by(Form::of(images), images, [weight, bias], window, relu)
}

/// [`conv2d`] in the given form; `parameters` are weight and bias.
///
/// # Errors
/// If the window does not fit into the images, or the images are not valid for that form.
pub fn by(form: Form, images: &Tensor, parameters: [&Tensor; 2], window: Window, relu: bool) -> Result<Tensor> {
    let [weight, bias] = parameters;
    let [b, _, _, c, rows, columns] = fits(images, window)?;
    let outputs = weight.dim(0)?;
    // In the order of the patches: row, column, channel.
    let flat = weight.permute((0, 2, 3, 1))?.contiguous()?.reshape((outputs, window.kernel * window.kernel * c))?;
    let out = match form {
        Form::Fused => fused(images, &flat, bias, window, relu)?,
        #[cfg(feature = "cuda")]
        Form::Kernels => linear::linear(&cuda::patches(images, fits(images, window)?, window)?, &flat, bias, relu)?,
        _ => linear::composed(&patches(images, window)?, &flat, bias, relu)?,
    };
    Ok(out.reshape((b, rows, columns, outputs))?)
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

/// The patches under the window as the rows of a matrix (B * H' * W', k * k * C), built from candle operations: for each position in the
/// window, the strided rows and columns that it covers.
fn patches(images: &Tensor, window: Window) -> Result<Tensor> {
    let Window { kernel, stride, padding } = window;
    let [b, h, w, c, rows, columns] = fits(images, window)?;
    // Rounded to a multiple of the stride, with room for the last position of the window.
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

/// A contiguous run of a patch row and its location in the image, both in elements.
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

/// The sizes of a convolution on the CPU, and of a group of images.
#[derive(Debug, Clone, Copy)]
struct Sizes {
    fits: [usize; 6],
    window: Window,
    outputs: usize,
    /// Images processed at once.
    group: usize,
}

impl Sizes {
    fn image(&self) -> usize {
        self.fits[1] * self.fits[2] * self.fits[3]
    }

    /// Patches per image.
    fn patches(&self) -> usize {
        self.fits[4] * self.fits[5]
    }

    /// Elements per patch.
    fn patch(&self) -> usize {
        self.window.kernel * self.window.kernel * self.fits[3]
    }

    /// Output elements per image.
    fn made(&self) -> usize {
        self.patches() * self.outputs
    }

    /// Lays out the patches of the given images.
    fn lay_out(&self, images: &[f32]) -> Vec<f32> {
        let each = self.patches() * self.patch();
        let mut laid = vec![0.0; images.len() / self.image() * each];
        for (laid, image) in laid.chunks_exact_mut(each).zip(images.chunks_exact(self.image())) {
            runs(self.fits, self.window, |run| {
                laid[run.patch..][..run.length].copy_from_slice(&image[run.image..][..run.length]);
            });
        }
        laid
    }

    /// Adds laid-out patches back to the image elements they came from.
    fn gather(&self, laid: &[f32], images: &mut [f32]) {
        let each = self.patches() * self.patch();
        for (laid, image) in laid.chunks_exact(each).zip(images.chunks_exact_mut(self.image())) {
            runs(self.fits, self.window, |run| {
                let (to, from) = (&mut image[run.image..][..run.length], &laid[run.patch..][..run.length]);
                to.iter_mut().zip(from).for_each(|(to, from)| *to += from);
            });
        }
    }

    fn forward(&self, images: &[f32], weight: &[f32], bias: &[f32], relu: bool, out: &mut [f32]) -> Result<()> {
        let (laid, n) = (self.lay_out(images), out.len() / self.outputs);
        out.chunks_exact_mut(self.outputs).for_each(|row| row.copy_from_slice(bias));
        let weight = View::new(weight, self.outputs, self.patch(), self.patch())?;
        let laid = View::new(&laid, n, self.patch(), self.patch())?;
        multiply(ViewMut::new(out, n, self.outputs, self.outputs)?, true, laid, weight.t(), true)?;
        if relu {
            relu_in_place(out);
        }
        Ok(())
    }

    /// The gradients of weight and bias from the given images; the gradient of the images is added to `d`, if requested.
    fn backward(
        &self,
        images: &[f32],
        weight: &[f32],
        grad: &[f32],
        d: Option<&mut [f32]>,
    ) -> Result<(Vec<f32>, Vec<f32>)> {
        let (mut laid, n, patch) = (self.lay_out(images), grad.len() / self.outputs, self.patch());
        let (mut dw, mut db) = (vec![0.0; self.outputs * patch], vec![0.0; self.outputs]);
        let g = View::new(grad, n, self.outputs, self.outputs)?;
        multiply(
            ViewMut::new(&mut dw, self.outputs, patch, patch)?,
            false,
            g.t(),
            View::new(&laid, n, patch, patch)?,
            true,
        )?;
        for row in grad.chunks_exact(self.outputs) {
            db.iter_mut().zip(row).for_each(|(sum, g)| *sum += g);
        }
        if let Some(d) = d {
            let weight = View::new(weight, self.outputs, patch, patch)?;
            multiply(ViewMut::new(&mut laid, n, patch, patch)?, false, g, weight, true)?;
            self.gather(&laid, d);
        }
        Ok((dw, db))
    }
}

/// The convolution on the CPU in f32, (B * H' * W', O); `weight` is (O, k * k * C).
fn fused(images: &Tensor, weight: &Tensor, bias: &Tensor, window: Window, relu: bool) -> Result<Tensor> {
    let (images, weight, bias) = (images.contiguous()?, weight.contiguous()?, bias.contiguous()?);
    let (fits, outputs) = (fits(&images, window)?, weight.dim(0)?);
    let batch = fits[0];
    let sizes = Sizes { fits, window, outputs, group: 1 };
    // As many images as stay in cache, in equal groups.
    let most = (AT_ONCE / (sizes.patches() * sizes.patch()).max(1)).clamp(1, batch.max(1));
    let sizes = Sizes { group: batch.div_ceil(batch.div_ceil(most).next_multiple_of(2)).max(1), ..sizes };
    let mut out = vec![0.0f32; batch * sizes.made()];
    {
        let (x, w, b) = (Floats::of(&images)?, Floats::of(&weight)?, Floats::of(&bias)?);
        out.par_chunks_mut(sizes.group * sizes.made())
            .zip(x.par_chunks(sizes.group * sizes.image()))
            .try_for_each(|(out, x)| sizes.forward(x, &w, &b, relu, out))?;
    }
    let out = Tensor::from_vec(out, (batch * sizes.patches(), outputs), &Device::Cpu)?;
    let (tracked, kept) = (images.track_op(), (images.detach(), weight.detach(), out.clone()));
    let backward = move |grad: &Tensor| -> Result<[Option<Tensor>; 3]> {
        let (images, weight, out) = &kept;
        let grad = grad.contiguous()?;
        let (x, w, y, g) = (Floats::of(images)?, Floats::of(weight)?, Floats::of(out)?, Floats::of(&grad)?);
        let mut d = vec![0.0f32; if tracked { x.len() } else { 0 }];
        let mut parts: Vec<Option<&mut [f32]>> = d.chunks_mut(sizes.group * sizes.image()).map(Some).collect();
        parts.resize_with(batch.div_ceil(sizes.group), || None);
        let made = sizes.group * sizes.made();
        let sums: Vec<(Vec<f32>, Vec<f32>)> = parts
            .into_par_iter()
            .zip(x.par_chunks(sizes.group * sizes.image()))
            .zip(g.par_chunks(made).zip(y.par_chunks(made)))
            .map(|((d, x), (g, y))| {
                if relu {
                    let mut masked = vec![0.0; g.len()];
                    linear::where_positive(g, y, &mut masked);
                    sizes.backward(x, &w, &masked, d)
                } else {
                    sizes.backward(x, &w, g, d)
                }
            })
            .collect::<Result<_>>()?;
        // In the order of the images, whichever thread finished first.
        let mut sums = sums.into_iter();
        let (mut dw, mut db) = sums.next().unwrap_or_default();
        for (w, b) in sums {
            dw.iter_mut().zip(w).for_each(|(sum, w)| *sum += w);
            db.iter_mut().zip(b).for_each(|(sum, b)| *sum += b);
        }
        let d = tracked.then(|| Tensor::from_vec(d, images.shape(), &Device::Cpu)).transpose()?;
        let dw = Tensor::from_vec(dw, (outputs, sizes.patch()), &Device::Cpu)?;
        Ok([d, Some(dw), Some(Tensor::from_vec(db, outputs, &Device::Cpu)?)])
    };
    function([&images, &weight, &bias], out, backward)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::check::{close, finite_differences, random, same};

    const WINDOWS: [(usize, usize, usize, usize, usize); 6] =
        // kernel, stride, padding, height, width
        [(5, 2, 2, 7, 8), (4, 2, 1, 6, 6), (3, 1, 1, 4, 5), (1, 1, 0, 3, 3), (3, 2, 0, 5, 7), (2, 3, 0, 6, 7)];

    fn composed(t: &[Tensor], window: Window, relu: bool) -> Result<Tensor> {
        let (outputs, patch) = (t[1].dim(0)?, window.kernel * window.kernel * t[0].dim(3)?);
        let flat = t[1].permute((0, 2, 3, 1))?.contiguous()?.reshape((outputs, patch))?;
        linear::composed(&patches(&t[0], window)?, &flat, &t[2], relu)
    }

    #[test]
    fn both_forms_agree_and_their_gradients_are_the_slopes() {
        for (kernel, stride, padding, h, w) in WINDOWS {
            let window = Window { kernel, stride, padding };
            let inputs = [random(&[5, h, w, 2], 1), random(&[3, 2, kernel, kernel], 2), random(&[3], 3)];
            for relu in [false, true] {
                finite_differences(|t| composed(t, window, relu), &inputs);
                same(
                    |t| Ok(conv2d(&t[0], &t[1], &t[2], window, relu)?.flatten(0, 2)?),
                    |t| composed(t, window, relu),
                    &inputs,
                );
            }
        }
    }

    #[test]
    fn groups_of_images_add_up_to_the_batch() {
        // 40 images of 14 x 14 x 16 with windows of 5: four groups.
        let window = Window { kernel: 5, stride: 2, padding: 2 };
        let inputs = [random(&[40, 14, 14, 16], 1), random(&[8, 16, 5, 5], 2), random(&[8], 3)];
        same(|t| Ok(conv2d(&t[0], &t[1], &t[2], window, true)?.flatten(0, 2)?), |t| composed(t, window, true), &inputs);
    }

    #[test]
    fn it_is_candles_own_convolution() {
        for (kernel, stride, padding, h, w) in WINDOWS {
            let window = Window { kernel, stride, padding };
            let (images, weight) = (random(&[3, h, w, 2], 1), random(&[4, 2, kernel, kernel], 2));
            let got = conv2d(&images, &weight, &random(&[4], 3).zeros_like().unwrap(), window, false).unwrap();
            let channels_first = images.permute((0, 3, 1, 2)).unwrap().contiguous().unwrap();
            let want = channels_first.conv2d(&weight, padding, stride, 1, 1).unwrap();
            close(&got, &want.permute((0, 2, 3, 1)).unwrap().contiguous().unwrap(), 1e-12);
        }
    }

    #[test]
    fn a_window_that_does_not_fit_is_refused() {
        let window = Window { kernel: 5, stride: 1, padding: 0 };
        let weight = random(&[1, 1, 5, 5], 2);
        assert!(conv2d(&random(&[1, 4, 9, 1], 1), &weight, &random(&[1], 3), window, true).is_err());
    }
}
