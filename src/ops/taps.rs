//! The weight of a convolution, laid out for its products, and the products themselves.
//!
//! Where the kernel is two strides long, y_t = A x_t + B x_(t+1) with x_t the t-th segment of one stride, and two rows take three products
//! instead of four (Winograd 1980, F(2, 2)):
//!
//! ```text
//! m = (A + B) x_1        y_0 = A (x_0 - x_1) + m        y_1 = m + B (x_2 - x_1)
//! ```
//!
//! The gradient of the input has the same form, with B first: segment t gets A of output row t and B of the row before.

use crate::error::Result;
use crate::ops::conv_shape::ConvShape;
use crate::ops::matrix::{View, ViewMut, multiply};
use crate::ops::simd::kernel;
use rayon::prelude::*;

/// The weight of a convolution.
#[derive(Debug)]
pub(super) struct Taps {
    by_output: Vec<f32>, // (C_out, kernel * C_in)
    by_tap: Vec<f32>,    // (kernel * C_in, C_out)
    /// A + B, by output and by tap, where the kernel is two strides long.
    sum: Option<(Vec<f32>, Vec<f32>)>,
    out: usize,
}

impl Taps {
    /// Lays out PyTorch's weight (C_out, C_in, kernel).
    pub(super) fn new(shape: &ConvShape, weight: &[f32]) -> Self {
        let out = shape.channels_out;
        let by_output = shape.pack(weight);
        let sum = (shape.kernel == 2 * shape.stride).then(|| {
            let step = shape.stride * shape.channels_in;
            let rows = by_output.chunks_exact(2 * step).map(|row| row.split_at(step));
            let sum: Vec<f32> = rows.flat_map(|(a, b)| a.iter().zip(b).map(|(a, b)| a + b)).collect();
            let by_tap = transpose(&sum, out);
            (sum, by_tap)
        });
        Taps { by_tap: transpose(&by_output, out), by_output, sum, out }
    }

    fn width(&self) -> usize {
        self.by_output.len() / self.out
    }

    /// The weight by output, (C_out, kernel * C_in).
    pub(super) fn by_output(&self) -> Result<View<'_>> {
        View::new(&self.by_output, self.out, self.width(), self.width())
    }

    /// The weight by tap, (kernel * C_in, C_out).
    pub(super) fn by_tap(&self) -> Result<View<'_>> {
        View::new(&self.by_tap, self.width(), self.out, self.out)
    }

    /// Whether the kernel is two strides long, so that rows are processed in pairs.
    pub(super) fn in_pairs(&self) -> bool {
        self.sum.is_some()
    }

    /// Adds the products with the windows that begin `step` floats apart in `x` to rows `y` (n, C_out), on one thread. All rows must have the
    /// same initial value (the bias).
    pub(super) fn add_windows(&self, x: &[f32], step: usize, y: &mut [f32]) -> Result<()> {
        let c = self.out;
        let n = y.len() / c;
        let paired = if self.in_pairs() { n / 2 * 2 } else { 0 };
        let (pairs, rest) = y.split_at_mut(paired * c);
        if let (Some((_, sum)), true) = (&self.sum, paired > 0) {
            let weights = [
                View::new(&self.by_tap, step, c, c)?,
                View::new(sum, step, c, c)?,
                View::new(&self.by_tap[step * c..], step, c, c)?,
            ];
            add_pairs(x, step, weights, pairs, c, true)?;
        }
        if paired < n {
            let windows = View::new(&x[paired * step..], n - paired, self.width(), step)?;
            multiply(ViewMut::new(rest, n - paired, c, c)?, true, windows, self.by_tap()?, true)?;
        }
        Ok(())
    }

    /// Writes the gradient of segments 1, 2, ... of the input into `dx` (2 pairs, step), which must be zeros, from output rows 0, 1, ... `dy`
    /// (at least 2 pairs + 1, C_out).
    pub(super) fn grad_pairs(&self, step: usize, dy: &[f32], dx: &mut [f32], alone: bool) -> Result<()> {
        let Some((sum, _)) = &self.sum else { return Ok(()) };
        let weight = self.by_output()?;
        let weights = [weight.columns(step, step)?, View::new(sum, self.out, step, step)?, weight.columns(0, step)?];
        add_pairs(dy, self.out, weights, dx, step, alone)
    }
}

/// F(2, 2): adds `y_t = first x_t + last x_(t+1)` to rows `y` (2 pairs, `out`), from segments of `step` floats of `x`. The two rows of each
/// pair must have the same initial value. The weights are (step, out): the first, the sum of both, the last.
fn add_pairs(x: &[f32], step: usize, weights: [View; 3], y: &mut [f32], out: usize, alone: bool) -> Result<()> {
    let pairs = y.len() / (2 * out);
    debug_assert!(y.chunks_exact(2 * out).all(|pair| pair[..out] == pair[out..]));
    // The middle product, and with it the initial value of the rows, is in both.
    let [first, sum, last] = weights;
    let middle = View::new(&x[step..], pairs, step, 2 * step)?;
    multiply(ViewMut::new(y, pairs, out, 2 * out)?, true, middle, sum, alone)?;
    for pair in y.chunks_exact_mut(2 * out) {
        let (even, odd) = pair.split_at_mut(out);
        odd.copy_from_slice(even);
    }
    let mut outer = vec![0.0; pairs * step];
    for (t, row, weight) in [(0, 0, first), (2, out, last)] {
        combine(x, t, -1.0, &mut outer, step, step);
        let outer = View::new(&outer, pairs, step, step)?;
        multiply(ViewMut::new(&mut y[row..], pairs, out, 2 * out)?, true, outer, weight, alone)?;
    }
    Ok(())
}

/// The transpose of a matrix of `rows` rows.
fn transpose(matrix: &[f32], rows: usize) -> Vec<f32> {
    let columns = matrix.len() / rows;
    let mut out = vec![0.0; matrix.len()];
    // Sixteen columns at a time, so that each cache line is read once.
    out.par_chunks_mut(16 * rows).enumerate().for_each(|(block, out)| {
        for (r, row) in matrix.chunks_exact(columns).enumerate() {
            for (j, v) in row[block * 16..].iter().take(16).enumerate() {
                out[j * rows + r] = *v;
            }
        }
    });
    out
}

kernel! {
    /// For every two segments, `stride` floats apart: `width` floats of the one at `t` plus `times` those of the one at 1.
    pub(super) fn combine<'a>(x: &'a [f32], t: usize, times: f32, out: &'a mut [f32], width: usize, stride: usize) {
        for (i, out) in out.chunks_exact_mut(width).enumerate() {
            let at = |t: usize| &x[(2 * i + t) * stride..][..width];
            for ((o, a), b) in out.iter_mut().zip(at(t)).zip(at(1)) {
                *o = a + times * b;
            }
        }
    }
}
