//! Mel features compared with torchaudio's, and a signal cut anywhere compared with the whole.

use super::*;
use proptest::prelude::*;
use std::path::Path;

const KINDS: [MelKind; 2] = [MelKind::LogMel, MelKind::Mfcc];

/// A sawtooth that rises from 0 Hz to half the rate, with noise: integers over 2^18, so it is identical on every machine.
fn sweep(samples: usize) -> Vec<f32> {
    let mut state = 1u32;
    let mut noise = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        i64::from(state >> 16) - 32768
    };
    (0..samples as i64).map(|i| (3 * (5 * i * i % 65536 - 32768) + noise()) as f32 / 262_144.0).collect()
}

fn npy(path: &Path) -> Vec<f32> {
    let bytes = std::fs::read(path).unwrap();
    assert!(bytes.starts_with(b"\x93NUMPY\x01"), "{}", path.display());
    let start = 10 + usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    bytes[start..].chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect()
}

fn largest_difference(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

/// tests/golden/mel: torchaudio 2.11.0 (its README has the code that produced them). The signal ends in mid-frame, and is
/// silent for long enough that two frames contain only the floor.
#[test]
fn features_are_those_of_torchaudio_compliance_kaldi() {
    let mut signal = sweep(3333);
    signal[1200..1900].fill(0.0);
    for kind in KINDS {
        let path = format!("{}/tests/golden/mel/{}.npy", env!("CARGO_MANIFEST_DIR"), kind.name());
        let want = npy(Path::new(&path));
        assert_eq!(want.len(), 21 * kind.dim());
        let off = largest_difference(&features(16_000, kind, &signal).unwrap(), &want);
        assert!(off < 5e-4, "{}: {off}", kind.name());
    }
}

#[test]
fn silence_is_the_floor() {
    let rows = features(16_000, MelKind::LogMel, &[0.0; 1600]).unwrap();
    assert_eq!(rows, [f32::EPSILON.ln(); 400]);
}

#[test]
fn a_tone_is_loudest_in_the_triangle_around_it() {
    let tone = |hertz: f32| move |i: usize| (std::f32::consts::TAU * hertz * i as f32 / 16_000.0).sin() * 0.5;
    for hertz in [300.0, 1000.0, 4000.0] {
        let signal: Vec<f32> = (0..4000).map(tone(hertz)).collect();
        let rows = features(16_000, MelKind::LogMel, &signal).unwrap();
        let row = &rows[10 * 40..11 * 40];
        let loudest = (0..40).max_by(|&a, &b| row[a].total_cmp(&row[b])).unwrap();
        // The center of triangle m is at (m + 1) / 41 of the way from 20 Hz to 8 kHz, in mel.
        let mel = |f: f32| 1127.0 * (1.0 + f / 700.0).ln();
        let place = (mel(hertz) - mel(20.0)) / (mel(8000.0) - mel(20.0)) * 41.0 - 1.0;
        assert!((loudest as f32 - place).abs() <= 0.75, "{hertz} Hz: triangle {loudest}, expected near {place}");
    }
}

#[test]
fn a_click_is_centered_in_the_frame_of_its_label() {
    for (at, label) in [(160 * 30 + 80, 30), (44_100 * 61 / 200, 30)] {
        let rate = if label * 160 < at && at < 160 * 31 { 16_000 } else { 44_100 };
        let mut signal = vec![0.0; rate as usize];
        signal[at] = 1.0;
        let rows = features(rate, MelKind::LogMel, &signal).unwrap();
        let loud: Vec<usize> = (0..100).filter(|t| rows[t * 40 + 20] > f32::EPSILON.ln()).collect();
        assert_eq!(loud, [label - 1, label, label + 1], "{rate} Hz"); // a window is 25 ms long
    }
}

#[test]
fn there_are_100_frames_a_second_at_every_rate() {
    for (rate, samples, count) in [
        (16_000, 0, 0),
        (16_000, 79, 0),
        (16_000, 80, 1),
        (16_000, 239, 1),
        (16_000, 240, 2),
        (16_000, 80_854, 505), // (80854 + 80) / 160 = 505.8
        (22_050, 22_050 * 3600, 360_000),
        (11_025, 11_025 * 7, 700),
        (192_000, u64::MAX, 9_607_679_205_057_058),
    ] {
        assert_eq!(frames(rate, samples), count, "{samples} samples at {rate}");
    }
}

#[test]
fn signals_shorter_than_a_window_are_mirrored_until_they_fill_it() {
    let mirrored: Vec<i64> = (-4..8).map(|at| mirrored(at, Some(3))).collect();
    assert_eq!(mirrored, [2, 2, 1, 0, 0, 1, 2, 2, 1, 0, 0, 1]);
    for kind in KINDS {
        let rows = features(16_000, kind, &sweep(80)).unwrap();
        assert!(rows.len() == kind.dim() && rows.iter().all(|v| v.is_finite()));
    }
}

#[test]
fn not_a_number_stays_where_it_is_heard() {
    let mut signal = sweep(3200);
    signal[1000] = f32::NAN;
    let rows = features(16_000, MelKind::LogMel, &signal).unwrap();
    let bad: Vec<usize> = (0..20).filter(|t| rows[t * 40..][..40].iter().any(|v| v.is_nan())).collect();
    assert_eq!(bad, [5, 6, 7]); // windows that begin at 680, 840, 1000: 160 t - 120
}

#[test]
fn rates_that_leave_a_triangle_empty_are_refused_with_a_remedy() {
    for rate in [0, 1, 79, 80, 1000] {
        let error = MelFrames::new(rate, MelKind::LogMel).err().unwrap();
        assert!(error.to_string().contains(&format!("at {rate} samples")), "{error}");
        assert_eq!(error.exit_code(), 2);
    }
    for rate in [1_500, 6_000, 8_000, 11_025, 16_000, 22_050, 44_100, 48_000, 96_000, 192_000] {
        assert!(KINDS.iter().all(|&kind| MelFrames::new(rate, kind).is_ok()), "{rate}");
    }
}

#[test]
fn what_is_held_does_not_grow_with_the_signal() {
    let mut stream = MelFrames::new(16_000, MelKind::Mfcc).unwrap();
    let mut rows = Vec::new();
    stream.push(&sweep(160_000), &mut rows);
    assert!(stream.kept.len() <= 400 && stream.kept.capacity() <= 2 * 16_400, "{}", stream.kept.capacity());
    assert_eq!(rows.len() / 39, 999 - 4); // frame 999 needs later samples; deltas look four frames ahead
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn pieces_never_show_in_the_frames(
        rate in prop::sample::select(vec![8_000u32, 11_025, 16_000, 22_050, 44_100]),
        samples in 0usize..6000,
        pieces in prop::collection::vec(0usize..1500, 1..12),
    ) {
        let signal = sweep(samples);
        for kind in KINDS {
            let whole = features(rate, kind, &signal).unwrap();
            prop_assert_eq!(whole.len() as u64, frames(rate, samples as u64) * kind.dim() as u64);
            let mut stream = MelFrames::new(rate, kind).unwrap();
            for _ in 0..2 {
                // twice, because finish resets it
                let (mut rows, mut rest) = (Vec::new(), &signal[..]);
                for piece in pieces.iter().cycle().take(pieces.len() * 40) {
                    let (now, later) = rest.split_at((*piece).min(rest.len()));
                    stream.push(now, &mut rows);
                    rest = later;
                }
                stream.push(rest, &mut rows);
                stream.finish(&mut rows);
                let same = rows.iter().map(|v| v.to_bits()).eq(whole.iter().map(|v| v.to_bits()));
                prop_assert!(same, "{} at {} Hz", kind.name(), rate);
            }
        }
    }
}
