//! Scores of predictions against their true futures and against sampled negatives.
//!
//! For position (b, t), step k and prediction p = W_k c_t the scores are `scale * p . z` with z the true z_{t+k} first and then the latents of
//! N negatives. The negatives of a position are used for all its K steps (as in CPC_audio), so each latent that is fetched is multiplied with K
//! predictions. The fused form does 129 dot products per position and step, where the product with all latents of the batch does B * T, and it
//! copies nothing.

#![allow(clippy::needless_range_loop, clippy::type_complexity)] // registers are arrays

use crate::error::{Error, Result};
#[cfg(feature = "cuda")]
use crate::ops::cuda;
use crate::ops::function::{Floats, Form, Output, function};
use crate::ops::negatives::Negatives;
use crate::ops::simd::arch;
use candle_core::{Device, Tensor};
use pulp::{Simd, WithSimd};
use rayon::prelude::*;

/// (B, P, K, 1 + N): the score of the true future first, then the scores of the negatives.
///
/// `predictions` (B, P, K, D), `z` (B, T, D) with T >= P + K: the future of position t at step k (from 1) is z_{t+k}. More windows of z may
/// follow, from which only negatives are drawn.
pub fn sampled_scores(predictions: &Tensor, z: &Tensor, negatives: &Negatives, scale: f64) -> Result<Tensor> {
    match Form::of(z) {
        Form::Fused => fused(predictions, z, negatives, scale),
        #[cfg(feature = "cuda")]
        // The kernels take negatives from the windows of the predictions alone.
        Form::Kernels if predictions.dim(0)? != z.dim(0)? => composed(predictions, z, negatives, scale),
        #[cfg(feature = "cuda")]
        Form::Kernels => {
            let (batch, positions, steps, dim, time) = check(predictions, z, negatives)?;
            let sizes = cuda::Sizes { batch, positions, steps, dim, time, number: negatives.number() };
            cuda::sampled_scores(predictions, z, &negatives.on(z.device(), batch)?, sizes, scale)
        }
        Form::Composed => composed(predictions, z, negatives, scale),
    }
}

fn check(predictions: &Tensor, z: &Tensor, negatives: &Negatives) -> Result<(usize, usize, usize, usize, usize)> {
    let (batch, positions, steps, dim) = predictions.dims4()?;
    let (z_batch, time, z_dim) = z.dims3()?;
    let fits = batch <= z_batch
        && dim == z_dim
        && time >= positions + steps
        && negatives.count() == batch * positions * negatives.number()
        && negatives.are_below(z_batch * time);
    if !fits {
        let what = format!(
            "predictions {:?}, z {:?} and {} x {} negatives do not match",
            predictions.shape(),
            z.shape(),
            negatives.positions(),
            negatives.number()
        );
        return Err(Error::Tensor(candle_core::Error::Msg(what)));
    }
    Ok((batch, positions, steps, dim, time))
}

/// [`sampled_scores`] built from candle operations: one product with all z per step, from which the sampled columns are gathered.
pub fn composed(predictions: &Tensor, z: &Tensor, negatives: &Negatives, scale: f64) -> Result<Tensor> {
    let (batch, positions, steps, dim, time) = check(predictions, z, negatives)?;
    let all = z.reshape(((), dim))?.t()?.contiguous()?;
    let (rows, number, drawn) = (batch * positions, negatives.number(), negatives.rows()?);
    // The columns of all steps are sent at once.
    let mut columns = Vec::with_capacity(steps * rows * (1 + number));
    for k in 1..=steps {
        for row in 0..rows {
            columns.push(((row / positions) * time + row % positions + k) as u32);
            columns.extend_from_slice(&drawn[row * number..(row + 1) * number]);
        }
    }
    let columns = Tensor::from_vec(columns, (steps, rows, 1 + number), z.device())?;
    let mut scores = Vec::with_capacity(steps);
    for k in 0..steps {
        let p = predictions.narrow(2, k, 1)?.contiguous()?.reshape((rows, dim))?;
        scores.push((p.matmul(&all)?.gather(&columns.get(k)?, 1)? * scale)?);
    }
    Ok(Tensor::stack(&scores, 1)?.reshape((batch, positions, steps, 1 + number))?)
}

/// `scores[k * stride + n] = scale * p_k . latent(n)` for K predictions and the latents of one position.
struct Dots<'a> {
    p: &'a [f32],    // (K, D)
    z: &'a [f32],    // (rows, D)
    rows: &'a [u32], // rows of the latents
    dim: usize,
    scale: f32,
    scores: &'a mut [f32], // (K, stride), filled from column 1
    stride: usize,
}

/// Heads and latents held in registers at once.
const HEADS: usize = 6;
const LATENTS: usize = 2;

// Plain loops fill the arrays of registers below: `map` and `from_fn` would call closures that are compiled without the vector instructions of
// the surrounding function.
#[inline(always)]
fn dot_block<S: Simd, const P: usize, const Z: usize>(simd: S, p: [&[f32]; P], z: [&[f32]; Z]) -> [[f32; Z]; P] {
    let mut sums = [[simd.splat_f32s(0.0); Z]; P];
    let (mut p_wide, mut z_wide): ([&[S::f32s]; P], [&[S::f32s]; Z]) = ([&[]; P], [&[]; Z]);
    let (mut p_tail, mut z_tail): ([&[f32]; P], [&[f32]; Z]) = ([&[]; P], [&[]; Z]);
    for a in 0..P {
        (p_wide[a], p_tail[a]) = S::as_simd_f32s(p[a]);
    }
    for b in 0..Z {
        (z_wide[b], z_tail[b]) = S::as_simd_f32s(z[b]);
    }
    let n = z_wide[0].len();
    for a in 0..P {
        p_wide[a] = &p_wide[a][..n];
    }
    for b in 0..Z {
        z_wide[b] = &z_wide[b][..n];
    }
    for i in 0..n {
        for a in 0..P {
            for b in 0..Z {
                sums[a][b] = simd.mul_add_e_f32s(p_wide[a][i], z_wide[b][i], sums[a][b]);
            }
        }
    }
    let mut out = [[0.0; Z]; P];
    for a in 0..P {
        for b in 0..Z {
            let tail: f32 = p_tail[a].iter().zip(z_tail[b]).map(|(x, y)| x * y).sum();
            out[a][b] = simd.reduce_sum_f32s(sums[a][b]) + tail;
        }
    }
    out
}

impl WithSimd for Dots<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Dots { p, z, rows, dim, scale, scores, stride } = self;
        let steps = p.len() / dim;
        let latent = |row: u32| &z[row as usize * dim..(row as usize + 1) * dim];
        let head = |k: usize| &p[k * dim..(k + 1) * dim];
        let paired = rows.len() / LATENTS * LATENTS;
        let grouped = steps / HEADS * HEADS;
        for n in (0..rows.len()).step_by(LATENTS) {
            if n < paired {
                let two = [latent(rows[n]), latent(rows[n + 1])];
                for k in (0..grouped).step_by(HEADS) {
                    let mut heads: [&[f32]; HEADS] = [&[]; HEADS];
                    for (a, slot) in heads.iter_mut().enumerate() {
                        *slot = head(k + a);
                    }
                    let dots = dot_block(simd, heads, two);
                    for a in 0..HEADS {
                        for b in 0..LATENTS {
                            scores[(k + a) * stride + 1 + n + b] = dots[a][b] * scale;
                        }
                    }
                }
                for k in grouped..steps {
                    let dots = dot_block(simd, [head(k)], two);
                    for b in 0..LATENTS {
                        scores[k * stride + 1 + n + b] = dots[0][b] * scale;
                    }
                }
            } else {
                for k in 0..steps {
                    scores[k * stride + 1 + n] = dot_block(simd, [head(k)], [latent(rows[n])])[0][0] * scale;
                }
            }
        }
    }
}

/// The score of one true future, with the same arithmetic as for the negatives, so that equal latents get equal scores.
struct Dot<'a>(&'a [f32], &'a [f32]);

impl WithSimd for Dot<'_> {
    type Output = f32;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> f32 {
        dot_block(simd, [self.0], [self.1])[0][0]
    }
}

/// Backward of one position: `dp_k += sum_n g_kn z_n` and `dz_n += sum_k g_kn p_k`.
struct Backward<'a> {
    p: &'a [f32],    // (K, D)
    z: &'a [f32],    // (rows, D)
    rows: &'a [u32], // latents, one per column of g
    g: &'a [f32],    // (K, rows) with `stride`
    stride: usize,
    dim: usize,
    dp: &'a mut [f32], // (K, D)
    dz: &'a mut [f32], // (all rows, D)
}

impl WithSimd for Backward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let steps = self.p.len() / self.dim;
        let mut k = 0;
        while k < steps {
            if steps - k >= HEADS {
                self.grad_heads::<S, HEADS>(simd, k);
                self.grad_latents::<S, HEADS>(simd, k);
                k += HEADS;
            } else {
                self.grad_heads::<S, 1>(simd, k);
                self.grad_latents::<S, 1>(simd, k);
                k += 1;
            }
        }
    }
}

impl Backward<'_> {
    /// `dp` of the `P` heads from k: two registers of each are summed over all latents before they are written.
    #[inline(always)]
    fn grad_heads<S: Simd, const P: usize>(&mut self, simd: S, k: usize) {
        let dim = self.dim;
        let wide = dim / (2 * S::F32_LANES) * 2; // registers in pairs
        for i in (0..wide).step_by(2) {
            let mut sums = [[simd.splat_f32s(0.0); 2]; P];
            for (n, &row) in self.rows.iter().enumerate() {
                let z = S::as_simd_f32s(&self.z[row as usize * dim + i * S::F32_LANES..][..2 * S::F32_LANES]).0;
                let (z0, z1) = (z[0], z[1]);
                for a in 0..P {
                    let w = simd.splat_f32s(self.g[(k + a) * self.stride + n]);
                    sums[a][0] = simd.mul_add_e_f32s(w, z0, sums[a][0]);
                    sums[a][1] = simd.mul_add_e_f32s(w, z1, sums[a][1]);
                }
            }
            for a in 0..P {
                let row = S::as_mut_simd_f32s(&mut self.dp[(k + a) * dim..(k + a + 1) * dim]).0;
                row[i] = simd.add_f32s(row[i], sums[a][0]);
                row[i + 1] = simd.add_f32s(row[i + 1], sums[a][1]);
            }
        }
        for i in wide * S::F32_LANES..dim {
            for (n, &row) in self.rows.iter().enumerate() {
                let z = self.z[row as usize * dim + i];
                for a in 0..P {
                    self.dp[(k + a) * dim + i] += self.g[(k + a) * self.stride + n] * z;
                }
            }
        }
    }

    /// The contribution of the `P` heads from k to `dz`.
    #[inline(always)]
    fn grad_latents<S: Simd, const P: usize>(&mut self, simd: S, k: usize) {
        let dim = self.dim;
        let (mut heads, mut tails): ([&[S::f32s]; P], [&[f32]; P]) = ([&[]; P], [&[]; P]);
        for a in 0..P {
            (heads[a], tails[a]) = S::as_simd_f32s(&self.p[(k + a) * dim..(k + a + 1) * dim]);
        }
        for (n, &row) in self.rows.iter().enumerate() {
            let (row, tail) = S::as_mut_simd_f32s(&mut self.dz[row as usize * dim..(row as usize + 1) * dim]);
            let mut weights = [0.0; P];
            let mut wide = [simd.splat_f32s(0.0); P];
            for a in 0..P {
                weights[a] = self.g[(k + a) * self.stride + n];
                wide[a] = simd.splat_f32s(weights[a]);
                heads[a] = &heads[a][..row.len()];
            }
            for i in 0..row.len() {
                let mut sum = row[i];
                for a in 0..P {
                    sum = simd.mul_add_e_f32s(wide[a], heads[a][i], sum);
                }
                row[i] = sum;
            }
            for (i, sum) in tail.iter_mut().enumerate() {
                for a in 0..P {
                    *sum += weights[a] * tails[a][i];
                }
            }
        }
    }
}

/// [`sampled_scores`] on the CPU in f32.
pub fn fused(predictions: &Tensor, z: &Tensor, negatives: &Negatives, scale: f64) -> Result<Tensor> {
    let (batch, positions, steps, dim, time) = check(predictions, z, negatives)?;
    let (predictions, z) = (predictions.contiguous()?, z.contiguous()?);
    let (number, scale, drawn) = (negatives.number(), scale as f32, negatives.rows()?);
    let stride = 1 + number;
    let mut scores = vec![0.0f32; batch * positions * steps * stride];
    {
        let (p, z) = (Floats::of(&predictions)?, Floats::of(&z)?);
        let (p, z): (&[f32], &[f32]) = (&p, &z);
        scores.par_chunks_exact_mut(steps * stride).enumerate().for_each(|(row, scores)| {
            let p = &p[row * steps * dim..(row + 1) * steps * dim];
            let future = (row / positions) * time + row % positions + 1;
            for k in 0..steps {
                let latent = &z[(future + k) * dim..(future + k + 1) * dim];
                scores[k * stride] = arch().dispatch(Dot(&p[k * dim..(k + 1) * dim], latent)) * scale;
            }
            let rows = &drawn[row * number..(row + 1) * number];
            arch().dispatch(Dots { p, z, rows, dim, scale, scores, stride });
        });
    }
    let scores = Output::floats(scores, (batch, positions, steps, stride));
    let (p, latents, rows) = (predictions.detach(), z.detach(), drawn);
    let backward = move |grad: &Tensor| -> Result<[Option<Tensor>; 3]> {
        let grad = grad.contiguous()?;
        let (g, p, z) = (Floats::of(&grad)?, Floats::of(&p)?, Floats::of(&latents)?);
        let (g, p, z): (&[f32], &[f32], &[f32]) = (&g, &p, &z);
        // Any position may be a negative of any other, so each thread sums dz separately, and the sums are added in order.
        let share = (batch * positions).div_ceil(rayon::current_num_threads()).max(1);
        let mut dp = vec![0.0f32; batch * positions * steps * dim];
        let parts: Vec<Vec<f32>> = dp
            .par_chunks_mut(share * steps * dim)
            .enumerate()
            .map(|(part, dp)| {
                let mut dz = vec![0.0f32; z.len()];
                let mut scaled = vec![0.0f32; steps * stride];
                let mut latents = vec![0u32; 1];
                for (i, dp) in dp.chunks_exact_mut(steps * dim).enumerate() {
                    let row = part * share + i;
                    let p = &p[row * steps * dim..(row + 1) * steps * dim];
                    let g = &g[row * steps * stride..(row + 1) * steps * stride];
                    scaled.iter_mut().zip(g).for_each(|(s, g)| *s = g * scale);
                    let future = (row / positions) * time + row % positions + 1;
                    for k in 0..steps {
                        latents[0] = (future + k) as u32;
                        let one = k * dim..(k + 1) * dim;
                        let (p, dp) = (&p[one.clone()], &mut dp[one]);
                        let g = &scaled[k * stride..k * stride + 1];
                        arch().dispatch(Backward { p, z, rows: &latents, g, stride, dim, dp, dz: &mut dz });
                    }
                    let rows = &rows[row * number..(row + 1) * number];
                    let g = scaled.get(1..).unwrap_or_default();
                    arch().dispatch(Backward { p, z, rows, g, stride, dim, dp, dz: &mut dz });
                }
                dz
            })
            .collect();
        let mut parts = parts.into_iter();
        let mut dz = parts.next().unwrap_or_default();
        for part in parts {
            dz.iter_mut().zip(&part).for_each(|(a, b)| *a += b);
        }
        Ok([
            Some(Tensor::from_vec(dp, (batch, positions, steps, dim), &Device::Cpu)?),
            Some(Tensor::from_vec(dz, ((), time, dim), &Device::Cpu)?),
            None,
        ])
    };
    let constant = Tensor::zeros(1, z.dtype(), z.device())?;
    function([&predictions, &z, &constant], scores, backward)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::check::{device, finite_differences, random, same, single};

    fn case(batch: usize, positions: usize, steps: usize, dim: usize, number: usize) -> (Vec<Tensor>, Negatives) {
        let time = positions + steps;
        let mut s = crate::seed::stream(5, "negatives", 0);
        let rows = (0..batch * positions * number).map(|_| s.below((batch * time) as u32));
        let rows: Vec<u32> = rows.collect();
        let inputs = vec![random(&[batch, positions, steps, dim], 1), random(&[batch, time, dim], 2)];
        (inputs, Negatives::of(rows, number))
    }

    #[test]
    fn fused_equals_composed_equals_finite_differences() {
        // Heads and dimensions that do not fill a register, one case that does, odd numbers of negatives, and no negatives.
        for (b, p, k, d, n) in [(2, 3, 2, 5, 3), (2, 7, 12, 16, 8), (3, 4, 5, 35, 1), (1, 2, 1, 64, 9), (2, 2, 2, 3, 0)]
        {
            if n == 0 && device().is_cuda() {
                continue; // a GPU has no empty arrays; a model without negatives is scored by `all_pairs`
            }
            let (inputs, negatives) = case(b, p, k, d, n);
            let fused = |t: &[Tensor]| sampled_scores(&t[0], &t[1], &negatives, 0.3);
            let composed = |t: &[Tensor]| composed(&t[0], &t[1], &negatives, 0.3);
            same(fused, composed, &inputs);
            finite_differences(composed, &inputs);
        }
    }

    #[test]
    fn negatives_are_taken_from_windows_that_follow() {
        let (inputs, _) = case(2, 3, 4, 20, 1);
        let more = vec![inputs[0].clone(), Tensor::cat(&[&inputs[1], &random(&[3, 7, 20], 9)], 0).unwrap()];
        let rows: Vec<u32> = (0..6 * 5).map(|i| (i * 11) % 35).collect();
        let negatives = Negatives::of(rows, 5);
        let fused = |t: &[Tensor]| sampled_scores(&t[0], &t[1], &negatives, 0.3);
        let composed = |t: &[Tensor]| composed(&t[0], &t[1], &negatives, 0.3);
        same(fused, composed, &more);
        finite_differences(composed, &more);
    }

    #[test]
    fn a_negative_that_is_the_true_future_scores_the_same_to_the_bit() {
        let (inputs, _) = case(2, 6, 4, 37, 5);
        let next: Vec<u32> = (0..12 * 5).map(|i| (i / 30) * 10 + (i / 5) % 6 + 1).collect(); // z_{t+1}
        let negatives = Negatives::of(next, 5);
        let single: Vec<Tensor> = inputs.iter().map(single).collect();
        let scores = sampled_scores(&single[0], &single[1], &negatives, 0.1).unwrap().flatten(0, 1).unwrap();
        for row in scores.to_vec3::<f32>().unwrap() {
            assert!(row[0].iter().all(|&s| s == row[0][0]), "{:?}", row[0]);
        }
    }

    #[test]
    fn rows_outside_the_batch_are_an_error() {
        let (inputs, _) = case(2, 3, 2, 4, 3);
        let negatives = Negatives::of([10; 18], 3);
        assert!(composed(&inputs[0], &inputs[1], &negatives, 1.0).is_err());
    }
}
