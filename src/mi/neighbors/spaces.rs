//! The three spaces searched for neighbors: X, Y, and both together.

use crate::error::{Error, Result};
use crate::mi::digamma::digamma;
use crate::mi::neighbors::tree::{Ball, LANES, Neighbor, Tree};
use crate::mi::samples::Samples;
use rayon::prelude::*;

/// Trees over the rows of X, of Y, and of (X, Y).
pub(super) struct Spaces<'a> {
    x: &'a Samples,
    y: &'a Samples,
    both: Samples,
    trees: [Tree; 3],
}

/// The neighborhood of one row.
pub(super) struct Row<'s> {
    spaces: &'s Spaces<'s>,
    at: usize,
    /// The k nearest rows in (X, Y), nearest first.
    near: &'s [Neighbor],
}

impl<'a> Spaces<'a> {
    /// Builds the trees.
    ///
    /// # Errors
    /// X and Y differ in length, or `k` is not in 1..n.
    pub fn new(x: &'a Samples, y: &'a Samples, k: usize) -> Result<Spaces<'a>> {
        let both = x.beside(y)?;
        check_neighbors(k, both.len())?;
        let trees = [Tree::new(x), Tree::new(y), Tree::new(&both)];
        Ok(Spaces { x, y, both, trees })
    }

    /// The values of `local` for all rows, in their order.
    pub fn map(&self, k: usize, local: impl Fn(Row) -> f64 + Sync) -> Vec<f64> {
        let order = self.trees[2].order();
        // Rows are visited in the order of the tree, so that its blocks are still in the caches.
        let values = order.par_chunks(LANES).flat_map_iter(|rows| {
            let mut near = Vec::with_capacity(k + 1);
            let local = &local;
            rows.iter().map(move |&at| {
                self.trees[2].nearest(self.both.row(at), k, Some(at), &mut near);
                local(Row { spaces: self, at, near: &near })
            })
        });
        let values: Vec<f64> = values.collect();
        let mut placed = vec![0.0; values.len()];
        order.iter().zip(values).for_each(|(&row, value)| placed[row] = value);
        placed
    }
}

impl Row<'_> {
    /// The distance to the k-th neighbor in (X, Y).
    pub fn radius(&self) -> f64 {
        self.near.last().map_or(0.0, |farthest| farthest.distance)
    }

    /// The number of rows equal to this one in X, in Y and in both, including this one.
    pub fn copies(&self) -> [usize; 3] {
        let both = self.spaces.trees[2].count(self.spaces.both.row(self.at), 0.0, Ball::Closed);
        [self.count_x(0.0, Ball::Closed), self.count_y(0.0, Ball::Closed), both]
    }

    /// The number of rows within `radius` in X, including this one.
    pub fn count_x(&self, radius: f64, ball: Ball) -> usize {
        self.spaces.trees[0].count(self.spaces.x.row(self.at), radius, ball)
    }

    /// The number of rows within `radius` in Y, including this one.
    pub fn count_y(&self, radius: f64, ball: Ball) -> usize {
        self.spaces.trees[1].count(self.spaces.y.row(self.at), radius, ball)
    }

    /// The distances in X and in Y to the farthest of the k neighbors in each.
    pub fn extents(&self) -> [f64; 2] {
        [self.spaces.x, self.spaces.y].map(|samples| {
            let here = samples.row(self.at);
            let near = self.near.iter().map(|n| samples.row(n.row));
            near.flat_map(|row| row.iter().zip(here)).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
        })
    }
}

/// psi of a number of rows.
pub(super) fn psi(count: usize) -> f64 {
    digamma(count as f64)
}

/// Rejects numbers of neighbors that `n` rows cannot have.
pub(super) fn check_neighbors(k: usize, n: usize) -> Result<()> {
    match k {
        0 => Err(Error::usage("0 neighbors were asked for", "use 1 or more; 3 is usual")),
        _ if k >= n => {
            let what = format!("{k} neighbors were asked for, and each of {n} rows has {}", n.saturating_sub(1));
            Err(Error::usage(what, "give more rows, or use fewer neighbors"))
        }
        _ => Ok(()),
    }
}
