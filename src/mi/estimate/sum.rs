//! Sums of estimates over groups of rows.

use crate::mi::estimate::Estimate;
use crate::mi::interval::error_of;

/// The sum of terms, each estimated on the rows of a group.
pub(super) struct Sum {
    /// The sum, each term weighted with its share of the rows.
    pub(super) nats: f64,
    /// The value of each row.
    pub(super) local: Vec<f64>,
    /// The variance of the sum, without that of the sizes of groups.
    pub(super) variance: f64,
    /// What estimated the terms, each once.
    pub(super) methods: Vec<String>,
    /// The warnings of the terms, each once.
    pub(super) warnings: Vec<String>,
}

impl Sum {
    /// No terms yet, of `n` rows.
    pub(super) fn new(n: usize) -> Sum {
        Sum { nats: 0.0, local: vec![0.0; n], variance: 0.0, methods: Vec::new(), warnings: Vec::new() }
    }

    /// Adds the estimate of these rows.
    pub(super) fn add(&mut self, found: Estimate, rows: &[usize]) {
        let part = rows.len() as f64 / self.local.len() as f64;
        self.nats += part * found.nats;
        let mut local = vec![found.nats; rows.len()];
        found.pointwise.iter().for_each(|&(row, value)| local[row as usize] = value);
        // Rows that were left out have the mean of the others, so that the mean is that of the estimate.
        let shift = found.nats - local.iter().sum::<f64>() / local.len() as f64;
        rows.iter().zip(local).for_each(|(&row, value)| self.local[row] += value + shift);
        let error = error_of(found.ci95);
        self.variance += if error.is_finite() { (part * error).powi(2) } else { 0.0 };
        if !self.methods.contains(&found.method) {
            self.methods.push(found.method);
        }
        for warning in found.warnings {
            if !self.warnings.contains(&warning) {
                self.warnings.push(warning);
            }
        }
    }

    /// The variance of the sum over these groups of rows, whose sizes vary too.
    pub(super) fn variance_over(&self, groups: &[Vec<usize>]) -> f64 {
        let n = self.local.len() as f64;
        let between = groups.iter().map(|rows| {
            let mean = rows.iter().map(|&row| self.local[row]).sum::<f64>() / rows.len() as f64;
            rows.len() as f64 / n * (mean - self.nats).powi(2)
        });
        self.variance + between.sum::<f64>() / n
    }
}
