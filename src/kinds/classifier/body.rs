//! The model below the head: of any kind whose frames are those of a signal.

use crate::error::{Error, Result};
use crate::hub;
use crate::kinds::audio::{AudioModel, AudioModelConfig};
use crate::kinds::series::{SeriesModel, SeriesModelConfig};
use crate::observer::Session;
use crate::recordings::{AnyCorpus, Columns, Corpus, Shelf};
use crate::signal::{HEADS, Layer, Sizes};
use crate::weights::model_dir;
use candle_core::Tensor;
use serde_json::Value;
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

/// The model below the head.
#[derive(Debug, Clone)]
pub enum Body {
    /// Of audio.
    Audio(AudioModelConfig),
    /// Of series.
    Series(SeriesModelConfig),
}

impl Body {
    /// Opens a trained model, and returns its weights without its prediction heads, and its name; on the hub, with its commit.
    ///
    /// # Errors
    /// It cannot be opened, or is a model of another kind.
    pub fn open(reference: &str, session: &Session) -> Result<(Body, HashMap<String, Tensor>, String)> {
        let files = |name: &str| {
            ["config.json", "checkpoint_args.json", "README.md"].contains(&name)
                || name.ends_with(".safetensors")
                || name.ends_with(".pt")
        };
        let here = hub::model(reference, &files, session)?;
        let (body, mut tensors) = match model_dir::kind(&here.path).as_deref() {
            Some(SeriesModelConfig::KIND) => {
                let model = SeriesModel::open(&here.path, &here.name)?;
                (Body::Series(model.config), model.tensors)
            }
            Some(AudioModelConfig::KIND) | None => {
                let model = AudioModel::open(&here.path)?;
                (Body::Audio(model.config), model.tensors)
            }
            Some(other) => {
                return Err(Error::usage(
                    format!("{reference}: is a model of the kind {other}"),
                    "fine-tune a model of audio or of series",
                ));
            }
        };
        tensors.retain(|name, _| !name.starts_with(HEADS));
        Ok((body, tensors, here.name))
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
            other => Err(format!("body: models of the kind {} are not supported", other.unwrap_or("(none)"))),
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
        };
        json.map_err(|e| Error::failed(format!("JSON: {e}"), "report this as a bug in cpc"))
    }

    /// What it is a model of.
    pub fn subject(&self) -> &'static str {
        match self {
            Body::Audio(_) => "audio",
            Body::Series(_) => "series",
        }
    }

    /// The sizes of its network.
    pub fn sizes(&self) -> Sizes {
        match self {
            Body::Audio(config) => config.sizes(),
            Body::Series(config) => config.sizes(),
        }
    }

    /// The dimension of a layer.
    ///
    /// # Errors
    /// There is no such layer, or it is one below the last of the context network.
    pub fn dim(&self, layer: &Layer) -> Result<usize> {
        match layer {
            Layer::Context(_) => Err(Error::usage(
                format!("finetune.layer: {layer} is below the last layer of the context network"),
                "choose c, z or c+z",
            )),
            Layer::Concatenated(layers) => layers.iter().map(|layer| self.dim(layer)).sum(),
            Layer::Z | Layer::C => layer.dim(&self.sizes()),
        }
    }

    /// The recordings at a path, as the body reads them; `rate` is that of series that do not say theirs, or 0.
    ///
    /// # Errors
    /// The path cannot be read, or holds nothing for this body.
    pub fn recordings(&self, data: &Path, rate: f64) -> Result<Arc<dyn AnyCorpus>> {
        match self {
            Body::Audio(_) if rate > 0.0 => {
                Err(Error::usage("--rate is not for audio", "leave it out: files state their rate"))
            }
            Body::Audio(config) => {
                let corpus = Corpus::inspect_columns(data, &Columns::default(), config.sample_rate, &|_| {})?;
                Ok(Arc::new(Shelf::new(corpus)))
            }
            Body::Series(config) => {
                let (corpus, _) = Corpus::sensors(&config.input(rate), data, Some(&config.expected()), &|_| {})?;
                Ok(Arc::new(Shelf::new(corpus)))
            }
        }
    }
}
