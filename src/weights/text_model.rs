//! A model directory of text: `config.json`, `model.safetensors`, and the `tokenizer.json` that its embeddings belong to.

use super::model_dir::{Origin, model_type, place, read_config};
use super::tensors::{read_tensors, sha256_of, write_tensors};
use crate::config::{ContextConfig, HeadsConfig, SentenceEncoderConfig, TextConfig};
use crate::durable;
use crate::error::{Error, Result};
use crate::text::Tokenizer;
use candle_core::Tensor;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

/// What `config.json` of a text model says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TextModelConfig {
    /// `cpc-text`.
    pub model_type: String,
    /// The version of this format: 1.
    pub format: u32,
    /// g_enc.
    pub encoder: SentenceEncoderConfig,
    /// g_ar.
    pub context: ContextConfig,
    /// W_k.
    pub heads: HeadsConfig,
    /// Tokens of a sentence; what is longer is cut.
    pub max_tokens: usize,
    /// SHA-256 of `tokenizer.json`.
    pub tokenizer_sha256: String,
    /// Where a copied model came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
}

impl TextModelConfig {
    /// What `config.json` calls such a model.
    pub const MODEL_TYPE: &'static str = "cpc-text";

    /// The model of a run.
    pub fn new(cfg: &TextConfig, tokenizer: &Tokenizer) -> Self {
        TextModelConfig {
            model_type: Self::MODEL_TYPE.into(),
            format: 1,
            encoder: cfg.encoder.clone(),
            context: cfg.context.clone(),
            heads: cfg.heads.clone(),
            max_tokens: cfg.data.max_tokens,
            tokenizer_sha256: tokenizer.sha256().into(),
            origin: None,
        }
    }
}

/// A trained text model.
pub struct TextModel {
    /// The sizes.
    pub config: TextModelConfig,
    /// Every parameter by name, on the CPU.
    pub tensors: HashMap<String, Tensor>,
    /// What makes tokens of sentences.
    pub tokenizer: Tokenizer,
    /// What was asked for.
    pub reference: String,
    /// The directory.
    pub path: PathBuf,
}

impl TextModel {
    /// Whether there is a text model at `path`, a model directory or a run directory.
    pub fn is_at(path: &Path) -> bool {
        model_type(path).as_deref() == Some(TextModelConfig::MODEL_TYPE)
    }

    /// Opens a model directory, or the `model/` of a run directory.
    ///
    /// # Errors
    /// Says which file is missing, what in it cannot be read, or that the tokenizer is not the model's.
    pub fn open(path: &Path) -> Result<TextModel> {
        let dir = place(path);
        let config = read_config(&dir, TextModelConfig::MODEL_TYPE, |config: &TextModelConfig, faults| {
            config.encoder.validate(faults);
            config.context.validate(faults);
            config.heads.validate(faults);
            (config.model_type.clone(), config.format)
        })?;
        let file = dir.join("tokenizer.json");
        let tokenizer = Tokenizer::open(&file)?;
        if tokenizer.sha256() != config.tokenizer_sha256 || tokenizer.size() > config.encoder.vocab_size {
            return Err(Error::failed(
                format!("{}: is not the tokenizer that the model was trained with", file.display()),
                "take tokenizer.json from where the model came from: each id has to mean the same token",
            ));
        }
        let tensors = read_tensors(&dir.join("model.safetensors"))?;
        Ok(TextModel { config, tensors, tokenizer, reference: path.display().to_string(), path: dir })
    }

    /// SHA-256 of the tensors as `model.safetensors` has them, in hexadecimal.
    ///
    /// # Errors
    /// The tensors cannot be written as such.
    pub fn sha256(&self) -> Result<String> {
        sha256_of(&self.tensors, &self.reference)
    }

    /// Writes a model into an existing directory, each file whole or not at all, the weights last.
    ///
    /// # Errors
    /// The disk refuses.
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
