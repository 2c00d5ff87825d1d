//! Lagged information and transfer entropy of one past of X.

use crate::error::Result;
use crate::mi::linear::{Covariance, linear};
use crate::mi::neighbors::{Given, Place, shared};
use crate::mi::samples::Samples;
use crate::mi::transfer::Method;

/// What is the same for all lags and shifts.
pub(super) enum Measure {
    Neighbors { now: Box<Place>, given: Box<Given>, k: usize },
    Copula { now: Samples, known: Samples, both: Samples },
}

impl Measure {
    pub(super) fn new(now: &Samples, known: &Samples, method: Method) -> Result<Measure> {
        Ok(match method {
            Method::Neighbors(k) => {
                let given = Box::new(Given::new(now, known)?);
                Measure::Neighbors { now: Box::new(Place::new(now.clone())), given, k }
            }
            Method::Copula => Measure::Copula { now: now.clone(), known: known.clone(), both: now.beside(known)? },
        })
    }

    /// Lagged information and transfer entropy of a past of X, in nats, and the number of rows that had no neighbors of the same labels.
    pub(super) fn of(&self, before: Samples) -> Result<([f64; 2], usize)> {
        match self {
            Measure::Neighbors { now, given, k } => {
                let transfer = given.shared(&before, *k)?;
                Ok(([shared(&Place::new(before), now, *k)?.mi, transfer.mi], transfer.left_out.len()))
            }
            Measure::Copula { now, known, both } => {
                let of = |side: &Samples| -> Result<f64> { Ok(linear(&before, side, Covariance::Sample)?.mi) };
                Ok(([of(now)?, of(both)? - of(known)?], 0))
            }
        }
    }
}
