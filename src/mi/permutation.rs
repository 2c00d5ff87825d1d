//! The distribution of an estimate if X and Y are independent, from many random permutations of Y.

use crate::error::{Error, Result};
use crate::mi::parallel::{flag, go_on, stoppable};
use crate::seed::{Stream, stream};
use rayon::prelude::*;

/// The results of an estimator for rows that are paired at random.
#[derive(Debug, Clone, PartialEq)]
pub struct Null {
    /// The probability of an estimate as large as the observed one by chance: (1 + the number that were as large) / (1 + the number of
    /// permutations). It is never 0 (Phipson and Smyth 2010, *Permutation p-values should never be zero*).
    pub p_value: f64,
    /// The mean of the estimates: the estimator's bias for independent variables, in its unit.
    pub mean: f64,
    /// The estimates, in ascending order.
    pub values: Vec<f64>,
}

/// How the rows of Y are assigned to those of X.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// In random order, for independent rows. Neighboring rows of a time series are not independent, and the p-value would be too small.
    Shuffled,
    /// In their original order, shifted cyclically by at least a tenth of the rows. This keeps what neighboring rows have in common, and
    /// with it the cause of spurious dependence between time series.
    Shifted,
}

/// Compares `observed` with `permutations` estimates; `estimate` gets the row of Y for each row of X, (n).
///
/// # Errors
/// Errors of `estimate`, or the number of permutations is 0.
pub fn permutation_null(
    n: usize,
    permutations: usize,
    seed: u64,
    observed: f64,
    order: Order,
    estimate: impl Fn(&[usize]) -> Result<f64> + Sync,
) -> Result<Null> {
    null_of(permutations, observed, |i| reordered(n, order, seed, i), estimate)
}

/// Compares `observed` with `permutations` estimates for the rows of Y that `order` gives for each of their numbers.
///
/// # Errors
/// Errors of `estimate`, or the number of permutations is 0.
pub fn null_of(
    permutations: usize,
    observed: f64,
    order: impl Fn(u64) -> Vec<usize> + Sync,
    estimate: impl Fn(&[usize]) -> Result<f64> + Sync,
) -> Result<Null> {
    if permutations == 0 {
        return Err(Error::usage(
            "0 permutations give no p-value",
            "use 100 or more; the smallest p-value is 1 / (1 + permutations)",
        ));
    }
    let stop = flag();
    let one = |i: usize| stoppable(stop.clone(), || go_on().and_then(|()| estimate(&order(i as u64))));
    let mut values: Vec<f64> = (0..permutations).into_par_iter().map(one).collect::<Result<_>>()?;
    values.sort_by(f64::total_cmp);
    let above = values.iter().filter(|v| **v >= observed).count();
    let p_value = (1 + above) as f64 / (1 + permutations) as f64;
    Ok(Null { p_value, mean: values.iter().sum::<f64>() / permutations as f64, values })
}

/// The numbers 0..n in the `index`-th order that `seed` draws.
pub fn reordered(n: usize, order: Order, seed: u64, index: u64) -> Vec<usize> {
    let mut rng = stream(seed, "mi/permutation", index);
    match order {
        Order::Shuffled => shuffled(n, &mut rng),
        Order::Shifted => {
            let least = n / 10;
            let by = least + rng.below((n - 2 * least).max(1) as u32) as usize;
            (0..n).map(|i| (i + by) % n).collect()
        }
    }
}

/// Rows that can stand for each other, because what is given is the same or nearly the same in them.
#[derive(Debug, Clone, PartialEq)]
pub struct Alike {
    /// Groups of rows in which it is the same.
    pub same: Vec<Vec<usize>>,
    /// Of each row that is in none of these, the rows in which it is nearly the same; none if there are no such rows.
    pub near: Vec<Vec<usize>>,
}

impl Alike {
    /// The `index`-th order that `seed` draws in which each row is replaced by one that is alike: what X and Y share through Z is kept. Groups of the
    /// same Z are shuffled. Elsewhere a row stands for one other as far as there is one left (Runge 2018, *Conditional independence testing based
    /// on a nearest-neighbor estimator of conditional mutual information*).
    pub fn reordered(&self, seed: u64, index: u64) -> Vec<usize> {
        let n = self.near.len();
        let mut rng = stream(seed, "mi/permutation/given", index);
        let (mut used, mut order) = (vec![false; n], (0..n).collect::<Vec<usize>>());
        for rows in &self.same {
            for (&row, at) in rows.iter().zip(shuffled(rows.len(), &mut rng)) {
                order[row] = rows[at];
            }
        }
        for row in shuffled(n, &mut rng) {
            let near = &self.near[row];
            if near.is_empty() {
                continue;
            }
            let among = shuffled(near.len(), &mut rng);
            let free = among.iter().map(|&at| near[at]).find(|&other| !used[other]);
            order[row] = free.unwrap_or(near[among[0]]);
            used[order[row]] = true;
        }
        order
    }
}

/// The numbers 0..n in a random order (Fisher and Yates).
pub(super) fn shuffled(n: usize, rng: &mut Stream) -> Vec<usize> {
    let mut order: Vec<usize> = (0..n).collect();
    for i in (1..n).rev() {
        order.swap(i, rng.below(i as u32 + 1) as usize);
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mi::neighbors::{Ksg, ksg};
    use crate::mi::samples::Samples;

    fn normal(n: usize, rho: f64, index: u64) -> (Samples, Samples) {
        let mut rng = stream(6, "permutation", index);
        let pair = |_| {
            let (a, b) = (f64::from(rng.normal()), f64::from(rng.normal()));
            (a, rho * a + (1.0 - rho * rho).sqrt() * b)
        };
        let (x, y): (Vec<f64>, Vec<f64>) = (0..n).map(pair).unzip();
        (Samples::new(x, 1).unwrap(), Samples::new(y, 1).unwrap())
    }

    fn null(rho: f64, index: u64) -> Null {
        let (x, y) = normal(60, rho, index);
        let estimate = |y: &Samples| Ok(ksg(&x, y, 3, Ksg::First, 0)?.mi);
        permutation_null(60, 99, 1, estimate(&y).unwrap(), Order::Shuffled, |order| estimate(&y.take(order))).unwrap()
    }

    #[test]
    fn dependence_is_found_and_independence_gives_every_p_value_alike() {
        assert_eq!(null(0.9, 0).p_value, 0.01);
        // Of 40 p-values a tenth are below 0.1 on average; 10 or more with probability 0.005.
        let p: Vec<f64> = (0..40).map(|i| null(0.0, i).p_value).collect();
        assert!(p.iter().filter(|p| **p <= 0.1).count() < 10, "{p:?}");
        assert!((p.iter().sum::<f64>() / 40.0 - 0.5).abs() < 0.15, "{p:?}");
    }

    #[test]
    fn the_null_repeats_with_its_seed_for_any_number_of_threads() {
        let run = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| null(0.0, 3))
        };
        assert_eq!(run(1), run(3));
    }

    #[test]
    fn every_row_comes_once_and_faults_are_passed_on() {
        permutation_null(5, 20, 1, 0.0, Order::Shuffled, |order| {
            let mut sorted = order.to_vec();
            sorted.sort_unstable();
            assert_eq!(sorted, [0, 1, 2, 3, 4]);
            Ok(0.0)
        })
        .unwrap();
        permutation_null(50, 20, 1, 0.0, Order::Shifted, |rows| {
            assert!((5..45).contains(&rows[0]) && rows.windows(2).all(|w| w[1] == (w[0] + 1) % 50));
            Ok(0.0)
        })
        .unwrap();
        assert_eq!(
            permutation_null(5, 3, 1, 0.0, Order::Shuffled, |_| Ok(0.0)).unwrap().p_value,
            1.0,
            "equal values count as above"
        );
        assert!(permutation_null(5, 3, 1, 0.0, Order::Shuffled, |_| Err(Error::usage("a", "b"))).is_err());
        assert_eq!(permutation_null(5, 0, 1, 0.0, Order::Shuffled, |_| Ok(0.0)).unwrap_err().exit_code(), 2);
    }
}
