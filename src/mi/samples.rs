//! Samples of a variable of one or more dimensions: n rows of `dim` finite numbers.

use crate::error::{Error, Result};

/// The number of faulty rows that an error names.
const NAMED: usize = 10;

/// n rows of `dim` finite numbers, row-major.
#[derive(Debug, Clone, PartialEq)]
pub struct Samples {
    values: Vec<f64>,
    dim: usize,
}

impl Samples {
    /// Samples from `values` (n, dim), row-major.
    ///
    /// # Errors
    /// There are no rows, the length is not a multiple of `dim`, or a value is NaN or infinite (the error numbers rows from 1).
    pub fn new(values: Vec<f64>, dim: usize) -> Result<Samples> {
        if dim == 0 || values.is_empty() || !values.len().is_multiple_of(dim) {
            let what = format!("{} values do not form rows of {dim}", values.len());
            return Err(Error::usage(what, "give at least one row of at least one column"));
        }
        let bad: Vec<usize> = (0..values.len() / dim)
            .filter(|i| values[i * dim..][..dim].iter().any(|v| !v.is_finite()))
            .map(|i| i + 1)
            .collect();
        if bad.is_empty() {
            return Ok(Samples { values, dim });
        }
        let named: Vec<String> = bad.iter().take(NAMED).map(usize::to_string).collect();
        let more = if bad.len() > NAMED { format!(" and {} more", bad.len() - NAMED) } else { String::new() };
        let what = format!("NaN or infinity in row {}{more}", named.join(", "));
        Err(Error::failed(what, "repair these rows or leave them out (--drop-nan)"))
    }

    /// The number of rows.
    pub fn len(&self) -> usize {
        self.values.len() / self.dim
    }

    /// Always false: there is at least one row.
    pub fn is_empty(&self) -> bool {
        false
    }

    /// The number of columns.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// Row `i`, (dim).
    pub fn row(&self, i: usize) -> &[f64] {
        &self.values[i * self.dim..][..self.dim]
    }

    /// All rows, row-major, (n, dim).
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// The given rows, in the given order; a row may occur more than once.
    pub fn take(&self, rows: &[usize]) -> Samples {
        let values = rows.iter().flat_map(|&i| self.row(i)).copied().collect();
        Samples { values, dim: self.dim }
    }

    /// The given columns, in the given order.
    ///
    /// # Errors
    /// No column is given, or one does not exist.
    pub fn columns(&self, columns: &[usize]) -> Result<Samples> {
        if columns.iter().any(|&j| j >= self.dim) {
            return Err(Error::usage(format!("there are {} columns", self.dim), "columns are counted from 0"));
        }
        let values = (0..self.len()).flat_map(|i| columns.iter().map(move |&j| self.row(i)[j])).collect();
        Samples::new(values, columns.len())
    }

    /// Each row of `self` followed by the same row of `other`, (n, dim + dim).
    ///
    /// # Errors
    /// They have different numbers of rows.
    pub fn beside(&self, other: &Samples) -> Result<Samples> {
        self.check_pairs(other)?;
        let values = (0..self.len()).flat_map(|i| self.row(i).iter().chain(other.row(i))).copied().collect();
        Ok(Samples { values, dim: self.dim + other.dim })
    }

    /// Each column with mean 0 and variance 1 (divisor n); a constant column becomes 0.
    pub fn standardized(&self) -> Samples {
        let n = self.len() as f64;
        let mut values = self.values.clone();
        for j in 0..self.dim {
            let column = || self.values.iter().skip(j).step_by(self.dim);
            let first = self.values[j];
            let constant = column().all(|&v| v == first);
            // The first value is subtracted before summing, so that a large offset costs no digits.
            let mean = first + column().map(|v| (v - first) / n).sum::<f64>();
            let scale = column().map(|v| (v - mean).abs()).fold(0.0, f64::max);
            let deviation = scale * (column().map(|v| ((v - mean) / scale).powi(2)).sum::<f64>() / n).sqrt();
            for v in values.iter_mut().skip(j).step_by(self.dim) {
                *v = if constant || deviation == 0.0 { 0.0 } else { (*v - mean) / deviation };
            }
        }
        Samples { values, dim: self.dim }
    }

    /// Checks that both have the same number of rows.
    ///
    /// # Errors
    /// They have different numbers of rows.
    pub fn check_pairs(&self, other: &Samples) -> Result<()> {
        if self.len() == other.len() {
            return Ok(());
        }
        let what = format!("X has {} rows and Y has {}", self.len(), other.len());
        Err(Error::failed(what, "give one row of Y for each row of X, in the same order"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_with_nan_or_infinity_are_named_from_one() {
        let e = Samples::new(vec![1.0, 2.0, f64::NAN, 0.0, 1.0, f64::INFINITY], 2).unwrap_err();
        assert_eq!(e.to_string(), "NaN or infinity in row 2, 3");
        assert_eq!(e.exit_code(), 1);
        let e = Samples::new(vec![f64::NAN; 13], 1).unwrap_err();
        assert!(e.to_string().ends_with("9, 10 and 3 more"), "{e}");
    }

    #[test]
    fn what_is_no_table_is_refused() {
        for (values, dim) in [(vec![], 1), (vec![1.0; 3], 2), (vec![1.0], 0)] {
            assert_eq!(Samples::new(values, dim).unwrap_err().exit_code(), 2);
        }
        let (two, three) = (Samples::new(vec![0.0; 2], 1).unwrap(), Samples::new(vec![0.0; 3], 1).unwrap());
        assert_eq!(two.beside(&three).unwrap_err().to_string(), "X has 2 rows and Y has 3");
    }

    #[test]
    fn standardized_columns_have_mean_0_and_variance_1_far_from_0_too() {
        let s = Samples::new(vec![1e9, 5.0, 1e9 + 1.0, 5.0, 1e9 + 2.0, 5.0], 2).unwrap().standardized();
        let expected = 1.5f64.sqrt();
        for (value, expected) in s.values().iter().zip([-expected, 0.0, 0.0, 0.0, expected, 0.0]) {
            assert!((value - expected).abs() < 1e-12, "{value} {expected}");
        }
        let extreme = Samples::new(vec![-1e300, 1e300], 1).unwrap().standardized();
        assert_eq!(extreme.values(), [-1.0, 1.0]);
    }

    #[test]
    fn rows_are_taken_and_put_beside_each_other() {
        let (x, y) = (Samples::new(vec![1.0, 2.0], 1).unwrap(), Samples::new(vec![3.0, 4.0, 5.0, 6.0], 2).unwrap());
        assert_eq!(x.beside(&y).unwrap().take(&[1, 0]).values(), [2.0, 5.0, 6.0, 1.0, 3.0, 4.0]);
        assert_eq!(y.columns(&[1]).unwrap().values(), [4.0, 6.0]);
        assert!(y.columns(&[2]).is_err() && y.columns(&[]).is_err());
    }
}
