//! A linear classifier: scores W x + b of rows x.

use crate::error::Result;
use crate::eval::probe::table::CHUNK;
use crate::ops::matrix::{View, ViewMut, multiply};

/// A trained classifier of standardized rows.
#[derive(Debug, Clone)]
pub struct Linear {
    /// W (K, D), then b (K).
    pub parameters: Vec<f64>,
    weights: Vec<f32>,
    dim: usize,
}

impl Linear {
    /// A classifier of `dim`-dimensional rows with the given parameters.
    pub fn new(parameters: Vec<f64>, dim: usize) -> Self {
        let weights = parameters.iter().map(|&w| w as f32).collect();
        Linear { parameters, weights, dim }
    }

    fn classes(&self) -> usize {
        self.weights.len() / (self.dim + 1)
    }

    /// Scores (K, [`CHUNK`]) of at most [`CHUNK`] rows (n, D).
    ///
    /// # Errors
    /// If the shapes do not fit.
    pub fn scores(&self, rows: &[f32], scores: &mut Vec<f32>) -> Result<()> {
        let (dim, classes) = (self.dim, self.classes());
        let n = rows.len() / dim;
        scores.resize(classes * CHUNK, 0.0);
        let (weights, bias) = self.weights.split_at(classes * dim);
        scores.chunks_exact_mut(CHUNK).zip(bias).for_each(|(row, &b)| row[..n].fill(b));
        let (w, x) = (View::new(weights, classes, dim, dim)?, View::new(rows, n, dim, dim)?);
        multiply(ViewMut::new(scores, classes, n, CHUNK)?, true, w, x.t(), true)
    }
}
