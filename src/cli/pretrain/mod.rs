//! `cpc pretrain`: from recordings or text to a model.

mod audio;
mod bottleneck;
mod gan;
mod images;
mod report;
mod subject;
mod text;

use super::Terminal;
use super::columns::{ColumnArgs, What};
use crate::config::{BottleneckConfig, Config, DimConfig, GanConfig, Layers, OnBadFile, Sections, TextConfig};
use crate::error::{Error, Result};
use crate::image::{self, STACKED};
use crate::text::Split;
use crate::toy;
use crate::weights::hub::RepoRef;
use clap::Args;
use std::path::{Path, PathBuf};
use toml::Value;

/// Options of `cpc pretrain`.
#[derive(Debug, Args)]
#[command(
    about = "Train an encoder on recordings, text or images, without labels",
    long_about = "Train an encoder on recordings, text or images, without labels.\n\n\
        DATA is a directory (the first folder below it is the speaker, as in LibriSpeech), a fairseq .tsv manifest, a .jsonl with \
        path, speaker, and optional start and end in seconds, or parquet files with columns audio {bytes, path}, speaker_id and id, as the \
        hub's datasets have them: a file, a directory, or DIR/SPLIT for DIR/SPLIT-00000-of-00002.parquet and so on. hf://datasets/owner/name[@revision][/CONFIG[/SPLIT]] \
        is such a data set of the Hugging Face hub, fetched once. WAV, FLAC, MP3 and Ogg Vorbis at any rate are resampled to 16 kHz.\n\n\
        Text is a .txt (a sentence a line, a blank line between documents; or prose with --split sentences), or a .jsonl of documents; its presets are \
        text-demo, text-small and text2018.\n\n\
        Images are a directory of MNIST's four IDX files, plain or gzipped, or of parquet files of images (with one of the presets of Deep InfoMax: \
        dim-local, dim-global, dim-both, or image-supervised to compare with; or with ib, the information bottleneck). toy:25-gaussians and toy:spiral are points on the plane, \
        for mine-gan; stacked:DIR stacks three of DIR's images in the colours of one, for mine-gan-stacked.\n\n\
        The run directory gets config.toml (enough to repeat the run), metrics.jsonl and TensorBoard events, checkpoints/, and model/, \
        the model with the best validation loss. Ctrl-C writes a checkpoint; --resume goes on from it and ends in the same weights as a \
        run that was never stopped.\n\n\
        Values come from the first of these that names them: a flag, --set, --config, --preset, the default (preset small). A corpus may \
        bring a cpc.toml, which is taken where neither --config nor --preset is given.",
    after_help = "Examples:\n  cpc pretrain data/demo --preset demo --out runs/demo\n  \
        cpc pretrain LibriSpeech/train-clean-100 --preset cpc2018 --out runs/ls100\n  \
        cpc pretrain hf://datasets/openslr/librispeech_asr/clean/train.100 --out runs/ls100\n  \
        cpc pretrain books.txt --preset text-small --out runs/books\n  \
        cpc pretrain mnist --preset dim-local --out runs/digits\n  \
        cpc pretrain toy:25-gaussians --preset mine-gan --out runs/grid\n  \
        cpc pretrain calls.jsonl --out runs/calls --set train.lr=1e-4 --set data.sampler=uniform\n  \
        cpc pretrain --resume --out runs/calls"
)]
pub struct Pretrain {
    /// The corpus: a directory, a manifest, parquet files, hf://datasets/owner/name, text, or images (not needed with --resume)
    #[arg(required_unless_present_any = ["resume", "print_config"])]
    data: Option<PathBuf>,
    /// The run directory to make
    #[arg(long, value_name = "RUN", required_unless_present = "print_config")]
    out: Option<PathBuf>,
    /// A named configuration: demo, small (the default), cpc2018 or big; of text text-demo, text-small (the default) or text2018; of images
    /// dim-local (the default), dim-global, dim-both, image-supervised or ib; of toy: mine-gan; of stacked: mine-gan-stacked
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
    /// Text: what a sentence is, a line or what Unicode's rules find in prose (data.split)
    #[arg(long, value_enum, value_name = "HOW")]
    split: Option<Split>,
    /// Text: bpe, wordpiece or word to learn a tokenizer, or a tokenizer.json, or hf:owner/name (data.tokenizer)
    #[arg(long, value_name = "TOKENIZER")]
    tokenizer: Option<String>,
    /// Text: tokens to learn (encoder.vocab_size)
    #[arg(long, value_name = "N")]
    vocab_size: Option<u32>,
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
    if let Some(reference) = path.to_str().filter(|text| RepoRef::is_reference(text) || text.starts_with(toy::PREFIX)) {
        return Ok(Value::String(reference.into()));
    }
    let absolute = |path: &Path| std::path::absolute(path).map_err(Error::io(path, "find"));
    Ok(Value::String(match path.to_str().and_then(|text| text.strip_prefix(STACKED)) {
        Some(dir) => format!("{STACKED}{}", absolute(Path::new(dir))?.display()),
        None => absolute(path)?.display().to_string(),
    }))
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
        if let Some(split) = self.split {
            flags.push(("data.split", Value::String(if split == Split::Lines { "lines" } else { "sentences" }.into())));
        }
        if let Some(tokenizer) = &self.tokenizer {
            let path = Path::new(tokenizer);
            let text = if path.exists() { kept(path)? } else { Value::String(tokenizer.clone()) };
            flags.push(("data.tokenizer", text));
        }
        if let Some(size) = self.vocab_size {
            flags.push(("encoder.vocab_size", Value::Integer(size.into())));
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
                What::Text => "data.column",
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
        let stacked = self.data.as_ref().and_then(|data| data.to_str()).is_some_and(|data| data.starts_with(STACKED));
        if stacked && !self.resume && layers.preset.is_none() && layers.file.is_none() {
            layers.preset = Some("mine-gan-stacked".into());
        }
        match self.kind(&layers)? {
            Kind::Audio => subject::run::<Config>(self, layers, terminal),
            Kind::Text => subject::run::<TextConfig>(self, layers, terminal),
            Kind::Images => subject::run::<DimConfig>(self, layers, terminal),
            Kind::Bottleneck => subject::run::<BottleneckConfig>(self, layers, terminal),
            Kind::Gan => subject::run::<GanConfig>(self, layers, terminal),
        }
    }

    /// What is trained on: by the preset, by the configuration, or by DATA.
    fn kind(&self, layers: &Layers) -> Result<Kind> {
        if let Some(preset) = &layers.preset {
            return Ok(Kind::of([
                TextConfig::names(preset),
                DimConfig::names(preset),
                BottleneckConfig::names(preset),
                GanConfig::names(preset),
            ]));
        }
        let file = match (&self.out, &layers.file) {
            (Some(out), _) if self.resume => Some(out.join("config.toml")),
            (_, file) => file.clone(),
        };
        if let Some(file) = file.filter(|file| file.is_file()) {
            return Ok(Kind::of([
                TextConfig::is_at(&file),
                DimConfig::is_at(&file),
                BottleneckConfig::is_at(&file),
                GanConfig::is_at(&file),
            ]));
        }
        if self.tokenizer.is_some() || self.split.is_some() || self.vocab_size.is_some() {
            return Ok(Kind::Text);
        }
        let Some(data) = &self.data else { return Ok(Kind::Audio) };
        let named = |ending: &str| data.extension().is_some_and(|e| e.eq_ignore_ascii_case(ending));
        Ok(Kind::of([
            named("txt") || named("jsonl") && is_json_text(data)?,
            image::is_idx(data),
            false,
            gan::is_imitated(data),
        ]))
    }
}

/// What is trained on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Audio,
    Text,
    Images,
    Bottleneck,
    Gan,
}

impl Kind {
    /// The first of text, images, the bottleneck and the generator that it is; audio if none.
    fn of(is: [bool; 4]) -> Kind {
        let kinds = [Kind::Text, Kind::Images, Kind::Bottleneck, Kind::Gan];
        kinds.into_iter().zip(is).find(|(_, is)| *is).map_or(Kind::Audio, |(kind, _)| kind)
    }
}

/// Whether lines of JSON are documents, and not recordings: those have a `path`.
fn is_json_text(path: &Path) -> Result<bool> {
    use std::io::{BufRead, BufReader, Read};
    let file = std::fs::File::open(path).map_err(Error::io(path, "read"))?;
    let mut line = Vec::new();
    let mut start = BufReader::new(file.take(1 << 20));
    start.read_until(b'\n', &mut line).map_err(Error::io(path, "read"))?;
    // What is cut off at a megabyte, or is no JSON, is for its reader to name; recordings have short lines.
    let Ok(json) = serde_json::from_slice::<serde_json::Value>(&line) else { return Ok(line.len() >= 1 << 20) };
    Ok(json.is_string() || json.is_array() || ["text", "sentences"].iter().any(|key| json.get(key).is_some()))
}

#[cfg(test)]
mod tests {
    use crate::config::{BottleneckConfig, Config, DimConfig, GanConfig, Sections, TextConfig};

    #[test]
    fn every_command_teaches_in_its_long_help() {
        use clap::CommandFactory;
        let mut cli = crate::cli::Cli::command();
        for name in ["pretrain", "extract", "probe", "abx", "convert", "info", "hub", "text", "mi"] {
            let help = cli.find_subcommand_mut(name).unwrap().render_long_help().to_string();
            let before = help.split("Usage:").next().unwrap();
            assert!(before.lines().count() > 4 && help.contains("Examples:"), "{name}: {before}");
        }
    }

    #[test]
    fn the_help_names_every_preset() {
        use clap::CommandFactory;
        let help = crate::cli::Cli::command().find_subcommand_mut("pretrain").unwrap().render_long_help().to_string();
        for (name, _) in
            [Config::PRESETS, TextConfig::PRESETS, DimConfig::PRESETS, BottleneckConfig::PRESETS, GanConfig::PRESETS]
                .concat()
        {
            assert!(help.contains(name), "{name}");
        }
    }
}
