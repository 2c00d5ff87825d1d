//! `cpc mi features`: the information in a model's features.

use crate::command::console::{Console, bar};
use crate::command::picture::svg_file;
use crate::command::session;
use crate::command::terminal::Terminal;
use crate::error::{Error, Result};
use crate::eval::frames::Drawn;
use crate::eval::probe::labels::Labels;
use crate::features::FeatureSet;
use crate::kinds::{ExtractRequest, not_for};
use crate::mi::discrete::Unit;
use crate::mi::estimate::{Estimate, Estimator, Settings, estimate};
use crate::mi::neural::Protocol;
use crate::mi::parallel::in_parallel;
use crate::mi::variable::Variable;
use crate::objective::Bound;
use crate::report::plot::{Figure, Panel, Series, Style};
use crate::toolkit::Toolkit;
use clap::Args;
use serde_json::{Value, json};
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// Options of `cpc mi features`.
#[derive(Debug, Args)]
#[command(
    about = "What a CPC model predicts: the information c carries about z some frames later, and both about labels",
    long_about = "What a CPC model predicts: the information that its context c_t carries about the latent z_{t+k}, for each step k. With --labels, \
        also the information that z and c carry about labels.\n\n\
        RUN is a model or a run directory, with --data; or a directory written by `cpc extract MODEL DATA --layer c,z`. Features are reduced to \
        principal components, frames are drawn evenly, and folds are runs of consecutive frames. With the bounds (infonce is the default) all \
        values are lower bounds: features carry at least that much information. Even an untrained model carries some, because neighboring frames \
        of speech are similar.",
    after_help = "Examples:\n  \
        cpc mi features runs/demo --data data/demo --labels data/demo/phones.txt --svg predicts.svg\n  \
        cpc extract runs/demo data/demo --layer c,z --out features && cpc mi features features --labels speaker"
)]
pub(crate) struct Features {
    /// A model or run directory, or a directory with features of layers c and z
    #[arg(value_name = "RUN")]
    run: String,
    /// The recordings; needed if RUN is a model
    #[arg(long, value_name = "DATA")]
    data: Option<PathBuf>,
    /// Labels to estimate information about: a file of frame or utterance labels, as for `cpc probe`, or `speaker`
    #[arg(long, value_name = "FILE")]
    labels: Option<String>,
    /// Number of steps ahead
    #[arg(long, default_value = "12", value_name = "K", value_parser = clap::value_parser!(u32).range(1..=1000))]
    steps: u32,
    /// Maximum number of frames to draw
    #[arg(long, default_value = "10000", value_name = "N", value_parser = clap::value_parser!(u32).range(100..=10_000_000))]
    frames: u32,
    /// Number of principal components of z, and of c
    #[arg(long, default_value = "32", value_name = "N", value_parser = clap::value_parser!(u32).range(1..=4096))]
    components: u32,
    /// The estimator
    #[arg(long, default_value = "infonce", value_name = "NAME")]
    estimator: Estimator,
    /// The unit: nats, bits or hartleys
    #[arg(long, default_value = "nats", value_name = "UNIT")]
    unit: Unit,
    /// The random seed
    #[arg(long, default_value = "0", value_name = "N")]
    seed: u64,
    /// Draw I(z_{t+k}; c_t) against k to a .svg file
    #[arg(long, value_name = "FILE", value_parser = svg_file())]
    svg: Option<PathBuf>,
}

/// A quantity to estimate.
enum Quantity {
    /// I(z_{t+k}; c_t), for this k.
    Ahead(usize),
    /// The information between labels and c, or z.
    Label(&'static str),
}

impl Features {
    pub(crate) fn run(&self, terminal: &Terminal) -> Result<()> {
        let made = tempfile::Builder::new().prefix("cpc-mi-").tempdir();
        let made = made.map_err(Error::io(std::env::temp_dir(), "make a directory in"))?;
        let dir = self.directory(made.path(), terminal)?;
        let sets = ["c", "z"].map(|layer| FeatureSet::open(&dir, Some(layer)));
        let [c, z] = sets;
        let (c, z) = (c?, z?);
        let steps = self.steps as usize;
        let drawn = Drawn::evenly(&c, steps, self.frames as usize)?;
        let components = self.components as usize;
        let labels = match self.labels.as_deref() {
            None => None,
            Some("speaker") => Some(drawn.labels(&c, &Labels::Speakers)?),
            Some(file) => Some(drawn.labels(&c, &Labels::read(Path::new(file))?)?),
        };
        let contexts = Variable::Numbers(drawn.features(&c, 0, components)?);
        let latents = Variable::Numbers(drawn.features(&z, 0, components)?);
        let mut wanted: Vec<Quantity> = (1..=steps).map(Quantity::Ahead).collect();
        if labels.is_some() {
            wanted.extend(["c", "z"].map(Quantity::Label));
        }
        let protocol = Protocol { folds: 5, blocked: true, seed: self.seed };
        let settings = Settings { protocol, seed: self.seed, ..Settings::default() };
        let bar = bar(terminal, wanted.len() as u64, "estimates");
        let job = |i: usize| match (&wanted[i], &labels) {
            (Quantity::Ahead(k), _) => {
                let later = Variable::Numbers(drawn.features(&z, *k, components)?);
                estimate(&later, &contexts, self.estimator, &settings)
            }
            (Quantity::Label(layer), Some(labels)) => {
                estimate(labels, if *layer == "c" { &contexts } else { &latents }, self.estimator, &settings)
            }
            (Quantity::Label(_), None) => Err(Error::usage("there are no labels", "report this as a bug in cpc")),
        };
        let found = in_parallel(wanted.len(), job, |_| bar.inc(1))?;
        bar.finish_and_clear();
        terminal.picture(self.svg.as_deref(), || self.figure(&found[..steps], c.frame_rate()).svg())?;
        let remarks: Vec<String> = wanted
            .iter()
            .zip(&found)
            .flat_map(|(wanted, found)| found.warnings.iter().map(|w| format!("{}: {w}", Self::name(wanted))))
            .collect();
        match terminal.verbose || remarks.len() < 3 {
            true => remarks.iter().for_each(|remark| terminal.warning(remark)),
            false => terminal.warning(&format!("{}; and {} more remarks (-v)", remarks[0], remarks.len() - 1)),
        }
        terminal.result_or_json(
            &self.json(&wanted, &found, drawn.len()),
            &self.text(&wanted, &found, drawn.len(), c.frame_rate()),
        )
    }

    /// The features: those that were given, or those that a model makes into `made`.
    fn directory(&self, made: &Path, terminal: &Terminal) -> Result<PathBuf> {
        let console = Console::new(terminal);
        let (toolkit, session) = (Toolkit::standard(), session(&console, "auto")?);
        let run = Path::new(&self.run);
        if !toolkit.is_model(run, &session)? {
            return Ok(run.to_path_buf());
        }
        let Some(data) = &self.data else {
            return Err(Error::usage(
                format!("{} is a model, and has no features without recordings", self.run),
                "name them with --data",
            ));
        };
        let model = toolkit.open(run, &session)?;
        let layers = ["c", "z"].map(String::from).to_vec();
        if !layers.iter().all(|layer| model.layers().contains(layer)) {
            return Err(not_for(&*model, "`cpc mi features`, which compares c and z,"));
        }
        let dir = made.join("features");
        let request = ExtractRequest { layers, ..ExtractRequest::new(vec![data.clone()], &dir) };
        model.extract(&request, &session)?;
        Ok(dir)
    }

    fn name(wanted: &Quantity) -> String {
        match wanted {
            Quantity::Ahead(k) => format!("I(z[t+{k}]; c[t])"),
            Quantity::Label(layer) => format!("I(label; {layer}[t])"),
        }
    }

    fn text(&self, wanted: &[Quantity], found: &[Estimate], frames: usize, rate: Option<f64>) -> String {
        let mut text = format!("{:<18}  {:>7}  {:>8}  95 %\n", "", "ahead", self.unit.to_string());
        for (wanted, found) in wanted.iter().zip(found) {
            let ahead = match (wanted, rate) {
                (Quantity::Ahead(k), Some(rate)) => format!("{:.0} ms", 1000.0 * *k as f64 / rate),
                _ => String::new(),
            };
            let value = self.unit.of(found.nats);
            let interval =
                found.ci95.map_or("-".into(), |ci| format!("{:.3} .. {:.3}", self.unit.of(ci[0]), self.unit.of(ci[1])));
            writeln!(text, "{:<18}  {ahead:>7}  {value:>8.3}  {interval}", Self::name(wanted)).ok();
        }
        let kind = found.first().map_or(String::new(), |f| f.kind.to_string());
        let what = if self.estimator == Estimator::Neural(Bound::InfoNce) {
            "infonce on held-out frames"
        } else {
            "see --estimator"
        };
        writeln!(text, "\n{frames} frames, {} principal components of each; {kind}s ({what})", self.components).ok();
        text
    }

    fn json(&self, wanted: &[Quantity], found: &[Estimate], frames: usize) -> Value {
        let rows: Vec<Value> = wanted
            .iter()
            .zip(found)
            .map(|(wanted, found)| {
                json!({ "quantity": Self::name(wanted), "estimate": self.unit.of(found.nats), "unit": self.unit.to_string(),
                    "ci95": found.ci95.map(|ci| ci.map(|v| self.unit.of(v))), "bound": found.kind.to_string(),
                    "estimator": found.method, "n": found.n, "warnings": found.warnings })
            })
            .collect();
        json!({ "frames": frames, "components": self.components, "estimates": rows })
    }

    fn figure(&self, found: &[Estimate], rate: Option<f64>) -> Figure {
        let x = |i: usize| rate.map_or((i + 1) as f64, |rate| 1000.0 * (i + 1) as f64 / rate);
        let points = found.iter().enumerate().map(|(i, f)| (x(i), self.unit.of(f.nats))).collect();
        let edges: Option<Vec<[f64; 2]>> = found.iter().map(|f| f.ci95.map(|ci| ci.map(|v| self.unit.of(v)))).collect();
        let mut series = Vec::new();
        if let Some(edges) = edges {
            let high = edges.iter().enumerate().map(|(i, e)| (x(i), e[1])).collect();
            series.push(Series::new("95 %", high, Style::Band { low: edges.iter().map(|e| e[0]).collect() }));
        }
        series.push(Series::new("I(z[t+k]; c[t])", points, Style::Marked));
        let panel = Panel {
            title: format!("What c knows of z, {}", self.run),
            x_label: if rate.is_some() { "ahead, ms".into() } else { "k".into() },
            y_label: self.unit.to_string(),
            series,
            ..Panel::default()
        };
        Figure { panels: vec![panel], ..Figure::default() }
    }
}
