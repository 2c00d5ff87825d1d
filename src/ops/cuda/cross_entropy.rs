//! Cross-entropy and hits of scores whose first column is the true class.

use crate::error::Result;
use crate::ops::cuda::gpu::{Address, BUSY, Gpu, address, address_of, blocks, launch};
use crate::ops::cuda::scores::SCORES;
use crate::ops::function::{Output, function};
use candle_core::{D, Tensor};

/// Rows of a block.
const ROWS: usize = 8;

/// [`first_is_true`](crate::ops::cross_entropy::first_is_true).
pub(in crate::ops) fn cross_entropy(scores: &Tensor) -> Result<Tensor> {
    let scores = scores.contiguous()?;
    let (gpu, width, all) = (Gpu::of(&scores)?, scores.dim(D::Minus1)?, scores.elem_count());
    let rows = all / width;
    let loss = gpu.floats(rows)?;
    launch!(gpu, SCORES "cross_entropy_forward", [rows.div_ceil(ROWS), 1], 32 * ROWS, 0, 4 * (all + rows);
        address(&scores)?, Address::NULL, loss.at(), Address::NULL, rows as u32, width as u32);
    let loss = loss.tensor(&scores.dims()[..scores.rank() - 1]);
    let (kept, losses) = (scores.detach(), loss.clone());
    let backward = move |grad: &Tensor| -> Result<[Option<Tensor>; 3]> {
        let grad = grad.contiguous()?;
        let d = gpu.floats(all)?;
        launch!(gpu, SCORES "cross_entropy_backward", [blocks(all, 256, BUSY), 1], 256, 0, 4 * (2 * all + 2 * rows);
            address(&kept)?, address(&losses)?, address(&grad)?, d.at(), all as u64, width as u32);
        Ok([Some(d.tensor(kept.shape())), None, None])
    };
    let constant = scores.detach();
    function([&scores, &constant, &constant], Output::from(loss), backward)
}

/// [`first_is_true`](crate::ops::hits::first_is_true).
pub(in crate::ops) fn hits(scores: &Tensor, repeats: Option<&Tensor>) -> Result<Tensor> {
    let scores = scores.detach().contiguous()?;
    let (gpu, width) = (Gpu::of(&scores)?, scores.dim(D::Minus1)?);
    let (rows, repeats) = (scores.elem_count() / width, repeats.map(Tensor::contiguous).transpose()?);
    let hits = gpu.floats(rows)?;
    launch!(gpu, SCORES "cross_entropy_forward", [rows.div_ceil(ROWS), 1], 32 * ROWS, 0, 4 * (rows * width + 2 * rows);
        address(&scores)?, address_of(repeats.as_ref())?, Address::NULL, hits.at(), rows as u32, width as u32);
    Ok(hits.tensor(&scores.dims()[..scores.rank() - 1]))
}
