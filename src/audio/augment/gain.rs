//! Loudness: changes a window as if the speaker had been nearer or farther away.

use super::Augmentation;
use crate::seed::Stream;

/// The largest change, in decibels.
const MOST_DB: f32 = 6.0;

/// Multiplies a window by one random factor.
pub(super) struct Gain;

impl Augmentation for Gain {
    fn name(&self) -> &'static str {
        "gain"
    }

    fn about(&self) -> &'static str {
        "One factor for the whole window, uniform in decibels from -6 to 6"
    }

    fn apply(&self, samples: &mut [f32], _: u32, random: &mut Stream) {
        let factor = 10f32.powf(random.uniform(-MOST_DB, MOST_DB) / 20.0);
        samples.iter_mut().for_each(|sample| *sample *= factor);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::stream;

    #[test]
    fn a_window_keeps_its_shape_and_the_factor_stays_in_range() {
        let window = [0.5f32, -0.25, 0.0, 1.0];
        let mut factors = Vec::new();
        for seed in 0..200 {
            let mut changed = window;
            Gain.apply(&mut changed, 16_000, &mut stream(seed, "augment", 0));
            let factor = changed[3];
            assert!(changed.iter().zip(&window).all(|(a, b)| (a - b * factor).abs() < 1e-6));
            factors.push(20.0 * factor.log10());
        }
        let (low, high) = factors.iter().fold((0.0f32, 0.0f32), |(l, h), &x| (l.min(x), h.max(x)));
        assert!((-6.01..-5.0).contains(&low) && (5.0..6.01).contains(&high), "{low} {high}");
    }
}
