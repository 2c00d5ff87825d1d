//! GELU (Hendrycks and Gimpel 2016) and GLU (Dauphin et al. 2017), each in one pass over memory, as in PyTorch.

use crate::error::{Error, Result};
use crate::ops::function::{Floats, Form, Output, function};
use crate::ops::simd::{exp, kernel, sigmoid};
use candle_core::{D, Tensor};
use rayon::prelude::*;

/// Elements per task.
const ELEMENTS: usize = 1 << 14;

/// `x Phi(x)`, with the distribution function Phi of the normal distribution.
///
/// # Errors
/// A tensor operation fails.
pub fn gelu(x: &Tensor) -> Result<Tensor> {
    match Form::of(x) {
        Form::Fused => fused_gelu(x),
        _ => composed_gelu(x),
    }
}

/// `a sigmoid(b)`, (N, C), of `x` (N, 2 C), whose rows are a and b.
///
/// # Errors
/// The rows have an odd length.
pub fn glu(x: &Tensor) -> Result<Tensor> {
    match Form::of(x) {
        Form::Fused => fused_glu(x),
        _ => composed_glu(x),
    }
}

/// [`gelu`] built from candle operations.
pub fn composed_gelu(x: &Tensor) -> Result<Tensor> {
    let phi = (((x * std::f64::consts::FRAC_1_SQRT_2)?.erf()? + 1.0)? * 0.5)?;
    Ok((x * phi)?)
}

/// [`gelu`] on the CPU in f32.
pub fn fused_gelu(x: &Tensor) -> Result<Tensor> {
    let x = x.contiguous()?;
    let mut y = vec![0.0f32; x.elem_count()];
    {
        let x = Floats::of(&x)?;
        y.par_chunks_mut(ELEMENTS).zip(x.par_chunks(ELEMENTS)).for_each(|(y, x)| gelu_of(x, y));
    }
    let kept = x.detach();
    let backward = move |grad: &Tensor| -> Result<[Option<Tensor>; 3]> {
        let grad = grad.contiguous()?;
        let (g, x) = (Floats::of(&grad)?, Floats::of(&kept)?);
        let mut dx = vec![0.0f32; x.len()];
        let each = dx.par_chunks_mut(ELEMENTS).zip(g.par_chunks(ELEMENTS).zip(x.par_chunks(ELEMENTS)));
        each.for_each(|(dx, (g, x))| gelu_slope(x, g, dx));
        Ok([Some(Tensor::from_vec(dx, kept.shape(), grad.device())?), None, None])
    };
    let shape = x.shape().clone();
    function([&x, &x, &x], Output::floats(y, shape), backward)
}

/// [`glu`] built from candle operations.
pub fn composed_glu(x: &Tensor) -> Result<Tensor> {
    let parts = x.chunk(2, D::Minus1)?;
    let [a, b] = parts.as_slice() else {
        return Err(Error::Tensor(candle_core::Error::Msg(format!("rows of {:?} have no two halves", x.dims()))));
    };
    Ok((a * candle_nn::ops::sigmoid(b)?)?)
}

/// [`glu`] on the CPU in f32.
pub fn fused_glu(x: &Tensor) -> Result<Tensor> {
    let x = x.contiguous()?;
    let (n, both) = x.dims2()?;
    let c = both / 2;
    if c == 0 || !both.is_multiple_of(2) || n == 0 {
        return composed_glu(&x);
    }
    let rows = ELEMENTS.div_ceil(both);
    let mut y = vec![0.0f32; n * c];
    {
        let x = Floats::of(&x)?;
        y.par_chunks_mut(rows * c).zip(x.par_chunks(rows * both)).for_each(|(y, x)| glu_of(x, c, y));
    }
    let kept = x.detach();
    let backward = move |grad: &Tensor| -> Result<[Option<Tensor>; 3]> {
        let grad = grad.contiguous()?;
        let (g, x) = (Floats::of(&grad)?, Floats::of(&kept)?);
        let mut dx = vec![0.0f32; x.len()];
        let each = dx.par_chunks_mut(rows * both).zip(g.par_chunks(rows * c).zip(x.par_chunks(rows * both)));
        each.for_each(|(dx, (g, x))| glu_slope(x, g, c, dx));
        Ok([Some(Tensor::from_vec(dx, (n, both), grad.device())?), None, None])
    };
    function([&x, &x, &x], Output::floats(y, (n, c)), backward)
}

/// Phi(x), from the approximation 7.1.26 of erf by Abramowitz and Stegun (to 1.5e-7), and the density.
#[inline(always)]
fn normal(x: f32) -> (f32, f32) {
    let bell = exp(-0.5 * x * x);
    let t = 1.0 / (1.0 + 0.327_591_1 * std::f32::consts::FRAC_1_SQRT_2 * x.abs());
    let p = t * (0.254_829_6 + t * (-0.284_496_74 + t * (1.421_413_8 + t * (-1.453_152 + t * 1.061_405_4))));
    let tail = 0.5 * p * bell;
    (if x < 0.0 { tail } else { 1.0 - tail }, bell * 0.398_942_3)
}

kernel! {
    fn gelu_of<'a>(x: &'a [f32], y: &'a mut [f32]) {
        for (y, x) in y.iter_mut().zip(x) {
            *y = x * normal(*x).0;
        }
    }
}

kernel! {
    /// GELU in place.
    pub(super) fn gelu_in_place<'a>(x: &'a mut [f32]) {
        x.iter_mut().for_each(|x| *x *= normal(*x).0);
    }
}

kernel! {
    /// GELU in place, and its slope.
    pub(super) fn gelu_with_slope<'a>(x: &'a mut [f32], slope: &'a mut [f32]) {
        for (x, slope) in x.iter_mut().zip(slope) {
            let (phi, density) = normal(*x);
            *slope = phi + *x * density;
            *x *= phi;
        }
    }
}

kernel! {
    fn gelu_slope<'a>(x: &'a [f32], g: &'a [f32], dx: &'a mut [f32]) {
        for ((d, x), g) in dx.iter_mut().zip(x).zip(g) {
            let (phi, density) = normal(*x);
            *d = g * (phi + x * density);
        }
    }
}

kernel! {
    fn glu_of<'a>(x: &'a [f32], c: usize, y: &'a mut [f32]) {
        for (x, y) in x.chunks_exact(2 * c).zip(y.chunks_exact_mut(c)) {
            let (a, b) = x.split_at(c);
            for ((y, a), b) in y.iter_mut().zip(a).zip(b) {
                *y = a * sigmoid(*b);
            }
        }
    }
}

kernel! {
    fn glu_slope<'a>(x: &'a [f32], g: &'a [f32], c: usize, dx: &'a mut [f32]) {
        for ((x, g), dx) in x.chunks_exact(2 * c).zip(g.chunks_exact(c)).zip(dx.chunks_exact_mut(2 * c)) {
            let ((a, b), (da, db)) = (x.split_at(c), dx.split_at_mut(c));
            for (((da, db), g), (a, b)) in da.iter_mut().zip(db).zip(g).zip(a.iter().zip(b)) {
                let open = sigmoid(*b);
                *da = g * open;
                *db = g * a * open * (1.0 - open);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::check::{close, finite_differences, random, same};

    #[test]
    fn fused_equals_composed_equals_finite_differences() {
        for (n, c) in [(3, 4), (1, 2), (40, 66)] {
            let inputs = [(random(&[n, c], 1) * 3.0).unwrap()];
            finite_differences(|t| composed_gelu(&t[0]), &inputs);
            close(&composed_gelu(&inputs[0]).unwrap(), &inputs[0].gelu_erf().unwrap(), 1e-12);
            same(|t| gelu(&t[0]), |t| composed_gelu(&t[0]), &inputs);
            finite_differences(|t| composed_glu(&t[0]), &inputs);
            same(|t| glu(&t[0]), |t| composed_glu(&t[0]), &inputs);
        }
        assert!(glu(&random(&[2, 3], 1)).is_err());
    }
}
