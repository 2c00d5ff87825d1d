//! Mutual information between a label and a continuous variable: Ross (2014), *Mutual information between discrete and
//! continuous data sets*, PLoS ONE 9(2), e87357.
//!
//! I = psi(N) + < psi(k) - psi(N_l) - psi(m) > (eq. 2), where N_l is the number of rows with the row's label, and m is the number of rows of
//! any label that are no farther than the k-th neighbor among those with the same label.

use crate::error::{Error, Result};
use crate::mi::neighbors::estimate::Estimate;
use crate::mi::neighbors::spaces::{check_neighbors, psi};
use crate::mi::neighbors::ties::{copies, spread};
use crate::mi::neighbors::tree::{Ball, LANES, Tree};
use crate::mi::samples::Samples;
use rayon::prelude::*;
use std::collections::BTreeMap;

/// Mutual information between labels (n) and Y (n, q), in nats. Labels are numbers that only need to be distinct, such as
/// [`Column::codes`](crate::mi::discrete::Column::codes).
///
/// A label with fewer than k + 1 rows uses as many neighbors as it has. A row that is the only one with its label has
/// none and is omitted, as in scikit-learn's `mutual_info_classif`. Repeated values of Y get noise from `seed`, as
/// in [`ksg()`](super::ksg()).
///
/// # Errors
/// The lengths differ, `k` is not in 1..n, or every row has a different label.
pub fn labels(labels: &[u32], y: &Samples, k: usize, seed: u64) -> Result<Estimate> {
    if labels.len() != y.len() {
        let what = format!("there are {} labels and {} rows", labels.len(), y.len());
        return Err(Error::failed(what, "give one label for each row, in the same order"));
    }
    check_neighbors(k, y.len())?;
    let mut groups: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
    labels.iter().enumerate().for_each(|(row, label)| groups.entry(*label).or_default().push(row));
    let (alone, groups): (Vec<_>, Vec<_>) = groups.into_values().partition(|rows| rows.len() == 1);
    let mut left_out = alone.concat();
    left_out.sort_unstable();
    if groups.is_empty() {
        let what = format!("each of the {} rows has a label of its own", labels.len());
        return Err(Error::failed(what, "a label needs at least two rows; is this column continuous?"));
    }
    let mut used = groups.concat();
    used.sort_unstable();
    let n = used.len();
    let duplicates = copies(y);
    let (y, tied) = spread(y, seed, "labels/y");
    let y = y.as_ref();
    let all = Tree::of(y, used);
    let mut locals: Vec<(usize, f64)> = Vec::with_capacity(n);
    for rows in groups {
        let (size, k) = (rows.len(), k.min(rows.len() - 1));
        let same = Tree::of(y, rows);
        let values = same.order().par_chunks(LANES).flat_map_iter(|rows| {
            let mut near = Vec::with_capacity(k + 1);
            let (same, all) = (&same, &all);
            rows.iter().map(move |&at| {
                same.nearest(y.row(at), k, Some(at), &mut near);
                let radius = near.last().map_or(0.0, |farthest| farthest.distance);
                // The radius is 0 if Y is constant, or if noise could not separate copies: then copies are counted.
                let (here, within) = match radius > 0.0 {
                    true => (k, all.count(y.row(at), radius, Ball::Open)),
                    false => (same.count(y.row(at), 0.0, Ball::Closed), all.count(y.row(at), 0.0, Ball::Closed)),
                };
                (at, psi(n) + psi(here) - psi(size) - psi(within))
            })
        });
        locals.par_extend(values);
    }
    locals.sort_unstable_by_key(|local| local.0);
    let local = locals.into_iter().map(|l| l.1).collect();
    Ok(Estimate { left_out, duplicates, tied, ..Estimate::of(local) })
}
