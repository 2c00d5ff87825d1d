//! Information theory of discrete variables: exact for tables of probabilities, estimated for samples.
//!
//! | | |
//! |---|---|
//! | H(X) = - sum p(x) log p(x) | entropy |
//! | H(X given Y) = H(X, Y) - H(Y) | conditional entropy |
//! | I(X; Y) = sum p(x, y) log p(x, y) / (p(x) p(y)) | mutual information |
//! | I(X; Y given Z) = sum p(x, y, z) log p(z) p(x, y, z) / (p(x, z) p(y, z)) | conditional mutual information |
//! | H(p, q) = - sum p log q, KL(p, q) = sum p log p / q | cross-entropy, Kullback-Leibler divergence |
//!
//! 0 log 0 = 0 throughout (Cover and Thomas, *Elements of Information Theory*, chapter 2, whose identities are the tests of
//! this module). All values are in nats; [`Unit`] converts them to bits or hartleys.
//!
//! A [`Joint`] is a table of probabilities over any number of variables, and [`Counts`] is a table of sample counts. The variables of a
//! quantity are given by lists of axes: `joint.mutual_information(&[0], &[1, 2])` is I(X; (Y, Z)).

mod column;
mod counts;
mod diagram;
mod distribution;
mod joint;
mod read;
mod unit;

pub use column::Column;
pub use counts::{Counts, Estimator};
pub use diagram::{atoms, subsets, total_correlation};
pub use distribution::{Divergence, cross_entropy, divergence, entropy};
pub use joint::{Joint, Variable};
pub use read::{Table, read_columns, read_table};
pub(super) use read::{csv_fault, csv_reader};
pub use unit::Unit;

#[cfg(test)]
mod identities;
