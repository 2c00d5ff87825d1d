//! Recordings whose samples are stored as they are: WAV and its relatives, AIFF, AU and NIST SPHERE.
//!
//! One file per family of headers says where the samples are and how they are coded ([`Stored`]); the samples are read directly from there.
//! A window is one contiguous block of bytes, so a single read and a loop over the bytes is several times faster than a general decoder.
//!
//! A header's size of the data is a promise that recorders often cannot keep: [`Data::measure`] compares it with the file.

mod aiff;
mod au;
mod sphere;
#[cfg(test)]
mod tests;
mod wav;

pub(super) use aiff::probe as aiff;
pub(super) use au::probe as au;
pub(super) use sphere::probe as sphere;
pub(super) use wav::{Inside, is_w64, probe as wav};

use super::Remark;
use crate::audio::AudioInfo;
use crate::audio::source::{Input, Recording};
use std::io::{Read, Seek, SeekFrom};

/// How one sample is coded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Coding {
    /// Unsigned 8 bits, 128 is silence.
    U8,
    /// Signed 8 bits.
    I8,
    /// Signed 16 bits.
    I16,
    /// Signed 24 bits in three bytes.
    I24,
    /// Signed 32 bits; fewer bits are the upper ones.
    I32,
    /// IEEE floating point, 32 bits.
    F32,
    /// IEEE floating point, 64 bits.
    F64,
    /// 8 bits, logarithmic: mu-law of ITU-T G.711.
    MuLaw,
    /// 8 bits, logarithmic: A-law of ITU-T G.711.
    ALaw,
}

impl Coding {
    /// Bytes of one sample.
    fn bytes(self) -> u64 {
        match self {
            Coding::U8 | Coding::I8 | Coding::MuLaw | Coding::ALaw => 1,
            Coding::I16 => 2,
            Coding::I24 => 3,
            Coding::I32 | Coding::F32 => 4,
            Coding::F64 => 8,
        }
    }

    /// Signed integers of this many bytes.
    fn signed(bytes: u64) -> Option<Coding> {
        match bytes {
            1 => Some(Coding::I8),
            2 => Some(Coding::I16),
            3 => Some(Coding::I24),
            4 => Some(Coding::I32),
            _ => None,
        }
    }
}

/// How the samples of a recording are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stored {
    /// How a sample is coded.
    pub coding: Coding,
    /// Whether its most significant byte comes first.
    pub big_endian: bool,
}

/// What a header says of the samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Data {
    pub rate: u32,
    pub channels: u16,
    pub stored: Stored,
    /// The byte at which the samples begin.
    pub start: u64,
    /// Their size in bytes; none if the header leaves it open.
    pub size: Option<u64>,
    /// The length of the whole file in bytes.
    pub length: u64,
    /// Whether what follows the samples is what a file of this kind may have there.
    pub sound_end: bool,
}

impl Data {
    /// Bytes of one frame: a sample of each channel.
    fn frame(&self) -> u64 {
        (self.stored.coding.bytes() * u64::from(self.channels)).max(1)
    }

    /// Frames, and what is odd about the header. A size that the header leaves open, or that the file contradicts, means "to the end of the
    /// file", as for libsndfile and ffmpeg.
    fn measure(&self) -> (u64, Option<Remark>) {
        let frame = self.frame();
        let rest = self.length.saturating_sub(self.start);
        match self.size {
            None => (rest / frame, (rest >= frame).then_some(Remark::Open)),
            // A size that exceeds 32 bits was cut to them: the whole of it is there.
            Some(size) if rest > size && rest - size >= 1 << 32 && !self.sound_end => {
                (rest / frame, Some(Remark::Open))
            }
            Some(size) if size > rest => {
                let remark = (size / frame > rest / frame).then_some(Remark::Promises(size / frame));
                (rest / frame, remark)
            }
            Some(size) if !self.sound_end => (size / frame, Some(Remark::Behind(rest - size))),
            Some(size) => (size / frame, None),
        }
    }
}

/// What a header says, checked against the file.
impl From<(super::Format, Data)> for AudioInfo {
    fn from((format, data): (super::Format, Data)) -> Self {
        let (frames, remark) = data.measure();
        AudioInfo {
            rate: data.rate,
            channels: data.channels,
            frames,
            format,
            remark,
            bytes: (data.start, data.length),
            way: super::Way::Stored(data.stored),
        }
    }
}

/// Describes a failed read of a header.
fn cut(error: std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::UnexpectedEof => {
            "truncated: the header ends before the samples begin; copy the file again".into()
        }
        _ => format!("cannot be read: {error}"),
    }
}

/// Reads exactly `N` bytes.
fn take<const N: usize>(input: &mut impl Read) -> Result<[u8; N], String> {
    let mut bytes = [0; N];
    input.read_exact(&mut bytes).map_err(cut)?;
    Ok(bytes)
}

/// Reads frames `first..first + out.len()` of the recording, averaged to mono.
pub(super) fn read(
    from: &(impl Recording + ?Sized),
    (info, stored): (&AudioInfo, Stored),
    first: u64,
    out: &mut [f32],
    bytes: &mut Vec<u8>,
) -> Result<(), String> {
    let frame = stored.coding.bytes() as usize * usize::from(info.channels);
    bytes.clear();
    bytes.resize(out.len() * frame, 0);
    let mut input: Input = from.open()?;
    input.seek(SeekFrom::Start(info.bytes.0 + first * frame as u64)).map_err(|e| format!("cannot be read: {e}"))?;
    input.read_exact(bytes).map_err(|e| match e.kind() {
        std::io::ErrorKind::UnexpectedEof => "became shorter after its header was read; was it replaced?".to_string(),
        _ => format!("cannot be read: {e}"),
    })?;
    let width = stored.coding.bytes() as usize;
    if stored.big_endian && width > 1 {
        bytes.chunks_exact_mut(width).for_each(<[u8]>::reverse);
    }
    let mut mono = Mono { bytes, channels: usize::from(info.channels), out };
    match stored.coding {
        Coding::U8 => mono.fill(|b: [u8; 1]| (f32::from(b[0]) - 128.0) / 128.0),
        Coding::I8 => mono.fill(|b: [u8; 1]| f32::from(b[0].cast_signed()) / 128.0),
        Coding::I16 => mono.fill(|b| f32::from(i16::from_le_bytes(b)) / 32_768.0),
        // The three bytes become the upper bytes of a 32-bit integer, which preserves the sign.
        Coding::I24 => mono.fill(|b: [u8; 3]| i32::from_le_bytes([0, b[0], b[1], b[2]]) as f32 / 2_147_483_648.0),
        Coding::I32 => mono.fill(|b| i32::from_le_bytes(b) as f32 / 2_147_483_648.0),
        Coding::F32 => mono.fill(f32::from_le_bytes),
        Coding::F64 => mono.fill(|b| f64::from_le_bytes(b) as f32),
        Coding::MuLaw => mono.fill(|b: [u8; 1]| f32::from(mu_law(b[0])) / 32_768.0),
        Coding::ALaw => mono.fill(|b: [u8; 1]| f32::from(a_law(b[0])) / 32_768.0),
    }
    Ok(())
}

/// Interleaved samples, and where their averages go.
struct Mono<'a> {
    bytes: &'a [u8],
    channels: usize,
    out: &'a mut [f32],
}

impl Mono<'_> {
    /// Averages interleaved samples of `N` bytes each.
    fn fill<const N: usize>(&mut self, value: impl Fn([u8; N]) -> f32) {
        let (samples, _) = self.bytes.as_chunks::<N>();
        if self.channels == 1 {
            for (slot, sample) in self.out.iter_mut().zip(samples) {
                *slot = value(*sample);
            }
        } else {
            let share = 1.0 / self.channels as f32;
            for (slot, frame) in self.out.iter_mut().zip(samples.chunks_exact(self.channels)) {
                *slot = frame.iter().map(|s| value(*s)).sum::<f32>() * share;
            }
        }
    }
}

/// A sample of mu-law as 16 bits (ITU-T G.711): sign, three bits of exponent, four of mantissa, all inverted.
fn mu_law(byte: u8) -> i16 {
    let byte = !byte;
    let magnitude = ((i16::from(byte & 0x0f) << 3) + 0x84) << ((byte >> 4) & 7);
    if byte & 0x80 == 0 { magnitude - 0x84 } else { 0x84 - magnitude }
}

/// A sample of A-law as 16 bits (ITU-T G.711): sign, three bits of exponent, four of mantissa, every other bit inverted.
fn a_law(byte: u8) -> i16 {
    let byte = byte ^ 0x55;
    let (mantissa, exponent) = (i16::from(byte & 0x0f) << 4, (byte >> 4) & 7);
    let magnitude = match exponent {
        0 => mantissa + 8,
        _ => (mantissa + 0x108) << (exponent - 1),
    };
    if byte & 0x80 != 0 { magnitude } else { -magnitude }
}

#[cfg(test)]
mod laws {
    use super::*;

    #[test]
    fn companded_samples_have_the_values_of_the_standard() {
        // The table of G.711 in 16 bits, as in Sun's g711.c: extremes, the smallest steps and the silence of telephony.
        assert_eq!(
            [0x00, 0x80, 0xff, 0x7f, 0xfe, 0x7e, 0x0f, 0x9c].map(mu_law),
            [-32_124, 32_124, 0, 0, 8, -8, -16_764, 9_852]
        );
        assert_eq!([0x2a, 0xaa, 0xd5, 0x55, 0xd4, 0x00, 0x80].map(a_law), [-32_256, 32_256, 8, -8, 24, -5_504, 5_504]);
        // Every code but the two zeros of mu-law has a value of its own, and the sign bit only changes the sign.
        let values: std::collections::HashSet<i16> = (0..=255).map(mu_law).collect();
        assert_eq!(values.len(), 255);
        assert!((0..128u8).all(|b| mu_law(b) == -mu_law(b | 0x80) && a_law(b) == -a_law(b | 0x80)));
        assert_eq!((0..=255).map(a_law).collect::<std::collections::HashSet<i16>>().len(), 256);
    }
}
