//! The latents that predictions are scored against, as row indices.

use crate::error::Result;
#[cfg(feature = "cuda")]
use crate::ops::cuda;
use crate::ops::function::Form;
use crate::seed::Stream;
use candle_core::{DType, Device, Tensor};
use std::sync::Arc;

/// How the negatives of a batch of windows are drawn: uniformly and with replacement, N for each position, in the order of the positions.
///
/// Draw i is `first + below(range)`, where `first` is 0, or the first latent of the position's own window if `from_own`. Numbers after the
/// last latent that is not skipped are moved up by `excluded`: the first latent of the own window, or the position itself if `by_position`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Draws {
    /// Windows.
    pub batch: usize,
    /// Positions of a window.
    pub positions: usize,
    /// Latents of a window.
    pub frames: usize,
    /// N.
    pub number: usize,
    /// Latents to draw from.
    pub range: u32,
    /// Whether these are of the own window only.
    pub from_own: bool,
    /// Whether latents are skipped after the position, or from the start of its window on.
    pub by_position: bool,
    /// Latents to skip.
    pub excluded: u32,
}

impl Draws {
    /// The rows, (B, P, N).
    pub fn rows(&self, stream: &mut Stream) -> Vec<u32> {
        let mut rows = Vec::with_capacity(self.batch * self.positions * self.number);
        for position in 0..self.batch * self.positions {
            let own = (position / self.positions * self.frames) as u32;
            let first = if self.from_own { own } else { 0 };
            let stays = own + if self.by_position { (position % self.positions) as u32 + 1 } else { 0 };
            for _ in 0..self.number {
                let drawn = first + stream.below(self.range);
                rows.push(if drawn < stays { drawn } else { drawn + self.excluded });
            }
        }
        rows
    }

    /// The negatives, drawn where they will be used; the same on every device.
    ///
    /// # Errors
    /// Only errors of the device.
    pub fn draw(&self, stream: &mut Stream, device: &Device) -> Result<Negatives> {
        match Form::on(device, DType::F32) {
            #[cfg(feature = "cuda")]
            Form::Kernels if stream.is_at_its_start() => {
                let rows = cuda::draw(self, stream.key(), device)?;
                stream.skip(rows.elem_count());
                Ok(Negatives { number: self.number, rows: Rows::Device(rows) })
            }
            _ => Ok(Negatives::of(self.rows(stream), self.number)),
        }
    }
}

/// The negatives of a batch of windows: for each of its `batch * positions` positions, N row indices into the flattened z (B*T, D).
#[derive(Debug, Clone)]
pub struct Negatives {
    number: usize,
    rows: Rows,
}

#[derive(Debug, Clone)]
enum Rows {
    Host(Arc<[u32]>),
    #[cfg(feature = "cuda")]
    Device(Tensor),
}

impl Negatives {
    /// Given `rows` (B, positions, N), row-major.
    pub fn of(rows: impl Into<Arc<[u32]>>, number: usize) -> Negatives {
        Negatives { number, rows: Rows::Host(rows.into()) }
    }

    /// N.
    pub fn number(&self) -> usize {
        self.number
    }

    /// The number of positions.
    pub fn positions(&self) -> usize {
        self.count() / self.number.max(1)
    }

    /// The number of rows of all positions together.
    pub fn count(&self) -> usize {
        match &self.rows {
            Rows::Host(rows) => rows.len(),
            #[cfg(feature = "cuda")]
            Rows::Device(rows) => rows.elem_count(),
        }
    }

    /// The rows on the host, (B, positions, N).
    ///
    /// # Errors
    /// Only errors of the device.
    pub fn rows(&self) -> Result<Arc<[u32]>> {
        Ok(match &self.rows {
            Rows::Host(rows) => rows.clone(),
            #[cfg(feature = "cuda")]
            Rows::Device(rows) => rows.flatten_all()?.to_vec1::<u32>()?.into(),
        })
    }

    /// The rows on a device, (B, positions, N), for a batch of `batch` windows.
    #[cfg(feature = "cuda")]
    pub(super) fn on(&self, device: &Device, batch: usize) -> Result<Tensor> {
        Ok(match &self.rows {
            Rows::Host(rows) => {
                Tensor::from_slice(rows, (batch, self.positions() / batch.max(1), self.number), device)?
            }
            Rows::Device(rows) => rows.clone(),
        })
    }

    /// Whether all rows, as far as the host has them, are below `latents`.
    pub(super) fn are_below(&self, latents: usize) -> bool {
        match &self.rows {
            Rows::Host(rows) => rows.iter().all(|&row| (row as usize) < latents),
            #[cfg(feature = "cuda")]
            Rows::Device(_) => true,
        }
    }
}

/// How many negatives of each position are its true future at each of `steps` steps: (B, P, K), f32 on `device`. The windows, `batch` of them,
/// have `frames` latents.
///
/// # Errors
/// Only errors of the device.
pub fn repeats(negatives: &Negatives, batch: usize, frames: usize, steps: usize, device: &Device) -> Result<Tensor> {
    match Form::on(device, DType::F32) {
        #[cfg(feature = "cuda")]
        Form::Kernels => cuda::repeats(&negatives.on(device, batch)?, frames, steps),
        _ => repeats_on_host(negatives, batch, frames, steps, device),
    }
}

fn repeats_on_host(
    negatives: &Negatives,
    batch: usize,
    frames: usize,
    steps: usize,
    device: &Device,
) -> Result<Tensor> {
    let positions = negatives.positions() / batch.max(1);
    let mut counts = vec![0.0f32; batch * positions * steps];
    let rows = negatives.rows()?;
    for (position, (rows, counts)) in
        rows.chunks_exact(negatives.number.max(1)).zip(counts.chunks_exact_mut(steps)).enumerate()
    {
        let first = position / positions * frames + position % positions + 1;
        for row in rows {
            if let Some(count) = (*row as usize).checked_sub(first).and_then(|k| counts.get_mut(k)) {
                *count += 1.0;
            }
        }
    }
    Ok(Tensor::from_vec(counts, (batch, positions, steps), device)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::check::device;
    use crate::seed::stream;

    #[test]
    fn every_device_draws_the_same_and_leaves_the_stream_at_the_same_place() {
        let own = Draws {
            batch: 3,
            positions: 5,
            frames: 9,
            number: 7,
            range: 9 - 4,
            from_own: true,
            by_position: true,
            excluded: 4,
        };
        let others = Draws { range: 18, from_own: false, by_position: false, excluded: 9, ..own };
        for draws in [own, others, Draws { batch: 1, positions: 1, number: 3, ..own }] {
            let (mut a, mut b) = (stream(5, "negatives", 8), stream(5, "negatives", 8));
            let here = draws.draw(&mut a, &device()).unwrap();
            assert_eq!(here.rows().unwrap().to_vec(), draws.rows(&mut b));
            assert_eq!(a.next_u64(), b.next_u64());
            let [cpu, gpu] = [Device::Cpu, device()].map(|device| {
                let counts = repeats(&here, draws.batch, draws.frames, 4, &device).unwrap();
                counts.flatten_all().unwrap().to_vec1::<f32>().unwrap()
            });
            assert_eq!(cpu, gpu);
        }
    }
}
