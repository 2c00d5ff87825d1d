//! The gated recurrent unit (Cho et al. 2014), as in PyTorch's `nn.GRU`, with gates r, z, n in this order.
//!
//! ```text
//! r = sigmoid(x_r + h_r)    z = sigmoid(x_z + h_z)    n = tanh(x_n + r * h_n)    h' = (1 - z) * n + z * h
//! ```
//! where x_. and h_. are the input and the recurrent projections, including their biases.

use crate::ops::recurrent::{Cell, State};
use crate::ops::simd::{kernel, sigmoid, tanh};
use candle_core::{D, Tensor};

/// The step of a GRU. Keeps h, r, z, n and h_n.
#[derive(Debug, Clone, Copy)]
pub struct Gru;

impl Cell for Gru {
    const GATES: usize = 3;
    const KEPT: usize = 5;
    #[cfg(feature = "cuda")]
    const KERNELS: crate::ops::recurrent::Run = crate::ops::cuda::gru;

    fn step(gx: &[f32], gh: &[f32], kept: &mut [f32], _: &mut [f32], h: &mut [f32]) {
        step(gx, gh, kept, h);
    }

    fn step_backward(kept: &[f32], dh: &mut [f32], _: &mut [f32], dgx: &mut [f32], dgh: &mut [f32]) {
        step_backward(kept, dh, dgx, dgh);
    }

    fn step_tensors(gx: &Tensor, gh: &Tensor, state: &State) -> candle_core::Result<(State, Vec<Tensor>)> {
        let (x, g) = (gx.chunk(3, D::Minus1)?, gh.chunk(3, D::Minus1)?);
        let r = candle_nn::ops::sigmoid(&(&x[0] + &g[0])?)?;
        let z = candle_nn::ops::sigmoid(&(&x[1] + &g[1])?)?;
        let n = (&x[2] + (&r * &g[2])?)?.tanh()?;
        let h = (&n + (&z * (&state.h - &n)?)?)?;
        Ok((State { h, c: state.c.clone() }, vec![state.h.clone(), r, z, n, g[2].clone()]))
    }

    fn step_tensors_backward(kept: &[Tensor], dh: &Tensor, dc: &Tensor) -> candle_core::Result<[Tensor; 4]> {
        let [before, r, z, n, q] = kept else { candle_core::bail!("a GRU keeps five tensors") };
        let dn = (dh * (1.0 - z)? * (1.0 - n.sqr()?)?)?;
        let dz = (dh * (before - n)? * (z * (1.0 - z)?)?)?;
        let dr = (&dn * q * (r * (1.0 - r)?)?)?;
        let dgh = Tensor::cat(&[&dr, &dz, &(&dn * r)?], D::Minus1)?;
        let dgx = Tensor::cat(&[&dr, &dz, &dn], D::Minus1)?;
        Ok([dgx, dgh, (dh * z)?, dc.clone()])
    }
}

kernel! {
    fn step<'a>(gx: &'a [f32], gh: &'a [f32], kept: &'a mut [f32], h: &'a mut [f32]) {
        let n = h.len();
        let (xr, xz, xn) = (&gx[..n], &gx[n..2 * n], &gx[2 * n..3 * n]);
        let (hr, hz, hn) = (&gh[..n], &gh[n..2 * n], &gh[2 * n..3 * n]);
        let (before, rest) = kept.split_at_mut(n);
        let (r, rest) = rest.split_at_mut(n);
        let (z, rest) = rest.split_at_mut(n);
        let (new, q) = rest.split_at_mut(n);
        let (before, q) = (&before[..n], &mut q[..n]);
        for i in 0..n {
            r[i] = sigmoid(xr[i] + hr[i]);
            z[i] = sigmoid(xz[i] + hz[i]);
            q[i] = hn[i];
            new[i] = tanh(xn[i] + r[i] * q[i]);
            h[i] = (1.0 - z[i]) * new[i] + z[i] * before[i];
        }
    }
}

kernel! {
    fn step_backward<'a>(kept: &'a [f32], dh: &'a mut [f32], dgx: &'a mut [f32], dgh: &'a mut [f32]) {
        let n = dh.len();
        let part = |i: usize| &kept[i * n..(i + 1) * n];
        let (before, r, z, new, q) = (part(0), part(1), part(2), part(3), part(4));
        let (xr, rest) = dgx.split_at_mut(n);
        let (xz, xn) = rest.split_at_mut(n);
        let (hr, rest) = dgh.split_at_mut(n);
        let (hz, hn) = rest.split_at_mut(n);
        let (xn, hn) = (&mut xn[..n], &mut hn[..n]);
        for i in 0..n {
            let dn = dh[i] * (1.0 - z[i]) * (1.0 - new[i] * new[i]);
            let dz = dh[i] * (before[i] - new[i]) * z[i] * (1.0 - z[i]);
            let dr = dn * q[i] * r[i] * (1.0 - r[i]);
            xr[i] = dr;
            hr[i] = dr;
            xz[i] = dz;
            hz[i] = dz;
            xn[i] = dn;
            hn[i] = dn * r[i];
            dh[i] *= z[i];
        }
    }
}
