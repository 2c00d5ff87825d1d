//! The rows of series that have a whole past, and that past.

use crate::error::{Error, Result};
use crate::mi::samples::Samples;
use std::ops::Range;

/// The smallest number of rows.
pub(super) const ROWS: usize = 40;

/// The rows that have `reach` rows before them in the same stretch.
///
/// # Errors
/// There are fewer than `least`.
pub(super) fn present(stretches: &[Range<usize>], reach: usize, least: usize) -> Result<Vec<usize>> {
    let rows: Vec<usize> = stretches.iter().flat_map(|s| (s.start + reach)..s.end.max(s.start + reach)).collect();
    if rows.len() >= least {
        return Ok(rows);
    }
    let longest = stretches.iter().map(ExactSizeIterator::len).max().unwrap_or(0);
    Err(Error::failed(
        format!(
            "{} rows have {reach} rows before them, and {least} are needed; the longest stretch without a gap has {longest} rows",
            rows.len()
        ),
        "choose shorter --lags and --history, give longer series, fill gaps of a few rows, or sort a table of several series by these",
    ))
}

/// What the series was `lags` rows before each of `rows`: (rows, lags x dim), in the order of the lags; None without lags.
pub(super) fn past(series: &Samples, rows: &[usize], lags: Range<usize>) -> Result<Option<Samples>> {
    let mut all: Option<Samples> = None;
    for lag in lags {
        let before: Vec<usize> = rows.iter().map(|row| row - lag).collect();
        let one = series.take(&before);
        all = Some(all.map_or_else(|| Ok(one.clone()), |all| all.beside(&one))?);
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_past_reaches_over_a_gap() {
        let rows = present(&[0..4, 4..5, 5..8], 2, 1).unwrap();
        assert_eq!(rows, [2, 3, 7]);
        let series = Samples::new((0..16).map(f64::from).collect(), 2).unwrap();
        let found = past(&series, &rows, 1..3).unwrap().unwrap();
        assert_eq!(found.row(0), [2.0, 3.0, 0.0, 1.0]);
        assert_eq!(found.row(2), [12.0, 13.0, 10.0, 11.0]);
        assert!(past(&series, &rows, 1..1).unwrap().is_none());
        let error = present(&[0..4, 5..8], 3, 2).unwrap_err().to_string();
        assert!(error.contains("1 rows have 3 rows before them") && error.contains("has 4 rows"), "{error}");
    }
}
