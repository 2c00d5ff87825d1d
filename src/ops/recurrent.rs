//! A recurrent layer as one differentiable operation: g_ar.
//!
//! The input projections of all steps, `gates_x` (B, T, G*H), are one product computed by the caller. The layer then runs its own loop over
//! time and keeps what backward needs. Backward runs the loop in reverse and ends with one product for the recurrent weight. Neither form
//! builds a graph of T nodes: in the composed form the loop runs on detached tensors. What one step computes is a [`Cell`]: see [`super::gru`]
//! and [`super::lstm`].

use crate::error::{Error, Result};
use crate::ops::function::{Floats, Form, function};
use crate::ops::matrix::{Packed, View, ViewMut, multiply};
use crate::ops::norm::add_columns;
use candle_core::{DType, Device, Tensor};
use rayon::prelude::*;

/// What a layer carries from one step to the next: h (B, H) and, for an LSTM, the cell c (B, H).
#[derive(Debug, Clone)]
pub struct State {
    /// The hidden state, which is also the output.
    pub h: Tensor,
    /// The cell of an LSTM; zeros for a GRU.
    pub c: Tensor,
}

impl State {
    /// The state before the first step.
    pub fn zeros(batch: usize, hidden: usize, dtype: DType, device: &Device) -> Result<Self> {
        let zeros = Tensor::zeros((batch, hidden), dtype, device)?;
        Ok(State { h: zeros.clone(), c: zeros })
    }
}

/// [`run`] of one kind of cell, in one form.
pub type Run = fn(&Tensor, &Tensor, &Tensor, &State) -> Result<(Tensor, State)>;

/// One step of a recurrent layer, on rows of floats and on tensors.
pub trait Cell: Send + Sync + Copy + 'static {
    /// Number of gates: `gates_x` has `GATES * H` columns.
    const GATES: usize;
    /// What a step keeps for backward, in units of H floats; the first of them is the previous h.
    const KEPT: usize;

    /// One row of one step. `gx` and `gh` (G*H) are the input and the recurrent projections, including their biases; `kept` (KEPT*H) holds the
    /// previous h in its first H floats; `c` (H) is the cell, updated in place; `h` (H) is the output.
    fn step(gx: &[f32], gh: &[f32], kept: &mut [f32], c: &mut [f32], h: &mut [f32]);

    /// The step backward. On entry `dh` (H) is the gradient of h; on return it is the part that passes directly to the previous h. `dc` (H) is
    /// the same for the cell. `dgx` and `dgh` (G*H) are filled.
    fn step_backward(kept: &[f32], dh: &mut [f32], dc: &mut [f32], dgx: &mut [f32], dgh: &mut [f32]);

    /// The whole layer on a GPU: [`run`] by kernels.
    #[cfg(feature = "cuda")]
    const KERNELS: Run;

    /// [`Cell::step`] on tensors: `gx`, `gh` (B, G*H) and the state; returns the new state and what backward needs.
    fn step_tensors(gx: &Tensor, gh: &Tensor, state: &State) -> candle_core::Result<(State, Vec<Tensor>)>;

    /// [`Cell::step_backward`] on tensors: returns (dgx, dgh, dh, dc).
    fn step_tensors_backward(kept: &[Tensor], dh: &Tensor, dc: &Tensor) -> candle_core::Result<[Tensor; 4]>;
}

/// Returns h (B, T, H) and the last state of a layer over `gates_x` (B, T, G*H), with `w_hh` (G*H, H) and `b_hh` (G*H).
///
/// The initial and the returned state are constants: no gradient passes through them.
pub fn run<C: Cell>(gates_x: &Tensor, w_hh: &Tensor, b_hh: &Tensor, initial: &State) -> Result<(Tensor, State)> {
    match Form::of(gates_x) {
        Form::Fused => fused::<C>(gates_x, w_hh, b_hh, initial),
        #[cfg(feature = "cuda")]
        Form::Kernels => (C::KERNELS)(gates_x, w_hh, b_hh, initial),
        Form::Composed => composed::<C>(gates_x, w_hh, b_hh, initial),
    }
}

/// [`run`] built from candle operations on detached tensors, with a hand-written backward pass.
pub fn composed<C: Cell>(gates_x: &Tensor, w_hh: &Tensor, b_hh: &Tensor, initial: &State) -> Result<(Tensor, State)> {
    let (_, time, _) = gates_x.dims3()?;
    let (gx, w, b) = (gates_x.detach(), w_hh.detach(), b_hh.detach());
    let w_t = w.t()?.contiguous()?;
    let mut state = State { h: initial.h.detach(), c: initial.c.detach() };
    let (mut outputs, mut kept, mut previous) =
        (Vec::with_capacity(time), Vec::with_capacity(time), Vec::with_capacity(time));
    for t in 0..time {
        let gh = state.h.matmul(&w_t)?.broadcast_add(&b)?;
        let (next, step) = C::step_tensors(&gx.narrow(1, t, 1)?.squeeze(1)?, &gh, &state)?;
        previous.push(state.h);
        kept.push(step);
        outputs.push(next.h.clone());
        state = next;
    }
    let output = Tensor::stack(&outputs, 1)?;
    let backward = move |grad: &Tensor| -> Result<[Option<Tensor>; 3]> {
        let (mut dgx, mut dgh) = (Vec::with_capacity(time), Vec::with_capacity(time)); // last step first
        let mut dh = previous[0].zeros_like()?;
        let mut dc = dh.clone();
        for t in (0..time).rev() {
            dh = (dh + grad.narrow(1, t, 1)?.squeeze(1)?)?;
            let [gx, gh, direct, cell] = C::step_tensors_backward(&kept[t], &dh, &dc)?;
            dh = (direct + gh.matmul(&w)?)?;
            dc = cell;
            dgx.push(gx);
            dgh.push(gh);
        }
        dgx.reverse();
        dgh.reverse();
        let dgh = Tensor::cat(&dgh, 0)?; // (T*B, G*H)
        let dw = dgh.t()?.contiguous()?.matmul(&Tensor::cat(&previous, 0)?)?;
        Ok([Some(Tensor::stack(&dgx, 1)?), Some(dw), Some(dgh.sum(0)?)])
    };
    Ok((function([gates_x, w_hh, b_hh], output, backward)?, state))
}

/// [`run`] on the CPU in f32. Batch items are independent, so each thread runs the whole loop over its share of the batch.
pub fn fused<C: Cell>(gates_x: &Tensor, w_hh: &Tensor, b_hh: &Tensor, initial: &State) -> Result<(Tensor, State)> {
    let (gates_x, w_hh, b_hh) = (gates_x.contiguous()?, w_hh.contiguous()?, b_hh.contiguous()?);
    let (batch, time, columns) = gates_x.dims3()?;
    let (_, hidden) = w_hh.dims2()?;
    if columns != C::GATES * hidden || b_hh.elem_count() != columns || batch == 0 {
        let what = format!("gates {:?} do not match a hidden size of {hidden}", gates_x.shape());
        return Err(Error::Tensor(candle_core::Error::Msg(what)));
    }
    let width = C::KEPT * hidden;
    let share = batch.div_ceil(rayon::current_num_threads());
    let mut h = vec![0.0f32; batch * time * hidden];
    let mut kept = vec![0.0f32; batch * time * width];
    let first = initial.h.flatten_all()?.to_vec1::<f32>()?;
    let mut cells = initial.c.flatten_all()?.to_vec1::<f32>()?;
    {
        let (gx, w, b) = (Floats::of(&gates_x)?, Floats::of(&w_hh)?, Floats::of(&b_hh)?);
        let (gx, b): (&[f32], &[f32]) = (&gx, &b);
        let w = Packed::new(View::new(&w, columns, hidden, hidden)?.t());
        h.par_chunks_mut(share * time * hidden)
            .zip(kept.par_chunks_mut(share * time * width))
            .zip(gx.par_chunks(share * time * columns))
            .zip(cells.par_chunks_mut(share * hidden).zip(first.par_chunks(share * hidden)))
            .try_for_each(|(((h, kept), gx), (cells, first))| {
                let items = first.len() / hidden;
                let mut gh = vec![0.0f32; items * columns];
                for t in 0..time {
                    gh.chunks_exact_mut(columns).for_each(|row| row.copy_from_slice(b));
                    let (before, stride) =
                        if t == 0 { (first, hidden) } else { (&h[(t - 1) * hidden..], time * hidden) };
                    let before = View::new(before, items, hidden, stride)?;
                    w.multiply_add(ViewMut::new(&mut gh, items, columns, columns)?, before)?;
                    for i in 0..items {
                        let row = i * time + t;
                        let kept = &mut kept[row * width..(row + 1) * width];
                        let (done, rest) = h.split_at_mut(row * hidden);
                        let previous =
                            if t == 0 { &first[i * hidden..][..hidden] } else { &done[(row - 1) * hidden..] };
                        kept[..hidden].copy_from_slice(previous);
                        C::step(
                            &gx[row * columns..(row + 1) * columns],
                            &gh[i * columns..(i + 1) * columns],
                            kept,
                            &mut cells[i * hidden..(i + 1) * hidden],
                            &mut rest[..hidden],
                        );
                    }
                }
                Ok::<_, Error>(())
            })?;
    }
    let output = Tensor::from_vec(h, (batch, time, hidden), &Device::Cpu)?;
    let last = match time {
        0 => initial.h.detach(),
        _ => output.narrow(1, time - 1, 1)?.squeeze(1)?.contiguous()?,
    };
    let state = State { h: last, c: Tensor::from_vec(cells, (batch, hidden), &Device::Cpu)? };

    let w = w_hh.detach();
    let backward = move |grad: &Tensor| -> Result<[Option<Tensor>; 3]> {
        let grad = grad.contiguous()?;
        let (grad, w) = (Floats::of(&grad)?, Floats::of(&w)?);
        let grad: &[f32] = &grad;
        let w = Packed::new(View::new(&w, columns, hidden, hidden)?);
        let mut dgx = vec![0.0f32; batch * time * columns];
        let mut dgh = vec![0.0f32; batch * time * columns];
        dgx.par_chunks_mut(share * time * columns)
            .zip(dgh.par_chunks_mut(share * time * columns))
            .zip(kept.par_chunks(share * time * width))
            .zip(grad.par_chunks(share * time * hidden))
            .try_for_each(|(((dgx, dgh), kept), grad)| {
                let items = grad.len() / (time * hidden);
                let (mut dh, mut dc) = (vec![0.0f32; items * hidden], vec![0.0f32; items * hidden]);
                for t in (0..time).rev() {
                    for i in 0..items {
                        let row = i * time + t;
                        let dh = &mut dh[i * hidden..(i + 1) * hidden];
                        dh.iter_mut().zip(&grad[row * hidden..]).for_each(|(d, g)| *d += g);
                        C::step_backward(
                            &kept[row * width..(row + 1) * width],
                            dh,
                            &mut dc[i * hidden..(i + 1) * hidden],
                            &mut dgx[row * columns..(row + 1) * columns],
                            &mut dgh[row * columns..(row + 1) * columns],
                        );
                    }
                    let gates = View::new(&dgh[t * columns..], items, columns, time * columns)?;
                    w.multiply_add(ViewMut::new(&mut dh, items, hidden, hidden)?, gates)?;
                }
                Ok::<_, Error>(())
            })?;
        let rows = batch * time;
        let mut dw = vec![0.0f32; columns * hidden];
        let gates = View::new(&dgh, rows, columns, columns)?.t();
        let before = View::new(&kept, rows, hidden, width)?;
        multiply(ViewMut::new(&mut dw, columns, hidden, hidden)?, false, gates, before, false)?;
        let mut db = vec![0.0f32; columns];
        add_columns(&dgh, &mut db);
        Ok([
            Some(Tensor::from_vec(dgx, (batch, time, columns), &Device::Cpu)?),
            Some(Tensor::from_vec(dw, (columns, hidden), &Device::Cpu)?),
            Some(Tensor::from_vec(db, columns, &Device::Cpu)?),
        ])
    };
    Ok((function([&gates_x, &w_hh, &b_hh], output, backward)?, state))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::check::{close, device, finite_differences, random, same, single};
    use crate::ops::gru::Gru;
    use crate::ops::lstm::Lstm;

    fn inputs<C: Cell>(batch: usize, time: usize, hidden: usize) -> Vec<Tensor> {
        let gates = C::GATES * hidden;
        vec![random(&[batch, time, gates], 1), (random(&[gates, hidden], 2) * 0.4).unwrap(), random(&[gates], 3)]
    }

    fn state(t: &[Tensor]) -> State {
        let (batch, hidden) = (t[0].dim(0).unwrap(), t[1].dim(1).unwrap());
        let of =
            |seed| random(&[batch, hidden], seed).to_dtype(t[0].dtype()).unwrap().to_device(t[0].device()).unwrap();
        State { h: of(8), c: of(9) }
    }

    fn both_forms_agree<C: Cell>() {
        for (batch, time, hidden) in [(2, 5, 3), (3, 7, 17), (1, 1, 4), (5, 2, 16), (17, 3, 33)] {
            let inputs = inputs::<C>(batch, time, hidden);
            same(
                |t| Ok(run::<C>(&t[0], &t[1], &t[2], &state(t))?.0),
                |t| Ok(composed::<C>(&t[0], &t[1], &t[2], &state(t))?.0),
                &inputs,
            );
            finite_differences(|t| Ok(composed::<C>(&t[0], &t[1], &t[2], &state(t))?.0), &inputs);
        }
    }

    #[test]
    fn gru_fused_equals_composed_equals_finite_differences() {
        both_forms_agree::<Gru>();
    }

    #[test]
    fn lstm_fused_equals_composed_equals_finite_differences() {
        both_forms_agree::<Lstm>();
    }

    fn two_halves_make_the_whole<C: Cell>() {
        let t: Vec<Tensor> = inputs::<C>(2, 9, 6).iter().map(single).collect();
        let zeros = State::zeros(2, 6, DType::F32, &device()).unwrap();
        for form in [run::<C>, composed::<C>] {
            let (whole, end) = form(&t[0], &t[1], &t[2], &zeros).unwrap();
            let part = |from, n| t[0].narrow(1, from, n).unwrap(); // not contiguous
            let (a, middle) = form(&part(0, 4), &t[1], &t[2], &zeros).unwrap();
            let (b, last) = form(&part(4, 5), &t[1], &t[2], &middle).unwrap();
            close(&Tensor::cat(&[a, b], 1).unwrap(), &whole, 1e-6);
            close(&last.h, &end.h, 1e-6);
            close(&last.c, &end.c, 1e-6);
        }
    }

    #[test]
    fn a_layer_goes_on_from_its_state() {
        two_halves_make_the_whole::<Gru>();
        two_halves_make_the_whole::<Lstm>();
    }
}
