//! g_ar: recurrent layers over z, under PyTorch's parameter names.

use crate::config::{ContextConfig, ContextKind};
use crate::error::Result;
use crate::nn::store::uniform_by_fan_in;
use crate::ops::gru::Gru;
use crate::ops::lstm::Lstm;
use crate::ops::recurrent::{State, run};
use crate::ops::recurrent_stream::{Parameters, RecurrentStream};
use candle_core::Tensor;
use candle_nn::VarBuilder;

/// The recurrent context network.
#[derive(Debug, Clone)]
pub struct Context {
    layers: Vec<Parameters>,
    kind: ContextKind,
    hidden: usize,
}

impl Context {
    /// A context network over latents of `input_dim`; `vb` is rooted at `gAR.baseNet`.
    ///
    /// Names: `weight_ih_l{i}` (G*H, D), `weight_hh_l{i}` (G*H, H), `bias_ih_l{i}`, `bias_hh_l{i}`; gates in PyTorch's order.
    pub fn new(cfg: &ContextConfig, input_dim: usize, vb: VarBuilder) -> Result<Self> {
        let hidden = cfg.hidden_dim;
        let rows = hidden
            * match cfg.kind {
                ContextKind::Gru => 3,
                ContextKind::Lstm => 4,
            };
        let init = uniform_by_fan_in(hidden); // PyTorch's initialization of recurrent layers, for all four
        let layer = |i: usize| -> Result<Parameters> {
            let inputs = if i == 0 { input_dim } else { hidden };
            Ok(Parameters {
                w_ih: vb.get_with_hints((rows, inputs), &format!("weight_ih_l{i}"), init)?,
                w_hh: vb.get_with_hints((rows, hidden), &format!("weight_hh_l{i}"), init)?,
                b_ih: vb.get_with_hints(rows, &format!("bias_ih_l{i}"), init)?,
                b_hh: vb.get_with_hints(rows, &format!("bias_hh_l{i}"), init)?,
            })
        };
        Ok(Context { layers: (0..cfg.num_layers).map(layer).collect::<Result<_>>()?, kind: cfg.kind, hidden })
    }

    /// Returns c (B, T, H) for `z` (B, T, D), starting from zero states.
    pub fn forward(&self, z: &Tensor) -> Result<Tensor> {
        Ok(self.forward_from(z, None)?.0)
    }

    /// Returns c (B, T, H) for `z` (B, T, D), starting from the given states of the layers, and the states after it.
    pub fn forward_from(&self, z: &Tensor, states: Option<&[State]>) -> Result<(Tensor, Vec<State>)> {
        let mut x = z.clone();
        let mut after = Vec::with_capacity(self.layers.len());
        for (i, layer) in self.layers.iter().enumerate() {
            let state = match states.and_then(|s| s.get(i)) {
                Some(state) => state.clone(),
                None => State::zeros(x.dim(0)?, self.hidden, x.dtype(), x.device())?,
            };
            let gates = layer.gates(&x)?;
            let (h, last) = match self.kind {
                ContextKind::Gru => run::<Gru>(&gates, &layer.w_hh, &layer.b_hh, &state)?,
                ContextKind::Lstm => run::<Lstm>(&gates, &layer.w_hh, &layer.b_hh, &state)?,
            };
            x = h;
            after.push(last);
        }
        Ok((x, after))
    }

    /// The same layers for a sequence that arrives in pieces, starting from zero states.
    pub fn stream(&self) -> Result<ContextStream> {
        let detached = self.layers.iter().map(|l| Parameters {
            w_ih: l.w_ih.detach(),
            w_hh: l.w_hh.detach(),
            b_ih: l.b_ih.detach(),
            b_hh: l.b_hh.detach(),
        });
        let layer = |l: Parameters| -> Result<LayerStream> {
            Ok(match self.kind {
                ContextKind::Gru => LayerStream::Gru(RecurrentStream::new(&l)?),
                ContextKind::Lstm => LayerStream::Lstm(RecurrentStream::new(&l)?),
            })
        };
        Ok(ContextStream { layers: detached.map(layer).collect::<Result<_>>()? })
    }
}

#[derive(Debug, Clone)]
enum LayerStream {
    Gru(RecurrentStream<Gru>),
    Lstm(RecurrentStream<Lstm>),
}

/// The context network on latents that arrive in pieces. Clones share the weights.
#[derive(Debug, Clone)]
pub struct ContextStream {
    layers: Vec<LayerStream>,
}

impl ContextStream {
    /// Takes latents (T, D) and returns the outputs of every layer, (T, H) each; the last is c.
    pub fn push(&mut self, z: &[f32]) -> Result<Vec<Vec<f32>>> {
        let mut outputs: Vec<Vec<f32>> = Vec::with_capacity(self.layers.len());
        for layer in &mut self.layers {
            let input = outputs.last().map_or(z, Vec::as_slice);
            let output = match layer {
                LayerStream::Gru(layer) => layer.push(input)?,
                LayerStream::Lstm(layer) => layer.push(input)?,
            };
            outputs.push(output);
        }
        Ok(outputs)
    }

    /// Resets the states to zero.
    pub fn reset(&mut self) {
        for layer in &mut self.layers {
            match layer {
                LayerStream::Gru(layer) => layer.reset(),
                LayerStream::Lstm(layer) => layer.reset(),
            }
        }
    }
}
