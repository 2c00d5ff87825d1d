//! Reads a range of a file at any rate.

use crate::audio::resample::Designs;
use crate::audio::source::Recording;
use crate::audio::{AudioInfo, Way, compressed, samples_at, stored};
use crate::error::Problem;
use std::ops::Range;

/// Reads ranges of recordings. Between two reads it keeps what is worth keeping: resamplers and buffers, never samples.
#[derive(Default)]
pub struct Reader {
    designs: Designs,
    native: Vec<f32>,
    bytes: Vec<u8>,
}

/// Reads samples `range` of a recording as [`Reader::read`] does; for a single read.
///
/// # Errors
///
/// As [`Reader::read`].
pub fn read(
    from: &(impl Recording + ?Sized),
    info: &AudioInfo,
    range: Range<u64>,
    rate: u32,
) -> Result<Vec<f32>, Problem> {
    let mut out = vec![0.0; usize::try_from(range.end.saturating_sub(range.start)).unwrap_or(0)];
    Reader::new().read(from, info, range.start, rate, &mut out)?;
    Ok(out)
}

impl Reader {
    /// A reader with nothing cached.
    pub fn new() -> Self {
        Reader::default()
    }

    /// Fills `out` with the samples starting at `first`, counted at `rate` samples per second; `info` comes from
    /// [`probe`](super::probe). Channels are averaged. The same call always returns the same bits.
    ///
    /// # Errors
    ///
    /// One line that describes what is wrong, located at the recording's place: it is damaged, truncated, missing, shorter
    /// than requested, or contains values that are not finite.
    pub fn read(
        &mut self,
        from: &(impl Recording + ?Sized),
        info: &AudioInfo,
        first: u64,
        rate: u32,
        out: &mut [f32],
    ) -> Result<(), Problem> {
        self.fill(from, info, first, rate, out).map_err(|what| Problem::new(from.place(), what))
    }

    fn fill(
        &mut self,
        from: &(impl Recording + ?Sized),
        info: &AudioInfo,
        first: u64,
        rate: u32,
        out: &mut [f32],
    ) -> Result<(), String> {
        let range = first..first.saturating_add(out.len() as u64);
        let held = samples_at(info.frames, info.rate, rate);
        if range.end > held {
            return Err(format!("samples up to {} were requested, it has {held}", range.end));
        }
        if out.is_empty() {
            return Ok(());
        }
        if rate == info.rate {
            return native(from, info, first, out, &mut self.bytes);
        }
        let design = self.designs.of(info.rate, rate)?;
        let needs = design.needs(&range);
        // The signal outside the file is silence.
        self.native.clear();
        self.native.resize((needs.end - needs.start) as usize, 0.0);
        let inside = needs.start.max(0) as u64..(needs.end as u64).min(info.frames);
        if inside.start < inside.end {
            let at = (inside.start as i64 - needs.start) as usize;
            let n = (inside.end - inside.start) as usize;
            native(from, info, inside.start, &mut self.native[at..at + n], &mut self.bytes)?;
        }
        design.run(&self.native, &range, out)
    }
}

/// Reads frames starting at `first`, at the file's own rate.
fn native(
    from: &(impl Recording + ?Sized),
    info: &AudioInfo,
    first: u64,
    out: &mut [f32],
    bytes: &mut Vec<u8>,
) -> Result<(), String> {
    match info.way {
        Way::Stored(stored) => stored::read(from, (info, stored), first, out, bytes)?,
        Way::Decoded(how) => compressed::read(from, (info, how), first, out)?,
    }
    match out.iter().position(|x| !x.is_finite()) {
        None => Ok(()),
        Some(i) => {
            let second = (first + i as u64) as f64 / f64::from(info.rate);
            Err(format!("damaged: the sample at {second:.3} s is {}, not a finite number", out[i]))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::fixtures::{FILES, clean, fixture, tone, wav};
    use crate::audio::{Format, probe};
    use proptest::prelude::*;
    use std::f64::consts::TAU;
    use std::path::Path;

    fn whole(path: &Path, rate: u32) -> Vec<f32> {
        let info = probe(path).unwrap();
        read(path, &info, 0..info.samples_at(rate), rate).unwrap()
    }

    /// Amplitude and phase (in radians, of a sine) of one frequency, away from the ends.
    fn wave(samples: &[f32], rate: f64, hertz: f64) -> (f64, f64) {
        let (from, to) = (samples.len() / 4, samples.len() * 3 / 4);
        let (mut sin, mut cos, mut weight) = (0.0, 0.0, 0.0);
        for (n, &x) in samples.iter().enumerate().take(to).skip(from) {
            // A Hann window, so that leakage from other frequencies falls off fast.
            let w = 0.5 - 0.5 * (TAU * (n - from) as f64 / (to - from) as f64).cos();
            let t = TAU * hertz * n as f64 / rate;
            sin += w * f64::from(x) * t.sin();
            cos += w * f64::from(x) * t.cos();
            weight += w;
        }
        (2.0 * sin.hypot(cos) / weight, cos.atan2(sin))
    }

    #[test]
    fn every_kind_of_wav_sample_is_scaled_to_one() {
        let dir = tempfile::tempdir().unwrap();
        for (bits, format) in [(8, 'i'), (16, 'i'), (24, 'i'), (32, 'i'), (32, 'f')] {
            for channels in [1u16, 2] {
                let path = dir.path().join(format!("{bits}{format}{channels}.wav"));
                let sample_format = if format == 'i' { hound::SampleFormat::Int } else { hound::SampleFormat::Float };
                let spec = hound::WavSpec { channels, sample_rate: 16_000, bits_per_sample: bits, sample_format };
                let mut writer = hound::WavWriter::create(&path, spec).unwrap();
                for n in 0..8i64 {
                    for c in 0..i64::from(channels) {
                        // -1, -0.75 ... 0.75; the second channel is a quarter higher.
                        let value = n - 4 + c;
                        match format {
                            'i' => writer.write_sample((value.clamp(-4, 3) << (bits - 3)) as i32).unwrap(),
                            _ => writer.write_sample(value as f32 / 4.0).unwrap(),
                        }
                    }
                }
                writer.finalize().unwrap();
                let got = whole(&path, 16_000);
                let expected: Vec<f32> = (0..8)
                    .map(|n| {
                        let top = |x: f32| if format == 'i' { x.min(0.75) } else { x };
                        let left = top(n as f32 / 4.0 - 1.0);
                        if channels == 1 { left } else { (left + top(n as f32 / 4.0 - 0.75)) / 2.0 }
                    })
                    .collect();
                assert_eq!(got, expected, "{bits} bits, {format}, {channels} channels");
            }
        }
    }

    #[test]
    fn flac_gives_the_bits_of_the_wav_it_was_made_from() {
        let got = whole(&fixture("tone.flac"), 16_000);
        assert_eq!(got.len(), 16_000);
        for (n, x) in got.iter().enumerate() {
            assert_eq!(*x, f32::from(tone(n as u64)) / 32_768.0, "sample {n}");
        }
        let stereo = whole(&fixture("stereo.flac"), 22_050);
        let sine =
            |hertz: f64, n: usize| (16_384.0 * (TAU * hertz * n as f64 / 22_050.0).sin() + 0.5).floor() / 32_768.0;
        for (n, x) in stereo.iter().enumerate() {
            assert_eq!(f64::from(*x), (sine(1000.0, n) + sine(441.0, n)) / 2.0, "sample {n}");
        }
    }

    #[test]
    fn other_lossless_files_give_the_same_samples() {
        for name in ["alac.m4a", "alac.caf", "pcm.caf", "flac.oga"] {
            let got = whole(&fixture(name), 16_000);
            assert_eq!(got.len(), 16_000, "{name}");
            for (n, x) in got.iter().enumerate() {
                assert_eq!(*x, f32::from(clean(n as u64)) / 32_768.0, "{name}, sample {n}");
            }
        }
    }

    #[test]
    fn lossy_files_keep_tone_length_and_phase() {
        // LAME reduces the amplitude by 5 %, the others by less. Without a container that says so, the encoder's delay and the rest of the last
        // packet cannot be told from audio: ffmpeg has as many samples.
        let files = [
            ("tone.mp3", 0.475, 16_000),
            ("tone.ogg", 0.5, 16_000),
            ("tone.m4a", 0.5, 16_000),
            ("tone.webm", 0.462, 16_256),
            ("ima.wav", 0.5, 16_328),
        ];
        for (name, expected, length) in files {
            let got = whole(&fixture(name), 16_000);
            assert_eq!(got.len(), length, "{name}");
            let (amplitude, phase) = wave(&got, 16_000.0, 1000.0);
            assert!((amplitude - expected).abs() < 0.01, "{name}: {amplitude}");
            assert!(phase.abs() < 0.02, "{name}: {phase}");
        }
    }

    #[test]
    fn a_sine_stays_a_sine_at_the_right_phase_when_resampled() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("sine.wav");
        for rate in [8_000, 11_025, 16_001, 22_050, 32_000, 44_100, 48_000, 96_000] {
            for hertz in [100.0, 1000.0, 3600.0] {
                let sine = |n: u64| 30_000.0 * (TAU * hertz * n as f64 / f64::from(rate)).sin();
                wav(&path, rate, 1, u64::from(rate), |n, _| sine(n).round() as i16);
                let got = whole(&path, 16_000);
                assert_eq!(got.len(), 16_000);
                let (amplitude, phase) = wave(&got, 16_000.0, hertz);
                let expected = 30_000.0 / 32_768.0;
                assert!((amplitude / expected - 1.0).abs() < 1e-3, "{rate} Hz, {hertz} Hz: {amplitude}");
                assert!(phase.abs() < 1e-3, "{rate} Hz, {hertz} Hz: phase {phase}");
                // Nothing else was added: the residual is 16-bit rounding noise.
                let rest = got
                    .iter()
                    .enumerate()
                    .skip(4000)
                    .take(8000)
                    .map(|(n, x)| f64::from(*x) - expected * (TAU * hertz * n as f64 / 16_000.0).sin());
                let rest = (rest.map(|r| r * r).sum::<f64>() / 8000.0).sqrt();
                assert!(rest < 1e-4, "{rate} Hz, {hertz} Hz: {rest}");
            }
        }
    }

    #[test]
    fn a_tone_above_the_new_limit_vanishes() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("high.wav");
        for (rate, hertz) in [(44_100, 8_050.0), (48_000, 9_000.0), (48_000, 20_000.0), (22_050, 10_000.0)] {
            let sine = |n: u64| 30_000.0 * (TAU * hertz * n as f64 / f64::from(rate)).sin();
            wav(&path, rate, 1, u64::from(rate), |n, _| sine(n).round() as i16);
            let middle = whole(&path, 16_000)[4000..12_000].to_vec();
            let loudest = middle.iter().fold(0f32, |m, x| m.max(x.abs()));
            // 80 dB below the tone's 0.92.
            assert!(loudest < 9e-5, "{hertz} Hz at {rate}: {loudest}");
        }
    }

    #[test]
    fn the_pass_band_is_flat() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("band.wav");
        for hertz in [20.0, 4000.0, 7500.0] {
            let sine = |n: u64| 20_000.0 * (TAU * hertz * n as f64 / 44_100.0).sin();
            wav(&path, 44_100, 1, 44_100, |n, _| sine(n).round() as i16);
            let (amplitude, _) = wave(&whole(&path, 16_000), 16_000.0, hertz);
            assert!((amplitude * 32_768.0 / 20_000.0 - 1.0).abs() < 0.01, "{hertz}: {amplitude}");
        }
    }

    /// Files of each format with their whole content, at the native rate and at other rates.
    fn all_kinds() -> Vec<(std::path::PathBuf, AudioInfo, u32, Vec<f32>)> {
        let mut kinds = Vec::new();
        for name in FILES {
            let path = fixture(name);
            let info = probe(&path).unwrap();
            for rate in [info.rate, 16_000, 44_100] {
                let all = read(&path, &info, 0..info.samples_at(rate), rate).unwrap();
                kinds.push((path.clone(), info, rate, all));
            }
        }
        kinds
    }

    #[test]
    fn any_range_equals_that_range_of_the_whole() {
        let kinds = all_kinds();
        let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig::with_cases(300));
        let strategy = (0..kinds.len(), 0.0..1.0f64, 0.0..1.0f64);
        let reader = std::cell::RefCell::new(Reader::new());
        let outcome = runner.run(&strategy, |(kind, a, b)| {
            let (path, info, rate, all) = &kinds[kind];
            let (a, b) = ((a * all.len() as f64) as usize, (b * all.len() as f64) as usize);
            let (a, b) = (a.min(b), a.max(b));
            let mut got = vec![0.0; b - a];
            reader.borrow_mut().read(path, info, a as u64, *rate, &mut got).unwrap();
            let worst = got.iter().zip(&all[a..b]).map(|(x, y)| (x - y).abs()).fold(0f32, f32::max);
            let allowed = if info.format == Format::Flac { 0.0 } else { 1e-4 };
            prop_assert!(worst <= allowed, "{} {a}..{b} at {rate}: {worst}", path.display());
            Ok(())
        });
        outcome.unwrap();
    }

    #[test]
    fn a_number_that_is_not_finite_is_a_damaged_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("nan.wav");
        let spec = hound::WavSpec {
            channels: 1,
            sample_rate: 16_000,
            bits_per_sample: 32,
            sample_format: hound::SampleFormat::Float,
        };
        let mut writer = hound::WavWriter::create(&path, spec).unwrap();
        (0..1600).for_each(|n| writer.write_sample(if n == 800 { f32::NAN } else { 0.1 }).unwrap());
        writer.finalize().unwrap();
        let info = probe(&path).unwrap();
        assert!(read(&path, &info, 0..800, 16_000).is_ok());
        let problem = read(&path, &info, 700..900, 16_000).unwrap_err();
        assert_eq!(problem.what, "damaged: the sample at 0.050 s is NaN, not a finite number");
    }

    #[test]
    fn a_range_behind_the_end_is_refused() {
        let info = probe(&fixture("tone.flac")).unwrap();
        let problem = read(&fixture("tone.flac"), &info, 15_000..16_001, 16_000).unwrap_err();
        assert!(problem.what.contains("it has 16000"), "{problem}");
        assert!(read(&fixture("tone.flac"), &info, 5..5, 16_000).unwrap().is_empty());
    }
}
