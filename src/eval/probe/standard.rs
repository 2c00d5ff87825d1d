//! Standardized inputs: x' = (x - mean) / deviation, column by column.
//!
//! Without this a penalty on the weights would depend on the units of the columns, and the optimizer would converge very slowly.

use crate::ops::simd::vectorized;

/// The standardization of each column.
#[derive(Debug, Clone, PartialEq)]
pub struct Standard {
    mean: Vec<f32>,
    scale: Vec<f32>,
}

impl Standard {
    /// The identity: leaves rows unchanged.
    pub fn identity(dim: usize) -> Self {
        Standard { mean: vec![0.0; dim], scale: vec![1.0; dim] }
    }

    /// A standardization with the given mean and scale of each column.
    pub fn new(mean: Vec<f32>, scale: Vec<f32>) -> Self {
        Standard { mean, scale }
    }

    /// What the values of column `j` are multiplied by.
    pub fn scale_of(&self, j: usize) -> f32 {
        self.scale[j]
    }

    /// Appends standardized rows (n, D).
    pub fn append(&self, rows: &[f32], out: &mut Vec<f32>) {
        let (mean, scale) = (self.mean.as_slice(), self.scale.as_slice());
        vectorized(|| {
            for row in rows.chunks_exact(mean.len().max(1)) {
                out.extend(row.iter().zip(mean).zip(scale).map(|((x, m), s)| (x - m) * s));
            }
        });
    }
}
