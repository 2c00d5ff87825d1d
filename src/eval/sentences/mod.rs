//! Evaluation of sentence vectors: classification of sentences and of sentence pairs by a linear classifier on frozen vectors.
//!
//! The method is that of SentEval (Conneau and Kiela, LREC 2018) and of skip-thought before it (Kiros et al., NeurIPS 2015). A [`task`]
//! consists of labeled sentences or pairs, from a file or from [`senteval`]'s directories. This module does not depend on any model: the
//! caller turns [`SentenceTask::distinct`](task::SentenceTask::distinct) into vectors. [`measure`](measure::measure) then determines, by nested
//! cross-validation or on a given split, how well the logistic regression of a [`probe`](super::probe) predicts the labels from them.
//! [`tfidf`] with [`sparse`] logistic regression and a [`bag`] of random word vectors are the baselines. [`outcome`] is the table of
//! results. [`expand`] adds words from a file of word [`vectors`] to a trained vocabulary.

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
