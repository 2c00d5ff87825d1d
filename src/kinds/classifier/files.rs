//! The model directory of a classifier: `config.json` and `model.safetensors`.

use super::ClassifierConfig;
use super::body::{Body, Opened, Tokenizer};
use super::network::ClassifierNetwork;
use crate::error::{Error, Problem, Result};
use crate::eval::transcripts::Spelling;
use crate::nn::{ClassifierSize, ParamStore};
use crate::options::Options;
use crate::weights::model_dir::{Origin, place, read_config};
use crate::weights::{read_tensors, sha256_of};
use candle_core::{Device, Tensor};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The contents of `config.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClassifierModelConfig {
    /// `cpc-classifier`.
    pub kind: String,
    /// The version of this format: 1.
    pub format: u32,
    /// The `config.json` of the model below the head.
    pub body: Value,
    /// The output of that model that is classified.
    pub layer: String,
    /// The head.
    pub head: ClassifierSize,
    /// The classes, in the order of the scores.
    pub classes: Vec<String>,
    /// Whether a recording may have several of them.
    pub multi_label: bool,
    /// Samples in a window. Longer recordings are classified by the mean over windows, and transcribed one window after the other.
    pub window: usize,
    /// How it transcribes, if it does: the classes are symbols, and the last of the scores is the blank.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ctc: Option<Ctc>,
}

/// How a model transcribes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ctc {
    /// What its symbols are.
    pub spelling: Spelling,
    /// Frames from one output to the next.
    pub stride: usize,
}

impl ClassifierModelConfig {
    /// The name of this kind of model.
    pub const KIND: &'static str = "cpc-classifier";

    /// Reads the `config.json` of a directory.
    ///
    /// # Errors
    /// The file is missing, or has contents that this crate does not support.
    pub fn read(dir: &Path) -> Result<ClassifierModelConfig> {
        read_config(dir, ClassifierModelConfig::KIND, |config: &ClassifierModelConfig, faults| {
            config.head.validate("head", faults);
            match Body::from_json(&config.body) {
                Ok(body) => {
                    if let Err(error) = body.dim(&config.layer) {
                        faults.push(Problem::new("layer", error));
                    }
                    if body.frames(config.window) == 0 {
                        faults.push(Problem::new("window", format!("{} samples give no frame", config.window)));
                    }
                }
                Err(what) => faults.push(Problem::new("body", what)),
            }
            if config.classes.is_empty() {
                faults.push(Problem::new("classes", "must be at least one"));
            }
            if config.ctc.is_some_and(|ctc| !(1..=64).contains(&ctc.stride)) {
                faults.push(Problem::new("ctc.stride", "is not between 1 and 64"));
            }
        })
    }

    /// The model below the head.
    ///
    /// # Errors
    /// It is not what [`ClassifierModelConfig::read`] accepts.
    pub(super) fn body(&self) -> Result<Body> {
        let wrong = |what: String| Error::failed(format!("config.json: {what}"), "copy or download the model again");
        Body::from_json(&self.body).map_err(wrong)
    }

    /// The network, with parameters from a store.
    pub(super) fn network(&self, store: &ParamStore, trained: Trained) -> Result<ClassifierNetwork> {
        let body = self.body()?;
        let (below, above) = match trained {
            Trained::All => (store.builder(), store.builder()),
            Trained::Head => (store.frozen(), store.builder()),
            Trained::Nothing => (store.frozen(), store.frozen()),
        };
        ClassifierNetwork::new(&body, self, &below, &above)
    }
}

/// The file of the tokenizer of a classifier of sentences.
pub(super) const TOKENIZER: &str = "tokenizer.json";

/// Which parameters of a network are trained.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trained {
    /// All.
    All,
    /// Those of the head.
    Head,
    /// None.
    Nothing,
}

/// A trained classifier.
#[derive(Clone)]
pub struct ClassifierModel {
    /// Its sizes and classes.
    pub config: ClassifierModelConfig,
    /// Every parameter and buffer by name, on the CPU.
    pub tensors: HashMap<String, Tensor>,
    /// The tokenizer of a classifier of sentences.
    pub tokenizer: Option<Arc<Tokenizer>>,
    /// The origin of the model.
    pub origin: Origin,
    /// The directory on this machine.
    pub path: PathBuf,
}

impl ClassifierModel {
    /// Opens a model directory, or the `model/` of a run directory, under the name `reference`.
    ///
    /// # Errors
    /// A file is missing or damaged; the error names it.
    pub fn open(path: &Path, reference: &str) -> Result<ClassifierModel> {
        let path = place(path);
        let origin = Origin { reference: reference.into(), layout: "model directory".into() };
        let config = ClassifierModelConfig::read(&path)?;
        let tensors = read_tensors(&path.join("model.safetensors"))?;
        let tokenizer = config.body()?.tokenizer(&path)?;
        Ok(ClassifierModel { config, tensors, tokenizer, origin, path })
    }

    /// The model below the head of a checkpoint, without its weights, which the trainer reads.
    ///
    /// # Errors
    /// A file is missing or damaged.
    pub(super) fn resumed(path: &Path) -> Result<Opened> {
        let body = ClassifierModelConfig::read(path)?.body()?;
        let tokenizer = body.tokenizer(path)?;
        Ok(Opened { body, tensors: HashMap::new(), tokenizer, name: String::new() })
    }

    /// The network on a device.
    ///
    /// # Errors
    /// The weights do not match it.
    pub(super) fn network(&self, device: &Device) -> Result<ClassifierNetwork> {
        let store = ParamStore::new(0, device);
        let network = self.config.network(&store, Trained::Nothing)?;
        store.load(&self.tensors, None, &self.origin.reference)?;
        Ok(network)
    }

    /// What `cpc probe` is asked, to measure the model that a run started from on the recordings of the run: the data, and options. None if that
    /// model cannot be probed.
    ///
    /// # Errors
    /// The body is not what [`ClassifierModelConfig::read`] accepts.
    pub fn probing(&self, cfg: &ClassifierConfig, run: &Path) -> Result<Option<(Option<PathBuf>, Options)>> {
        Ok(self.config.body()?.probing(cfg, run))
    }

    /// SHA-256 of the tensors in the format of `model.safetensors`, in hexadecimal.
    ///
    /// # Errors
    /// A tensor operation fails.
    pub fn sha256(&self) -> Result<String> {
        sha256_of(&self.tensors, &self.origin.reference)
    }
}
