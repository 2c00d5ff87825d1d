//! Frames of a signal, and their times.

use serde::{Deserialize, Serialize, Serializer};

/// The timing of frames.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Timing {
    /// The sample rate of the signal, in Hz.
    #[serde(serialize_with = "whole_if_it_is")]
    pub sample_rate: f64,
    /// Samples from one frame to the next.
    pub hop: usize,
    /// The receptive field of a frame, in samples.
    pub receptive_field: usize,
    /// Frames per second.
    pub frame_rate: f64,
    /// The center of the receptive field of frame 0, in seconds; frame t is `t / frame_rate` later.
    pub first_frame_seconds: f64,
    /// The time from the first sample of a frame's hop (sample `t * hop`) until the frame is final, in milliseconds.
    pub delay_ms: f64,
}

/// A number without a fraction is written without a decimal point.
fn whole_if_it_is<S: Serializer>(value: &f64, to: S) -> Result<S::Ok, S::Error> {
    match value.fract() {
        0.0 => to.serialize_u64(*value as u64),
        _ => to.serialize_f64(*value),
    }
}

impl Timing {
    /// The timing of one frame for a whole recording of a signal at `sample_rate`.
    pub fn of_whole(sample_rate: f64) -> Timing {
        let [frame_rate, first_frame_seconds, delay_ms] = [0.0; 3];
        Timing { sample_rate, hop: 0, receptive_field: 0, frame_rate, first_frame_seconds, delay_ms }
    }

    /// The center of the receptive field of frame `t`, in seconds.
    pub fn seconds(&self, t: u64) -> f64 {
        self.first_frame_seconds + t as f64 / self.frame_rate
    }
}

/// Consecutive frames: for each requested layer (T, dim), row-major.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Frames {
    /// T.
    pub count: usize,
    /// The rows of each requested layer, in the order of the request.
    pub layers: Vec<Vec<f32>>,
}

impl Frames {
    /// Appends the frames of `later`.
    pub fn extend(&mut self, later: &Frames) {
        self.layers.resize(later.layers.len().max(self.layers.len()), Vec::new());
        self.count += later.count;
        self.layers.iter_mut().zip(&later.layers).for_each(|(rows, more)| rows.extend_from_slice(more));
    }
}
