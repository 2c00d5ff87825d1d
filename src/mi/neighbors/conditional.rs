//! Conditional mutual information I(X; Y | Z) from nearest neighbors.
//!
//! I = psi(k) - < psi(n_xz) + psi(n_yz) - psi(n_z) >, where n_xz, n_yz and n_z count the rows that are strictly closer in these columns than
//! the k-th neighbor in all of them, the row itself included (Frenzel and Pompe 2007, *Partial mutual information for coupling analysis of
//! multivariate time series*, Phys. Rev. Lett. 99, 204101). Where that neighbor is a copy of the row, the rows at distance 0 are counted, and k
//! is the number of copies (Mesner and Shalizi 2021, *Conditional mutual information estimation for mixed, discrete and continuous data*).

use crate::error::{Error, Result};
use crate::mi::atoms::Divided;
use crate::mi::classes::Classes;
use crate::mi::neighbors::estimate::Estimate;
use crate::mi::neighbors::spaces::{check_neighbors, psi};
use crate::mi::neighbors::tree::{Ball, LANES, Tree};
use crate::mi::permutation::Alike;
use crate::mi::ranks::normal_scores;
use crate::mi::samples::Samples;
use rayon::prelude::*;

/// The smallest number of rows in which atoms and numbers can be told apart.
const ROWS: usize = 20;

/// The largest number of rows that stand for one because all are as near.
const TIES: usize = 256;

/// The distance between different labels: more than any two normal scores have.
const FAR: f64 = 1e3;

/// A side in which neighbors can be looked for: its atoms, far from each other, beside the normal scores of its numbers.
///
/// # Errors
/// There are fewer than 20 rows.
pub fn places(side: &Divided) -> Result<Samples> {
    let n = side.atoms.codes().len();
    if n < ROWS {
        return Err(Error::failed(
            format!("{n} rows are too few for nearest neighbors"),
            format!("give at least {ROWS} rows"),
        ));
    }
    let codes = side.atoms.codes().iter().map(|&code| FAR * f64::from(code)).collect();
    let atoms = Samples::new(codes, 1)?;
    Ok(match &side.numbers {
        Some(numbers) if side.has_atoms() => atoms.beside(&normal_scores(numbers)?)?,
        Some(numbers) => normal_scores(numbers)?,
        None => atoms,
    })
}

/// I(X; Y | Z) from the `k` nearest neighbors, in nats. X, Y and Z (n, dim) are what [`places`] gives.
///
/// # Errors
/// As those of [`Given::new`] and [`Given::shared`].
pub fn conditional([x, y, z]: [&Samples; 3], k: usize) -> Result<Estimate> {
    Given::new(y, z)?.shared(x, k)
}

/// Y and Z in which neighbors are looked for, ready for many X.
pub struct Given {
    yz: Place,
    z: Place,
    dim: usize,
}

impl Given {
    /// Y and Z (n, dim) are what [`places`] gives.
    ///
    /// # Errors
    /// They differ in length.
    pub fn new(y: &Samples, z: &Samples) -> Result<Given> {
        Ok(Given { yz: Place::new(y.beside(z)?), z: Place::new(z.clone()), dim: y.dim() })
    }

    /// Z.
    pub fn z(&self) -> &Samples {
        &self.z.samples
    }

    /// I(X; Y | Z) from the `k` nearest neighbors, in nats, of X (n, dim) from [`places`].
    ///
    /// Neighbors have the labels of the row. A row with fewer than k such neighbors uses those that there are; a row without any is left out.
    ///
    /// # Errors
    /// X has another length, `k` is not in 1..n, or no two rows have the same labels.
    pub fn shared(&self, x: &Samples, k: usize) -> Result<Estimate> {
        let xz = x.beside(&self.z.samples)?;
        let y: Vec<usize> = (0..self.dim).collect();
        let all = xz.beside(&self.yz.samples.columns(&y)?)?;
        check_neighbors(k, all.len())?;
        let (tree, xz) = (Tree::new(&all), Place::new(xz));
        let counts = |at: usize, radius: f64, ball| {
            let count = |place: &Place| psi(place.tree.count(place.samples.row(at), radius, ball));
            count(&xz) + count(&self.yz) - count(&self.z)
        };
        by_rows(&tree, &all, k, counts)
    }
}

/// The mean over rows of psi(k) less `counts` of a row, the distance of its k-th neighbor in `all`, and whether that is within.
fn by_rows(tree: &Tree, all: &Samples, k: usize, counts: impl Fn(usize, f64, Ball) -> f64 + Sync) -> Result<Estimate> {
    let values = tree.order().par_chunks(LANES).flat_map_iter(|rows| {
        let mut near = Vec::with_capacity(k + 1);
        let counts = &counts;
        rows.iter().filter_map(move |&at| {
            tree.nearest(all.row(at), k, Some(at), &mut near);
            let near = near.iter().take_while(|neighbor| neighbor.distance < FAR / 2.0);
            let (k, radius) = near.fold((0, 0.0), |(k, _), neighbor| (k + 1, neighbor.distance));
            match k {
                0 => None,
                _ if radius > 0.0 => Some((at, psi(k) - counts(at, radius, Ball::Open))),
                _ => Some((at, psi(tree.count(all.row(at), 0.0, Ball::Closed)) - counts(at, 0.0, Ball::Closed))),
            }
        })
    });
    let mut values: Vec<(usize, f64)> = values.collect();
    if values.is_empty() {
        let what = format!("each of the {} rows has labels of its own in X, Y and Z", all.len());
        return Err(Error::failed(what, "labels need at least two rows; join rare ones, or use numbers as numbers"));
    }
    values.sort_unstable_by_key(|value| value.0);
    let mut used = values.iter().map(|value| value.0).peekable();
    let left_out = (0..all.len()).filter(|&row| used.next_if_eq(&row).is_none()).collect();
    let local = values.into_iter().map(|value| value.1).collect();
    Ok(Estimate { left_out, ..Estimate::of(local) })
}

/// A side in which neighbors are looked for, ready for many others.
pub struct Place {
    samples: Samples,
    tree: Tree,
}

impl Place {
    /// `samples` is what [`places`] gives.
    pub fn new(samples: Samples) -> Place {
        Place { tree: Tree::new(&samples), samples }
    }

    /// The rows.
    pub fn samples(&self) -> &Samples {
        &self.samples
    }

    /// Whether all rows are the same.
    pub fn is_constant(&self) -> bool {
        (1..self.samples.len()).all(|row| self.samples.row(row) == self.samples.row(0))
    }
}

/// I(X; Y) from the `k` nearest neighbors, in nats: the estimator of Kraskov et al. (2004, eq. 8), of numbers; that of Ross (2014), of labels and
/// numbers; and of copies, those are counted (Gao et al. 2017). A row without a neighbor of the same labels is left out.
///
/// # Errors
/// They differ in length, `k` is not in 1..n, or no two rows have the same labels.
pub fn shared(x: &Place, y: &Place, k: usize) -> Result<Estimate> {
    let both = x.samples.beside(&y.samples)?;
    check_neighbors(k, both.len())?;
    let (tree, n) = (Tree::new(&both), psi(both.len()));
    let counts = |at: usize, radius: f64, ball| {
        let count = |place: &Place| psi(place.tree.count(place.samples.row(at), radius, ball));
        count(x) + count(y) - n
    };
    by_rows(&tree, &both, k, counts)
}

/// Rows that can stand for each other if Z is given: rows with the same Z, where there are more than `k` of them, and otherwise the `k` nearest rows
/// of each, with all that are as near as the last.
pub fn alike(z: &Samples, k: usize) -> Alike {
    let same: Vec<Vec<usize>> = Classes::of(z).groups().into_iter().filter(|rows| rows.len() > k).collect();
    let mut alone = vec![true; z.len()];
    same.iter().flatten().for_each(|&row| alone[row] = false);
    let tree = Tree::new(z);
    let of = |row: usize| {
        if !alone[row] {
            return Vec::new();
        }
        let mut near = Vec::with_capacity(k + 1);
        tree.nearest(z.row(row), k.min(z.len() - 1), Some(row), &mut near);
        let radius = near.last().map_or(0.0, |farthest| farthest.distance);
        // Among rows that are equally near, none is preferred.
        let ties = (tree.count(z.row(row), radius, Ball::Closed) - 1).min(TIES);
        if ties > near.len() && radius < FAR / 2.0 {
            tree.nearest(z.row(row), ties, Some(row), &mut near);
        }
        near.iter().filter(|neighbor| neighbor.distance < FAR / 2.0).map(|neighbor| neighbor.row).collect()
    };
    Alike { same, near: (0..z.len()).into_par_iter().map(of).collect() }
}
