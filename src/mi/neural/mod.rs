//! Mutual information by a trained critic: every bound of [`crate::objective::Bound`] on samples.
//!
//! [`fit`] trains one critic on some rows and uses other rows to decide when to stop. [`cross_fit`] does this for each of several folds and
//! evaluates the bound on rows that were used for neither. A critic may start from a copula ([`crate::mi::copula`]): then the network
//! learns the residual, the dependence that the copula does not describe.

mod fit;
mod learner;
mod protocol;
mod scores;
mod training;

pub use fit::{CurvePoint, Fitted, fit};
pub use protocol::{Crossed, Protocol, cross_fit};
pub use scores::HeldOutRows;
pub use training::Training;

pub(crate) use learner::Learner;
