//! Time dropout: a moment of silence.

use super::{Amount, Augmentation, Tools};
use crate::seed::Stream;

/// Silences a random moment.
pub(super) static TIME_DROPOUT: Augmentation = Augmentation {
    name: "time-dropout",
    about: "One moment of silence, of a length uniform from 0 to the amount in milliseconds",
    amount: Amount { default: 100.0, low: 1.0, high: 10_000.0, unit: "ms" },
    apply,
};

fn apply(samples: &mut [f32], rate: u32, longest: f32, random: &mut Stream, _: &mut Tools) {
    let length = (random.uniform(0.0, longest) / 1e3 * rate as f32) as usize;
    let length = length.min(samples.len());
    let from = random.below((samples.len() - length + 1) as u32) as usize;
    samples[from..from + length].fill(0.0);
}
