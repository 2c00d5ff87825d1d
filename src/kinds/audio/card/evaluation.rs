//! The reports of `cpc probe --json` and `cpc abx --json` as a card includes them: in tables, and in the `model-index` of its header.

use crate::report::model_card::{called, percent, plain, table, yaml};
use serde::Deserialize;
use serde_json::Value;
use std::fmt::Write;

/// The parts of the output of `cpc probe --json` that a card uses.
#[derive(Debug, Deserialize)]
struct Probe {
    protocol: String,
    probe: String,
    labels: String,
    folds: Option<usize>,
    train: Part,
    test: Part,
    classes: usize,
    chance: f64,
    majority: f64,
    rows: Vec<ProbeRow>,
}

#[derive(Debug, Deserialize)]
struct Part {
    utterances: usize,
    rows: usize,
}

#[derive(Debug, Deserialize)]
struct ProbeRow {
    features: String,
    dim: usize,
    accuracy: f64,
    ci95: Option<[f64; 2]>,
    macro_f1: f64,
}

/// The parts of the output of `cpc abx --json` that a card uses.
#[derive(Debug, Deserialize)]
struct Abx {
    features: String,
    item: String,
    slicing: String,
    context: String,
    sampling: Sampling,
    items: usize,
    rows: Vec<AbxRow>,
}

#[derive(Debug, Deserialize)]
struct Sampling {
    max_group: Option<usize>,
    max_x_across: Option<usize>,
}

#[derive(Debug, Deserialize)]
struct AbxRow {
    mode: String,
    distance: String,
    error: Option<f64>,
    triples: u64,
}

/// One entry of `model-index`.
struct Indexed {
    task: String,
    dataset: String,
    /// The hub's name for the kind of metric, the metric's name, and its value as a fraction.
    metrics: Vec<(&'static str, String, f64)>,
}

/// Whether a row of a table is a baseline. These are the names that `cpc probe` gives its baselines.
fn is_baseline(features: &str) -> bool {
    ["mfcc", "logmel", "random"].contains(&features) || features.starts_with("random ")
}

impl Probe {
    fn kind(&self) -> String {
        let folds = self.folds.map_or(String::new(), |k| format!(", {k} folds"));
        format!("{}, {} probe{folds}", self.protocol, self.probe)
    }

    fn section(&self) -> String {
        let row = |r: &ProbeRow| {
            let interval = r.ci95.map_or("-".into(), |[low, high]| format!("{} to {}", percent(low), percent(high)));
            let baseline = if is_baseline(&r.features) { " (to compare with)" } else { "" };
            let name = format!("{}{baseline}", plain(called(&r.features)));
            vec![name, r.dim.to_string(), percent(r.accuracy), interval, percent(r.macro_f1)]
        };
        let rows: Vec<_> = self.rows.iter().map(row).collect();
        let part = |p: &Part| format!("{} utterances ({} rows)", p.utterances, p.rows);
        let split = match self.folds {
            Some(_) => format!("cross-validated on {}", part(&self.test)),
            None => format!("trained on {} and tested on {}", part(&self.train), part(&self.test)),
        };
        format!(
            "\n### {}, {}\n\nA classifier of {} classes on frozen features, {split}. Guessing gives {}, always saying the most frequent class {}.\n\n{}",
            plain(called(&self.labels)),
            plain(&self.kind()),
            self.classes,
            percent(self.chance),
            percent(self.majority),
            table(&["features", "dimensions", "accuracy", "95 % interval", "macro-F1"], &rows),
        )
    }

    fn indexed(&self) -> Indexed {
        let mut metrics = Vec::new();
        for row in self.rows.iter().filter(|r| !is_baseline(&r.features)) {
            let name = called(&row.features);
            metrics.push(("accuracy", format!("accuracy, {name}"), row.accuracy));
            metrics.push(("f1", format!("macro-F1, {name}"), row.macro_f1));
        }
        Indexed { task: self.kind(), dataset: called(&self.labels).into(), metrics }
    }
}

impl Abx {
    fn section(&self) -> String {
        let row = |r: &AbxRow| {
            let error = r.error.map_or("-".into(), percent);
            vec![plain(&r.mode), plain(&r.distance), error, r.triples.to_string()]
        };
        let rows: Vec<_> = self.rows.iter().map(row).collect();
        let most = |what: &str, n: Option<usize>| n.map_or(String::new(), |n| format!(", {what} {n}"));
        format!(
            "\n### ABX, {}\n\nThe share of triples in which X is closer to another phone than to its own (chance level is 50 %), on features named {}: {} items, context {}, slicing \
            {}{}{}.\n\n{}",
            plain(called(&self.item)),
            plain(called(&self.features)),
            self.items,
            plain(&self.context),
            plain(&self.slicing),
            most("max-group", self.sampling.max_group),
            most("max-x-across", self.sampling.max_x_across),
            table(&["speakers", "distance", "error", "triples"], &rows),
        )
    }

    fn indexed(&self) -> Indexed {
        let name = called(&self.features);
        let metric = |r: &AbxRow| Some(("abx", format!("ABX error, {}, {}, {name}", r.mode, r.distance), r.error?));
        let ours = self.rows.iter().filter(|_| !is_baseline(name));
        Indexed {
            task: format!("ABX, context {}", self.context),
            dataset: called(&self.item).into(),
            metrics: ours.filter_map(metric).collect(),
        }
    }
}

/// The measurements of a model. Reports that do not have the form of either command's output are ignored.
pub(super) struct Evaluation {
    probes: Vec<Probe>,
    abx: Vec<Abx>,
}

impl Evaluation {
    pub(super) fn new(probes: &[Value], abx: &[Value]) -> Self {
        let probes = probes.iter().filter_map(|v| Probe::deserialize(v).ok()).collect();
        Evaluation { probes, abx: abx.iter().filter_map(|v| Abx::deserialize(v).ok()).collect() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.probes.is_empty() && self.abx.is_empty()
    }

    /// The tables, each under a third-level heading.
    pub(super) fn sections(&self) -> String {
        self.probes.iter().map(Probe::section).chain(self.abx.iter().map(Abx::section)).collect()
    }

    /// The `model-index` of the header, as in the hub's model card specification. Empty if nothing was measured. The hub requires the id of
    /// a data set, which is not known here; the name of the labels or items is given instead.
    pub(super) fn model_index(&self, name: &str) -> String {
        let all = self.probes.iter().map(Probe::indexed).chain(self.abx.iter().map(Abx::indexed));
        let results: Vec<Indexed> = all.filter(|r| r.metrics.iter().any(|m| m.2.is_finite())).collect();
        if results.is_empty() {
            return String::new();
        }
        let mut header = format!("model-index:\n- name: {}\n  results:\n", yaml(name));
        for result in &results {
            let (task, dataset) = (yaml(&result.task), yaml(&result.dataset));
            let _ = write!(
                header,
                "  - task:\n      type: feature-extraction\n      name: {task}\n    dataset:\n      name: {dataset}\n      type: {dataset}\n    metrics:\n"
            );
            for (kind, name, value) in result.metrics.iter().filter(|m| m.2.is_finite()) {
                let _ = write!(header, "    - type: {kind}\n      value: {value:.4}\n      name: {}\n", yaml(name));
            }
        }
        header
    }
}
