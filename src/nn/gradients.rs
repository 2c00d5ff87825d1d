//! The gradients of the parameters, of one batch or of several that are added up.

use crate::error::{Error, Result};
use crate::ops::adam;
use candle_core::Tensor;
use std::sync::Arc;

/// The gradient of one parameter.
pub(super) enum Grad {
    Whole(Tensor),
    Rows(Arc<[u32]>, Tensor), // of some rows: ascending ids, values (U, M)
}

impl Grad {
    pub fn values(&self) -> &Tensor {
        match self {
            Grad::Whole(values) | Grad::Rows(_, values) => values,
        }
    }

    pub fn plus(self, other: Grad) -> Result<Grad> {
        let at = |ids: &[u32], values: &Tensor| Tensor::from_slice(ids, ids.len(), values.device());
        Ok(match (self, other) {
            (Grad::Whole(a), Grad::Whole(b)) => Grad::Whole((a + b)?),
            (Grad::Whole(whole), Grad::Rows(ids, rows)) | (Grad::Rows(ids, rows), Grad::Whole(whole)) => {
                Grad::Whole(whole.index_add(&at(&ids, &rows)?, &rows, 0)?)
            }
            (Grad::Rows(a, a_rows), Grad::Rows(b, b_rows)) => {
                let mut ids = [&a[..], &b[..]].concat();
                ids.sort_unstable();
                ids.dedup();
                let places = |some: &[u32]| -> Vec<u32> {
                    some.iter().map(|id| ids.partition_point(|other| other < id) as u32).collect()
                };
                let sum = Tensor::zeros((ids.len(), a_rows.dim(1)?), a_rows.dtype(), a_rows.device())?;
                let sum = sum.index_add(&at(&places(&a), &a_rows)?, &a_rows, 0)?;
                let sum = sum.index_add(&at(&places(&b), &b_rows)?, &b_rows, 0)?;
                Grad::Rows(ids.into(), sum)
            }
        })
    }
}

/// Gradients in the order of the parameters; none where a batch did not involve the parameter.
pub struct Gradients(pub(super) Vec<Option<Grad>>);

impl Gradients {
    /// The global norm, a scalar on the device of the gradients.
    pub fn norm(&self) -> Result<Tensor> {
        Ok(self.norm_and_factor(1.0, 0.0)?.0.reshape(())?)
    }

    pub(super) fn norm_and_factor(&self, scale: f64, clip: f64) -> Result<(Tensor, Tensor)> {
        let grads: Vec<&Tensor> = self.0.iter().flatten().map(Grad::values).collect();
        if grads.is_empty() {
            return Err(Error::failed("no parameter has a gradient", "report this as a bug in cpc"));
        }
        adam::norm(&grads, scale, clip)
    }

    /// Adds another batch's gradients.
    pub fn add(&mut self, other: Gradients) -> Result<()> {
        for (sum, g) in self.0.iter_mut().zip(other.0) {
            *sum = match (sum.take(), g) {
                (Some(a), Some(b)) => Some(a.plus(b)?),
                (a, b) => a.or(b),
            };
        }
        Ok(())
    }
}
