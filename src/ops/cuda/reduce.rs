//! Sums over rows.

use crate::error::Result;
use crate::ops::cuda::gpu::{Address, BUSY, Gpu, Module, address, blocks, launch, module};
use crate::ops::function::function;
use candle_core::Tensor;

pub(super) const REDUCE: Module = module!("reduce");

/// Columns of a block.
const WIDE: usize = 128;

/// Rows of a chunk of `rows`: about a thousand chunks at most, whose sums are added in order.
pub(super) fn chunk(rows: usize) -> usize {
    rows.div_ceil(1024).max(64)
}

impl Gpu {
    /// out (C) = the sum of `parts` (chunks, C), times `scale`.
    pub(super) fn sum_parts(
        &self,
        parts: Address,
        out: Address,
        chunks: usize,
        columns: usize,
        scale: f32,
    ) -> Result<()> {
        launch!(self, REDUCE "sum_parts", [blocks(columns, 64, BUSY), 1], 64, 0, 4 * (chunks + 1) * columns;
            parts, out, chunks as u32, columns as u32, scale);
        Ok(())
    }

    /// out (C) = the sum of the rows of `x` (rows, C), times `scale`.
    pub(super) fn sum_rows(&self, x: Address, out: Address, rows: usize, columns: usize, scale: f32) -> Result<()> {
        let chunk = chunk(rows);
        let chunks = rows.div_ceil(chunk);
        let parts = self.floats(chunks * columns)?;
        launch!(self, REDUCE "column_parts", [chunks, columns.div_ceil(WIDE)], WIDE, 0, 4 * (rows + chunks) * columns;
            x, parts.at(), rows as u32, columns as u32, chunk as u32);
        self.sum_parts(parts.at(), out, chunks, columns, scale)
    }
}

/// The mean, or `sum` for the sum, of the rows of `x` (rows, C): (C).
pub(in crate::ops) fn mean_rows(x: &Tensor, sum: bool) -> Result<Tensor> {
    let x = x.contiguous()?;
    let (rows, columns) = x.dims2()?;
    let (gpu, scale) = (Gpu::of(&x)?, if sum { 1.0 } else { 1.0 / rows as f32 });
    let out = gpu.floats(columns)?;
    gpu.sum_rows(address(&x)?, out.at(), rows, columns, scale)?;
    let device = gpu.clone();
    let backward = move |grad: &Tensor| -> Result<[Option<Tensor>; 3]> {
        let grad = grad.contiguous()?;
        let dx = device.floats(rows * columns)?;
        launch!(device, REDUCE "spread_row", [blocks(rows * columns, 256, BUSY), 1], 256, 0, 4 * rows * columns;
            address(&grad)?, dx.at(), rows as u32, columns as u32, scale);
        Ok([Some(dx.tensor((rows, columns))), None, None])
    };
    let constant = x.detach();
    function([&x, &constant, &constant], out.output(columns), backward)
}
