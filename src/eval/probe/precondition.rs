//! A preconditioner for logistic regression: an approximate inverse of the Hessian, with which [`lbfgs`](super::lbfgs) scales its steps.
//!
//! The Hessian of the mean loss in the parameters of class k is H_k = mean of p_k (1 - p_k) x x' over the rows (x with a 1 for the
//! intercept), plus the penalty. It differs from class to class, and the features of a network are strongly correlated, so each H_k is
//! far from a multiple of the identity: without its inverse the optimizer needs many times as many steps. H_k is estimated from a sample
//! of the rows at the parameters where training starts. The coupling between classes is left to the optimizer.

use crate::error::Result;
use crate::eval::probe::lbfgs::dot;
use crate::eval::probe::linear::Linear;
use crate::eval::probe::softmax::probabilities;
use crate::eval::probe::standard::Standard;
use crate::eval::probe::table::{CHUNK, Table};
use crate::ops::matrix::{View, ViewMut, multiply};
use rayon::prelude::*;
use std::ops::Range;

/// Bounds on the number of rows in the sample, which is chosen to cost as much as a few passes.
const SAMPLE: (usize, usize) = (2_000, 20_000);

/// Total number of elements of all H_k above which they cost more than they save.
const LARGEST: usize = 1 << 26;

/// Rows whose p (1 - p) for a class is not above this are ignored for that class.
const LIGHT: f32 = 1e-4;

/// Ridge added to the diagonal, as a fraction of its mean: the sample does not span every direction.
const RIDGE: f64 = 1e-3;

/// The inverses of H_k, stored as their Cholesky factors (D + 1, D + 1); empty if they would be too large.
#[derive(Debug)]
pub struct Preconditioner {
    factors: Vec<Vec<f64>>,
    dim: usize,
}

impl Preconditioner {
    /// Computes the preconditioner from rows of some utterances, at `parameters`, for the penalty `strength` = l2 / n.
    ///
    /// # Errors
    /// If rows cannot be read.
    pub fn new(table: &Table, items: &[usize], standard: &Standard, strength: f64, parameters: &[f64]) -> Result<Self> {
        let (dim, classes) = (table.dim(), table.names().len());
        let wide = dim + 1;
        if classes * wide * wide > LARGEST {
            return Ok(Preconditioner { factors: Vec::new(), dim });
        }
        let wanted = (16 * table.rows_of(items) / wide).clamp(SAMPLE.0, SAMPLE.1);
        let every = table.rows_of(items).div_ceil(wanted).max(1);
        let chosen: Vec<usize> = items.iter().copied().step_by(every).collect();
        let model = Linear::new(parameters.to_vec(), dim);
        let mut sums = vec![vec![0.0f32; wide * wide]; classes];
        let mut scores = Vec::new();
        for part in table.parts(&chosen) {
            table.chunks(part, standard, |rows, labels| {
                model.scores(rows, &mut scores)?;
                probabilities(&mut scores, labels.len());
                sums.par_iter_mut().zip(scores.par_chunks_exact(CHUNK)).try_for_each(|(sum, p)| {
                    let mut weighted = Vec::new();
                    for (row, p) in rows.chunks_exact(dim).zip(p) {
                        let weight = p * (1.0 - p);
                        if weight > LIGHT {
                            let root = weight.sqrt();
                            weighted.extend(row.iter().map(|x| root * x));
                            weighted.push(root);
                        }
                    }
                    let x = View::new(&weighted, weighted.len() / wide, wide, wide)?;
                    multiply(ViewMut::new(sum, wide, wide, wide)?, true, x.t(), x, true)
                })
            })?;
        }
        let n = table.rows_of(&chosen).max(1) as f64;
        let factor = |sum: Vec<f32>| {
            let mut h: Vec<f64> = sum.into_iter().map(|s| f64::from(s) / n).collect();
            let mean = (0..wide).map(|i| h[i * wide + i]).sum::<f64>() / wide as f64;
            (0..wide).for_each(|i| h[i * wide + i] += RIDGE * mean + strength + 1e-8);
            cholesky(&mut h, wide).then_some(h)
        };
        let factors = sums.into_par_iter().map(factor).collect::<Option<Vec<_>>>();
        Ok(Preconditioner { factors: factors.unwrap_or_default(), dim })
    }

    /// Multiplies a vector of parameters (W, then b) by the approximate inverse.
    pub fn apply(&self, v: &mut [f64]) {
        let (w, b) = v.split_at_mut(self.factors.len() * self.dim);
        w.par_chunks_exact_mut(self.dim.max(1)).zip(b).zip(&self.factors).for_each(|((w, b), factor)| {
            let mut x = w.to_vec();
            x.push(*b);
            solve(factor, &mut x);
            *b = x.pop().unwrap_or_default();
            w.copy_from_slice(&x);
        });
    }
}

/// Number of columns factored together.
const BLOCK: usize = 64;

/// Replaces the lower triangle of a symmetric matrix (n, n) with its Cholesky factor; false if it is not positive definite. The elements
/// above the diagonal have no meaning afterwards.
pub(crate) fn cholesky(a: &mut [f64], n: usize) -> bool {
    for first in (0..n).step_by(BLOCK) {
        let next = (first + BLOCK).min(n);
        for i in first..next {
            let (done, rest) = a.split_at_mut(i * n);
            let row = &mut rest[..n];
            substitute(row, &done[first * n..], first..i, n);
            let left = row[i] - dot(&row[first..i], &row[first..i]);
            if left <= 0.0 || !left.is_finite() {
                return false;
            }
            row[i] = left.sqrt();
        }
        // The rows below: their columns of this block, and the update of the remaining columns in one product.
        let (done, rest) = a.split_at_mut(next * n);
        rest.par_chunks_exact_mut(n).for_each(|row| substitute(row, &done[first * n..], first..next, n));
        let (rows, wide) = (n - next, next - first);
        let panel: Vec<f64> = rest.chunks_exact(n).flat_map(|row| &row[first..next]).copied().collect();
        let minus: Vec<f64> = panel.iter().map(|v| -v).collect();
        let (Ok(l), Ok(r)) = (View::new(&minus, rows, wide, wide), View::new(&panel, rows, wide, wide)) else {
            return false;
        };
        if rows > 0 {
            let to = ViewMut::new(&mut rest[next..], rows, rows, n);
            if to.and_then(|to| multiply(to, true, l, r.t(), true)).is_err() {
                return false;
            }
        }
    }
    true
}

/// Computes the values of `row` at the given columns, from factored rows; the first of these is the row of the first column.
fn substitute(row: &mut [f64], factored: &[f64], columns: Range<usize>, n: usize) {
    for j in columns.clone() {
        let above = &factored[(j - columns.start) * n..][..=j];
        row[j] = (row[j] - dot(&row[columns.start..j], &above[columns.start..j])) / above[j];
    }
}

/// Solves L L' x = v in place.
pub(crate) fn solve(factor: &[f64], v: &mut [f64]) {
    let n = v.len();
    for i in 0..n {
        let row = &factor[i * n..][..=i];
        v[i] = (v[i] - dot(&row[..i], &v[..i])) / row[i];
    }
    for i in (0..n).rev() {
        let row = &factor[i * n..][..=i];
        v[i] /= row[i];
        let x = v[i];
        v[..i].iter_mut().zip(row).for_each(|(v, l)| *v -= l * x);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_factored_matrix_is_solved() {
        for n in [1, 5, BLOCK, 2 * BLOCK + 17] {
            let x: Vec<f64> = (0..n).map(|i| (3.0 * i as f64).cos()).collect();
            // A A' + I for A(i, j) = sin(i n + j) / n: symmetric and positive definite.
            let a: Vec<f64> = (0..n * n).map(|i| (i as f64).sin() / n as f64).collect();
            let mut m = vec![0.0; n * n];
            for i in 0..n {
                for j in 0..n {
                    m[i * n + j] = dot(&a[i * n..][..n], &a[j * n..][..n]) + f64::from(u8::from(i == j));
                }
            }
            let mut v: Vec<f64> = (0..n).map(|i| dot(&m[i * n..][..n], &x)).collect();
            assert!(cholesky(&mut m, n));
            solve(&m, &mut v);
            assert!(v.iter().zip(&x).all(|(a, b)| (a - b).abs() < 1e-12), "{v:?}");
        }
        assert!(!cholesky(&mut [1.0, 2.0, 2.0, 1.0], 2));
    }
}
