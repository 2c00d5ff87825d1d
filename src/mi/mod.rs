//! Mutual information: exact for discrete variables, estimated for samples.

pub mod atoms;
pub mod bench;
pub mod canonical;
pub mod classes;
pub mod classifier;
pub mod contingency;
pub mod copies;
pub mod copula;
pub mod digamma;
pub mod discrete;
pub mod equitability;
pub mod estimate;
pub mod histogram;
pub mod input;
pub mod interval;
pub mod linear;
pub mod matrix;
pub mod neighbors;
pub mod neural;
pub mod normality;
pub mod parallel;
pub mod permutation;
pub mod principal;
pub mod products;
pub mod ranks;
pub mod residual;
pub mod samples;
pub mod screening;
pub mod select;
pub mod selfcheck;
pub mod series;
pub mod staircase;
pub mod tasks;
pub mod transfer;
pub mod variable;

pub use estimate::{Estimate, Estimator, Settings, estimate};

#[cfg(test)]
mod fixtures;
