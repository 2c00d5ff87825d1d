//! A linear layer, `y = x W' + b`, with or without ReLU or GELU, as one operation.
//!
//! In candle it would be a product, a sum and a comparison, each with one pass over memory forward and two backward. Here the product is
//! accumulated onto the bias, and the gradient is masked by ReLU before the backward products.

use crate::error::{Error, Result};
use crate::ops::activations::{gelu, gelu_in_place, gelu_with_slope};
#[cfg(feature = "cuda")]
use crate::ops::cuda;
use crate::ops::function::{Floats, Form, Output, function};
use crate::ops::matrix::{View, ViewMut, multiply};
use crate::ops::norm::relu_in_place;
use crate::ops::simd::kernel;
use candle_core::{Device, Tensor};
use rayon::prelude::*;

/// Elements per task in a pass over memory.
const BLOCK: usize = 1 << 15;

/// Returns (N, O) for `x` (N, I), `weight` (O, I) and `bias` (O), followed by ReLU if `relu`.
///
/// # Errors
/// If the shapes do not match.
pub fn linear(x: &Tensor, weight: &Tensor, bias: &Tensor, relu: bool) -> Result<Tensor> {
    match Form::of(x) {
        Form::Fused => fused(x, weight, bias, if relu { Activation::Relu } else { Activation::None }),
        #[cfg(feature = "cuda")]
        Form::Kernels => cuda::linear(x, weight, Some(bias), relu),
        Form::Composed => composed(x, weight, bias, relu),
    }
}

/// [`linear`] followed by [`gelu`].
///
/// # Errors
/// If the shapes do not match.
pub fn linear_gelu(x: &Tensor, weight: &Tensor, bias: &Tensor) -> Result<Tensor> {
    match Form::of(x) {
        Form::Fused => fused(x, weight, bias, Activation::Gelu),
        _ => gelu(&linear(x, weight, bias, false)?),
    }
}

/// Returns `x W'`, (N, O), for `x` (N, I) and `weight` (O, I).
///
/// # Errors
/// If the shapes do not match.
pub fn product(x: &Tensor, weight: &Tensor) -> Result<Tensor> {
    match Form::of(x) {
        Form::Fused => fused_onto(x, weight, None),
        #[cfg(feature = "cuda")]
        Form::Kernels => cuda::linear(x, weight, None, false),
        Form::Composed => Ok(x.matmul(&weight.t()?)?),
    }
}

/// [`linear`] built from candle operations.
pub fn composed(x: &Tensor, weight: &Tensor, bias: &Tensor, relu: bool) -> Result<Tensor> {
    let y = x.matmul(&weight.t()?)?.broadcast_add(bias)?;
    Ok(if relu { y.relu()? } else { y })
}

/// What follows a product.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// Nothing.
    None,
    /// ReLU.
    Relu,
    /// GELU.
    Gelu,
}

/// [`linear`] or [`linear_gelu`] on the CPU in f32.
pub fn fused(x: &Tensor, weight: &Tensor, bias: &Tensor, activation: Activation) -> Result<Tensor> {
    let (x, weight, bias) = (x.contiguous()?, weight.contiguous()?, bias.contiguous()?);
    let ((n, inputs), outputs) = (x.dims2()?, weight.dim(0)?);
    let mut y = Vec::with_capacity(n * outputs);
    {
        let (x, w, b) = (Floats::of(&x)?, Floats::of(&weight)?, Floats::of(&bias)?);
        (0..n).for_each(|_| y.extend_from_slice(&b));
        let (x, w) = (View::new(&x, n, inputs, inputs)?, View::new(&w, outputs, inputs, inputs)?);
        multiply(ViewMut::new(&mut y, n, outputs, outputs)?, true, x, w.t(), false)?;
    }
    let mut slope = Vec::new();
    match activation {
        Activation::None => {}
        Activation::Relu => y.par_chunks_mut(BLOCK).for_each(relu_in_place),
        Activation::Gelu if !x.track_op() && !weight.track_op() && !bias.track_op() => {
            y.par_chunks_mut(BLOCK).for_each(gelu_in_place);
        }
        Activation::Gelu => {
            slope = vec![0.0; y.len()];
            y.par_chunks_mut(BLOCK).zip(slope.par_chunks_mut(BLOCK)).for_each(|(y, slope)| gelu_with_slope(y, slope));
        }
    }
    let y = Tensor::from_vec(y, (n, outputs), &Device::Cpu)?;
    let (inputs_tracked, kept) = (x.track_op(), (x.detach(), weight.detach(), y.clone()));
    let backward = move |grad: &Tensor| -> Result<[Option<Tensor>; 3]> {
        let (x, weight, y) = &kept;
        let grad = grad.contiguous()?;
        let (x, w, y, g) = (Floats::of(x)?, Floats::of(weight)?, Floats::of(y)?, Floats::of(&grad)?);
        let through = |by: &[f32], pass: fn(&[f32], &[f32], &mut [f32])| {
            let mut out = vec![0.0; g.len()];
            let each = out.par_chunks_mut(BLOCK).zip(g.par_chunks(BLOCK).zip(by.par_chunks(BLOCK)));
            each.for_each(|(d, (g, by))| pass(g, by, d));
            Some(out)
        };
        let masked = match activation {
            Activation::None => None,
            Activation::Relu => through(&y, where_positive),
            Activation::Gelu => through(&slope, products),
        };
        let g = View::new(masked.as_deref().unwrap_or(&g), n, outputs, outputs)?;
        let dx = if inputs_tracked {
            let mut dx = vec![0.0; n * inputs];
            let w = View::new(&w, outputs, inputs, inputs)?;
            multiply(ViewMut::new(&mut dx, n, inputs, inputs)?, false, g, w, false)?;
            Some(Tensor::from_vec(dx, (n, inputs), &Device::Cpu)?)
        } else {
            None
        };
        let (mut dw, mut db) = (vec![0.0; outputs * inputs], vec![0.0; outputs]);
        multiply(
            ViewMut::new(&mut dw, outputs, inputs, inputs)?,
            false,
            g.t(),
            View::new(&x, n, inputs, inputs)?,
            false,
        )?;
        let ones = vec![1.0; n];
        multiply(ViewMut::new(&mut db, 1, outputs, outputs)?, false, View::new(&ones, 1, n, n)?, g, false)?;
        let dw = Tensor::from_vec(dw, (outputs, inputs), &Device::Cpu)?;
        Ok([dx, Some(dw), Some(Tensor::from_vec(db, outputs, &Device::Cpu)?)])
    };
    function([&x, &weight, &bias], y, backward)
}

/// Returns `onto + x W'`, (N, O), for `x` (N, I), `weight` (O, I) and `onto` (N, O).
///
/// # Errors
/// If the shapes do not match.
pub fn linear_onto(x: &Tensor, weight: &Tensor, onto: &Tensor) -> Result<Tensor> {
    match Form::of(x) {
        Form::Fused => fused_onto(x, weight, Some(onto)),
        _ => composed_onto(x, weight, onto),
    }
}

fn composed_onto(x: &Tensor, weight: &Tensor, onto: &Tensor) -> Result<Tensor> {
    Ok((x.matmul(&weight.t()?)? + onto)?)
}

/// [`linear_onto`], or [`product`] without `onto`, on the CPU in f32.
fn fused_onto(x: &Tensor, weight: &Tensor, onto: Option<&Tensor>) -> Result<Tensor> {
    let (x, weight) = (x.contiguous()?, weight.contiguous()?);
    let ((n, inputs), (outputs, across)) = (x.dims2()?, weight.dims2()?);
    let onto = onto.map(Tensor::contiguous).transpose()?;
    if inputs != across || onto.as_ref().is_some_and(|onto| onto.dims() != [n, outputs]) {
        let what = format!("({n} x {inputs}) times ({across} x {outputs}) onto {:?}", onto.map(|t| t.dims().to_vec()));
        return Err(Error::Tensor(candle_core::Error::Msg(what)));
    }
    let mut y = match &onto {
        Some(onto) => Floats::of(onto)?.to_vec(),
        None => vec![0.0; n * outputs],
    };
    {
        let (x, w) = (Floats::of(&x)?, Floats::of(&weight)?);
        let (x, w) = (View::new(&x, n, inputs, inputs)?, View::new(&w, outputs, inputs, inputs)?);
        multiply(ViewMut::new(&mut y, n, outputs, outputs)?, onto.is_some(), x, w.t(), false)?;
    }
    let (kept, tracked) = ((x.detach(), weight.detach()), [x.track_op(), weight.track_op(), onto.is_some()]);
    let backward = move |grad: &Tensor| -> Result<[Option<Tensor>; 3]> {
        let grad = grad.contiguous()?;
        let (x, w, g) = (Floats::of(&kept.0)?, Floats::of(&kept.1)?, Floats::of(&grad)?);
        let (x, w) = (View::new(&x, n, inputs, inputs)?, View::new(&w, outputs, inputs, inputs)?);
        let g = View::new(&g, n, outputs, outputs)?;
        let of = |rows: usize, lhs: View, rhs: View| -> Result<Tensor> {
            let mut product = vec![0.0; rows * inputs];
            multiply(ViewMut::new(&mut product, rows, inputs, inputs)?, false, lhs, rhs, false)?;
            Ok(Tensor::from_vec(product, (rows, inputs), &Device::Cpu)?)
        };
        Ok([
            tracked[0].then(|| of(n, g, w)).transpose()?,
            tracked[1].then(|| of(outputs, g.t(), x)).transpose()?,
            tracked[2].then(|| grad.clone()),
        ])
    };
    let third = onto.unwrap_or_else(|| x.detach());
    function([&x, &weight, &third], Output::floats(y, (n, outputs)), backward)
}

kernel! {
    fn products<'a>(a: &'a [f32], b: &'a [f32], out: &'a mut [f32]) {
        out.iter_mut().zip(a).zip(b).for_each(|((d, a), b)| *d = a * b);
    }
}

kernel! {
    /// `grad` where `y` is above zero, else 0: the backward pass of ReLU.
    pub(super) fn where_positive<'a>(grad: &'a [f32], y: &'a [f32], out: &'a mut [f32]) {
        for ((d, &g), &y) in out.iter_mut().zip(grad).zip(y) {
            *d = if y > 0.0 { g } else { 0.0 };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::activations::composed_gelu;
    use crate::ops::check::{finite_differences, random, same};

    #[test]
    fn both_forms_agree_and_their_gradients_are_the_slopes() {
        let inputs = [random(&[5, 7], 1), random(&[4, 7], 2), random(&[4], 3)];
        for relu in [false, true] {
            finite_differences(|t| composed(&t[0], &t[1], &t[2], relu), &inputs);
            same(|t| linear(&t[0], &t[1], &t[2], relu), |t| composed(&t[0], &t[1], &t[2], relu), &inputs);
        }
        let with_gelu = |t: &[Tensor]| composed_gelu(&composed(&t[0], &t[1], &t[2], false)?);
        same(|t| linear_gelu(&t[0], &t[1], &t[2]), with_gelu, &inputs);
    }

    #[test]
    fn a_product_alone_is_one_with_a_bias_of_zero() {
        let inputs = [random(&[5, 7], 1), random(&[4, 7], 2)];
        same(|t| product(&t[0], &t[1]), |t| Ok(t[0].matmul(&t[1].t()?)?), &inputs);
    }

    #[test]
    fn a_product_onto_something_has_the_slopes_of_its_parts() {
        let inputs = [random(&[5, 7], 1), random(&[4, 7], 2), random(&[5, 4], 3)];
        finite_differences(|t| composed_onto(&t[0], &t[1], &t[2]), &inputs);
        same(|t| linear_onto(&t[0], &t[1], &t[2]), |t| composed_onto(&t[0], &t[1], &t[2]), &inputs);
    }

    #[test]
    fn of_a_constant_no_gradient_is_made() {
        let single = |t: Tensor| t.to_dtype(candle_core::DType::F32).unwrap();
        let w = candle_core::Var::from_tensor(&single(random(&[4, 7], 2))).unwrap();
        let (x, b) = (single(random(&[5, 7], 1)), single(random(&[4], 3)));
        let y = fused(&x, &w, &b, Activation::Relu).unwrap();
        let grads = y.sum_all().unwrap().backward().unwrap();
        assert!(grads.get(&w).is_some() && grads.get(&x).is_none());
    }
}
