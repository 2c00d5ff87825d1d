//! `cpc info`: what a corpus, a model or a run is.

use super::columns::ColumnArgs;
use super::{Terminal, model, remote};
use crate::config::{BottleneckConfig, Config, ContextKind, DimConfig, GanConfig, HeadsKind, Sections, TextConfig};
use crate::data::{Corpus, Summary};
use crate::error::{Error, Result};
use crate::image;
use crate::train::run_dir;
use crate::weights::{DimModel, ModelConfig, Origin, Pretrained, TextModel};
use clap::Args;
use serde::Serialize;
use serde_json::Value;
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// Options of `cpc info`.
#[derive(Debug, Args)]
#[command(
    about = "Describe a corpus, a model or a run",
    long_about = "Describe a corpus, images, a model or a run.\n\n\
        Of a corpus: files, hours, speakers, rates, a histogram of lengths, and every problem with its file (exit code 1 if there are \
        any). Of a model: sizes, hop and receptive field. Of a run: how far it has come and its figures.",
    after_help = "Examples:\n  cpc info LibriSpeech/train-clean-100\n  cpc info runs/demo/model\n  cpc info hf:owner/name\n  cpc info runs/demo --json"
)]
pub struct Info {
    /// Recordings (a directory, a manifest, parquet files, hf://datasets/owner/name); a model (directory, hf:owner/name, checkpoint of
    /// CPC_audio); or a run directory
    what: String,
    /// The rate that a corpus would be resampled to, in samples a second
    #[arg(long, default_value = "16000", value_name = "HZ", value_parser = clap::value_parser!(u32).range(1000..=192_000))]
    rate: u32,
    #[command(flatten)]
    columns: ColumnArgs,
}

#[derive(Serialize)]
struct ModelInfo<'a> {
    path: PathBuf,
    #[serde(flatten)]
    config: &'a ModelConfig,
    found: &'a Origin,
    sha256: String,
    dtype: &'static str,
    heads_present: bool,
    mapped: usize,
    ignored: &'a [(String, String)],
    parameters: usize,
    hop: usize,
    receptive_field: usize,
    frames_per_second: f64,
}

#[derive(Serialize)]
struct RunInfo {
    path: PathBuf,
    data: String,
    steps: u64,
    of: u64,
    checkpoint: Option<PathBuf>,
    train: Option<Value>,
    best_validation: Option<Value>,
}

impl Info {
    pub(super) fn run(&self, terminal: &Terminal) -> Result<()> {
        let what = Path::new(&self.what);
        if what.join("config.toml").is_file() {
            self.describe_run(what, terminal)
        } else if model::is_model(&self.what, terminal)? {
            let here = remote::model(&self.what, terminal)?;
            if TextModel::is_at(&here.path) {
                describe_text_model(&TextModel::open(&here.path)?, terminal)
            } else if DimModel::is_at(&here.path) {
                describe_image_model(&DimModel::open(&here.path)?, terminal)
            } else {
                describe_model(&model::open_here(here, terminal)?, terminal)
            }
        } else if image::is_idx(what) {
            describe_images(what, terminal)
        } else {
            let here = remote::recordings(what, terminal)?;
            let corpus = Corpus::inspect_columns(&here.path, &self.columns.columns(), self.rate, &|_| {})?;
            let summary = Summary::new(&corpus);
            terminal.result_or_json(&summary, &summary.to_string())?;
            if corpus.problems.is_empty() { Ok(()) } else { Err(Error::BadFiles(corpus.problems)) }
        }
    }

    fn describe_run(&self, run: &Path, terminal: &Terminal) -> Result<()> {
        let config = run.join("config.toml");
        let (data, steps) = if TextConfig::is_at(&config) {
            let config = TextConfig::read(&config)?;
            (config.data.path, config.train.steps)
        } else if DimConfig::is_at(&config) {
            let config = DimConfig::read(&config)?;
            (config.data.path, config.train.steps)
        } else if BottleneckConfig::is_at(&config) {
            let config = BottleneckConfig::read(&config)?;
            (config.data.path, config.train.steps)
        } else if GanConfig::is_at(&config) {
            let config = GanConfig::read(&config)?;
            (config.data.path, config.train.steps)
        } else {
            let config = Config::read(&config)?;
            (config.data.path, config.train.steps)
        };
        let path = run.join("metrics.jsonl");
        let text = if path.exists() {
            std::fs::read_to_string(&path).map_err(Error::io(&path, "read"))?
        } else {
            String::new()
        };
        let lines: Vec<Value> = text.lines().filter_map(|l| serde_json::from_str(l).ok()).collect();
        let train = lines.iter().rfind(|l| l["kind"] == "train").cloned();
        let loss = |l: &&Value| l["loss"].as_f64().unwrap_or(f64::INFINITY);
        let best = lines.iter().filter(|l| l["kind"] == "valid").min_by(|a, b| loss(a).total_cmp(&loss(b))).cloned();
        let info = RunInfo {
            path: run.to_path_buf(),
            data,
            steps: train.as_ref().and_then(|l| l["step"].as_u64()).unwrap_or(0),
            of: steps,
            checkpoint: run_dir::latest(run)?.map(|(path, _)| path),
            train,
            best_validation: best,
        };
        let mut text = format!(
            "run         {}\ndata        {}\nsteps       {} of {}\n",
            run.display(),
            info.data,
            info.steps,
            info.of
        );
        match &info.checkpoint {
            Some(path) => writeln!(text, "checkpoint  {}", path.display()),
            None => writeln!(text, "checkpoint  none yet"),
        }
        .ok();
        let accuracy = |l: &Value| {
            let first = l["accuracy_per_step"][0].as_f64();
            first.map_or(String::new(), |share| format!(", accuracy at k = 1 {:.2} %", 100.0 * share))
        };
        if let Some(l) = &info.train {
            let rate = |unit: &str| l[format!("{unit}_per_second")].as_f64();
            let speed = match rate("audio_seconds") {
                Some(rate) => format!("{rate:.0}x real time"),
                None => ["sentences", "images", "samples"]
                    .iter()
                    .find_map(|unit| rate(unit).map(|rate| format!("{rate:.0} {unit} a second")))
                    .unwrap_or_default(),
            };
            writeln!(text, "training    loss {:.4}{}, {speed}", loss(&l), accuracy(l)).ok();
        }
        if let Some(l) = &info.best_validation {
            let step = &l["step"];
            writeln!(text, "validation  loss {:.4}{} (best, after {step} steps)", loss(&l), accuracy(l)).ok();
        }
        terminal.result_or_json(&info, &text)
    }
}

fn describe_model(model: &Pretrained, terminal: &Terminal) -> Result<()> {
    let trained = |name: &&String| !name.contains("running_") && !name.ends_with("num_batches_tracked");
    let parameters = model.tensors.iter().filter(|(n, _)| trained(n)).map(|(_, t)| t.elem_count()).sum();
    let sha256 = model.sha256()?;
    let c = &model.config;
    let (hop, field) = (c.encoder.hop(), c.encoder.receptive_field());
    let ms = |samples: usize| 1e3 * samples as f64 / f64::from(c.sample_rate);
    let mut text = format!(
        "model            {} (format {}), {parameters} parameters, float32\n\
         from             {} ({})\n\
         sha256           {sha256}\n\
         input            mono, {} samples a second\n\
         encoder          {} layers of {} channels, norm {}\n\
         hop              {hop} samples ({:.1} ms, {:.1} frames a second)\n\
         receptive field  {field} samples ({:.1} ms)\n\
         context          {} of {}, {} layer{}\n\
         heads            {}{} steps ahead ({:.0} ms)\n",
        c.model_type,
        c.format,
        model.origin.reference,
        model.origin.layout,
        c.sample_rate,
        c.encoder.kernels.len(),
        c.encoder.hidden_dim,
        serde_json::to_value(c.encoder.norm).ok().and_then(|v| v.as_str().map(String::from)).unwrap_or_default(),
        ms(hop),
        1e3 / ms(hop),
        ms(field),
        if c.context.kind == ContextKind::Gru { "GRU" } else { "LSTM" },
        c.context.hidden_dim,
        c.context.num_layers,
        if c.context.num_layers == 1 { "" } else { "s" },
        match (model.has_heads(), c.heads.kind) {
            (false, _) => "none here; trained for ",
            (true, HeadsKind::Linear) => "linear, ",
            (true, HeadsKind::Transformer) => "transformer, ",
        },
        c.heads.steps,
        ms(hop * c.heads.steps),
    );
    if let Some(origin) = &c.origin {
        writeln!(text, "converted from   {} ({})", origin.reference, origin.layout).ok();
    }
    for (name, why) in &model.ignored {
        writeln!(text, "left out         {name}: {why}").ok();
    }
    let info = ModelInfo {
        path: model.path.clone(),
        parameters,
        hop,
        receptive_field: field,
        frames_per_second: 1e3 / ms(hop),
        dtype: "float32",
        found: &model.origin,
        sha256,
        heads_present: model.has_heads(),
        mapped: model.tensors.len(),
        ignored: &model.ignored,
        config: &model.config,
    };
    terminal.result_or_json(&info, &text)
}

fn describe_text_model(model: &TextModel, terminal: &Terminal) -> Result<()> {
    let parameters: usize = model.tensors.values().map(|t| t.elem_count()).sum();
    let (c, sha256) = (&model.config, model.sha256()?);
    let text = format!(
        "model       {} (format {}), {parameters} parameters, float32\n\
         from        {}\n\
         sha256      {sha256}\n\
         input       sentences of up to {} tokens; {} tokens are known\n\
         encoder     embeddings of {}, convolution over {} token{}, mean: z of {} numbers\n\
         context     {} of {} over sentences, {} layer{}\n\
         heads       linear, {} sentences ahead\n",
        c.model_type,
        c.format,
        model.reference,
        c.max_tokens,
        c.encoder.vocab_size,
        c.encoder.embedding_dim,
        c.encoder.kernel,
        if c.encoder.kernel == 1 { "" } else { "s" },
        c.encoder.hidden_dim,
        if c.context.kind == ContextKind::Gru { "GRU" } else { "LSTM" },
        c.context.hidden_dim,
        c.context.num_layers,
        if c.context.num_layers == 1 { "" } else { "s" },
        c.heads.steps,
    );
    let info = serde_json::json!({ "path": model.path, "config": c, "sha256": sha256, "dtype": "float32", "parameters": parameters });
    terminal.result_or_json(&info, &text)
}

fn describe_image_model(model: &DimModel, terminal: &Terminal) -> Result<()> {
    let count = |encoder: bool| -> usize {
        let of = model.tensors.iter().filter(|(name, _)| name.starts_with("encoder.") == encoder);
        of.map(|(_, t)| t.elem_count()).sum()
    };
    let (c, sha256) = (&model.config, model.sha256()?);
    let o = &c.objective;
    let text = format!(
        "model       {} (format {}), {} parameters in the encoder, {} in what trained it, float32\n\
         from        {}\n\
         sha256      {sha256}\n\
         input       images of {}\n\
         encoder     {}, fully connected {}, Y of {} numbers\n\
         objective   {} global + {} local + {} prior + {} labels, {}\n",
        c.model_type,
        c.format,
        count(true),
        count(false),
        model.reference,
        c.size,
        word(&c.encoder.architecture),
        c.encoder.fc_dim,
        c.encoder.latent_dim,
        o.alpha,
        o.beta,
        o.gamma,
        o.labels,
        word(&o.estimator),
    );
    let info = serde_json::json!({
        "path": model.path, "config": c, "sha256": sha256, "dtype": "float32", "parameters": count(true) + count(false),
    });
    terminal.result_or_json(&info, &text)
}

/// A value as configurations write it.
fn word(value: &impl Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|v| v.as_str().map(String::from)).unwrap_or_default()
}

fn describe_images(path: &Path, terminal: &Terminal) -> Result<()> {
    let images = image::open(path)?;
    let counts = |set: &image::ImageSet| {
        let mut counts = vec![0usize; images.classes.len()];
        set.labels.iter().for_each(|&label| counts[label as usize] += 1);
        counts
    };
    let (train, test) = (counts(&images.train), counts(&images.test));
    let mut text = format!(
        "images      {}\nsize        {}\ntrain       {}\ntest        {}\n\nlabel     train    test\n",
        path.display(),
        images.train.size,
        images.train.len(),
        images.test.len()
    );
    for ((name, train), test) in images.classes.iter().zip(&train).zip(&test) {
        writeln!(text, "{name:<8} {train:>6}  {test:>6}").ok();
    }
    let info = serde_json::json!({
        "path": path, "size": images.train.size, "classes": images.classes, "train": train, "test": test,
    });
    terminal.result_or_json(&info, &text)
}
