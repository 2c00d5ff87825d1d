//! Recurrent layers on a sequence that arrives in pieces: g_ar without a batch, without a graph, and for a sequence of unknown length.
//!
//! The layers' weights are packed once; each piece resumes from the state after the last one. In the fused form on the CPU it is the loop of
//! [`recurrent::fused`] for one sequence, without what only backward needs. In the composed form it is [`recurrent::run`] from state to state.

use crate::error::{Error, Result};
use crate::ops::function::Form;
use crate::ops::linear::linear;
use crate::ops::matrix::{FEW_ROWS, Packed, View, ViewMut, multiply};
use crate::ops::recurrent::{self, Cell, State};
use candle_core::Tensor;
use std::marker::PhantomData;
use std::sync::Arc;

/// The parameters of a recurrent layer, as in PyTorch.
#[derive(Debug, Clone)]
pub struct Parameters {
    /// (G*H, D).
    pub w_ih: Tensor,
    /// (G*H, H).
    pub w_hh: Tensor,
    /// (G*H).
    pub b_ih: Tensor,
    /// (G*H).
    pub b_hh: Tensor,
}

impl Parameters {
    /// The input projections of all steps, (B, T, G*H), for `x` (B, T, D).
    pub fn gates(&self, x: &Tensor) -> Result<Tensor> {
        let (batch, time, inputs) = x.dims3()?;
        let gates = linear(&x.reshape((batch * time, inputs))?, &self.w_ih, &self.b_ih, false)?;
        Ok(gates.reshape((batch, time, self.w_ih.dim(0)?))?)
    }
}

/// A recurrent layer that resumes where the last piece ended. Clones share the weights.
#[derive(Debug, Clone)]
pub struct RecurrentStream<C: Cell> {
    form: Ready,
    inputs: usize,
    hidden: usize,
    cell: PhantomData<C>,
}

#[derive(Debug, Clone)]
enum Ready {
    Fused { weights: Arc<Weights>, h: Vec<f32>, c: Vec<f32> },
    Composed { layer: Parameters, state: Option<State> },
}

#[derive(Debug)]
struct Weights {
    w_ih: Vec<f32>, // (G*H, D)
    packed_ih: Packed,
    packed_hh: Packed,
    b_ih: Vec<f32>,
    b_hh: Vec<f32>,
}

impl<C: Cell> RecurrentStream<C> {
    /// A layer whose state is zero.
    pub fn new(layer: &Parameters) -> Result<Self> {
        let (_, inputs) = layer.w_ih.dims2()?;
        let (gates, hidden) = layer.w_hh.dims2()?;
        let form = match Form::of(&layer.w_ih) {
            Form::Fused => {
                let floats = |t: &Tensor| -> Result<Vec<f32>> { Ok(t.flatten_all()?.to_vec1::<f32>()?) };
                let (w_ih, w_hh) = (floats(&layer.w_ih)?, floats(&layer.w_hh)?);
                let weights = Weights {
                    packed_ih: Packed::new(View::new(&w_ih, gates, inputs, inputs)?.t()),
                    packed_hh: Packed::new(View::new(&w_hh, gates, hidden, hidden)?.t()),
                    b_ih: floats(&layer.b_ih)?,
                    b_hh: floats(&layer.b_hh)?,
                    w_ih,
                };
                Ready::Fused { weights: Arc::new(weights), h: vec![0.0; hidden], c: vec![0.0; hidden] }
            }
            _ => Ready::Composed { layer: layer.clone(), state: None },
        };
        Ok(RecurrentStream { form, inputs, hidden, cell: PhantomData })
    }

    /// Takes rows (T, D) and returns the outputs (T, H).
    pub fn push(&mut self, rows: &[f32]) -> Result<Vec<f32>> {
        let (inputs, hidden) = (self.inputs, self.hidden);
        let time = rows.len() / inputs;
        if time == 0 || rows.len() != time * inputs {
            let what = format!("{} floats are not whole rows of {inputs}", rows.len());
            return if rows.is_empty() { Ok(Vec::new()) } else { Err(Error::Tensor(candle_core::Error::Msg(what))) };
        }
        match &mut self.form {
            Ready::Fused { weights, h, c } => weights.run::<C>(rows, time, inputs, h, c),
            Ready::Composed { layer, state } => {
                let x = Tensor::from_slice(rows, (1, time, inputs), layer.w_ih.device())?;
                let before = match state.take() {
                    Some(state) => state,
                    None => State::zeros(1, hidden, x.dtype(), x.device())?,
                };
                let (out, after) = recurrent::run::<C>(&layer.gates(&x)?, &layer.w_hh, &layer.b_hh, &before)?;
                *state = Some(after);
                Ok(out.flatten_all()?.to_vec1::<f32>()?)
            }
        }
    }

    /// Resets the state to zero.
    pub fn reset(&mut self) {
        match &mut self.form {
            Ready::Fused { h, c, .. } => {
                h.fill(0.0);
                c.fill(0.0);
            }
            Ready::Composed { state, .. } => *state = None,
        }
    }
}

impl Weights {
    fn run<C: Cell>(&self, rows: &[f32], time: usize, inputs: usize, h: &mut [f32], c: &mut [f32]) -> Result<Vec<f32>> {
        let (hidden, columns) = (h.len(), self.b_ih.len());
        let mut gates = vec![0.0; time * columns];
        gates.chunks_exact_mut(columns).for_each(|row| row.copy_from_slice(&self.b_ih));
        let x = View::new(rows, time, inputs, inputs)?;
        let gx = ViewMut::new(&mut gates, time, columns, columns)?;
        if time <= FEW_ROWS {
            self.packed_ih.multiply_add(gx, x)?;
        } else {
            multiply(gx, true, x, View::new(&self.w_ih, columns, inputs, inputs)?.t(), true)?;
        }
        let mut out = vec![0.0; time * hidden];
        let (mut gh, mut kept) = (vec![0.0; columns], vec![0.0; C::KEPT * hidden]);
        for (gx, out) in gates.chunks_exact(columns).zip(out.chunks_exact_mut(hidden)) {
            gh.copy_from_slice(&self.b_hh);
            self.packed_hh
                .multiply_add(ViewMut::new(&mut gh, 1, columns, columns)?, View::new(h, 1, hidden, hidden)?)?;
            kept[..hidden].copy_from_slice(h);
            C::step(gx, &gh, &mut kept, c, out);
            h.copy_from_slice(out);
        }
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::check::random;
    use crate::ops::gru::Gru;
    use crate::ops::lstm::Lstm;
    use candle_core::DType;

    fn any_pieces_make_the_whole<C: Cell>() {
        let (time, inputs, hidden) = (90, 7, 20);
        let t = |shape: &[usize], seed| random(shape, seed).to_dtype(DType::F32).unwrap();
        let gates = C::GATES * hidden;
        let layer = Parameters {
            w_ih: t(&[gates, inputs], 1),
            w_hh: (t(&[gates, hidden], 2) * 0.3).unwrap(),
            b_ih: t(&[gates], 3),
            b_hh: t(&[gates], 4),
        };
        let x = t(&[1, time, inputs], 5);
        let zeros = State::zeros(1, hidden, DType::F32, x.device()).unwrap();
        let gx = layer.gates(&x).unwrap();
        let (want, _) = recurrent::composed::<C>(&gx, &layer.w_hh, &layer.b_hh, &zeros).unwrap();
        let want = want.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        let x = x.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        let mut stream = RecurrentStream::<C>::new(&layer).unwrap();
        for pieces in [vec![time], vec![1], vec![3, 1, 40, 2], vec![17]] {
            let (mut got, mut at) = (Vec::new(), 0);
            for piece in pieces.iter().cycle() {
                let to = (at + piece * inputs).min(x.len());
                got.extend(stream.push(&x[at..to]).unwrap());
                at = to;
                if at == x.len() {
                    break;
                }
            }
            assert_eq!(got.len(), want.len());
            assert!(got.iter().zip(&want).all(|(a, b)| (a - b).abs() < 1e-5));
            assert!(stream.push(&[]).unwrap().is_empty() && stream.push(&x[..1]).is_err());
            stream.reset();
        }
    }

    #[test]
    fn a_gru_in_pieces_is_the_whole() {
        any_pieces_make_the_whole::<Gru>();
    }

    #[test]
    fn an_lstm_in_pieces_is_the_whole() {
        any_pieces_make_the_whole::<Lstm>();
    }
}
