//! `cpc extract`: a model's features of recordings or sentences, in files or as a stream.

mod images;
mod sentences;
mod stream;

use super::Terminal;
use super::columns::ColumnArgs;
use super::interrupt::interruptible;
use super::progress::{PAUSE, bar};
use super::{model, remote};
use crate::audio::mel::MelKind;
use crate::config::OnBadFile;
use crate::data::Corpus;
use crate::device;
use crate::error::{Error, Result};
use crate::eval::baseline::spectral;
use crate::features::{self, Extractor, Format, Index, Layer, Made, Normalize};
use crate::image::ImageSize;
use crate::text::Split;
use crate::weights::{DimModel, TextModel};
use clap::{Args, ValueEnum};
use indicatif::ProgressBar;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Mutex;
use std::time::{Duration, Instant};
use stream::Input;

/// How samples on standard input are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Encoding {
    /// Signed integers of 16 bits, little-endian.
    S16,
    /// Floats of 32 bits between -1 and 1, little-endian.
    F32,
}

/// Options of `cpc extract`.
#[derive(Debug, Args)]
#[command(
    about = "Write a model's features of recordings or sentences to files that other tools read, or stream them",
    long_about = "Write a frozen model's features of recordings to files, or with a model of text its vectors of sentences.\n\n\
        c is what the context network makes of everything up to a frame (the usual choice), z what the encoder makes of the samples around \
        it; a frame comes every hop of the model, 10 ms for the presets. DIR/index.json says what lies where, and when frames are. \
        Stopped and started again, the same command goes on where it was.\n\n\
        With --stream, samples from standard input become frames on standard output as soon as they are final: rows of float32 \
        (the layers one behind the other), or with --json one line of JSON a frame.\n\n\
        With a model of text, INPUT is text as `cpc pretrain` takes it. Each becomes DIR/<name>.npy, a row (z) for each sentence in the \
        order of the file, or with --format parquet a table of sentence and vector.\n\n\
        With a model of images, INPUT is images as `cpc pretrain` takes them, and DIR gets train-y.npy, test-y.npy and the labels.",
    after_help = "Examples:\n  \
        cpc extract runs/demo data/demo --out features\n  \
        cpc extract hf:owner/name recordings/ --out features\n  \
        cpc extract runs/demo call.wav other.flac --layer c,z --format safetensors --out features\n  \
        cpc extract runs/books sentences.txt --format parquet --out vectors\n  \
        cpc extract runs/digits mnist --layer conv,y --out features\n  \
        sox call.wav -t raw -r 16000 -e signed -b 16 -c 1 - | cpc extract runs/demo - --stream --json\n\n\
        Read the files with:\n  \
        numpy    numpy.load('features/speaker/utterance.npy')\n  \
        PyTorch  safetensors.torch.load_file('features/c.safetensors')['utterance']\n  \
        pandas   pandas.read_parquet('features/c.parquet')"
)]
pub struct Extract {
    /// A model directory, a run directory (its best model), hf:owner/name[@revision][/folder] of the hub, or a checkpoint of CPC_audio; or
    /// `mfcc` or `logmel`, to compare with
    model: String,
    /// Recordings, directories of them, manifests, parquet files, or hf://datasets/owner/name; `-` is standard input
    #[arg(required = true)]
    input: Vec<PathBuf>,
    /// The directory to write to
    #[arg(long, value_name = "DIR", required_unless_present = "stream")]
    out: Option<PathBuf>,
    /// Which outputs: c, z, or c:1, c:2, ... of a deep context network; of images conv, fc or y; several with commas [default: c; of
    /// images y]
    #[arg(long, value_name = "LAYER", value_delimiter = ',')]
    layer: Vec<String>,
    /// How to store them
    #[arg(long, value_enum, default_value = "npy", conflicts_with = "stream")]
    format: Format,
    /// What to do to each utterance, over its frames
    #[arg(long, value_enum, default_value = "none", value_name = "HOW", conflicts_with = "stream")]
    normalize: Normalize,
    /// What to do about a file that cannot be read
    #[arg(long, value_enum, value_name = "WHAT", default_value = "fail")]
    on_bad_file: OnBadFile,
    #[command(flatten)]
    columns: ColumnArgs,
    /// With a text model: what a sentence is, a line or what Unicode's rules find in prose
    #[arg(long, value_enum, default_value = "lines", value_name = "HOW")]
    split: Split,
    /// Write frames to standard output as they become final; INPUT is `-`
    #[arg(long, conflicts_with = "out")]
    stream: bool,
    /// Samples a second of standard input [default: the model's]
    #[arg(long, value_name = "HZ", value_parser = clap::value_parser!(u32).range(1000..=192_000))]
    rate: Option<u32>,
    /// How samples on standard input are written
    #[arg(long, value_enum, default_value = "s16")]
    encoding: Encoding,
    /// Where to compute: auto, cpu, cuda, cuda:N or metal
    #[arg(long, default_value = "auto")]
    device: String,
}

impl Extract {
    pub(super) fn run(&self, terminal: &Terminal) -> Result<()> {
        let piped = self.input.iter().any(|i| i == Path::new("-"));
        if (piped && self.input.len() > 1) || (self.stream && !piped) {
            let what =
                if self.stream { "--stream reads standard input alone" } else { "`-` stands beside other inputs" };
            return Err(Error::usage(what, "give `-` as the only INPUT"));
        }
        if !piped && self.rate.is_some() {
            return Err(Error::usage("--rate is for standard input", "leave it out: files say what rate they have"));
        }
        let spectral = [MelKind::Mfcc, MelKind::LogMel].into_iter().find(|kind| self.model == kind.name());
        if let (Some(kind), Some(out)) = (spectral, &self.out) {
            return self.spectral(kind, out, terminal);
        }
        let here = remote::model(&self.model, terminal)?;
        if TextModel::is_at(&here.path) {
            return self.sentences(here, terminal);
        }
        if DimModel::is_at(&here.path) {
            return self.images(here, terminal);
        }
        let layers = self.layers::<Layer>("c")?;
        let model = model::open_here(here, terminal)?;
        let extractor = Extractor::open(&model, &layers, &device::parse(&self.device)?)?;
        let Some(out) = &self.out else { return self.stream(&extractor, terminal) };
        let made = Made::new(&model, &extractor, self.format, self.normalize)?;
        let began = Instant::now();
        let index = if piped {
            let mut input = Input::new(self, extractor.config().sample_rate)?;
            features::extract_samples(&extractor, &made, "stdin", out, || input.next())?
        } else {
            self.files(&extractor, &made, out, terminal)?
        };
        report(&index, out, began.elapsed(), terminal)
    }

    /// The layers of --layer, or else `usual`.
    fn layers<L: FromStr<Err = String>>(&self, usual: &str) -> Result<Vec<L>> {
        let usual = [usual.to_string()];
        let names = if self.layer.is_empty() { &usual[..] } else { &self.layer };
        names
            .iter()
            .map(|name| {
                name.parse().map_err(|what: String| {
                    Error::usage(
                        format!("--layer: {what}"),
                        "name what this kind of model has: see `cpc extract --help`",
                    )
                })
            })
            .collect()
    }

    /// MFCCs or log-mels, as another tool's features would be.
    fn spectral(&self, kind: MelKind, out: &Path, terminal: &Terminal) -> Result<()> {
        if self.format != Format::Npy
            || self.normalize != Normalize::None
            || self.input.iter().any(|i| i == Path::new("-"))
        {
            let what = format!("{} of recordings are written as they are, in .npy files", kind.name());
            return Err(Error::usage(what, "leave out --format and --normalize, and give recordings"));
        }
        let began = Instant::now();
        let corpora = self.corpora(16_000, terminal)?;
        let problems: Vec<_> = corpora.iter().flat_map(|c| c.problems.iter().cloned()).collect();
        if !problems.is_empty() && self.on_bad_file == OnBadFile::Fail {
            return Err(Error::BadFiles(problems));
        }
        report(&spectral(kind, &corpora, out)?, out, began.elapsed(), terminal)
    }

    /// What there is in every INPUT; its problems are gathered, to be judged together.
    fn corpora(&self, rate: u32, terminal: &Terminal) -> Result<Vec<Corpus>> {
        let columns = self.columns.columns();
        let inspect = |input: &PathBuf| {
            Corpus::inspect_columns(&remote::recordings(input, terminal)?.path, &columns, rate, &|_| {})
        };
        self.input.iter().map(inspect).collect()
    }

    fn files(&self, extractor: &Extractor, made: &Made, out: &Path, terminal: &Terminal) -> Result<Index> {
        let corpora = self.corpora(extractor.config().sample_rate, terminal)?;
        let seconds: f64 = corpora.iter().map(Corpus::seconds).sum();
        let count: usize = corpora.iter().map(|c| c.utterances.len()).sum();
        terminal.note(&format!("{count} utterances, {:.2} hours", seconds / 3600.0));
        let progress = Progress::new(terminal, seconds);
        let stop = interruptible()?;
        let index = features::extract(extractor, made, &corpora, self.on_bad_file, out, &|s| progress.add(s), &stop);
        progress.bar.finish_and_clear();
        index
    }
}

/// Refuses images that are not of the size that a model was trained on.
pub(super) fn check_size(model: &DimModel, size: ImageSize, data: &str) -> Result<()> {
    if model.config.size == size {
        return Ok(());
    }
    Err(Error::failed(
        format!("{data}: has images of {size}; {} was trained on {}", model.reference, model.config.size),
        "give images of the size that the model knows",
    ))
}

/// How far the work is, in seconds of audio.
struct Progress {
    terminal: Terminal,
    bar: ProgressBar,
    total: f64,
    began: Instant,
    state: Mutex<(f64, Instant)>, // done, and when that was said last
}

impl Progress {
    fn new(terminal: &Terminal, total: f64) -> Self {
        let bar = bar(terminal, total as u64, " s of audio");
        let began = Instant::now();
        Progress { terminal: terminal.clone(), bar, total, began, state: Mutex::new((0.0, began)) }
    }

    fn add(&self, seconds: f64) {
        let Ok(mut state) = self.state.lock() else { return };
        state.0 += seconds;
        self.bar.set_position(state.0 as u64);
        let rate = state.0 / self.began.elapsed().as_secs_f64().max(1e-3);
        self.bar.set_message(format!("{rate:.0}x real time"));
        if !self.terminal.interactive && state.1.elapsed() > PAUSE {
            state.1 = Instant::now();
            self.terminal.note(&format!("{:.0} of {:.0} s of audio, {rate:.0}x real time", state.0, self.total));
        }
    }
}

fn report(index: &Index, out: &Path, took: Duration, terminal: &Terminal) -> Result<()> {
    let frames: usize = index.utterances.iter().map(|u| u.frames).sum();
    let seconds: f64 = index.utterances.iter().map(|u| u.seconds).sum();
    if !index.left_out.is_empty() {
        terminal.warning(&format!("{} files are left out; index.json names them", index.left_out.len()));
    }
    let layers: Vec<String> = index.made.layers.iter().map(|l| format!("{} ({})", l.name, l.dim)).collect();
    let speed = seconds / took.as_secs_f64().max(1e-3);
    let text = format!(
        "{} utterances, {frames} frames, {:.1} a second; layers: {}; {:.1} s, {speed:.0}x real time\nfeatures: {}\n",
        index.utterances.len(),
        index.made.timing.frame_rate,
        layers.join(", "),
        took.as_secs_f64(),
        out.display()
    );
    let result = json!({
        "out": out,
        "utterances": index.utterances.len(),
        "frames": frames,
        "seconds": seconds,
        "layers": index.made.layers,
        "frame_rate": index.made.timing.frame_rate,
        "left_out": index.left_out,
        "audio_seconds_per_second": speed,
    });
    terminal.result_or_json(&result, &text)
}
