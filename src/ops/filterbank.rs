//! Log-mel energies as the first layer of an encoder: a filterbank without parameters, through which no gradient flows.
//!
//! The frame at `t` holds `kernel` samples from `t * stride - padding` on, under a Hann window. With H_m the triangles of equal width on the
//! mel scale, from 20 Hz to half the sample rate, a band is `(ln(sum_f H_m[f] |X_t[f]|^2 + 1e-6) + 4) / 4`: for speech, roughly from -2 to 2.

use crate::error::{Error, Result};
use candle_core::Tensor;
use rayon::prelude::*;
use realfft::num_complex::Complex;
use realfft::{RealFftPlanner, RealToComplex};
use std::f32::consts::TAU;
use std::fmt;
use std::sync::Arc;

/// The bands of frames.
#[derive(Clone)]
pub struct Filterbank {
    kernel: usize,
    stride: usize,
    padding: usize,
    window: Arc<Vec<f32>>,
    fft: Arc<dyn RealToComplex<f32>>,
    triangles: Arc<Vec<Triangle>>,
}

/// The first frequency of a triangle, and its weights from there on.
type Triangle = (usize, Vec<f32>);

impl fmt::Debug for Filterbank {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Filterbank({} bands of {} samples)", self.triangles.len(), self.kernel)
    }
}

/// The place of a frequency on the mel scale.
pub(crate) fn mel(hertz: f32) -> f32 {
    1127.0 * (hertz / 700.0).ln_1p()
}

/// The frequency at a place of the mel scale.
pub(crate) fn hertz(mel: f32) -> f32 {
    700.0 * (mel / 1127.0).exp_m1()
}

impl Filterbank {
    /// A bank of `bands` bands at a sample rate.
    ///
    /// # Errors
    /// The frames are too short for so many bands.
    pub fn new(rate: u32, bands: usize, [kernel, stride, padding]: [usize; 3]) -> Result<Self> {
        // Twice the length at least, so that the lowest triangles are not empty.
        let size = (2 * kernel).next_power_of_two();
        let (low, high) = (mel(20.0), mel(rate as f32 / 2.0));
        let step = (high - low) / (bands + 1) as f32;
        let triangle = |m: usize| -> Option<Triangle> {
            let weight = |f: usize| {
                let above = (mel(f as f32 * rate as f32 / size as f32) - low) / step - m as f32;
                above.min(2.0 - above)
            };
            let first = (0..=size / 2).find(|&f| weight(f) > 0.0)?;
            Some((first, (first..=size / 2).map(weight).take_while(|&w| w > 0.0).collect()))
        };
        let triangles: Option<Vec<Triangle>> = (0..bands).map(triangle).collect();
        let triangles = triangles.ok_or_else(|| {
            Error::usage(
                format!("encoder.channels: {bands} mel bands are too many for frames of {kernel} samples at {rate} Hz"),
                "ask for fewer bands, or for longer frames (the first of encoder.kernels)",
            )
        })?;
        let window = (0..kernel).map(|i| 0.5 - 0.5 * (TAU * (i as f32 + 0.5) / kernel as f32).cos()).collect();
        let fft = RealFftPlanner::new().plan_fft_forward(size);
        Ok(Filterbank { kernel, stride, padding, window: Arc::new(window), fft, triangles: Arc::new(triangles) })
    }

    /// The number of bands.
    pub fn bands(&self) -> usize {
        self.triangles.len()
    }

    /// The bands (B, T', bands) of `samples` (B, T, 1).
    ///
    /// # Errors
    /// The signal is shorter than a frame.
    pub fn forward(&self, samples: &Tensor) -> Result<Tensor> {
        let (batch, time, _) = samples.dims3()?;
        let frames = (time + 2 * self.padding).checked_sub(self.kernel).map_or(0, |room| room / self.stride + 1);
        let signal = samples.flatten_all()?.to_vec1::<f32>()?;
        let mut rows = vec![0.0; batch * frames * self.bands()];
        if rows.is_empty() {
            let what = format!("{time} samples are shorter than a frame of {}", self.kernel);
            return Err(Error::Tensor(candle_core::Error::Msg(what)));
        }
        rows.par_chunks_mut(frames * self.bands()).zip(signal.par_chunks(time)).for_each(|(rows, signal)| {
            let mut padded = vec![0.0; self.padding];
            padded.extend_from_slice(signal);
            padded.resize(time + 2 * self.padding, 0.0);
            self.frames(&padded, rows);
        });
        Ok(Tensor::from_vec(rows, (batch, frames, self.bands()), samples.device())?)
    }

    /// Fills rows with the bands of the frames that begin every `stride` samples of `samples`.
    fn frames(&self, samples: &[f32], rows: &mut [f32]) {
        let (mut input, mut spectrum) = (self.fft.make_input_vec(), self.fft.make_output_vec());
        let mut scratch = self.fft.make_scratch_vec();
        for (t, row) in rows.chunks_exact_mut(self.bands()).enumerate() {
            let frame = &samples[t * self.stride..][..self.kernel];
            input.fill(0.0); // the transform uses its input as scratch
            input.iter_mut().zip(frame.iter().zip(self.window.iter())).for_each(|(x, (sample, w))| *x = sample * w);
            if self.fft.process_with_scratch(&mut input, &mut spectrum, &mut scratch).is_err() {
                spectrum.fill(Complex::new(f32::NAN, f32::NAN)); // cannot happen: the buffers are the plan's own
            }
            for (band, (first, weights)) in row.iter_mut().zip(self.triangles.iter()) {
                let power = weights.iter().zip(&spectrum[*first..]).map(|(w, x)| w * x.norm_sqr()).sum::<f32>();
                *band = ((power + 1e-6).ln() + 4.0) / 4.0;
            }
        }
    }

    /// The bank on a signal that arrives in pieces.
    pub fn stream(&self) -> FilterbankStream {
        FilterbankStream { bank: self.clone(), held: vec![0.0; self.padding], skip: 0 }
    }
}

/// A [`Filterbank`] with the samples that later frames still need. Clones share the bank.
#[derive(Debug, Clone)]
pub struct FilterbankStream {
    bank: Filterbank,
    held: Vec<f32>,
    skip: usize, // samples still to arrive that no frame needs
}

impl FilterbankStream {
    /// Takes samples and returns the bands (n, bands) of the frames that they complete.
    pub fn push(&mut self, samples: &[f32]) -> Vec<f32> {
        let FilterbankStream { bank, held, skip } = self;
        held.extend_from_slice(samples);
        let skipped = (*skip).min(held.len());
        *skip -= skipped;
        held.drain(..skipped);
        let n = held.len().checked_sub(bank.kernel).map_or(0, |room| room / bank.stride + 1);
        let mut rows = vec![0.0; n * bank.bands()];
        bank.frames(held, &mut rows);
        let used = (n * bank.stride).min(held.len());
        *skip += n * bank.stride - used;
        held.drain(..used);
        rows
    }

    /// Ends the signal and returns the bands of the frames that reach into the zeros after it. The stream is then back at its start.
    pub fn finish(&mut self) -> Vec<f32> {
        let rows = self.push(&vec![0.0; self.bank.padding]);
        self.reset();
        rows
    }

    /// Discards the samples that are held.
    pub fn reset(&mut self) {
        self.held = vec![0.0; self.bank.padding];
        self.skip = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;
    use proptest::prelude::*;

    const RATE: u32 = 16_000;

    fn bank() -> Filterbank {
        Filterbank::new(RATE, 40, [400, 160, 120]).unwrap()
    }

    fn bands(samples: &[f32]) -> Vec<f32> {
        let x = Tensor::from_slice(samples, (1, samples.len(), 1), &Device::Cpu).unwrap();
        bank().forward(&x).unwrap().flatten_all().unwrap().to_vec1().unwrap()
    }

    #[test]
    fn a_tone_is_loudest_in_the_band_that_holds_it_and_ten_times_the_power_adds_its_logarithm() {
        let band = |m: usize| {
            let (low, high) = (mel(20.0), mel(8000.0));
            700.0 * ((low + (high - low) / 41.0 * (m + 1) as f32) / 1127.0).exp_m1()
        };
        for m in [3, 12, 25, 38] {
            let tone = |amplitude: f32| -> Vec<f32> {
                (0..8000).map(|i| amplitude * (TAU * band(m) * i as f32 / RATE as f32).sin()).collect()
            };
            let (quiet, loud) = (bands(&tone(0.1)), bands(&tone(0.1 * 10f32.sqrt())));
            let row = &quiet[20 * 40..][..40];
            let loudest = (0..40).max_by(|&a, &b| row[a].total_cmp(&row[b])).unwrap();
            assert_eq!(loudest, m);
            assert!((loud[20 * 40 + m] - row[m] - 10f32.ln() / 4.0).abs() < 1e-3);
        }
        assert!(bands(&[0.0; 800]).iter().all(|b| (b - (1e-6f32.ln() + 4.0) / 4.0).abs() < 1e-6));
    }

    #[test]
    fn too_many_bands_and_too_few_samples_are_refused() {
        assert!(Filterbank::new(RATE, 400, [400, 160, 120]).unwrap_err().to_string().contains("400 mel bands"));
        let x = Tensor::zeros((1, 100, 1), candle_core::DType::F32, &Device::Cpu).unwrap();
        assert!(bank().forward(&x).is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]

        #[test]
        fn any_pieces_make_the_whole(time in 300usize..3000, pieces in prop::collection::vec(1usize..700, 1..6)) {
            let samples: Vec<f32> = (0..time).map(|i| ((i * i) as f32 * 0.01).sin()).collect();
            let mut stream = bank().stream();
            stream.push(&samples[..200]);
            stream.reset();
            for _ in 0..2 {
                let (mut rows, mut at) = (Vec::new(), 0);
                for piece in pieces.iter().cycle() {
                    let to = (at + piece).min(time);
                    rows.extend(stream.push(&samples[at..to]));
                    at = to;
                    if at == time {
                        break;
                    }
                }
                rows.extend(stream.finish());
                prop_assert_eq!(&rows, &bands(&samples));
            }
        }
    }
}
