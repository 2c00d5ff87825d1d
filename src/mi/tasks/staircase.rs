//! Normal pairs with any requested mutual information: Poole, Ozair, van den Oord, Alemi and Tucker (2019), *On
//! variational bounds of mutual information*, section 4, after Belghazi et al. (2018), *Mutual information neural estimation*.
//!
//! X and Y have `dim` standard normal columns, and column i of Y has correlation rho with column i of X, so that
//! I(X; Y) = - dim / 2 ln(1 - rho^2). A critic that is trained while I rises in steps shows where each bound stops following.
//!
//! In the harder variant Y becomes (W Y)^3, element by element, with a fixed matrix W. The map is invertible, so I does not change. Here W is
//! a random rotation: it mixes the columns like a matrix with independent entries, and all of them keep variance 1
//! before the cube. (Widely copied programs omit W and only cube Y, so column i of Y still depends on column i of X alone.)

use crate::error::{Error, Result};
use crate::mi::samples::Samples;
use crate::mi::tasks::distribution::{Normal, collect};
use crate::seed::{Stream, stream};
use nalgebra::DMatrix;

/// X and Y with a chosen mutual information.
#[derive(Debug, Clone, PartialEq)]
pub struct Pairs {
    normal: Normal,
    dim: usize,
    /// W of the cubic variant, row-major, (dim, dim).
    rotation: Option<Vec<f64>>,
}

impl Pairs {
    /// X and Y of `dim` columns each (20 in the paper) with I(X; Y) = `nats`, rho = sqrt(1 - exp(-2 nats / dim)). If `cubic`, Y
    /// is rotated and cubed, with the W of `seed`.
    ///
    /// # Errors
    /// `dim` is 0, or `nats` is negative, not finite, or more than 15 per column, where 1 - rho^2 has no digits left.
    pub fn of_information(dim: usize, nats: f64, cubic: bool, seed: u64) -> Result<Pairs> {
        let most = 15.0 * dim as f64;
        if dim == 0 || !(0.0..=most).contains(&nats) {
            let what = format!("{nats} nats cannot be had from {dim} normal columns");
            return Err(Error::usage(what, "use one column or more, and 0 to 15 nats per column"));
        }
        let rho = (-(-2.0 * nats / dim as f64).exp_m1()).sqrt();
        let rotation = cubic.then(|| rotation(dim, seed));
        Ok(Pairs { rotation, ..Pairs::of_correlation(dim, rho)? })
    }

    /// X and Y of `dim` columns each, with the correlation `rho` of column i of X with column i of Y.
    ///
    /// # Errors
    /// `dim` is 0, or `rho` is not between -1 and 1.
    pub fn of_correlation(dim: usize, rho: f64) -> Result<Pairs> {
        if dim == 0 || rho.is_nan() || rho.abs() >= 1.0 {
            let what = format!("{dim} pairs of columns with correlation {rho} and finite information do not exist");
            return Err(Error::usage(what, "use one column or more, and a correlation between -1 and 1"));
        }
        Ok(Pairs { normal: Normal::pairs(dim, dim, rho), dim, rotation: None })
    }

    /// The number of columns of X, which equals that of Y.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// The correlation of column i of X with column i of Y, before the cube.
    pub fn rho(&self) -> f64 {
        self.normal.rho()
    }

    /// Whether Y is rotated and cubed.
    pub fn cubic(&self) -> bool {
        self.rotation.is_some()
    }

    /// I(X; Y) in nats, with or without the cube.
    pub fn truth(&self) -> f64 {
        self.normal.information()
    }

    /// The next `n` independent pairs of a stream, X (n, dim) and Y (n, dim).
    ///
    /// # Errors
    /// `n` is 0.
    pub fn sample(&self, n: usize, rng: &mut Stream) -> Result<(Samples, Samples)> {
        collect(n, [self.dim; 2], |x, y| {
            self.normal.draw(rng, x, y);
            if let Some(rotation) = &self.rotation {
                let dot = |row: &[f64]| row.iter().zip(&*y).map(|(w, y)| w * y).sum::<f64>();
                *y = rotation.chunks_exact(self.dim).map(|row| dot(row).powi(3)).collect();
            }
        })
    }
}

/// W, (dim, dim), row-major: any two rows have length 1 and are orthogonal.
fn rotation(dim: usize, seed: u64) -> Vec<f64> {
    let mut rng = stream(seed, "mi/staircase", 0);
    // A matrix of normal numbers has no preferred direction (Stewart 1980, *The efficient generation of random orthogonal matrices*).
    let mut w = DMatrix::from_fn(dim, dim, |_, _| rng.normal64()).qr().q();
    // A rotation, not a reflection.
    if w.determinant() < 0.0 {
        w.column_mut(0).neg_mut();
    }
    w.transpose().as_slice().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mi::linear::{Covariance, linear};

    fn sample(pairs: &Pairs, n: usize) -> (Samples, Samples) {
        pairs.sample(n, &mut stream(5, "staircase", 0)).unwrap()
    }

    #[test]
    fn information_is_what_was_asked_for() {
        for nats in [0.0, 2.0, 4.0, 6.0, 8.0, 10.0, 100.0] {
            let pairs = Pairs::of_information(20, nats, false, 1).unwrap();
            assert!((pairs.truth() - nats).abs() < 1e-9, "{nats}: {}", pairs.truth());
            assert!((pairs.rho().powi(2) - (1.0 - (-nats / 10.0).exp())).abs() < 1e-15);
        }
        let [down, up] = [-0.5, 0.5].map(|rho| Pairs::of_correlation(3, rho).unwrap());
        assert!(down.truth() == up.truth() && (up.truth() + 1.5 * 0.75f64.ln()).abs() < 1e-14);
        let (x, y) = sample(&Pairs::of_information(20, 10.0, false, 1).unwrap(), 4000);
        assert_eq!((x.dim(), y.dim()), (20, 20));
        // The estimate is unbiased, with a variance of about sum(rho^2) / n.
        let estimate = linear(&x, &y, Covariance::Sample).unwrap().mi;
        assert!((estimate - 10.0).abs() < 0.25, "{estimate}");
    }

    #[test]
    fn the_cube_of_turned_columns_can_be_undone() {
        let plain = sample(&Pairs::of_information(6, 3.0, false, 1).unwrap(), 50);
        let pairs = Pairs::of_information(6, 3.0, true, 1).unwrap();
        let cubic = sample(&pairs, 50);
        assert!(pairs.cubic() && pairs.dim() == 6 && (pairs.truth() - 3.0).abs() < 1e-12);
        assert_eq!(plain.0, cubic.0);
        let rotation = DMatrix::from_row_slice(6, 6, &rotation(6, 1));
        assert!((rotation.transpose() * &rotation - DMatrix::identity(6, 6)).amax() < 1e-14);
        assert!((rotation.determinant() - 1.0).abs() < 1e-13 && self::rotation(6, 1) != self::rotation(6, 2));
        assert!(rotation.iter().filter(|w| w.abs() > 0.05).count() > 24, "it mixes the columns: {rotation}");
        let roots = DMatrix::from_row_slice(50, 6, cubic.1.values()).map(f64::cbrt);
        let undone = roots * rotation;
        assert!((undone - DMatrix::from_row_slice(50, 6, plain.1.values())).amax() < 1e-12);
    }

    #[test]
    fn batches_go_on_where_the_last_one_ended() {
        let pairs = Pairs::of_information(3, 1.0, true, 1).unwrap();
        let mut rng = stream(5, "staircase", 0);
        let parts = [0, 1].map(|_| pairs.sample(10, &mut rng).unwrap().1.values().to_vec()).concat();
        assert_eq!(parts, sample(&pairs, 20).1.values());
    }

    #[test]
    fn what_cannot_be_is_refused() {
        for (dim, nats) in [(0, 1.0), (0, 0.0), (2, -1.0), (2, f64::NAN), (2, f64::INFINITY), (2, 31.0)] {
            assert_eq!(Pairs::of_information(dim, nats, false, 1).unwrap_err().exit_code(), 2, "{dim} {nats}");
        }
        let e = Pairs::of_information(2, -1.0, false, 1).unwrap_err();
        assert_eq!(e.to_string(), "-1 nats cannot be had from 2 normal columns");
        for (dim, rho) in [(0, 0.5), (2, 1.0), (2, -1.0), (2, f64::NAN)] {
            assert_eq!(Pairs::of_correlation(dim, rho).unwrap_err().exit_code(), 2, "{dim} {rho}");
        }
        let pairs = Pairs::of_information(2, 1.0, false, 1).unwrap();
        assert_eq!(pairs.sample(0, &mut stream(5, "staircase", 0)).unwrap_err().exit_code(), 2);
    }
}
