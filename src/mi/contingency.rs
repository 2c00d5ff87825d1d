//! Mutual information of two columns of labels, adjusted for chance.
//!
//! M = H(X) + H(Y) - H(X, Y), with the entropies of Chao, Wang and Jost (2013, *Entropy and the species accumulation curve*), which infer from values
//! that occurred once and twice how many have not occurred yet. If more than a third of the rows are alone in their cells, this varies too much (by
//! .3 nats for 200 x 200 independent labels in 1,000 rows), and entropies are those of Miller and Madow, which vary less but give 3.2 nats
//! there. So the mean over random pairings of the rows, E, which is what chance gives, is subtracted where nothing is shared. It counts for less the
//! more is shared, because then fewer cells are possible (Vinh, Epps and Bailey 2010, *Information theoretic measures for clusterings comparison*,
//! JMLR 11):
//!
//! I = H (M - E) / (H - E), with the smaller entropy H.

use crate::error::Result;
use crate::mi::classes::Classes;
use crate::mi::digamma::digamma;
use crate::mi::permutation::{Order, reordered};
use std::collections::BTreeMap;

/// A table with at least this many rows for each cell needs no random pairings.
const ROWS_FOR_A_CELL: usize = 5;
/// The number of random pairings.
const PAIRINGS: usize = 40;
/// The largest part of the rows that may be alone in their cells if the number of cells is to be inferred.
const ALONE: f64 = 1.0 / 3.0;
/// If chance gives more than this part of the entropy, nothing can be said.
const UNKNOWN: f64 = 0.9;

/// An estimate from a table.
#[derive(Debug, Clone, PartialEq)]
pub struct Contingency {
    /// The estimate, in nats.
    pub mi: f64,
    /// The contribution of each row.
    pub local: Vec<f64>,
    /// The standard deviation of the estimate if X and Y are independent, in nats.
    pub null: f64,
    /// The number of cells that are possible, and of those that occur.
    pub cells: [usize; 2],
    /// What chance alone gives, as a part of the smaller entropy.
    pub chance: f64,
}

/// The estimate for X and Y. The random pairings are of `order`, drawn with `seed`.
///
/// # Errors
/// None.
pub fn contingency(x: &Classes, y: &Classes, order: Order, seed: u64) -> Result<Contingency> {
    let n = x.codes().len() as f64;
    let possible = x.counts().len().saturating_mul(y.counts().len());
    let both = x.with(y);
    let alone = both.counts().iter().filter(|count| **count == 1).count();
    let entropy = if alone as f64 <= ALONE * n { entropy } else { miller_madow };
    let shared = |y: &Classes, both: &Classes| entropy(x) + entropy(y) - entropy(both);
    let observed = shared(y, &both);
    let most = entropy(x).min(entropy(y));
    let degrees = (x.counts().len().saturating_sub(1) as f64) * (y.counts().len().saturating_sub(1) as f64);
    let (mut chance, mut null) = (0.0, (2.0 * degrees).sqrt() / (2.0 * n));
    if order == Order::Shifted || x.codes().len() < ROWS_FOR_A_CELL.saturating_mul(possible) {
        let value = |i: usize| {
            let rows = reordered(x.codes().len(), order, seed, i as u64);
            let y = y.take(&rows);
            shared(&y, &x.with(&y))
        };
        let values: Vec<f64> = (0..PAIRINGS).map(value).collect();
        chance = values.iter().sum::<f64>() / PAIRINGS as f64;
        let spread = values.iter().map(|v| (v - chance).powi(2)).sum::<f64>() / (PAIRINGS - 1) as f64;
        null = spread.sqrt();
    }
    let known = most > 0.0 && chance < UNKNOWN * most;
    let scale = if known { most / (most - chance) } else { 0.0 };
    let mi = (scale * (observed - chance)).min(most);
    let mut local: Vec<f64> = (0..x.codes().len())
        .map(|row| scale * (n * both.size(row) as f64 / (x.size(row) as f64 * y.size(row) as f64)).ln())
        .collect();
    let shift = mi - local.iter().sum::<f64>() / n;
    local.iter_mut().for_each(|value| *value += shift);
    // Where chance gives all there is, every value is possible.
    let null = if known { null * scale } else { most };
    let chance = if most > 0.0 { chance / most } else { 0.0 };
    Ok(Contingency { mi, local, null, cells: [possible, both.counts().len()], chance })
}

/// The entropy in nats by Chao, Wang and Jost (2013, eq. 4): sum x/n (psi(n) - psi(x)), and a term for values that did not occur.
pub fn entropy(classes: &Classes) -> f64 {
    let n = classes.codes().len();
    if n < 2 {
        return 0.0;
    }
    let mut often: BTreeMap<u32, usize> = BTreeMap::new();
    classes.counts().iter().for_each(|&count| *often.entry(count).or_insert(0) += 1);
    let whole = digamma(n as f64);
    let seen: f64 =
        often.iter().map(|(&x, &times)| times as f64 * f64::from(x) / n as f64 * (whole - digamma(f64::from(x)))).sum();
    let of = |count: u32| often.get(&count).copied().unwrap_or(0) as f64;
    let (once, twice) = (of(1), of(2));
    if once == 0.0 || (once == 1.0 && twice == 0.0) {
        return seen;
    }
    // The mean probability of the values that occurred once.
    let rows = (n - 1) as f64;
    let a = if twice > 0.0 { 2.0 * twice / (rows * once + 2.0 * twice) } else { 2.0 / (rows * (once - 1.0) + 2.0) };
    // (1 - a)^(1 - n) sum (1 - a)^r / r over r from n on: term by term where that ends soon, else as the rest of -log a.
    let stay = 1.0 - a;
    let tail = if a * n as f64 > 40.0 {
        let (mut power, mut sum) = (1.0, 0.0);
        for s in 1..=(40.0 / a) as usize {
            power *= stay;
            sum += power / (s + n - 1) as f64;
        }
        sum
    } else {
        let (mut power, mut sum) = (1.0, 0.0);
        for r in 1..n {
            power *= stay;
            sum += power / r as f64;
        }
        (-a.ln() - sum) / power
    };
    seen + once / n as f64 * tail
}

/// The entropy in nats from relative frequencies, with (values - 1) / 2n added (Miller 1955).
fn miller_madow(classes: &Classes) -> f64 {
    classes.entropy() + (classes.counts().len() as f64 - 1.0) / (2.0 * classes.codes().len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::stream;

    fn labels(n: usize, values: u32, index: u64) -> Classes {
        let mut rng = stream(3, "contingency", index);
        Classes::of_labels(&(0..n).map(|_| rng.below(values)).collect::<Vec<_>>())
    }

    #[test]
    fn independent_labels_share_nothing_however_many_they_are() {
        for (n, k, l) in [(1000, 30, 30), (1000, 200, 200), (1000, 1000, 2), (300, 50, 7), (2000, 3, 4)] {
            let held = (0..20).filter(|&i| {
                let found = contingency(&labels(n, k, 2 * i), &labels(n, l, 2 * i + 1), Order::Shuffled, i).unwrap();
                assert!(found.mi.abs() < 0.1 || found.mi.abs() < 4.0 * found.null, "{k} {l}: {}", found.mi);
                found.mi.abs() < 1.96 * found.null
            });
            let held = held.count();
            assert!(held >= 16, "{n} {k} {l}: {held} of 20");
        }
    }

    #[test]
    fn the_entropy_is_that_of_values_that_have_not_occurred_too() {
        // By hand: counts 2 and 1 of 3 rows. psi(3) - psi(2) = 1/2, psi(3) - psi(1) = 3/2; a = 2 / (2 + 2) = 1/2,
        // and 4 (log 2 - 1/2 - 1/8) / 3 for what did not occur.
        let known = entropy(&Classes::of_labels(&[0, 0, 1]));
        assert!((known - (1.0 / 3.0 + 0.5 + 4.0 / 3.0 * (2f64.ln() - 0.625))).abs() < 1e-12, "{known}");
        for (n, k) in [(100, 1000), (300, 300), (5000, 50)] {
            let mean = (0..20).map(|i| entropy(&labels(n, k, 500 + i))).sum::<f64>() / 20.0;
            assert!((mean - f64::from(k).ln()).abs() < 0.15, "{n} {k}: {mean} {}", f64::from(k).ln());
        }
    }

    #[test]
    fn labels_that_determine_each_other_share_their_entropy() {
        for k in [4, 30, 200] {
            let x = labels(1000, k, 99);
            let found = contingency(&x, &x, Order::Shuffled, 0).unwrap();
            assert!(
                (found.mi - entropy(&x)).abs() < 1e-9 && (found.mi - f64::from(k).ln()).abs() < 0.06,
                "{}",
                found.mi
            );
            assert!((found.local.iter().sum::<f64>() / 1000.0 - found.mi).abs() < 1e-9);
        }
    }

    #[test]
    fn labels_with_noise_share_what_the_channel_lets_through() {
        // y = x with probability 0.7, else any of k: I = log k - H(noise).
        for (n, k) in [(2000usize, 5u32), (2000, 20), (2000, 40)] {
            let (x, other) = (labels(n, k, 7), labels(n, k, 8));
            let mut rng = stream(4, "contingency/noise", 0);
            let y: Vec<u32> = (0..n).map(|i| if rng.unit() < 0.7 { x.codes()[i] } else { other.codes()[i] }).collect();
            // The codes of `other` are a relabeling, which is as uniform as labels are.
            let (hit, miss) = (0.7 + 0.3 / f64::from(k), 0.3 / f64::from(k));
            let truth = f64::from(k).ln() + hit * hit.ln() + f64::from(k - 1) * miss * miss.ln();
            let found = contingency(&x, &Classes::of_labels(&y), Order::Shuffled, 0).unwrap();
            assert!((found.mi - truth).abs() < 0.1 * truth, "{k}: {} {truth}", found.mi);
        }
    }
}
