//! `cpc pretrain`: from recordings to a model.

use super::Terminal;
use super::card::Record;
use super::columns::{ColumnArgs, What};
use super::interrupt::interruptible;
use super::model;
use super::progress::Progress;
use super::remote;
use crate::config::{Config, Layers, OnBadFile, Schedule};
use crate::data::{Corpus, Windows};
use crate::device;
use crate::durable;
use crate::error::{Error, Result};
use crate::report::model_card::{Training, Validation};
use crate::train::metrics::Figures;
use crate::train::{AudioTask, Finished, Start, Task, Trainer, begin, run_dir};
use crate::weights::ModelConfig;
use crate::weights::hub::RepoRef;
use clap::Args;
use serde::Serialize;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use toml::Value;

/// Options of `cpc pretrain`.
#[derive(Debug, Args)]
#[command(
    about = "Train an encoder on recordings, without labels",
    long_about = "Train an encoder on recordings, without labels.\n\n\
        DATA is a directory (the first folder below it is the speaker, as in LibriSpeech), a fairseq .tsv manifest, a .jsonl with \
        path, speaker, and optional start and end in seconds, or parquet files with columns audio {bytes, path}, speaker_id and id, as the \
        hub's datasets have them: a file, a directory, or DIR/SPLIT for DIR/SPLIT-00000-of-00002.parquet and so on. hf://datasets/owner/name[@revision][/CONFIG[/SPLIT]] \
        is such a data set of the Hugging Face hub, fetched once. WAV, FLAC, MP3 and Ogg Vorbis at any rate are resampled to 16 kHz.\n\n\
        The run directory gets config.toml (enough to repeat the run), metrics.jsonl and TensorBoard events, checkpoints/, and model/, \
        the model with the best validation loss. Ctrl-C writes a checkpoint; --resume goes on from it and ends in the same weights as a \
        run that was never stopped.\n\n\
        Values come from the first of these that names them: a flag, --set, --config, --preset, the default (preset small). A corpus may \
        bring a cpc.toml, which is taken where neither --config nor --preset is given.",
    after_help = "Examples:\n  cpc pretrain data/demo --preset demo --out runs/demo\n  \
        cpc pretrain LibriSpeech/train-clean-100 --preset cpc2018 --out runs/ls100\n  \
        cpc pretrain hf://datasets/openslr/librispeech_asr/clean/train.100 --out runs/ls100\n  \
        cpc pretrain calls.jsonl --out runs/calls --set train.lr=1e-4 --set data.sampler=uniform\n  \
        cpc pretrain --resume --out runs/calls"
)]
pub struct Pretrain {
    /// The corpus: a directory, a manifest, parquet files, or hf://datasets/owner/name (not needed with --resume)
    #[arg(required_unless_present_any = ["resume", "print_config"])]
    data: Option<PathBuf>,
    /// The run directory to make
    #[arg(long, value_name = "RUN", required_unless_present = "print_config")]
    out: Option<PathBuf>,
    /// A named configuration: demo, small (the default), cpc2018 or big
    #[arg(long, value_name = "NAME")]
    preset: Option<String>,
    /// A TOML file of configuration, such as the config.toml of another run
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Set one key, such as train.lr=1e-4; may be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Updates to make (train.steps)
    #[arg(long, value_name = "N")]
    steps: Option<u64>,
    /// Windows in a batch (train.batch_size)
    #[arg(long, value_name = "N")]
    batch_size: Option<usize>,
    /// The seed of every random stream (seed)
    #[arg(long, value_name = "N")]
    seed: Option<u32>,
    /// A list of the utterances to train on, an id a line (data.train)
    #[arg(long, value_name = "LIST")]
    train: Option<PathBuf>,
    /// A list of the utterances to validate on [default: a seeded 5 %] (data.valid)
    #[arg(long, value_name = "LIST")]
    valid: Option<PathBuf>,
    /// What to do about a file that cannot be read (data.on_bad_file)
    #[arg(long, value_enum, value_name = "WHAT")]
    on_bad_file: Option<OnBadFile>,
    #[command(flatten)]
    columns: ColumnArgs,
    /// Start from the weights of a model of the same sizes: a directory, hf:owner/name, or a checkpoint of CPC_audio (train.init)
    #[arg(long, value_name = "MODEL")]
    init: Option<String>,
    /// With --init: take over Adam's moments too, which a checkpoint of cpc or of CPC_audio has
    #[arg(long, requires = "init")]
    resume_optimizer: bool,
    /// Go on with the run in --out, from its last checkpoint
    #[arg(long, conflicts_with_all = ["overwrite", "preset", "config", "init"])]
    resume: bool,
    /// Replace the run in --out
    #[arg(long)]
    overwrite: bool,
    /// Where to compute: auto, cpu, cuda, cuda:1 or metal
    #[arg(long, default_value = "auto", value_name = "DEVICE")]
    device: String,
    /// Print the configuration that these options make, and stop
    #[arg(long)]
    print_config: bool,
}

/// A path as the configuration keeps it: absolute, so that a run can be resumed from anywhere. References stay.
fn kept(path: &Path) -> Result<Value> {
    if let Some(reference) = path.to_str().filter(|text| RepoRef::is_reference(text)) {
        return Ok(Value::String(reference.into()));
    }
    let path = std::path::absolute(path).map_err(Error::io(path, "find"))?;
    Ok(Value::String(path.display().to_string()))
}

/// What a run prints when it is done.
#[derive(Serialize)]
struct Report<'a> {
    run: &'a Path,
    model: &'a Path,
    steps: u64,
    /// Where the figures come from: `validation` (the best one) or `training` (the last line).
    on: &'static str,
    frame_seconds: f64,
    figures: &'a Figures,
    skipped: Vec<String>,
}

impl Pretrain {
    fn layers(&self) -> Result<Layers> {
        let mut flags = Vec::new();
        for (key, path) in [("data.path", &self.data), ("data.train", &self.train), ("data.valid", &self.valid)] {
            if let Some(path) = path {
                flags.push((key, kept(path)?));
            }
        }
        let numbers = [
            ("train.steps", self.steps),
            ("train.batch_size", self.batch_size.map(|n| n as u64)),
            ("seed", self.seed.map(u64::from)),
        ];
        for (key, number) in numbers {
            if let Some(n) = number {
                let n = i64::try_from(n)
                    .map_err(|_| Error::usage(format!("{key}: {n} is too large"), "choose a smaller number"))?;
                flags.push((key, Value::Integer(n)));
            }
        }
        if let Some(init) = &self.init {
            let path = Path::new(init);
            flags.push(("train.init", if path.exists() { kept(path)? } else { Value::String(init.clone()) }));
        }
        if self.resume_optimizer {
            flags.push(("train.init_optimizer", Value::Boolean(true)));
        }
        for (what, name) in &self.columns.column {
            let key = match what {
                What::Audio => "data.columns.audio",
                What::Speaker => "data.columns.speaker",
                What::Id => "data.columns.id",
                What::Label => {
                    return Err(Error::usage(
                        "--column label: training needs no labels",
                        "leave it out; it is for `cpc probe`",
                    ));
                }
            };
            flags.push((key, Value::String(name.clone())));
        }
        if let Some(what) = self.on_bad_file {
            let word = if what == OnBadFile::Skip { "skip" } else { "fail" };
            flags.push(("data.on_bad_file", Value::String(word.into())));
        }
        Ok(Layers { preset: self.preset.clone(), file: self.config.clone(), set: self.set.clone(), flags })
    }

    pub(super) fn run(&self, terminal: &Terminal) -> Result<()> {
        let mut layers = self.layers()?;
        // A corpus may bring a recipe of its own, for those who name none.
        let recipe = self.data.as_ref().map(|data| data.join("cpc.toml")).filter(|recipe| recipe.is_file());
        if let (Some(recipe), None, None, false) = (recipe, &layers.preset, &layers.file, self.resume) {
            terminal.note(&format!("configuration: {} (--preset or --config replace it)", recipe.display()));
            layers.file = Some(recipe);
        }
        let out = match &self.out {
            Some(out) if !self.print_config => out.clone(),
            _ => return terminal.result(&Config::resolve(&layers)?.to_toml()?),
        };
        let from = if self.resume { run_dir::latest(&out)? } else { None };
        let mut config = if self.resume {
            let old = Config::read(&out.join("config.toml"))?;
            layers.file = Some(out.join("config.toml"));
            let new = Config::resolve(&layers)?;
            same_run(&old, &new)?;
            new
        } else {
            run_dir::check_new(&out, self.overwrite)?;
            Config::resolve(&layers)?
        };
        if config.data.path.is_empty() {
            return Err(Error::usage(
                "no DATA is given",
                "name a directory of recordings, a manifest or parquet files",
            ));
        }
        let device = device::parse(&self.device)?;
        let init = match config.train.init.as_str() {
            init if !init.is_empty() && from.is_none() => Some(model::open(init, terminal)?),
            _ => None,
        };
        // What is on the hub may change: the run keeps the commit.
        if let Some(init) = init.as_ref().filter(|init| RepoRef::is_reference(&init.origin.reference)) {
            config.train.init.clone_from(&init.origin.reference);
        }
        let data = remote::recordings(Path::new(&config.data.path), terminal)?;
        config.data.path.clone_from(&data.name);
        let material = material(&config, &data.path, terminal)?;
        let at = from.as_ref().map(|(_, state)| state.position).unwrap_or_default();
        let task = AudioTask::new(&config, material.train.clone(), material.valid.clone(), at, &device)?;
        let start = match (&init, &from) {
            (_, Some((path, state))) => Start::Checkpoint(path.clone(), state.clone()),
            (Some(init), None) => {
                if !init.has_heads() {
                    terminal.note("the weights to begin with have no prediction heads: those begin at random");
                }
                begin(init, task.params(), &config.heads, &config.train)?
            }
            (None, None) => Start::Fresh,
        };
        if self.resume {
            durable::write(&out.join("config.toml"), config.to_toml()?.as_bytes())?;
        } else {
            run_dir::create(&out, &config, self.overwrite)?;
        }
        describe(&config, &task, terminal);
        let step = from.as_ref().map_or(0, |(_, state)| state.step);
        if self.resume {
            let place = from
                .as_ref()
                .map_or("the beginning: there is no checkpoint yet".into(), |(p, _)| p.display().to_string());
            terminal.note(&format!("resuming from {place}"));
        }

        let stop = interruptible()?;
        let mut progress = Progress::new(terminal, config.train.steps, step);
        let parameters = task.params().num_trainable();
        let finished = Trainer::new(task, &config.train, config.seed, &out, &start, &mut progress)?.train(&stop);
        progress.finish();
        let finished = finished?;
        write_card(&config, &out, &finished, &material, parameters)?;
        report(&config, &out, &finished, terminal)
    }
}

/// What may change when a run is resumed: how long it goes on and what it writes, not what it computes.
fn same_run(old: &Config, new: &Config) -> Result<()> {
    if old.train.schedule == Schedule::Cosine && old.train.steps != new.train.steps {
        return Err(Error::usage(
            format!(
                "--resume: the learning rate of this run falls to 0 at step {} (train.schedule = cosine)",
                old.train.steps
            ),
            "start a new run from its model with --init, or leave train.steps as it was",
        ));
    }
    let mut like_new = old.clone();
    let (o, n) = (&mut like_new.train, &new.train);
    o.steps = n.steps;
    (o.log_every, o.valid_every, o.checkpoint_every, o.keep_last) =
        (n.log_every, n.valid_every, n.checkpoint_every, n.keep_last);
    like_new.data.path.clone_from(&new.data.path);
    (like_new.data.prefetch, like_new.data.on_bad_file) = (new.data.prefetch, new.data.on_bad_file);
    if like_new == *new {
        return Ok(());
    }
    Err(Error::usage(
        "--resume: the options would change what the run computes",
        "of the configuration, only train.steps, *_every, keep_last and data.path may change; start a new run with --init instead",
    ))
}

/// What is trained and validated on.
struct Material {
    train: Arc<Windows>,
    valid: Option<Arc<Windows>>,
    /// Of what is trained on.
    hours: f64,
    utterances: usize,
    speakers: usize,
}

/// The windows to train and to validate on.
fn material(config: &Config, path: &Path, terminal: &Terminal) -> Result<Material> {
    let corpus = Corpus::open(path, &config.data, &|_| {})?;
    for problem in &corpus.problems {
        terminal.warning(&format!("left out: {problem}"));
    }
    let hours = corpus.seconds() / 3600.0;
    terminal.note(&format!(
        "{}: {} utterances, {} speakers, {}",
        config.data.path,
        corpus.utterances.len(),
        corpus.speakers.len(),
        if hours < 1.0 { format!("{:.1} minutes", hours * 60.0) } else { format!("{hours:.1} hours") }
    ));
    if config.data.on_bad_file == OnBadFile::Skip && !corpus.problems.is_empty() {
        terminal.warning(&format!("{} files are left out", corpus.problems.len()));
    }
    let list = |name: &str| if name.is_empty() { None } else { Some(PathBuf::from(name)) };
    let (train_list, valid_list) = (list(&config.data.train), list(&config.data.valid));
    let (train, valid) =
        corpus.split(train_list.as_deref(), valid_list.as_deref(), config.data.valid_share, config.seed)?;
    let held = valid.utterances.len();
    let (hours, utterances, speakers) = (train.seconds() / 3600.0, train.utterances.len(), train.speakers.len());
    let train = Arc::new(Windows::new(Arc::new(train), &config.data)?);
    let material = |valid| Material { train: train.clone(), valid, hours, utterances, speakers };
    terminal.note(&format!("training on {} windows; {}", train.len(), train.dropped()));
    if held == 0 {
        terminal.note("no validation: no utterances are held out; model/ will be the last one");
        return Ok(material(None));
    }
    match Windows::new(Arc::new(valid), &config.data) {
        Ok(valid) => {
            terminal.note(&format!(
                "validating on {} of {} windows from {held} utterances",
                valid.len().min(config.data.valid_windows as u64),
                valid.len()
            ));
            Ok(material(Some(Arc::new(valid))))
        }
        Err(e) if valid_list.is_some() => Err(e),
        Err(_) => {
            terminal.warning(&format!(
                "no validation: the {held} utterances that were held out are shorter than a window; name longer ones with --valid"
            ));
            Ok(material(None))
        }
    }
}

/// Writes `model/README.md` and what it is made of.
fn write_card(config: &Config, run: &Path, finished: &Finished, material: &Material, parameters: usize) -> Result<()> {
    let Some((on, step, figures)) = best(finished) else { return Ok(()) };
    let last = |path: &Path| path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let data = &config.data.path;
    let training = Training {
        cpc_version: env!("CARGO_PKG_VERSION").into(),
        // Of a path, its end: a card does not tell where things lay.
        data: if RepoRef::is_reference(data) { data.clone() } else { last(Path::new(data)) },
        hours: Some(material.hours),
        utterances: Some(material.utterances),
        speakers: Some(material.speakers),
        steps: finished.steps,
        validation: Some(Validation {
            on: on.into(),
            step,
            loss: figures.loss,
            loss_per_step: figures.loss_per_step.clone(),
            accuracy_per_step: figures.accuracy_per_step.clone(),
            negatives_met: 1.0 / figures.chance - 1.0,
        }),
        ..Training::of(config)
    };
    let run = std::path::absolute(run).map_err(Error::io(run, "find"))?;
    Record::new(parameters, training).write(&finished.model, &last(&run), &ModelConfig::audio(config))
}

/// The figures to tell: what they were taken on, after how many updates, and they themselves.
fn best(finished: &Finished) -> Option<(&'static str, u64, &Figures)> {
    match (&finished.valid, &finished.train) {
        (Some(valid), _) => Some(("validation", valid.step, &valid.figures)),
        (None, Some(train)) => Some(("training", train.step, &train.figures)),
        (None, None) => None,
    }
}

fn describe(config: &Config, task: &AudioTask, terminal: &Terminal) {
    let rate = f64::from(config.data.sample_rate);
    let (hop, field) = (config.encoder.hop(), config.encoder.receptive_field());
    terminal.note(&format!(
        "model: {:.1} M parameters, a frame every {hop} samples ({:.1} ms) that sees {field} samples ({:.1} ms); {} steps ahead reach {:.0} ms",
        task.params().num_trainable() as f64 / 1e6,
        1e3 * hop as f64 / rate,
        1e3 * field as f64 / rate,
        config.heads.steps,
        1e3 * (hop * config.heads.steps) as f64 / rate,
    ));
}

fn report(config: &Config, run: &Path, finished: &Finished, terminal: &Terminal) -> Result<()> {
    let frame_seconds = config.encoder.hop() as f64 / f64::from(config.data.sample_rate);
    let skipped: Vec<String> = finished.skipped.iter().map(ToString::to_string).collect();
    if !skipped.is_empty() {
        terminal.warning(&format!("{} files could not be read and were left out", skipped.len()));
    }
    let Some((on, step, figures)) = best(finished) else {
        return terminal.result(&format!("nothing left to do: {} steps are made\n", finished.steps));
    };
    let report = Report { run, model: &finished.model, steps: finished.steps, on, frame_seconds, figures, skipped };
    let mut table = String::new();
    let named = match on {
        "validation" => format!("The best validation, after {step} steps"),
        _ => format!("Training, the last steps up to {step}"),
    };
    let _ = writeln!(table, "{named}: mean loss {:.4} nats\n", figures.loss);
    let _ = writeln!(table, "  k   ahead    loss   bound  accuracy  times chance");
    for (i, (loss, accuracy)) in figures.loss_per_step.iter().zip(&figures.accuracy_per_step).enumerate() {
        let ahead = (i + 1) as f64 * frame_seconds * 1e3;
        let _ = writeln!(
            table,
            "{:>3}  {ahead:>4.0} ms  {loss:>6.3}  {:>6.3}  {:>7.2} %  {:>11.1} x",
            i + 1,
            figures.bound_per_step[i],
            accuracy * 100.0,
            accuracy / figures.chance
        );
    }
    let candidates = (1.0 / figures.chance).round();
    let _ = writeln!(
        table,
        "\nloss and bound in nats; chance, one of {candidates:.0}: loss {:.3}, accuracy {:.2} %",
        (1.0 / figures.chance).ln(),
        figures.chance * 100.0
    );
    let _ = writeln!(
        table,
        "bound: log({candidates:.0}) - loss, so much information or more has c about z that far ahead (an estimate: negatives of one batch are alike)"
    );
    let _ = writeln!(table, "\nmodel: {}", finished.model.display());
    terminal.result_or_json(&report, &table)
}

#[cfg(test)]
mod tests {
    use crate::config::PRESETS;

    #[test]
    fn every_command_teaches_in_its_long_help() {
        use clap::CommandFactory;
        let mut cli = crate::cli::Cli::command();
        for name in ["pretrain", "extract", "probe", "abx", "convert", "info"] {
            let help = cli.find_subcommand_mut(name).unwrap().render_long_help().to_string();
            let before = help.split("Usage:").next().unwrap();
            assert!(before.lines().count() > 4 && help.contains("Examples:"), "{name}: {before}");
        }
    }

    #[test]
    fn the_help_names_every_preset() {
        use clap::CommandFactory;
        let help = crate::cli::Cli::command().find_subcommand_mut("pretrain").unwrap().render_long_help().to_string();
        for (name, _) in PRESETS {
            assert!(help.contains(name), "{name}");
        }
    }
}
