//! What is in a recording: the mean and the spread of each channel, and where values are missing.

use crate::series::{Run, Selection, SeriesInfo};
use std::path::Path;

/// Frames that are read at once.
const FRAMES: u64 = 8192;

/// The values of a channel.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Moments {
    /// How many there are.
    pub count: u64,
    /// Their mean.
    pub mean: f64,
    /// The sum of the squares of their differences from the mean.
    squares: f64,
    /// The least.
    pub least: f64,
    /// The greatest.
    pub most: f64,
}

impl Default for Moments {
    fn default() -> Self {
        Moments { count: 0, mean: 0.0, squares: 0.0, least: f64::INFINITY, most: f64::NEG_INFINITY }
    }
}

impl Moments {
    /// One more value (Welford 1962).
    pub fn add(&mut self, value: f64) {
        self.count += 1;
        let away = value - self.mean;
        self.mean += away / self.count as f64;
        self.squares += away * (value - self.mean);
        self.least = self.least.min(value);
        self.most = self.most.max(value);
    }

    /// The values of both (Chan et al. 1979).
    pub fn and(self, other: Moments) -> Moments {
        let count = self.count + other.count;
        if count == 0 {
            return self;
        }
        let (away, share) = (other.mean - self.mean, other.count as f64 / count as f64);
        Moments {
            count,
            mean: self.mean + away * share,
            squares: self.squares + other.squares + away * away * self.count as f64 * share,
            least: self.least.min(other.least),
            most: self.most.max(other.most),
        }
    }

    /// The standard deviation; 0 for a flat line.
    pub fn deviation(&self) -> f64 {
        if self.count == 0 || self.least >= self.most { 0.0 } else { (self.squares / self.count as f64).sqrt() }
    }
}

/// What is in a recording.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Survey {
    /// Of each channel.
    pub(super) moments: Vec<Moments>,
    /// Frames in which a channel has no value.
    pub(super) missing: u64,
    /// The stretches in which all channels have values.
    pub(super) runs: Vec<Run>,
}

/// Reads a recording once.
///
/// # Errors
/// What is wrong, as the rest of a sentence that begins with the file: a value is infinite, or not a number of single precision.
pub(super) fn survey(path: &Path, info: &SeriesInfo, selection: &Selection) -> Result<Survey, String> {
    let width = selection.channels.len();
    let (mut moments, mut missing, mut runs) = (vec![Moments::default(); width], 0, Vec::<Run>::new());
    let mut values = Vec::new();
    for run in &selection.runs {
        let (mut at, end) = (run.first, run.first + run.frames);
        let mut open = false;
        while at < end {
            let frames = FRAMES.min(end - at);
            values.resize(frames as usize * width, 0.0);
            info.read(path, selection, at, &mut values)?;
            for (frame, i) in values.chunks_exact(width).zip(at..) {
                if let Some(j) = frame.iter().position(|value| value.is_infinite()) {
                    let name = &info.channels[selection.channels[j]].name;
                    return Err(format!("has a value in frame {i} of channel {name} that no 32-bit float holds"));
                }
                frame.iter().zip(&mut moments).filter(|(v, _)| !v.is_nan()).for_each(|(v, m)| m.add(f64::from(*v)));
                let whole = frame.iter().all(|value| !value.is_nan());
                match runs.last_mut() {
                    Some(run) if whole && open => run.frames += 1,
                    _ if whole => runs.push(Run { first: i, frames: 1 }),
                    _ => missing += 1,
                }
                open = whole;
            }
            at += frames;
        }
    }
    Ok(Survey { moments, missing, runs })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_of_parts_are_those_of_the_whole() {
        let values: Vec<f64> = (0..50).map(|i| f64::from(i * i % 17) + 1e6).collect();
        let of = |values: &[f64]| {
            let mut moments = Moments::default();
            values.iter().for_each(|v| moments.add(*v));
            moments
        };
        let (whole, parts) = (of(&values), of(&values[..13]).and(Moments::default()).and(of(&values[13..])));
        assert_eq!((whole.count, whole.least, whole.most), (parts.count, parts.least, parts.most));
        assert!((whole.mean - parts.mean).abs() < 1e-6 && (whole.deviation() - parts.deviation()).abs() < 1e-6);
        let exact = values.iter().map(|v| (v - whole.mean).powi(2)).sum::<f64>() / 50.0;
        assert!((whole.deviation() - exact.sqrt()).abs() < 1e-6);
        assert_eq!((of(&[3.0; 9]).deviation(), Moments::default().deviation()), (0.0, 0.0));
    }
}
