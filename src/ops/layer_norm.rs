//! Layer norm (Ba et al. 2016) of rows: each row is normalized to mean 0 and variance 1, then each column gets a gain and a shift.

use crate::error::Result;
use crate::ops::function::{Floats, Form, function};
use crate::ops::norm::EPS;
use crate::ops::simd::{kernel, sum1, sum2};
use candle_core::{D, Device, Tensor};
use rayon::prelude::*;

/// Rows per task.
const ROWS: usize = 64;

/// Returns (N, C) for `x` (N, C), `gain` (C) and `shift` (C). The variance is the biased one and eps is 1e-5, as in PyTorch.
///
/// # Errors
/// If the shapes do not match.
pub fn layer_norm(x: &Tensor, gain: &Tensor, shift: &Tensor) -> Result<Tensor> {
    match Form::of(x) {
        Form::Fused => fused(x, gain, shift),
        _ => composed(x, gain, shift),
    }
}

/// [`layer_norm`] built from candle operations.
pub fn composed(x: &Tensor, gain: &Tensor, shift: &Tensor) -> Result<Tensor> {
    let centered = x.broadcast_sub(&x.mean_keepdim(D::Minus1)?)?;
    let deviation = (centered.sqr()?.mean_keepdim(D::Minus1)? + EPS)?.sqrt()?;
    Ok(centered.broadcast_div(&deviation)?.broadcast_mul(gain)?.broadcast_add(shift)?)
}

/// [`layer_norm`] on the CPU in f32.
pub fn fused(x: &Tensor, gain: &Tensor, shift: &Tensor) -> Result<Tensor> {
    let (x, gain, shift) = (x.contiguous()?, gain.contiguous()?, shift.contiguous()?);
    let (n, c) = x.dims2()?;
    let (mut hat, mut out, mut rstd) = (vec![0.0f32; n * c], vec![0.0f32; n * c], vec![0.0f32; n]);
    {
        let (x, gain, shift) = (Floats::of(&x)?, Floats::of(&gain)?, Floats::of(&shift)?);
        let rows = hat.par_chunks_mut(ROWS * c).zip(out.par_chunks_mut(ROWS * c)).zip(rstd.par_chunks_mut(ROWS));
        rows.zip(x.par_chunks(ROWS * c)).for_each(|(((hat, out), rstd), x)| {
            forward_of(x, &gain, &shift, hat, out, rstd);
        });
    }
    let kept = gain.detach();
    let backward = move |grad: &Tensor| -> Result<[Option<Tensor>; 3]> {
        let grad = grad.contiguous()?;
        let (g, gain) = (Floats::of(&grad)?, Floats::of(&kept)?);
        let mut dx = vec![0.0f32; n * c];
        let parts: Vec<(Vec<f32>, Vec<f32>)> = dx
            .par_chunks_mut(ROWS * c)
            .zip(hat.par_chunks(ROWS * c))
            .zip(g.par_chunks(ROWS * c).zip(rstd.par_chunks(ROWS)))
            .map(|((dx, hat), (g, rstd))| {
                let (mut d_gain, mut d_shift) = (vec![0.0; c], vec![0.0; c]);
                backward_of(hat, g, &gain, rstd, dx, &mut d_gain, &mut d_shift);
                (d_gain, d_shift)
            })
            .collect();
        let (mut d_gain, mut d_shift) = (vec![0.0f32; c], vec![0.0f32; c]);
        for (gain, shift) in parts {
            d_gain.iter_mut().zip(gain).for_each(|(d, g)| *d += g);
            d_shift.iter_mut().zip(shift).for_each(|(d, g)| *d += g);
        }
        let of = |v: Vec<f32>| Tensor::from_vec(v, c, &Device::Cpu);
        Ok([Some(Tensor::from_vec(dx, (n, c), &Device::Cpu)?), Some(of(d_gain)?), Some(of(d_shift)?)])
    };
    function([&x, &gain, &shift], Tensor::from_vec(out, (n, c), &Device::Cpu)?, backward)
}

kernel! {
    fn forward_of<'a>(
        x: &'a [f32],
        gain: &'a [f32],
        shift: &'a [f32],
        hat: &'a mut [f32],
        out: &'a mut [f32],
        rstd: &'a mut [f32],
    ) {
        let c = gain.len();
        let n = c as f32;
        for (((x, hat), out), rstd) in
            x.chunks_exact(c).zip(hat.chunks_exact_mut(c)).zip(out.chunks_exact_mut(c)).zip(rstd)
        {
            let mean = sum1(x, |v| v) / n;
            let r = 1.0 / (sum1(x, |v| (v - mean) * (v - mean)) / n + EPS as f32).sqrt();
            *rstd = r;
            hat.iter_mut().zip(x).for_each(|(h, &v)| *h = (v - mean) * r);
            for (((o, &h), &g), &s) in out.iter_mut().zip(hat.iter()).zip(gain).zip(shift) {
                *o = g * h + s;
            }
        }
    }
}

kernel! {
    fn backward_of<'a>(
        hat: &'a [f32],
        grad: &'a [f32],
        gain: &'a [f32],
        rstd: &'a [f32],
        dx: &'a mut [f32],
        d_gain: &'a mut [f32],
        d_shift: &'a mut [f32],
    ) {
        let c = gain.len();
        let n = c as f32;
        for (((h, g), dx), &r) in
            hat.chunks_exact(c).zip(grad.chunks_exact(c)).zip(dx.chunks_exact_mut(c)).zip(rstd)
        {
            for ((d, &g), &gain) in dx.iter_mut().zip(g).zip(gain) {
                *d = g * gain;
            }
            let mean = sum1(dx, |v| v) / n;
            let along = sum2(dx, h, |a, b| a * b) / n;
            for (((d, &h), &g), (dg, ds)) in
                dx.iter_mut().zip(h).zip(g).zip(d_gain.iter_mut().zip(d_shift.iter_mut()))
            {
                *d = (*d - mean - h * along) * r;
                *dg += g * h;
                *ds += g;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::check::{finite_differences, random, same};

    #[test]
    fn both_forms_agree_and_their_gradients_are_the_slopes() {
        for (n, c) in [(5, 7), (130, 33)] {
            let inputs = [random(&[n, c], 1), random(&[c], 2), random(&[c], 3)];
            if n < 10 {
                finite_differences(|t| composed(&t[0], &t[1], &t[2]), &inputs);
            }
            same(|t| layer_norm(&t[0], &t[1], &t[2]), |t| composed(&t[0], &t[1], &t[2]), &inputs);
        }
    }
}
