//! Selection of columns that together inform about a target, one after the other.
//!
//! Which criterion? [`Criterion::Jmi`] (Yang and Moody 1999) takes the mean of what a column adds to each chosen one: redundant columns lose, and
//! those that inform together with a chosen one win. [`Criterion::Cmim`] (Fleuret 2004) takes the least of these and of what it says alone.
//! [`Criterion::Mrmr`] (Peng et al. 2005) is the information about the target less the mean of what the column shares with chosen ones; it does not
//! see what columns inform about only together. [`Criterion::Conditional`] is what a column adds to all chosen ones at once, which neighbors can
//! estimate for three or four. Brown et al. (2012), *Conditional likelihood maximisation*, compare them. All terms are from nearest neighbors.
//!
//! Selection ends where the next column adds nothing that chance would not: its information given all chosen columns is compared with the same after
//! exchanging its rows among rows that are alike in these. If the column that the criterion favors adds nothing, the one that adds most to all
//! chosen ones is tried. Two columns that inform only together are not found if neither is chosen first.

use crate::error::{Error, Result};
use crate::mi::atoms::Divided;
use crate::mi::estimate::Settings;
use crate::mi::neighbors::{ALIKE, Given, Place, alike, places, shared};
use crate::mi::parallel::go_on;
use crate::mi::permutation::{Order, reordered};
use crate::mi::variable::Variable;
use rayon::prelude::*;
use serde::Serialize;
use statrs::distribution::{ContinuousCDF, Normal};

/// Exchanges of rows that show what chance gives.
const EXCHANGES: u64 = 24;
/// The probability of adding a column by chance.
const CHANCE: f64 = 0.05;

/// How the next column is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Criterion {
    /// The mean information about the target given each chosen column.
    Jmi,
    /// The least information about the target, alone and given any one chosen column.
    Cmim,
    /// Information about the target, less the mean information shared with chosen columns.
    Mrmr,
    /// Information about the target given all chosen columns.
    Conditional,
}

/// A chosen column.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Chosen {
    /// Its index.
    pub column: usize,
    /// Its information about the target alone, in nats.
    pub alone: f64,
    /// What it adds: its information about the target given all columns that were chosen before, in nats.
    pub adds: f64,
    /// The value of the criterion, in nats.
    pub score: f64,
}

/// The columns that were chosen, and whether nothing was left to add.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Selection {
    /// In the order of choice.
    pub chosen: Vec<Chosen>,
    /// Whether the next column would have added nothing.
    pub complete: bool,
}

/// Selects at most `take` of the columns other than `target`. `progress` is told how many are chosen.
///
/// # Errors
/// There are too few rows, or labels that no two rows share.
pub fn select(
    columns: &[Variable],
    target: usize,
    take: usize,
    criterion: Criterion,
    settings: &Settings,
    progress: &dyn Fn(usize),
) -> Result<Selection> {
    let k = settings.neighbors;
    let place = |column: &Variable| Ok(Place::new(places(&Divided::new(column, settings.seed, "mi/select")?)?));
    let places: Vec<Place> = columns.par_iter().map(place).collect::<Result<_>>()?;
    let y = &places[target];
    let mut left: Vec<usize> = (0..columns.len()).filter(|&x| x != target && !places[x].is_constant()).collect();
    let alone: Vec<f64> = columns_of(&left, columns.len(), |x| Ok(shared(&places[x], y, k)?.mi))?;
    // The terms of the criterion: of each column, the least, the sum, and the last.
    let (mut least, mut sums, mut last) = (alone.clone(), vec![0.0; columns.len()], alone.clone());
    let mut given: Option<Given> = None; // the chosen columns, beside the target
    let mut selection = Selection { chosen: Vec::new(), complete: false };
    while selection.chosen.len() < take && !left.is_empty() {
        let count = selection.chosen.len().max(1) as f64;
        let score = |x: usize| match criterion {
            Criterion::Cmim => least[x],
            Criterion::Conditional => last[x],
            Criterion::Jmi if selection.chosen.is_empty() => alone[x],
            Criterion::Jmi => sums[x] / count,
            Criterion::Mrmr => alone[x] - sums[x] / count,
        };
        go_on()?;
        // The first of equal scores.
        let Some(mut best) = left.iter().copied().reduce(|best, x| if score(x) > score(best) { x } else { best })
        else {
            break;
        };
        let given_all = |x: usize| match &given {
            Some(given) => Ok(given.shared(places[x].samples(), k)?.mi),
            None => Ok(alone[x]),
        };
        let mut adds = given_all(best)?;
        if !adds_something(&places[best], y, given.as_ref(), adds, left.len(), settings)? {
            // The criterion may favor a column that others replace: of all that are left, which adds most?
            let each = columns_of(&left, columns.len(), given_all)?;
            let most =
                left.iter().copied().reduce(|most, x| if each[x] > each[most] { x } else { most }).unwrap_or(best);
            if most == best || !adds_something(&places[most], y, given.as_ref(), each[most], left.len(), settings)? {
                selection.complete = true;
                break;
            }
            (best, adds) = (most, each[most]);
        }
        selection.chosen.push(Chosen { column: best, alone: alone[best], adds, score: score(best) });
        left.retain(|&x| x != best);
        progress(selection.chosen.len());
        let own = places[best].samples();
        let chosen = given.map_or_else(|| Ok(own.clone()), |given| given.z().beside(own))?;
        let given_chosen = Given::new(y.samples(), &chosen)?;
        let each = |value: &(dyn Fn(usize) -> Result<f64> + Sync)| columns_of(&left, columns.len(), value);
        let beside = |given: &Given, x: usize| Ok(given.shared(places[x].samples(), k)?.mi);
        last = match criterion {
            Criterion::Mrmr => each(&|x| Ok(shared(&places[x], &places[best], k)?.mi))?,
            Criterion::Cmim | Criterion::Jmi => {
                let given_own = Given::new(y.samples(), own)?;
                each(&|x| beside(&given_own, x))?
            }
            Criterion::Conditional => each(&|x| beside(&given_chosen, x))?,
        };
        given = Some(given_chosen);
        for &x in &left {
            sums[x] += last[x];
            least[x] = least[x].min(last[x]);
        }
    }
    selection.complete |= left.is_empty();
    Ok(selection)
}

/// `value` of some columns, by their index.
fn columns_of(some: &[usize], count: usize, value: impl Fn(usize) -> Result<f64> + Sync) -> Result<Vec<f64>> {
    let found: Vec<f64> = some.par_iter().map(|&x| value(x)).collect::<Result<_>>()?;
    let mut all = vec![0.0; count];
    some.iter().zip(found).for_each(|(&x, value)| all[x] = value);
    Ok(all)
}

/// Whether the information of X, given the chosen columns if there are any, is more than the best of `candidates` columns has by chance.
fn adds_something(
    x: &Place,
    y: &Place,
    given: Option<&Given>,
    adds: f64,
    candidates: usize,
    settings: &Settings,
) -> Result<bool> {
    let (k, seed, n) = (settings.neighbors, settings.seed, x.samples().len());
    let near = given.map(|given| alike(given.z(), ALIKE));
    let one = |i: u64| -> Result<f64> {
        let rows = match &near {
            Some(near) => near.reordered(seed, i),
            None => reordered(n, Order::Shuffled, seed, i),
        };
        let exchanged = x.samples().take(&rows);
        Ok(match given {
            Some(given) => given.shared(&exchanged, k)?.mi,
            None => shared(&Place::new(exchanged), y, k)?.mi,
        })
    };
    let values: Vec<f64> = (0..EXCHANGES).into_par_iter().map(one).collect::<Result<_>>()?;
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (values.len() - 1) as f64;
    let normal = Normal::new(0.0, 1.0).map_err(|e| Error::failed(e.to_string(), "report this as a bug in cpc"))?;
    let errors = normal.inverse_cdf(1.0 - CHANCE / candidates.max(1) as f64);
    Ok(adds > mean + errors * variance.sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mi::fixtures;
    use crate::mi::samples::Samples;

    /// Two columns that inform, a noisy copy of the first, one that informs together with the second, and idle ones; then the target.
    fn columns(seed: u64) -> Vec<Variable> {
        let (x, e) = fixtures::normal(1500, 8, 0.0, seed);
        let column = |f: &dyn Fn(&[f64], &[f64]) -> f64| {
            Variable::Numbers(Samples::new((0..1500).map(|i| f(x.row(i), e.row(i))).collect(), 1).unwrap())
        };
        let mut all =
            vec![column(&|x, _| x[0]), column(&|x, _| x[1]), column(&|x, e| x[0] + 0.5 * e[1]), column(&|x, _| x[2])];
        all.extend((3..8).map(|j| column(&move |x, _| x[j])));
        all.push(column(&|x, e| x[0] + 1.5 * x[1] + (x[1] * x[2]).signum() + 0.3 * e[0]));
        all
    }

    #[test]
    fn columns_that_add_are_chosen_and_copies_and_idle_ones_are_not() {
        for criterion in [Criterion::Jmi, Criterion::Conditional] {
            let found = select(&columns(5), 9, 9, criterion, &Settings::default(), &|_| {}).unwrap();
            let chosen: Vec<usize> = found.chosen.iter().map(|c| c.column).collect();
            assert_eq!((chosen, found.complete), (vec![1, 0, 3], true), "{criterion:?} {found:?}");
            // What informs together with another says little alone.
            let last = &found.chosen[2];
            assert!(last.adds > 3.0 * last.alone, "{found:?}");
        }
    }

    #[test]
    fn scores_are_those_of_the_criteria() {
        let all = columns(7);
        let place = |j: usize| Place::new(places(&Divided::new(&all[j], 0, "mi/select").unwrap()).unwrap());
        let of = |criterion| select(&all, 9, 2, criterion, &Settings::default(), &|_| {}).unwrap().chosen[1].clone();
        let (y, first) = (place(9), place(1));
        let beside = Given::new(y.samples(), first.samples()).unwrap();
        let given = |j: usize| beside.shared(place(j).samples(), 3).unwrap().mi;
        let found = of(Criterion::Jmi);
        assert_eq!(found.score, given(found.column));
        let found = of(Criterion::Cmim);
        assert_eq!(found.score, found.alone.min(given(found.column)));
        let found = of(Criterion::Mrmr);
        assert_eq!(found.score, found.alone - shared(&place(found.column), &first, 3).unwrap().mi);
        assert_eq!(found.adds, given(found.column));
    }

    #[test]
    fn what_is_chosen_may_be_a_label_and_a_redundant_favorite_blocks_nothing() {
        let (x, e) = fixtures::normal(1200, 4, 0.0, 400);
        let of = |f: &dyn Fn(&[f64], &[f64]) -> f64| {
            Variable::Numbers(Samples::new((0..1200).map(|i| f(x.row(i), e.row(i))).collect(), 1).unwrap())
        };
        let sign = |v: f64| if v > 0.0 { 1.0 } else { 0.0 };
        let label = Variable::Labels((0..1200).map(|i| u32::from(x.row(i)[0] > 0.0)).collect(), Vec::new());
        let all = [label, of(&|x, _| x[1]), of(&|x, _| x[2]), of(&|x, e| 6.0 * sign(x[0]) + 0.6 * x[1] + e[0])];
        let found = select(&all, 3, 3, Criterion::Jmi, &Settings::default(), &|_| {}).unwrap();
        let chosen: Vec<usize> = found.chosen.iter().map(|c| c.column).collect();
        assert_eq!(chosen, [0, 1], "{found:?}");
        // The third column is nearly the difference of the first two, which say the same together.
        let all = [
            of(&|x, _| x[0]),
            of(&|x, _| x[1]),
            of(&|x, e| x[0] - x[1] + 0.02 * e[1]),
            of(&|x, _| x[2]),
            of(&|x, e| x[0] + x[1] + 0.3 * x[2] + 0.1 * e[0]),
        ];
        let found = select(&all, 4, 4, Criterion::Jmi, &Settings::default(), &|_| {}).unwrap();
        assert!(found.chosen.iter().any(|c| c.column == 3), "{found:?}");
    }

    #[test]
    fn nothing_is_chosen_where_nothing_informs() {
        let mut found = 0;
        for seed in 0..20 {
            let (x, _) = fixtures::normal(300, 9, 0.0, 300 + seed);
            let all: Vec<Variable> = (0..9).map(|j| Variable::Numbers(x.columns(&[j]).unwrap())).collect();
            let selection = select(&all, 8, 3, Criterion::Jmi, &Settings::default(), &|_| {}).unwrap();
            found += usize::from(!selection.chosen.is_empty());
        }
        assert!(found <= 3, "{found} of 20");
    }
}
