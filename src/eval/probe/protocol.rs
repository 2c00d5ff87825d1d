//! Protocols: what is classified.
//!
//! - `frame`: every frame, by the label at its time. With r labels per frame, frame t takes label floor((t + 1/2) r): the one at the
//!   middle of the frame. At 100 frames per second and labels every 10 ms, r = 1.
//! - `utterance`: the mean of an utterance's frames.
//! - `last-frame`: the last frame of each window of 20480 samples at 16 kHz (1.28 s: frames 127, 255, ... at 100 frames per second); a
//!   tail shorter than a window gives none. This is CPC_audio's speaker test (`SpeakerCriterion` reads the last frame of each window
//!   of its default `sizeWindow`), with one difference: CPC_audio runs its network on every window separately, so that the context
//!   starts from zero in each window, whereas features of whole utterances carry the context over. To reproduce that test exactly,
//!   provide features computed window by window, with the context reset: only the rows named here are read from them.

use crate::config::from_word;
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// What is classified.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Protocol {
    /// Every frame.
    Frame,
    /// The mean over an utterance.
    Utterance,
    /// The last frame of each window of 1.28 s.
    LastFrame,
}

from_word!(Protocol);

/// Which end is cut when there are more labels than frames, or fewer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum LabelCut {
    /// The end: both start together.
    End,
    /// The front: both end together.
    Front,
}

from_word!(LabelCut);

/// Seconds of CPC_audio's window: 20480 samples at 16 kHz.
pub const WINDOW_SECONDS: f64 = 1.28;

/// Largest difference allowed between the lengths of labels and features, as a fraction of the longer.
pub const APART: f64 = 0.05;

impl Protocol {
    /// Its name on the command line and in results.
    pub fn name(self) -> &'static str {
        match self {
            Protocol::Frame => "frame",
            Protocol::Utterance => "utterance",
            Protocol::LastFrame => "last-frame",
        }
    }

    /// Number of rows that `frames` frames give at `rate` frames per second.
    pub fn rows(self, frames: usize, rate: f64) -> usize {
        match self {
            Protocol::Frame => frames,
            Protocol::Utterance => frames.min(1),
            Protocol::LastFrame => frames / window(rate),
        }
    }

    /// Appends the rows of one utterance to `out`. `frames` is (T, `dim`); the protocol `frame` uses only those in `used`.
    pub(super) fn take(self, frames: &[f32], dim: usize, used: Range<usize>, rate: f64, out: &mut Vec<f32>) {
        match self {
            Protocol::Frame => out.extend_from_slice(&frames[used.start * dim..used.end * dim]),
            Protocol::Utterance => {
                let mut sums = vec![0.0f64; dim];
                for frame in frames.chunks_exact(dim) {
                    sums.iter_mut().zip(frame).for_each(|(s, &x)| *s += f64::from(x));
                }
                let n = (frames.len() / dim).max(1) as f64;
                out.extend(sums.iter().map(|s| (s / n) as f32));
            }
            Protocol::LastFrame => {
                for last in frames.chunks_exact(dim).skip(window(rate) - 1).step_by(window(rate)) {
                    out.extend_from_slice(last);
                }
            }
        }
    }
}

/// Frames of a window of the protocol `last-frame`.
pub fn window(rate: f64) -> usize {
    ((WINDOW_SECONDS * rate).round() as usize).max(1)
}

/// Which frames are used, and which label each of them takes.
#[derive(Debug, Clone, PartialEq)]
pub struct Alignment {
    /// The frames that have a label.
    pub frames: Range<usize>,
    first: usize,
    ratio: f64,
    labels: usize,
}

impl Alignment {
    /// Aligns `labels` labels with `frames` frames, at `ratio` labels per frame.
    ///
    /// # Errors
    /// The relative difference between the two lengths, if it is more than 5 %.
    pub fn new(frames: usize, labels: usize, ratio: f64, cut: LabelCut) -> std::result::Result<Alignment, f64> {
        let wanted = frames as f64 * ratio;
        let apart = (wanted - labels as f64).abs() / wanted.max(labels as f64).max(f64::MIN_POSITIVE);
        if apart > APART {
            return Err(apart);
        }
        let label = |t: usize| ((t as f64 + 0.5) * ratio).floor() as usize;
        let mut n = frames;
        while n > 0 && label(n - 1) >= labels {
            n -= 1;
        }
        let span = (n as f64 * ratio).round() as usize;
        Ok(match cut {
            LabelCut::End => Alignment { frames: 0..n, first: 0, ratio, labels },
            LabelCut::Front => {
                Alignment { frames: frames - n..frames, first: labels.saturating_sub(span), ratio, labels }
            }
        })
    }

    /// The index of the label of each used frame, in order.
    pub fn indices(&self) -> impl Iterator<Item = usize> + '_ {
        let at = |t: usize| self.first + ((t as f64 + 0.5) * self.ratio).floor() as usize;
        (0..self.frames.len()).map(move |t| at(t).min(self.labels - 1))
    }
}

/// The number of labels per frame, from the two rates.
///
/// # Errors
/// If either rate is not positive.
pub fn ratio(label_rate: f64, frame_rate: f64) -> Result<f64> {
    if label_rate > 0.0 && frame_rate > 0.0 && (label_rate / frame_rate).is_finite() {
        return Ok(label_rate / frame_rate);
    }
    Err(Error::usage(
        format!("{label_rate} labels and {frame_rate} frames per second cannot be aligned"),
        "give positive numbers with --label-rate and --frame-rate",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn indices(frames: usize, labels: usize, ratio: f64, cut: LabelCut) -> (Range<usize>, Vec<usize>) {
        let a = Alignment::new(frames, labels, ratio, cut).unwrap();
        (a.frames.clone(), a.indices().collect())
    }

    #[test]
    fn equal_rates_are_cut_at_the_end_or_at_the_front() {
        let (frames, labels) = indices(100, 98, 1.0, LabelCut::End);
        assert_eq!((frames, labels[0], labels[97]), (0..98, 0, 97));
        let (frames, labels) = indices(100, 98, 1.0, LabelCut::Front);
        assert_eq!((frames, labels[0], labels[97]), (2..100, 0, 97));
        let (frames, labels) = indices(98, 100, 1.0, LabelCut::Front);
        assert_eq!((frames, labels[0], labels[97]), (0..98, 2, 99));
        let (frames, labels) = indices(98, 100, 1.0, LabelCut::End);
        assert_eq!((frames, labels[0], labels[97]), (0..98, 0, 97));
    }

    #[test]
    fn a_slow_frame_takes_the_label_in_its_middle() {
        assert_eq!(indices(4, 8, 2.0, LabelCut::End).1, [1, 3, 5, 7]);
        assert_eq!(indices(8, 4, 0.5, LabelCut::End).1, [0, 0, 1, 1, 2, 2, 3, 3]);
        assert_eq!(indices(50, 101, 2.0, LabelCut::Front).1[..2], [2, 4]);
    }

    #[test]
    fn more_than_five_percent_apart_is_refused() {
        assert!(Alignment::new(100, 95, 1.0, LabelCut::End).is_ok());
        assert_eq!(Alignment::new(100, 90, 1.0, LabelCut::End), Err(0.1));
        assert!(Alignment::new(100, 106, 1.0, LabelCut::Front).is_err());
        assert!(Alignment::new(50, 50, 2.0, LabelCut::End).is_err());
        assert!(Alignment::new(0, 0, 1.0, LabelCut::End).unwrap().indices().next().is_none());
    }

    #[test]
    fn last_frame_takes_frames_127_and_255() {
        let frames: Vec<f32> = (0..300).flat_map(|t| [t as f32, 0.0]).collect();
        let mut rows = Vec::new();
        Protocol::LastFrame.take(&frames, 2, 0..300, 100.0, &mut rows);
        assert_eq!(rows, [127.0, 0.0, 255.0, 0.0]);
        assert_eq!(Protocol::LastFrame.rows(300, 100.0), 2);
        assert_eq!(Protocol::LastFrame.rows(127, 100.0), 0);
        let mut mean = Vec::new();
        Protocol::Utterance.take(&frames, 2, 0..300, 100.0, &mut mean);
        assert_eq!(mean, [149.5, 0.0]);
    }
}
