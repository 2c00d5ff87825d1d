//! A table of vectors of which each batch uses a few rows.
//!
//! A gradient of the whole table would be zeros but for the rows of the batch, and as large as the table: 50 MB for the paper's
//! 20,000 words of 620 numbers. So the rows of a batch are taken out into a leaf of their own, [`Rows`], which the model hands out beside its
//! loss; the optimizer takes that leaf's gradient and moves these rows of the table alone.

use crate::error::{Error, Result};
use candle_core::{Tensor, Var};
use candle_nn::{Init, VarBuilder};
use std::sync::Arc;

/// Rows of a table that a batch uses.
#[derive(Debug, Clone)]
pub struct Rows {
    /// The table's name in the parameter store.
    pub name: String,
    /// Which rows, ascending, each once.
    pub ids: Arc<[u32]>,
    /// Their values (U, M): a leaf that the gradient ends at, or a constant if the table is frozen.
    pub values: Tensor,
}

/// A table (V, M).
#[derive(Debug, Clone)]
pub struct Embedding {
    table: Tensor,
    name: String,
}

impl Embedding {
    /// A table of `rows` vectors of `dim` numbers, standard normal as PyTorch's `Embedding` starts; `vb` stands at its name, to
    /// which `weight` is added.
    pub fn new(rows: usize, dim: usize, vb: VarBuilder) -> Result<Self> {
        let table = vb.get_with_hints((rows, dim), "weight", Init::Randn { mean: 0.0, stdev: 1.0 })?;
        let name = if vb.prefix().is_empty() { "weight".into() } else { format!("{}.weight", vb.prefix()) };
        Ok(Embedding { table, name })
    }

    /// The table (V, M), as it is now.
    pub fn table(&self) -> &Tensor {
        &self.table
    }

    /// The rows `ids`, which must ascend.
    ///
    /// # Errors
    /// A row that the table does not have.
    pub fn rows(&self, ids: &Arc<[u32]>) -> Result<Rows> {
        let size = self.table.dim(0)?;
        if let Some(&last) = ids.last().filter(|&&last| last as usize >= size) {
            return Err(Error::failed(
                format!("token {last} is outside the model's vocabulary of {size}"),
                "use the tokenizer that the model was trained with",
            ));
        }
        let at = Tensor::from_slice(ids, ids.len(), self.table.device())?;
        let values = self.table.detach().index_select(&at, 0)?;
        let values = if self.table.track_op() { Var::from_tensor(&values)?.as_tensor().clone() } else { values };
        Ok(Rows { name: self.name.clone(), ids: ids.clone(), values })
    }
}
