//! The information of joint distributions that are given as tables, and means over normal variables.

/// I of the joint table with entries proportional to `p(i, j)`, in nats. A density is a table of its values on a fine even grid: where the density is
/// smooth and the grid reaches its tails, the error is below the rounding.
pub(in crate::mi) fn information(rows: usize, columns: usize, p: impl Fn(usize, usize) -> f64) -> f64 {
    let table: Vec<f64> = (0..rows * columns).map(|at| p(at / columns, at % columns)).collect();
    let total: f64 = table.iter().sum();
    let (mut of_rows, mut of_columns) = (vec![0.0; rows], vec![0.0; columns]);
    for (at, p) in table.iter().enumerate() {
        of_rows[at / columns] += p / total;
        of_columns[at % columns] += p / total;
    }
    let term = |(at, p): (usize, &f64)| match *p / total {
        0.0 => 0.0,
        p => p * (p / (of_rows[at / columns] * of_columns[at % columns])).ln(),
    };
    table.iter().enumerate().map(term).sum()
}

/// `n` points in the middles of equal parts of the range from `low` to `high`.
pub(in crate::mi) fn grid(low: f64, high: f64, n: usize) -> Vec<f64> {
    (0..n).map(|i| low + (high - low) * (i as f64 + 0.5) / n as f64).collect()
}

/// The density of a normal variable at `x`.
pub(in crate::mi) fn normal(x: f64, mean: f64, deviation: f64) -> f64 {
    let z = (x - mean) / deviation;
    (-0.5 * z * z).exp() / (deviation * (2.0 * std::f64::consts::PI).sqrt())
}

/// E f(z) of a standard normal z.
pub(in crate::mi) fn mean_over_normal(f: impl Fn(f64) -> f64) -> f64 {
    const POINTS: usize = 2000;
    let (points, step) = (grid(-10.0, 10.0, POINTS), 20.0 / POINTS as f64);
    points.into_iter().map(|z| step * normal(z, 0.0, 1.0) * f(z)).sum()
}

/// The entropy of probabilities, in nats.
pub(in crate::mi) fn entropy(p: &[f64]) -> f64 {
    p.iter().filter(|p| **p > 0.0).map(|p| -p * p.ln()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_normal_density_on_a_grid_has_the_information_of_its_correlation() {
        let points = grid(-8.0, 8.0, 200);
        let rho: f64 = 0.9;
        let found = information(200, 200, |i, j| {
            normal(points[i], 0.0, 1.0) * normal(points[j], rho * points[i], (1.0 - rho * rho).sqrt())
        });
        assert!((found + 0.5 * (1.0 - rho * rho).ln()).abs() < 1e-9, "{found}");
        assert!((mean_over_normal(|z| z.powi(4)) - 3.0).abs() < 1e-9);
        assert!((entropy(&[0.5, 0.5, 0.0]) - 2f64.ln()).abs() < 1e-15);
    }
}
