//! Strided 1-D convolution over (B, T, C): time second, channels last.
//!
//! In this layout the window of output step t is one contiguous run of `kernel * channels_in` floats, so the matrix of all windows is a view of
//! the input with overlapping rows: im2col without a copy. Forward is one product per item, the gradient of the weight is another product with
//! the same view, and the gradient of the input is `ceil(kernel / stride)` accumulating products into rows that do not overlap. Windows that
//! reach into the zero padding are copied out; they are few.
//!
//! `y[t] = b + sum_{j, c} W[:, c, j] x[t * stride + j - padding, c]`, as in PyTorch's `Conv1d`.
//!
//! Where the kernel is two strides long, as in all layers of CPC except the first, two output rows take three products instead of four, and so
//! do both gradients: see `taps`.

use crate::error::{Error, Result};
use crate::ops::conv_shape::ConvShape;
use crate::ops::matrix::{View, ViewMut, multiply};
use crate::ops::taps::{Taps, combine};
use candle_core::Tensor;
use rayon::prelude::*;
use std::ops::Range;

impl ConvShape {
    /// Copies the windows of `steps` out of one item `x`, with zeros where they reach outside it.
    fn copy_windows(&self, x: &[f32], steps: &[usize]) -> Vec<f32> {
        let mut windows = vec![0.0; steps.len() * self.width()];
        for (window, &t) in windows.chunks_exact_mut(self.width()).zip(steps) {
            let (at, range) = self.overlap(t);
            window[at..at + range.len()].copy_from_slice(&x[range]);
        }
        windows
    }

    /// The windows of the interior steps `rows` of one item, as a view.
    fn windows<'a>(&self, x: &'a [f32], rows: &Range<usize>) -> Result<View<'a>> {
        let from = (rows.start * self.stride).saturating_sub(self.padding) * self.channels_in;
        View::new(&x[from.min(x.len())..], rows.len(), self.width(), self.stride * self.channels_in)
    }

    /// Adds the products for output rows `rows` of one item `x` (time_in, C_in) to `y` (rows, C_out), whose rows hold the bias, on one thread.
    pub(super) fn forward(&self, x: &[f32], taps: &Taps, rows: Range<usize>, y: &mut [f32]) -> Result<()> {
        let out = self.channels_out;
        let (inside, edges) = self.parts(rows.clone());
        let at = |t: usize| (t - rows.start) * out;
        for t in edges {
            taps.add_windows(&self.copy_windows(x, &[t]), self.stride * self.channels_in, &mut y[at(t)..at(t) + out])?;
        }
        if inside.is_empty() {
            return Ok(());
        }
        let first = (inside.start * self.stride - self.padding) * self.channels_in;
        taps.add_windows(&x[first..], self.stride * self.channels_in, &mut y[at(inside.start)..at(inside.end)])
    }

    /// The gradient of the weight, (kernel * C_in, C_out), from the items `x` (B, time_in, C_in) and `dy` (B, time_out, C_out).
    fn grad_packed(&self, x: &[f32], dy: &[f32]) -> Result<Vec<f32>> {
        let (out, width) = (self.channels_out, self.width());
        let (per_x, per_y) = (self.time_in * self.channels_in, self.time_out() * out);
        let (inside, edges) = self.parts(0..self.time_out());
        let mut edges: Vec<usize> = edges.collect();
        let in_pairs = self.kernel == 2 * self.stride && inside.len() > 1;
        if in_pairs && inside.len() % 2 == 1 {
            edges.push(inside.end - 1);
        }
        let mut edge_x = Vec::new();
        let mut edge_y = Vec::new();
        for (x, dy) in x.chunks_exact(per_x).zip(dy.chunks_exact(per_y)) {
            edge_x.extend(self.copy_windows(x, &edges));
            edges.iter().for_each(|&t| edge_y.extend_from_slice(&dy[t * out..(t + 1) * out]));
        }
        let edge_rows = edge_y.len() / out;
        let edges = (View::new(&edge_x, edge_rows, width, width)?, View::new(&edge_y, edge_rows, out, out)?);
        let mut dw = vec![0.0; width * out];
        if in_pairs {
            self.add_weight_pairs(x, dy, inside.start, inside.len() / 2, &mut dw)?;
        }
        // Each thread computes the rows of some taps, so that every sum is computed by one thread in a fixed order.
        let per_task = width.div_ceil(rayon::current_num_threads()).next_multiple_of(16);
        dw.par_chunks_mut(per_task * out).enumerate().try_for_each(|(task, dw)| {
            let (from, n) = (task * per_task, dw.len() / out);
            multiply(ViewMut::new(dw, n, out, out)?, true, edges.0.columns(from, n)?.t(), edges.1, true)?;
            if in_pairs {
                return Ok(());
            }
            for (x, dy) in x.chunks_exact(per_x).zip(dy.chunks_exact(per_y)) {
                let x = self.windows(x, &inside)?.columns(from, n)?;
                let dy = View::new(&dy[inside.start * out..], inside.len(), out, out)?;
                multiply(ViewMut::new(dw, n, out, out)?, true, x.t(), dy, true)?;
            }
            Ok::<_, Error>(())
        })?;
        Ok(dw)
    }

    /// Adds the gradient of the weight from `2 * pairs` output rows of each item, starting at `first`, two at a time: `dA = (x_0 - x_1) g_0 +
    /// m`, `dB = m + (x_2 - x_1) g_1` with `m = x_1 (g_0 + g_1)`.
    fn add_weight_pairs(&self, x: &[f32], dy: &[f32], first: usize, pairs: usize, dw: &mut [f32]) -> Result<()> {
        let (out, step) = (self.channels_out, self.stride * self.channels_in);
        let (per_x, per_y) = (self.time_in * self.channels_in, self.time_out() * out);
        let start = first * step - self.padding * self.channels_in;
        let items =
            || x.chunks_exact(per_x).map(|x| &x[start..]).zip(dy.chunks_exact(per_y).map(|dy| &dy[first * out..]));
        let mut sums = vec![0.0; dy.len() / per_y * pairs * out];
        sums.par_chunks_exact_mut(pairs * out).zip(dy.par_chunks_exact(per_y)).for_each(|(sums, dy)| {
            combine(&dy[first * out..], 0, 1.0, sums, out, out);
        });
        let per_task = step.div_ceil(rayon::current_num_threads()).next_multiple_of(16);
        let (a, b) = dw.split_at_mut(step * out);
        a.par_chunks_mut(per_task * out).zip(b.par_chunks_mut(per_task * out)).enumerate().try_for_each(
            |(task, (a, b))| {
                let (from, n) = (task * per_task, a.len() / out);
                let mut middle = vec![0.0; n * out];
                let mut outer = vec![0.0; pairs * n];
                for ((x, dy), sums) in items().zip(sums.chunks_exact(pairs * out)) {
                    let x_1 = View::new(&x[step..], pairs, step, 2 * step)?.columns(from, n)?;
                    let sums = View::new(sums, pairs, out, out)?;
                    multiply(ViewMut::new(&mut middle, n, out, out)?, true, x_1.t(), sums, true)?;
                    for (dw, t, g) in [(&mut *a, 0, 0), (&mut *b, 2, 1)] {
                        combine(&x[from..], t, -1.0, &mut outer, n, step);
                        let g = View::new(&dy[g * out..], pairs, out, 2 * out)?;
                        multiply(ViewMut::new(dw, n, out, out)?, true, View::new(&outer, pairs, n, n)?.t(), g, true)?;
                    }
                }
                for dw in [a, b] {
                    dw.iter_mut().zip(&middle).for_each(|(d, m)| *d += m);
                }
                Ok::<_, Error>(())
            },
        )
    }

    /// The gradient of the weight in PyTorch's layout, (C_out, C_in, kernel).
    pub(super) fn grad_weight(&self, x: &[f32], dy: &[f32]) -> Result<Vec<f32>> {
        let packed = self.grad_packed(x, dy)?;
        let (out, inputs) = (self.channels_out, self.channels_in);
        let mut weight = vec![0.0; packed.len()];
        weight.par_chunks_exact_mut(self.width()).enumerate().for_each(|(o, weight)| {
            for (j, row) in packed.chunks_exact(inputs * out).enumerate() {
                for (c, value) in row[o..].iter().step_by(out).enumerate() {
                    weight[c * self.kernel + j] = *value;
                }
            }
        });
        Ok(weight)
    }

    /// Writes the gradient of the input into `dx` (B, time_in, C_in), which must be zeros, from `dy` (B, time_out, C_out).
    pub(super) fn grad_input(&self, taps: &Taps, dy: &[f32], dx: &mut [f32]) -> Result<()> {
        let (out, width, step) = (self.channels_out, self.width(), self.stride * self.channels_in);
        let (per_x, per_y) = (self.time_in * self.channels_in, self.time_out() * out);
        let weight = taps.by_output()?;
        let (inside, edges) = self.parts(0..self.time_out());
        let edges: Vec<usize> = edges.collect();
        let alone = dy.len() / per_y.max(1) >= rayon::current_num_threads();
        let one = |(dx, dy): (&mut [f32], &[f32])| -> Result<()> {
            if !inside.is_empty() {
                let first = (inside.start * self.stride - self.padding) * self.channels_in;
                let (dx, dy) = (&mut dx[first..], &dy[inside.start * out..inside.end * out]);
                // Segment t of the input gets A of output row t and B of the row before.
                let pairs = if taps.in_pairs() { (inside.len() - 1) / 2 } else { 0 };
                if pairs > 0 {
                    taps.grad_pairs(step, dy, &mut dx[step..(2 * pairs + 1) * step], alone)?;
                }
                for (i, from) in (0..width).step_by(step).enumerate() {
                    let n = step.min(width - from);
                    // For A, all rows except those of segments 1 to 2 pairs; for B, those before.
                    let done = if pairs == 0 { 0..0 } else { 1 - i..2 * pairs + 1 - i };
                    for rows in [0..done.start, done.end..inside.len()].into_iter().filter(|r| !r.is_empty()) {
                        let dy = View::new(&dy[rows.start * out..], rows.len(), out, out)?;
                        let to = ViewMut::new(&mut dx[rows.start * step + from..], rows.len(), n, step)?;
                        multiply(to, true, dy, weight.columns(from, n)?, alone)?;
                    }
                }
            }
            for &t in &edges {
                let mut window = vec![0.0; width];
                let dy = View::new(&dy[t * out..(t + 1) * out], 1, out, out)?;
                multiply(ViewMut::new(&mut window, 1, width, width)?, false, dy, weight, true)?;
                let (at, range) = self.overlap(t);
                dx[range.clone()].iter_mut().zip(&window[at..]).for_each(|(a, b)| *a += b);
            }
            Ok(())
        };
        if alone {
            dx.par_chunks_exact_mut(per_x).zip(dy.par_chunks_exact(per_y)).try_for_each(one)
        } else {
            dx.chunks_exact_mut(per_x).zip(dy.chunks_exact(per_y)).try_for_each(one)
        }
    }

    /// PyTorch's weight (C_out, C_in, kernel) with taps before channels: (C_out, kernel * C_in).
    pub(super) fn pack(&self, weight: &[f32]) -> Vec<f32> {
        let mut packed = vec![0.0; weight.len()];
        packed.par_chunks_exact_mut(self.width()).zip(weight.par_chunks_exact(self.width())).for_each(|(to, from)| {
            for (j, row) in to.chunks_exact_mut(self.channels_in).enumerate() {
                row.iter_mut().zip(from[j..].iter().step_by(self.kernel)).for_each(|(t, f)| *t = *f);
            }
        });
        packed
    }
}

/// The convolution built from candle operations, with correct gradients on every device.
///
/// For `x` (B, T, C_in), `weight` (C_out, C_in, kernel) and `bias` (C_out), returns (B, time_out, C_out). Time is cut into strides, and the
/// output is a sum of products over the `ceil(kernel / stride)` strides that a window covers.
pub fn composed(x: &Tensor, weight: &Tensor, bias: &Tensor, stride: usize, padding: usize) -> Result<Tensor> {
    let (batch, time_in, channels_in) = x.dims3()?;
    let (channels_out, _, kernel) = weight.dims3()?;
    let shape = ConvShape { time_in, channels_in, channels_out, kernel, stride, padding };
    let (time_out, blocks) = (shape.time_out(), kernel.div_ceil(stride));
    if time_out == 0 {
        let what = format!("{time_in} steps are too few for a kernel of {kernel} with padding {padding}");
        return Err(Error::Tensor(candle_core::Error::Msg(what)));
    }
    let needed = (time_out + blocks - 1) * stride; // of the padded input
    let right = needed.saturating_sub(padding + time_in);
    let x = x.pad_with_zeros(1, padding, right)?.narrow(1, 0, needed)?.contiguous()?;
    let x = x.reshape((batch, needed / stride, stride * channels_in))?;
    let weight = weight.pad_with_zeros(2, 0, blocks * stride - kernel)?;
    let weight = weight.permute((2, 1, 0))?.contiguous()?.reshape((blocks, stride * channels_in, channels_out))?;
    let mut y: Option<Tensor> = None;
    for j in 0..blocks {
        let rows = x.narrow(1, j, time_out)?.contiguous()?.reshape((batch * time_out, stride * channels_in))?;
        let part = rows.matmul(&weight.get(j)?)?;
        y = Some(match y {
            Some(y) => (y + part)?,
            None => part,
        });
    }
    let y = y.ok_or_else(|| Error::Tensor(candle_core::Error::Msg("a kernel with no taps".into())))?;
    Ok(y.broadcast_add(bias)?.reshape((batch, time_out, channels_out))?)
}
