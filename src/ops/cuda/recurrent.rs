//! Recurrent layers: one kernel a step, forward and backward, and one product for the gradient of the recurrent weight.

use crate::error::{Error, Result};
use crate::ops::cuda::gpu::{Gpu, Module, address, launch, module};
use crate::ops::cuda::product::Matrix;
use crate::ops::function::function;
use crate::ops::recurrent::State;
use candle_core::Tensor;

const RECURRENT: Module = module!("recurrent");

/// Units and rows of the batch in a block.
const TILE: usize = 16;

struct Layer {
    gpu: Gpu,
    batch: usize,
    time: usize,
    hidden: usize,
    grid: [usize; 2],
}

impl Layer {
    fn of(gates_x: &Tensor, w_hh: &Tensor, b_hh: &Tensor, gates: usize) -> Result<Layer> {
        let ((batch, time, columns), hidden) = (gates_x.dims3()?, w_hh.dim(1)?);
        if columns != gates * hidden || b_hh.elem_count() != columns || batch * time == 0 {
            let what = format!("gates {:?} do not match a hidden size of {hidden}", gates_x.shape());
            return Err(Error::Tensor(candle_core::Error::Msg(what)));
        }
        let grid = [hidden.div_ceil(TILE), batch.div_ceil(TILE)];
        Ok(Layer { gpu: Gpu::of(gates_x)?, batch, time, hidden, grid })
    }

    fn sizes(&self) -> [u32; 3] {
        [self.batch as u32, self.time as u32, self.hidden as u32]
    }

    /// Bytes of a step whose rows have `columns` floats, and of the recurrent weight.
    fn traffic(&self, gates: usize, columns: usize) -> usize {
        4 * (gates * self.hidden * self.hidden + self.batch * self.hidden * columns)
    }

    /// The gradients of the recurrent weight and bias, from those of the recurrent projections (B, T, G*H) and from the previous h, the first H
    /// floats of each row of `kept`.
    fn parameters(&self, dgates: &Tensor, kept: &Tensor, gates: usize) -> Result<[Tensor; 2]> {
        let (rows, columns, hidden) = (self.batch * self.time, gates * self.hidden, self.hidden);
        let (dw, db) = (self.gpu.floats(columns * hidden)?, self.gpu.floats(columns)?);
        let before = Matrix::new(address(kept)?, kept.dim(2)?);
        let g = Matrix::new(address(dgates)?, columns);
        self.gpu.product([columns, hidden, rows], g.t(), before, dw.at(), hidden, false)?;
        self.gpu.sum_rows(g.at, db.at(), rows, columns, 1.0)?;
        Ok([dw.tensor((columns, hidden)), db.tensor(columns)])
    }
}

/// The last step of (B, T, H), detached.
fn last(h: &Tensor) -> Result<Tensor> {
    let time = h.dim(1)?;
    Ok(h.detach().narrow(1, time - 1, 1)?.squeeze(1)?)
}

/// [`run`](crate::ops::recurrent::run) of a GRU.
pub(in crate::ops) fn gru(gates_x: &Tensor, w_hh: &Tensor, b_hh: &Tensor, initial: &State) -> Result<(Tensor, State)> {
    let (gates_x, w_hh, b_hh) = (gates_x.contiguous()?, w_hh.contiguous()?, b_hh.contiguous()?);
    let layer = Layer::of(&gates_x, &w_hh, &b_hh, 3)?;
    let (initial, cell) = (initial.h.contiguous()?, initial.c.detach());
    let ([batch, time, hidden], shape) = (layer.sizes(), (layer.batch, layer.time, layer.hidden));
    let (h, kept) = (layer.gpu.floats(gates_x.elem_count() / 3)?, layer.gpu.floats(gates_x.elem_count() / 3 * 5)?);
    for t in 0..time {
        let gpu = &layer.gpu;
        launch!(gpu, RECURRENT "gru_step", [layer.grid[0], layer.grid[1]], 256, 0, layer.traffic(3, 10);
            address(&gates_x)?, address(&w_hh)?, address(&b_hh)?, address(&initial)?, h.at(), kept.at(), batch, time, hidden, t);
    }
    let (kept, w) = (kept.tensor((shape.0, shape.1, 5 * shape.2)), w_hh.detach());
    let backward = move |grad: &Tensor| -> Result<[Option<Tensor>; 3]> {
        let (grad, gpu) = (grad.contiguous()?, &layer.gpu);
        let gates = || gpu.floats(shape.0 * shape.1 * 3 * shape.2);
        let (dx, dh, passed) = (gates()?, gates()?, gpu.floats(shape.0 * shape.2)?);
        for t in (0..time).rev() {
            launch!(gpu, RECURRENT "gru_step_backward", [layer.grid[0], layer.grid[1]], 256, 0, layer.traffic(3, 17);
                address(&grad)?, address(&kept)?, address(&w)?, passed.at(), dx.at(), dh.at(), batch, time, hidden, t);
        }
        let columns = (shape.0, shape.1, 3 * shape.2);
        let [dw, db] = layer.parameters(&dh.tensor(columns), &kept, 3)?;
        Ok([Some(dx.tensor(columns)), Some(dw), Some(db)])
    };
    let h = function([&gates_x, &w_hh, &b_hh], h.output(shape), backward)?;
    let state = State { h: last(&h)?, c: cell };
    Ok((h, state))
}

/// [`run`](crate::ops::recurrent::run) of an LSTM.
pub(in crate::ops) fn lstm(gates_x: &Tensor, w_hh: &Tensor, b_hh: &Tensor, initial: &State) -> Result<(Tensor, State)> {
    let (gates_x, w_hh, b_hh) = (gates_x.contiguous()?, w_hh.contiguous()?, b_hh.contiguous()?);
    let layer = Layer::of(&gates_x, &w_hh, &b_hh, 4)?;
    // The cell is updated in place.
    let (initial, cell) = (initial.h.contiguous()?, initial.c.detach().force_contiguous()?);
    let ([batch, time, hidden], shape) = (layer.sizes(), (layer.batch, layer.time, layer.hidden));
    let (h, kept) = (layer.gpu.floats(gates_x.elem_count() / 4)?, layer.gpu.floats(gates_x.elem_count() / 4 * 7)?);
    for t in 0..time {
        let gpu = &layer.gpu;
        launch!(gpu, RECURRENT "lstm_step", [layer.grid[0], layer.grid[1]], 256, 0, layer.traffic(4, 15);
            address(&gates_x)?, address(&w_hh)?, address(&b_hh)?, address(&initial)?, address(&cell)?, h.at(), kept.at(), batch, time, hidden, t);
    }
    let (kept, w) = (kept.tensor((shape.0, shape.1, 7 * shape.2)), w_hh.detach());
    let backward = move |grad: &Tensor| -> Result<[Option<Tensor>; 3]> {
        let (grad, gpu) = (grad.contiguous()?, &layer.gpu);
        let (dgates, dcell) = (gpu.floats(shape.0 * shape.1 * 4 * shape.2)?, gpu.floats(shape.0 * shape.2)?);
        for t in (0..time).rev() {
            launch!(gpu, RECURRENT "lstm_step_backward", [layer.grid[0], layer.grid[1]], 256, 0, layer.traffic(4, 17);
                address(&grad)?, address(&kept)?, address(&w)?, dcell.at(), dgates.at(), batch, time, hidden, t);
        }
        let dgates = dgates.tensor((shape.0, shape.1, 4 * shape.2));
        let [dw, db] = layer.parameters(&dgates, &kept, 4)?;
        Ok([Some(dgates), Some(dw), Some(db)])
    };
    let h = function([&gates_x, &w_hh, &b_hh], h.output(shape), backward)?;
    let state = State { h: last(&h)?, c: cell };
    Ok((h, state))
}
