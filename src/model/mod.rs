//! What kinds of models share: predictions against what comes, objectives that are sums of terms, and MINE inside a larger network.

mod contrast;
mod descent;
#[cfg(feature = "images")]
mod estimator;
#[cfg(test)]
pub(crate) mod slope;
#[cfg(feature = "images")]
mod sum;

pub use contrast::{Contrast, Latents};
pub use descent::{Descent, OfImages};
#[cfg(feature = "images")]
pub(crate) use estimator::{Estimator, rolled};
#[cfg(feature = "images")]
pub(crate) use sum::Sum;
