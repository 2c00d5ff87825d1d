//! Fine-tuning: a classifier on top of a trained model, alone or at several shares of the labels, beside what it is compared with.

use super::{Pretrain, Toolkit};
use crate::config::Layers;
use crate::durable;
use crate::error::{Error, Result};
use crate::kinds::ProbeRequest;
use crate::kinds::classifier::{ClassifierConfig, ClassifierModel, Figure, Measured, Shown};
use crate::observer::Session;
use crate::report::plot::{self, Panel, Series, Style};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::{self, Write};
use std::path::{Path, PathBuf};
use toml::Value;

/// What to fine-tune, and where.
#[derive(Debug, Clone, Default)]
pub struct Finetune {
    /// The configuration of a classifier.
    pub layers: Layers,
    /// The run directory.
    pub out: PathBuf,
    /// Shares of the labels; empty for one run with all of them.
    pub fractions: Vec<f64>,
    /// Replace what is in `out`. Otherwise runs that are there are resumed, or kept if they are complete.
    pub overwrite: bool,
}

/// What fine-tuning came to.
#[derive(Debug, Clone, Serialize)]
pub struct FinetuneReport {
    /// The directory.
    pub out: PathBuf,
    /// The model that was fine-tuned on the largest share.
    pub model: PathBuf,
    /// The name of the figures.
    pub figure: String,
    /// What is classified: recordings, images or sentences.
    pub items: String,
    /// A row for each share.
    pub rows: Vec<ShareRow>,
}

/// What a share of the labels is worth.
#[derive(Debug, Clone, Serialize)]
pub struct ShareRow {
    /// The share.
    pub fraction: f64,
    /// How many labeled ones were trained or validated on.
    pub labeled: usize,
    /// The figure on the test recordings, and its 95 % interval, by the way it was reached.
    pub ways: BTreeMap<String, Reached>,
}

/// A figure on the test recordings.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Reached {
    /// Its value, from 0 to 1.
    pub value: f64,
    /// Its 95 % interval; none of a single tested subject or recording.
    pub ci95: Option<[f64; 2]>,
}

/// The ways in the order of the table.
const WAYS: [&str; 4] = ["fine-tuned", "frozen", "linear probe", "from scratch"];

impl From<&Figure> for Reached {
    fn from(figure: &Figure) -> Self {
        Reached { value: figure.value, ci95: figure.ci95 }
    }
}

impl Toolkit {
    /// Fine-tunes a model. With shares of the labels, also trains the same network from random weights, and probes the features of the model
    /// as it is, on the same recordings.
    ///
    /// # Errors
    /// The configuration, the recordings or the labels cannot be used. [`Error::Interrupted`] after `session.stop`, once a checkpoint is
    /// written; the same call resumes.
    pub fn finetune(&self, what: &Finetune, session: &Session) -> Result<FinetuneReport> {
        let fractions = match what.fractions.is_empty() {
            true => vec![None],
            false => {
                let mut sorted = what.fractions.clone();
                sorted.sort_by(f64::total_cmp);
                sorted.dedup();
                sorted.into_iter().map(Some).collect()
            }
        };
        let (mut rows, mut model, mut name) = (Vec::new(), PathBuf::new(), [String::new(), String::new()]);
        for fraction in fractions {
            let Some(fraction) = fraction else {
                let (measured, run) = self.tuned(what, &what.out, &[], session)?;
                model = run.join("model");
                rows.extend(measured.map(|measured| row(1.0, &measured, &mut name)));
                continue;
            };
            let dir = what.out.join(format!("{}-percent", 100.0 * fraction));
            let share = ("finetune.fraction", Value::Float(fraction));
            session.observer.note(&format!("{} % of the labels, fine-tuned", 100.0 * fraction));
            let (measured, run) = self.tuned(what, &dir.join("tuned"), std::slice::from_ref(&share), session)?;
            let Some(measured) = measured else {
                return Err(Error::usage(
                    "no recordings are tested",
                    "name some with --test, or leave data.test_share above 0",
                ));
            };
            model = run.join("model");
            let mut row = row(fraction, &measured, &mut name);
            // A probe has a label for each frame or recording; transcripts are learned by a head on the model as it is.
            let config: ClassifierConfig = self.read_config(&run)?.sections()?;
            let transcribes = config.finetune.ctc.is_some();
            if transcribes {
                session.observer.note(&format!("{} % of the labels, frozen", 100.0 * fraction));
                let frozen = [share.clone(), ("finetune.body_lr", Value::Float(0.0))];
                let (measured, _) = self.tuned(what, &dir.join("frozen"), &frozen, session)?;
                row.ways.extend(measured.and_then(|m| Some((WAYS[1].to_string(), m.figures.first()?.into()))));
            }
            session.observer.note(&format!("{} % of the labels, from scratch", 100.0 * fraction));
            let scratch = [share, ("finetune.scratch", Value::Boolean(true)), ("finetune.body_lr", Value::Float(1.0))];
            let (measured, _) = self.tuned(what, &dir.join("scratch"), &scratch, session)?;
            row.ways.extend(measured.and_then(|m| Some((WAYS[3].to_string(), m.figures.first()?.into()))));
            if !transcribes {
                row.ways.extend(self.probed(&run, session)?);
            }
            rows.push(row);
        }
        let [figure, items] = name;
        let report = FinetuneReport { out: what.out.clone(), model, figure, items, rows };
        if !what.fractions.is_empty() {
            durable::write_json(&what.out.join("curve.json"), &report)?;
            durable::write(&what.out.join("curve.svg"), report.plot()?.as_bytes())?;
        }
        Ok(report)
    }

    /// A run, or what it came to if it is complete: what it measured, and its directory.
    fn tuned(
        &self,
        what: &Finetune,
        out: &Path,
        flags: &[(&'static str, Value)],
        session: &Session,
    ) -> Result<(Option<Measured>, PathBuf)> {
        let mut layers = what.layers.clone();
        layers.flags.extend(flags.iter().cloned());
        let resume = !what.overwrite && out.join("config.toml").exists();
        let pretrain = Pretrain { layers, out: out.to_path_buf(), resume, overwrite: what.overwrite };
        self.pretrain(&pretrain, session)?;
        let path = out.join("test.json");
        let measured = match path.exists() {
            true => {
                let text = std::fs::read_to_string(&path).map_err(Error::io(&path, "read"))?;
                Some(serde_json::from_str(&text).map_err(|e| Error::bad_file(&path, e))?)
            }
            false => None,
        };
        Ok((measured, out.to_path_buf()))
    }

    /// Linear probes on the recordings of a run: of the features of the model that it started from, and of baselines.
    fn probed(&self, run: &Path, session: &Session) -> Result<BTreeMap<String, Reached>> {
        let config: ClassifierConfig = self.read_config(run)?.sections()?;
        let model = PathBuf::from(&config.finetune.model);
        let tuned = ClassifierModel::open(&run.join("model"), "")?;
        let Some((data, options)) = tuned.probing(&config, run)? else {
            session.observer.note("no linear probe: sentences with several labels cannot be probed");
            return Ok(BTreeMap::new());
        };
        let kind = self.kind(self.open(&model, session)?.kind())?;
        let baseline = kind.baselines().first().map(|(name, _)| *name);
        let options = options.with_some("baselines", baseline);
        let request = ProbeRequest { features: vec![model], data, page: false, options };
        let probed = self.probe(&request, session)?;
        let json: serde_json::Value = serde_json::from_str(&probed.described.json)
            .map_err(|e| Error::failed(format!("JSON: {e}"), "report this as a bug in cpc"))?;
        let mut found = BTreeMap::new();
        for (i, row) in json["rows"].as_array().into_iter().flatten().enumerate() {
            let name = match (i, baseline) {
                (0, _) => WAYS[2].to_string(),
                (_, baseline) => baseline.unwrap_or("baseline").to_string(),
            };
            let ci95 = row["ci95"].as_array().and_then(|ci| Some([ci.first()?.as_f64()?, ci.get(1)?.as_f64()?]));
            let value = row["accuracy"].as_f64().or(row["macro_auroc"].as_f64()).unwrap_or(f64::NAN);
            found.insert(name, Reached { value, ci95 });
        }
        Ok(found)
    }
}

/// The row of a fine-tuned model.
fn row(fraction: f64, measured: &Measured, [name, items]: &mut [String; 2]) -> ShareRow {
    let mut ways = BTreeMap::new();
    if let Some(figure) = measured.figures.first() {
        name.clone_from(&figure.name);
        ways.insert(WAYS[0].to_string(), figure.into());
    }
    items.clone_from(&measured.items);
    ShareRow { fraction, labeled: measured.trained_on, ways }
}

impl FinetuneReport {
    /// The names of the ways in the order of the table.
    fn names(&self) -> Vec<&str> {
        let all = self.rows.iter().flat_map(|row| row.ways.keys().map(String::as_str));
        let mut others: Vec<&str> = all.filter(|name| !WAYS.contains(name)).collect();
        others.sort_unstable();
        others.dedup();
        let known = WAYS.into_iter().filter(|name| self.rows.iter().any(|row| row.ways.contains_key(*name)));
        known.chain(others).collect()
    }

    /// The figures over the number of labeled recordings, as SVG.
    fn plot(&self) -> Result<String> {
        let mut series = Vec::new();
        for name in self.names() {
            let at = |row: &ShareRow| Some(((row.labeled as f64).log10(), row.ways.get(name)?.value));
            series.push(Series::new(name, self.rows.iter().filter_map(at).collect(), Style::Marked));
        }
        let panel = Panel {
            title: "What labels are worth".into(),
            x_label: format!("labeled {}, log10", self.items),
            y_label: self.figure.replace('_', " "),
            series,
            ..Panel::default()
        };
        plot::Figure { panels: vec![panel], ..plot::Figure::default() }.svg()
    }
}

impl fmt::Display for FinetuneReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.names();
        let mut table = format!("{:>9}  {:>10}", "labels", self.items);
        names.iter().for_each(|name| table += &format!("  {name:<24}"));
        writeln!(f, "{}", table.trim_end())?;
        for row in &self.rows {
            let mut line = format!("{:>9}  {:>10}", format!("{} %", 100.0 * row.fraction), row.labeled);
            for name in &names {
                let cell = row.ways.get(*name).map_or("-".into(), |r| Shown(r.value, r.ci95).to_string());
                write!(line, "  {cell:<24}")?;
            }
            writeln!(f, "{}", line.trim_end())?;
        }
        writeln!(f, "\n{} on the test {}, with 95 % intervals", self.figure.replace('_', " "), self.items)?;
        if self.rows.len() > 1 {
            writeln!(f, "plot: {}", self.out.join("curve.svg").display())?;
        }
        writeln!(f, "model: {}", self.model.display())
    }
}
