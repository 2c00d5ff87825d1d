//! The mean and deviation of each column, over the rows of some utterances.

use crate::error::Result;
use crate::eval::probe::standard::Standard;
use crate::eval::probe::table::Table;
use crate::ops::simd::vectorized;
use rayon::prelude::*;

/// Means and deviations over the rows of some utterances, accumulated in f64. A column that is constant (to f32 rounding) becomes 0.
///
/// # Errors
/// If rows cannot be read.
pub fn standardize(table: &Table, items: &[usize]) -> Result<Standard> {
    let dim = table.dim();
    let plain = Standard::identity(dim);
    // Sums of differences from a first row stay precise where the mean is large compared to the deviation.
    let origin = match items.iter().find(|&&i| !table.items()[i].rows.is_empty()) {
        Some(&i) => table.rows(i, &plain)?[..dim].to_vec(),
        None => vec![0.0; dim],
    };
    let parts = table.parts(items);
    let sums: Vec<(Vec<f64>, Vec<f64>)> = parts
        .par_iter()
        .map(|part| {
            let (mut sum, mut squares) = (vec![0.0; dim], vec![0.0; dim]);
            table.chunks(part, &plain, |rows, _| {
                vectorized(|| {
                    for row in rows.chunks_exact(dim) {
                        let sums = sum.iter_mut().zip(&mut squares);
                        for ((&x, &o), (sum, squares)) in row.iter().zip(&origin).zip(sums) {
                            let x = f64::from(x) - f64::from(o);
                            *sum += x;
                            *squares += x * x;
                        }
                    }
                });
                Ok(())
            })?;
            Ok((sum, squares))
        })
        .collect::<Result<_>>()?;
    let n = table.rows_of(items).max(1) as f64;
    let (mut mean, mut scale) = (Vec::with_capacity(dim), Vec::with_capacity(dim));
    for (c, &origin) in origin.iter().enumerate() {
        let m = sums.iter().map(|s| s.0[c]).sum::<f64>() / n;
        let variance = (sums.iter().map(|s| s.1[c]).sum::<f64>() / n - m * m).max(0.0);
        let center = f64::from(origin) + m;
        let constant = variance.sqrt() <= 1e-6 * center.abs().max(f64::from(f32::MIN_POSITIVE));
        mean.push(center as f32);
        scale.push(if constant { 0.0 } else { (1.0 / variance.sqrt()) as f32 });
    }
    Ok(Standard::new(mean, scale))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::probe::fixtures::{Corpus, reading};
    use crate::eval::probe::protocol::Protocol;

    #[test]
    fn columns_get_mean_0_and_variance_1_and_constant_ones_become_0() {
        let mut corpus = Corpus::new(6, 200, 4, 2);
        for row in corpus.rows.iter_mut().flat_map(|rows| rows.chunks_exact_mut(4)) {
            row[1] += 1e4; // a large mean with a small deviation
            row[2] = 0.1;
        }
        let set = corpus.set();
        let table = Table::gather(&set, &corpus.ids(), &corpus.labels(), &reading(Protocol::Frame)).unwrap();
        let items: Vec<usize> = (0..6).collect();
        let standard = standardize(&table, &items).unwrap();
        let rows: Vec<f32> = items.iter().flat_map(|&i| table.rows(i, &standard).unwrap()).collect();
        for c in 0..4 {
            let column: Vec<f64> = rows.chunks_exact(4).map(|r| f64::from(r[c])).collect();
            let mean = column.iter().sum::<f64>() / column.len() as f64;
            let variance = column.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / column.len() as f64;
            if c == 2 {
                assert!(column.iter().all(|&x| x == 0.0));
            } else {
                assert!(mean.abs() < 1e-3 && (variance - 1.0).abs() < 1e-3, "{c}: {mean} {variance}");
            }
        }
    }
}
