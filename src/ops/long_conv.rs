//! Causal convolution of each channel with a kernel as long as the sequence, through the Fourier transform: `y_t = sum_l k_l x_(t-l)`.
//!
//! Directly it takes T^2 operations per channel, by the transform T log T. Both are padded with zeros to at least 2 T - 1, so that the end does
//! not wrap around to the beginning. Backward is a product of the same kind: the gradient of x is the correlation with k, that of k the
//! correlation with x, summed over the batch.

use crate::error::{Error, Result};
use crate::ops::function::{Floats, Form, Output, function};
use candle_core::{Device, Tensor};
use rayon::prelude::*;
use realfft::num_complex::Complex;
use realfft::{ComplexToReal, RealFftPlanner, RealToComplex};
use std::sync::Arc;

/// Channels that are gathered together: 8 of them are half a cache line of a row of x.
const BLOCK: usize = 8;

/// Sequences of a batch are shared out in at most this many parts, whose gradients of k are added in order.
const PARTS: usize = 16;

/// Returns y (B, T, H) of `x` (B, T, H) and `kernel` (H, T).
///
/// # Errors
/// If the shapes do not match.
pub fn long_conv(x: &Tensor, kernel: &Tensor) -> Result<Tensor> {
    match Form::of(x) {
        Form::Fused => fused(x, kernel),
        _ => composed(x, kernel),
    }
}

/// [`long_conv`] built from candle operations: a product with a Toeplitz matrix for each channel. It needs memory for H matrices (T, T).
pub fn composed(x: &Tensor, kernel: &Tensor) -> Result<Tensor> {
    let (_, time, channels) = x.dims3()?;
    // Row t of the matrix has k_(t-s) at s <= t, and after it the zero at the end of the padded kernel.
    let lag = |t: usize, s: usize| if s <= t { t - s } else { time } as u32;
    let lags: Vec<u32> = (0..time).flat_map(|t| (0..time).map(move |s| lag(t, s))).collect();
    let lags = Tensor::from_vec(lags, time * time, x.device())?;
    let toeplitz = kernel.pad_with_zeros(1, 0, 1)?.index_select(&lags, 1)?.reshape((channels, time, time))?;
    let y = toeplitz.matmul(&x.permute((2, 1, 0))?.contiguous()?)?; // (H, T, B)
    Ok(y.permute((2, 1, 0))?.contiguous()?)
}

/// [`long_conv`] on the CPU in f32.
pub fn fused(x: &Tensor, kernel: &Tensor) -> Result<Tensor> {
    let (x, kernel) = (x.contiguous()?, kernel.contiguous()?);
    let (batch, time, channels) = x.dims3()?;
    if kernel.dims() != [channels, time] {
        let what = format!("a kernel {:?} for {:?}", kernel.dims(), x.dims());
        return Err(Error::Tensor(candle_core::Error::Msg(what)));
    }
    if x.elem_count() == 0 {
        return composed(&x, &kernel);
    }
    let fourier = Fourier::new(time);
    let response = fourier.all(&Floats::of(&kernel)?, time)?;
    let mut y = vec![0.0f32; batch * time * channels];
    {
        let x = Floats::of(&x)?;
        let rows = y.par_chunks_mut(time * channels).zip(x.par_chunks(time * channels));
        rows.try_for_each(|(y, x)| fourier.filter(x, channels, &response, y))?;
    }
    let tracked = x.track_op();
    let kept = x.detach();
    let backward = move |grad: &Tensor| -> Result<[Option<Tensor>; 3]> {
        let grad = grad.contiguous()?;
        let (g, x) = (Floats::of(&grad)?, Floats::of(&kept)?);
        let share = batch.div_ceil(PARTS) * time * channels;
        let mut dx = vec![0.0f32; if tracked { batch * time * channels } else { 0 }];
        let parts: Vec<Spectra> = if tracked {
            let items = dx.par_chunks_mut(share).zip(g.par_chunks(share).zip(x.par_chunks(share)));
            items.map(|(dx, (g, x))| fourier.back(g, x, channels, &response, Some(dx))).collect::<Result<_>>()?
        } else {
            let items = g.par_chunks(share).zip(x.par_chunks(share));
            items.map(|(g, x)| fourier.back(g, x, channels, &response, None)).collect::<Result<_>>()?
        };
        let dk = fourier.sum(parts, channels)?;
        let dx = tracked.then(|| Tensor::from_vec(dx, (batch, time, channels), &Device::Cpu)).transpose()?;
        Ok([dx, Some(Tensor::from_vec(dk, (channels, time), &Device::Cpu)?), None])
    };
    function([&x, &kernel, &kernel], Output::floats(y, (batch, time, channels)), backward)
}

/// Half spectra of channels, one after another.
type Spectra = Vec<Complex<f32>>;

/// The transform of sequences of a given length, padded.
struct Fourier {
    time: usize,
    size: usize,
    there: Arc<dyn RealToComplex<f32>>,
    back: Arc<dyn ComplexToReal<f32>>,
}

/// Room for one block of channels.
struct Room {
    waves: Vec<f32>,
    spectra: Spectra,
    scratch: Spectra,
}

impl Fourier {
    fn new(time: usize) -> Self {
        let size = size(2 * time.max(1) - 1);
        let mut planner = RealFftPlanner::new();
        Fourier { time, size, there: planner.plan_fft_forward(size), back: planner.plan_fft_inverse(size) }
    }

    /// The number of values of a half spectrum.
    fn half(&self) -> usize {
        self.size / 2 + 1
    }

    fn room(&self) -> Room {
        let scratch = self.there.get_scratch_len().max(self.back.get_scratch_len());
        Room {
            waves: vec![0.0; BLOCK * self.size],
            spectra: vec![Complex::default(); BLOCK * self.half()],
            scratch: vec![Complex::default(); scratch],
        }
    }

    /// The spectra of rows of `time` values, scaled so that a product with them can be transformed back.
    fn all(&self, rows: &[f32], time: usize) -> Result<Spectra> {
        let mut spectra = vec![Complex::default(); rows.len() / time * self.half()];
        let scale = 1.0 / self.size as f32;
        let each = spectra.par_chunks_mut(BLOCK * self.half()).zip(rows.par_chunks(BLOCK * time));
        each.try_for_each_init(
            || self.room(),
            |room, (spectra, rows)| {
                for (spectrum, row) in spectra.chunks_exact_mut(self.half()).zip(rows.chunks_exact(time)) {
                    let wave = &mut room.waves[..self.size];
                    wave.fill(0.0);
                    wave.iter_mut().zip(row).for_each(|(w, r)| *w = r * scale);
                    self.there.process_with_scratch(wave, spectrum, &mut room.scratch).map_err(failed)?;
                }
                Ok::<_, Error>(())
            },
        )?;
        Ok(spectra)
    }

    /// The spectra of `width` channels of `x` (T, H) from `first` on, in `room.spectra`.
    fn spectra_of(&self, x: &[f32], channels: usize, first: usize, width: usize, room: &mut Room) -> Result<()> {
        room.waves.fill(0.0);
        for (t, row) in x.chunks_exact(channels).enumerate() {
            row[first..first + width].iter().enumerate().for_each(|(i, v)| room.waves[i * self.size + t] = *v);
        }
        let each = room.waves.chunks_exact_mut(self.size).zip(room.spectra.chunks_exact_mut(self.half()));
        for (wave, spectrum) in each.take(width) {
            self.there.process_with_scratch(wave, spectrum, &mut room.scratch).map_err(failed)?;
        }
        Ok(())
    }

    /// The wave of a half spectrum, which is overwritten.
    fn wave_of(&self, spectrum: &mut [Complex<f32>], wave: &mut [f32], scratch: &mut [Complex<f32>]) -> Result<()> {
        // These two are real; rounding in a product leaves something else, which the transform refuses.
        spectrum[0].im = 0.0;
        spectrum[self.size / 2].im = 0.0;
        self.back.process_with_scratch(spectrum, wave, scratch).map_err(failed)
    }

    /// The waves of `room.spectra`, in the columns of `y` (T, H) from `first` on.
    fn waves_to(&self, room: &mut Room, channels: usize, first: usize, width: usize, y: &mut [f32]) -> Result<()> {
        let each = room.waves.chunks_exact_mut(self.size).zip(room.spectra.chunks_exact_mut(self.half()));
        for (wave, spectrum) in each.take(width) {
            self.wave_of(spectrum, wave, &mut room.scratch)?;
        }
        for (t, row) in y.chunks_exact_mut(channels).enumerate() {
            row[first..first + width].iter_mut().enumerate().for_each(|(i, v)| *v = room.waves[i * self.size + t]);
        }
        Ok(())
    }

    /// y (T, H) of `x` (T, H), convolved with the kernels of `response`.
    fn filter(&self, x: &[f32], channels: usize, response: &Spectra, y: &mut [f32]) -> Result<()> {
        let mut room = self.room();
        for first in (0..channels).step_by(BLOCK) {
            let width = BLOCK.min(channels - first);
            self.spectra_of(x, channels, first, width, &mut room)?;
            let each = room.spectra.iter_mut().zip(&response[first * self.half()..]);
            each.for_each(|(s, k)| *s *= k);
            self.waves_to(&mut room, channels, first, width, y)?;
        }
        Ok(())
    }

    /// The spectra of the gradients of the kernels for some sequences, `g` and `x` (b, T, H); and the gradients of x, in `dx`.
    fn back(
        &self,
        g: &[f32],
        x: &[f32],
        channels: usize,
        response: &Spectra,
        mut dx: Option<&mut [f32]>,
    ) -> Result<Spectra> {
        let (mut of_g, mut of_x) = (self.room(), self.room());
        let mut dk = vec![Complex::default(); channels * self.half()];
        let row = self.time * channels;
        for i in 0..g.len() / row {
            let (g, x) = (&g[i * row..(i + 1) * row], &x[i * row..(i + 1) * row]);
            for first in (0..channels).step_by(BLOCK) {
                let width = BLOCK.min(channels - first);
                self.spectra_of(g, channels, first, width, &mut of_g)?;
                self.spectra_of(x, channels, first, width, &mut of_x)?;
                let dk = &mut dk[first * self.half()..(first + width) * self.half()];
                dk.iter_mut().zip(of_g.spectra.iter().zip(&of_x.spectra)).for_each(|(d, (g, x))| *d += g * x.conj());
                if let Some(dx) = &mut dx {
                    let each = of_g.spectra.iter_mut().zip(&response[first * self.half()..]);
                    each.for_each(|(s, k)| *s *= k.conj());
                    self.waves_to(&mut of_g, channels, first, width, &mut dx[i * row..(i + 1) * row])?;
                }
            }
        }
        Ok(dk)
    }

    /// The gradients of the kernels (H, T), from the spectra of parts.
    fn sum(&self, parts: Vec<Spectra>, channels: usize) -> Result<Vec<f32>> {
        let mut parts = parts.into_iter();
        let mut sum = parts.next().unwrap_or_default();
        for part in parts {
            sum.par_iter_mut().zip(part).for_each(|(s, p)| *s += p);
        }
        let mut dk = vec![0.0f32; channels * self.time];
        let scale = 1.0 / self.size as f32;
        let each = dk.par_chunks_mut(self.time).zip(sum.par_chunks_mut(self.half()));
        each.try_for_each_init(
            || self.room(),
            |room, (dk, spectrum)| {
                let wave = &mut room.waves[..self.size];
                self.wave_of(spectrum, wave, &mut room.scratch)?;
                dk.iter_mut().zip(wave).for_each(|(d, w)| *d = *w * scale);
                Ok::<_, Error>(())
            },
        )?;
        Ok(dk)
    }
}

/// The smallest even number of at least `least` without a prime factor above 5, for which the transform is fast.
fn size(least: usize) -> usize {
    let smooth = |mut n: usize| {
        for p in [2, 3, 5] {
            while n.is_multiple_of(p) {
                n /= p;
            }
        }
        n == 1
    };
    (least.max(2)..).find(|&n| n.is_multiple_of(2) && smooth(n)).unwrap_or(least)
}

fn failed(e: realfft::FftError) -> Error {
    Error::Tensor(candle_core::Error::Msg(e.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::check::{finite_differences, random, same};

    #[test]
    fn fused_equals_composed_equals_finite_differences() {
        for (batch, time, channels) in [(2, 7, 3), (1, 1, 1), (3, 40, 9), (20, 13, 17)] {
            let inputs = [random(&[batch, time, channels], 1), random(&[channels, time], 2)];
            finite_differences(|t| composed(&t[0], &t[1]), &inputs);
            same(|t| long_conv(&t[0], &t[1]), |t| composed(&t[0], &t[1]), &inputs);
        }
    }

    #[test]
    fn an_impulse_gives_the_kernel_from_there_on() {
        let kernel = Tensor::new(&[[3.0f64, 2.0, 1.0]], &Device::Cpu).unwrap();
        let x = Tensor::new(&[[[0.0f64], [1.0], [0.0]]], &Device::Cpu).unwrap();
        assert_eq!(composed(&x, &kernel).unwrap().flatten_all().unwrap().to_vec1::<f64>().unwrap(), [0.0, 3.0, 2.0]);
    }

    #[test]
    fn sizes_are_even_and_smooth() {
        assert_eq!([1, 2, 3, 599, 1023, 1025].map(size), [2, 2, 4, 600, 1024, 1080]);
    }
}
