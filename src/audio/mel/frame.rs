//! Features of one frame: window, power spectrum, mel energies, their logarithm, and its cosine transform.
//!
//! The constants are Kaldi's defaults (`FrameExtractionOptions`, `MelBanksOptions`, `MfccOptions`); see [`super`].

use realfft::num_complex::Complex;
use realfft::{RealFftPlanner, RealToComplex};
use std::f64::consts::PI;
use std::sync::Arc;

/// Pre-emphasis: the fraction of the previous sample that is subtracted from a sample.
const PREEMPHASIS: f32 = 0.97;
/// The exponent that turns a Hann window into Povey's.
const POVEY: f64 = 0.85;
/// Lower edge of the lowest triangle, in Hz.
const LOWEST: f64 = 20.0;
/// The lifter length: coefficient k is scaled by 1 + 11 sin(pi k / 22).
const LIFTER: f64 = 22.0;
/// Lower limit of an energy.
const FLOOR: f32 = f32::EPSILON;

/// One triangle of the filter bank: its first frequency bin and the weights from there onward.
struct Triangle {
    first: usize,
    weights: Vec<f32>,
}

/// Computes the features of a frame from its samples.
pub(super) struct Analysis {
    window: Vec<f32>,
    fft: Arc<dyn RealToComplex<f32>>,
    input: Vec<f32>,
    spectrum: Vec<Complex<f32>>,
    scratch: Vec<Complex<f32>>,
    power: Vec<f32>,
    triangles: Vec<Triangle>,
    logs: Vec<f32>,
    /// (cepstra, mel bins), lifter included; empty for log-mels.
    dct: Vec<f32>,
}

fn mel(hertz: f64) -> f64 {
    1127.0 * (1.0 + hertz / 700.0).ln()
}

impl Analysis {
    /// An analysis of frames of `length` samples, into log-mels of `bins` triangles or, if given, that many `cepstra` of
    /// them. `None` if the window is too short, or a triangle is empty.
    pub(super) fn new(rate: u32, length: usize, bins: usize, cepstra: Option<usize>) -> Option<Self> {
        if length < 2 {
            return None;
        }
        let size = length.next_power_of_two();
        let fft = RealFftPlanner::new().plan_fft_forward(size);
        let hann = |i: usize| 0.5 - 0.5 * (2.0 * PI * i as f64 / (length - 1) as f64).cos();
        let k = |k: usize| k as f64;
        let dct = cepstra.map_or(Vec::new(), |n| {
            let scale = |i: usize| if i == 0 { (1.0 / k(bins)).sqrt() } else { (2.0 / k(bins)).sqrt() };
            let lifter = |i: usize| 1.0 + 0.5 * LIFTER * (PI * k(i) / LIFTER).sin();
            let cosine = |i: usize, m: usize| (PI / k(bins) * (k(m) + 0.5) * k(i)).cos();
            (0..n * bins).map(|e| (e / bins, e % bins)).map(|(i, m)| lifter(i) * scale(i) * cosine(i, m)).collect()
        });
        Some(Analysis {
            window: (0..length).map(|i| hann(i).powf(POVEY) as f32).collect(),
            input: fft.make_input_vec(),
            spectrum: fft.make_output_vec(),
            scratch: fft.make_scratch_vec(),
            power: vec![0.0; size / 2],
            triangles: triangles(rate, size, bins)?,
            logs: vec![0.0; bins],
            dct: dct.into_iter().map(|v: f64| v as f32).collect(),
            fft,
        })
    }

    /// Appends the features of `samples` (one window length) to `row`; the samples are overwritten.
    pub(super) fn frame(&mut self, samples: &mut [f32], row: &mut Vec<f32>) {
        let mean = samples.iter().map(|&v| f64::from(v)).sum::<f64>() / samples.len() as f64;
        samples.iter_mut().for_each(|v| *v -= mean as f32);
        let (frame, zeros) = self.input.split_at_mut(samples.len());
        frame[0] = (samples[0] - PREEMPHASIS * samples[0]) * self.window[0];
        for ((slot, pair), w) in frame[1..].iter_mut().zip(samples.windows(2)).zip(&self.window[1..]) {
            *slot = (pair[1] - PREEMPHASIS * pair[0]) * w;
        }
        zeros.fill(0.0); // the transform uses its input as scratch
        if self.fft.process_with_scratch(&mut self.input, &mut self.spectrum, &mut self.scratch).is_err() {
            self.spectrum.fill(Complex::new(f32::NAN, f32::NAN)); // cannot happen: the buffers are the plan's own
        }
        for (power, value) in self.power.iter_mut().zip(&self.spectrum) {
            *power = value.norm_sqr();
        }
        for (log, triangle) in self.logs.iter_mut().zip(&self.triangles) {
            let energy: f32 = triangle.weights.iter().zip(&self.power[triangle.first..]).map(|(w, p)| w * p).sum();
            *log = if energy < FLOOR { FLOOR.ln() } else { energy.ln() }; // unlike max, this keeps NaN
        }
        if self.dct.is_empty() {
            row.extend_from_slice(&self.logs);
        } else {
            let cepstrum = |c: &[f32]| c.iter().zip(&self.logs).map(|(c, log)| c * log).sum::<f32>();
            row.extend(self.dct.chunks_exact(self.logs.len()).map(cepstrum));
        }
    }
}

/// Triangles of equal width, linear on the mel scale, over the frequencies below half the sample rate of a transform of
/// `size` samples (the last frequency has no weight, as in Kaldi). `None` if a triangle covers no frequency.
fn triangles(rate: u32, size: usize, bins: usize) -> Option<Vec<Triangle>> {
    let rate = f64::from(rate);
    let low = mel(LOWEST);
    let step = (mel(rate / 2.0) - low) / (bins + 1) as f64;
    let triangle = |m: usize| {
        let left = low + step * m as f64;
        let weight = |f: usize| {
            let above = (mel(rate / size as f64 * f as f64) - left) / step;
            above.min(2.0 - above) as f32
        };
        let first = (0..size / 2).find(|&f| weight(f) > 0.0)?;
        let weights = (first..size / 2).map(weight).take_while(|&w| w > 0.0).collect();
        Some(Triangle { first, weights })
    };
    if step > 0.0 { (0..bins).map(triangle).collect() } else { None }
}
