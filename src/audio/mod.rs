//! Reads files, or recordings stored inside other files, as mono samples: stored samples (WAV and the like) directly, compressed ones through
//! `symphonia`, other sample rates through `rubato`.
//!
//! [`probe`] reads headers and reports how long a file is or what is wrong with it; a [`Reader`] then reads any range of
//! it at any rate. The format of a file is determined from its first bytes, not from its name. Channels are averaged,
//! and integer samples are scaled to [-1, 1). The result is a pure function of the file, the range and the rate: a range
//! read on its own equals the same range of the whole file. (One codec is an exception in part: where an encoder of AAC
//! leaves noise to the decoder, that noise depends on where decoding began.)

pub mod augment;
mod compressed;
mod constant;
#[cfg(test)]
pub(crate) mod fixtures;
mod foreign;
mod live;
pub mod mel;
mod probe;
mod reader;
mod remark;
pub(crate) mod resample;
mod source;
mod stored;

pub use constant::constant;
pub use foreign::{is_foreign_name, recognized};
pub use live::LiveResampler;
pub use probe::{EXTENSIONS, is_audio_name, probe};
pub use reader::{Reader, read};
use remark::Remark;
pub use source::{Input, Recording};

use serde::Serialize;
use std::fmt;

/// The file formats that can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// RIFF WAVE, RF64 and W64: integers of 8 to 32 bits, floating point of 32 or 64 bits, mu-law, A-law, ADPCM.
    Wav,
    /// AIFF and AIFF-C, with the samples of WAV except ADPCM.
    Aiff,
    /// Sun's AU.
    Au,
    /// NIST SPHERE, not compressed.
    Sphere,
    /// Free Lossless Audio Codec in its own container.
    Flac,
    /// MPEG 1, 2 or 2.5, layer 3.
    Mp3,
    /// Vorbis in Ogg.
    Vorbis,
    /// FLAC in Ogg.
    #[serde(rename = "ogg-flac")]
    OggFlac,
    /// AAC-LC or ALAC in MP4.
    M4a,
    /// AAC-LC in ADTS frames.
    Aac,
    /// Vorbis, and other codecs named here, in Matroska or WebM.
    Webm,
    /// PCM, ALAC or AAC-LC in Apple's Core Audio Format.
    Caf,
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Format::Wav => "WAV",
            Format::Aiff => "AIFF",
            Format::Au => "AU",
            Format::Sphere => "NIST SPHERE",
            Format::Flac => "FLAC",
            Format::Mp3 => "MP3",
            Format::Vorbis => "Ogg Vorbis",
            Format::OggFlac => "Ogg FLAC",
            Format::M4a => "M4A",
            Format::Aac => "AAC",
            Format::Webm => "WebM",
            Format::Caf => "CAF",
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
    /// What its header says wrongly.
    remark: Option<Remark>,
    /// The bytes in which its samples or its stream are.
    bytes: (u64, u64),
    way: Way,
}

/// How the samples are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Stored(stored::Stored),
    Decoded(compressed::Decoded),
}

impl AudioInfo {
    /// The length in seconds.
    pub fn seconds(&self) -> f64 {
        self.frames as f64 / f64::from(self.rate.max(1))
    }

    /// Whether every tool counts the same number of frames: not so where a codec adds some.
    pub fn is_exact(&self) -> bool {
        matches!(self.way, Way::Stored(_)) || matches!(self.format, Format::Flac)
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
