//! Scores of predictions against all latents of a batch.
//!
//! For position (b, t) and step k the true future is row b*T + t + k of the flattened z. The first column is its score, the others are the
//! scores of all rows. A row that is *barred* for this future scores -1e9, so it vanishes after the exponential. One matrix product computes
//! all scores, and two compute the gradients.

use crate::error::{Error, Result};
use crate::ops::function::{Floats, Form, Output, function};
use crate::ops::matrix::{View, ViewMut, multiply};
use candle_core::{Device, Tensor};
use rayon::prelude::*;
use std::sync::Arc;

/// The score of a barred row.
const NEVER: f32 = -1e9;

/// For each row of z as the true future, the rows that are not negatives: (B*T, B*T), row-major, 1 for barred. The future itself is always
/// barred.
pub type Barred = Arc<[u8]>;

#[derive(Clone, Copy)]
struct Sizes {
    batch: usize,
    positions: usize,
    steps: usize,
    dim: usize,
    time: usize,
}

impl Sizes {
    fn of(predictions: &Tensor, z: &Tensor, barred: &Barred) -> Result<Sizes> {
        let (batch, positions, steps, dim) = predictions.dims4()?;
        let (z_batch, time, z_dim) = z.dims3()?;
        let all = batch * time;
        if (z_batch, z_dim) != (batch, dim) || time < positions + steps || barred.len() != all * all {
            let what = format!(
                "predictions {:?}, z {:?} and a mask of {} elements do not match",
                predictions.shape(),
                z.shape(),
                barred.len()
            );
            return Err(Error::Tensor(candle_core::Error::Msg(what)));
        }
        Ok(Sizes { batch, positions, steps, dim, time })
    }

    /// Number of rows of scores: batch times positions times steps.
    fn rows(&self) -> usize {
        self.batch * self.positions * self.steps
    }

    /// The row of z that is the true future of a row of scores.
    fn future(&self, row: usize) -> usize {
        let (position, k) = (row / self.steps, row % self.steps + 1);
        position / self.positions * self.time + position % self.positions + k
    }
}

/// (B, P, K, 1 + B*T): the score `scale * p . z` of the true future first, then the scores of all rows of z.
///
/// `predictions` (B, P, K, D), `z` (B, T, D) with T >= P + K.
pub fn all_pairs(predictions: &Tensor, z: &Tensor, barred: &Barred, scale: f64) -> Result<Tensor> {
    match Form::of(z) {
        Form::Fused => fused(predictions, z, barred, scale),
        _ => composed(predictions, z, barred, scale),
    }
}

/// [`all_pairs`] built from candle operations.
pub fn composed(predictions: &Tensor, z: &Tensor, barred: &Barred, scale: f64) -> Result<Tensor> {
    let sizes = Sizes::of(predictions, z, barred)?;
    let Sizes { batch, positions, steps, dim, time } = sizes;
    let (rows, all, device) = (sizes.rows(), batch * time, z.device());
    let latents = z.reshape((all, dim))?.t()?.contiguous()?;
    let scores = (predictions.contiguous()?.reshape((rows, dim))?.matmul(&latents)? * scale)?;
    let futures: Vec<u32> = (0..rows).map(|row| sizes.future(row) as u32).collect();
    let futures = Tensor::from_vec(futures, rows, device)?;
    let truth = scores.gather(&futures.unsqueeze(1)?, 1)?;
    let barred = Tensor::from_slice(barred, (all, all), device)?.to_dtype(z.dtype())?.index_select(&futures, 0)?;
    let others = (scores + (barred * f64::from(NEVER))?)?;
    Ok(Tensor::cat(&[truth, others], 1)?.reshape((batch, positions, steps, 1 + all))?)
}

/// [`all_pairs`] on the CPU in f32.
pub fn fused(predictions: &Tensor, z: &Tensor, barred: &Barred, scale: f64) -> Result<Tensor> {
    let sizes = Sizes::of(predictions, z, barred)?;
    let Sizes { batch, positions, steps, dim, time } = sizes;
    let (predictions, z) = (predictions.contiguous()?, z.contiguous()?);
    let (rows, all, scale) = (sizes.rows(), batch * time, scale as f32);
    let width = 1 + all;
    let mut scores = vec![0.0f32; rows * width];
    if rows > 0 {
        let (p, z) = (Floats::of(&predictions)?, Floats::of(&z)?);
        let (p, z) = (View::new(&p, rows, dim, dim)?, View::new(&z, all, dim, dim)?);
        multiply(ViewMut::new(&mut scores[1..], rows, all, width)?, false, p, z.t(), false)?;
    }
    scores.par_chunks_exact_mut(width).enumerate().for_each(|(row, scores)| {
        let future = sizes.future(row);
        scores[0] = scores[1 + future] * scale;
        let bars = &barred[future * all..(future + 1) * all];
        scores[1..].iter_mut().zip(bars).for_each(|(s, &bar)| *s = if bar == 0 { *s * scale } else { NEVER });
    });
    let scores = Output::floats(scores, (batch, positions, steps, width));
    let (p, kept, barred) = (predictions.detach(), z.detach(), barred.clone());
    let backward = move |grad: &Tensor| -> Result<[Option<Tensor>; 3]> {
        let mut g = grad.contiguous()?.flatten_all()?.to_vec1::<f32>()?;
        g.par_chunks_exact_mut(width).enumerate().for_each(|(row, g)| {
            let future = sizes.future(row);
            let bars = &barred[future * all..(future + 1) * all];
            g[1..].iter_mut().zip(bars).for_each(|(g, &bar)| *g = if bar == 0 { *g * scale } else { 0.0 });
            g[1 + future] += g[0] * scale;
        });
        let (mut dp, mut dz) = (vec![0.0f32; rows * dim], vec![0.0f32; all * dim]);
        if rows > 0 {
            let (p, z) = (Floats::of(&p)?, Floats::of(&kept)?);
            let (p, z) = (View::new(&p, rows, dim, dim)?, View::new(&z, all, dim, dim)?);
            let g = View::new(&g[1..], rows, all, width)?;
            multiply(ViewMut::new(&mut dp, rows, dim, dim)?, false, g, z, false)?;
            multiply(ViewMut::new(&mut dz, all, dim, dim)?, false, g.t(), p, false)?;
        }
        Ok([
            Some(Tensor::from_vec(dp, p.shape(), &Device::Cpu)?),
            Some(Tensor::from_vec(dz, kept.shape(), &Device::Cpu)?),
            None,
        ])
    };
    let constant = Tensor::zeros(1, z.dtype(), z.device())?;
    function([&predictions, &z, &constant], scores, backward)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::check::{finite_differences, random, same};
    use crate::ops::cross_entropy;
    use crate::seed::stream;

    #[test]
    fn fused_equals_composed_equals_finite_differences() {
        for (batch, positions, steps, dim) in [(3, 4, 2, 5), (1, 1, 1, 3), (2, 1, 3, 33)] {
            let time = positions + steps;
            let all = batch * time;
            let mut s = stream(2, "barred", 0);
            let bar = |i: usize| u8::from(i / all == i % all || s.below(4) == 0);
            let barred: Barred = (0..all * all).map(bar).collect();
            let inputs = [random(&[batch, positions, steps, dim], 1), random(&[batch, time, dim], 2)];
            // Barred scores have no gradient, so the scores are compared through the loss.
            let loss = |scores: Result<Tensor>| cross_entropy::composed(&scores?);
            let composed = |t: &[Tensor]| loss(composed(&t[0], &t[1], &barred, 0.4));
            same(|t| loss(all_pairs(&t[0], &t[1], &barred, 0.4)), composed, &inputs);
            finite_differences(composed, &inputs);
        }
    }

    #[test]
    fn sizes_that_do_not_fit_are_an_error() {
        let (p, z) = (random(&[2, 3, 2, 4], 1), random(&[2, 5, 4], 2));
        assert!(all_pairs(&p, &z, &vec![0; 100].into(), 1.0).is_ok());
        assert!(all_pairs(&p, &z, &vec![0; 99].into(), 1.0).is_err());
        assert!(all_pairs(&p, &z.narrow(1, 0, 4).unwrap(), &vec![0; 64].into(), 1.0).is_err());
    }
}
