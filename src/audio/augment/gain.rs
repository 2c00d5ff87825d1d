//! Loudness: changes a window as if the speaker had been nearer or farther away.

use super::{Amount, Augmentation, Tools};
use crate::seed::Stream;

/// Multiplies a window by one random factor.
pub(super) static GAIN: Augmentation = Augmentation {
    name: "gain",
    about: "One factor for the whole window, uniform from minus to plus the amount in decibels",
    amount: Amount { default: 6.0, low: 0.1, high: 60.0, unit: "dB" },
    apply,
};

fn apply(samples: &mut [f32], _: u32, most: f32, random: &mut Stream, _: &mut Tools) {
    let factor = 10f32.powf(random.uniform(-most, most) / 20.0);
    samples.iter_mut().for_each(|sample| *sample *= factor);
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
            apply(&mut changed, 16_000, 6.0, &mut stream(seed, "augment", 0), &mut Tools::default());
            let factor = changed[3];
            assert!(changed.iter().zip(&window).all(|(a, b)| (a - b * factor).abs() < 1e-6));
            factors.push(20.0 * factor.log10());
        }
        let (low, high) = factors.iter().fold((0.0f32, 0.0f32), |(l, h), &x| (l.min(x), h.max(x)));
        assert!((-6.01..-5.0).contains(&low) && (5.0..6.01).contains(&high), "{low} {high}");
    }
}
