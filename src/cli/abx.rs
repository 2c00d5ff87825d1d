//! `cpc abx`: how well features tell phones apart, without training anything.

use super::Terminal;
use crate::error::Result;
use crate::eval::abx::{AbxConfig, AbxRow, ContextKind, Distance, ItemFile, Mode, Sampling, Slicing, abx};
use crate::features::FeatureSet;
use clap::{Args, ValueEnum};
use serde::Serialize;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Options of `cpc abx`.
#[derive(Debug, Args)]
#[command(
    about = "Measure how well features tell phones apart (ABX error)",
    long_about = "How well features tell phones apart, without training anything.\n\n\
        The ABX error is the share of triples in which X is closer to B, another phone, than to A, the same phone (50 % is chance). \
        ITEM is an item file as in the Zero Resource Speech challenges and Libri-light: a header, then `file onset offset phone prev-phone \
        next-phone speaker` a line, times in seconds. FEATURES is what `cpc extract` wrote, or any directory of .npy (frames, dimensions).\n\n\
        Computed as CPC_audio and Libri-light do: dynamic time warping, its cost over the length of its way; frames scaled to length 1 before either \
        distance; averages over contexts, then speakers, then pairs of phones. Published numbers mostly come from --max-group 10 \
        --max-x-across 5; the default leaves nothing out.",
    after_help = "Examples:\n  cpc abx features/dev-clean dev-clean.item\n  \
        cpc abx hubert/ dev-clean.item --frame-rate 50 --slicing fastabx --max-group 10 --max-x-across 5\n  \
        cpc abx features/ phones.item --context any --max-group 20 --json"
)]
pub struct Abx {
    /// A directory of .npy features, or a .safetensors
    features: PathBuf,
    /// The item file
    item: PathBuf,
    /// Who says X: the speaker of A and B (within), another one (across), or both
    #[arg(long, value_enum, value_delimiter = ',', default_value = "within,across", value_name = "MODES")]
    mode: Vec<Mode>,
    /// Between frames: angular, euclidean, or both
    #[arg(long, value_enum, value_delimiter = ',', default_value = "angular", value_name = "DISTANCES")]
    distance: Vec<Distance>,
    /// Compare items with the same neighbours, or all
    #[arg(long, value_enum, default_value = "triphone", value_name = "CONTEXT")]
    context: ContextKind,
    /// Which frames belong to an item; HuBERT's 3.06 % (libri-light) and 3.38 % (fastabx) differ by nothing else
    #[arg(long, value_enum, default_value = "libri-light", value_name = "SLICING")]
    slicing: Slicing,
    /// Frames a second [default: what the index.json of the features says]
    #[arg(long, value_name = "HZ")]
    frame_rate: Option<f64>,
    /// The layer, of features that have several
    #[arg(long, value_name = "L")]
    layer: Option<String>,
    /// Take at most N items of a phone by a speaker in a context [default: all]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(2..))]
    max_group: Option<u32>,
    /// Across: take X from at most N other speakers for each A [default: all]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    max_x_across: Option<u32>,
    /// The seed of the sub-sampling
    #[arg(long, default_value = "0", value_name = "N")]
    seed: u64,
}

#[derive(Serialize)]
struct Report<'a> {
    features: &'a Path,
    item: &'a Path,
    slicing: Slicing,
    context: ContextKind,
    frame_rate: f64,
    seed: u64,
    sampling: Sampling,
    items: usize,
    too_short: usize,
    rows: Vec<AbxRow>,
}

/// Time between two lines of progress.
const PAUSE: Duration = Duration::from_secs(5);

/// The name of a choice, as on the command line.
fn name(choice: &impl ValueEnum) -> String {
    choice.to_possible_value().map(|v| v.get_name().to_string()).unwrap_or_default()
}

/// A list in which everything is once.
fn once<T: Copy + PartialEq>(list: &[T]) -> Vec<T> {
    let mut kept: Vec<T> = Vec::new();
    list.iter().for_each(|x| {
        if !kept.contains(x) {
            kept.push(*x)
        }
    });
    kept
}

impl Abx {
    pub(super) fn run(&self, terminal: &Terminal) -> Result<()> {
        let sampling = Sampling {
            max_group: self.max_group.map(|n| n as usize),
            max_x_across: self.max_x_across.map(|n| n as usize),
            seed: self.seed,
        };
        let config = AbxConfig {
            modes: once(&self.mode),
            distances: once(&self.distance),
            context: self.context,
            slicing: self.slicing,
            frame_rate: self.frame_rate,
            sampling: sampling.clone(),
        };
        let items = ItemFile::read(&self.item)?;
        let features = FeatureSet::open(&self.features, self.layer.as_deref())?;
        let said = Mutex::new(Instant::now());
        let progress = |mode: Mode, distance: Distance, share: f64| {
            if let Ok(mut said) = said.try_lock()
                && said.elapsed() >= PAUSE
            {
                *said = Instant::now();
                terminal.note(&format!("{} {}: {:.0} %", name(&mode), name(&distance), 100.0 * share));
            }
        };
        let report = abx(&features, &items, &config, &progress)?;
        report.warnings.iter().for_each(|text| terminal.warning(text));
        let mut text = format!("{:<8}{:<11}{:>8}  {:>14}\n", "mode", "distance", "error %", "triples");
        for row in &report.rows {
            let error = row.error.map_or("-".into(), |e| format!("{:.3}", 100.0 * e));
            writeln!(text, "{:<8}{:<11}{error:>8}  {:>14}", name(&row.mode), name(&row.distance), row.triples).ok();
        }
        let report = Report {
            features: &self.features,
            item: &self.item,
            slicing: self.slicing,
            context: self.context,
            frame_rate: report.frame_rate,
            seed: self.seed,
            sampling,
            items: report.items,
            too_short: report.too_short,
            rows: report.rows,
        };
        terminal.result_or_json(&report, &text)
    }
}
