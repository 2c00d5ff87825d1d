//! Products over the rows of tall matrices.

use crate::error::Result;
use crate::ops::matrix::{View, ViewMut, multiply};
use nalgebra::DMatrix;

/// A' B, (p, q), of A (n, p) and B (n, q), in blocks of the cache, on one thread. (nalgebra's `tr_mul` takes one inner product after the other.)
///
/// # Errors
/// A and B differ in the number of rows.
pub fn gram(a: &DMatrix<f64>, b: &DMatrix<f64>) -> Result<DMatrix<f64>> {
    let ((n, p), (m, q)) = (a.shape(), b.shape());
    // By columns in memory, the product is B' A by rows.
    let mut product = DMatrix::zeros(p, q);
    let (a, b) = (View::new(a.as_slice(), p, n, n)?, View::new(b.as_slice(), q, m, m)?);
    multiply(ViewMut::new(product.as_mut_slice(), q, p, p)?, false, b, a.t(), true)?;
    Ok(product)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_are_those_of_single_columns() {
        let a = DMatrix::from_fn(37, 3, |i, j| (i * 7 + j * 5) as f64 % 11.0 - 4.0);
        let b = DMatrix::from_fn(37, 2, |i, j| (i * 3 + j * 13) as f64 % 17.0 - 8.0);
        assert_eq!(gram(&a, &b).unwrap(), a.tr_mul(&b));
        assert!(gram(&a, &DMatrix::zeros(36, 2)).is_err());
    }
}
