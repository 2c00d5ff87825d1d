//! Cross-entropy of scores whose first column is the true class: `logsumexp(row) - row[0]`, numerically stable for any scores.

use crate::error::Result;
#[cfg(feature = "cuda")]
use crate::ops::cuda;
use crate::ops::function::{Floats, Form, function};
use crate::ops::simd::{exp, kernel, largest, sum1};
use candle_core::{D, Device, Tensor};
use rayon::prelude::*;

/// Cross-entropy of each row of `scores` (.., 1 + N) with its first column as the target: (..), in nats.
pub fn first_is_true(scores: &Tensor) -> Result<Tensor> {
    match Form::of(scores) {
        Form::Fused => fused(scores),
        #[cfg(feature = "cuda")]
        Form::Kernels => cuda::cross_entropy(scores),
        Form::Composed => composed(scores),
    }
}

/// [`first_is_true`] built from candle operations.
pub fn composed(scores: &Tensor) -> Result<Tensor> {
    let max = scores.detach().max_keepdim(D::Minus1)?;
    let shifted = scores.broadcast_sub(&max)?;
    let log_sum = shifted.exp()?.sum(D::Minus1)?.log()?;
    Ok((log_sum - shifted.narrow(D::Minus1, 0, 1)?.squeeze(D::Minus1)?)?)
}

/// Rows per task.
const ROWS: usize = 256;

/// [`first_is_true`] on the CPU in f32.
pub fn fused(scores: &Tensor) -> Result<Tensor> {
    let scores = scores.contiguous()?;
    let width = scores.dim(D::Minus1)?;
    let shape = scores.dims()[..scores.rank() - 1].to_vec();
    let mut loss = vec![0.0f32; scores.elem_count() / width];
    {
        let s = Floats::of(&scores)?;
        loss.par_chunks_mut(ROWS).zip(s.par_chunks(ROWS * width)).for_each(|(loss, scores)| {
            losses_of(scores, width, loss);
        });
    }
    let loss = Tensor::from_vec(loss, shape, &Device::Cpu)?;
    let (kept, losses) = (scores.detach(), loss.clone());
    let backward = move |grad: &Tensor| -> Result<[Option<Tensor>; 3]> {
        let grad = grad.contiguous()?;
        let (g, s, l) = (Floats::of(&grad)?, Floats::of(&kept)?, Floats::of(&losses)?);
        let mut d = vec![0.0f32; s.len()];
        d.par_chunks_mut(ROWS * width)
            .zip(s.par_chunks(ROWS * width))
            .zip(g.par_chunks(ROWS).zip(l.par_chunks(ROWS)))
            .for_each(|((d, s), (g, l))| {
                gradients_of(s, width, l, g, d);
            });
        Ok([Some(Tensor::from_vec(d, kept.shape(), &Device::Cpu)?), None, None])
    };
    let constant = Tensor::zeros(1, scores.dtype(), scores.device())?;
    function([&scores, &constant, &constant], loss, backward)
}

kernel! {
    fn losses_of<'a>(scores: &'a [f32], width: usize, loss: &'a mut [f32]) {
        for (loss, row) in loss.iter_mut().zip(scores.chunks_exact(width)) {
            let max = largest(row);
            *loss = sum1(row, |v| exp(v - max)).ln() + (max - row[0]);
        }
    }
}

kernel! {
    fn gradients_of<'a>(scores: &'a [f32], width: usize, loss: &'a [f32], grad: &'a [f32], d: &'a mut [f32]) {
        for (((d, s), &g), &l) in d.chunks_exact_mut(width).zip(scores.chunks_exact(width)).zip(grad).zip(loss) {
            let log_sum = l + s[0];
            d.iter_mut().zip(s).for_each(|(d, &v)| *d = g * exp(v - log_sum));
            d[0] -= g;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::check::{finite_differences, random, same};

    #[test]
    fn fused_equals_composed_equals_finite_differences() {
        for shape in [[2, 3, 4, 5], [1, 2, 1, 129], [3, 1, 2, 1]] {
            let inputs = [random(&shape, 1)];
            same(|t| first_is_true(&t[0]), |t| composed(&t[0]), &inputs);
            finite_differences(|t| composed(&t[0]), &inputs);
        }
    }

    #[test]
    fn equal_scores_cost_the_log_of_their_number_and_huge_ones_stay_finite() {
        let equal = Tensor::zeros((4, 8), candle_core::DType::F32, &Device::Cpu).unwrap();
        let huge = Tensor::new(&[[1e4f32, -1e4], [-1e4, 1e4]], &Device::Cpu).unwrap();
        for form in [fused, composed] {
            assert!(form(&equal).unwrap().to_vec1::<f32>().unwrap().iter().all(|l| (l - 8f32.ln()).abs() < 1e-6));
            assert_eq!(form(&huge).unwrap().to_vec1::<f32>().unwrap(), [0.0, 2e4]);
        }
    }
}
