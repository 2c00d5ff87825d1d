//! What kinds of models share: predictions against what comes, objectives that are sums of terms, and MINE inside a larger network.

mod contrast;
mod descent;
mod estimator;
#[cfg(test)]
pub(crate) mod slope;

pub use contrast::{Contrast, Latents};
pub(crate) use descent::Sum;
pub use descent::{Descent, OfImages};
pub(crate) use estimator::{Estimator, rolled};
