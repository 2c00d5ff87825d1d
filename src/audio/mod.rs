//! Reads files, or recordings stored inside other files, as mono samples: WAV through `hound`, FLAC, MP3 and Ogg Vorbis
//! through `symphonia`, other sample rates through `rubato`.
//!
//! [`probe`] reads headers and reports how long a file is or what is wrong with it; a [`Reader`] then reads any range of
//! it at any rate. The format of a file is determined from its first bytes, not from its name. Channels are averaged,
//! and integer samples are scaled to [-1, 1). The result is a pure function of the file, the range and the rate: a range
//! read on its own equals the same range of the whole file.

pub mod augment;
mod decode;
#[cfg(test)]
pub(crate) mod fixtures;
mod live;
pub mod mel;
mod ogg;
mod probe;
mod reader;
mod resample;
mod source;
mod wav;
mod xing;

pub use live::LiveResampler;
pub use probe::{EXTENSIONS, is_audio_name, probe};
pub use reader::{Reader, read};
pub use source::{Input, Recording};

use serde::Serialize;
use std::fmt;

/// The file formats that can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// RIFF WAVE with integer samples of 8, 16, 24 or 32 bits, or 32-bit floating point.
    Wav,
    /// Free Lossless Audio Codec in its own container.
    Flac,
    /// MPEG 1, 2 or 2.5, layer 3.
    Mp3,
    /// Vorbis in Ogg.
    Vorbis,
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Format::Wav => "WAV",
            Format::Flac => "FLAC",
            Format::Mp3 => "MP3",
            Format::Vorbis => "Ogg Vorbis",
        })
    }
}

/// What a file's header says, as far as [`probe`] verified it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AudioInfo {
    /// Sample rate of the file, in samples per second.
    pub rate: u32,
    /// Number of channels; they are averaged when read.
    pub channels: u16,
    /// Number of samples per channel, at `rate`.
    pub frames: u64,
    /// The file format.
    pub format: Format,
    /// The byte offset at which the samples of a WAV, or the stream of a compressed file, begin.
    start: u64,
    /// How the samples of a WAV are stored; unused for other formats.
    sample: wav::Stored,
    /// The frame up to which seeks are exact (Ogg: the timestamps of the last page are not reliable).
    steady: u64,
}

impl AudioInfo {
    /// The length in seconds.
    pub fn seconds(&self) -> f64 {
        self.frames as f64 / f64::from(self.rate.max(1))
    }

    /// Number of samples of the file at `target` samples per second.
    pub fn samples_at(&self, target: u32) -> u64 {
        samples_at(self.frames, self.rate, target)
    }
}

/// Number of samples that `frames` samples at `rate` become at `target` samples per second:
/// `floor(frames * target / rate)`.
pub fn samples_at(frames: u64, rate: u32, target: u32) -> u64 {
    if rate == target {
        return frames;
    }
    let exact = u128::from(frames) * u128::from(target) / u128::from(rate.max(1));
    u64::try_from(exact).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_at_other_rates_are_rounded_down_and_do_not_overflow() {
        assert_eq!(samples_at(44_100, 44_100, 16_000), 16_000);
        assert_eq!(samples_at(44_101, 44_100, 16_000), 16_000);
        assert_eq!(samples_at(7, 8_000, 16_000), 14);
        assert_eq!(samples_at(u64::MAX, 1_000, 192_000), u64::MAX);
    }
}
