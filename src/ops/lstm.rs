//! Long short-term memory (Hochreiter and Schmidhuber 1997), as in PyTorch's `nn.LSTM`, with gates i, f, g, o in this order.
//!
//! ```text
//! i, f, o = sigmoid(x + h)    g = tanh(x_g + h_g)    c' = f * c + i * g    h' = o * tanh(c')
//! ```
//! where x and h are the input and the recurrent projections, including their biases.

use crate::ops::recurrent::{Cell, State};
use crate::ops::simd::{kernel, sigmoid, tanh};
use candle_core::{D, Tensor};

/// The step of an LSTM. Keeps h, i, f, g, o, tanh c' and c.
#[derive(Debug, Clone, Copy)]
pub struct Lstm;

impl Cell for Lstm {
    const GATES: usize = 4;
    const KEPT: usize = 7;
    #[cfg(feature = "cuda")]
    const KERNELS: crate::ops::recurrent::Run = crate::ops::cuda::lstm;

    fn step(gx: &[f32], gh: &[f32], kept: &mut [f32], c: &mut [f32], h: &mut [f32]) {
        step(gx, gh, kept, c, h);
    }

    fn step_backward(kept: &[f32], dh: &mut [f32], dc: &mut [f32], dgx: &mut [f32], dgh: &mut [f32]) {
        step_backward(kept, dh, dc, dgx, dgh);
    }

    fn step_tensors(gx: &Tensor, gh: &Tensor, state: &State) -> candle_core::Result<(State, Vec<Tensor>)> {
        let gates = (gx + gh)?.chunk(4, D::Minus1)?;
        let i = candle_nn::ops::sigmoid(&gates[0])?;
        let f = candle_nn::ops::sigmoid(&gates[1])?;
        let g = gates[2].tanh()?;
        let o = candle_nn::ops::sigmoid(&gates[3])?;
        let c = ((&f * &state.c)? + (&i * &g)?)?;
        let tanh_c = c.tanh()?;
        let h = (&o * &tanh_c)?;
        Ok((State { h, c }, vec![i, f, g, o, tanh_c, state.c.clone()]))
    }

    fn step_tensors_backward(kept: &[Tensor], dh: &Tensor, dc: &Tensor) -> candle_core::Result<[Tensor; 4]> {
        let [i, f, g, o, tanh_c, before] = kept else { candle_core::bail!("an LSTM keeps six tensors") };
        let d = (dc + (dh * o * (1.0 - tanh_c.sqr()?)?)?)?;
        let di = (&d * g * (i * (1.0 - i)?)?)?;
        let df = (&d * before * (f * (1.0 - f)?)?)?;
        let dg = (&d * i * (1.0 - g.sqr()?)?)?;
        let d_o = (dh * tanh_c * (o * (1.0 - o)?)?)?;
        let gates = Tensor::cat(&[&di, &df, &dg, &d_o], D::Minus1)?;
        Ok([gates.clone(), gates, dh.zeros_like()?, (d * f)?])
    }
}

kernel! {
    fn step<'a>(gx: &'a [f32], gh: &'a [f32], kept: &'a mut [f32], c: &'a mut [f32], h: &'a mut [f32]) {
        let n = h.len();
        let (_, rest) = kept.split_at_mut(n);
        let (i, rest) = rest.split_at_mut(n);
        let (f, rest) = rest.split_at_mut(n);
        let (g, rest) = rest.split_at_mut(n);
        let (o, rest) = rest.split_at_mut(n);
        let (tanh_c, before) = rest.split_at_mut(n);
        let (before, c) = (&mut before[..n], &mut c[..n]);
        let gate = |k: usize| (&gx[k * n..(k + 1) * n], &gh[k * n..(k + 1) * n]);
        let ((xi, hi), (xf, hf), (xg, hg), (xo, ho)) = (gate(0), gate(1), gate(2), gate(3));
        for j in 0..n {
            i[j] = sigmoid(xi[j] + hi[j]);
            f[j] = sigmoid(xf[j] + hf[j]);
            g[j] = tanh(xg[j] + hg[j]);
            o[j] = sigmoid(xo[j] + ho[j]);
            before[j] = c[j];
            c[j] = f[j] * c[j] + i[j] * g[j];
            tanh_c[j] = tanh(c[j]);
            h[j] = o[j] * tanh_c[j];
        }
    }
}

kernel! {
    fn step_backward<'a>(kept: &'a [f32], dh: &'a mut [f32], dc: &'a mut [f32], dgx: &'a mut [f32], dgh: &'a mut [f32]) {
        let n = dh.len();
        let part = |k: usize| &kept[k * n..(k + 1) * n];
        let (i, f, g, o, tanh_c, before) = (part(1), part(2), part(3), part(4), part(5), part(6));
        let (di, rest) = dgx.split_at_mut(n);
        let (df, rest) = rest.split_at_mut(n);
        let (dg, d_o) = rest.split_at_mut(n);
        let (d_o, dc) = (&mut d_o[..n], &mut dc[..n]);
        for j in 0..n {
            let d = dc[j] + dh[j] * o[j] * (1.0 - tanh_c[j] * tanh_c[j]);
            di[j] = d * g[j] * i[j] * (1.0 - i[j]);
            df[j] = d * before[j] * f[j] * (1.0 - f[j]);
            dg[j] = d * i[j] * (1.0 - g[j] * g[j]);
            d_o[j] = dh[j] * tanh_c[j] * o[j] * (1.0 - o[j]);
            dc[j] = d * f[j];
            dh[j] = 0.0;
        }
        dgh.copy_from_slice(dgx);
    }
}
