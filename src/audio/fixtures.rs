//! Audio for tests: generated WAVs, and the files in `tests/audio`.

use std::path::{Path, PathBuf};

/// A file in `tests/audio`; the README there describes how the files were made.
pub(crate) fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/audio").join(name)
}

/// Sample `n` of `tone.flac`, times 32768.
pub(crate) fn tone(n: u64) -> i16 {
    let noise = ((n * 1_103_515_245 + 12_345) >> 9) % 256;
    (16_384.0 * (std::f64::consts::TAU * 1000.0 * n as f64 / 16_000.0).sin() + 0.5).floor() as i16 + noise as i16 - 128
}

/// The files of every kind that is read.
pub(crate) const FILES: [&str; 13] = [
    "tone.flac",
    "stereo.flac",
    "tone.mp3",
    "untagged.mp3",
    "tone.ogg",
    "tone.m4a",
    "tone.aac",
    "tone.webm",
    "alac.m4a",
    "alac.caf",
    "pcm.caf",
    "flac.oga",
    "ima.wav",
];

/// Sample `n` of the recording that most files in `tests/audio` were made of, times 32768.
pub(crate) fn clean(n: u64) -> i16 {
    (16_384.0 * (std::f64::consts::TAU * 1000.0 * n as f64 / 16_000.0).sin() + 0.5).floor() as i16
}

/// Writes a 16-bit WAV of `value(frame, channel)`, creating its parent directories.
pub(crate) fn wav(path: &Path, rate: u32, channels: u16, frames: u64, value: impl Fn(u64, u16) -> i16) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let spec =
        hound::WavSpec { channels, sample_rate: rate, bits_per_sample: 16, sample_format: hound::SampleFormat::Int };
    let mut writer = hound::WavWriter::create(path, spec).unwrap();
    for n in 0..frames {
        for c in 0..channels {
            writer.write_sample(value(n, c)).unwrap();
        }
    }
    writer.finalize().unwrap();
}

/// Writes a mono WAV at 16 kHz whose sample values encode their position: `seed + n`, wrapping.
pub(crate) fn counting(path: &Path, frames: u64, seed: i16) {
    wav(path, 16_000, 1, frames, |n, _| seed.wrapping_add(n as i16));
}
