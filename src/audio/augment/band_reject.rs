//! Band rejection: a range of frequencies is missing.

use super::{Amount, Augmentation, Tools};
use crate::ops::filterbank::{hertz, mel};
use crate::seed::Stream;

/// Removes a random band.
pub(super) static BAND_REJECT: Augmentation = Augmentation {
    name: "band-reject",
    about: "One band without sound, of a width uniform from 0 to the amount, as a fraction of the mel scale",
    amount: Amount { default: 0.3, low: 0.01, high: 0.9, unit: "of the mel scale" },
    apply,
};

fn apply(samples: &mut [f32], rate: u32, widest: f32, random: &mut Stream, tools: &mut Tools) {
    let top = mel(rate as f32 / 2.0);
    let width = random.uniform(0.0, widest);
    let from = random.uniform(0.0, 1.0 - width);
    let (low, high) = (hertz(from * top), hertz((from + width) * top));
    let edge = (0.1 * (high - low)).clamp(20.0, 200.0);
    tools.filter(samples, rate, |frequency| {
        let outside = (low - frequency).max(frequency - high);
        (outside / edge).clamp(0.0, 1.0)
    });
}
