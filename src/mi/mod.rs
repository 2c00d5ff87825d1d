//! Mutual information: exact for discrete variables, estimated for samples.

pub mod canonical;
pub mod copula;
pub mod digamma;
pub mod discrete;
pub mod estimate;
pub mod histogram;
pub mod interval;
pub mod linear;
pub mod neighbours;
pub mod neural;
pub mod parallel;
pub mod permutation;
pub mod ranks;
pub mod samples;
pub mod variable;

#[cfg(test)]
mod fixtures;
