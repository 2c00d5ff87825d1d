//! The complete probe: from features, labels and a split to figures.
//!
//! For each set of features, the labeled rows are gathered, the inputs are standardized on the training rows, the penalty is chosen on a
//! part of the training utterances, and the classifier is trained on all of them and tested once on the others. The probe sees no test
//! row before that, and no frame of a test utterance during training.

use crate::error::{Error, Problem, Result};
use crate::eval::probe::labels::Labels;
use crate::eval::probe::lbfgs::Stop;
use crate::eval::probe::metrics::Confusion;
use crate::eval::probe::outcome::{Part, ProbeOutcome, ProbeRow};
use crate::eval::probe::protocol::{LabelCut, Protocol};
use crate::eval::probe::softmax::argmax;
use crate::eval::probe::split::Split;
use crate::eval::probe::standard::Standard;
use crate::eval::probe::standardize::standardize;
use crate::eval::probe::table::{Reading, Table, memory_limit};
use crate::eval::probe::{hidden, linear, logistic, penalty, projection};
use crate::features::FeatureSet;
use crate::options::Options;
use rayon::prelude::*;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// What is to be probed, and how.
#[derive(Debug, Clone)]
pub struct ProbeTask {
    /// What the features have to tell.
    pub labels: Labels,
    /// Who trains and who tests.
    pub split: Split,
    /// What is classified.
    pub protocol: Protocol,
    /// Which end is cut when labels and frames are not equally many.
    pub cut: LabelCut,
    /// Frame labels per second (100 in CPC_audio's files).
    pub label_rate: f64,
    /// Frames per second; if none, as the features say, else 100.
    pub frame_rate: Option<f64>,
    /// Names of frame labels by id.
    pub names: Option<Vec<String>>,
    /// Units of a hidden layer; none for a linear probe.
    pub hidden: Option<usize>,
    /// The penalty; none to choose it (for a hidden layer: to have none, since its training stops early).
    pub l2: Option<f64>,
    /// Whether folds and what is held out keep the utterances of a subject together.
    pub by_subject: bool,
    /// The seed of the folds, of what is held out and of the bootstrap.
    pub seed: u64,
    /// Points of the map of test rows; 0 for no map.
    pub map_points: usize,
    /// Raised to end the work at the next utterance.
    pub stop: Arc<AtomicBool>,
}

impl ProbeTask {
    /// A task with the usual settings: for frame labels the protocol `frame`, else `utterance`; a linear probe, l2 chosen, seed 0.
    pub fn new(labels: Labels, split: Split) -> Self {
        let protocol = if matches!(labels, Labels::Frames { .. }) { Protocol::Frame } else { Protocol::Utterance };
        ProbeTask {
            labels,
            split,
            protocol,
            cut: LabelCut::End,
            label_rate: 100.0,
            frame_rate: None,
            names: None,
            hidden: None,
            l2: None,
            by_subject: false,
            seed: 0,
            map_points: 0,
            stop: Arc::default(),
        }
    }

    /// Sets what options of `cpc probe` say of how it is probed: `level`, `cut`, `label-rate`, `frame-rate`, `hidden`, `l2` and `seed`.
    ///
    /// # Errors
    /// A value is out of range.
    pub fn set(&mut self, options: &Options) -> Result<()> {
        self.protocol = options.get("level")?.unwrap_or(self.protocol);
        self.cut = options.get("cut")?.unwrap_or(self.cut);
        self.label_rate = options.get("label-rate")?.unwrap_or(self.label_rate);
        self.frame_rate = options.get("frame-rate")?;
        self.hidden = options.get("hidden")?;
        self.seed = options.get("seed")?.unwrap_or(0);
        self.l2 = penalty(options)?;
        for (name, rate) in [("label-rate", Some(self.label_rate)), ("frame-rate", self.frame_rate)] {
            if let Some(x) = rate.filter(|x| !x.is_finite() || *x <= 0.0) {
                return Err(Error::usage(format!("--{name} {x}: is out of range"), "give a number above 0"));
            }
        }
        Ok(())
    }

    fn reading(&self, set: &FeatureSet) -> Reading {
        Reading {
            protocol: self.protocol,
            cut: self.cut,
            label_rate: self.label_rate,
            frame_rate: self.frame_rate.or(set.frame_rate()).unwrap_or(100.0),
            names: self.names.clone(),
            limit: memory_limit(),
            by_subject: self.by_subject,
            stop: self.stop.clone(),
        }
    }
}

/// The penalty that `--l2` gives; `None` for `auto`.
///
/// # Errors
/// It is not a number from 0.
pub fn penalty(options: &Options) -> Result<Option<f64>> {
    if options.get::<String>("l2")?.is_none_or(|l2| l2 == "auto") {
        return Ok(None);
    }
    match options.get::<f64>("l2")? {
        Some(l2) if !l2.is_finite() || l2 < 0.0 => {
            Err(Error::usage(format!("--l2 {l2}: is out of range"), "give `auto` or a number from 0"))
        }
        l2 => Ok(l2),
    }
}

/// Probes sets of features, each with a name; `note` receives progress messages.
///
/// # Errors
/// Errors of [`Table::gather`]; training rows of a single class; classes that occur only in the test rows; no rows.
pub fn probe(task: &ProbeTask, sets: &[(String, FeatureSet)], note: &dyn Fn(&str)) -> Result<ProbeOutcome> {
    let mut outcome: Option<ProbeOutcome> = None;
    for (name, set) in sets {
        let study = Study::new(task, set).map_err(|e| at(name, e))?;
        let tell = |text: &str| note(&format!("{name}: {text}"));
        let (row, majority) = study.run(name, &tell).map_err(|e| at(name, e))?;
        let outcome = outcome.get_or_insert_with(|| study.outcome(majority));
        let (train, test) = study.sizes();
        if (train, test) != (outcome.train, outcome.test) {
            let (train, test) = (train.rows, test.rows);
            let cut = "the number of frames that fit the labels differs from that of the first features";
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
pub struct FeatureRows<'a> {
    /// Their name.
    pub name: &'a str,
    /// Numbers of a row.
    pub dim: usize,
    /// (N, dim).
    pub rows: Vec<f32>,
}

/// Probes image features in memory: trains on the first `train` rows, tests on the others, and adds the results to `outcome`. The labels
/// and the split of `task` are ignored.
///
/// # Errors
/// Errors of [`Table::of_rows`]; training rows of a single class; classes that occur only in the test rows.
pub fn probe_rows(
    task: &ProbeTask,
    features: FeatureRows,
    labels: &[String],
    train: usize,
    outcome: &mut Option<ProbeOutcome>,
    note: &dyn Fn(&str),
) -> Result<()> {
    let name = features.name;
    let table = Table::of_rows(features.dim, features.rows, labels, task.stop.clone()).map_err(|e| at(name, e))?;
    let folds = vec![((0..train).collect(), (train..labels.len()).collect())];
    let mut study = Study { task, table, folds, remarks: Vec::new() };
    study.check().map_err(|e| at(name, e))?;
    let tell = |text: &str| note(&format!("{name}: {text}"));
    let (row, majority) = study.run(name, &tell).map_err(|e| at(name, e))?;
    let outcome = outcome.get_or_insert_with(|| ProbeOutcome { unit: "images", ..study.outcome(majority) });
    if !row.converged {
        outcome.remarks.push(format!("{name}: training was given up before it converged"));
    }
    outcome.rows.push(row);
    Ok(())
}

/// Prefixes an error raised by the probe itself with the name of the features.
fn at(name: &str, error: Error) -> Error {
    match error {
        Error::Failed { what, remedy } => Error::Failed { what: format!("{name}: {what}"), remedy },
        other => other,
    }
}

/// One set of features, gathered and split: (train, test) utterances for each fold.
struct Study<'a> {
    task: &'a ProbeTask,
    table: Table<'a>,
    folds: Vec<(Vec<usize>, Vec<usize>)>,
    remarks: Vec<String>,
}

/// A trained classifier.
enum Model {
    Linear(linear::Linear),
    Hidden(hidden::Hidden),
}

/// A trained classifier, its penalty, and the outcome of its training.
struct TrainedProbe {
    model: Model,
    l2: f64,
    steps: usize,
    converged: bool,
}

impl<'a> Study<'a> {
    fn new(task: &'a ProbeTask, set: &'a FeatureSet) -> Result<Self> {
        if let (Some(asked), Some(known)) = (task.frame_rate, set.frame_rate())
            && (asked - known).abs() > 1e-6 * known
        {
            return Err(Error::usage(
                format!("--frame-rate {asked}: the index of the features says {known}"),
                "omit --frame-rate; it is for features without an index",
            ));
        }
        let mut remarks = Vec::new();
        let (ids, train) = match &task.split {
            Split::Lists { train, test } => ([train.as_slice(), test.as_slice()].concat(), train.len()),
            Split::Folds { among: Some(ids), .. } => (ids.clone(), 0),
            Split::Folds { among: None, .. } => {
                let (known, unknown): (Vec<_>, Vec<_>) = set.utterances().iter().partition(|u| task.labels.has(&u.id));
                if !unknown.is_empty() {
                    remarks.push(format!("{} utterances have no label and were skipped", unknown.len()));
                }
                (known.iter().map(|u| u.id.clone()).collect(), 0)
            }
        };
        let reading = task.reading(set);
        let table = Table::gather(set, &ids, &task.labels, &reading)?;
        let ratio = reading.label_rate / reading.frame_rate;
        if matches!(task.labels, Labels::Frames { .. }) && (ratio - 1.0).abs() > 1e-6 {
            remarks.push(format!(
                "frame t takes label floor((t + 0.5) * {ratio:.4}): {} labels and {} frames per second",
                reading.label_rate, reading.frame_rate
            ));
        }
        let short: Vec<&str> = table.items().iter().filter(|i| i.rows.is_empty()).map(|i| i.id.as_str()).collect();
        if !short.is_empty() {
            let shown = short.iter().take(3).copied().collect::<Vec<_>>().join(", ");
            let more = if short.len() > 3 { ", ..." } else { "" };
            let text = if short.len() == 1 { "utterance is" } else { "utterances are" };
            remarks
                .push(format!("{} {text} shorter than a window of 1.28 s and gave no row: {shown}{more}", short.len()));
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
                    let what = format!("--folds {folds} with {} utterances", all.len());
                    return Err(Error::failed(what, "give at most as many folds as there are utterances"));
                }
                let dealt = table.deal(&all, *folds, task.seed, "probe/folds").map_err(|subjects| {
                    Error::failed(
                        format!("--folds {folds} with {subjects} subjects, each of which is in one fold"),
                        "choose at most as many folds as there are subjects, or --division recording",
                    )
                })?;
                let rest = |test: &[usize]| all.iter().copied().filter(|i| test.binary_search(i).is_err()).collect();
                dealt.into_iter().map(|test| (rest(&test), test)).collect()
            }
        };
        let mut study = Study { task, table, folds, remarks };
        study.check()?;
        Ok(study)
    }

    /// Rejects data that cannot be learned or tested.
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
                    self.remarks.push(format!("class {name} is in one fold only: its {n} rows there count as errors"));
                }
                continue;
            }
            let describe = |&c: &usize| {
                Problem::new(format!("class {}", names[c]), format!("{} test rows, no training row", tested[c]))
            };
            let problems: Vec<Problem> = unseen.iter().map(describe).collect();
            let remedy = "a class that occurs only in the test utterances cannot be learned: move an utterance with it to \
                          --train, or remove it from --test";
            return Err(Error::problems(problems, remedy));
        }
        Ok(())
    }

    /// The part of the outcome that is the same for all sets of features.
    fn outcome(&self, majority: f64) -> ProbeOutcome {
        let (train, test) = self.sizes();
        let classes = self.table.names().len();
        ProbeOutcome {
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

    /// The amounts of training and test data; with folds, all the data for both.
    fn sizes(&self) -> (Part, Part) {
        let part = |items: &[usize]| Part { utterances: items.len(), rows: self.table.rows_of(items) };
        let tests: Vec<usize> = self.folds.iter().flat_map(|f| f.1.clone()).collect();
        (part(if self.folds.len() > 1 { &tests } else { &self.folds[0].0 }), part(&tests))
    }

    /// Trains and tests; returns the figures, and the accuracy of always predicting the majority class.
    fn run(&self, name: &str, note: &dyn Fn(&str)) -> Result<(ProbeRow, f64)> {
        let table = &self.table;
        let mut confusion = Confusion::new(table.names().len());
        let (mut utterances, mut frequent, mut iterations, mut penalties) = (Vec::new(), 0, 0, Vec::new());
        let (mut map, mut converged) = (None, true);
        for (index, (train, test)) in self.folds.iter().enumerate() {
            let standard = standardize(table, train)?;
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
        let figures =
            ProbeRow::new(name, table.dim(), (&confusion, table.names()), (&utterances, self.task.seed), trained);
        let row = ProbeRow { map, ..figures };
        Ok((row, frequent as f64 / self.sizes().1.rows.max(1) as f64))
    }

    /// Trains on some utterances.
    fn train(&self, items: &[usize], standard: &Standard, note: &dyn Fn(&str)) -> Result<TrainedProbe> {
        let (table, seed) = (&self.table, self.task.seed);
        if let Some(units) = self.task.hidden {
            let l2 = self.task.l2.unwrap_or(0.0);
            let trained = hidden::fit(table, items, standard, units, l2, seed, note)?;
            return Ok(TrainedProbe { model: Model::Hidden(trained.model), l2, steps: trained.steps, converged: true });
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
        Ok(TrainedProbe { model, l2: choice.l2, steps: found.iterations, converged: found.converged })
    }

    /// The classes that a model predicts for the rows of each utterance.
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
