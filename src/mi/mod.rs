//! Mutual information: exact for discrete variables, estimated for samples.

pub mod digamma;
pub mod discrete;
pub mod histogram;
pub mod interval;
pub mod linear;
pub mod neighbours;
pub mod permutation;
pub mod samples;
