//! Noise: something else is heard besides the speaker, recorded (`data.noise`) or made.

use super::{Amount, Augmentation, Tools, power};
use crate::seed::Stream;

/// The range of ratios of signal to noise, in decibels.
const RANGE_DB: f32 = 15.0;

/// Adds noise of a random color.
pub(super) static NOISE: Augmentation = Augmentation {
    name: "noise",
    about: "Noise of `data.noise`, or of a random color; the signal is louder by the amount in decibels, or by up to 15 more",
    amount: Amount { default: 5.0, low: -20.0, high: 100.0, unit: "dB" },
    apply,
};

fn apply(samples: &mut [f32], rate: u32, lowest: f32, random: &mut Stream, tools: &mut Tools) {
    let ratio = 10f32.powf((lowest + RANGE_DB * random.unit()) / 10.0);
    match tools.noise.is_empty() {
        true => add(samples, &made(samples.len(), rate, random), ratio),
        false => add(samples, &tools.noise, ratio),
    }
}

/// Adds `noise`, scaled so that the signal has `ratio` times its power. Silence stays silent, and silent noise adds nothing.
fn add(samples: &mut [f32], noise: &[f32], ratio: f32) {
    let loud = power(noise);
    let scale = if loud > 1e-12 { (power(samples) / loud / ratio).sqrt() } else { 0.0 };
    samples.iter_mut().zip(noise).for_each(|(sample, noise)| *sample += scale * noise);
}

/// Noise of a random color: white noise through two filters with one pole each, at random frequencies.
fn made(length: usize, rate: u32, random: &mut Stream) -> Vec<f32> {
    let mut pole = || {
        let hertz = (random.uniform(20f32.ln(), (rate as f32 / 2.0).ln())).exp();
        (-std::f32::consts::TAU * hertz / rate as f32).exp()
    };
    let (a, b) = (pole(), pole());
    let (mix, mut low, mut lower) = (random.unit(), 0.0f32, 0.0f32);
    let noise = (0..length).map(|_| {
        let white = random.unit() - 0.5;
        low = a * low + (1.0 - a) * white;
        lower = b * lower + (1.0 - b) * low;
        mix * low / (1.0 - a).sqrt() + (1.0 - mix) * lower / ((1.0 - a) * (1.0 - b)).sqrt()
    });
    noise.collect()
}
