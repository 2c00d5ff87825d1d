//! Joint distributions of X and Y: how to draw from them, and their mutual information in closed form.

use crate::error::Result;
use crate::mi::digamma::digamma;
use crate::mi::samples::Samples;
use crate::seed::Stream;
use statrs::function::gamma::ln_gamma;

/// A joint distribution of X and Y.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Distribution {
    /// Jointly normal.
    Normal(Normal),
    /// Student's t with location 0: normal rows, each divided by sqrt(chi^2 / degrees). Its mean exists from 2 degrees of freedom on, and its
    /// variance from 3 on. Uncorrelated columns are still dependent, through the common divisor.
    Student {
        /// The normal rows; their covariance is the dispersion.
        scaled: Normal,
        /// The degrees of freedom of chi^2, 1 or more.
        degrees: u32,
    },
    /// X uniform in [0, 1), Y = X + N, N uniform in [-noise, noise).
    Additive {
        /// The largest noise, above 0.
        noise: f64,
    },
}

impl Distribution {
    /// The numbers of columns of X and of Y.
    pub(super) fn dims(&self) -> [usize; 2] {
        match self {
            Distribution::Normal(normal) | Distribution::Student { scaled: normal, .. } => [normal.dim; 2],
            Distribution::Additive { .. } => [1, 1],
        }
    }

    /// A description in words that can end a sentence.
    pub(super) fn label(&self) -> String {
        match self {
            Distribution::Normal(Normal { dim: 1, .. }) => "normal".into(),
            Distribution::Normal(Normal { dependence: Dependence::Dense, .. }) => "normal, dense".into(),
            Distribution::Normal(Normal { dependence: Dependence::Pairs(n), .. }) => format!("normal, {n} pairs"),
            Distribution::Student { degrees, .. } => format!("Student t, df {degrees}"),
            Distribution::Additive { noise } => format!("uniform, noise {noise}"),
        }
    }

    /// I(X; Y) in nats.
    pub(super) fn information(&self) -> f64 {
        match self {
            Distribution::Normal(normal) => normal.information(),
            // The contribution of the common divisor depends on neither location nor dispersion.
            Distribution::Student { scaled, degrees } => {
                scaled.information() + 2.0 * student_entropy(scaled.dim, *degrees)
                    - student_entropy(2 * scaled.dim, *degrees)
            }
            // h(Y) - h(N). The density of Y is a trapezoid, and its formula depends on whether the noise is narrower than X.
            Distribution::Additive { noise } if *noise > 0.5 => 0.25 / noise,
            Distribution::Additive { noise } => noise - (2.0 * noise).ln(),
        }
    }

    /// Replaces `x` and `y` by one draw.
    pub(super) fn draw(&self, rng: &mut Stream, x: &mut Vec<f64>, y: &mut Vec<f64>) {
        match self {
            Distribution::Normal(normal) => normal.draw(rng, x, y),
            Distribution::Student { scaled, degrees } => {
                scaled.draw(rng, x, y);
                let squares: f64 = (0..*degrees).map(|_| rng.normal64().powi(2)).sum();
                let divisor = (squares / f64::from(*degrees)).sqrt();
                x.iter_mut().chain(y).for_each(|v| *v /= divisor);
            }
            Distribution::Additive { noise } => {
                let value = rng.unit64();
                x.splice(.., [value]);
                y.splice(.., [value + noise * (2.0 * rng.unit64() - 1.0)]);
            }
        }
    }
}

/// The entropy of Student's t in `dim` dimensions with dispersion 1, in nats, without the terms that are proportional to `dim`
/// and therefore cancel in I: Arellano-Valle, Contreras-Reyes and Genton (2013), *Shannon entropy and mutual information for multivariate
/// skew-elliptical distributions*, eq. 7. (Their formula for I itself, p. 47, has an error, which the reference notes too.)
fn student_entropy(dim: usize, degrees: u32) -> f64 {
    let half = 0.5 * f64::from(degrees);
    let both = half + 0.5 * dim as f64;
    ln_gamma(half) - ln_gamma(both) + both * (digamma(both) - digamma(half))
}

/// Normal X and Y of `dim` columns each, all with mean 0 and variance 1.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Normal {
    dim: usize,
    dependence: Dependence,
    rho: f64,
}

/// Which columns are correlated.
#[derive(Debug, Clone, PartialEq)]
enum Dependence {
    /// Any two columns.
    Dense,
    /// Column i of X with column i of Y, for the given number of first columns.
    Pairs(usize),
}

impl Normal {
    /// Any two columns, of X, of Y or of both, have correlation `rho`, from 0 to 1.
    pub(super) fn dense(dim: usize, rho: f64) -> Normal {
        Normal { dim, dependence: Dependence::Dense, rho }
    }

    /// The first `pairs` columns of X have correlation `rho` with those of Y; all others are uncorrelated.
    pub(super) fn pairs(dim: usize, pairs: usize, rho: f64) -> Normal {
        Normal { dim, dependence: Dependence::Pairs(pairs), rho }
    }

    /// The correlation.
    pub(super) fn rho(&self) -> f64 {
        self.rho
    }

    /// 1/2 ln(det C_x det C_y / det C) in nats, with the determinants written out: (1 - rho)^(d - 1) (1 + (d - 1) rho) for d equicorrelated
    /// columns, and 1 - rho^2 for a pair.
    pub(super) fn information(&self) -> f64 {
        let (dim, rho) = (self.dim as f64, self.rho);
        match self.dependence {
            Dependence::Dense => {
                ((dim - 1.0) * rho).ln_1p() - 0.5 * ((-rho).ln_1p() + ((2.0 * dim - 1.0) * rho).ln_1p())
            }
            Dependence::Pairs(pairs) => -0.5 * pairs as f64 * (-rho * rho).ln_1p(),
        }
    }

    /// Replaces `x` and `y` by one draw.
    pub(super) fn draw(&self, rng: &mut Stream, x: &mut Vec<f64>, y: &mut Vec<f64>) {
        let (dim, rho) = (self.dim, self.rho);
        match self.dependence {
            Dependence::Dense => {
                let (shared, own) = (rho.sqrt() * rng.normal64(), (1.0 - rho).sqrt());
                for row in [x, y] {
                    row.splice(.., (0..dim).map(|_| shared + own * rng.normal64()));
                }
            }
            Dependence::Pairs(pairs) => {
                x.splice(.., (0..dim).map(|_| rng.normal64()));
                let own = (1.0 - rho * rho).sqrt();
                let paired = |(i, &x): (usize, &f64)| {
                    let noise = rng.normal64();
                    if i < pairs { rho * x + own * noise } else { noise }
                };
                y.splice(.., x.iter().enumerate().map(paired));
            }
        }
    }
}

/// `n` rows of X and of Y. `draw` is called once per row, always with the same two buffers, and leaves a row in each.
///
/// # Errors
/// `n` is 0, the rows do not have `dims` columns, or a value is infinite.
pub(super) fn collect(
    n: usize,
    dims: [usize; 2],
    mut draw: impl FnMut(&mut Vec<f64>, &mut Vec<f64>),
) -> Result<(Samples, Samples)> {
    let (mut x, mut y, mut xs, mut ys) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for _ in 0..n {
        draw(&mut x, &mut y);
        xs.extend_from_slice(&x);
        ys.extend_from_slice(&y);
    }
    Ok((Samples::new(xs, dims[0])?, Samples::new(ys, dims[1])?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mi::linear::{Covariance, linear};
    use crate::seed::stream;
    use nalgebra::DMatrix;

    fn sample(distribution: &Distribution, n: usize) -> (Samples, Samples) {
        let mut rng = stream(8, "distribution", 0);
        collect(n, distribution.dims(), |x, y| distribution.draw(&mut rng, x, y)).unwrap()
    }

    fn half_log_det(c: &DMatrix<f64>) -> f64 {
        c.clone().cholesky().unwrap().l().diagonal().map(f64::ln).sum()
    }

    fn student(scaled: Normal, degrees: u32) -> Distribution {
        Distribution::Student { scaled, degrees }
    }

    #[test]
    fn normal_draws_have_the_covariance_and_its_determinants_give_the_information() {
        for (normal, rho_x, rho_xy) in [
            (Normal::dense(3, 0.5), 0.5, [0.5; 9]),
            (Normal::pairs(3, 2, 0.8), 0.0, [0.8, 0., 0., 0., 0.8, 0., 0., 0., 0.]),
        ] {
            let expected = DMatrix::from_fn(6, 6, |i, j| match (i / 3, j / 3) {
                _ if i == j => 1.0,
                (a, b) if a == b => rho_x,
                (0, _) => rho_xy[i * 3 + j - 3],
                _ => rho_xy[(i - 3) * 3 + j],
            });
            let blocks =
                [(0, 3), (3, 3), (0, 6)].map(|(at, n)| half_log_det(&expected.view((at, at), (n, n)).into_owned()));
            let truth = blocks[0] + blocks[1] - blocks[2];
            assert!((normal.information() - truth).abs() < 1e-14, "{} {truth}", normal.information());
            let n = 20_000;
            let (x, y) = sample(&Distribution::Normal(normal), n);
            let rows = DMatrix::from_row_slice(n, 6, x.beside(&y).unwrap().values());
            let covariance = rows.tr_mul(&rows) / n as f64;
            // A product of two standard normal variables has a variance of at most 2; five standard errors.
            assert!((covariance - expected).amax() < 5.0 * (2.0 / n as f64).sqrt());
            let estimate = linear(&x, &y, Covariance::Sample).unwrap().mi;
            assert!((estimate - truth).abs() < 0.05, "{estimate} {truth}");
        }
    }

    #[test]
    fn student_draws_have_the_quartiles_of_the_t_distribution() {
        // In closed form, 1 for one degree of freedom and sqrt(2 / 3) for two; from scipy, 0.764892 for three.
        for (degrees, quartile) in [(1, 1.0), (2, (2.0f64 / 3.0).sqrt()), (3, 0.764_892)] {
            let (x, y) = sample(&student(Normal::pairs(2, 0, 0.0), degrees), 20_000);
            for values in [x.values(), y.values()] {
                let within = values.iter().filter(|v| v.abs() < quartile).count() as f64 / values.len() as f64;
                // Two columns of 20,000, as if they were one: four standard errors.
                assert!((within - 0.5).abs() < 0.0142, "{degrees}: {within}");
            }
        }
    }

    #[test]
    fn the_information_of_student_t_is_the_mean_log_ratio_of_densities() {
        // The densities up to factors that cancel: Gamma((v + d) / 2) / Gamma(v / 2) (1 + |x|^2 / v)^(-(v + d) / 2).
        let log = |row: &[f64], degrees: f64| {
            let (half, both) = (degrees / 2.0, (degrees + row.len() as f64) / 2.0);
            ln_gamma(both) - ln_gamma(half) - both * (row.iter().map(|v| v * v).sum::<f64>() / degrees).ln_1p()
        };
        for (dim, degrees) in [(1, 1), (2, 1), (3, 2), (5, 3)] {
            let distribution = student(Normal::pairs(dim, 0, 0.0), degrees);
            let (x, y) = sample(&distribution, 20_000);
            let (both, degrees) = (x.beside(&y).unwrap(), f64::from(degrees));
            let ratio = |i| log(both.row(i), degrees) - log(x.row(i), degrees) - log(y.row(i), degrees);
            let ratios: Vec<f64> = (0..20_000).map(ratio).collect();
            let mean = ratios.iter().sum::<f64>() / 2e4;
            let error = (ratios.iter().map(|r| (r - mean).powi(2)).sum::<f64>() / 4e8).sqrt();
            let truth = distribution.information();
            assert!((mean - truth).abs() < 4.0 * error, "{dim} {degrees}: {mean} +- {error}, {truth}");
        }
    }

    #[test]
    fn a_dispersion_with_correlations_adds_the_information_of_normal_columns() {
        let (pairs, apart) = (Normal::pairs(2, 2, 0.8), Normal::pairs(2, 0, 0.0));
        let difference = student(pairs.clone(), 2).information() - student(apart, 2).information();
        assert!((difference - pairs.information()).abs() < 1e-14);
        let many = student(pairs.clone(), 1_000_000).information();
        assert!((many - pairs.information()).abs() < 1e-5, "with many degrees of freedom t is normal: {many}");
    }

    #[test]
    fn additive_noise_has_its_moments_and_its_two_formulas_meet() {
        for noise in [0.1, 0.75] {
            let distribution = Distribution::Additive { noise };
            let (x, y) = sample(&distribution, 20_000);
            let mean = |f: &dyn Fn(f64, f64) -> f64| {
                x.values().iter().zip(y.values()).map(|(&x, &y)| f(x, y)).sum::<f64>() / 2e4
            };
            // The variance of a uniform variable is width^2 / 12; the tolerance is at least five standard errors.
            for (value, expected) in [
                (mean(&|x, _| x), 0.5),
                (mean(&|x, y| y - x), 0.0),
                (mean(&|x, _| (x - 0.5).powi(2)), 1.0 / 12.0),
                (mean(&|x, y| (y - x).powi(2)), noise * noise / 3.0),
                (mean(&|x, y| (x - 0.5) * (y - x)), 0.0),
            ] {
                assert!((value - expected).abs() < 0.016, "{noise}: {value} {expected}");
            }
            assert!(x.values().iter().zip(y.values()).all(|(x, y)| (x - y).abs() <= noise + 1e-15));
        }
        let at = |noise| Distribution::Additive { noise }.information();
        assert!((at(0.5) - at(0.5 + 1e-9)).abs() < 1e-8);
    }
}
