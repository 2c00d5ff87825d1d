//! The model below the head, of any kind that turns recordings, images or sentences into vectors.

#[cfg(feature = "images")]
mod images;
#[cfg(feature = "text")]
mod sentences;
mod signals;

use super::ClassifierConfig;
use super::examples::Examples;
use crate::error::{Error, Result};
use crate::hub;
use crate::kinds::audio::{AudioModel, AudioModelConfig};
#[cfg(feature = "images")]
use crate::kinds::dim::{DimModel, DimModelConfig};
use crate::kinds::series::{SeriesModel, SeriesModelConfig};
#[cfg(feature = "text")]
use crate::kinds::text::{TextModel, TextModelConfig};
use crate::nn::{EmbeddingRows, ParamStore, Phase};
use crate::observer::Session;
use crate::options::Options;
use crate::recordings::AnyCorpus;
use crate::report::spans::seconds;
use crate::signal::{HEADS, Trunk};
#[cfg(feature = "text")]
pub use crate::text::Tokenizer;
use crate::weights::model_dir;
use candle_core::{Device, Tensor};
use candle_nn::VarBuilder;
use serde_json::Value;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The sizes of the model below the head.
#[derive(Debug, Clone)]
pub enum Body {
    /// Of audio.
    Audio(AudioModelConfig),
    /// Of series.
    Series(SeriesModelConfig),
    /// Of images.
    #[cfg(feature = "images")]
    Images(DimModelConfig),
    /// Of text.
    #[cfg(feature = "text")]
    Text(TextModelConfig),
}

/// Without text, nothing has a tokenizer.
#[cfg(not(feature = "text"))]
#[derive(Debug)]
pub enum Tokenizer {}

#[cfg(not(feature = "text"))]
impl Tokenizer {
    /// Nothing to save.
    pub fn save(&self, _: &Path) -> Result<()> {
        match *self {}
    }
}

/// A trained model that is to be fine-tuned.
pub(super) struct Opened {
    pub(super) body: Body,
    /// Its weights, without those that pretraining alone needs.
    pub(super) tensors: HashMap<String, Tensor>,
    pub(super) tokenizer: Option<Arc<Tokenizer>>,
    /// Its name; on the hub, with its commit.
    pub(super) name: String,
}

/// What is to be classified.
pub(super) struct Data {
    pub(super) corpus: Arc<dyn AnyCorpus>,
    /// The label of each, if the data state them.
    pub(super) labels: Option<Vec<String>>,
    /// Whether each is to be tested, if the data state it.
    pub(super) tested: Option<Vec<bool>>,
}

/// The frames of a batch.
pub(super) struct Framed {
    /// (B, T, D).
    pub(super) frames: Tensor,
    /// The frames of each row that are of the recording.
    pub(super) lengths: Vec<usize>,
    /// The rows of tables that the batch looked up.
    pub(super) rows: Vec<EmbeddingRows>,
}

/// The network below the head.
pub(super) trait Below: Send + Sync {
    /// The frames of windows.
    fn frames(&self, examples: &Examples, phase: Phase, device: &Device) -> Result<Framed>;
}

impl Body {
    /// Opens a trained model.
    ///
    /// # Errors
    /// It cannot be opened, or is a model of another kind.
    pub(super) fn open(reference: &str, session: &Session) -> Result<Opened> {
        let files = |name: &str| {
            ["config.json", "checkpoint_args.json", "README.md", "tokenizer.json"].contains(&name)
                || name.ends_with(".safetensors")
                || name.ends_with(".pt")
        };
        let here = hub::model(reference, &files, session)?;
        #[cfg_attr(not(feature = "text"), allow(unused_mut))]
        let mut tokenizer = None;
        let (body, mut tensors) = match model_dir::kind(&here.path).as_deref() {
            Some(SeriesModelConfig::KIND) => {
                let model = SeriesModel::open(&here.path, &here.name)?;
                (Body::Series(model.config), model.tensors)
            }
            #[cfg(feature = "images")]
            Some(DimModelConfig::KIND) => {
                let model = DimModel::open(&here.path)?;
                (Body::Images(model.config), model.tensors)
            }
            #[cfg(feature = "text")]
            Some(TextModelConfig::KIND) => {
                let model = TextModel::open(&here.path)?;
                tokenizer = Some(model.tokenizer);
                (Body::Text(model.config), model.tensors)
            }
            Some(AudioModelConfig::KIND) | None => {
                let model = AudioModel::open(&here.path)?;
                (Body::Audio(model.config), model.tensors)
            }
            Some(other) => {
                return Err(Error::usage(
                    format!("{reference}: is a model of the kind {other}"),
                    "fine-tune a model of audio, series, images or text",
                ));
            }
        };
        match &body {
            #[cfg(feature = "images")]
            Body::Images(_) => tensors.retain(|name, _| name.starts_with(images::ENCODER)),
            #[cfg(feature = "text")]
            Body::Text(_) => tensors.retain(|name, _| name.starts_with(sentences::ENCODER)),
            Body::Audio(_) | Body::Series(_) => tensors.retain(|name, _| !name.starts_with(HEADS)),
        }
        Ok(Opened { body, tensors, tokenizer, name: here.name })
    }

    /// The body that a `config.json` describes.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn from_json(json: &Value) -> std::result::Result<Body, String> {
        let parse = |e: serde_json::Error| format!("body: {e}");
        match json["kind"].as_str() {
            Some(SeriesModelConfig::KIND) => Ok(Body::Series(serde_json::from_value(json.clone()).map_err(parse)?)),
            Some(AudioModelConfig::KIND) => Ok(Body::Audio(serde_json::from_value(json.clone()).map_err(parse)?)),
            #[cfg(feature = "images")]
            Some(DimModelConfig::KIND) => Ok(Body::Images(serde_json::from_value(json.clone()).map_err(parse)?)),
            #[cfg(feature = "text")]
            Some(TextModelConfig::KIND) => Ok(Body::Text(serde_json::from_value(json.clone()).map_err(parse)?)),
            other => Err(format!("body: models of the kind {} are not supported", other.unwrap_or("(none)"))),
        }
    }

    /// The tokenizer in a model directory, if the body is one of text.
    ///
    /// # Errors
    /// It cannot be read, or is not the model's.
    pub(super) fn tokenizer(&self, dir: &Path) -> Result<Option<Arc<Tokenizer>>> {
        match self {
            #[cfg(feature = "text")]
            Body::Text(config) => config.tokenizer(dir).map(Some),
            _ => {
                let _ = dir;
                Ok(None)
            }
        }
    }

    /// The `config.json` of the body.
    ///
    /// # Errors
    /// It cannot be written as JSON.
    pub fn to_json(&self) -> Result<Value> {
        let json = match self {
            Body::Audio(config) => serde_json::to_value(config),
            Body::Series(config) => serde_json::to_value(config),
            #[cfg(feature = "images")]
            Body::Images(config) => serde_json::to_value(config),
            #[cfg(feature = "text")]
            Body::Text(config) => serde_json::to_value(config),
        };
        json.map_err(|e| Error::failed(format!("JSON: {e}"), "report this as a bug in cpc"))
    }

    /// What it is a model of.
    pub fn subject(&self) -> &'static str {
        match self {
            Body::Audio(_) => "audio",
            Body::Series(_) => "series",
            #[cfg(feature = "images")]
            Body::Images(_) => "images",
            #[cfg(feature = "text")]
            Body::Text(_) => "text",
        }
    }

    /// What it classifies, in the plural.
    pub fn items(&self) -> &'static str {
        match self {
            Body::Audio(_) | Body::Series(_) => "recordings",
            #[cfg(feature = "images")]
            Body::Images(_) => "images",
            #[cfg(feature = "text")]
            Body::Text(_) => "sentences",
        }
    }

    /// What it classifies, and the layer that is classified if none is named.
    pub(super) fn default_layer(&self) -> &'static str {
        match self {
            Body::Audio(_) | Body::Series(_) => "c",
            #[cfg(feature = "images")]
            Body::Images(_) => "y",
            #[cfg(feature = "text")]
            Body::Text(_) => "z",
        }
    }

    /// The dimension of a layer.
    ///
    /// # Errors
    /// There is no such layer, or it is one below the last of the context network.
    pub(super) fn dim(&self, layer: &str) -> Result<usize> {
        match self {
            Body::Audio(config) => signals::dim(&config.sizes(), layer),
            Body::Series(config) => signals::dim(&config.sizes(), layer),
            #[cfg(feature = "images")]
            Body::Images(config) => images::dim(config, layer),
            #[cfg(feature = "text")]
            Body::Text(config) => sentences::dim(config, layer),
        }
    }

    /// The number of frames of a window of some samples, which are tokens of a sentence, or one image.
    pub(super) fn frames(&self, samples: usize) -> usize {
        match self {
            Body::Audio(config) => config.sizes().encoder.frames(samples),
            Body::Series(config) => config.sizes().encoder.frames(samples),
            #[cfg(feature = "images")]
            Body::Images(_) => samples.min(1),
            #[cfg(feature = "text")]
            Body::Text(_) => samples.min(1),
        }
    }

    /// The window to choose for recordings of these lengths, in samples, and the shortest that has a frame. With `whole`, recordings are not cut
    /// into windows unless they are very long.
    pub(super) fn window(&self, lengths: Vec<u64>, whole: bool) -> (usize, usize) {
        match self {
            Body::Audio(config) => signals::window(&config.sizes().encoder, lengths, whole),
            Body::Series(config) => signals::window(&config.sizes().encoder, lengths, whole),
            #[cfg(feature = "images")]
            Body::Images(_) => (1, 1),
            #[cfg(feature = "text")]
            Body::Text(config) => (config.max_tokens, 1),
        }
    }

    /// The length of a window, as it is told to people; nothing of images.
    pub(super) fn span(&self, window: usize) -> String {
        match self {
            Body::Audio(config) => signals::span(&config.sizes(), window),
            Body::Series(config) => signals::span(&config.sizes(), window),
            #[cfg(feature = "images")]
            Body::Images(_) => String::new(),
            #[cfg(feature = "text")]
            Body::Text(_) => format!("windows of {window} tokens"),
        }
    }

    /// How long some samples last, as it is told to people; nothing of images and sentences.
    pub(super) fn lasts(&self, samples: u64) -> String {
        match self {
            Body::Audio(config) => seconds(samples as f64 / config.sizes().rate),
            Body::Series(config) => seconds(samples as f64 / config.sizes().rate),
            #[cfg(any(feature = "images", feature = "text"))]
            _ => String::new(),
        }
    }

    /// What it takes, as it is told to people.
    pub(super) fn input(&self) -> String {
        match self {
            Body::Audio(config) => signals::input("audio", &config.sizes()),
            Body::Series(config) => signals::input("series", &config.sizes()),
            #[cfg(feature = "images")]
            Body::Images(config) => format!("images of {}", config.size),
            #[cfg(feature = "text")]
            Body::Text(config) => format!("sentences; a vocabulary of {} tokens", config.encoder.vocab_size),
        }
    }

    /// What is at a path, as the body reads it; `rate` is that of series that do not say theirs, or 0.
    ///
    /// # Errors
    /// The path cannot be read, or holds nothing for this body.
    pub(super) fn data(
        &self,
        path: &Path,
        rate: f64,
        tokenizer: Option<&Arc<Tokenizer>>,
        labeled: bool,
    ) -> Result<Data> {
        #[cfg(not(feature = "text"))]
        let _ = (tokenizer, labeled);
        if rate > 0.0 && !matches!(self, Body::Series(_)) {
            return Err(Error::usage(
                format!("--rate is not for {}", self.subject()),
                "leave it out: it is for series that do not state theirs",
            ));
        }
        match self {
            Body::Audio(config) => signals::audio(config, path),
            Body::Series(config) => signals::series(config, path, rate),
            #[cfg(feature = "images")]
            Body::Images(config) => images::data(config, path),
            #[cfg(feature = "text")]
            Body::Text(config) => {
                let Some(tokenizer) = tokenizer else {
                    return Err(Error::failed("tokenizer.json is missing", "copy or download the model again"));
                };
                sentences::data(tokenizer, config, path, labeled)
            }
        }
    }

    /// The network that computes a layer, with parameters from `vb`.
    ///
    /// # Errors
    /// There is no such layer, or the parameters have other shapes.
    pub(super) fn network(&self, layer: &str, vb: &VarBuilder) -> Result<Arc<dyn Below>> {
        match self {
            Body::Audio(config) => signals::network(config.sizes(), layer, vb),
            Body::Series(config) => signals::network(config.sizes(), layer, vb),
            #[cfg(feature = "images")]
            Body::Images(config) => images::network(config, layer, vb),
            #[cfg(feature = "text")]
            Body::Text(config) => sentences::network(config, layer, vb),
        }
    }

    /// Gives new parameters their first values, where these are not what the store draws.
    ///
    /// # Errors
    /// The store has no such parameters.
    pub(super) fn begin(&self, store: &ParamStore) -> Result<()> {
        match self {
            Body::Audio(config) => Trunk::begin(&config.sizes(), store),
            Body::Series(config) => Trunk::begin(&config.sizes(), store),
            #[cfg(feature = "images")]
            Body::Images(_) => Ok(()),
            #[cfg(feature = "text")]
            Body::Text(_) => Ok(()),
        }
    }

    /// The files of lists that `cpc probe` reads: the recordings that a run trained on, and those that it tested.
    pub(super) fn lists(&self) -> [&'static str; 2] {
        match self {
            #[cfg(feature = "text")]
            Body::Text(_) => ["train.csv", "test.csv"],
            _ => ["train.txt", "test.txt"],
        }
    }

    /// The first line of such a list.
    pub(super) fn list_header(&self) -> &'static str {
        if self.items() == "sentences" { "label,sentence\n" } else { "" }
    }

    /// A line of such a list.
    pub(super) fn listed(&self, corpus: &dyn AnyCorpus, i: usize, label: &str) -> String {
        #[cfg(not(feature = "text"))]
        let _ = label;
        match self {
            #[cfg(feature = "text")]
            Body::Text(_) => sentences::listed(corpus, i, label),
            _ => format!("{}\n", corpus.id(i)),
        }
    }

    /// What `cpc probe` is asked, to measure the model as it was on the same recordings: the data, and options. None if it cannot be probed.
    pub(super) fn probing(&self, cfg: &ClassifierConfig, run: &Path) -> Option<(Option<PathBuf>, Options)> {
        let [train, test] = self.lists().map(|name| run.join(name));
        let options = Options::new().with("train", train).with("test", test).with("seed", cfg.seed.to_string());
        let data = Some(PathBuf::from(&cfg.data.path));
        match self {
            #[cfg(feature = "text")]
            Body::Text(_) => (!cfg.finetune.multi_label).then_some((None, options)),
            #[cfg(feature = "images")]
            Body::Images(_) => Some((data, options.with("layer", &cfg.finetune.layer))),
            Body::Audio(_) | Body::Series(_) => {
                let rate = (cfg.data.rate > 0.0).then(|| cfg.data.rate.to_string());
                let several = cfg.finetune.multi_label.then_some("");
                let options = options.with("layer", &cfg.finetune.layer).with("labels", &cfg.data.labels);
                Some((data, options.with_some("rate", rate).with_some("multi-label", several)))
            }
        }
    }
}
