//! Many columns that hide few causes: images of digits and of spots, and strings of letters.
//!
//! Images are drawn here, so that the causes are known. Something that does not matter changes too: where a digit stands, how bright it is. An image
//! of a digit determines the digit, and an image of a spot the spot's place; so images share what their causes share.

use crate::mi::tasks::problem::Problem;
use crate::mi::tasks::quadrature::{entropy, grid, information, normal};
use crate::seed::Stream;

/// The width and height of an image.
const SIDE: usize = 16;

/// Digits on 5 x 7 places, one number for each line, whose lowest bit is on the right.
const DIGITS: [[u8; 7]; 10] = [
    [0b01110, 0b10001, 0b10011, 0b10101, 0b11001, 0b10001, 0b01110],
    [0b00100, 0b01100, 0b00100, 0b00100, 0b00100, 0b00100, 0b01110],
    [0b01110, 0b10001, 0b00001, 0b00010, 0b00100, 0b01000, 0b11111],
    [0b11111, 0b00010, 0b00100, 0b00010, 0b00001, 0b10001, 0b01110],
    [0b00010, 0b00110, 0b01010, 0b10010, 0b11111, 0b00010, 0b00010],
    [0b11111, 0b10000, 0b11110, 0b00001, 0b00001, 0b10001, 0b01110],
    [0b00110, 0b01000, 0b10000, 0b11110, 0b10001, 0b10001, 0b01110],
    [0b11111, 0b00001, 0b00010, 0b00100, 0b01000, 0b01000, 0b01000],
    [0b01110, 0b10001, 0b10001, 0b01110, 0b10001, 0b10001, 0b01110],
    [0b01110, 0b10001, 0b10001, 0b01111, 0b00001, 0b00010, 0b01100],
];

/// The problems.
pub(super) fn problems() -> Vec<Problem> {
    // A label that is kept with probability .6 and else another one.
    let kept = 10f64.ln() - entropy(&[0.6, 0.4]) - 0.4 * 9f64.ln();
    let noisy = |rng: &mut Stream| {
        let digit = rng.below(10);
        let other = if rng.unit64() < 0.6 { digit } else { (digit + 1 + rng.below(9)) % 10 };
        (digit as usize, other as usize)
    };
    vec![
        Problem::of_rows("digit-label", "digits and their label", 10f64.ln(), |rng| {
            let digit = rng.below(10);
            [digit_image(digit as usize, rng), vec![f64::from(digit)], vec![]]
        })
        .with_labels(&[1]),
        Problem::of_rows("digit-noisy-label", "digits and a label, 40 % wrong", kept, move |rng| {
            let (digit, label) = noisy(rng);
            [digit_image(digit, rng), vec![label as f64], vec![]]
        })
        .with_labels(&[1]),
        Problem::of_rows("digit-pair", "two digits, 40 % not the same", kept, move |rng| {
            let (a, b) = noisy(rng);
            [digit_image(a, rng), digit_image(b, rng), vec![]]
        }),
        Problem::of_rows("digit-strangers", "two digits that share nothing", 0.0, |rng| {
            let (a, b) = (rng.below(10) as usize, rng.below(10) as usize);
            [digit_image(a, rng), digit_image(b, rng), vec![]]
        }),
        Problem::of_rows("spot-place", "a spot and its place with noise", 2.0 * place(), |rng| {
            let at = [rng.unit64(), rng.unit64()];
            let measured = at.map(|v| v + NOISE * rng.normal64()).to_vec();
            [spot_image(at, rng), measured, vec![]]
        }),
        Problem::of_rows("spot-pair", "two spots at about the same height", place(), |rng| {
            let height = rng.unit64();
            let other = height + NOISE * rng.normal64();
            let (a, b) = ([rng.unit64(), height], [rng.unit64(), other]);
            [spot_image(a, rng), spot_image(b, rng), vec![]]
        }),
        Problem::of_rows("letters", "12 letters and a copy with errors", 12.0 * letter(), |rng| {
            let letters: Vec<u32> = (0..12).map(|_| rng.below(4)).collect();
            let copy: Vec<u32> = letters.iter().map(|&l| if rng.unit64() < 0.6 { rng.below(4) } else { l }).collect();
            [one_hot(&letters), one_hot(&copy), vec![]]
        }),
        Problem::of_rows("letter-count", "12 letters and how often one occurs", binomial_entropy(), |rng| {
            let letters: Vec<u32> = (0..12).map(|_| rng.below(4)).collect();
            [one_hot(&letters), vec![letters.iter().filter(|l| **l == 0).count() as f64], vec![]]
        }),
    ]
}

/// The standard deviation of the noise of a place, as a fraction of the range of places.
const NOISE: f64 = 0.1;

/// A digit, twice as large as its pattern, within a pixel of the middle, with a brightness of its own, on a noisy background.
fn digit_image(digit: usize, rng: &mut Stream) -> Vec<f64> {
    let [down, right] = [rng.below(3) as usize, 2 + rng.below(3) as usize];
    let bright = 0.6 + 0.4 * rng.unit64();
    (0..SIDE * SIDE).map(|at| bright * ink(digit, [down, right], at) + 0.1 * rng.normal64()).collect()
}

/// 1 where a digit that stands at a place has a pixel, else 0.
fn ink(digit: usize, [down, right]: [usize; 2], at: usize) -> f64 {
    let (row, column) = ((at / SIDE).wrapping_sub(down) / 2, (at % SIDE).wrapping_sub(right) / 2);
    f64::from(u8::from(row < 7 && column < 5 && DIGITS[digit][row] >> (4 - column) & 1 == 1))
}

/// A round spot at a place from 0 to 1 across and down, with a brightness of its own.
fn spot_image([across, down]: [f64; 2], rng: &mut Stream) -> Vec<f64> {
    let bright = 0.5 + rng.unit64();
    let at = |v: f64| 3.0 + v * (SIDE as f64 - 7.0);
    let squared = |i: usize, v: f64| (i as f64 - at(v)).powi(2);
    let pixel = |i: usize| bright * (-(squared(i % SIDE, across) + squared(i / SIDE, down)) / 8.0).exp();
    (0..SIDE * SIDE).map(pixel).collect()
}

fn one_hot(letters: &[u32]) -> Vec<f64> {
    letters.iter().flat_map(|&l| (0..4).map(move |j| f64::from(u32::from(j == l)))).collect()
}

/// The information between a number that is uniform from 0 to 1 and its sum with noise: h(U + N) - h(N).
fn place() -> f64 {
    let (u, y) = (grid(0.0, 1.0, 500), grid(-1.0, 2.0, 1500));
    information(u.len(), y.len(), |i, j| normal(y[j], u[i], NOISE))
}

/// The information between a letter of four and one that is drawn anew with probability .6.
fn letter() -> f64 {
    4f64.ln() - entropy(&[0.55, 0.15, 0.15, 0.15])
}

/// The entropy of the number of successes among 12 with probability 1/4 each.
fn binomial_entropy() -> f64 {
    let mut p = vec![1.0];
    for _ in 0..12 {
        let failed = p.iter().map(|p| 0.75 * p).chain([0.0]);
        let succeeded = [0.0].into_iter().chain(p.iter().map(|p| 0.25 * p));
        p = failed.zip(succeeded).map(|(a, b)| a + b).collect();
    }
    entropy(&p)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::stream;

    #[test]
    fn an_image_determines_its_digit() {
        let mut rng = stream(1, "digits", 0);
        // The nearest of all digits at all places, whatever their brightness: the largest cosine.
        let mut templates = Vec::new();
        for digit in 0..10 {
            for place in 0..9 {
                let pixel = |at: usize| ink(digit, [place / 3, 2 + place % 3], at);
                templates.push((digit, (0..SIDE * SIDE).map(pixel).collect::<Vec<f64>>()));
            }
        }
        let cosine = |image: &[f64], of: &[f64]| {
            let dot: f64 = image.iter().zip(of).map(|(a, b)| a * b).sum();
            dot / of.iter().sum::<f64>().sqrt()
        };
        for _ in 0..500 {
            let digit = rng.below(10) as usize;
            let image = digit_image(digit, &mut rng);
            let best = templates.iter().max_by(|a, b| cosine(&image, &a.1).total_cmp(&cosine(&image, &b.1))).unwrap();
            assert_eq!(best.0, digit);
        }
    }

    #[test]
    fn an_image_determines_the_place_of_its_spot() {
        let mut rng = stream(1, "spots", 0);
        for _ in 0..100 {
            let at = [rng.unit64(), rng.unit64()];
            let image = spot_image(at, &mut rng);
            // The logarithm of a spot's pixels is a parabola, whose differences are a line in the place.
            let log = |across: usize, down: usize| image[down * SIDE + across].ln();
            let across = 8.0 + 4.0 * (log(9, 8) - log(7, 8)) / 2.0;
            let down = 8.0 + 4.0 * (log(8, 9) - log(8, 7)) / 2.0;
            assert!(((across - 3.0) / 9.0 - at[0]).abs() < 1e-6 && ((down - 3.0) / 9.0 - at[1]).abs() < 1e-6);
        }
    }

    #[test]
    fn truths_lie_where_they_must() {
        assert!((binomial_entropy() - 1.810_045_979_409_24).abs() < 1e-12); // scipy.stats.binom(12, 0.25).entropy()
        // Noise that is small beside the range: -log of its entropy, less a little at the ends.
        let no_ends = -0.5 * (2.0 * std::f64::consts::PI * std::f64::consts::E * NOISE * NOISE).ln();
        assert!(place() > no_ends && place() < no_ends + 0.25, "{} {no_ends}", place());
    }
}
