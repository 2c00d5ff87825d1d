//! What sentence vectors are worth: classification of sentences and of pairs by a linear classifier on frozen vectors.
//!
//! The measure is that of SentEval (Conneau and Kiela, LREC 2018) and of skip-thought before it (Kiros et al., NeurIPS 2015). A [`task`]
//! is labelled sentences or pairs, from a file or from [`senteval`]'s directories. Nothing here knows a model: the caller turns
//! [`Task::distinct`](task::Task::distinct) into vectors, and [`measure`](measure::measure) says by nested cross-validation, or on
//! a given split, how well a [`probe`](super::probe)'s logistic regression reads the labels off them. [`tfidf`] with [`sparse`]
//! logistic regression and a [`bag`] of random word vectors are what a representation has to pass. [`outcome`] is the table.
//! [`expand`] adds words of a file of word [`vectors`] to a trained vocabulary.

pub mod bag;
pub mod expand;
pub mod measure;
pub mod outcome;
pub mod read;
pub mod senteval;
pub mod sparse;
pub mod task;
pub mod tfidf;
pub mod vectors;
