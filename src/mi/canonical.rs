//! Canonical correlations (Hotelling 1936): pairs of directions of X and of Y that are correlated with each other and with no other direction.
//!
//! X and Y are each whitened by the eigenvectors of their own covariance. The canonical correlations rho_i are the singular values of the
//! covariance between the whitened variables. Directions without variance, such as constant columns and copies of other columns, carry no
//! information and are omitted.

use crate::error::{Error, Result};
use nalgebra::DMatrix;

/// Eigenvalues below this fraction of the largest count as 0: they come from rounding in the products of standardized columns.
pub(super) const RANK: f64 = 1e-10;

/// The canonical directions of a covariance matrix of X and Y together.
#[derive(Debug, Clone)]
pub struct Canonical {
    /// Whitens X: (p, rank of X).
    pub x_white: DMatrix<f64>,
    /// Whitens Y: (q, rank of Y).
    pub y_white: DMatrix<f64>,
    /// From X to the canonical variates u: (p, R), where R is the smaller rank.
    pub x: DMatrix<f64>,
    /// From Y to the canonical variates v: (q, R).
    pub y: DMatrix<f64>,
    /// The correlations of u and v, largest first (R).
    pub correlations: Vec<f64>,
}

impl Canonical {
    /// The canonical directions of `covariance` (p + q, p + q), whose first `p` rows and columns belong to X.
    ///
    /// # Errors
    /// A combination of columns of Y equals a combination of columns of X: the information between them would be infinite.
    pub fn of(covariance: &DMatrix<f64>, p: usize) -> Result<Canonical> {
        let q = covariance.nrows() - p;
        let x_white = whiten(covariance.view((0, 0), (p, p)).into_owned());
        let y_white = whiten(covariance.view((p, p), (q, q)).into_owned());
        if x_white.ncols() == 0 || y_white.ncols() == 0 {
            let (x, y) = (DMatrix::zeros(p, 0), DMatrix::zeros(q, 0));
            return Ok(Canonical { x_white, y_white, x, y, correlations: Vec::new() });
        }
        let between = x_white.tr_mul(&covariance.view((0, p), (p, q))) * &y_white;
        let svd = between.svd(true, true);
        let correlations: Vec<f64> = svd.singular_values.iter().copied().collect();
        if correlations.first().is_some_and(|&largest| largest >= 1.0 - RANK) {
            let what = "a combination of columns of Y equals one of columns of X: their mutual information is infinite";
            return Err(Error::failed(what, "leave out columns of Y that are computed from columns of X"));
        }
        let (Some(u), Some(v)) = (svd.u, svd.v_t) else {
            return Err(Error::failed("the canonical correlations did not converge", "report this as a bug in cpc"));
        };
        Ok(Canonical { x: &x_white * u, y: &y_white * v.transpose(), x_white, y_white, correlations })
    }

    /// The information of normal variables with this covariance, in nats: - 1/2 sum log(1 - rho^2).
    pub fn information(&self) -> f64 {
        self.correlations.iter().map(|rho| -0.5 * (-rho * rho).ln_1p()).sum()
    }
}

/// W (dim, rank) with W' C W = 1.
fn whiten(covariance: DMatrix<f64>) -> DMatrix<f64> {
    let eigen = covariance.symmetric_eigen();
    let largest = eigen.eigenvalues.iter().copied().fold(0.0, f64::max);
    let kept: Vec<usize> = (0..eigen.eigenvalues.len())
        .filter(|&i| eigen.eigenvalues[i] > RANK * largest.max(f64::MIN_POSITIVE))
        .collect();
    let columns = kept.iter().map(|&i| eigen.eigenvectors.column(i) / eigen.eigenvalues[i].sqrt());
    let columns: Vec<_> = columns.collect();
    if columns.is_empty() { DMatrix::zeros(eigen.eigenvalues.len(), 0) } else { DMatrix::from_columns(&columns) }
}
