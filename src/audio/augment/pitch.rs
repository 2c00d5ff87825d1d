//! Pitch: the window as a higher or a lower voice would have said it, in the same time.
//!
//! The window is stretched in time by overlapping pieces of itself, each from where it continues the last one best (WSOLA, Verhelst and
//! Roelands 1993), and the stretched signal is read faster or slower by the same factor. What is said stays where it was, within the reach
//! of the search.

use super::{Amount, Augmentation, Tools};
use crate::seed::Stream;
use std::f32::consts::PI;

/// Half a piece, which is the hop between pieces, in seconds.
const HOP: f32 = 0.016;

/// How far from its place a piece may be taken, in seconds: half a period of the lowest voices.
const REACH: f32 = 0.008;

/// Samples on each side that the value between two samples is computed from.
const TAPS: usize = 12;

/// Fractions of a sample that the interpolating filter is tabulated for.
const PHASES: usize = 128;

/// Shifts the pitch of a window by one random interval.
pub(super) static PITCH: Augmentation = Augmentation {
    name: "pitch",
    about: "One interval for the whole window, uniform from minus to plus the amount in cents; the time stays",
    amount: Amount { default: 300.0, low: 1.0, high: 1200.0, unit: "cents" },
    apply,
};

fn apply(samples: &mut [f32], rate: u32, cents: f32, random: &mut Stream, _: &mut Tools) {
    let factor = (random.uniform(-cents, cents) / 1200.0).exp2();
    let stretched = stretch(samples, rate, factor);
    read(&stretched, factor, samples);
}

/// The signal, `factor` times as long at the same pitch.
fn stretch(x: &[f32], rate: u32, factor: f32) -> Vec<f32> {
    let hop = ((HOP * rate as f32) as usize).max(1);
    let reach = ((REACH * rate as f32) as usize).max(1);
    let pieces = (x.len() as f32 * factor / hop as f32).ceil() as usize + 1;
    let at = |i: isize| -> f32 { usize::try_from(i).ok().and_then(|i| x.get(i)).copied().unwrap_or(0.0) };
    let fade: Vec<f32> = (0..hop).map(|i| 0.5 - 0.5 * (PI * (i as f32 + 0.5) / hop as f32).cos()).collect();
    let mut out = vec![0.0; (pieces + 1) * hop];
    // Where the last piece would go on: half a piece of the signal that the next one has to resemble.
    let mut next: isize = -(hop as isize);
    for piece in 0..pieces {
        let place = (((piece as f32 - 1.0) * hop as f32) / factor).round() as isize;
        let from = if piece == 0 { place } else { best(x, next, place, hop, reach) };
        for (i, up) in fade.iter().enumerate() {
            out[piece * hop + i] += up * at(from + i as isize);
            out[(piece + 1) * hop + i] += (1.0 - up) * at(from + (hop + i) as isize);
        }
        next = from + hop as isize;
    }
    out.drain(..hop);
    out
}

/// The beginning, at most `reach` from `place`, of the `length` samples of `x` that resemble those from `like` on most.
fn best(x: &[f32], like: isize, place: isize, length: usize, reach: usize) -> isize {
    let (end, reach) = (x.len() as isize - length as isize, reach as isize);
    if !(0..=end).contains(&like) {
        return place;
    }
    let like = &x[like as usize..][..length];
    let (low, high) = ((place - reach).clamp(0, end.max(0)), (place + reach).clamp(0, end.max(0)));
    let likeness = |at: isize| {
        let here = &x[at as usize..][..length];
        let (mut product, mut energy) = ([0.0f32; 8], [1e-9f32; 8]);
        for (a, b) in here.chunks_exact(8).zip(like.chunks_exact(8)) {
            for i in 0..8 {
                product[i] += a[i] * b[i];
                energy[i] += a[i] * a[i];
            }
        }
        product.iter().sum::<f32>() / energy.iter().sum::<f32>().sqrt()
    };
    let of = |range: &mut dyn Iterator<Item = isize>| {
        range.map(|at| (likeness(at), at)).max_by(|a, b| a.0.total_cmp(&b.0)).map_or(place, |(_, at)| at)
    };
    let near = of(&mut (low..=high).step_by(4));
    of(&mut ((near - 3).max(low)..=(near + 3).min(high)))
}

/// Reads `x` at steps of `factor` samples, without what would then be above the highest frequency.
fn read(x: &[f32], factor: f32, out: &mut [f32]) {
    let cutoff = (1.0 / factor).min(1.0);
    let width = 2 * TAPS;
    let mut table = vec![0.0f32; (PHASES + 1) * width];
    for (phase, row) in table.chunks_exact_mut(width).enumerate() {
        for (i, weight) in row.iter_mut().enumerate() {
            let t = i as f32 - (TAPS as f32 - 1.0) - phase as f32 / PHASES as f32;
            let window = (0.5 + 0.5 * (PI * t / TAPS as f32).cos()).max(0.0);
            let angle = PI * t * cutoff;
            *weight = window * if angle.abs() < 1e-4 { cutoff } else { cutoff * angle.sin() / angle };
        }
    }
    for (i, y) in out.iter_mut().enumerate() {
        let at = f64::from(factor) * i as f64;
        let whole = at as usize;
        let row = &table[((at - whole as f64) * PHASES as f64).round() as usize * width..][..width];
        let first = whole as isize + 1 - TAPS as isize;
        *y = match usize::try_from(first).ok().and_then(|first| x.get(first..first + width)) {
            Some(x) => x.iter().zip(row).map(|(a, b)| a * b).sum(),
            None => (first..)
                .zip(row)
                .map(|(i, b)| usize::try_from(i).ok().and_then(|i| x.get(i)).map_or(0.0, |a| a * b))
                .sum(),
        };
    }
}
