//! A table of vectors; each batch uses a few of its rows.
//!
//! A gradient of the whole table would be zero except for the rows of the batch, and as large as the table: 50 MB for the 20,000 words and 620
//! dimensions of the paper. So the rows of a batch are copied into a separate leaf, [`Rows`], which the model returns along with its loss. The
//! optimizer takes the gradient of that leaf and updates only these rows of the table.

use crate::error::{Error, Result};
use candle_core::{Tensor, Var};
use candle_nn::{Init, VarBuilder};
use std::sync::Arc;

/// The rows of a table that a batch uses.
#[derive(Debug, Clone)]
pub struct EmbeddingRows {
    /// The table's name in the parameter store.
    pub name: String,
    /// The row indices, ascending and without repetition.
    pub ids: Arc<[u32]>,
    /// Their values (U, M): a leaf of the graph, or a constant if the table is frozen.
    pub values: Tensor,
}

/// A table (V, M).
#[derive(Debug, Clone)]
pub struct Embedding {
    table: Tensor,
    name: String,
}

impl Embedding {
    /// A table of `rows` vectors of `dim` dimensions, initialized as standard normal like PyTorch's `Embedding`. `vb` is rooted at its name, to
    /// which `weight` is appended.
    pub fn new(rows: usize, dim: usize, vb: VarBuilder) -> Result<Self> {
        let table = vb.get_with_hints((rows, dim), "weight", Init::Randn { mean: 0.0, stdev: 1.0 })?;
        let name = if vb.prefix().is_empty() { "weight".into() } else { format!("{}.weight", vb.prefix()) };
        Ok(Embedding { table, name })
    }

    /// The table (V, M) in its current state.
    pub fn table(&self) -> &Tensor {
        &self.table
    }

    /// The rows `ids`, which must be in ascending order.
    ///
    /// # Errors
    /// If the table does not have one of the rows.
    pub fn rows(&self, ids: &Arc<[u32]>) -> Result<EmbeddingRows> {
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
        Ok(EmbeddingRows { name: self.name.clone(), ids: ids.clone(), values })
    }
}
