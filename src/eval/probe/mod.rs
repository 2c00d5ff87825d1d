//! Probing: what a simple classifier can read from frozen features.
//!
//! [`probe`](study::probe) trains a linear classifier on frozen features and tests it on utterances that it has not seen. Its parts, in
//! the order of the work: [`labels`] are read, a [`split`] assigns utterances to training and test, a [`protocol`] determines what is
//! classified, and a [`table`] holds the labeled rows. Then [`logistic`] regression (by [`lbfgs`], with a [`penalty`] chosen on held-out
//! utterances) or a [`hidden`] layer is trained. The results are [`metrics`] and a [`bootstrap`] interval. [`projection`] makes a map of
//! the rows.

pub mod bootstrap;
pub mod hidden;
pub mod labels;
pub mod lbfgs;
pub mod linear;
pub mod logistic;
pub mod metrics;
pub mod outcome;
pub mod pca;
pub mod penalty;
pub mod precondition;
pub mod projection;
pub mod protocol;
pub mod several;
pub mod softmax;
pub mod split;
pub mod standard;
pub mod standardize;
pub mod study;
pub mod table;
pub mod tsne;

#[cfg(test)]
pub(crate) mod fixtures;
