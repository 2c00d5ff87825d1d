//! Mutual information by a critic that is trained: every bound of [`crate::objective::Bound`] on samples.
//!
//! [`fit`] trains one critic on some rows and stops where other rows say so; [`cross_fit`] does this for each of several folds and takes the
//! value of the bound from rows that took part in neither. A critic may start from a copula ([`crate::mi::copula`]): then the network
//! learns the residual, what the copula does not say.

mod fit;
mod learner;
mod protocol;
mod scores;
mod training;

pub use fit::{CurvePoint, Fitted, fit};
pub use protocol::{Crossed, Protocol, cross_fit};
pub use scores::Rows;
pub use training::Training;

pub(crate) use learner::Learner;
