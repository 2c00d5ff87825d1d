//! Reads frames of several channels, scaled and at any rate.

use crate::audio::resample::Designs;
use crate::digest::hex;
use crate::error::Problem;
use crate::recordings::place::hash_all;
use crate::recordings::{Medium, Place};
use crate::series::{Run, Selection, SeriesInfo};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::sync::Arc;

/// Recordings of several channels.
#[derive(Debug, Clone, Copy)]
pub struct Sensors;

/// A stretch of a recording, and how its values are read.
#[derive(Debug, Clone)]
pub struct SensorInfo {
    /// The header.
    pub series: Arc<SeriesInfo>,
    /// The channels of the model.
    pub selection: Arc<Selection>,
    /// The frames of the file that this is.
    pub run: Run,
    /// Frames per second in the file.
    pub rate: f64,
    /// Of each channel, what is subtracted from a value, and what the difference is multiplied by.
    pub scale: Arc<[(f32, f32)]>,
    /// Whether a missing value is 0 once it is scaled; else it is an error.
    pub fill: bool,
}

/// What a thread keeps from one read to the next: resamplers and buffers.
#[derive(Default)]
pub struct SensorReader {
    designs: Designs,
    native: Vec<f32>,
}

/// What values with this mean and standard deviation are scaled by: what is subtracted, and what the difference is multiplied by. A flat line
/// stays one.
pub fn scaling((mean, deviation): (f32, f32)) -> (f32, f32) {
    (mean, if deviation > 0.0 { 1.0 / deviation } else { 1.0 })
}

/// The number of frames at `target` per second of `frames` at `rate`.
pub(super) fn frames_at(frames: u64, rate: f64, target: f64) -> u64 {
    if rate == target { frames } else { (frames as f64 * target / rate).floor() as u64 }
}

/// Two rates as whole numbers of the same ratio, for the resampler.
///
/// # Errors
/// There are no such numbers below a million.
pub(super) fn ratio(rate: f64, target: f64) -> Result<(u32, u32), String> {
    let near = |x: f64| (x - x.round()).abs() < 1e-6 * x.max(1.0);
    let found = (1..=1000u32).map(f64::from).map(|k| (k * rate, k * target)).find(|(a, b)| near(*a) && near(*b));
    // Very different rates, such as one a minute and 100 a second, are refused by the resampler itself.
    match found {
        Some((a, b)) if a.round() >= 1.0 && b.round() >= 1.0 && a < 1e6 && b < 1e6 => {
            Ok((a.round() as u32, b.round() as u32))
        }
        _ => Err(format!("resampling from {rate} to {target} frames per second is not possible")),
    }
}

impl Medium for Sensors {
    type Info = SensorInfo;
    type Rate = f64;
    type Reader = SensorReader;

    fn read(
        reader: &mut SensorReader,
        place: &Place,
        info: &SensorInfo,
        first: u64,
        rate: f64,
        out: &mut [f32],
    ) -> Result<(), Problem> {
        reader.fill(place, info, first, rate, out).map_err(|what| Problem::new(place, what))
    }

    fn first(info: &SensorInfo, rate: f64) -> u64 {
        frames_at(info.run.first, info.rate, rate)
    }

    /// Of all files that the recording consists of.
    fn digest(place: &Place, info: &SensorInfo) -> Result<String, String> {
        let mut hash = Sha256::new();
        for path in info.series.files(place.file()) {
            let input = File::open(&path).map_err(|e| format!("{} cannot be opened: {e}", path.display()))?;
            hash_all(input, &mut hash)?;
        }
        Ok(hex(&hash.finalize()))
    }
}

impl SensorReader {
    fn fill(&mut self, place: &Place, info: &SensorInfo, first: u64, rate: f64, out: &mut [f32]) -> Result<(), String> {
        let width = info.selection.channels.len();
        let range = first..first + (out.len() / width) as u64;
        let held = frames_at(info.run.frames, info.rate, rate);
        if range.end > held {
            return Err(format!("frames up to {} were requested, it has {held}", range.end));
        }
        if rate == info.rate {
            return native(place, info, first, out);
        }
        let (from, to) = ratio(info.rate, rate)?;
        let design = self.designs.of(from, to)?;
        let needs = design.needs(&range);
        let frames = (needs.end - needs.start) as usize;
        let inside = needs.start.clamp(0, info.run.frames as i64 - 1)..needs.end.clamp(1, info.run.frames as i64);
        self.native.resize((inside.end - inside.start) as usize * width, 0.0);
        native(place, info, inside.start as u64, &mut self.native)?;
        let (mut channel, mut resampled) = (vec![0.0; frames], vec![0.0; (range.end - range.start) as usize]);
        for j in 0..width {
            for (value, i) in channel.iter_mut().zip(needs.start..) {
                // Before and after the recording, its first and its last value go on.
                let i = i.clamp(inside.start, inside.end - 1) - inside.start;
                *value = self.native[i as usize * width + j];
            }
            design.run(&channel, &range, &mut resampled)?;
            out.iter_mut().skip(j).step_by(width).zip(&resampled).for_each(|(to, value)| *to = *value);
        }
        Ok(())
    }
}

/// Reads frames of the stretch at the rate of the file, scaled.
fn native(place: &Place, info: &SensorInfo, first: u64, out: &mut [f32]) -> Result<(), String> {
    let at = info.run.first + first;
    info.series.read(place.file(), &info.selection, at, out)?;
    let width = info.scale.len();
    for (i, frame) in out.chunks_exact_mut(width).enumerate() {
        for (value, (mean, factor)) in frame.iter_mut().zip(info.scale.iter()) {
            if value.is_nan() && info.fill {
                *value = 0.0;
                continue;
            }
            *value = (*value - mean) * factor;
            if !value.is_finite() {
                return Err(format!("has changed since it was looked at: frame {} has no finite value", at + i as u64));
            }
        }
    }
    Ok(())
}
