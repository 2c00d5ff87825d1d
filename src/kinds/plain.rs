//! A trained model without features, which can be opened to describe it and to upload it to the hub.

use super::described::Described;
use super::model::{ExtractRequest, Extracted, Model, not_for};
use crate::error::Result;
use crate::observer::Session;
use crate::weights::{model_dir, read_tensors, sha256_of};
use candle_core::Tensor;
use serde_json::{Value, json};
use std::any::Any;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// A model without features.
pub(super) struct PlainModel {
    kind: &'static str,
    subject: &'static str,
    config: Value,
    tensors: HashMap<String, Tensor>,
    reference: String,
    path: PathBuf,
}

impl PlainModel {
    /// Opens a model directory, or the `model/` of a run directory.
    ///
    /// # Errors
    /// A file is missing or damaged; the error names it.
    pub fn open(kind: &'static str, subject: &'static str, path: &Path, reference: &str) -> Result<PlainModel> {
        let dir = model_dir::place(path);
        let config = model_dir::read_config(&dir, kind, |_: &Value, _| {})?;
        let tensors = read_tensors(&dir.join("model.safetensors"))?;
        Ok(PlainModel { kind, subject, config, tensors, reference: reference.into(), path: dir })
    }
}

impl Model for PlainModel {
    fn kind(&self) -> &'static str {
        self.kind
    }

    fn subject(&self) -> &'static str {
        self.subject
    }

    fn reference(&self) -> &str {
        &self.reference
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn describe(&self) -> Result<Described> {
        let parameters: usize = self.tensors.values().map(|t| t.elem_count()).sum();
        let sha256 = sha256_of(&self.tensors, &self.reference)?;
        let mut text = format!(
            "model       {} (format 1), {parameters} parameters, float32\nfrom        {}\nsha256      {sha256}\n",
            self.kind, self.reference
        );
        let sections = self.config.as_object().into_iter().flatten();
        for (name, value) in sections.filter(|(name, _)| !["kind", "model_type", "format"].contains(&name.as_str())) {
            text += &format!("{name:<11} {}\n", value.as_str().map_or_else(|| value.to_string(), String::from));
        }
        let info = json!({
            "path": self.path, "config": self.config, "sha256": sha256, "dtype": "float32", "parameters": parameters,
        });
        Described::new(&info, text)
    }

    fn layers(&self) -> Vec<String> {
        Vec::new()
    }

    fn extract_options(&self) -> &'static [&'static str] {
        &[]
    }

    fn extract(&self, _: &ExtractRequest, _: &Session) -> Result<Extracted> {
        Err(not_for(self, "extraction of features"))
    }

    fn directory(&self, _: &Path) -> Result<Option<PathBuf>> {
        Ok(Some(self.path.clone()))
    }
}
