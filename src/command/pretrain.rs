//! `cpc pretrain`: trains a model on recordings, text or images.

use crate::command::choices::{ON_BAD_FILE, SPLIT, word};
use crate::command::columns::{ColumnArgs, ColumnOf};
use crate::command::console::Console;
use crate::command::terminal::Terminal;
use crate::command::{launched, session};
use crate::config::Layers;
use crate::device;
use crate::error::{Error, Result};
use crate::group::Group;
use crate::group::launch::{self, Launched};
use crate::observer::Session;
use crate::toolkit::{self, Toolkit};
use clap::Args;
use std::path::{Path, PathBuf};
use toml::Value;

/// Options of `cpc pretrain`.
#[derive(Debug, Args)]
#[command(
    about = "Train an encoder on recordings, sensor series, text or images, without labels",
    long_about = "Train an encoder on recordings, sensor series, text or images, without labels.\n\n\
        DATA is one of: a directory of recordings (the first folder level names the speaker, as in LibriSpeech); a fairseq .tsv manifest; a .jsonl, .csv or \
        .tsv file with path, speaker, and optional start and end in seconds (the names of NeMo, lhotse, Common Voice and SpeechBrain are \
        known too); Kaldi's wav.scp; or parquet files with the columns audio {bytes, path}, speaker_id and id, as in the \
        hub's data sets. Parquet is given as a file, a directory, or DIR/SPLIT for DIR/SPLIT-00000-of-00002.parquet and so on. \
        hf://datasets/owner/name[@revision][/CONFIG[/SPLIT]] is such a data set on the Hugging Face hub, fetched once. WAV, FLAC, MP3, \
        Ogg Vorbis, M4A, AIFF, NIST SPHERE and others at any rate are resampled to 16 kHz.\n\n\
        Series of several channels, such as ECG, EEG, motion and machines, are a directory of .npy (T, C), .csv, .tsv or .parquet (a column of times says the rate, or \
        --rate), EDF, BDF or WFDB (.hea); the first folder level names the subject. Their presets are series-small, motion and ecg-cpc.\n\n\
        Text is a .txt file (one sentence per line, with a blank line between documents; or prose with --split sentences), or a .jsonl file of documents. Its \
        presets are text-demo, text-small and text2018.\n\n\
        Images are a directory of MNIST's four IDX files, plain or gzipped, or of parquet files of images. Their presets are those of Deep \
        InfoMax (dim-local, dim-global, dim-both), image-supervised as a baseline, and ib, the information bottleneck. \
        toy:25-gaussians and toy:spiral are points in the plane, for mine-gan. stacked:DIR stacks three of DIR's images as the color channels \
        of one image, for mine-gan-stacked.\n\n\
        The run directory gets config.toml (enough to repeat the run), metrics.jsonl and TensorBoard events, checkpoints/, and model/, \
        the model with the best validation loss. Ctrl-C writes a checkpoint. --resume continues from it and ends with the same weights as a \
        run that was never stopped. The command line may be repeated unchanged, as a cluster does when it requeues a job.\n\n\
        mpirun -n N cpc pretrain ..., or srun, trains with N processes, if cpc was built with the feature mpi: they share the batches of each update \
        (train.accumulate). With the same --threads, any number of them ends with the same weights. docs/scale.md has the details.\n\n\
        Each value comes from the first of these that sets it: a flag, --set, --config, --preset, the default (preset small). A corpus may \
        contain a cpc.toml. It is used if neither --config nor --preset is given.",
    after_help = "Examples:\n  cpc pretrain data/demo --preset demo --out runs/demo\n  \
        cpc pretrain LibriSpeech/train-clean-100 --preset cpc2018 --out runs/ls100\n  \
        cpc pretrain hf://datasets/openslr/librispeech_asr/clean/train.100 --out runs/ls100\n  \
        cpc pretrain recordings/ --preset motion --out runs/watch\n  \
        cpc pretrain books.txt --preset text-small --out runs/books\n  \
        cpc pretrain mnist --preset dim-local --out runs/digits\n  \
        cpc pretrain toy:25-gaussians --preset mine-gan --out runs/grid\n  \
        cpc pretrain calls.jsonl --out runs/calls --set train.lr=1e-4 --set data.sampler=uniform\n  \
        cpc pretrain calls.jsonl --listen windows --set 'data.augment=[\"pitch\", \"noise:10\"]'\n  \
        cpc pretrain --resume --out runs/calls\n  \
        mpirun -n 4 cpc pretrain LibriSpeech --out runs/ls"
)]
pub(crate) struct Pretrain {
    /// The corpus: a directory, a manifest, parquet files, hf://datasets/owner/name, series, text, or images (not needed with --resume)
    #[arg(required_unless_present_any = ["resume", "print_config"])]
    data: Option<PathBuf>,
    /// The run directory to create
    #[arg(long, value_name = "RUN", required_unless_present_any = ["print_config", "listen"])]
    out: Option<PathBuf>,
    /// A named configuration. Audio: demo, small (the default), mel-small, cpc-audio, cpc2018 or big. Series:
    /// series-small (the default), motion or ecg-cpc. Text: text-demo, text-small (the default) or text2018.
    /// Images: dim-local (the default), dim-global, dim-both, image-supervised or ib. `finetune` is that of `cpc finetune`. toy: data: mine-gan. stacked: data: mine-gan-stacked
    #[arg(long, value_name = "NAME")]
    preset: Option<String>,
    /// A TOML configuration file, such as the config.toml of another run
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Set one configuration key, such as train.lr=1e-4; may be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Number of updates (train.steps)
    #[arg(long, value_name = "N")]
    steps: Option<u64>,
    /// Windows per batch (train.batch_size)
    #[arg(long, value_name = "N")]
    batch_size: Option<usize>,
    /// The seed of every random stream (seed)
    #[arg(long, value_name = "N")]
    seed: Option<u32>,
    /// A file with the ids of the utterances to train on, one per line (data.train)
    #[arg(long, value_name = "LIST")]
    train: Option<PathBuf>,
    /// A file with the ids of the utterances to validate on, one per line [default: a seeded 5 %] (data.valid)
    #[arg(long, value_name = "LIST")]
    valid: Option<PathBuf>,
    /// What to do about a file that cannot be read (data.on_bad_file)
    #[arg(long, value_name = "WHAT", value_parser = word(&ON_BAD_FILE))]
    on_bad_file: Option<String>,
    #[command(flatten)]
    columns: ColumnArgs,
    /// Series: samples per second of recordings that do not say (data.rate)
    #[arg(long, value_name = "HZ")]
    rate: Option<f64>,
    /// Text: what counts as a sentence (data.split)
    #[arg(long, value_name = "HOW", value_parser = word(&SPLIT))]
    split: Option<String>,
    /// Text: the tokenizer. bpe, wordpiece or word learns one; a tokenizer.json or hf:owner/name is used as it is (data.tokenizer)
    #[arg(long, value_name = "TOKENIZER")]
    tokenizer: Option<String>,
    /// Text: number of tokens to learn (encoder.vocab_size)
    #[arg(long, value_name = "N")]
    vocab_size: Option<u32>,
    /// Start from the weights of a model of the same sizes: a directory, hf:owner/name, or a CPC_audio checkpoint (train.init)
    #[arg(long, value_name = "MODEL")]
    init: Option<String>,
    /// With --init: also load Adam's moments, which a checkpoint of cpc or of CPC_audio contains
    #[arg(long, requires = "init")]
    resume_optimizer: bool,
    /// Resume the run in --out from its last checkpoint; if there is no run yet, start one
    #[arg(long, conflicts_with = "overwrite")]
    resume: bool,
    /// Replace the run in --out
    #[arg(long)]
    overwrite: bool,
    /// Where to compute: auto, cpu, cuda, cuda:1 or metal
    #[arg(long, default_value = "auto", value_name = "DEVICE")]
    device: String,
    /// Write the first windows to DIR as training would hear them, with the augmentations of data.augment, and stop
    #[arg(long, value_name = "DIR", conflicts_with_all = ["resume", "out"])]
    listen: Option<PathBuf>,
    /// Print the configuration that results from these options, and stop
    #[arg(long)]
    print_config: bool,
}

/// A path as stored in the configuration: absolute, so that a run can be resumed from any directory.
pub(crate) fn absolute(path: &Path) -> Result<Value> {
    let whole = std::path::absolute(path).map_err(Error::io(path, "find"))?;
    Ok(Value::String(whole.display().to_string()))
}

/// A path that exists, as stored in the configuration. Anything else, such as a reference to the hub, is left unchanged.
pub(crate) fn kept(text: &str) -> Result<Value> {
    let path = Path::new(text);
    if path.exists() { absolute(path) } else { Ok(Value::String(text.into())) }
}

impl Pretrain {
    fn layers(&self, toolkit: &Toolkit) -> Result<Layers> {
        let mut flags = Vec::new();
        if let Some(data) = &self.data {
            flags.push(("data.path", Value::String(toolkit.kept_data(data)?)));
        }
        for (key, path) in [("data.train", &self.train), ("data.valid", &self.valid)] {
            if let Some(path) = path {
                flags.push((key, absolute(path)?));
            }
        }
        let numbers = [
            ("train.steps", self.steps),
            ("train.batch_size", self.batch_size.map(|n| n as u64)),
            ("seed", self.seed.map(u64::from)),
            ("encoder.vocab_size", self.vocab_size.map(u64::from)),
        ];
        for (key, number) in numbers {
            if let Some(n) = number {
                let n = i64::try_from(n)
                    .map_err(|_| Error::usage(format!("{key}: {n} is too large"), "choose a smaller number"))?;
                flags.push((key, Value::Integer(n)));
            }
        }
        flags.extend(self.rate.map(|rate| ("data.rate", Value::Float(rate))));
        let words = [("data.split", &self.split), ("data.on_bad_file", &self.on_bad_file)];
        flags.extend(words.iter().filter_map(|(key, word)| Some((*key, Value::String((*word).clone()?)))));
        for (key, text) in [("data.tokenizer", &self.tokenizer), ("train.init", &self.init)] {
            if let Some(text) = text {
                flags.push((key, kept(text)?));
            }
        }
        if self.resume_optimizer {
            flags.push(("train.init_optimizer", Value::Boolean(true)));
        }
        for (what, name) in &self.columns.column {
            let key = match what {
                ColumnOf::Audio => "data.columns.audio",
                ColumnOf::Speaker => "data.columns.speaker",
                ColumnOf::Id => "data.columns.id",
                ColumnOf::Text => "data.column",
                ColumnOf::Label => {
                    return Err(Error::usage(
                        "--column label: training needs no labels",
                        "leave it out; it is for `cpc probe`",
                    ));
                }
            };
            flags.push((key, Value::String(name.clone())));
        }
        Ok(Layers { preset: self.preset.clone(), file: self.config.clone(), set: self.set.clone(), flags })
    }

    /// Prints the configuration, writes windows to listen to, or trains, together with the processes that were started with this one.
    pub(crate) fn run(&self, terminal: &Terminal) -> Result<()> {
        if self.print_config {
            let layers = self.layers_or_recipe(terminal)?;
            return terminal.result(&Toolkit::standard().configure(&layers)?.to_toml()?);
        }
        if let Some(dir) = &self.listen {
            let layers = self.layers_or_recipe(terminal)?;
            let console = Console::new(terminal);
            return terminal.described(&Toolkit::standard().listen(&layers, dir, &session(&console, "cpu")?)?);
        }
        let launched = if terminal.host.is_none() { launched() } else { None };
        let own = terminal.clone();
        let lost = move |error: Error| own.error(&error);
        let group = launch::join(launched.as_ref(), lost)?;
        // The first process alone reports, also the error of another.
        let terminal = if group.is_first() { terminal.clone() } else { terminal.silent() };
        match group.settle(self.train(&group, launched.as_ref(), &terminal)) {
            Err(error) if group.size() > 1 => {
                // Before MPI ends: a launcher ends all processes as soon as one has failed.
                terminal.error(&error);
                drop(group);
                std::process::exit(i32::from(error.exit_code()))
            }
            outcome => outcome,
        }
    }

    /// The layers that the options describe. A corpus may come with its own recipe, used if the command line names none.
    fn layers_or_recipe(&self, terminal: &Terminal) -> Result<Layers> {
        let mut layers = self.layers(&Toolkit::standard())?;
        // A run that is resumed has its configuration.
        let begun = self.resume && self.out.as_ref().is_some_and(|out| out.join("config.toml").exists());
        let recipe = self.data.as_ref().filter(|_| !begun).map(|data| data.join("cpc.toml")).filter(|r| r.is_file());
        if let (Some(recipe), None, None) = (recipe, &layers.preset, &layers.file) {
            terminal.note(&format!("configuration: {} (--preset or --config replace it)", recipe.display()));
            layers.file = Some(recipe);
        }
        Ok(layers)
    }

    /// Trains as one process of a group.
    fn train(&self, group: &Group, launched: Option<&Launched>, terminal: &Terminal) -> Result<()> {
        if let Some(Launched { by, size, local_size, .. }) = launched {
            terminal.note(&format!(
                "{size} processes, started by {by}; {local_size} on this machine, with {} each",
                match rayon::current_num_threads() {
                    1 => "1 thread".into(),
                    n => format!("{n} threads"),
                }
            ));
        }
        let layers = self.layers_or_recipe(terminal)?;
        let out = self.out.clone().unwrap_or_default();
        let console = Console::new(terminal);
        let what = toolkit::Pretrain { layers, out, resume: self.resume, overwrite: self.overwrite };
        let device = device::parse_nth(&self.device, launched.map_or(0, |launched| launched.local_rank))?;
        let session = Session { device, group: group.clone(), ..session(&console, "cpu")? };
        let report = Toolkit::standard().pretrain(&what, &session)?;
        if !report.skipped.is_empty() {
            terminal.warning(&format!("{} files could not be read and were skipped", report.skipped.len()));
        }
        if terminal.host.is_some()
            && let Some(curves) = Toolkit::standard().run_curves(&report.run)?
        {
            terminal.picture(None, || curves.svg())?;
        }
        terminal.result_or_json(&report, &report.to_string())
    }
}
