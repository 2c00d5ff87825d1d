//! Negatives drawn where they are used.

use crate::error::Result;
use crate::ops::cuda::gpu::{Gpu, Module, launch, module};
use crate::ops::negatives::Draws;
use candle_core::cuda_backend::cudarc::driver::DeviceRepr;
use candle_core::{Device, Tensor};

const NEGATIVES: Module = module!("negatives");

/// `Key` of negatives.cu.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
struct Key([u32; 8]);

// SAFETY: eight words, as in negatives.cu.
unsafe impl DeviceRepr for Key {}

/// The same rows as [`Draws::rows`]: (B, P, N), u32.
pub(in crate::ops) fn draw(draws: &Draws, key: [u32; 8], device: &Device) -> Result<Tensor> {
    let (gpu, all) = (Gpu::on(device)?, draws.batch * draws.positions * draws.number);
    let rows = gpu.alloc::<u32>(all)?;
    launch!(gpu, NEGATIVES "draw_negatives", [all.div_ceil(16).div_ceil(128), 1], 128, 0, 4 * all;
        Key(key), rows.at(), all as u32, draws.number as u32, draws.positions as u32, draws.frames as u32, draws.range,
        u32::from(draws.from_own), u32::from(draws.by_position), draws.excluded);
    Ok(rows.tensor((draws.batch, draws.positions, draws.number)))
}
