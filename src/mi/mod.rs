//! Mutual information: exact for discrete variables, estimated for samples.

pub mod bench;
pub mod canonical;
pub mod copula;
pub mod digamma;
pub mod discrete;
pub mod estimate;
pub mod histogram;
pub mod input;
pub mod interval;
pub mod linear;
pub mod neighbors;
pub mod neural;
pub mod parallel;
pub mod permutation;
pub mod ranks;
pub mod samples;
pub mod selfcheck;
pub mod staircase;
pub mod tasks;
pub mod variable;

pub use estimate::{Estimate, Estimator, Settings, estimate};

#[cfg(test)]
mod fixtures;
