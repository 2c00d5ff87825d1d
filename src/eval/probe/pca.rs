//! Principal components: the directions in which rows vary most.
//!
//! An orthonormal block Q is multiplied repeatedly by the covariance S of the rows (subspace iteration; Golub and Van Loan, *Matrix
//! Computations*, section 8.2.4), and Jacobi rotations diagonalize Q'SQ. There is no randomness: Q starts from fixed numbers, and each
//! component's sign is chosen so that its largest element is positive.

use crate::eval::probe::lbfgs::dot;
use rayon::prelude::*;

const ITERATIONS: usize = 60;

/// Coordinates (n, `components`) of centered rows (n, `dim`) along the leading principal components, largest first.
///
/// If there are fewer columns than `components`, only that many components are returned.
pub fn coordinates(rows: &[f32], dim: usize, components: usize) -> Vec<f32> {
    Components::new(rows, dim, components).coordinates(rows)
}

/// The leading principal components of rows.
#[derive(Debug, Clone)]
pub struct Components {
    mean: Vec<f64>,
    directions: Vec<Vec<f64>>,
}

impl Components {
    /// The components of rows (n, `dim`), largest first; at most as many as there are columns.
    pub fn new(rows: &[f32], dim: usize, components: usize) -> Self {
        let k = components.min(dim);
        if k == 0 || rows.is_empty() {
            return Components { mean: vec![0.0; dim], directions: Vec::new() };
        }
        let n = rows.len() / dim;
        let mut mean = vec![0.0f64; dim];
        rows.chunks_exact(dim)
            .for_each(|row| mean.iter_mut().zip(row).for_each(|(m, &x)| *m += f64::from(x) / n as f64));
        // Columns of the centered rows, so that a covariance is a scalar product.
        let columns: Vec<Vec<f64>> =
            (0..dim).map(|c| rows.iter().skip(c).step_by(dim).map(|&x| f64::from(x) - mean[c]).collect()).collect();
        let covariance: Vec<Vec<f64>> = (0..dim)
            .into_par_iter()
            .map(|i| (0..dim).map(|j| dot(&columns[i], &columns[j]) / n as f64).collect())
            .collect();
        let mut basis: Vec<Vec<f64>> = (0..k)
            .map(|i| (0..dim).map(|j| f64::from(u8::from(i == j)) + 0.1 * ((i * dim + j) as f64).sin()).collect())
            .collect();
        orthonormalize(&mut basis);
        let times = |basis: &[Vec<f64>]| -> Vec<Vec<f64>> {
            basis.par_iter().map(|q| covariance.iter().map(|row| dot(row, q)).collect()).collect()
        };
        for _ in 0..ITERATIONS {
            basis = times(&basis);
            orthonormalize(&mut basis);
        }
        let image = times(&basis);
        let mut small: Vec<Vec<f64>> = basis.iter().map(|q| image.iter().map(|s| dot(q, s)).collect()).collect();
        let vectors = jacobi(&mut small);
        let mut order: Vec<usize> = (0..k).collect();
        order.sort_by(|&a, &b| small[b][b].total_cmp(&small[a][a]));
        let directions: Vec<Vec<f64>> = order
            .iter()
            .map(|&v| {
                let mut direction = vec![0.0; dim];
                for (q, weights) in basis.iter().zip(&vectors) {
                    direction.iter_mut().zip(q).for_each(|(d, q)| *d += weights[v] * q);
                }
                let largest = direction.iter().copied().max_by(|a, b| a.abs().total_cmp(&b.abs())).unwrap_or(1.0);
                direction.iter_mut().for_each(|d| *d *= largest.signum());
                direction
            })
            .collect();
        Components { mean, directions }
    }

    /// Coordinates (n, k) of rows (n, `dim`), after subtracting the mean of the rows from which the components were computed.
    pub fn coordinates(&self, rows: &[f32]) -> Vec<f32> {
        rows.par_chunks_exact(self.mean.len().max(1))
            .flat_map_iter(|row| {
                let centered: Vec<f64> = row.iter().zip(&self.mean).map(|(&x, m)| f64::from(x) - m).collect();
                self.directions.iter().map(|d| dot(d, &centered) as f32).collect::<Vec<_>>()
            })
            .collect()
    }
}

/// Gram-Schmidt, applied twice; a vector in the span of the others becomes 0.
fn orthonormalize(basis: &mut [Vec<f64>]) {
    for i in 0..basis.len() {
        let (done, rest) = basis.split_at_mut(i);
        let v = &mut rest[0];
        let before = dot(v, v).sqrt();
        for _ in 0..2 {
            for q in done.iter() {
                let along = dot(q, v);
                v.iter_mut().zip(q).for_each(|(v, q)| *v -= along * q);
            }
        }
        let norm = dot(v, v).sqrt();
        let scale = if norm > 1e-10 * before { 1.0 / norm } else { 0.0 };
        v.iter_mut().for_each(|v| *v *= scale);
    }
}

/// Diagonalizes a symmetric matrix in place by cyclic Jacobi rotations; the eigenvectors are the columns of the returned matrix.
fn jacobi(a: &mut [Vec<f64>]) -> Vec<Vec<f64>> {
    let n = a.len();
    let mut vectors: Vec<Vec<f64>> = (0..n).map(|i| (0..n).map(|j| f64::from(u8::from(i == j))).collect()).collect();
    for _ in 0..30 {
        let off: f64 = (0..n).flat_map(|i| (0..i).map(move |j| (i, j))).map(|(i, j)| a[i][j] * a[i][j]).sum();
        let whole: f64 = (0..n).map(|i| a[i][i] * a[i][i]).sum();
        if off <= 1e-24 * whole {
            break;
        }
        for p in 0..n {
            for q in p + 1..n {
                if a[p][q] == 0.0 {
                    continue;
                }
                let theta = (a[q][q] - a[p][p]) / (2.0 * a[p][q]);
                let t = theta.signum() / (theta.abs() + (theta * theta + 1.0).sqrt());
                let c = 1.0 / (t * t + 1.0).sqrt();
                let s = t * c;
                let rotate = |row: &mut Vec<f64>| {
                    let (x, y) = (row[p], row[q]);
                    row[p] = c * x - s * y;
                    row[q] = s * x + c * y;
                };
                a.iter_mut().for_each(rotate);
                vectors.iter_mut().for_each(rotate);
                let (above, below) = a.split_at_mut(q);
                for (x, y) in above[p].iter_mut().zip(&mut below[0]) {
                    (*x, *y) = (c * *x - s * *y, s * *x + c * *y);
                }
            }
        }
    }
    vectors
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::stream;

    #[test]
    fn finds_the_directions_in_which_rows_vary_most() {
        // Three independent sources with deviations 5, 2 and 0.1 along orthonormal directions of a four-dimensional space.
        let directions = [[0.5f32, 0.5, 0.5, 0.5], [0.5, -0.5, 0.5, -0.5], [0.5, 0.5, -0.5, -0.5]];
        let mut rng = stream(1, "sources", 0);
        let sources: Vec<[f32; 3]> =
            (0..3000).map(|_| [5.0 * rng.normal(), 2.0 * rng.normal(), 0.1 * rng.normal()]).collect();
        let rows: Vec<f32> = sources
            .iter()
            .flat_map(|s| {
                (0..4).map(|c| 3.0 + (0..3).map(|i| s[i] * directions[i][c]).sum::<f32>()).collect::<Vec<_>>()
            })
            .collect();
        let found = coordinates(&rows, 4, 2);
        let variance = |i: usize| found.iter().skip(i).step_by(2).map(|x| x * x).sum::<f32>() / 3000.0;
        assert!((variance(0) - 25.0).abs() < 1.5 && (variance(1) - 4.0).abs() < 0.3, "{} {}", variance(0), variance(1));
        let together: f32 = found.chunks_exact(2).zip(&sources).map(|(f, s)| f[0] * s[0]).sum::<f32>() / 3000.0;
        assert!(together.abs() > 23.0, "{together}");
        let cross: f32 = found.chunks_exact(2).map(|f| f[0] * f[1]).sum::<f32>() / 3000.0;
        assert!(cross.abs() < 1e-2, "{cross}");
    }

    #[test]
    fn constant_rows_and_few_columns_do_no_harm() {
        assert!(coordinates(&[1.0; 30], 3, 2).iter().all(|&x| x.abs() < 1e-6));
        assert_eq!(coordinates(&[1.0, 2.0, 4.0], 1, 2), [-4.0 / 3.0, -1.0 / 3.0, 5.0 / 3.0]);
        assert!(coordinates(&[], 3, 2).is_empty());
    }
}
