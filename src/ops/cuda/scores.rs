//! Scores of sampled negatives.

use crate::error::Result;
use crate::ops::cuda::gpu::{BUSY, Buffer, Gpu, Module, address, blocks, launch, module};
use crate::ops::function::function;
use candle_core::Tensor;

pub(super) const SCORES: Module = module!("scores");

/// Bytes of the gradients by negative that exist at once.
const PART: usize = 256 << 20;

/// The sizes of scores.
#[derive(Debug, Clone, Copy)]
pub(in crate::ops) struct Sizes {
    pub batch: usize,
    pub positions: usize,
    pub steps: usize,
    pub dim: usize,
    pub time: usize,
    pub number: usize,
}

/// [`sampled_scores`](crate::ops::scores::sampled_scores) of `negatives` (B, P, N).
///
/// The gradient of z is a sum over the places where each latent was drawn. Backward writes the gradient of every draw, part by part, and adds
/// those of each latent in the order of the draws, for which it makes sorted lists.
pub(in crate::ops) fn sampled_scores(
    predictions: &Tensor,
    z: &Tensor,
    negatives: &Tensor,
    sizes: Sizes,
    scale: f64,
) -> Result<Tensor> {
    let (p, z, gpu) = (predictions.contiguous()?, z.contiguous()?, Gpu::of(z)?);
    let Sizes { batch, positions, steps, dim, time, number } = sizes;
    let (count, latents, scale, width) = (batch * positions, batch * time, scale as f32, 1 + number);
    let [positions_, time_, steps_, number_, dim_] = [positions, time, steps, number, dim].map(|n| n as u32);
    let scores = gpu.floats(count * steps * width)?;
    let fetched = 4 * count * (number + steps) * dim; // from the cache, mostly
    let written = 4 * count * steps * (dim + width);
    let threads = (number + steps).next_multiple_of(32).min(256);
    launch!(gpu, SCORES "scores_forward", [count, 1], threads, 4 * steps * dim, fetched + written;
        address(&p)?, address(&z)?, address(negatives)?, scores.at(), positions_, time_, steps_, number_, dim_, scale);
    let (p_kept, z_kept, rows) = (p.detach(), z.detach(), negatives.clone());
    let backward = move |grad: &Tensor| -> Result<[Option<Tensor>; 3]> {
        let grad = grad.contiguous()?;
        let per_part = (PART / (4 * number * dim).max(1)).clamp(1, count);
        let parts = count.div_ceil(per_part);
        let (dp, dz) = (gpu.floats(count * steps * dim)?, gpu.floats(latents * dim)?);
        let (lists, starts) = draws(&gpu, &rows, per_part * number, parts, latents)?;
        let h = gpu.floats(per_part * number * dim)?;
        let (p, z, g, n) = (address(&p_kept)?, address(&z_kept)?, address(&grad)?, address(&rows)?);
        for part in 0..parts {
            let (first, here) = (part * per_part, per_part.min(count - part * per_part));
            let shared = 4 * (steps * width + number);
            launch!(gpu, SCORES "scores_backward", [here, 1], dim.next_multiple_of(32).min(256), shared,
                (2 * written + 2 * fetched) / count * here;
                p, z, n, g, dp.at(), h.at(), first as u32, positions_, time_, steps_, number_, dim_, scale);
            launch!(gpu, SCORES "scores_gather", [latents, 1], dim.next_multiple_of(32).min(256), 0,
                4 * (here * number * dim + 2 * latents * dim);
                p, g, h.at(), starts.at(), lists.at(), dz.at(), part as u32, latents as u32, positions_, time_, steps_, number_, dim_, scale);
        }
        Ok([Some(dp.tensor(p_kept.shape())), Some(dz.tensor(z_kept.shape())), None])
    };
    let constant = z.detach();
    function([&p, &z, &constant], scores.output((batch, positions, steps, width)), backward)
}

/// For each part and latent, the draws of it in ascending order, counted from the start of the part: the lists, and where each begins.
fn draws(
    gpu: &Gpu,
    negatives: &Tensor,
    per_part: usize,
    parts: usize,
    latents: usize,
) -> Result<(Buffer<u32>, Buffer<u32>)> {
    let (all, n) = (negatives.elem_count(), parts * latents);
    let (counts, starts, cursors) = (gpu.zeros::<u32>(n)?, gpu.alloc::<u32>(n + 1)?, gpu.alloc::<u32>(n)?);
    let (lists, rows) = (gpu.alloc::<u32>(all)?, address(negatives)?);
    let (all_, per_part, latents) = (all as u32, per_part as u32, latents as u32);
    launch!(gpu, SCORES "draws_count", [blocks(all, 256, BUSY), 1], 256, 0, 4 * (all + n);
        rows, counts.at(), all_, per_part, latents);
    launch!(gpu, SCORES "draws_start", [1, 1], 1024, 0, 16 * n; counts.at(), starts.at(), cursors.at(), n as u32);
    launch!(gpu, SCORES "draws_place", [blocks(all, 256, BUSY), 1], 256, 0, 8 * all;
        rows, cursors.at(), lists.at(), all_, per_part, latents);
    launch!(gpu, SCORES "draws_sort", [n.div_ceil(128), 1], 128, 0, 8 * all; starts.at(), lists.at(), n as u32);
    Ok((lists, starts))
}

/// How many negatives (B, P, N) of each position are its true future at each step: (B, P, K).
pub(in crate::ops) fn repeats(negatives: &Tensor, time: usize, steps: usize) -> Result<Tensor> {
    let (batch, positions, number) = negatives.dims3()?;
    let (gpu, count) = (Gpu::of(negatives)?, batch * positions);
    let counts = gpu.floats(count * steps)?;
    launch!(gpu, SCORES "scores_repeats", [(count * steps).div_ceil(256), 1], 256, 0, 4 * count * (number + steps);
        address(negatives)?, counts.at(), count as u32, positions as u32, time as u32, steps as u32, number as u32);
    Ok(counts.tensor((batch, positions, steps)))
}
