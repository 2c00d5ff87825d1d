//! State that forward passes of training change without gradients: the running statistics of batch norm, the running mean of MINE.
//!
//! Where several processes compute the batches of an update, each takes what its batches contribute ([`taking`]), and all of them apply the
//! contributions of all batches in order ([`Taken::apply`]). A forward pass does not see the contributions of other batches of its update.

use crate::error::Result;
use candle_core::Tensor;
use std::cell::RefCell;
use std::fmt;
use std::sync::Arc;

thread_local! {
    /// What the running forward pass has taken; none if contributions are applied at once.
    static TAKEN: RefCell<Option<Vec<Taken>>> = const { RefCell::new(None) };
}

type Apply = Arc<dyn Fn(&[Tensor]) -> Result<()> + Send + Sync>;

/// What one batch contributes to some state.
#[derive(Clone)]
pub struct Taken {
    values: Vec<Tensor>,
    apply: Apply,
}

impl fmt::Debug for Taken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.values)
    }
}

impl Taken {
    /// The contribution of this batch.
    pub fn values(&self) -> &[Tensor] {
        &self.values
    }

    /// Changes the state by the contribution of a batch: this one, or another of the same shapes.
    ///
    /// # Errors
    /// It has other shapes.
    pub fn apply(&self, values: &[Tensor]) -> Result<()> {
        (self.apply)(values)
    }
}

/// Does some work on this thread, and takes what its forward passes contribute, in the order in which they do, without applying it.
pub fn taking<T>(work: impl FnOnce() -> T) -> (T, Vec<Taken>) {
    let outer = TAKEN.replace(Some(Vec::new()));
    let done = work();
    (done, TAKEN.replace(outer).unwrap_or_default())
}

/// Contributes `values`: `apply` changes the state by them, now or later.
pub(crate) fn contribute(
    values: Vec<Tensor>,
    apply: impl Fn(&[Tensor]) -> Result<()> + Send + Sync + 'static,
) -> Result<()> {
    let values: Vec<Tensor> = values.iter().map(Tensor::detach).collect();
    let taken = Taken { values, apply: Arc::new(apply) };
    let now = TAKEN.with_borrow_mut(|all| match all {
        Some(all) => {
            all.push(taken.clone());
            false
        }
        None => true,
    });
    if now { taken.apply(&taken.values) } else { Ok(()) }
}
