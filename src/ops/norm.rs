//! Normalization followed by ReLU, on rows of channels (rows, C).
//!
//! Channel norm (CPC_audio's `ChannelNorm`) normalizes each time step over its channels, with the *unbiased* variance. Batch norm (Ioffe and
//! Szegedy 2015) normalizes each channel over the batch and time, with the biased variance, and keeps running statistics of the unbiased one,
//! as PyTorch does. For both, `out = relu(gain * xhat + shift)` with eps 1e-5. The kernels here work on blocks of rows that are still in cache.

use crate::error::Result;
use crate::ops::simd::{kernel, sum1, sum2};
use candle_core::{D, Tensor};

/// Added to every variance.
pub const EPS: f64 = 1e-5;

kernel! {
    /// `out = relu(gain * y + shift)` row by row; without gain and shift it is ReLU alone.
    pub(super) fn relu_rows<'a>(y: &'a [f32], affine: Option<(&'a [f32], &'a [f32])>, out: &'a mut [f32]) {
        match affine {
            None => out.iter_mut().zip(y).for_each(|(o, &v)| *o = v.max(0.0)),
            Some((gain, shift)) => {
                for (out, y) in out.chunks_exact_mut(gain.len()).zip(y.chunks_exact(gain.len())) {
                    for (((o, &v), &g), &s) in out.iter_mut().zip(y).zip(gain).zip(shift) {
                        *o = (g * v + s).max(0.0);
                    }
                }
            }
        }
    }
}

kernel! {
    /// ReLU in place.
    pub(super) fn relu_in_place<'a>(y: &'a mut [f32]) {
        y.iter_mut().for_each(|v| *v = v.max(0.0));
    }
}

kernel! {
    /// `relu(scale * y + shift)` row by row, in place.
    pub(super) fn scale_relu_in_place<'a>(y: &'a mut [f32], scale: &'a [f32], shift: &'a [f32]) {
        for row in y.chunks_exact_mut(scale.len()) {
            for ((v, &g), &s) in row.iter_mut().zip(scale).zip(shift) {
                *v = (g * *v + s).max(0.0);
            }
        }
    }
}

kernel! {
    /// Channel norm, gain, shift and ReLU row by row, in place: [`channel_rows`] and [`relu_rows`] for use without backward.
    pub(super) fn channel_relu_in_place<'a>(y: &'a mut [f32], gain: &'a [f32], shift: &'a [f32]) {
        let n = gain.len() as f32;
        for row in y.chunks_exact_mut(gain.len()) {
            let mean = sum1(row, |v| v) / n;
            let variance = sum1(row, |v| (v - mean) * (v - mean)) / (n - 1.0);
            let rstd = 1.0 / (variance + EPS as f32).sqrt();
            for ((v, &g), &s) in row.iter_mut().zip(gain).zip(shift) {
                *v = (g * ((*v - mean) * rstd) + s).max(0.0);
            }
        }
    }
}

kernel! {
    /// Normalizes each row of `y` over its channels in place, and keeps 1 / standard deviation of each row.
    pub(super) fn channel_rows<'a>(y: &'a mut [f32], channels: usize, rstd: &'a mut [f32]) {
        let n = channels as f32;
        for (row, rstd) in y.chunks_exact_mut(channels).zip(rstd) {
            let mean = sum1(row, |v| v) / n;
            let variance = sum1(row, |v| (v - mean) * (v - mean)) / (n - 1.0);
            *rstd = 1.0 / (variance + EPS as f32).sqrt();
            let r = *rstd;
            row.iter_mut().for_each(|v| *v = (*v - mean) * r);
        }
    }
}

kernel! {
    /// Normalizes each channel: `xhat = (y - mean) * rstd`, in place.
    pub(super) fn batch_rows<'a>(y: &'a mut [f32], mean: &'a [f32], rstd: &'a [f32]) {
        for row in y.chunks_exact_mut(mean.len()) {
            for ((v, &m), &r) in row.iter_mut().zip(mean).zip(rstd) {
                *v = (*v - m) * r;
            }
        }
    }
}

/// The mean and the sum of squared deviations of each channel over the rows of a block.
pub(super) fn block_moments(y: &[f32], channels: usize) -> (Vec<f32>, Vec<f32>) {
    let (mut mean, mut squares) = (vec![0.0; channels], vec![0.0; channels]);
    add_moments(y, &mut mean, &mut squares);
    (mean, squares)
}

kernel! {
    fn add_moments<'a>(y: &'a [f32], mean: &'a mut [f32], squares: &'a mut [f32]) {
        for row in y.chunks_exact(mean.len()) {
            mean.iter_mut().zip(row).for_each(|(m, v)| *m += v);
        }
        let n = (y.len() / mean.len()).max(1) as f32;
        mean.iter_mut().for_each(|m| *m /= n);
        for row in y.chunks_exact(mean.len()) {
            for ((s, &v), &m) in squares.iter_mut().zip(row).zip(mean.iter()) {
                *s += (v - m) * (v - m);
            }
        }
    }
}

/// Sums over the rows of a block that backward needs, (C) each.
pub(super) struct Sums {
    /// The gradient of the gain.
    pub gain: Vec<f32>,
    /// The gradient of the shift.
    pub shift: Vec<f32>,
    /// The gradient of the convolution's bias.
    pub bias: Vec<f32>,
}

impl Sums {
    pub(super) fn zeros(channels: usize) -> Self {
        Sums { gain: vec![0.0; channels], shift: vec![0.0; channels], bias: vec![0.0; channels] }
    }

    /// Adds the sums of another block.
    pub(super) fn add(&mut self, other: &Sums) {
        for (a, b) in [(&mut self.gain, &other.gain), (&mut self.shift, &other.shift), (&mut self.bias, &other.bias)] {
            a.iter_mut().zip(b).for_each(|(a, b)| *a += b);
        }
    }
}

kernel! {
    /// Backward through ReLU and gain of a block: `grad` becomes the gradient of xhat; adds to the sums of gain and shift.
    pub(super) fn relu_rows_backward<'a>(
        grad: &'a mut [f32],
        out: &'a [f32],
        xhat: &'a [f32],
        gain: Option<&'a [f32]>,
        sums: &'a mut Sums,
    ) {
        let channels = sums.gain.len();
        for ((grad, out), xhat) in
            grad.chunks_exact_mut(channels).zip(out.chunks_exact(channels)).zip(xhat.chunks_exact(channels))
        {
            for (g, &o) in grad.iter_mut().zip(out) {
                *g = if o > 0.0 { *g } else { 0.0 };
            }
            let Some(gain) = gain else { continue };
            for (((g, &x), dg), ds) in grad.iter().zip(xhat).zip(sums.gain.iter_mut()).zip(sums.shift.iter_mut()) {
                *dg += g * x;
                *ds += g;
            }
            grad.iter_mut().zip(gain).for_each(|(g, w)| *g *= w);
        }
    }
}

kernel! {
    /// Backward through channel norm of a block: turns `grad` from the gradient of xhat into that of y.
    ///
    /// `dy = rstd * (dxhat - mean(dxhat) - xhat * sum(dxhat * xhat) / (C - 1))`: the variance is unbiased.
    pub(super) fn channel_rows_backward<'a>(grad: &'a mut [f32], xhat: &'a [f32], channels: usize, rstd: &'a [f32]) {
        let n = channels as f32;
        for ((grad, xhat), &r) in grad.chunks_exact_mut(channels).zip(xhat.chunks_exact(channels)).zip(rstd) {
            let mean = sum1(grad, |g| g) / n;
            let along = sum2(grad, xhat, |g, x| g * x) / (n - 1.0);
            for (g, &x) in grad.iter_mut().zip(xhat) {
                *g = r * (*g - mean - x * along);
            }
        }
    }
}

kernel! {
    /// Backward through batch norm of a block: `dy = rstd * (dxhat - mean - xhat * along)`, with `rstd`, `mean` and `along` per channel. With
    /// zeros for `mean` and `along` it is the backward pass for fixed statistics.
    pub(super) fn batch_rows_backward<'a>(grad: &'a mut [f32], xhat: &'a [f32], rstd: &'a [f32], mean: &'a [f32], along: &'a [f32]) {
        for (grad, xhat) in grad.chunks_exact_mut(rstd.len()).zip(xhat.chunks_exact(rstd.len())) {
            for ((((g, &x), &r), &m), &a) in grad.iter_mut().zip(xhat).zip(rstd).zip(mean).zip(along) {
                *g = r * (*g - m - x * a);
            }
        }
    }
}

kernel! {
    /// Adds the sum of each channel of a block to `total`.
    pub(super) fn add_columns<'a>(rows: &'a [f32], total: &'a mut [f32]) {
        for row in rows.chunks_exact(total.len()) {
            total.iter_mut().zip(row).for_each(|(t, v)| *t += v);
        }
    }
}

/// Channel norm built from candle operations: maps `y` (.., C) to xhat.
pub fn composed_channel(y: &Tensor) -> Result<Tensor> {
    let centered = y.broadcast_sub(&y.mean_keepdim(D::Minus1)?)?;
    let n = y.dim(D::Minus1)? as f64;
    let variance = (centered.sqr()?.sum_keepdim(D::Minus1)? / (n - 1.0))?;
    Ok(centered.broadcast_div(&(variance + EPS)?.sqrt()?)?)
}

/// Batch norm built from candle operations: maps `y` (B, T, C) with a mean and a biased variance (1, 1, C) to xhat.
pub fn composed_batch(y: &Tensor, mean: &Tensor, variance: &Tensor) -> Result<Tensor> {
    Ok(y.broadcast_sub(mean)?.broadcast_div(&(variance + EPS)?.sqrt()?)?)
}
