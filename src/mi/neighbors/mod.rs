//! Mutual information from nearest neighbors, without a model of the distribution.
//!
//! Which one? [`ksg()`] if X and Y are both continuous, rounded or whole numbers. [`labels()`] if X is a label and Y is continuous.
//! [`mixed()`] if X or Y is continuous with atoms that hold many rows each (zero-inflated, censored). All are consistent, and all need
//! neighbors that are close: I nats need about e^I rows (Gao, Ver Steeg and Galstyan 2015), and from about ten dimensions on the estimate is
//! far too low (0.26 for 1.18 nats between 25 + 25 normal dimensions, from 10,000 rows).
//!
//! [`conditional()`] is for information given a third variable.
//!
//! Distances are in the maximum norm, so the columns of X should have a common scale, and likewise those of Y: see
//! [`Samples::standardized`](super::samples::Samples::standardized). Results are the same for any number of threads.

mod conditional;
mod estimate;
mod ksg;
mod labels;
mod mixed;
mod spaces;
mod ties;
pub mod tree;

pub use conditional::{Given, Place, alike, conditional, places, shared};
pub use estimate::Estimate;
pub use ksg::{Ksg, ksg};
pub use labels::labels;
pub use mixed::mixed;

/// Rows that stand for one where Z is given and no other row has the same Z (Runge 2018).
pub const ALIKE: usize = 5;

/// Kraskov et al. (2004, section III) recommend 2 to 4 neighbors: fewer for less bias, more for less variance.
pub const NEIGHBORS: usize = 3;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mi::digamma::digamma;
    use crate::mi::samples::Samples;
    use crate::seed::stream;
    use proptest::prelude::*;

    fn column(n: usize, value: impl Fn(f64) -> f64) -> Samples {
        Samples::new((0..n).map(|i| value(i as f64)).collect(), 1).unwrap()
    }

    /// sin(0.7 i^2 + 0.3), and 0.8 times that and 0.6 cos(1.3 i^2).
    fn curves() -> (Samples, Samples) {
        let x = |i: f64| (i * i * 0.7 + 0.3).sin();
        (column(60, x), column(60, |i| 0.8 * x(i) + 0.6 * (i * i * 1.3).cos()))
    }

    /// A three-dimensional and a two-dimensional curve.
    fn surfaces() -> (Samples, Samples) {
        let x = |i: f64, j: f64| (i * i * (0.7 + 0.11 * j) + 0.3).sin();
        let y = |i: f64, j: f64| 0.8 * x(i, j) + 0.6 * (i * i * (1.3 + 0.17 * j)).cos();
        let rows = |dim: usize, f: &dyn Fn(f64, f64) -> f64| {
            let values = (0..60 * dim).map(|at| f((at / dim) as f64, (at % dim) as f64)).collect();
            Samples::new(values, dim).unwrap()
        };
        (rows(3, &x), rows(2, &y))
    }

    /// Pairs of normal variables with correlation `rho`.
    fn normal(n: usize, rho: f64, index: u64) -> (Vec<f64>, Vec<f64>) {
        let mut rng = stream(5, "normal", index);
        let pair = |_| {
            let (a, b) = (f64::from(rng.normal()), f64::from(rng.normal()));
            (a, rho * a + (1.0 - rho * rho).sqrt() * b)
        };
        (0..n).map(pair).unzip()
    }

    fn close(value: f64, expected: f64, within: f64) {
        assert!((value - expected).abs() < within, "{value}, expected {expected}");
    }

    #[test]
    fn the_first_estimator_is_that_of_scikit_learn() {
        // sklearn.feature_selection._mutual_info._compute_mi_cc(x, y, k), scikit-learn 1.9: without its noise and scaling.
        let (x, y) = curves();
        close(ksg(&x, &y, 3, Ksg::First, 0).unwrap().mi, 0.578_846_388_907_983_1, 1e-12);
        close(ksg(&x, &y, 5, Ksg::First, 0).unwrap().mi, 0.533_706_920_916_094_5, 1e-12);
    }

    #[test]
    fn several_dimensions_and_the_second_estimator_agree_with_counts_by_scipy() {
        // scipy.spatial.cKDTree(p=inf): query for k + 1, and query_ball_point for the counts of equations 8 and 9.
        let (x, y) = curves();
        close(ksg(&x, &y, 3, Ksg::Second, 0).unwrap().mi, 0.518_912_201_128_586_8, 1e-12);
        let (x, y) = surfaces();
        let first = ksg(&x, &y, 3, Ksg::First, 0).unwrap();
        close(first.mi, 0.779_741_060_065_344_3, 1e-12);
        [0.39497475, 1.28701327, 0.53213076].iter().zip(&first.local).for_each(|(e, &l)| close(l, *e, 1e-8));
        close(ksg(&x, &y, 3, Ksg::Second, 0).unwrap().mi, 0.812_743_227_721_615_8, 1e-12);
    }

    #[test]
    fn labels_against_a_continuous_variable_are_those_of_scikit_learn() {
        // _compute_mi_cd(y, label, 3); in the second case one label has one row and one has two.
        let mut label: Vec<u32> = (0..60).map(|i| i * 7 % 3).collect();
        let y = column(60, |i| (i * i * 1.3).cos() + 0.9 * (i * 7.0 % 3.0));
        let estimate = labels(&label, &y, 3, 0).unwrap();
        close(estimate.mi, 0.800_365_715_293_015_3, 1e-12);
        assert!(estimate.warnings().is_empty());
        (label[10], label[20], label[21]) = (9, 8, 8);
        let estimate = labels(&label, &y, 3, 0).unwrap();
        close(estimate.mi, 0.707_944_135_092_255_5, 1e-12);
        assert_eq!((estimate.left_out.as_slice(), estimate.local.len()), (&[10][..], 59));
        assert_eq!(
            estimate.warnings(),
            ["1 of 60 rows left out, because no other row has their label: join rare labels"]
        );
    }

    #[test]
    fn mixtures_agree_with_the_equation_of_gao_by_scipy() {
        // psi(k') + ln N - psi(n_x) - psi(n_y) with counts by cKDTree.query_ball_point, radius - 1e-15.
        let cut = |s: &Samples| Samples::new(s.values().iter().map(|v| v.max(0.0)).collect(), 1).unwrap();
        let (x, y) = curves();
        close(mixed(&cut(&x), &cut(&y), 3).unwrap().mi, 0.572_338_579_961_703_2, 1e-12);
        let (x, y) = surfaces();
        close(mixed(&x, &y, 3).unwrap().mi, 0.788_097_540_903_906_8, 1e-12);
    }

    proptest! {
        #[test]
        fn both_estimators_are_their_equations_over_all_pairs(
            values in prop::collection::vec(-1.0..1.0f64, 20 * 5), k in 1usize..6,
        ) {
            let rows = |from: usize, dim: usize| {
                Samples::new(values.chunks(5).flat_map(|row| row[from..from + dim].to_vec()).collect(), dim).unwrap()
            };
            let (x, y, n) = (rows(0, 2), rows(2, 3), 20);
            let far = |s: &Samples, i: usize, j: usize| {
                s.row(i).iter().zip(s.row(j)).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
            };
            let psi = |c: usize| digamma(c as f64);
            let (mut first, mut second) = (0.0, 0.0);
            for i in 0..n {
                let mut others: Vec<usize> = (0..n).filter(|&j| j != i).collect();
                others.sort_by(|&a, &b| {
                    let both = |j| f64::max(far(&x, i, j), far(&y, i, j));
                    both(a).total_cmp(&both(b))
                });
                let near = &others[..k];
                let (far_x, far_y) = (|j: usize| far(&x, i, j), |j: usize| far(&y, i, j));
                let (e_x, e_y) = (near.iter().map(|&j| far_x(j)).fold(0.0, f64::max), near.iter().map(|&j| far_y(j)).fold(0.0, f64::max));
                let e = e_x.max(e_y);
                let count = |f: &dyn Fn(usize) -> bool| others.iter().filter(|&&j| f(j)).count();
                first += psi(k) + psi(n) - psi(count(&|j| far_x(j) < e) + 1) - psi(count(&|j| far_y(j) < e) + 1);
                second += psi(k) - 1.0 / k as f64 + psi(n) - psi(count(&|j| far_x(j) <= e_x)) - psi(count(&|j| far_y(j) <= e_y));
            }
            for (which, sum) in [(Ksg::First, first), (Ksg::Second, second)] {
                let estimate = ksg(&x, &y, k, which, 0).unwrap();
                prop_assert!((estimate.mi - sum / n as f64).abs() < 1e-12, "{:?}", which);
                prop_assert_eq!(estimate.local.len(), n);
            }
        }
    }

    #[test]
    fn normal_variables_give_their_mutual_information() {
        // -1/2 ln(1 - rho^2); the tolerance is about three standard deviations for 2,000 samples.
        for (index, rho) in [0.0f64, 0.6, 0.9].into_iter().enumerate() {
            let (x, y) = normal(2000, rho, index as u64);
            let (x, y) = (Samples::new(x, 1).unwrap(), Samples::new(y, 1).unwrap());
            for which in [Ksg::First, Ksg::Second] {
                close(ksg(&x, &y, 3, which, 0).unwrap().mi, -0.5 * (1.0 - rho * rho).ln(), 0.09);
            }
        }
    }

    #[test]
    fn rounded_samples_come_out_as_exact_ones_and_say_so() {
        // Independent, so the truth is 0 at any rounding; a rule that counts ties instead of breaking them gives 0.7 or more at 0.1.
        let (x, y) = normal(1000, 0.0, 7);
        for step in [0.01, 0.1, 1.0] {
            let round = |v: &[f64]| Samples::new(v.iter().map(|v| (v / step).round()).collect(), 1).unwrap();
            let estimate = ksg(&round(&x), &round(&y), 3, Ksg::First, 0).unwrap();
            close(estimate.mi, 0.0, 0.1);
            assert!(estimate.tied > 300 && !estimate.warnings().is_empty(), "{step}: {}", estimate.tied);
        }
    }

    #[test]
    fn discrete_variables_give_their_entropy_through_noise_and_as_mixtures() {
        // Y = X uniform on 4 values: ln 4.
        let x = column(1000, |i| i % 4.0);
        let estimate = ksg(&x, &x, 3, Ksg::First, 0).unwrap();
        close(estimate.mi, 4f64.ln(), 0.05);
        assert_eq!((estimate.duplicates, estimate.tied), (1000, 1000));
        close(mixed(&x, &x, 3).unwrap().mi, 4f64.ln(), 0.02);
        close(labels(&(0..1000).map(|i| i % 4).collect::<Vec<_>>(), &x, 3, 0).unwrap().mi, 4f64.ln(), 0.05);
    }

    #[test]
    fn a_constant_shares_nothing() {
        let (x, _) = curves();
        let constant = column(60, |_| 2.5);
        for (x, y) in [(&x, &constant), (&constant, &x), (&constant, &constant)] {
            close(ksg(x, y, 3, Ksg::First, 0).unwrap().mi, 0.0, 1e-12);
            close(mixed(x, y, 3).unwrap().mi, 0.0, 0.01);
        }
        close(labels(&[0, 1].repeat(30), &constant, 3, 0).unwrap().mi, 0.0, 1e-12);
    }

    #[test]
    fn the_number_of_threads_changes_no_bit() {
        let (x, y) = surfaces();
        let label: Vec<u32> = (0..60).map(|i| i % 3).collect();
        let run = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| {
                (ksg(&x, &y, 3, Ksg::First, 0).unwrap(), labels(&label, &y, 3, 0).unwrap(), mixed(&x, &y, 3).unwrap())
            })
        };
        assert_eq!(run(1), run(3));
    }

    #[test]
    fn extreme_values_and_the_fewest_rows_give_finite_values() {
        let (tails, _) = normal(200, 0.0, 9);
        let tails = Samples::new(tails.iter().map(|v| v.powi(3) * 1e300).collect(), 1).unwrap();
        let ends = column(200, |i| if i % 2.0 == 0.0 { -f64::MAX } else { f64::MAX });
        let tiny = column(200, |i| (i * i).sin() * 1e-310);
        let all = [&tails, &ends, &tiny];
        for (x, y) in all.iter().flat_map(|x| all.iter().map(move |y| (x, y))) {
            for which in [Ksg::First, Ksg::Second] {
                assert!(ksg(x, y, 3, which, 0).unwrap().local.iter().all(|v| v.is_finite()));
            }
            assert!(
                mixed(x, y, 3).unwrap().mi.is_finite() && labels(&[0, 1].repeat(100), y, 3, 0).unwrap().mi.is_finite()
            );
            let two = [0, 1];
            assert!(ksg(&x.take(&two), &y.take(&two), 1, Ksg::First, 0).unwrap().mi.is_finite());
        }
    }

    #[test]
    fn what_cannot_be_estimated_is_refused_with_a_reason() {
        let (x, y) = curves();
        let short = x.take(&[0, 1]);
        assert_eq!(ksg(&short, &y, 3, Ksg::First, 0).unwrap_err().exit_code(), 1);
        let e = ksg(&short, &short, 2, Ksg::First, 0).unwrap_err();
        assert_eq!(e.to_string(), "2 neighbors were asked for, and each of 2 rows has 1");
        assert_eq!(mixed(&x, &y, 0).unwrap_err().exit_code(), 2);
        let e = labels(&(0..60).collect::<Vec<_>>(), &y, 3, 0).unwrap_err();
        assert_eq!(e.to_string(), "each of the 60 rows has a label of its own");
        assert_eq!(labels(&[0], &y, 3, 0).unwrap_err().to_string(), "there are 1 labels and 60 rows");
    }
}
