//! `cpc extract`: writes a model's features of recordings, sentences or images to files, or streams them.

mod stream;

use crate::command::choices::{NORMALIZE, ON_BAD_FILE, SPLIT, formats, word};
use crate::command::columns::ColumnArgs;
use crate::command::console::Console;
use crate::command::session;
use crate::command::terminal::Terminal;
use crate::error::{Error, Result};
use crate::kinds::{ExtractRequest, Source, not_for};
use crate::options::Options;
use crate::toolkit::Toolkit;
use clap::{Args, ValueEnum};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use stream::Input;

/// The encoding of samples on standard input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Encoding {
    /// Signed 16-bit integers, little-endian
    S16,
    /// 32-bit floats between -1 and 1, little-endian
    F32,
}

/// Options of `cpc extract`.
#[derive(Debug, Args)]
#[command(
    about = "Write a model's features of recordings, sentences or images to files that other tools read, or stream them",
    long_about = "Write a frozen model's features to files. An audio model reads recordings, a series model recordings of several channels, a text model \
        sentences, an image model images.\n\n\
        c is the output of the context network, which summarizes everything up to a frame. It is the usual choice. z is the output of the encoder for \
        the samples around it. There is one frame per hop of the model, 10 ms for the presets of audio. DIR/index.json lists the files and the times of \
        frames. If the command is stopped, run it again and it resumes.\n\n\
        With --stream, samples are read from standard input, and each frame is written to standard output as soon as it is final: rows of float32 \
        (the layers concatenated), or with --json one line of JSON per frame.\n\n\
        --pool writes one row for each recording in place of its frames.\n\n\
        With a series model, channels are found by their names, in any order, and brought to the model's rate and scale; a stream is 32-bit floats, all \
        channels of a sample after each other.\n\n\
        With a text model, INPUT is text in any form that `cpc pretrain` reads. Each file becomes DIR/<name>.npy, with one row (z) per sentence in the \
        order of the file. With --format parquet it becomes a table of sentences and vectors. DIR/<name>-lines.tsv has the line of the file that each row's sentence \
        begins in.\n\n\
        With an image model, INPUT is images in any form that `cpc pretrain` reads. DIR gets train-y.npy, test-y.npy and the labels.",
    after_help = "Examples:\n  \
        cpc extract runs/demo data/demo --out features\n  \
        cpc extract hf:owner/name recordings/ --out features\n  \
        cpc extract runs/demo call.wav other.flac --layer c,z --format safetensors --out features\n  \
        cpc extract runs/books sentences.txt --format parquet --out vectors\n  \
        cpc extract runs/digits mnist --layer conv,y --out features\n  \
        cpc extract runs/ls LibriSpeech --out features --shard $SLURM_ARRAY_TASK_ID/64\n  \
        sox call.wav -t raw -r 16000 -e signed -b 16 -c 1 - | cpc extract runs/demo - --stream --json\n\n\
        Read the files with:\n  \
        numpy    numpy.load('features/speaker/utterance.npy')\n  \
        PyTorch  safetensors.torch.load_file('features/c.safetensors')['utterance']\n  \
        pandas   pandas.read_parquet('features/c.parquet')"
)]
pub(crate) struct Extract {
    /// A model directory, a run directory (its best model), hf:owner/name[@revision][/folder] on the hub, or a CPC_audio checkpoint; or
    /// `mfcc` or `logmel`, as baselines
    model: String,
    /// Recordings, directories of recordings, manifests, parquet files, or hf://datasets/owner/name; `-` is standard input
    #[arg(required = true)]
    input: Vec<PathBuf>,
    /// The directory to write to
    #[arg(long, value_name = "DIR", required_unless_present = "stream")]
    out: Option<PathBuf>,
    /// Which outputs, separated by commas. Audio: c, z, c:1, c:2, ... of a deep context network, or several concatenated, such as c+z [default: c]. Images: conv, fc or y
    /// [default: y]
    #[arg(long, value_name = "LAYER", value_delimiter = ',')]
    layer: Vec<String>,
    /// The format of the files
    #[arg(long, default_value = "npy", conflicts_with = "stream", value_parser = formats())]
    format: String,
    /// Normalization of each utterance over its frames [default: none]
    #[arg(long, value_name = "HOW", conflicts_with = "stream", value_parser = word(&NORMALIZE))]
    normalize: Option<String>,
    /// One row for each recording in place of its frames: mean, mean+deviation (twice as many numbers) or last; or windows:SECONDS[/HOP], the mean of
    /// each window, such as windows:2/1 for 2 s every second. Of text: for each document in place of its sentences, and windows of sentences
    /// [default: none]
    #[arg(long, value_name = "HOW", conflicts_with = "stream")]
    pool: Option<String>,
    /// Remove what tells speakers apart: `speaker` fits that on these features; a directory of such features, or its removal.safetensors, applies
    /// what was fitted there. The mean of each speaker is removed, too
    #[arg(long, value_name = "speaker|DIR", conflicts_with_all = ["stream", "pool", "shard", "normalize"])]
    remove: Option<String>,
    /// What to do about a file that cannot be read [default: fail]
    #[arg(long, value_name = "WHAT", value_parser = word(&ON_BAD_FILE))]
    on_bad_file: Option<String>,
    #[command(flatten)]
    columns: ColumnArgs,
    /// With a text model: what counts as a sentence [default: lines]
    #[arg(long, value_name = "HOW", value_parser = word(&SPLIT))]
    split: Option<String>,
    /// Write frames to standard output as they become final; INPUT must be `-`
    #[arg(long, conflicts_with = "out")]
    stream: bool,
    /// Sample rate in Hz: of standard input [default: the model's], or of series whose files do not say
    #[arg(long, value_name = "HZ")]
    rate: Option<f64>,
    /// The encoding of samples on standard input [default: s16]
    #[arg(long, value_enum)]
    encoding: Option<Encoding>,
    /// Only shard I of N, from 0/N to (N-1)/N, such as one of a cluster's array of jobs. When all are done, the same command without --shard completes
    /// the directory
    #[arg(long, value_name = "I/N", conflicts_with = "stream")]
    shard: Option<String>,
    /// Where to compute: auto, cpu, cuda, cuda:N or metal
    #[arg(long, default_value = "auto")]
    device: String,
}

impl Extract {
    pub(crate) fn run(&self, terminal: &Terminal) -> Result<()> {
        let piped = self.input.iter().any(|i| i == Path::new("-"));
        if (piped && self.input.len() > 1) || (self.stream && !piped) {
            let what =
                if self.stream { "--stream reads only standard input" } else { "`-` is given along with other inputs" };
            return Err(Error::usage(what, "give `-` as the only INPUT"));
        }
        let console = Console::new(terminal);
        let session = session(&console, &self.device)?;
        let toolkit = Toolkit::standard();
        let model = toolkit.open(&self.model, &session)?;
        let of_audio = |flag: &str| {
            Error::usage(
                format!("{flag} is for standard input"),
                "leave it out: files state their own rate and encoding",
            )
        };
        if !piped && self.encoding.is_some() {
            return Err(of_audio("--encoding"));
        }
        if !piped && self.rate.is_some() && !model.extract_options().contains(&"rate") {
            return Err(of_audio("--rate"));
        }
        let whose = format!("{} ({})", model.reference(), model.kind());
        self.options().accept(model.extract_options(), &whose)?;
        if self.stream {
            let Some(live) = model.live() else { return Err(not_for(&*model, "--stream")) };
            return stream::run(self, live, terminal, &session);
        }
        let Some(out) = &self.out else {
            return Err(Error::usage("no --out is given", "name the directory to write to"));
        };
        let request = |source| -> Result<ExtractRequest> {
            Ok(ExtractRequest {
                input: Mutex::new(source),
                out: out.clone(),
                layers: self.layer.clone(),
                format: self.format.parse().map_err(|e: String| Error::usage(format!("--format {e}"), "see --help"))?,
                only: None,
                options: self.options(),
            })
        };
        let extracted = if piped {
            let Some(live) = model.live() else { return Err(not_for(&*model, "standard input")) };
            let mut input = Input::new(self, live.signal()?)?;
            let mut next = || input.next();
            model.extract(&request(Source::Samples(&mut next))?, &session)
        } else {
            let request = request(Source::Paths(self.input.clone()))?;
            match &self.remove {
                Some(how) => toolkit.extract_without(&*model, request, how, &session),
                None => model.extract(&request, &session),
            }
        };
        terminal.described(&extracted?.described)
    }

    /// The options that were given, for the kinds that accept them.
    fn options(&self) -> Options {
        let options = Options::new()
            .with_some("normalize", self.normalize.as_ref())
            .with_some("pool", self.pool.as_ref())
            .with_some("on-bad-file", self.on_bad_file.as_ref())
            .with_some("split", self.split.as_ref())
            .with_some("shard", self.shard.as_ref())
            .with_some(
                "rate",
                self.rate.filter(|_| !self.input.iter().any(|i| i == Path::new("-"))).map(|r| r.to_string()),
            );
        self.columns.add(options)
    }
}
