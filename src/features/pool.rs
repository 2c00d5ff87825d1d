//! Pooling: one row, or a row for each window, in place of all frames of a recording.

use super::{Frames, Timing};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::fmt;
use std::str::FromStr;

/// What becomes of the frames of a recording.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Pool {
    /// They are written as they are.
    #[default]
    None,
    /// Their mean.
    Mean,
    /// Their mean, followed by their standard deviation: 2 D numbers.
    MeanDeviation,
    /// The last of them.
    Last,
    /// The mean of each window of this many seconds, with a new window every `hop` seconds; of text, sentences in place of seconds. A recording
    /// that is shorter than a window is one; frames after the last whole window are in none.
    Windows {
        /// Seconds in a window.
        seconds: f64,
        /// Seconds from the start of one window to that of the next.
        hop: f64,
    },
}

impl fmt::Display for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Pool::None => f.write_str("none"),
            Pool::Mean => f.write_str("mean"),
            Pool::MeanDeviation => f.write_str("mean+deviation"),
            Pool::Last => f.write_str("last"),
            Pool::Windows { seconds, hop } => write!(f, "windows:{seconds}/{hop}"),
        }
    }
}

impl FromStr for Pool {
    type Err = String;

    fn from_str(s: &str) -> Result<Self, String> {
        let known =
            || format!("`{s}` is none of mean, mean+deviation, last and windows:SECONDS[/HOP], such as windows:2/1");
        let positive = |text: &str| text.parse().ok().filter(|x: &f64| *x > 0.0 && x.is_finite()).ok_or_else(known);
        match s {
            "none" => Ok(Pool::None),
            "mean" => Ok(Pool::Mean),
            "mean+deviation" => Ok(Pool::MeanDeviation),
            "last" => Ok(Pool::Last),
            _ => {
                let windows = s.strip_prefix("windows:").ok_or_else(known)?;
                let (seconds, hop) = windows.split_once('/').unwrap_or((windows, windows));
                Ok(Pool::Windows { seconds: positive(seconds)?, hop: positive(hop)? })
            }
        }
    }
}

impl Serialize for Pool {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Pool {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(de::Error::custom)
    }
}

impl Pool {
    /// Whether frames are written as they are.
    pub fn is_none(&self) -> bool {
        *self == Pool::None
    }

    /// The dimension of a row made of frames of `dim` numbers.
    pub fn dim(&self, dim: usize) -> usize {
        if *self == Pool::MeanDeviation { 2 * dim } else { dim }
    }

    /// Frames in a window, and from one window to the next.
    fn window(&self, frame_rate: f64) -> (u64, u64) {
        let frames = |seconds: f64| ((seconds * frame_rate).round() as u64).max(1);
        match self {
            Pool::Windows { seconds, hop } => (frames(*seconds), frames(*hop)),
            _ => (u64::MAX, 1),
        }
    }

    /// Frames from one window to the next; 1 if there are no windows.
    pub fn hop(&self, frame_rate: f64) -> u64 {
        self.window(frame_rate).1
    }

    /// The rows that `frames` frames give.
    pub fn rows(&self, frames: u64, frame_rate: f64) -> u64 {
        let (window, hop) = self.window(frame_rate);
        match self {
            Pool::None => frames,
            Pool::Windows { .. } => frames.checked_sub(window).map_or(u64::from(frames > 0), |rest| rest / hop + 1),
            _ => u64::from(frames > 0),
        }
    }

    /// The timing of the rows.
    pub fn timing(&self, frames: Timing) -> Timing {
        let (window, hop) = self.window(frames.frame_rate);
        match self {
            Pool::None => frames,
            Pool::Windows { .. } => {
                let inside = (window - 1) as f64 / frames.frame_rate;
                Timing {
                    hop: frames.hop * hop as usize,
                    receptive_field: frames.receptive_field + frames.hop * (window - 1) as usize,
                    frame_rate: frames.frame_rate / hop as f64,
                    first_frame_seconds: frames.first_frame_seconds + inside / 2.0,
                    delay_ms: frames.delay_ms + 1e3 * inside,
                    ..frames
                }
            }
            _ => Timing::of_whole(frames.sample_rate),
        }
    }

    /// Pools the frames of a recording, whose layers have these dimensions.
    pub fn start(&self, dims: &[usize], frame_rate: f64) -> Pooling {
        let layers = dims.iter().map(|&dim| Layer { dim, ..Layer::default() }).collect();
        Pooling { pool: *self, window: self.window(frame_rate), frames: 0, next: 0, kept_from: 0, layers }
    }
}

/// The state of the pooling of a recording.
#[derive(Debug)]
pub struct Pooling {
    pool: Pool,
    /// Frames in a window, and from one window to the next.
    window: (u64, u64),
    /// Frames so far.
    frames: u64,
    /// The first frame of the next window.
    next: u64,
    /// The first frame that is kept for it.
    kept_from: u64,
    layers: Vec<Layer>,
}

/// What is kept of a layer.
#[derive(Debug, Default)]
struct Layer {
    dim: usize,
    first: Vec<f32>,
    /// Sums of differences from the first frame: those of large values would leave no digits for the deviation.
    sums: Vec<f64>,
    squares: Vec<f64>,
    last: Vec<f32>,
    /// Frames for the windows to come.
    kept: Vec<f32>,
}

impl Pooling {
    /// Takes frames, and returns the rows that they complete.
    pub fn take(&mut self, frames: Frames) -> Frames {
        if self.pool.is_none() {
            return frames;
        }
        let windows = matches!(self.pool, Pool::Windows { .. });
        self.layers.iter_mut().zip(&frames.layers).for_each(|(layer, rows)| layer.add(rows, windows));
        self.frames += frames.count as u64;
        let mut out = Frames { count: 0, layers: vec![Vec::new(); self.layers.len()] };
        if windows {
            let (window, hop) = self.window;
            while self.next + window <= self.frames {
                let first = (self.next - self.kept_from) as usize;
                for (layer, rows) in self.layers.iter().zip(&mut out.layers) {
                    layer.mean_of(first, window as usize, rows);
                }
                out.count += 1;
                self.next += hop;
            }
            let past = self.next.min(self.frames) - self.kept_from;
            self.layers.iter_mut().for_each(|layer| drop(layer.kept.drain(..past as usize * layer.dim)));
            self.kept_from += past;
        }
        out
    }

    /// The row at the end of the recording: of all its frames, or of all frames of one that is shorter than a window.
    pub fn finish(self) -> Frames {
        let due = match self.pool {
            Pool::None => false,
            Pool::Windows { .. } => self.next == 0,
            _ => true,
        };
        if !due || self.frames == 0 {
            return Frames { count: 0, layers: vec![Vec::new(); self.layers.len()] };
        }
        let whole = |layer: &Layer| layer.whole(self.pool, self.frames as f64);
        Frames { count: 1, layers: self.layers.iter().map(whole).collect() }
    }
}

impl Layer {
    fn add(&mut self, rows: &[f32], keep: bool) {
        if rows.is_empty() {
            return;
        }
        if self.first.is_empty() {
            self.first = rows[..self.dim].to_vec();
            (self.sums, self.squares) = (vec![0.0; self.dim], vec![0.0; self.dim]);
        }
        for row in rows.chunks_exact(self.dim) {
            for (j, &value) in row.iter().enumerate() {
                let away = f64::from(value) - f64::from(self.first[j]);
                self.sums[j] += away;
                self.squares[j] += away * away;
            }
        }
        self.last = rows[rows.len() - self.dim..].to_vec();
        if keep {
            self.kept.extend_from_slice(rows);
        }
    }

    /// Adds the mean of `window` kept frames from `first` on to `out`.
    fn mean_of(&self, first: usize, window: usize, out: &mut Vec<f32>) {
        let rows = &self.kept[first * self.dim..(first + window) * self.dim];
        for j in 0..self.dim {
            let sum: f64 = rows.iter().skip(j).step_by(self.dim).map(|v| f64::from(*v)).sum();
            out.push((sum / window as f64) as f32);
        }
    }

    fn whole(&self, pool: Pool, frames: f64) -> Vec<f32> {
        let mean = (0..self.dim).map(|j| (self.sums[j] / frames + f64::from(self.first[j])) as f32);
        let deviation = |j: usize| {
            let mean = self.sums[j] / frames;
            (self.squares[j] / frames - mean * mean).max(0.0).sqrt() as f32
        };
        match pool {
            Pool::Last => self.last.clone(),
            Pool::MeanDeviation => mean.chain((0..self.dim).map(deviation)).collect(),
            _ => mean.collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows of frames 0, 1, 2, ... of two numbers, taken in pieces.
    fn pooled(pool: &str, frames: u64, piece: u64) -> Vec<f32> {
        let pool: Pool = pool.parse().unwrap();
        let mut pooling = pool.start(&[2], 10.0);
        let (mut rows, mut count) = (Vec::new(), 0);
        let mut add = |frames: Frames| {
            count += frames.count as u64;
            rows.extend_from_slice(&frames.layers[0]);
        };
        for from in (0..frames).step_by(piece as usize) {
            let to = frames.min(from + piece);
            let values = (from..to).flat_map(|t| [t as f32, 1e6 - t as f32]).collect();
            add(pooling.take(Frames { count: (to - from) as usize, layers: vec![values] }));
        }
        add(pooling.finish());
        assert_eq!((count, rows.len() as u64), (pool.rows(frames, 10.0), count * pool.dim(2) as u64));
        rows
    }

    #[test]
    fn rows_are_those_of_all_frames_whatever_the_pieces() {
        for piece in [1, 3, 100] {
            assert_eq!(pooled("mean", 5, piece), [2.0, 999_998.0]);
            assert_eq!(pooled("last", 5, piece), [4.0, 999_996.0]);
            let spread = 2f32.sqrt();
            assert_eq!(pooled("mean+deviation", 5, piece), [2.0, 999_998.0, spread, spread]);
            let means = |first: &[f32]| first.iter().flat_map(|m| [*m, 1e6 - m]).collect::<Vec<_>>();
            assert_eq!(pooled("windows:0.4/0.2", 9, piece), means(&[1.5, 3.5, 5.5]));
            assert_eq!(pooled("windows:0.2/0.5", 13, piece), means(&[0.5, 5.5, 10.5]));
            assert_eq!(pooled("windows:3", 4, piece), means(&[1.5]));
            assert_eq!(pooled("none", 2, piece), [0.0, 1e6, 1.0, 999_999.0]);
            assert!(pooled("mean", 0, piece).is_empty());
        }
    }

    #[test]
    fn names_read_back_and_what_is_none_is_named() {
        for name in ["none", "mean", "mean+deviation", "last", "windows:2/1", "windows:0.5/0.5"] {
            assert_eq!(name.parse::<Pool>().unwrap().to_string(), name);
        }
        for name in ["max", "windows", "windows:0", "windows:2/-1", "windows:x"] {
            assert!(name.parse::<Pool>().unwrap_err().contains("windows:2/1"), "{name}");
        }
    }

    #[test]
    fn a_row_of_windows_stands_in_their_middle() {
        let frames = Timing {
            sample_rate: 100.0,
            hop: 10,
            receptive_field: 20,
            frame_rate: 10.0,
            first_frame_seconds: 0.1,
            delay_ms: 200.0,
        };
        let rows = Pool::Windows { seconds: 0.5, hop: 0.2 }.timing(frames);
        assert_eq!((rows.hop, rows.receptive_field, rows.frame_rate), (20, 60, 5.0));
        assert!((rows.first_frame_seconds - 0.3).abs() < 1e-9 && (rows.delay_ms - 600.0).abs() < 1e-9);
        assert_eq!(Pool::Mean.timing(frames).frame_rate, 0.0);
    }
}
