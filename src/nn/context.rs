//! g_ar: recurrent layers over z, under PyTorch's parameter names.

use super::store::uniform_by_fan_in;
use crate::config::{ContextConfig, ContextKind};
use crate::error::Result;
use crate::ops::gru::Gru;
use crate::ops::lstm::Lstm;
use crate::ops::recurrent::{State, run};
use candle_core::Tensor;
use candle_nn::VarBuilder;

#[derive(Debug, Clone)]
struct Recurrent {
    w_ih: Tensor, // (G*H, D)
    w_hh: Tensor, // (G*H, H)
    b_ih: Tensor,
    b_hh: Tensor,
}

/// The recurrent context network.
#[derive(Debug, Clone)]
pub struct Context {
    layers: Vec<Recurrent>,
    kind: ContextKind,
    hidden: usize,
}

impl Context {
    /// A context network over latents of `input_dim`; `vb` stands at `gAR.baseNet`.
    ///
    /// Names: `weight_ih_l{i}` (G*H, D), `weight_hh_l{i}` (G*H, H), `bias_ih_l{i}`, `bias_hh_l{i}`; gates in PyTorch's order.
    pub fn new(cfg: &ContextConfig, input_dim: usize, vb: VarBuilder) -> Result<Self> {
        let hidden = cfg.hidden_dim;
        let rows = hidden
            * match cfg.kind {
                ContextKind::Gru => 3,
                ContextKind::Lstm => 4,
            };
        let init = uniform_by_fan_in(hidden); // PyTorch's start of recurrent layers, for all four
        let layer = |i: usize| -> Result<Recurrent> {
            let inputs = if i == 0 { input_dim } else { hidden };
            Ok(Recurrent {
                w_ih: vb.get_with_hints((rows, inputs), &format!("weight_ih_l{i}"), init)?,
                w_hh: vb.get_with_hints((rows, hidden), &format!("weight_hh_l{i}"), init)?,
                b_ih: vb.get_with_hints(rows, &format!("bias_ih_l{i}"), init)?,
                b_hh: vb.get_with_hints(rows, &format!("bias_hh_l{i}"), init)?,
            })
        };
        Ok(Context { layers: (0..cfg.num_layers).map(layer).collect::<Result<_>>()?, kind: cfg.kind, hidden })
    }

    /// c (B, T, H) of `z` (B, T, D), from states of zeros.
    pub fn forward(&self, z: &Tensor) -> Result<Tensor> {
        Ok(self.forward_from(z, None)?.0)
    }

    /// c (B, T, H) of `z` (B, T, D), going on from the layers' states, and the states after it.
    pub fn forward_from(&self, z: &Tensor, states: Option<&[State]>) -> Result<(Tensor, Vec<State>)> {
        let mut x = z.clone();
        let mut after = Vec::with_capacity(self.layers.len());
        for (i, layer) in self.layers.iter().enumerate() {
            let (batch, time, inputs) = x.dims3()?;
            let state = match states.and_then(|s| s.get(i)) {
                Some(state) => state.clone(),
                None => State::zeros(batch, self.hidden, x.dtype(), x.device())?,
            };
            let gates = x.reshape((batch * time, inputs))?.matmul(&layer.w_ih.t()?)?.broadcast_add(&layer.b_ih)?;
            let gates = gates.reshape((batch, time, layer.w_ih.dim(0)?))?;
            let (h, last) = match self.kind {
                ContextKind::Gru => run::<Gru>(&gates, &layer.w_hh, &layer.b_hh, &state)?,
                ContextKind::Lstm => run::<Lstm>(&gates, &layer.w_hh, &layer.b_hh, &state)?,
            };
            x = h;
            after.push(last);
        }
        Ok((x, after))
    }
}
