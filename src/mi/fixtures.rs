//! Samples shared by tests.

use crate::mi::samples::Samples;
use crate::seed::stream;

/// Pairs of `dim` normal columns each, correlated column by column by `rho`.
pub(crate) fn normal(n: usize, dim: usize, rho: f64, index: u64) -> (Samples, Samples) {
    let mut rng = stream(11, "mi/fixtures", index);
    let pair = |_| {
        let (a, b) = (f64::from(rng.normal()), f64::from(rng.normal()));
        (a, rho * a + (1.0 - rho * rho).sqrt() * b)
    };
    let (x, y): (Vec<f64>, Vec<f64>) = (0..n * dim).map(pair).unzip();
    (Samples::new(x, dim).unwrap(), Samples::new(y, dim).unwrap())
}

/// Uncorrelated t variables of 2 + 2 columns with `degrees` degrees of freedom, which share their scale.
pub(crate) fn student(n: usize, degrees: u32, index: u64) -> (Samples, Samples) {
    let mut rng = stream(11, "mi/fixtures/t", index);
    let (mut x, mut y) = (Vec::new(), Vec::new());
    for _ in 0..n {
        let chi: f64 = (0..degrees).map(|_| f64::from(rng.normal()).powi(2)).sum();
        let scale = (f64::from(degrees) / chi).sqrt();
        (0..2).for_each(|_| x.push(f64::from(rng.normal()) * scale));
        (0..2).for_each(|_| y.push(f64::from(rng.normal()) * scale));
    }
    (Samples::new(x, 2).unwrap(), Samples::new(y, 2).unwrap())
}

/// x uniform in -1 .. 1 and y = x^2 with noise of standard deviation 0.1: dependent but uncorrelated.
pub(crate) fn parabola(n: usize, index: u64) -> (Samples, Samples) {
    let mut rng = stream(11, "mi/fixtures/parabola", index);
    let pair = |_| {
        let x = f64::from(rng.uniform(-1.0, 1.0));
        (x, x * x + 0.1 * f64::from(rng.normal()))
    };
    let (x, y): (Vec<f64>, Vec<f64>) = (0..n).map(pair).unzip();
    (Samples::new(x, 1).unwrap(), Samples::new(y, 1).unwrap())
}
