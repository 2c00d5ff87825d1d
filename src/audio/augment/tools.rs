//! What augmentations need besides the window: Fourier transforms, planned once, and recorded noise.

use realfft::num_complex::Complex;
use realfft::{ComplexToReal, RealFftPlanner, RealToComplex};
use std::fmt;
use std::sync::Arc;

/// The transforms that augmentations need, with their buffers.
#[derive(Default)]
pub struct Tools {
    /// As many samples of recorded noise as the window has; empty where noise is to be made.
    pub noise: Vec<f32>,
    plans: Vec<Plan>,
}

struct Plan {
    size: usize,
    forward: Arc<dyn RealToComplex<f32>>,
    inverse: Arc<dyn ComplexToReal<f32>>,
    signal: Vec<f32>,
    spectrum: Vec<Complex<f32>>,
    other: Vec<Complex<f32>>,
}

impl fmt::Debug for Tools {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tools")
    }
}

impl Tools {
    /// Transforms of at least `size` samples.
    fn plan(&mut self, size: usize) -> &mut Plan {
        let size = size.next_power_of_two();
        let at = self.plans.iter().position(|plan| plan.size == size).unwrap_or_else(|| {
            let mut planner = RealFftPlanner::new();
            let (forward, inverse) = (planner.plan_fft_forward(size), planner.plan_fft_inverse(size));
            let (signal, spectrum) = (forward.make_input_vec(), forward.make_output_vec());
            self.plans.push(Plan { size, forward, inverse, signal, other: spectrum.clone(), spectrum });
            self.plans.len() - 1
        });
        &mut self.plans[at]
    }

    /// Convolves a window with a response; what comes after the window's end is left out.
    pub(super) fn convolve(&mut self, samples: &mut [f32], response: &[f32]) {
        let plan = self.plan(samples.len() + response.len());
        plan.transform(response);
        std::mem::swap(&mut plan.spectrum, &mut plan.other);
        plan.transform(samples);
        plan.spectrum.iter_mut().zip(&plan.other).for_each(|(a, b)| *a *= b);
        plan.back(samples);
    }

    /// Multiplies every frequency, in Hz, by a gain.
    pub(super) fn filter(&mut self, samples: &mut [f32], rate: u32, gain: impl Fn(f32) -> f32) {
        let plan = self.plan(samples.len() + samples.len() / 4);
        plan.transform(samples);
        let step = rate as f32 / plan.size as f32;
        plan.spectrum.iter_mut().enumerate().for_each(|(i, value)| *value *= gain(i as f32 * step));
        plan.back(samples);
    }
}

impl Plan {
    fn transform(&mut self, samples: &[f32]) {
        self.signal[..samples.len()].copy_from_slice(samples);
        self.signal[samples.len()..].fill(0.0);
        // The buffers are made for this transform: it cannot fail.
        let _ = self.forward.process(&mut self.signal, &mut self.spectrum);
    }

    fn back(&mut self, samples: &mut [f32]) {
        // The first and the last coefficient of a real signal are real.
        self.spectrum[0].im = 0.0;
        if let Some(last) = self.spectrum.last_mut() {
            last.im = 0.0;
        }
        let _ = self.inverse.process(&mut self.spectrum, &mut self.signal);
        let scale = 1.0 / self.size as f32;
        samples.iter_mut().zip(&self.signal).for_each(|(sample, value)| *sample = value * scale);
    }
}
