//! Principal components of many columns, by randomized subspace iteration (Halko, Martinsson and Tropp 2011, *Finding structure with
//! randomness*, algorithm 4.4), whose time grows with the number of columns and not with its cube.
//!
//! Components are functions of the columns, so they cannot have more information than the columns have.

use crate::error::Result;
use crate::mi::products::gram;
use crate::mi::samples::Samples;
use crate::seed::stream;
use nalgebra::DMatrix;

/// Directions beyond those that are returned, which make these more exact.
const MORE: usize = 10;
/// Multiplications by the covariance.
const POWERS: usize = 6;

/// The first `k` principal components of the standardized columns, (n, at most k), with the directions drawn by `seed`.
///
/// # Errors
/// None, because samples are finite numbers.
pub fn principal(samples: &Samples, k: usize, seed: u64) -> Result<Samples> {
    let (n, dim) = (samples.len(), samples.dim());
    let k = k.min(dim).min(n);
    let rows = DMatrix::from_row_slice(n, dim, samples.standardized().values());
    let width = (k + MORE).min(dim).min(n);
    let mut rng = stream(seed, "mi/principal", 0);
    let mut basis = DMatrix::from_fn(dim, width, |_, _| rng.normal64()).qr().q();
    for _ in 0..POWERS {
        basis = gram(&rows, &(&rows * &basis))?.qr().q();
    }
    let inside = &rows * &basis;
    let eigen = gram(&inside, &inside)?.symmetric_eigen();
    let mut order: Vec<usize> = (0..width).collect();
    order.sort_by(|&a, &b| eigen.eigenvalues[b].total_cmp(&eigen.eigenvalues[a]));
    let directions: Vec<_> = order[..k].iter().map(|&j| eigen.eigenvectors.column(j)).collect();
    let components = inside * DMatrix::from_columns(&directions);
    Samples::new(components.transpose().as_slice().to_vec(), k)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mi::fixtures;

    #[test]
    fn the_components_are_those_with_the_most_variance() {
        // Two hidden columns in twenty, each ten times with noise.
        let (hidden, noise) = (fixtures::normal(500, 2, 0.0, 70).0, fixtures::normal(500, 20, 0.0, 71).0);
        let values = (0..500)
            .flat_map(|i| (0..20).map(move |j| (i, j)))
            .map(|(i, j)| hidden.row(i)[j % 2] + 0.3 * noise.row(i)[j]);
        let found = principal(&Samples::new(values.collect(), 20).unwrap(), 2, 0).unwrap();
        let mi = crate::mi::linear::linear(&found, &hidden, crate::mi::linear::Covariance::Sample).unwrap();
        assert!(mi.correlations.iter().all(|rho| *rho > 0.99), "{:?}", mi.correlations);
        assert_eq!(principal(&found, 5, 0).unwrap().dim(), 2);
    }
}
