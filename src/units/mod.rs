//! Discrete units: in place of each frame of features, the number of the nearest of K centroids.
//!
//! [`kmeans`] finds the centroids, [`Codebook`] keeps them in a file, [`Tally`] measures what units have to do with phones, and [`UnitFormat`] writes
//! them as text.

mod codebook;
mod format;
pub mod kmeans;
mod tally;

pub use codebook::{About, Codebook};
pub use format::{UnitFormat, UnitLine, merged};
pub use tally::{Phones, Quality, Tally};
