//! Mixtures: of normal variables, as in Czyz et al. 2025 (*The mixtures and the neural critics*, with the parameters of their package), and of atoms
//! and numbers, as in Gao et al. 2017 (*Estimating mutual information for discrete-continuous mixtures*).

use crate::mi::tasks::problem::Problem;
use crate::mi::tasks::quadrature::{entropy, grid, information, mean_over_normal, normal};
use crate::seed::Stream;
use statrs::function::erf::erf;
use statrs::function::factorial::ln_factorial;
use std::f64::consts::{FRAC_1_SQRT_2, LN_2};

/// A normal component in the plane of one column of X and one of Y.
#[derive(Debug, Clone, Copy)]
struct Component {
    mean: [f64; 2],
    deviation: [f64; 2],
    rho: f64,
}

impl Component {
    fn draw(&self, rng: &mut Stream) -> [f64; 2] {
        let (a, b) = (rng.normal64(), rng.normal64());
        let b = self.rho * a + (1.0 - self.rho * self.rho).sqrt() * b;
        [self.mean[0] + self.deviation[0] * a, self.mean[1] + self.deviation[1] * b]
    }

    fn density(&self, x: f64, y: f64) -> f64 {
        let a = (x - self.mean[0]) / self.deviation[0];
        let rest = (1.0 - self.rho * self.rho).sqrt() * self.deviation[1];
        normal(x, self.mean[0], self.deviation[0]) * normal(y, self.mean[1] + self.deviation[1] * self.rho * a, rest)
    }
}

fn component(mean: [f64; 2], variance: [f64; 2], rho: f64) -> Component {
    Component { mean, deviation: variance.map(f64::sqrt), rho }
}

/// A component, each as likely as the others.
fn one_of<T: Copy>(of: &[T], rng: &mut Stream) -> T {
    of[rng.below(of.len() as u32) as usize]
}

/// The information between the two columns of a mixture of equal parts.
fn of_components(components: &[Component], points: usize) -> f64 {
    let axis = |side: usize| {
        let end = |sign: f64| components.iter().map(move |c| c.mean[side] + sign * 9.0 * c.deviation[side]);
        grid(end(-1.0).fold(f64::MAX, f64::min), end(1.0).fold(f64::MIN, f64::max), points)
    };
    let (x, y) = (axis(0), axis(1));
    information(points, points, |i, j| components.iter().map(|c| c.density(x[i], y[j])).sum())
}

/// The problems.
pub(super) fn problems() -> Vec<Problem> {
    let mut problems = of_normals();
    problems.extend(of_atoms());
    problems
}

fn of_normals() -> Vec<Problem> {
    let cross = [-0.9, 0.9].map(|rho| component([0.0; 2], [1.0; 2], rho));
    let letters = [
        component([1.0, 0.0], [0.01, 0.2], 0.0),
        component([1.0, 1.0], [0.05, 0.001], 0.0),
        component([1.0, -1.0], [0.05, 0.001], 0.0),
        component([-0.8, -0.2], [0.03, 0.001], 0.0),
        component([-1.2, 0.0], [0.04, 0.2], 0.95),
        component([-0.4, 0.0], [0.04, 0.2], -0.95),
    ];
    // The sum of the two columns of X holds all that X says about Y; it has twice the variance of one.
    let balls = [-1.5, 1.5].map(|m| component([m * 2.0, m], [2.0, 1.0], 0.0));
    let waves: Vec<Component> =
        (0..12).map(|i| component([1.5 * f64::from(i), 1.5 * f64::from(i % 4)], [0.1, 0.1], 0.0)).collect();
    let wave_truth = of_components(&waves, 600);
    vec![
        Problem::of_rows("1v1-X-0.9", "X, 1 + 1", of_components(&cross, 600), move |rng| {
            let [x, y] = one_of(&cross, rng).draw(rng);
            [vec![x], vec![y], vec![]]
        }),
        Problem::of_rows("1v1-AI", "AI, 1 + 1", of_components(&letters, 900), move |rng| {
            let [x, y] = one_of(&letters, rng).draw(rng);
            [vec![x], vec![y], vec![]]
        }),
        Problem::of_rows("2v1-waves-12-5.0-3.0", "waves, 2 + 1", wave_truth, move |rng| {
            let ([a, y], b) = (one_of(&waves, rng).draw(rng), rng.normal64());
            [vec![0.1 * (a + 5.0 * (3.0 * b).sin()) - 0.8, 0.5 * b], vec![y], vec![]]
        }),
        Problem::of_rows("2v1-galaxy-0.5-3.0", "galaxy, 2 + 1", of_components(&balls, 600), |rng| {
            let m = one_of(&[-1.5, 1.5], rng);
            let [a, b, y] = [(); 3].map(|()| m + rng.normal64());
            let (sin, cos) = (0.5 * (a * a + b * b)).sin_cos();
            [vec![cos * a - sin * b, sin * a + cos * b], vec![y], vec![]]
        }),
        Problem::of_rows("3v1-concentric_gaussians-5", "concentric, 3 + 1", concentric(3), |rng| {
            let i = one_of(&[1.0, 2.0, 3.0, 4.0, 5.0], rng);
            [(0..3).map(|_| i * rng.normal64()).collect(), vec![i + 0.01 * rng.normal64()], vec![]]
        }),
        Problem::of_rows(
            "mult-sparse-w-inliers-5-5-2-2.0-0.2",
            "2 pairs, 20 % inliers, 5 + 5",
            inliers(0.8, 0.2),
            |rng| {
                let related = rng.unit64() >= 0.2;
                let x: Vec<f64> = (0..5).map(|_| rng.normal64()).collect();
                let mut y: Vec<f64> = (0..5).map(|_| rng.normal64()).collect();
                if related {
                    (0..2).for_each(|j| y[j] = 0.8 * x[j] + 0.6 * y[j]);
                }
                [x, y, vec![]]
            },
        ),
    ]
}

/// X of `dim` columns is normal with standard deviation 1, 2 ... 5, and Y says which; the length of X says it in part.
fn concentric(dim: i32) -> f64 {
    let lengths = grid(0.0, 50.0, 20_000);
    information(lengths.len(), 5, |i, j| {
        let (r, deviation) = (lengths[i], f64::from(j as u32 + 1));
        (r / deviation).powi(dim - 1) / deviation * (-0.5 * (r / deviation).powi(2)).exp()
    })
}

/// Two pairs with correlation `rho`, which a fraction `alone` of the rows does not have: the mean over independent pairs of m log m, where m is the ratio
/// of the mixture's density to that of independent pairs.
fn inliers(rho: f64, alone: f64) -> f64 {
    // A pair's ratio of densities depends on two normal numbers: values, and their probabilities among related and among unrelated pairs.
    let points = grid(-6.0, 6.0, 48);
    let ratio = |x: f64, y: f64| {
        (-(rho * rho * (x * x + y * y) - 2.0 * rho * x * y) / (2.0 * (1.0 - rho * rho))).exp()
            / (1.0 - rho * rho).sqrt()
    };
    let step = (points[1] - points[0]).powi(2);
    let pairs: Vec<[f64; 2]> = points
        .iter()
        .flat_map(|&x| points.iter().map(move |&y| (x, y)))
        .map(|(x, y)| [ratio(x, y), step * normal(x, 0.0, 1.0) * normal(y, 0.0, 1.0)])
        .collect();
    let mut sum = 0.0;
    for [a, p] in &pairs {
        for [b, q] in &pairs {
            let mixed = alone + (1.0 - alone) * a * b;
            sum += p * q * mixed * mixed.ln();
        }
    }
    sum
}

fn of_atoms() -> Vec<Problem> {
    let poisson = |k: usize, mean: f64| (k as f64 * mean.ln() - mean - ln_factorial(k as u64)).exp();
    vec![
        Problem::of_rows("zeros-and-counts", "zeros and counts, 1 + 1", zeros_and_counts(0.15), |rng| {
            let x = -(1.0 - rng.unit64()).ln();
            let y = if rng.unit64() < 0.15 { 0 } else { count(rng, x) };
            [vec![x], vec![f64::from(y)], vec![]]
        }),
        Problem::of_rows("steps", "integers and numbers, 1 + 1", 5f64.ln() - 0.8 * LN_2, |rng| {
            let x = f64::from(rng.below(5));
            [vec![x], vec![x + 2.0 * rng.unit64()], vec![]]
        }),
        Problem::of_rows("half-atoms", "atoms or numbers, 1 + 1", half_atoms(), |rng| {
            if rng.below(2) == 0 {
                let [x, y] = component([0.0; 2], [1.0; 2], 0.9).draw(rng);
                return [vec![x], vec![y], vec![]];
            }
            let (x, same) = (f64::from(rng.below(2)) * 2.0 - 1.0, rng.unit64() < 0.9);
            [vec![x], vec![if same { x } else { -x }], vec![]]
        }),
        Problem::of_rows("rain", "zeros and amounts, 1 + 1", rain(), |rng| {
            let x = rng.normal64();
            let dry = rng.unit64() < 1.0 / (1.0 + (1.5 * x).exp());
            [vec![x], vec![if dry { 0.0 } else { (0.5 * x + 0.7 * rng.normal64()).exp() }], vec![]]
        }),
        Problem::of_rows(
            "thinned-counts",
            "counts and a part of them, 1 + 1",
            // X is the sum of two independent counts, of which Y is one.
            information(80, 80, |x, y| if y > x { 0.0 } else { poisson(y, 4.0) * poisson(x - y, 4.0) }),
            |rng| {
                let (part, rest) = (count(rng, 4.0), count(rng, 4.0));
                [vec![f64::from(part + rest)], vec![f64::from(part)], vec![]]
            },
        ),
        Problem::of_rows("rounded", "a rounded measurement, 1 + 1", rounded(), |rng| {
            let x = rng.normal64();
            [vec![x], vec![(2.0 * (x + 0.5 * rng.normal64())).round() / 2.0], vec![]]
        }),
        Problem::of_rows("clusters", "four clusters and their label, 2 + label", 2.0 * bit(), |rng| {
            let label = rng.below(4);
            let at = |bit: u32| f64::from(label >> bit & 1) * 2.0 - 1.0;
            [vec![at(0) + rng.normal64(), at(1) + rng.normal64()], vec![f64::from(label)], vec![]]
        })
        .with_labels(&[1]),
    ]
}

/// A Poisson variable, by the times between its events.
fn count(rng: &mut Stream, mean: f64) -> u32 {
    let (mut time, mut count) = (0.0, 0);
    loop {
        time -= (1.0 - rng.unit64()).ln();
        if time > mean {
            return count;
        }
        count += 1;
    }
}

/// X is exponential; Y is 0 with probability `zero`, else a Poisson count with mean X.
fn zeros_and_counts(zero: f64) -> f64 {
    // On a grid of sqrt(x), in which the density is smooth near 0.
    let roots = grid(0.0, 7.0, 4000);
    information(roots.len(), 120, |i, k| {
        let x = roots[i] * roots[i];
        let poisson = (k as f64 * x.ln() - x - ln_factorial(k as u64)).exp();
        2.0 * roots[i] * (-x).exp() * ((1.0 - zero) * poisson + if k == 0 { zero } else { 0.0 })
    })
}

/// Half of the rows are normal with correlation .9, half are -1 or 1, with 9 of 10 equal. A row tells which half it is of.
fn half_atoms() -> f64 {
    LN_2 + 0.5 * -0.5 * (1.0 - 0.81f64).ln() + 0.5 * (LN_2 - entropy(&[0.1, 0.9]))
}

/// X is normal. Y is 0 with probability 1 / (1 + e^(1.5 x)), else the exponential of x / 2 plus noise: I(X; dry or not) plus the rest.
fn rain() -> f64 {
    let (x, log_y) = (grid(-9.0, 9.0, 900), grid(-9.0, 9.0, 900));
    let step = log_y[1] - log_y[0];
    information(x.len(), log_y.len() + 1, |i, j| {
        let dry = 1.0 / (1.0 + (1.5 * x[i]).exp());
        let given = if j == 0 { dry } else { (1.0 - dry) * step * normal(log_y[j - 1], 0.5 * x[i], 0.7) };
        normal(x[i], 0.0, 1.0) * given
    })
}

/// X is normal, and Y is X plus noise, rounded to halves.
fn rounded() -> f64 {
    let x = grid(-9.0, 9.0, 1800);
    let below = |v: f64| 0.5 * (1.0 + erf(v * FRAC_1_SQRT_2));
    information(x.len(), 61, |i, j| {
        let (low, high) = ((j as f64 - 30.5) / 2.0, (j as f64 - 29.5) / 2.0);
        normal(x[i], 0.0, 1.0) * (below((high - x[i]) / 0.5) - below((low - x[i]) / 0.5))
    })
}

/// The information between a fair bit and a normal variable with mean -1 or 1: log 2 - E log(1 + e^-2(1 + z)).
fn bit() -> f64 {
    LN_2 - mean_over_normal(|z| (-2.0 * (1.0 + z)).exp().ln_1p())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mi::variable::Variable;

    #[test]
    fn truths_are_those_of_the_paper_or_of_other_ways_to_them() {
        let problems = problems();
        let truth = |name: &str| problems.iter().find(|p| p.name() == name).unwrap().truth();
        // By Monte Carlo from the densities, a million draws: one standard error is .001.
        for (name, expected) in [
            ("1v1-X-0.9", 0.4093),
            ("1v1-AI", 0.7766),
            ("2v1-waves-12-5.0-3.0", 1.3075),
            ("2v1-galaxy-0.5-3.0", 0.4946),
            ("3v1-concentric_gaussians-5", 0.4544),
            ("mult-sparse-w-inliers-5-5-2-2.0-0.2", 0.6364),
            ("zeros-and-counts", 0.2302),
            ("rain", 0.2435),
        ] {
            assert!((truth(name) - expected).abs() < 0.004, "{name}: {} {expected}", truth(name));
        }
        // The information of a sum about its part: H(X) - H(rest).
        let poisson = |mean: f64| {
            (0..80).map(|k| (f64::from(k) * mean.ln() - mean - ln_factorial(k as u64)).exp()).collect::<Vec<f64>>()
        };
        assert!((truth("thinned-counts") - entropy(&poisson(8.0)) + entropy(&poisson(4.0))).abs() < 1e-9);
        assert!(truth("rounded") < 0.5 * 5f64.ln() && truth("rounded") > 0.95 * 0.5 * 5f64.ln());
    }

    #[test]
    fn counts_have_their_mean_and_variance() {
        let mut rng = crate::seed::stream(1, "counts", 0);
        let drawn: Vec<f64> = (0..20_000).map(|_| f64::from(count(&mut rng, 3.0))).collect();
        let mean = drawn.iter().sum::<f64>() / 2e4;
        let variance = drawn.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / 2e4;
        assert!((mean - 3.0).abs() < 0.06 && (variance - 3.0).abs() < 0.2, "{mean} {variance}");
    }

    #[test]
    fn labels_are_labels() {
        let problems = problems();
        let drawn = problems.iter().find(|p| p.name() == "clusters").unwrap().sample(100, 1).unwrap();
        assert!(matches!(drawn.y, Variable::Labels(_, names) if names.len() == 4));
    }
}
