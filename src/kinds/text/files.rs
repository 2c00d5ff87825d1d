//! The model directory of a text model: `config.json`, `model.safetensors`, and the `tokenizer.json` that its embeddings belong to.

use crate::config::{HeadsConfig, SentenceEncoderConfig};
use crate::durable;
use crate::error::{Error, Result};
use crate::kinds::text::TextConfig;
use crate::nn::ContextConfig;
use crate::text::Tokenizer;
use crate::weights::model_dir::{Origin, place, read_config};
use crate::weights::{read_tensors, sha256_of, write_tensors};
use candle_core::Tensor;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The `config.json` of a text model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TextModelConfig {
    /// `cpc-text`.
    #[serde(alias = "model_type")]
    pub kind: String,
    /// The version of this format: 1.
    pub format: u32,
    /// g_enc.
    pub encoder: SentenceEncoderConfig,
    /// g_ar.
    pub context: ContextConfig,
    /// W_k.
    pub heads: HeadsConfig,
    /// The maximum number of tokens per sentence; longer sentences are truncated.
    pub max_tokens: usize,
    /// SHA-256 of `tokenizer.json`.
    pub tokenizer_sha256: String,
    /// The origin of a copied model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
}

impl TextModelConfig {
    /// The name of this kind of model: the value of `kind` in `config.json`.
    pub const KIND: &'static str = "cpc-text";

    /// The model of a run.
    pub fn new(cfg: &TextConfig, tokenizer: &Tokenizer) -> Self {
        TextModelConfig {
            kind: Self::KIND.into(),
            format: 1,
            encoder: cfg.encoder.clone(),
            context: cfg.context.clone(),
            heads: cfg.heads.clone(),
            max_tokens: cfg.data.max_tokens,
            tokenizer_sha256: tokenizer.sha256().into(),
            origin: None,
        }
    }

    /// The tokenizer in a directory of this model.
    ///
    /// # Errors
    /// It cannot be read, or is not the model's.
    pub fn tokenizer(&self, dir: &Path) -> Result<Arc<Tokenizer>> {
        let file = dir.join("tokenizer.json");
        let tokenizer = Tokenizer::open(&file)?;
        if tokenizer.sha256() != self.tokenizer_sha256 || tokenizer.size() > self.encoder.vocab_size {
            return Err(Error::failed(
                format!("{}: is not the tokenizer that the model was trained with", file.display()),
                "use the tokenizer.json that came with the model: each id has to mean the same token",
            ));
        }
        Ok(Arc::new(tokenizer))
    }
}

/// A trained text model.
#[derive(Clone)]
pub struct TextModel {
    /// The sizes.
    pub config: TextModelConfig,
    /// Every parameter by name, on the CPU.
    pub tensors: HashMap<String, Tensor>,
    /// The tokenizer of sentences.
    pub tokenizer: Arc<Tokenizer>,
    /// The reference that the model was requested by.
    pub reference: String,
    /// The directory.
    pub path: PathBuf,
}

impl TextModel {
    /// Opens a model directory, or the `model/` of a run directory.
    ///
    /// # Errors
    /// A file is missing or cannot be read (the error names it and the fault), or the tokenizer is not the model's.
    pub fn open(path: &Path) -> Result<TextModel> {
        let dir = place(path);
        let config = read_config(&dir, TextModelConfig::KIND, |config: &TextModelConfig, faults| {
            config.encoder.validate(faults);
            config.context.validate(faults);
            config.heads.validate(faults);
        })?;
        let tokenizer = config.tokenizer(&dir)?;
        let tensors = read_tensors(&dir.join("model.safetensors"))?;
        Ok(TextModel { config, tensors, tokenizer, reference: path.display().to_string(), path: dir })
    }

    /// SHA-256 of the tensors in the format of `model.safetensors`, in hexadecimal.
    ///
    /// # Errors
    /// The tensors cannot be written in that format.
    pub fn sha256(&self) -> Result<String> {
        sha256_of(&self.tensors, &self.reference)
    }

    /// Writes a model into an existing directory, each file atomically, the weights last.
    ///
    /// # Errors
    /// Writing to disk fails.
    pub fn write(
        dir: &Path,
        config: &TextModelConfig,
        tokenizer: &Tokenizer,
        tensors: &BTreeMap<String, Tensor>,
    ) -> Result<()> {
        durable::write_json(&dir.join("config.json"), config)?;
        tokenizer.save(&dir.join("tokenizer.json"))?;
        write_tensors(&dir.join("model.safetensors"), tensors)
    }
}
