//! Reverberation: the window as it would sound in a room.
//!
//! The room is a random box. Its early reflections are those of the image method (Allen and Berkley 1979), and what comes later is noise
//! that decays as fast.

use super::{Amount, Augmentation, Tools, power};
use crate::seed::Stream;

/// Meters that sound travels in a second.
const SPEED: f32 = 343.0;

/// Seconds of single reflections.
const EARLY: f32 = 0.05;

/// Puts the speaker into a random room.
pub(super) static REVERB: Augmentation = Augmentation {
    name: "reverb",
    about: "A random room whose sound decays by 60 dB in 0.1 s to the amount in seconds",
    amount: Amount { default: 0.5, low: 0.1, high: 10.0, unit: "s" },
    apply,
};

fn apply(samples: &mut [f32], rate: u32, longest: f32, random: &mut Stream, tools: &mut Tools) {
    let before = power(samples);
    let response = response(rate, random.uniform(0.1, longest), samples.len(), random);
    tools.convolve(samples, &response);
    let scale = (before / power(samples).max(1e-20)).sqrt();
    samples.iter_mut().for_each(|sample| *sample *= scale);
}

/// The response of a room with this reverberation time, from the arrival of the direct sound on, of at most `most` samples.
pub(super) fn response(rate: u32, seconds: f32, most: usize, random: &mut Stream) -> Vec<f32> {
    let room = [random.uniform(3.0, 10.0), random.uniform(3.0, 8.0), random.uniform(2.5, 4.0)];
    let mut place = || room.map(|side| side * random.uniform(0.15, 0.85));
    let (source, ear) = (place(), place());
    let [x, y, z] = room;
    let (volume, walls) = (x * y * z, 2.0 * (x * y + y * z + x * z));
    // What a wall reflects of the pressure, by Eyring's formula.
    let reflected = (-0.5 * 0.161 * volume / (walls * seconds)).exp();
    let decay = 3.0 * std::f32::consts::LN_10 / seconds;
    let length = ((seconds * rate as f32) as usize).clamp(1, most.max(1));
    let early = ((EARLY * rate as f32) as usize).min(length);
    let mut response = vec![0.0f32; length];
    let reach = |side: f32| (SPEED * EARLY / (2.0 * side)).ceil() as i32;
    let direct = distance(source, ear).max(0.3);
    for i in -reach(x)..=reach(x) {
        for j in -reach(y)..=reach(y) {
            for k in -reach(z)..=reach(z) {
                for mirrored in 0..8 {
                    let mirror = [mirrored & 1, mirrored >> 1 & 1, mirrored >> 2];
                    let cells = [i, j, k];
                    let image: [f32; 3] = std::array::from_fn(|d| {
                        2.0 * cells[d] as f32 * room[d] + if mirror[d] == 1 { -source[d] } else { source[d] }
                    });
                    let bounces: i32 = (0..3).map(|d| (cells[d] - mirror[d]).abs() + cells[d].abs()).sum();
                    let far = distance(image, ear).max(0.3);
                    let at = ((far - direct).max(0.0) / SPEED * rate as f32) as usize;
                    if at < early {
                        response[at] += direct / far * reflected.powi(bounces);
                    }
                }
            }
        }
    }
    // The tail goes on with the power that the last reflections have.
    let level = power(&response[early / 2..early]).sqrt();
    let from = early.saturating_sub(early / 4) as f32;
    for (i, sample) in response.iter_mut().enumerate().skip(early) {
        *sample = level * (random.unit() - 0.5) * 12f32.sqrt() * (-decay * (i as f32 - from) / rate as f32).exp();
    }
    response
}

fn distance(a: [f32; 3], b: [f32; 3]) -> f32 {
    a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f32>().sqrt()
}
