//! Layers of diagonal state spaces (S4D: Gu et al. 2022), as in the published example of S4: each channel passes a linear recurrence of its
//! own, then GELU, a linear layer and GLU mix the channels, and the result is added to the input and normalized.
//!
//! ```text
//! x_t = W z_t + b
//! each layer:  y = K * x + D x,  K_l = 2 Re sum_n C_n (e^(dt A_n) - 1) / A_n e^(l dt A_n)     x <- layer_norm(x + glu(W gelu(y) + b))
//! ```
//!
//! In training, the convolution with K is computed by the Fourier transform; a stream carries the state of the recurrence.

use super::{Context, ContextConfig, ContextDesign, ContextStream};
use crate::error::Result;
use crate::nn::linear::{Linear, held};
use crate::ops::activations::{gelu, glu};
use crate::ops::impulse::impulse_response;
use crate::ops::layer_norm::layer_norm;
use crate::ops::long_conv::long_conv;
use crate::ops::state_space::StateSpaceStream;
use candle_core::{D, Device, Tensor};
use candle_nn::{Init, VarBuilder};
use std::sync::Arc;

/// Diagonal state spaces.
pub(super) static S4D: Design = Design;

/// The range of the initial time step of a channel, which is drawn log-uniformly.
const TIME_STEP: (f64, f64) = (0.001, 0.1);

pub(super) struct Design;

impl ContextDesign for Design {
    fn name(&self) -> &'static str {
        "s4d"
    }

    fn title(&self) -> &'static str {
        "S4D"
    }

    /// Names: `input.weight` (H, D), `input.bias` (H); of each layer, with M = N / 2: `layers.{i}.log_dt` (H), `.log_A_real` (H, M),
    /// `.A_imag_offset` (H, M), `.C` (H, M, 2), `.D` (H), `.output_linear.weight` (2H, H), `.output_linear.bias` (2H), `.norm.weight` (H),
    /// `.norm.bias` (H). The imaginary part of A_n is pi n (S4D-Lin) and the offset, which begins at zero.
    fn build(&self, cfg: &ContextConfig, input_dim: usize, vb: VarBuilder) -> Result<Arc<dyn Context>> {
        let (h, modes) = (cfg.hidden_dim, cfg.state_dim / 2);
        let normal = |variance: f64| Init::Randn { mean: 0.0, stdev: variance.sqrt() };
        let layer = |i: usize| -> Result<Layer> {
            let vb = vb.pp(format!("layers.{i}"));
            let log_dt = Init::Uniform { lo: TIME_STEP.0.ln(), up: TIME_STEP.1.ln() };
            Ok(Layer {
                log_dt: vb.get_with_hints(h, "log_dt", log_dt)?,
                log_a: vb.get_with_hints((h, modes), "log_A_real", Init::Const(0.5f64.ln()))?,
                offset: vb.get_with_hints((h, modes), "A_imag_offset", Init::Const(0.0))?,
                c: vb.get_with_hints((h, modes, 2), "C", normal(0.5))?,
                skip: vb.get_with_hints(h, "D", normal(1.0))?,
                mix: Mix {
                    linear: Linear::new(h, 2 * h, h, &vb.pp("output_linear"))?,
                    gain: vb.get_with_hints(h, "norm.weight", Init::Const(1.0))?,
                    shift: vb.get_with_hints(h, "norm.bias", Init::Const(0.0))?,
                },
            })
        };
        let input = Linear::new(input_dim, h, input_dim, &vb.pp("input"))?;
        Ok(Arc::new(StateSpaces { input, layers: (0..cfg.num_layers).map(layer).collect::<Result<_>>()? }))
    }
}

#[derive(Debug)]
struct StateSpaces {
    input: Linear,
    layers: Vec<Layer>,
}

/// The state spaces of all channels, and what mixes them.
#[derive(Debug)]
struct Layer {
    log_dt: Tensor,
    log_a: Tensor,
    offset: Tensor,
    c: Tensor,
    skip: Tensor,
    mix: Mix,
}

/// What a layer does with each frame alone.
#[derive(Debug, Clone)]
struct Mix {
    linear: Linear,
    gain: Tensor,
    shift: Tensor,
}

impl Layer {
    /// The logarithm of a step of each mode, dt A, and the weight of its state in the output, C (e^(dt A) - 1) / A: (H, M, 2) each.
    fn discrete(&self) -> Result<(Tensor, Tensor)> {
        let modes = self.log_a.dim(1)?;
        let lines =
            (Tensor::arange(0, modes as u32, self.c.device())?.to_dtype(self.c.dtype())? * std::f64::consts::PI)?;
        let dt = self.log_dt.exp()?.unsqueeze(1)?;
        let (a, b) = (self.log_a.exp()?.neg()?, self.offset.broadcast_add(&lines)?);
        let (x, y) = (a.broadcast_mul(&dt)?, b.broadcast_mul(&dt)?);
        let (grown, size) = (x.exp()?, (a.sqr()? + b.sqr()?)?);
        let (p, q) = (((&grown * y.cos()?)? - 1.0)?, (grown * y.sin()?)?);
        // (p + iq) / (a + ib), then times C.
        let (r, s) = (((&p * &a)? + (&q * &b)?)?.div(&size)?, ((q * a)? - (p * b)?)?.div(&size)?);
        let (c, d) = (self.c.narrow(2, 0, 1)?.squeeze(2)?, self.c.narrow(2, 1, 1)?.squeeze(2)?);
        let (real, imaginary) = (((&c * &r)? - (&d * &s)?)?, ((c * s)? + (d * r)?)?);
        Ok((Tensor::stack(&[x, y], D::Minus1)?, Tensor::stack(&[real, imaginary], D::Minus1)?))
    }

    /// The outputs (B, T, H) of `x` (B, T, H).
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let (batch, time, hidden) = x.dims3()?;
        let (z, c) = self.discrete()?;
        // The skip connection is a kernel of one tap.
        let skip = self.skip.unsqueeze(1)?.pad_with_zeros(1, 0, time.saturating_sub(1))?;
        let y = long_conv(x, &(impulse_response(&z, &c, time)? + skip)?)?;
        let rows = |t: &Tensor| t.reshape((batch * time, hidden));
        Ok(self.mix.forward(&rows(x)?, &rows(&y)?)?.reshape((batch, time, hidden))?)
    }
}

impl Mix {
    /// The outputs of a layer for its inputs `x` and the outputs `y` of its state spaces, (N, H) each.
    fn forward(&self, x: &Tensor, y: &Tensor) -> Result<Tensor> {
        let mixed = glu(&self.linear.forward(&gelu(y)?)?)?;
        layer_norm(&(x + mixed)?, &self.gain, &self.shift)
    }

    fn frozen(&self) -> Result<Mix> {
        Ok(Mix { linear: self.linear.held()?, gain: held(&self.gain)?, shift: held(&self.shift)? })
    }
}

impl Context for StateSpaces {
    fn forward(&self, z: &Tensor) -> Result<Tensor> {
        let (batch, time, dim) = z.dims3()?;
        let x = self.input.forward(&z.reshape((batch * time, dim))?)?;
        let mut x = x.reshape((batch, time, x.dim(1)?))?;
        for layer in &self.layers {
            x = layer.forward(&x)?;
        }
        Ok(x)
    }

    fn stream(&self) -> Result<Box<dyn ContextStream>> {
        let layer = |layer: &Layer| -> Result<(StateSpaceStream, Mix)> {
            let (z, c) = layer.discrete()?;
            let spaces = StateSpaceStream::new(&held(&z)?, &held(&c)?, &held(&layer.skip)?)?;
            Ok((spaces, layer.mix.frozen()?))
        };
        let layers = self.layers.iter().map(layer).collect::<Result<_>>()?;
        Ok(Box::new(Layers { input: self.input.held()?, layers }))
    }
}

/// The layers, applied to latents that arrive in pieces.
#[derive(Debug, Clone)]
struct Layers {
    input: Linear,
    layers: Vec<(StateSpaceStream, Mix)>,
}

impl ContextStream for Layers {
    fn push(&mut self, z: &[f32]) -> Result<Vec<Vec<f32>>> {
        let dim = self.input.inputs()?;
        let time = z.len() / dim;
        if time == 0 && z.is_empty() {
            return Ok(vec![Vec::new(); self.layers.len()]);
        }
        let mut x = self.input.forward(&Tensor::from_slice(z, (time, dim), &Device::Cpu)?)?;
        let mut outputs = Vec::with_capacity(self.layers.len());
        for (spaces, mix) in &mut self.layers {
            let y = spaces.push(&x.flatten_all()?.to_vec1::<f32>()?)?;
            x = mix.forward(&x, &Tensor::from_vec(y, x.shape(), &Device::Cpu)?)?;
            outputs.push(x.flatten_all()?.to_vec1::<f32>()?);
        }
        Ok(outputs)
    }

    fn reset(&mut self) {
        self.layers.iter_mut().for_each(|(spaces, _)| spaces.reset());
    }

    fn copy(&self) -> Box<dyn ContextStream> {
        Box::new(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::ParamStore;
    use crate::nn::context::ContextKind;
    use crate::ops::check::{close, random, single};

    #[test]
    fn a_stream_in_any_pieces_is_the_whole() {
        let cfg = ContextConfig { kind: ContextKind::S4D, hidden_dim: 12, num_layers: 3, state_dim: 6 };
        let context = cfg.kind.build(&cfg, 5, ParamStore::new(1, &Device::Cpu).builder()).unwrap();
        let z = single(&random(&[1, 150, 5], 2)).to_device(&Device::Cpu).unwrap();
        let whole = context.forward(&z).unwrap();
        let rows = z.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        let mut stream = context.stream().unwrap();
        for piece in [150, 1, 13] {
            let mut layers = vec![Vec::new(); 3];
            for rows in rows.chunks(5 * piece) {
                let outputs = stream.push(rows).unwrap();
                layers.iter_mut().zip(outputs).for_each(|(all, output)| all.extend(output));
            }
            let last = Tensor::from_vec(layers.pop().unwrap(), (1, 150, 12), &Device::Cpu).unwrap();
            close(&last, &whole, 1e-5);
            stream.reset();
        }
    }

    #[test]
    fn c_does_not_look_ahead() {
        let cfg = ContextConfig { kind: ContextKind::S4D, hidden_dim: 8, num_layers: 2, state_dim: 4 };
        let context = cfg.kind.build(&cfg, 3, ParamStore::new(1, &Device::Cpu).frozen()).unwrap();
        let a = single(&random(&[1, 40, 3], 1)).to_device(&Device::Cpu).unwrap();
        let b =
            Tensor::cat(&[&a.narrow(1, 0, 25).unwrap(), &(a.narrow(1, 25, 15).unwrap() + 1.0).unwrap()], 1).unwrap();
        let (a, b) = (context.forward(&a).unwrap(), context.forward(&b).unwrap());
        close(&a.narrow(1, 0, 25).unwrap(), &b.narrow(1, 0, 25).unwrap(), 1e-5);
    }
}
