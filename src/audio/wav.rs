//! Reads WAV files: the header through `hound`, the samples directly from the file.
//!
//! `hound` reads sample by sample through a buffer. A window is one contiguous block of bytes, so a single `read` of it
//! and a loop over the bytes is several times faster, and the header need not be parsed again for each window.

use crate::audio::source::{Input, Recording};
use crate::audio::{AudioInfo, Format};
use std::io::{BufReader, Read, Seek, SeekFrom};

/// How one sample of a WAV is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stored {
    /// Unsigned, 128 is silence.
    U8,
    /// Signed, little-endian.
    I16,
    /// Signed, little-endian, three bytes.
    I24,
    /// Signed, little-endian.
    I32,
    /// IEEE floating point, little-endian.
    F32,
}

impl Stored {
    fn bytes(self) -> u64 {
        match self {
            Stored::U8 => 1,
            Stored::I16 => 2,
            Stored::I24 => 3,
            Stored::I32 | Stored::F32 => 4,
        }
    }
}

/// Reads the header of the WAV `input`. On failure, returns what is wrong and what to do.
pub(super) fn probe(input: Input) -> Result<AudioInfo, String> {
    let length = input.length();
    let mut buffered = BufReader::with_capacity(512, input);
    let header = hound::WavReader::new(&mut buffered).map_err(|e| match e {
        hound::Error::IoError(_) => "truncated: the header ends before the samples begin; copy the file again".into(),
        hound::Error::Unsupported => {
            "an unsupported kind of WAV (such as A-law, mu-law or ADPCM); convert it with `sox IN -b 16 -e \
             signed-integer OUT.wav`"
                .to_string()
        }
        other => format!("the WAV header cannot be used ({other}); rewrite the file with `sox IN -b 16 OUT.wav`"),
    })?;
    let spec = header.spec();
    let (frames, samples) = (u64::from(header.duration()), u64::from(header.len()));
    let unreadable = |e: std::io::Error| format!("cannot be read: {e}");
    let start = buffered.stream_position().map_err(unreadable)?;
    // A sample may occupy more bytes in the file than its bits need; `hound` knows the size but does not expose it. The
    // size of the data is stored just before the data.
    let mut size = [0; 4];
    buffered.seek(SeekFrom::Start(start.saturating_sub(4))).map_err(unreadable)?;
    buffered.read_exact(&mut size).map_err(unreadable)?;
    let width = u64::from(u32::from_le_bytes(size)).checked_div(samples).unwrap_or(u64::from(spec.bits_per_sample) / 8);
    let sample = match (spec.sample_format, spec.bits_per_sample, width) {
        (hound::SampleFormat::Int, 8, 1) => Stored::U8,
        (hound::SampleFormat::Int, 16, 2) => Stored::I16,
        (hound::SampleFormat::Int, 24, 3) => Stored::I24,
        (hound::SampleFormat::Int, 32, 4) => Stored::I32,
        (hound::SampleFormat::Float, 32, 4) => Stored::F32,
        (kind, bits, _) => {
            let kind = if kind == hound::SampleFormat::Int { "integer" } else { "floating-point" };
            return Err(format!(
                "{bits}-bit {kind} samples in {width} bytes each are not supported; convert it with `sox IN -b 16 \
                 OUT.wav`"
            ));
        }
    };
    let held = length.saturating_sub(start) / (width * u64::from(spec.channels)).max(1);
    if held < frames {
        let rate = f64::from(spec.sample_rate.max(1));
        return Err(format!(
            "truncated: the header promises {:.2} s, the file holds {:.2} s; copy it again, or rewrite its header with \
             `sox --ignore-length IN OUT.wav`",
            frames as f64 / rate,
            held as f64 / rate
        ));
    }
    Ok(AudioInfo {
        rate: spec.sample_rate,
        channels: spec.channels,
        frames,
        format: Format::Wav,
        start,
        sample,
        steady: u64::MAX,
    })
}

/// Reads frames `first..first + out.len()` of the recording, averaged to mono.
pub(super) fn read(
    from: &(impl Recording + ?Sized),
    info: &AudioInfo,
    first: u64,
    out: &mut [f32],
    bytes: &mut Vec<u8>,
) -> Result<(), String> {
    let channels = usize::from(info.channels);
    let width = info.sample.bytes() as usize;
    let frame = width * channels;
    bytes.clear();
    bytes.resize(out.len() * frame, 0);
    let mut input = from.open()?;
    input.seek(SeekFrom::Start(info.start + first * frame as u64)).map_err(|e| format!("cannot be read: {e}"))?;
    input.read_exact(bytes).map_err(|e| match e.kind() {
        std::io::ErrorKind::UnexpectedEof => "became shorter after its header was read; was it replaced?".to_string(),
        _ => format!("cannot be read: {e}"),
    })?;
    match info.sample {
        Stored::U8 => mono(bytes, channels, out, |b: [u8; 1]| (f32::from(b[0]) - 128.0) / 128.0),
        Stored::I16 => mono(bytes, channels, out, |b| f32::from(i16::from_le_bytes(b)) / 32_768.0),
        Stored::I24 => mono(bytes, channels, out, |b: [u8; 3]| {
            // The three bytes become the upper bytes of a 32-bit integer, which preserves the sign.
            i32::from_le_bytes([0, b[0], b[1], b[2]]) as f32 / 2_147_483_648.0
        }),
        Stored::I32 => mono(bytes, channels, out, |b| i32::from_le_bytes(b) as f32 / 2_147_483_648.0),
        Stored::F32 => mono(bytes, channels, out, f32::from_le_bytes),
    }
    Ok(())
}

/// Averages interleaved samples of `N` bytes each.
fn mono<const N: usize>(bytes: &[u8], channels: usize, out: &mut [f32], value: impl Fn([u8; N]) -> f32) {
    let (samples, _) = bytes.as_chunks::<N>();
    if channels == 1 {
        for (slot, sample) in out.iter_mut().zip(samples) {
            *slot = value(*sample);
        }
    } else {
        let share = 1.0 / channels as f32;
        for (slot, frame) in out.iter_mut().zip(samples.chunks_exact(channels)) {
            *slot = frame.iter().map(|s| value(*s)).sum::<f32>() * share;
        }
    }
}
