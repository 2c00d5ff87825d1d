//! The probe as a whole: from features, labels and a split to figures.
//!
//! For each set of features: the labelled rows are gathered, inputs standardised on the training rows, the penalty chosen on
//! a share of the training utterances, the classifier trained on all of them, and tested once on the others. The probe never
//! sees a test row before that, and never a frame of a test utterance in training.

use super::labels::Labels;
use super::lbfgs::Stop;
use super::metrics::Confusion;
use super::outcome::{Outcome, Part, Row};
use super::protocol::{Cut, Protocol};
use super::softmax::argmax;
use super::split::{Split, deal};
use super::standard::Standard;
use super::standardise::standardise;
use super::table::{Reading, Table, memory_limit};
use super::{hidden, linear, logistic, penalty, projection};
use crate::error::{Error, Problem, Result};
use crate::features::FeatureSet;
use rayon::prelude::*;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// What is to be probed, and how.
#[derive(Debug, Clone)]
pub struct Task {
    /// What the features have to tell.
    pub labels: Labels,
    /// Who trains and who tests.
    pub split: Split,
    /// What is classified.
    pub protocol: Protocol,
    /// Which end is cut when labels and frames are not equally many.
    pub cut: Cut,
    /// Frame labels a second (100 in CPC_audio's files).
    pub label_rate: f64,
    /// Frames a second; none for what the features say, else 100.
    pub frame_rate: Option<f64>,
    /// Names of frame labels by id.
    pub names: Option<Vec<String>>,
    /// Units of a hidden layer; none for a linear probe.
    pub hidden: Option<usize>,
    /// The penalty; none to choose it (for a hidden layer: to have none, since its training stops early).
    pub l2: Option<f64>,
    /// The seed of the folds, of what is held out and of the bootstrap.
    pub seed: u64,
    /// Points of the map of test rows; 0 for no map.
    pub map_points: usize,
    /// Raised to end the work at the next utterance.
    pub stop: Arc<AtomicBool>,
}

impl Task {
    /// A task with the usual settings: for frame labels the protocol `frame`, else `utterance`; a linear probe, l2 chosen, seed 0.
    pub fn new(labels: Labels, split: Split) -> Self {
        let protocol = if matches!(labels, Labels::Frames { .. }) { Protocol::Frame } else { Protocol::Utterance };
        Task {
            labels,
            split,
            protocol,
            cut: Cut::End,
            label_rate: 100.0,
            frame_rate: None,
            names: None,
            hidden: None,
            l2: None,
            seed: 0,
            map_points: 0,
            stop: Arc::default(),
        }
    }

    fn reading(&self, set: &FeatureSet) -> Reading {
        Reading {
            protocol: self.protocol,
            cut: self.cut,
            label_rate: self.label_rate,
            frame_rate: self.frame_rate.or(set.frame_rate()).unwrap_or(100.0),
            names: self.names.clone(),
            limit: memory_limit(),
            stop: self.stop.clone(),
        }
    }
}

/// Probes sets of features, each with a name; `note` is told what is going on.
///
/// # Errors
/// What [`Table::gather`] refuses; training rows of a single class; classes that occur only in the test rows; no rows.
pub fn probe(task: &Task, sets: &[(String, FeatureSet)], note: &dyn Fn(&str)) -> Result<Outcome> {
    let mut outcome: Option<Outcome> = None;
    for (name, set) in sets {
        let study = Study::new(task, set).map_err(|e| at(name, e))?;
        let tell = |text: &str| note(&format!("{name}: {text}"));
        let (row, majority) = study.run(name, &tell).map_err(|e| at(name, e))?;
        let outcome = outcome.get_or_insert_with(|| study.outcome(majority));
        let (train, test) = study.sizes();
        if (train, test) != (outcome.train, outcome.test) {
            let (train, test) = (train.rows, test.rows);
            let cut = "fewer or more frames fit the labels than of the first features";
            outcome.remarks.push(format!("{name}: {train} training and {test} test rows ({cut})"));
        }
        for remark in study.remarks {
            if !outcome.remarks.contains(&remark) {
                outcome.remarks.push(remark);
            }
        }
        if !row.converged {
            outcome.remarks.push(format!("{name}: training was given up before it converged"));
        }
        outcome.rows.push(row);
    }
    outcome.ok_or_else(|| Error::usage("no features to probe", "name at least one directory of features"))
}

/// Features at hand: a row each, those to train on first.
#[derive(Debug, Clone)]
pub struct Rows<'a> {
    /// Their name.
    pub name: &'a str,
    /// Numbers of a row.
    pub dim: usize,
    /// (N, dim).
    pub rows: Vec<f32>,
}

/// Probes rows of images that are at hand, of which the first `train` are trained on and the others tested, and adds what was found to
/// `outcome`. The labels and the split of `task` are not looked at.
///
/// # Errors
/// What [`Table::of_rows`] refuses; training rows of a single class; classes that occur only in the test rows.
pub fn probe_rows(
    task: &Task,
    features: Rows,
    labels: &[String],
    train: usize,
    outcome: &mut Option<Outcome>,
    note: &dyn Fn(&str),
) -> Result<()> {
    let name = features.name;
    let table = Table::of_rows(features.dim, features.rows, labels, task.stop.clone()).map_err(|e| at(name, e))?;
    let folds = vec![((0..train).collect(), (train..labels.len()).collect())];
    let mut study = Study { task, table, folds, remarks: Vec::new() };
    study.check().map_err(|e| at(name, e))?;
    let tell = |text: &str| note(&format!("{name}: {text}"));
    let (row, majority) = study.run(name, &tell).map_err(|e| at(name, e))?;
    let outcome = outcome.get_or_insert_with(|| Outcome { unit: "images", ..study.outcome(majority) });
    if !row.converged {
        outcome.remarks.push(format!("{name}: training was given up before it converged"));
    }
    outcome.rows.push(row);
    Ok(())
}

/// Puts the name of the features before an error of the probe's own.
fn at(name: &str, error: Error) -> Error {
    match error {
        Error::Failed { what, remedy } => Error::Failed { what: format!("{name}: {what}"), remedy },
        other => other,
    }
}

/// One set of features, gathered and split: (train, test) utterances for each fold.
struct Study<'a> {
    task: &'a Task,
    table: Table<'a>,
    folds: Vec<(Vec<usize>, Vec<usize>)>,
    remarks: Vec<String>,
}

/// A trained classifier.
enum Model {
    Linear(linear::Linear),
    Hidden(hidden::Hidden),
}

/// A trained classifier, its penalty, and how its training ended.
struct Trained {
    model: Model,
    l2: f64,
    steps: usize,
    converged: bool,
}

impl<'a> Study<'a> {
    fn new(task: &'a Task, set: &'a FeatureSet) -> Result<Self> {
        if let (Some(asked), Some(known)) = (task.frame_rate, set.frame_rate())
            && (asked - known).abs() > 1e-6 * known
        {
            return Err(Error::usage(
                format!("--frame-rate {asked}: the index of the features says {known}"),
                "leave --frame-rate out; it is for features without an index",
            ));
        }
        let mut remarks = Vec::new();
        let (ids, train) = match &task.split {
            Split::Lists { train, test } => ([train.as_slice(), test.as_slice()].concat(), train.len()),
            Split::Folds { among: Some(ids), .. } => (ids.clone(), 0),
            Split::Folds { among: None, .. } => {
                let (known, unknown): (Vec<_>, Vec<_>) = set.utterances().iter().partition(|u| task.labels.has(&u.id));
                if !unknown.is_empty() {
                    remarks.push(format!("{} utterances have no label and were left out", unknown.len()));
                }
                (known.iter().map(|u| u.id.clone()).collect(), 0)
            }
        };
        let reading = task.reading(set);
        let table = Table::gather(set, &ids, &task.labels, &reading)?;
        let ratio = reading.label_rate / reading.frame_rate;
        if matches!(task.labels, Labels::Frames { .. }) && (ratio - 1.0).abs() > 1e-6 {
            remarks.push(format!(
                "frame t takes label floor((t + 0.5) * {ratio:.4}): {} labels and {} frames a second",
                reading.label_rate, reading.frame_rate
            ));
        }
        let short: Vec<&str> = table.items().iter().filter(|i| i.rows.is_empty()).map(|i| i.id.as_str()).collect();
        if !short.is_empty() {
            let shown = short.iter().take(3).copied().collect::<Vec<_>>().join(", ");
            let more = if short.len() > 3 { ", ..." } else { "" };
            let text = if short.len() == 1 { "utterance is" } else { "utterances are" };
            remarks
                .push(format!("{} {text} shorter than a window of 1.28 s, without a row: {shown}{more}", short.len()));
        }
        if !table.in_memory() && !table.classes().is_empty() {
            remarks
                .push("the features are larger than half of the free memory and were read again for each pass".into());
        }
        let all: Vec<usize> = (0..table.items().len()).collect();
        let folds = match &task.split {
            Split::Lists { .. } => vec![(all[..train].to_vec(), all[train..].to_vec())],
            Split::Folds { folds, .. } => {
                if all.len() < *folds {
                    let what = format!("--folds {folds} of {} utterances", all.len());
                    return Err(Error::failed(what, "give at most as many folds as there are utterances"));
                }
                let strata: Vec<String> = table.items().iter().map(|i| i.stratum.clone()).collect();
                let dealt = deal(&strata, *folds, task.seed, "probe/folds");
                let rest = |test: &[usize]| all.iter().copied().filter(|i| test.binary_search(i).is_err()).collect();
                dealt.into_iter().map(|test| (rest(&test), test)).collect()
            }
        };
        let mut study = Study { task, table, folds, remarks };
        study.check()?;
        Ok(study)
    }

    /// Refuses what cannot be learnt or not be tested.
    fn check(&mut self) -> Result<()> {
        for (train, test) in &self.folds {
            for (items, name) in [(train, "training"), (test, "test")] {
                if self.table.rows_of(items) == 0 {
                    let what =
                        format!("the {name} utterances give no row with the protocol {}", self.task.protocol.name());
                    return Err(Error::failed(what, "name longer utterances, or choose another --level"));
                }
            }
            let (known, tested) = (self.table.counts(train), self.table.counts(test));
            let names = self.table.names();
            let trained: Vec<usize> = (0..names.len()).filter(|&c| known[c] > 0).collect();
            if let [only] = trained[..] {
                let what = format!("all training rows are of one class, {}", names[only]);
                return Err(Error::failed(what, "a probe needs at least two classes: correct --labels or --train"));
            }
            let unseen: Vec<usize> = (0..names.len()).filter(|&c| known[c] == 0 && tested[c] > 0).collect();
            if unseen.is_empty() {
                continue;
            }
            if self.folds.len() > 1 {
                for c in unseen {
                    let (name, n) = (&names[c], tested[c]);
                    self.remarks.push(format!("class {name} is in one fold only: its {n} rows there count as wrong"));
                }
                continue;
            }
            let describe = |&c: &usize| {
                Problem::new(format!("class {}", names[c]), format!("{} test rows, no training row", tested[c]))
            };
            let problems: Vec<Problem> = unseen.iter().map(describe).collect();
            let remedy = "a class that only the test utterances have cannot be learnt: move an utterance with it to --train, or \
                          remove it from --test";
            return Err(Error::problems(problems, remedy));
        }
        Ok(())
    }

    /// What is the same for all sets of features.
    fn outcome(&self, majority: f64) -> Outcome {
        let (train, test) = self.sizes();
        let classes = self.table.names().len();
        Outcome {
            protocol: self.task.protocol,
            unit: "utterances",
            probe: self.task.hidden.map_or("linear".into(), |n| format!("hidden {n}")),
            labels: self.task.labels.name(),
            folds: (self.folds.len() > 1).then_some(self.folds.len()),
            train,
            test,
            classes,
            chance: 1.0 / classes as f64,
            majority,
            rows: Vec::new(),
            remarks: Vec::new(),
        }
    }

    /// What is trained on and tested; of folds, all for both.
    fn sizes(&self) -> (Part, Part) {
        let part = |items: &[usize]| Part { utterances: items.len(), rows: self.table.rows_of(items) };
        let tests: Vec<usize> = self.folds.iter().flat_map(|f| f.1.clone()).collect();
        (part(if self.folds.len() > 1 { &tests } else { &self.folds[0].0 }), part(&tests))
    }

    /// Trains and tests; the figures, and the accuracy of the majority class.
    fn run(&self, name: &str, note: &dyn Fn(&str)) -> Result<(Row, f64)> {
        let table = &self.table;
        let mut confusion = Confusion::new(table.names().len());
        let (mut utterances, mut frequent, mut iterations, mut penalties) = (Vec::new(), 0, 0, Vec::new());
        let (mut map, mut converged) = (None, true);
        for (index, (train, test)) in self.folds.iter().enumerate() {
            let standard = standardise(table, train)?;
            let trained = self.train(train, &standard, note)?;
            penalties.push(trained.l2);
            iterations += trained.steps;
            converged &= trained.converged;
            let counts = table.counts(train);
            let most = (0..counts.len()).max_by_key(|&c| (counts[c], std::cmp::Reverse(c))).unwrap_or(0);
            frequent += table.counts(test)[most];
            for (&item, said) in test.iter().zip(self.predict(&trained.model, test, &standard)?) {
                let truth = &table.classes()[table.items()[item].rows.clone()];
                truth.iter().zip(&said).for_each(|(&t, &p)| confusion.add(t, p));
                let right = truth.iter().zip(&said).filter(|(t, p)| t == p).count();
                utterances.push((right as u64, truth.len() as u64));
            }
            if self.folds.len() > 1 {
                note(&format!("fold {} of {} done", index + 1, self.folds.len()));
            }
            if index == 0 && self.task.map_points > 0 {
                note("drawing the map");
                map = Some(projection::Map::new(table, test, &standard, self.task.map_points, self.task.seed)?);
            }
        }
        let trained = (penalties, iterations, converged);
        let figures = Row::new(name, table.dim(), (&confusion, table.names()), (&utterances, self.task.seed), trained);
        let row = Row { map, ..figures };
        Ok((row, frequent as f64 / self.sizes().1.rows.max(1) as f64))
    }

    /// Trains on some utterances.
    fn train(&self, items: &[usize], standard: &Standard, note: &dyn Fn(&str)) -> Result<Trained> {
        let (table, seed) = (&self.table, self.task.seed);
        if let Some(units) = self.task.hidden {
            let l2 = self.task.l2.unwrap_or(0.0);
            let trained = hidden::fit(table, items, standard, units, l2, seed, note)?;
            return Ok(Trained { model: Model::Hidden(trained.model), l2, steps: trained.steps, converged: true });
        }
        let choice = match self.task.l2 {
            Some(l2) => penalty::Choice { l2, parameters: logistic::start(table, items), losses: Vec::new() },
            None => penalty::choose(table, items, standard, seed, note)?,
        };
        let stop = Stop { gradient: logistic::TOLERANCE, iterations: logistic::ITERATIONS };
        let found = logistic::fit(table, items, standard, choice.l2, choice.parameters, stop)?;
        let state = if found.converged { "converged" } else { "NOT converged" };
        note(&format!("{state} after {} iterations, l2 {}, loss {:.4}", found.iterations, choice.l2, found.value));
        let model = Model::Linear(linear::Linear::new(found.x, table.dim()));
        Ok(Trained { model, l2: choice.l2, steps: found.iterations, converged: found.converged })
    }

    /// The classes that a model says for the rows of each utterance.
    fn predict(&self, model: &Model, items: &[usize], standard: &Standard) -> Result<Vec<Vec<u32>>> {
        let predict = |&item: &usize| {
            let (mut said, mut scores, mut room) = (Vec::new(), Vec::new(), Vec::new());
            self.table.chunks(&[item], standard, |rows, classes| {
                match model {
                    Model::Linear(linear) => linear.scores(rows, &mut scores)?,
                    Model::Hidden(hidden) => hidden.scores(rows, &mut room, &mut scores)?,
                }
                argmax(&scores, classes.len(), &mut said);
                Ok(())
            })?;
            Ok(said)
        };
        items.par_iter().map(predict).collect()
    }
}
