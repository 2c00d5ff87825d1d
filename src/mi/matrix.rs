//! Mutual information between many single columns: all pairs, or all against one.
//!
//! By default each value is from nearest neighbors ([`neighbors::shared`](crate::mi::neighbors::shared())), which see dependence of any form, and
//! are fast enough for thousands of pairs. Whether a pair depends at all is tested apart, by chi-squared in a table of equally filled bins
//! ([`screening`](crate::mi::screening)). The false discovery rate of Benjamini and Hochberg (1995) accounts for the number of tests.

use crate::error::{Error, Result};
use crate::mi::atoms::Divided;
use crate::mi::classes::Classes;
use crate::mi::estimate::{Estimator, Settings, estimate};
use crate::mi::neighbors::{Place, places, shared};
use crate::mi::parallel::{flag, go_on, stoppable};
use crate::mi::samples::Samples;
use crate::mi::screening::{Binned, independence};
use crate::mi::series::rows_for_a_sample;
use crate::mi::variable::Variable;
use rayon::prelude::*;
use serde::Serialize;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What two columns share.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Link {
    /// The first column.
    pub x: usize,
    /// The second.
    pub y: usize,
    /// The estimate, in nats.
    pub nats: f64,
    /// The probability by chance of a table of bins as far from independence.
    pub p_value: f64,
    /// The smallest false discovery rate at which this pair is found: the share of pairs found by chance among all found.
    pub q_value: f64,
}

/// Columns that are ready to be compared.
pub struct Prepared<'a> {
    columns: &'a [Variable],
    names: &'a [String],
    places: Vec<Place>,
    bins: Vec<Binned>,
    settings: Settings,
}

impl<'a> Prepared<'a> {
    /// Prepares columns of the same length, and their names.
    ///
    /// # Errors
    /// There are fewer rows than neighbors need.
    pub fn new(columns: &'a [Variable], names: &'a [String], settings: &Settings) -> Result<Prepared<'a>> {
        let place = |column: &Variable| Ok(Place::new(places(&Divided::new(column, settings.seed, "mi/matrix")?)?));
        let bins = |column: &Variable| match column {
            Variable::Numbers(samples) => Binned::numbers(samples),
            Variable::Labels(codes, _) => Binned::labels(&Classes::of_labels(codes)),
        };
        Ok(Prepared {
            places: columns.par_iter().map(place).collect::<Result<_>>()?,
            bins: columns.par_iter().map(bins).collect(),
            settings: *settings,
            columns,
            names,
        })
    }

    /// What pairs share by `estimator`, in their order. `progress` is told how many are done.
    ///
    /// # Errors
    /// The estimator does not support a pair.
    pub fn links(
        &self,
        pairs: &[(usize, usize)],
        estimator: Estimator,
        progress: &(dyn Fn(usize) + Sync),
    ) -> Result<Vec<Link>> {
        let done = AtomicUsize::new(0);
        let one = |&(x, y): &(usize, usize)| -> Result<Link> {
            let nats = match estimator {
                Estimator::Ksg => self.near(x, y)?,
                _ => estimate(&self.columns[x], &self.columns[y], estimator, &self.settings)?.nats,
            };
            let alike = if self.settings.protocol.blocked { self.alike(x, y)? } else { 1.0 };
            let p_value = independence(&self.bins[x], &self.bins[y], alike);
            progress(done.fetch_add(1, Ordering::Relaxed) + 1);
            Ok(Link { x, y, nats, p_value, q_value: 1.0 })
        };
        let stop = flag();
        let named = |pair: &(usize, usize)| {
            stoppable(stop.clone(), || {
                go_on()?;
                one(pair).map_err(|e| match e {
                    Error::Interrupted { .. } => e,
                    _ => {
                        let what = format!("{} and {}: {e}", self.names[pair.0], self.names[pair.1]);
                        Error::failed(what, e.remedy())
                    }
                })
            })
        };
        // Critics use all processors themselves.
        let mut links: Vec<Link> = match estimator {
            Estimator::Auto | Estimator::Neural(_) => pairs.iter().map(named).collect::<Result<_>>()?,
            _ => pairs.par_iter().map(named).collect::<Result<_>>()?,
        };
        false_discovery(&mut links);
        Ok(links)
    }

    /// By nearest neighbors; 0 if a column is constant.
    fn near(&self, x: usize, y: usize) -> Result<f64> {
        let constant = |column: &Place| column.is_constant();
        if constant(&self.places[x]) || constant(&self.places[y]) {
            return Ok(0.0);
        }
        Ok(shared(&self.places[x], &self.places[y], self.settings.neighbors)?.mi)
    }

    /// The number of rows that count as one sample, because neighboring rows of both columns are alike.
    fn alike(&self, x: usize, y: usize) -> Result<f64> {
        let numbers = |column: &Variable| match column {
            Variable::Numbers(samples) => Ok(samples.clone()),
            Variable::Labels(codes, _) => Samples::new(codes.iter().map(|&code| f64::from(code)).collect(), 1),
        };
        Ok(rows_for_a_sample(&numbers(&self.columns[x])?, &numbers(&self.columns[y])?))
    }
}

/// Every pair of `n` columns, each once.
pub fn all_pairs(n: usize) -> Vec<(usize, usize)> {
    (0..n).flat_map(|x| (x + 1..n).map(move |y| (x, y))).collect()
}

/// Sets the q-values of all links from their p-values.
fn false_discovery(links: &mut [Link]) {
    let mut order: Vec<usize> = (0..links.len()).collect();
    order.sort_by(|&a, &b| links[a].p_value.total_cmp(&links[b].p_value));
    let (count, mut least) = (links.len() as f64, 1.0f64);
    for (rank, &at) in order.iter().enumerate().rev() {
        least = least.min(links[at].p_value * count / (rank + 1) as f64);
        links[at].q_value = least;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mi::fixtures;

    fn of(values: Vec<f64>) -> Variable {
        Variable::Numbers(Samples::new(values, 1).unwrap())
    }

    #[test]
    fn pairs_that_depend_are_found_and_others_are_not() {
        let (x, e) = fixtures::normal(1000, 6, 0.0, 90);
        let column = |f: &dyn Fn(&[f64], &[f64]) -> f64| of((0..1000).map(|i| f(x.row(i), e.row(i))).collect());
        let label = Variable::Labels((0..1000).map(|i| u32::from(x.row(i)[1] > 0.0)).collect(), Vec::new());
        let columns = [
            column(&|x, _| x[0]),
            column(&|x, e| x[0] * x[0] + 0.3 * e[0]),
            column(&|x, _| x[1]),
            label,
            column(&|x, _| x[2].max(0.0)),
            column(&|_, _| 2.5),
        ];
        let settings = Settings::default();
        let names: Vec<String> = (0..6).map(|i| i.to_string()).collect();
        let links =
            Prepared::new(&columns, &names, &settings).unwrap().links(&all_pairs(6), Estimator::Ksg, &|_| {}).unwrap();
        assert_eq!(links.len(), 15);
        let found: Vec<(usize, usize)> = links.iter().filter(|l| l.q_value < 0.01).map(|l| (l.x, l.y)).collect();
        assert_eq!(found, [(0, 1), (2, 3)]);
        for link in &links {
            let want = match (link.x, link.y) {
                (0, 1) => 1.1..1.4,
                (2, 3) => 0.66..0.72,
                _ => -0.06..0.06,
            };
            assert!(want.contains(&link.nats), "{link:?}");
        }
        // The same values as of the estimator of pairs.
        let pair = estimate(&columns[0], &columns[1], Estimator::Ksg, &settings).unwrap();
        assert!((links[0].nats - pair.nats).abs() < 1e-12, "{} {}", links[0].nats, pair.nats);
    }

    #[test]
    fn the_false_discovery_rate_is_that_of_benjamini_and_hochberg() {
        // statsmodels: multipletests([0.01, 0.04, 0.03, 0.005], method="fdr_bh")[1].
        let link = |p_value| Link { x: 0, y: 1, nats: 0.0, p_value, q_value: 1.0 };
        let mut links: Vec<Link> = [0.01, 0.04, 0.03, 0.005].map(link).into();
        false_discovery(&mut links);
        let q: Vec<f64> = links.iter().map(|l| l.q_value).collect();
        assert!(q.iter().zip([0.02, 0.04, 0.04, 0.02]).all(|(a, b)| (a - b).abs() < 1e-12), "{q:?}");
        let mut one = [link(0.3)];
        false_discovery(&mut one);
        assert_eq!(one[0].q_value, 0.3);
    }
}
