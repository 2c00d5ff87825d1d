//! Recurrent context networks, under PyTorch's parameter names.

use super::{Context, ContextConfig, ContextDesign, ContextStream};
use crate::error::Result;
use crate::nn::store::uniform_by_fan_in;
use crate::ops::gru::Gru;
use crate::ops::lstm::Lstm;
use crate::ops::recurrent::{Cell, State, run};
use crate::ops::recurrent_stream::{Parameters, RecurrentStream};
use candle_core::Tensor;
use candle_nn::VarBuilder;
use std::fmt::Debug;
use std::marker::PhantomData;
use std::sync::Arc;

/// Gated recurrent units.
pub(super) static GRU: Design<Gru> = Design { name: "gru", title: "GRU", cell: PhantomData };

/// Long short-term memory.
pub(super) static LSTM: Design<Lstm> = Design { name: "lstm", title: "LSTM", cell: PhantomData };

/// Recurrent layers with a given cell.
pub(super) struct Design<C> {
    name: &'static str,
    title: &'static str,
    cell: PhantomData<C>,
}

impl<C: Cell + Debug> ContextDesign for Design<C> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn title(&self) -> &'static str {
        self.title
    }

    fn torch_class(&self) -> Option<&'static str> {
        Some(self.title)
    }

    /// Names: `weight_ih_l{i}` (G*H, D), `weight_hh_l{i}` (G*H, H), `bias_ih_l{i}`, `bias_hh_l{i}`; gates in PyTorch's order.
    fn build(&self, cfg: &ContextConfig, input_dim: usize, vb: VarBuilder) -> Result<Arc<dyn Context>> {
        let hidden = cfg.hidden_dim;
        let rows = C::GATES * hidden;
        let init = uniform_by_fan_in(hidden); // PyTorch's initialization of recurrent layers, for all four parameters
        let layer = |i: usize| -> Result<Parameters> {
            let inputs = if i == 0 { input_dim } else { hidden };
            Ok(Parameters {
                w_ih: vb.get_with_hints((rows, inputs), &format!("weight_ih_l{i}"), init)?,
                w_hh: vb.get_with_hints((rows, hidden), &format!("weight_hh_l{i}"), init)?,
                b_ih: vb.get_with_hints(rows, &format!("bias_ih_l{i}"), init)?,
                b_hh: vb.get_with_hints(rows, &format!("bias_hh_l{i}"), init)?,
            })
        };
        let layers = (0..cfg.num_layers).map(layer).collect::<Result<_>>()?;
        Ok(Arc::new(Recurrent::<C> { layers, hidden, cell: PhantomData }))
    }
}

/// Recurrent layers, each of which processes the outputs of the one below it.
#[derive(Debug)]
struct Recurrent<C> {
    layers: Vec<Parameters>,
    hidden: usize,
    cell: PhantomData<C>,
}

impl<C: Cell + Debug> Context for Recurrent<C> {
    /// The states before the first step are zero.
    fn forward(&self, z: &Tensor) -> Result<Tensor> {
        let mut x = z.clone();
        for layer in &self.layers {
            let before = State::zeros(x.dim(0)?, self.hidden, x.dtype(), x.device())?;
            (x, _) = run::<C>(&layer.gates(&x)?, &layer.w_hh, &layer.b_hh, &before)?;
        }
        Ok(x)
    }

    fn stream(&self) -> Result<Box<dyn ContextStream>> {
        let layer = |l: &Parameters| {
            RecurrentStream::<C>::new(&Parameters {
                w_ih: l.w_ih.detach(),
                w_hh: l.w_hh.detach(),
                b_ih: l.b_ih.detach(),
                b_hh: l.b_hh.detach(),
            })
        };
        Ok(Box::new(Layers { layers: self.layers.iter().map(layer).collect::<Result<Vec<_>>>()? }))
    }
}

/// The layers, applied to latents that arrive in pieces.
#[derive(Debug, Clone)]
struct Layers<C: Cell> {
    layers: Vec<RecurrentStream<C>>,
}

impl<C: Cell + Debug> ContextStream for Layers<C> {
    fn push(&mut self, z: &[f32]) -> Result<Vec<Vec<f32>>> {
        let mut outputs: Vec<Vec<f32>> = Vec::with_capacity(self.layers.len());
        for layer in &mut self.layers {
            let output = layer.push(outputs.last().map_or(z, Vec::as_slice))?;
            outputs.push(output);
        }
        Ok(outputs)
    }

    fn reset(&mut self) {
        self.layers.iter_mut().for_each(RecurrentStream::reset);
    }

    fn copy(&self) -> Box<dyn ContextStream> {
        Box::new(self.clone())
    }
}
