//! Invertible maps of X and of Y, which change the distributions of the variables but not their mutual information.
//!
//! The formulas are those of the reference (benchmark-mi 0.1.3). The reference computes in f32 and this module in f64, so values in the far
//! tails of [`Transform::NormalCdf`] and [`Transform::Bimodal`] are not rounded to 0, 1 or an end of the search here.

use statrs::function::erf::erfc;
use std::f64::consts::{FRAC_1_SQRT_2, PI};

/// A map f of X together with its map g of Y.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Transform {
    /// Maps each column by the standard normal distribution function; the result is uniform in [0, 1] if the column was standard normal.
    NormalCdf,
    /// Maps each column to x sqrt(|x|), which makes tails longer.
    HalfCube,
    /// Maps each column to asinh(x), which makes tails shorter.
    Asinh,
    /// Adds sines to each column, different ones for X and Y; slopes stay above 0.
    Wiggly,
    /// Maps a standard normal column to a mixture of two normal distributions of variance 1: for X 0.3 at 0 and 0.7 at 5, for Y 0.5 at -1 and
    /// 0.5 at 3.
    Bimodal,
    /// Rotates a row by |x|^2 / dim radians, in the plane of columns 0 and 1 for X, and of columns 1 and 2 for Y.
    Spiral,
    /// Rolls up X in [0, 1] in a plane; Y is unchanged.
    SwissRoll,
}

impl Transform {
    /// The reference's name, which precedes the name of the task that is mapped.
    pub(super) fn name(self) -> &'static str {
        match self {
            Transform::NormalCdf => "normal_cdf",
            Transform::HalfCube => "half_cube",
            Transform::Asinh => "asinh",
            Transform::Wiggly => "wiggly",
            Transform::Bimodal => "bimodal",
            Transform::Spiral => "spiral",
            Transform::SwissRoll => "swissroll_x",
        }
    }

    /// The name in words.
    pub(super) fn label(self) -> &'static str {
        match self {
            Transform::NormalCdf => "normal CDF",
            Transform::HalfCube => "half-cube",
            Transform::SwissRoll => "Swiss roll",
            _ => self.name(),
        }
    }

    /// The number of columns that X gains.
    pub(super) fn more_x(self) -> usize {
        usize::from(self == Transform::SwissRoll)
    }

    /// Maps one row of X and one of Y.
    pub(super) fn apply(self, x: &mut Vec<f64>, y: &mut Vec<f64>) {
        let each = |row: &mut [f64], f: &dyn Fn(f64) -> f64| row.iter_mut().for_each(|v| *v = f(*v));
        match self {
            Transform::NormalCdf => [x, y].into_iter().for_each(|row| each(row, &normal_cdf)),
            Transform::HalfCube => [x, y].into_iter().for_each(|row| each(row, &|v| v * v.abs().sqrt())),
            Transform::Asinh => [x, y].into_iter().for_each(|row| each(row, &f64::asinh)),
            Transform::Wiggly => {
                each(x, &|v| v + 0.4 * v.sin() + 0.2 * (1.7 * v + 1.0).sin() + 0.03 * (3.3 * v - 2.5).sin());
                each(y, &|v| v - 0.4 * (0.4 * v).sin() + 0.17 * (1.3 * v + 3.5).sin() + 0.02 * (4.3 * v - 2.5).sin());
            }
            Transform::Bimodal => {
                each(x, &|v| mixture_quantile(normal_cdf(v), 0.3, [0.0, 5.0]));
                each(y, &|v| mixture_quantile(normal_cdf(v), 0.5, [-1.0, 3.0]));
            }
            Transform::Spiral => {
                turn(x, 0);
                turn(y, 1);
            }
            Transform::SwissRoll => {
                let t = x.first().map_or(0.0, |x| 1.5 * PI * (1.0 + 2.0 * x));
                x.splice(.., [t.cos(), t.sin()].map(|v| t * v / 21.0));
            }
        }
    }
}

/// The probability that a standard normal variable is below `v`, to a relative error of 1e-10, in the lower tail too.
fn normal_cdf(v: f64) -> f64 {
    0.5 * erfc(-v * FRAC_1_SQRT_2)
}

/// The quantile at probability `p` of the mixture of `weight` times N(means[0], 1) and 1 - `weight` times N(means[1], 1), by bisection.
///
/// The reference searches from -10 to 10. An f64 cannot distinguish `p` from 0 or 1 if the value is beyond 50.
fn mixture_quantile(p: f64, weight: f64, means: [f64; 2]) -> f64 {
    let cdf = |v: f64| weight * normal_cdf(v - means[0]) + (1.0 - weight) * normal_cdf(v - means[1]);
    let (mut low, mut high) = (-50.0, 50.0);
    // 100 / 2^64 is below the rounding error of all values except those next to 0.
    for _ in 0..64 {
        let middle = 0.5 * (low + high);
        if cdf(middle) < p { low = middle } else { high = middle }
    }
    0.5 * (low + high)
}

/// Rotates `row` by the angle |row|^2 / dim in the plane of columns `first` and `first` + 1, from the first toward the second.
fn turn(row: &mut [f64], first: usize) {
    let angle = row.iter().map(|v| v * v).sum::<f64>() / row.len() as f64;
    let (sin, cos) = angle.sin_cos();
    if let Some([a, b]) = row.get_mut(first..first + 2) {
        (*a, *b) = (cos * *a - sin * *b, sin * *a + cos * *b);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mapped(transform: Transform, x: &[f64], y: &[f64]) -> (Vec<f64>, Vec<f64>) {
        let (mut x, mut y) = (x.to_vec(), y.to_vec());
        transform.apply(&mut x, &mut y);
        (x, y)
    }

    fn close(values: &[f64], expected: &[f64]) {
        assert_eq!(values.len(), expected.len());
        assert!(values.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-12), "{values:?}, expected {expected:?}");
    }

    #[test]
    fn known_values_come_out() {
        // From Python's math module, with the reference's formulas; the spiral from the power series of its matrix exponential.
        let (x, y) = mapped(Transform::NormalCdf, &[-1.3], &[0.7]);
        // The series in statrs' erfc are truncated at 1e-10.
        assert!((x[0] - 0.09680048458561034).abs() < 1e-11 && (y[0] - 0.758036347776927).abs() < 1e-11);
        let (x, y) = mapped(Transform::HalfCube, &[-1.3], &[0.7]);
        close(&[x[0], y[0]], &[-1.4822280526288796, 0.5856620185738528]);
        let (x, y) = mapped(Transform::Asinh, &[-1.3], &[0.7]);
        close(&[x[0], y[0]], &[-1.078451058954897, 0.6526665660823557]);
        let (x, y) = mapped(Transform::Wiggly, &[-1.3], &[0.7]);
        close(&[x[0], y[0]], &[-1.8871083189477231, 0.43693456432977573]);
        let (x, y) = mapped(Transform::SwissRoll, &[0.3], &[0.7]);
        close(&[x[0], x[1], y[0]], &[0.11094920221288392, 0.34146653311332065, 0.7]);
        let (x, y) = mapped(Transform::Spiral, &[0.5, -1.0, 2.0], &[1.5, 0.2, -0.4]);
        close(&x, &[0.8948629190491907, 0.6702390290864604, 2.0]);
        close(&y, &[1.5, 0.4284779936170282, -0.12808828590439467]);
    }

    #[test]
    fn a_spiral_keeps_lengths_and_turns_a_quarter_where_it_should() {
        // |x|^2 / 2 = pi / 2: the first axis is rotated to the second.
        let (x, _) = mapped(Transform::Spiral, &[PI.sqrt(), 0.0], &[0.0; 3]);
        close(&x, &[0.0, PI.sqrt()]);
    }

    #[test]
    fn a_mixture_of_two_is_inverted_from_end_to_end() {
        for (at, (weight, means)) in [(0.3, [0.0, 5.0]), (0.5, [-1.0, 3.0])].into_iter().enumerate() {
            let mut last = f64::NEG_INFINITY;
            for i in -80..=80 {
                let v = f64::from(i) * 0.1;
                let (x, y) = mapped(Transform::Bimodal, &[v], &[v]);
                let value = [x[0], y[0]][at];
                let back = weight * normal_cdf(value - means[0]) + (1.0 - weight) * normal_cdf(value - means[1]);
                // At the upper end probabilities are close to 1, where f64 has no finer steps.
                assert!((back - normal_cdf(v)).abs() < 1e-12 * back.max(1e-3) + 2e-16, "{v}: {value}");
                assert!(value > last && value.is_finite(), "{v}: {value} after {last}");
                last = value;
            }
        }
    }

    #[test]
    fn maps_of_one_column_rise_everywhere_so_that_they_can_be_undone() {
        for transform in [Transform::NormalCdf, Transform::HalfCube, Transform::Asinh, Transform::Wiggly] {
            let rows = (-700..700).map(|i| mapped(transform, &[f64::from(i) * 0.01], &[f64::from(i) * 0.01]));
            let rows: Vec<_> = rows.collect();
            assert!(rows.windows(2).all(|w| w[0].0[0] < w[1].0[0] && w[0].1[0] < w[1].1[0]), "{transform:?}");
        }
    }
}
