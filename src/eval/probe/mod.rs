//! What a simple classifier reads off frozen features.
//!
//! [`probe`](study::probe) trains a linear classifier on frozen features and tests it on utterances that it has not
//! seen. Its parts, in the order of the work: [`labels`] are read, a [`split`] says who trains and who tests, a
//! [`protocol`] says what is classified, a [`table`] holds the labelled rows, [`logistic`] regression (by [`lbfgs`],
//! with a [`penalty`] that is chosen) or a [`hidden`] layer is trained, [`metrics`] and a [`bootstrap`] interval come
//! out. [`projection`] makes a map of the rows.

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
pub mod softmax;
pub mod split;
pub mod standard;
pub mod standardise;
pub mod study;
pub mod table;
pub mod tsne;

#[cfg(test)]
pub(crate) mod fixtures;
