//! Resamples any range of a file; a sample is the same whichever range is requested.
//!
//! `rubato`'s FFT resampler works in blocks: block k of the input (`input` frames) becomes block k of the output
//! (`output` samples), half a block late, and also depends on input block k - 1. Blocks are counted from the beginning
//! of the file. A range therefore needs only the blocks that it touches and the one before them, and equals, bit for
//! bit, the same range of the resampled whole file. Both block sizes are even, so that half a block is a whole number
//! of samples.

use rubato::audioadapter_buffers::direct::InterleavedSlice;
use rubato::{Fft, FixedSync, Indexing, Resampler as _, WindowFunction};
use std::ops::Range;

/// Minimum block length in samples at the lower of the two rates. The filter is as long as a block, and its pass band
/// ends at about 1 - 14 / length of the lower Nyquist frequency (98.6 %).
const BLOCK: usize = 1024;

/// Number of rate pairs that resamplers are kept for.
const DESIGNS: usize = 8;

/// Resamplers by their pair of rates, each built once; when there are too many, the oldest is dropped.
#[derive(Default)]
pub(crate) struct Designs(Vec<((u32, u32), Design)>);

impl Designs {
    /// The resampler from `rate` to `target` samples per second.
    pub(crate) fn of(&mut self, rate: u32, target: u32) -> Result<&mut Design, String> {
        let at = match self.0.iter().position(|(pair, _)| *pair == (rate, target)) {
            Some(at) => at,
            None => {
                if self.0.len() >= DESIGNS {
                    self.0.remove(0);
                }
                self.0.push(((rate, target), Design::new(rate, target)?));
                self.0.len() - 1
            }
        };
        Ok(&mut self.0[at].1)
    }
}

/// A resampler from one rate to another.
pub(crate) struct Design {
    fft: Fft<f32>,
    input: usize,
    output: usize,
    block: Vec<f32>,
}

impl Design {
    /// A resampler from `rate` to `target` samples per second.
    pub(super) fn new(rate: u32, target: u32) -> Result<Self, String> {
        let refused = || format!("resampling from {rate} to {target} Hz is not possible");
        let (rate, target) = (rate as usize, target as usize);
        let divisor = gcd(rate, target).max(1);
        let (step_in, step_out) = (rate / divisor, target / divisor);
        let steps = BLOCK.div_ceil(step_in.min(step_out).max(1)).next_multiple_of(2);
        let fft =
            Fft::new_custom(rate, target, steps * step_in, 1, 1, WindowFunction::BlackmanHarris2, FixedSync::Both);
        let fft = fft.map_err(|_| refused())?;
        let (input, output) = (fft.fft_size_in(), fft.fft_size_out());
        if input != steps * step_in || output != steps * step_out {
            return Err(refused());
        }
        Ok(Design { fft, input, output, block: vec![0.0; output] })
    }

    /// The input frames that samples `range` of the output depend on. They may begin before the file's beginning (then they
    /// are negative) and end after its end; the signal there is silence.
    pub(crate) fn needs(&self, range: &Range<u64>) -> Range<i64> {
        let blocks = self.blocks(range);
        let size = self.input as i64;
        (blocks.start - 1) * size..blocks.end * size
    }

    /// The first sample after `first` that needs more input.
    pub(super) fn next_block(&self, first: u64) -> u64 {
        let block = self.blocks(&(first..first + 1)).start;
        ((block + 1) * self.output as i64 - self.output as i64 / 2) as u64
    }

    /// The largest number of input frames between the time of a sample and the point where it can be computed. The worst
    /// case is the first sample of its block, which is half a block late.
    pub(super) fn delay(&self) -> usize {
        self.input + self.input / 2
    }

    /// The blocks of delayed output that hold samples `range`.
    fn blocks(&self, range: &Range<u64>) -> Range<i64> {
        let (size, late) = (self.output as i64, self.output as i64 / 2);
        (range.start as i64 + late) / size..(range.end as i64 + late - 1) / size + 1
    }

    /// Computes samples `range` of the output from the input frames given by [`Design::needs`].
    pub(crate) fn run(&mut self, input: &[f32], range: &Range<u64>, out: &mut [f32]) -> Result<(), String> {
        let failed = |_| "resampling it failed".to_string();
        self.fft.reset();
        let first = self.blocks(range).start - 1;
        for (k, block) in input.chunks_exact(self.input).enumerate() {
            {
                let from = InterleavedSlice::new(block, 1, self.input).map_err(|_| failed(()))?;
                let mut to = InterleavedSlice::new_mut(&mut self.block, 1, self.output).map_err(|_| failed(()))?;
                self.fft.process_into_buffer(&from, &mut to, None::<&Indexing>).map_err(|_| failed(()))?;
            }
            if k == 0 {
                continue;
            }
            // The block holds output samples begin..begin + size; copy the requested ones.
            let begin = (first + k as i64) * self.output as i64 - self.output as i64 / 2 - range.start as i64;
            let skip = (-begin).clamp(0, self.output as i64) as usize;
            let at = begin.max(0) as usize;
            let n = (self.output - skip).min(out.len().saturating_sub(at));
            if let Some(slots) = out.get_mut(at..at + n) {
                slots.copy_from_slice(&self.block[skip..skip + n]);
            }
        }
        Ok(())
    }
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}
