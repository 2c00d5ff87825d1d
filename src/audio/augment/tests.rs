//! What each augmentation does to signals whose change is known.

use super::*;
use crate::seed::stream;
use std::f32::consts::TAU;

const RATE: u32 = 16_000;

fn augment(text: &str) -> Augment {
    text.parse().unwrap()
}

fn changed(text: &str, window: &[f32], seed: u64) -> Vec<f32> {
    let mut samples = window.to_vec();
    augment(text).apply(&mut samples, RATE, &mut stream(seed, "augment", 0), &mut Tools::default());
    samples
}

/// A tone of `hertz`.
fn tone(hertz: f32, length: usize) -> Vec<f32> {
    (0..length).map(|i| 0.3 * (TAU * hertz * i as f32 / RATE as f32).sin()).collect()
}

/// Noise, as a signal that has all frequencies.
fn hiss(length: usize) -> Vec<f32> {
    let mut random = stream(9, "hiss", 0);
    (0..length).map(|_| 0.1 * random.normal()).collect()
}

/// The power of a signal at one frequency (Goertzel).
fn at(samples: &[f32], hertz: f32) -> f32 {
    let turn = |i: usize| TAU * hertz * i as f32 / RATE as f32;
    let (re, im) = samples
        .iter()
        .enumerate()
        .fold((0.0, 0.0), |(re, im), (i, x)| (re + x * turn(i).cos(), im + x * turn(i).sin()));
    (re * re + im * im) / (samples.len() as f32).powi(2)
}

#[test]
fn every_augmentation_changes_a_window_as_its_stream_says_and_in_no_other_way() {
    for augmentation in AUGMENTATIONS {
        // Kinds of windows that break careless signal processing: silence, one sample, clipping, shorter than any effect.
        for window in [vec![0.0; 5000], vec![0.5], vec![1.0; 5000], tone(300.0, 37), hiss(5000)] {
            let a = changed(augmentation.name, &window, 1);
            assert_eq!(a.len(), window.len());
            assert!(a.iter().all(|x| x.is_finite()), "{}", augmentation.name);
            assert_eq!(a, changed(augmentation.name, &window, 1), "{}", augmentation.name);
            if window.iter().all(|x| *x == 0.0) {
                assert!(a.iter().all(|x| x.abs() < 1e-6), "{}: silence stays silent", augmentation.name);
            }
        }
        let window = hiss(5000);
        assert_ne!(changed(augmentation.name, &window, 1), changed(augmentation.name, &window, 2));
        assert_ne!(changed(augmentation.name, &window, 1), window);
    }
}

#[test]
fn pitch_moves_a_tone_by_at_most_its_amount_and_keeps_its_power() {
    let window = tone(440.0, 16_000);
    let (mut lowest, mut highest) = (f32::MAX, f32::MIN);
    for seed in 0..30 {
        let shifted = changed("pitch:300", &window, seed);
        let inside = &shifted[4000..8000];
        let cents = (-400..=400).step_by(5).map(|c| c as f32);
        let of = |c: f32| at(inside, 440.0 * (c / 1200.0).exp2());
        let best = cents.max_by(|a, b| of(*a).total_cmp(&of(*b))).unwrap();
        assert!(of(best) > 0.7 * 0.25 * 0.09, "{best} cents: most of the power is in one tone, {}", of(best));
        assert!((power(inside) / 0.045 - 1.0).abs() < 0.1, "{}", power(inside));
        (lowest, highest) = (lowest.min(best), highest.max(best));
    }
    assert!((-305.0..-200.0).contains(&lowest) && (200.0..305.0).contains(&highest), "{lowest} {highest}");
}

#[test]
fn pitch_keeps_what_happens_where_it_is() {
    // Bursts of a tone at known times, as syllables are.
    let burst = |i: usize| (i / 2000) % 2 == 1;
    let window: Vec<f32> =
        tone(200.0, 20_000).iter().enumerate().map(|(i, x)| if burst(i) { *x } else { 0.0 }).collect();
    for seed in 0..10 {
        let shifted = changed("pitch:300", &window, seed);
        for start in (0..20_000).step_by(2000) {
            let inside = power(&shifted[start + 500..start + 1500]);
            assert_eq!(inside > 0.01, burst(start), "seed {seed}, from {start}: {inside}");
        }
    }
}

#[test]
fn noise_has_the_power_that_its_amount_says() {
    let window = tone(300.0, 16_000);
    let mut ratios = Vec::new();
    for seed in 0..60 {
        let noise: Vec<f32> = changed("noise:10", &window, seed).iter().zip(&window).map(|(a, b)| a - b).collect();
        ratios.push(10.0 * (power(&window) / power(&noise)).log10());
    }
    let (low, high) = ratios.iter().fold((f32::MAX, f32::MIN), |(l, h), &r| (l.min(r), h.max(r)));
    assert!((9.99..11.5).contains(&low) && (23.5..25.01).contains(&high), "{low} {high}");
}

#[test]
fn recorded_noise_is_what_is_added_and_silent_noise_adds_nothing() {
    let window = tone(300.0, 4000);
    let mut tools = Tools::default();
    tools.noise = tone(1000.0, 4000);
    let mut samples = window.clone();
    augment("noise").apply(&mut samples, RATE, &mut stream(1, "augment", 0), &mut tools);
    let added: Vec<f32> = samples.iter().zip(&window).map(|(a, b)| a - b).collect();
    assert!(4.0 * at(&added, 1000.0) > 0.99 * 2.0 * power(&added));
    tools.noise = vec![0.0; 4000];
    samples.clone_from(&window);
    augment("noise").apply(&mut samples, RATE, &mut stream(1, "augment", 0), &mut tools);
    assert_eq!(samples, window);
}

#[test]
fn reverberation_goes_on_after_the_sound_and_never_comes_before_it() {
    let mut window = vec![0.0; 16_000];
    window[4000..4800].copy_from_slice(&hiss(800));
    let mut longest = 0.0f32;
    for seed in 0..20 {
        let echo = changed("reverb:0.5", &window, seed);
        assert!(echo[..3990].iter().all(|x| x.abs() < 1e-4), "nothing comes before the sound");
        assert!((power(&echo) / power(&window) - 1.0).abs() < 0.01, "the window is as loud as it was");
        let [soon, later] = [5200..6000, 10_000..10_800].map(|range| power(&echo[range]));
        assert!(soon > 1e-9 && later < 0.3 * soon, "seed {seed}: it decays, {soon} {later}");
        longest = longest.max(soon / power(&echo));
    }
    assert!(longest > 0.01, "{longest}");
}

#[test]
fn a_reverberation_decays_by_60_decibels_in_its_time() {
    for (seconds, seed) in [(0.3, 1), (0.8, 2)] {
        let response = super::reverb::response(RATE, seconds, 16_000, &mut stream(seed, "room", 0));
        let decibels = |at: f32| {
            let middle = (at * RATE as f32) as usize;
            10.0 * power(&response[middle - 240..middle + 240]).log10()
        };
        let (from, to) = (0.35 * seconds, 0.9 * seconds);
        let slope = (decibels(from) - decibels(to)) / (to - from);
        assert!((slope * seconds / 60.0 - 1.0).abs() < 0.15, "{} dB in {seconds} s", slope * seconds);
        assert!((response[0] - 1.0).abs() < 0.5, "the direct sound comes first: {}", response[0]);
    }
}

#[test]
fn a_rejected_band_is_missing_and_the_rest_is_as_it_was() {
    let window: Vec<f32> = (0..80)
        .map(|k| 100.0 * (k as f32 + 0.5))
        .fold(vec![0.0; 16_000], |sum, hertz| sum.iter().zip(tone(hertz, 16_000)).map(|(a, b)| a + b).collect());
    let mut missing = 0;
    for seed in 0..20 {
        let rest = changed("band-reject:0.4", &window, seed);
        let kept: Vec<bool> = (0..80)
            .map(|k| 100.0 * (k as f32 + 0.5))
            .filter_map(|hertz| match at(&rest[2000..14_000], hertz) / at(&window[2000..14_000], hertz) {
                ratio if ratio > 0.9 => Some(true),
                ratio if ratio < 0.05 => Some(false),
                _ => None, // at an edge
            })
            .collect();
        let edges = kept.windows(2).filter(|pair| pair[0] != pair[1]).count();
        assert!(edges <= 2 && kept.len() >= 70, "seed {seed}: one band, {kept:?}");
        missing = missing.max(kept.iter().filter(|kept| !**kept).count());
    }
    assert!(missing > 10, "{missing}");
}

#[test]
fn time_dropout_silences_one_moment() {
    let window = vec![0.5; 16_000];
    let mut longest = 0;
    for seed in 0..50 {
        let rest = changed("time-dropout:100", &window, seed);
        let silent = rest.iter().filter(|x| **x == 0.0).count();
        let edges = rest.windows(2).filter(|pair| pair[0] != pair[1]).count();
        assert!(silent <= 1600 && edges <= 2, "{silent} {edges}");
        longest = longest.max(silent);
    }
    assert!(longest > 1400, "{longest}");
}

#[test]
fn amounts_read_back_and_those_out_of_range_are_named() {
    for text in ["pitch", "pitch:200", "noise:-5", "reverb:0.35", "band-reject", "time-dropout:50", "gain:3"] {
        assert_eq!(augment(text).to_string(), text);
    }
    assert_eq!(augment("pitch:300"), augment("pitch"));
    for (text, word) in [
        ("echo", "expected some of pitch, noise, reverb, band-reject, time-dropout, gain"),
        ("pitch:", "takes 1 to 1200 cents"),
        ("pitch:5000", "takes 1 to 1200 cents"),
        ("reverb:nan", "takes 0.1 to 10 s"),
        ("band-reject:2", "such as `band-reject:0.3`"),
    ] {
        let error = text.parse::<Augment>().unwrap_err();
        assert!(error.contains(word), "{error}");
    }
}
