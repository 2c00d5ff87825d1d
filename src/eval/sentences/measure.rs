//! The measurement: nested cross-validation, or training and testing on a given split.
//!
//! As in SentEval, folds are stratified by label, a sentence is represented by its vector and a pair (a, b) by [|a - b|, a * b] (Tai,
//! Socher and Manning, ACL 2015), and the penalty is chosen inside the training part of each fold. Three things differ from SentEval's
//! `validation.py`. The columns are standardized on the training part. The penalty is the one from a wider grid with the lowest loss on
//! a held-out fifth of the training part (SentEval: the highest accuracy over inner folds, C from 1/4 to 8). The classifier is always
//! logistic regression, trained to its minimum (SentEval's default there is an `MLP` without a hidden layer, trained by Adam with early
//! stopping).

use crate::error::{Error, Result};
use crate::eval::probe::lbfgs::Stop;
use crate::eval::probe::linear::Linear;
use crate::eval::probe::logistic::{self, ITERATIONS, TOLERANCE};
use crate::eval::probe::metrics::Confusion;
use crate::eval::probe::outcome::ProbeRow as Figures;
use crate::eval::probe::penalty::{choose, hold_out_of};
use crate::eval::probe::softmax::argmax;
use crate::eval::probe::split::deal;
use crate::eval::probe::standardize::standardize;
use crate::eval::probe::table::{Table, classes_of};
use crate::eval::sentences::bag::bag;
use crate::eval::sentences::outcome::{Row, SentenceOutcome};
use crate::eval::sentences::sparse::{Labeled, SparseRows};
use crate::eval::sentences::task::{SentenceTask, sentences};
use crate::eval::sentences::tfidf::Tfidf;
use rayon::prelude::*;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A representation to measure.
#[derive(Debug, Clone)]
pub enum Representation {
    /// Vectors provided by the caller.
    Vectors {
        /// Their name in the table.
        name: String,
        /// Dimension of a vector.
        dim: usize,
        /// One vector for each sentence of [`SentenceTask::distinct`], (N, `dim`).
        rows: Vec<f32>,
    },
    /// TF-IDF of single words, fitted on the training part of each fold.
    Tfidf,
}

impl Representation {
    /// The mean of `dim`-dimensional random word vectors.
    pub fn bag(task: &SentenceTask, dim: usize, seed: u64) -> Representation {
        Representation::Vectors { name: format!("bag {dim}"), dim, rows: bag(&task.distinct(), dim, seed) }
    }

    /// Its name in the table.
    pub fn name(&self) -> &str {
        match self {
            Representation::Vectors { name, .. } => name,
            Representation::Tfidf => "tfidf",
        }
    }
}

/// Settings of the measurement.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Number of folds for a task without a split of its own; 10 is usual.
    pub folds: usize,
    /// The penalty; none to choose it.
    pub l2: Option<f64>,
    /// The seed of the folds, of the held-out examples and of the bootstrap.
    pub seed: u64,
    /// Set to true to stop the work soon.
    pub stop: Arc<AtomicBool>,
}

impl Default for Settings {
    fn default() -> Self {
        Settings { folds: 10, l2: None, seed: 0, stop: Arc::default() }
    }
}

/// Measures representations on a task, all on the same folds; `note` receives progress messages.
///
/// # Errors
/// If there are fewer than two folds or more folds than examples; if there is not exactly one vector for each distinct sentence, or a
/// vector is not finite.
pub fn measure(
    task: &SentenceTask,
    representations: &[Representation],
    settings: &Settings,
    note: &dyn Fn(&str),
) -> Result<SentenceOutcome> {
    let study = Study::new(task, settings)?;
    let mut outcome = study.outcome();
    for representation in representations {
        let name = representation.name();
        let tell = |text: &str| note(&format!("{name}: {text}"));
        let (dim, tested) = match representation {
            Representation::Vectors { dim, rows, .. } => (study.width(*dim), study.dense(name, *dim, rows, &tell)?),
            Representation::Tfidf => study.tfidf(&tell)?,
        };
        let row = study.row(name, dim, tested);
        if !row.figures.converged {
            outcome.remarks.push(format!("{name}: training was given up before it converged"));
        }
        outcome.rows.push(row);
    }
    Ok(outcome)
}

/// The training examples and the test examples.
type Fold = (Vec<usize>, Vec<usize>);

/// The predictions of a classifier for the test examples of a fold, and the outcome of its training.
struct Tested {
    said: Vec<u32>,
    l2: f64,
    iterations: usize,
    converged: bool,
}

/// A task with its folds.
struct Study<'a> {
    task: &'a SentenceTask,
    settings: &'a Settings,
    labels: Vec<String>,
    names: Vec<String>,
    classes: Vec<u32>,
    folds: Vec<Fold>,
}

impl<'a> Study<'a> {
    fn new(task: &'a SentenceTask, settings: &'a Settings) -> Result<Self> {
        let labels: Vec<String> = task.examples.iter().map(|e| e.label.clone()).collect();
        let n = labels.len();
        let folds = match task.train {
            Some(train) => vec![((0..train).collect(), (train..n).collect())],
            None if settings.folds < 2 || settings.folds > n => {
                let what = format!("--folds {} with {n} examples", settings.folds);
                return Err(Error::usage(
                    what,
                    "give at least 2, and at most as many as there are examples; 10 is usual",
                ));
            }
            None => {
                let dealt = deal(&labels, settings.folds, settings.seed, "sentences/folds");
                let rest = |test: &[usize]| (0..n).filter(|i| test.binary_search(i).is_err()).collect();
                dealt.into_iter().map(|test| (rest(&test), test)).collect()
            }
        };
        let (names, classes) = classes_of(&labels);
        Ok(Study { task, settings, labels, names, classes, folds })
    }

    fn counts(&self, items: &[usize]) -> Vec<u64> {
        let mut counts = vec![0; self.names.len()];
        items.iter().for_each(|&i| counts[self.classes[i] as usize] += 1);
        counts
    }

    fn tests(&self) -> usize {
        self.folds.iter().map(|f| f.1.len()).sum()
    }

    /// The part of the outcome that is the same for all representations.
    fn outcome(&self) -> SentenceOutcome {
        let folds = self.folds.len();
        let mut remarks = self.task.remarks.clone();
        let mut frequent = 0;
        for (train, test) in &self.folds {
            let counts = self.counts(train);
            let most = (0..counts.len()).max_by_key(|&c| (counts[c], std::cmp::Reverse(c))).unwrap_or(0);
            frequent += self.counts(test)[most];
        }
        if folds > 1 {
            let all: Vec<usize> = (0..self.labels.len()).collect();
            for (name, n) in self.names.iter().zip(self.counts(&all)).filter(|(_, n)| *n < folds as u64) {
                remarks.push(format!("label {name} has {n} examples, fewer than there are folds"));
            }
        }
        SentenceOutcome {
            task: self.task.name.clone(),
            pairs: self.task.pairs(),
            folds: (folds > 1).then_some(folds),
            train: if folds > 1 { self.labels.len() } else { self.folds[0].0.len() },
            test: self.tests(),
            classes: self.names.clone(),
            chance: 1.0 / self.names.len() as f64,
            majority: frequent as f64 / self.tests().max(1) as f64,
            rows: Vec::new(),
            remarks,
        }
    }

    /// Dimension of an example's features, given that of a sentence vector.
    fn width(&self, dim: usize) -> usize {
        if self.task.pairs() { 2 * dim } else { dim }
    }

    /// The figures of the predictions in all folds.
    fn row(&self, name: &str, dim: usize, tested: Vec<Tested>) -> Row {
        let mut confusion = Confusion::new(self.names.len());
        let (mut items, mut fold_accuracies, mut penalties) = (Vec::new(), Vec::new(), Vec::new());
        let (mut iterations, mut converged) = (0, true);
        for ((_, test), tested) in self.folds.iter().zip(tested) {
            let mut right = 0;
            for (&item, &said) in test.iter().zip(&tested.said) {
                confusion.add(self.classes[item], said);
                let hit = u64::from(self.classes[item] == said);
                items.push((hit, 1));
                right += hit;
            }
            fold_accuracies.push(right as f64 / test.len().max(1) as f64);
            penalties.push(tested.l2);
            iterations += tested.iterations;
            converged &= tested.converged;
        }
        let trained = (penalties, iterations, converged);
        let figures = Figures::new(name, dim, (&confusion, &self.names), (&items, self.settings.seed), trained);
        Row { confusion: figures.confusion.clone(), figures, fold_accuracies }
    }

    /// The features of every example, from the vectors of the distinct sentences.
    fn features(&self, name: &str, dim: usize, vectors: &[f32]) -> Result<Vec<f32>> {
        let distinct = self.task.distinct();
        if dim == 0 || vectors.len() != distinct.len() * dim {
            let what = format!("{name}: {} values for {} sentences of {dim}", vectors.len(), distinct.len());
            return Err(Error::failed(what, "give one vector for each distinct sentence of the task, in order"));
        }
        if let Some(at) = vectors.iter().position(|x| !x.is_finite()) {
            let what = format!("{name}: the vector of {:?} has a value {}", distinct[at / dim], vectors[at]);
            return Err(Error::failed(what, "vectors must hold finite numbers: check how this one was computed"));
        }
        let places: HashMap<&str, usize> = distinct.into_iter().zip(0..).collect();
        let vector = |sentence: &str| {
            let at = places.get(sentence).copied().unwrap_or_default();
            &vectors[at * dim..][..dim]
        };
        let mut rows = Vec::with_capacity(self.labels.len() * self.width(dim));
        for example in &self.task.examples {
            let a = vector(&example.first);
            match &example.second {
                None => rows.extend_from_slice(a),
                Some(second) => {
                    let b = vector(second);
                    rows.extend(a.iter().zip(b).map(|(a, b)| (a - b).abs()));
                    rows.extend(a.iter().zip(b).map(|(a, b)| a * b));
                }
            }
        }
        Ok(rows)
    }

    /// Trains and tests on vectors in each fold.
    fn dense(&self, name: &str, dim: usize, vectors: &[f32], note: &dyn Fn(&str)) -> Result<Vec<Tested>> {
        let (width, rows) = (self.width(dim), self.features(name, dim, vectors)?);
        let table = Table::of_rows(width, rows, &self.labels, self.settings.stop.clone())?;
        let one = |(index, (train, test)): (usize, &Fold)| {
            let standard = standardize(&table, train)?;
            let (l2, parameters) = match self.settings.l2 {
                Some(l2) => (l2, logistic::start(&table, train)),
                None => {
                    let choice = choose(&table, train, &standard, self.settings.seed, note)?;
                    (choice.l2, choice.parameters)
                }
            };
            let stop = Stop { gradient: TOLERANCE, iterations: ITERATIONS };
            let found = logistic::fit(&table, train, &standard, l2, parameters, stop)?;
            let (model, mut scores, mut said) = (Linear::new(found.x, width), Vec::new(), Vec::new());
            table.chunks(test, &standard, |rows, classes| {
                model.scores(rows, &mut scores)?;
                argmax(&scores, classes.len(), &mut said);
                Ok(())
            })?;
            note(&format!("fold {} of {} done, l2 {l2}", index + 1, self.folds.len()));
            Ok(Tested { said, l2, iterations: found.iterations, converged: found.converged })
        };
        self.folds.iter().enumerate().map(one).collect()
    }

    /// Trains and tests on TF-IDF in each fold; also returns the number of columns in the first fold.
    fn tfidf(&self, note: &dyn Fn(&str)) -> Result<(usize, Vec<Tested>)> {
        note(&format!("{} folds", self.folds.len()));
        let one = |(train, test): &Fold| {
            if self.settings.stop.load(Ordering::Relaxed) {
                return Err(Error::Interrupted { kept: "a measure keeps nothing; run it again".into() });
            }
            let fitted = Tfidf::fit(train.iter().flat_map(|&i| sentences(&self.task.examples[i])));
            let mut rows = SparseRows::new(self.width(fitted.words().len()));
            let append = |e: &super::task::Example| fitted.append(&e.first, e.second.as_deref(), &mut rows);
            self.task.examples.iter().for_each(append);
            let strata: Vec<String> = train.iter().map(|&i| self.labels[i].clone()).collect();
            let (most, held_out) = hold_out_of(&strata, train, self.settings.seed);
            let labeled = Labeled { rows: &rows, classes: &self.classes, count: self.names.len() };
            let trained = labeled.fit(&most, &held_out, self.settings.l2)?;
            let said = test.iter().map(|&i| trained.class(&rows, i)).collect();
            let (l2, iterations, converged) = (trained.l2, trained.iterations, trained.converged);
            Ok((self.width(fitted.words().len()), Tested { said, l2, iterations, converged }))
        };
        let done: Vec<(usize, Tested)> = self.folds.par_iter().map(one).collect::<Result<_>>()?;
        let dim = done.first().map_or(0, |d| d.0);
        Ok((dim, done.into_iter().map(|d| d.1).collect()))
    }
}
