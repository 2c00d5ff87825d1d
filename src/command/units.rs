//! `cpc units`: discrete units of a model.

use crate::command::choices::{NORMALIZE, ON_BAD_FILE, word};
use crate::command::console::Console;
use crate::command::session;
use crate::command::terminal::Terminal;
use crate::error::{Error, Result};
use crate::options::Options;
use crate::toolkit::{ApplyUnits, FitUnits, Toolkit, UnitInput};
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// Discrete units.
#[derive(Debug, Args)]
#[command(
    about = "Fit discrete units on features (k-means), and apply them",
    long_about = "Discrete units: the number of the nearest of K centroids in place of each frame, as language models of speech take them."
)]
pub(crate) struct Units {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Fit(Fit),
    Apply(Apply),
}

/// Fit units.
#[derive(Debug, Args)]
#[command(
    about = "Fit units on the features of a model",
    long_about = "Fit units by k-means: seeded by k-means++ on a sample of the frames, then by passes over all frames until these improve it no more. Memory does not \
        grow with the data. The same command goes on where it was interrupted.\n\n\
        A file units-K.safetensors is written for each K, beside the model, where `cpc hub push` finds it, or into --out. With --labels, the table says what units \
        have to do with phones.",
    after_help = "Examples:\n  cpc units fit runs/demo data/demo --clusters 50,100 --labels data/demo/phones.txt\n  \
        cpc units fit features --clusters 100 --out units"
)]
struct Fit {
    /// A model, or a directory of features that `cpc extract` wrote
    features: String,
    /// The recordings, if FEATURES is a model: a directory, a manifest, parquet files, or hf://datasets/owner/name
    data: Option<PathBuf>,
    /// Numbers of units
    #[arg(long, value_name = "K", value_delimiter = ',', required = true, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    clusters: Vec<u32>,
    /// The layer of the features [default: that of the model]
    #[arg(long, value_name = "LAYER")]
    layer: Option<String>,
    /// Normalization of each utterance over its frames [default: none]
    #[arg(long, value_name = "HOW", value_parser = word(&NORMALIZE))]
    normalize: Option<String>,
    /// The share of the utterances that units are fitted on, drawn with the seed
    #[arg(long, value_name = "X", default_value = "1")]
    share: f64,
    /// Passes over all frames, at most
    #[arg(long, value_name = "N", default_value = "50", value_parser = clap::value_parser!(u32).range(1..))]
    passes: u32,
    /// The seed
    #[arg(long, value_name = "N", default_value = "0")]
    seed: u64,
    /// Frame labels, to measure units with
    #[arg(long, value_name = "FILE")]
    labels: Option<PathBuf>,
    /// Labels per second
    #[arg(long, value_name = "HZ", default_value = "100")]
    label_rate: f64,
    /// The directory to write to [default: that of the model]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// What to do about a file that cannot be read [default: fail]
    #[arg(long, value_name = "WHAT", value_parser = word(&ON_BAD_FILE))]
    on_bad_file: Option<String>,
    /// Where the model is computed: auto, cpu, cuda, cuda:N or metal
    #[arg(long, default_value = "auto", value_name = "DEVICE")]
    device: String,
}

/// How units are written.
const FORMATS: [(&str, &str); 3] = [
    ("jsonl", "{\"audio\": ..., \"units\": [...]} in each line, as fastabx reads them; `cpc abx` does, too"),
    ("zerospeech", "An id, a tab, and units with commas between them, as in the Zero Resource Speech Challenge 2021"),
    ("km", "Units with spaces between them, as fairseq's .km; ids in a file OUT.ids"),
];

/// Apply units.
#[derive(Debug, Args)]
#[command(
    about = "Write the units of recordings",
    long_about = "Write the units of recordings: a line for each utterance.",
    after_help = "Examples:\n  cpc units apply runs/demo recordings/ --clusters 50 --out units.jsonl\n  \
        cpc units apply units/units-100.safetensors recordings/ --format zerospeech --deduplicate --out quantized_outputs.txt"
)]
struct Apply {
    /// A file of units that `cpc units fit` wrote, or, with --clusters, a model that has such units: a model or run directory, or hf:owner/name
    units: String,
    /// Recordings, in any form that the model reads, or a directory of its features
    input: PathBuf,
    /// The number of units, if UNITS is a model
    #[arg(long, value_name = "K")]
    clusters: Option<u32>,
    /// The model [default: the one that the units are beside, or that they name]
    #[arg(long, value_name = "MODEL")]
    model: Option<String>,
    /// The file to write
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// How units are written
    #[arg(long, default_value = "jsonl", value_name = "FORMAT", value_parser = word(&FORMATS))]
    format: String,
    /// Write runs of the same unit as one; jsonl says how long they are (`durations`)
    #[arg(long)]
    deduplicate: bool,
    /// Frame labels, to measure units with
    #[arg(long, value_name = "FILE")]
    labels: Option<PathBuf>,
    /// Labels per second
    #[arg(long, value_name = "HZ", default_value = "100")]
    label_rate: f64,
    /// What to do about a file that cannot be read [default: fail]
    #[arg(long, value_name = "WHAT", value_parser = word(&ON_BAD_FILE))]
    on_bad_file: Option<String>,
    /// Where the model is computed: auto, cpu, cuda, cuda:N or metal
    #[arg(long, default_value = "auto", value_name = "DEVICE")]
    device: String,
}

impl Units {
    pub(crate) fn run(&self, terminal: &Terminal) -> Result<()> {
        match &self.command {
            Command::Fit(fit) => fit.run(terminal),
            Command::Apply(apply) => apply.run(terminal),
        }
    }
}

/// Frame labels with their rate, which is above 0.
fn labels(path: Option<&PathBuf>, rate: f64) -> Result<Option<(PathBuf, f64)>> {
    match rate > 0.0 && rate.is_finite() {
        true => Ok(path.map(|path| (path.clone(), rate))),
        false => Err(Error::usage(format!("--label-rate {rate}: is out of range"), "give a number above 0")),
    }
}

impl Fit {
    fn run(&self, terminal: &Terminal) -> Result<()> {
        if !(self.share > 0.0 && self.share <= 1.0) {
            return Err(Error::usage(format!("--share {}: is no share", self.share), "give one above 0, at most 1"));
        }
        let console = Console::new(terminal);
        let session = session(&console, &self.device)?;
        let options = Options::new()
            .with_some("normalize", self.normalize.as_ref())
            .with_some("on-bad-file", self.on_bad_file.as_ref());
        if self.data.is_none() && (self.normalize.is_some() || self.on_bad_file.is_some()) {
            return Err(Error::usage(
                "--normalize and --on-bad-file are for the extraction of features",
                "give a model and DATA, or features that `cpc extract --normalize` wrote",
            ));
        }
        let features = PathBuf::from(&self.features);
        let input = UnitInput { features, data: self.data.clone(), layer: self.layer.clone(), options };
        let mut clusters: Vec<usize> = self.clusters.iter().map(|&k| k as usize).collect();
        clusters.sort_unstable();
        clusters.dedup();
        let job = FitUnits {
            input,
            clusters,
            share: self.share,
            passes: self.passes as usize,
            seed: self.seed,
            labels: labels(self.labels.as_ref(), self.label_rate)?,
            out: self.out.clone(),
        };
        let report = Toolkit::standard().fit_units(&job, &session)?;
        terminal.result_or_json(&report, &report.to_string())
    }
}

impl Apply {
    fn run(&self, terminal: &Terminal) -> Result<()> {
        let console = Console::new(terminal);
        let session = session(&console, &self.device)?;
        let toolkit = Toolkit::standard();
        let (units, beside) = toolkit.find_units(&self.units, self.clusters.map(|k| k as usize), &session)?;
        let is_features = self.input.join("index.json").is_file() && self.model.is_none();
        let (features, data) = match is_features {
            true => (self.input.clone(), None),
            false => {
                let model = self.model.clone().map(PathBuf::from).or(beside);
                (model.unwrap_or_default(), Some(self.input.clone()))
            }
        };
        if self.on_bad_file.is_some() && data.is_none() {
            return Err(Error::usage("--on-bad-file is for recordings, not for features", "leave it out"));
        }
        let options = Options::new().with_some("on-bad-file", self.on_bad_file.as_ref());
        let job = ApplyUnits {
            units,
            input: UnitInput { features, data, layer: None, options },
            format: self.format.parse().map_err(|what: String| Error::usage(what, "see --help"))?,
            merge: self.deduplicate,
            labels: labels(self.labels.as_ref(), self.label_rate)?,
            out: self.out.clone(),
        };
        let report = toolkit.apply_units(&job, &session)?;
        terminal.result_or_json(&report, &report.to_string())
    }
}
