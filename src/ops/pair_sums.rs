//! The first layer of a network on pairs, whose weights are those of x beside those of y: relu(a_j + b_i) for all pairs, in one pass.

use crate::error::Result;
use crate::ops::function::{Floats, Form, Output, function};
use crate::ops::simd::kernel;
use candle_core::{DType, Device, Tensor};

/// relu(`a`_j + `b`_i), (N M, H), of `a` (M, H) and `b` (N, H): M rows for each of `b`.
///
/// # Errors
/// They differ in width.
pub fn pair_sums(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    match Form::of(a) {
        Form::Fused if a.dim(1)? == b.dim(1)? && a.dim(1)? > 0 => fused(a, b),
        _ => composed(a, b),
    }
}

/// [`pair_sums`] built from candle operations.
fn composed(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    let ((m, width), n) = (a.dims2()?, b.dim(0)?);
    Ok(a.unsqueeze(0)?.broadcast_add(&b.unsqueeze(1)?)?.relu()?.reshape((n * m, width))?)
}

/// [`pair_sums`] on the CPU in f32.
fn fused(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    let (a, b) = (a.contiguous()?, b.contiguous()?);
    let ((m, width), n) = (a.dims2()?, b.dim(0)?);
    let mut out = vec![0.0; n * m * width];
    sums(&Floats::of(&a)?, &Floats::of(&b)?, width, &mut out);
    let out = Tensor::from_vec(out, (n * m, width), &Device::Cpu)?;
    let kept = out.clone();
    let backward = move |grad: &Tensor| -> Result<[Option<Tensor>; 3]> {
        let grad = grad.contiguous()?;
        let (mut da, mut db) = (vec![0.0; m * width], vec![0.0; n * width]);
        slopes(&Floats::of(&grad)?, &Floats::of(&kept)?, width, &mut da, &mut db);
        let matrix = |values: Vec<f32>, rows: usize| Tensor::from_vec(values, (rows, width), &Device::Cpu);
        Ok([Some(matrix(da, m)?), Some(matrix(db, n)?), None])
    };
    let constant = Tensor::zeros(1, DType::F32, &Device::Cpu)?;
    function([&a, &b, &constant], Output::from(out), backward)
}

kernel! {
    fn sums<'a>(a: &'a [f32], b: &'a [f32], width: usize, out: &'a mut [f32]) {
        for (b, out) in b.chunks_exact(width).zip(out.chunks_exact_mut(a.len().max(1))) {
            for (a, out) in a.chunks_exact(width).zip(out.chunks_exact_mut(width)) {
                out.iter_mut().zip(a).zip(b).for_each(|((out, a), b)| *out = (a + b).max(0.0));
            }
        }
    }
}

kernel! {
    fn slopes<'a>(grad: &'a [f32], out: &'a [f32], width: usize, da: &'a mut [f32], db: &'a mut [f32]) {
        let each = grad.chunks_exact(da.len().max(1)).zip(out.chunks_exact(da.len().max(1)));
        for ((grad, out), db) in each.zip(db.chunks_exact_mut(width)) {
            let pairs = grad.chunks_exact(width).zip(out.chunks_exact(width));
            for ((grad, out), da) in pairs.zip(da.chunks_exact_mut(width)) {
                for ((da, db), (g, y)) in da.iter_mut().zip(db.iter_mut()).zip(grad.iter().zip(out)) {
                    let g = if *y > 0.0 { *g } else { 0.0 };
                    *da += g;
                    *db += g;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::check::{finite_differences, random, same};

    #[test]
    fn fused_equals_composed_equals_finite_differences() {
        for (m, n, width) in [(3, 4, 5), (1, 2, 33), (6, 1, 1)] {
            let inputs = [random(&[m, width], 1), random(&[n, width], 2)];
            same(|t| pair_sums(&t[0], &t[1]), |t| composed(&t[0], &t[1]), &inputs);
            finite_differences(|t| composed(&t[0], &t[1]), &inputs);
        }
        let (a, b) = (random(&[3, 4], 1), random(&[3, 5], 1));
        assert!(pair_sums(&a.to_dtype(DType::F32).unwrap(), &b.to_dtype(DType::F32).unwrap()).is_err());
    }
}
