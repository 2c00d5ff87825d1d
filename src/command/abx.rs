//! `cpc abx`: how well features discriminate phones, without any training.

use crate::command::choices::choice;
use crate::command::terminal::Terminal;
use crate::error::Result;
use crate::eval::abx::{AbxConfig, AbxRow, Distance, ItemContext, ItemFile, Mode, Sampling, Slicing, abx};
use crate::features::FeatureSet;
use clap::Args;
use serde::Serialize;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Options of `cpc abx`.
#[derive(Debug, Args)]
#[command(
    about = "Measure how well features discriminate phones (ABX error)",
    long_about = "How well features discriminate phones, without any training.\n\n\
        The ABX error is the share of triples (A, B, X) in which X is closer to B, a different phone, than to A, the same phone. Chance is 50 %. \
        ITEM is an item file as in the Zero Resource Speech challenges and Libri-light: a header, then one line per item, `file onset offset phone prev-phone \
        next-phone speaker`, with times in seconds. FEATURES is the output of `cpc extract`, or any directory of .npy (frames, dimensions).\n\n\
        The computation is that of CPC_audio and Libri-light. Items are aligned by dynamic time warping, and its cost is divided by the length of the path. Frames are scaled to length 1 before either \
        distance. Errors are averaged over contexts, then speakers, then pairs of phones. Most published numbers use --max-group 10 \
        --max-x-across 5; the default uses all triples.",
    after_help = "Examples:\n  cpc abx features/dev-clean dev-clean.item\n  \
        cpc abx hubert/ dev-clean.item --frame-rate 50 --slicing fastabx --max-group 10 --max-x-across 5\n  \
        cpc abx features/ phones.item --context any --max-group 20 --json"
)]
pub(crate) struct Abx {
    /// A directory of .npy features, a .safetensors, or a .jsonl of units that `cpc units apply` wrote
    features: PathBuf,
    /// The item file
    item: PathBuf,
    /// Who says X: the speaker of A and B (within), a different speaker (across), or both
    #[arg(long, value_parser = choice::<Mode>(&MODES), value_delimiter = ',', default_value = "within,across", value_name = "MODES")]
    mode: Vec<Mode>,
    /// Distances between frames: angular, euclidean, or both; of units identical, edit, or both [default: angular; of units identical]
    #[arg(long, value_parser = choice::<Distance>(&DISTANCES), value_delimiter = ',', value_name = "DISTANCES")]
    distance: Vec<Distance>,
    /// Compare items with the same neighboring phones (triphone), or with any (any)
    #[arg(long, value_parser = choice::<ItemContext>(&CONTEXTS), default_value = "triphone", value_name = "CONTEXT")]
    context: ItemContext,
    /// Which frames belong to an item. HuBERT's 3.06 % (libri-light) and 3.38 % (fastabx) differ only in this choice
    #[arg(long, value_parser = choice::<Slicing>(&SLICINGS), default_value = "libri-light", value_name = "SLICING")]
    slicing: Slicing,
    /// Frames per second [default: from the index.json of the features]
    #[arg(long, value_name = "HZ")]
    frame_rate: Option<f64>,
    /// The layer to use, if the features have several
    #[arg(long, value_name = "L")]
    layer: Option<String>,
    /// Use at most N items per phone, speaker and context [default: all]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(2..))]
    max_group: Option<u32>,
    /// Across: for each A, use X from at most N other speakers [default: all]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    max_x_across: Option<u32>,
    /// Seed of the subsampling
    #[arg(long, default_value = "0", value_name = "N")]
    seed: u64,
}

#[derive(Serialize)]
struct Report<'a> {
    features: &'a Path,
    item: &'a Path,
    slicing: Slicing,
    context: ItemContext,
    frame_rate: f64,
    seed: u64,
    sampling: Sampling,
    items: usize,
    too_short: usize,
    rows: Vec<AbxRow>,
}

/// Time between two lines of progress.
const PAUSE: Duration = Duration::from_secs(5);

/// Who says X.
const MODES: [(&str, &str); 2] = [("within", "The speaker of A and B"), ("across", "A different speaker from A and B")];

/// The distance between two frames.
const DISTANCES: [(&str, &str); 4] = [
    ("angular", "The angle between two frames over pi (CPC_audio's `cosine`)"),
    ("euclidean", "The Euclidean distance between frames scaled to length 1 (CPC_audio's `euclidian`)"),
    ("identical", "Of units: 0 for the same, 1 for others, with time warping (fastabx's `identical`)"),
    ("edit", "Of units: the edit distance of items, divided by the length of the longer one"),
];

/// Which items are compared.
const CONTEXTS: [(&str, &str); 2] = [
    ("triphone", "Items with the same neighbors (the ABX of ZeroSpeech and Libri-light)"),
    (
        "any",
        "Items with any neighbors, for item files of single phones (`--context_mode any` of ZeroSpeech's zrc-abx2)",
    ),
];

/// Which frames belong to an item.
const SLICINGS: [(&str, &str); 2] = [
    ("libri-light", "Without the last frame, as in Libri-light and CPC_audio"),
    ("fastabx", "With the last frame, as in fastabx"),
];

/// The name of a choice, as written on the command line.
fn name(choice: &impl Serialize) -> String {
    crate::kinds::word(choice)
}

/// The list without its duplicates.
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
    pub(crate) fn run(&self, terminal: &Terminal) -> Result<()> {
        let sampling = Sampling {
            max_group: self.max_group.map(|n| n as usize),
            max_x_across: self.max_x_across.map(|n| n as usize),
            seed: self.seed,
        };
        let items = ItemFile::read(&self.item)?;
        let features = FeatureSet::open(&self.features, self.layer.as_deref())?;
        let distances = match (self.distance.as_slice(), features.is_units()) {
            ([], true) => vec![Distance::Identical],
            ([], false) => vec![Distance::Angular],
            (chosen, _) => once(chosen),
        };
        let config = AbxConfig {
            modes: once(&self.mode),
            distances,
            context: self.context,
            slicing: self.slicing,
            frame_rate: self.frame_rate,
            sampling: sampling.clone(),
        };
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
