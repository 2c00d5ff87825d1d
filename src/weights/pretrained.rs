//! MODEL, as every command takes it: a trained model, wherever it lies.
//!
//! A reference is resolved once, to a configuration and tensors under this crate's names, and remembers where they came from.

use super::cpc_audio::{self, Foreign, Moments};
use super::model_dir::{ModelConfig, ModelDir, Origin};
use super::tensors::{ordered, read_tensors, sha256_of};
use super::torch::{is_torch_file, read_torch};
use crate::error::{Error, Result};
use candle_core::Tensor;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// A trained model: its sizes, its tensors and where it came from.
#[derive(Debug, Clone)]
pub struct Pretrained {
    /// The sizes.
    pub config: ModelConfig,
    /// Every parameter and buffer by name, on the CPU. The prediction heads may be missing: released weights often lack them.
    pub tensors: HashMap<String, Tensor>,
    /// Where it came from.
    pub origin: Origin,
    /// What of a foreign checkpoint was left out: its name, and why.
    pub ignored: Vec<(String, String)>,
    /// The file or directory on this machine.
    pub path: PathBuf,
    moments: Option<Moments>,
}

impl Pretrained {
    /// Opens a model directory, a run directory (its best model), a `.safetensors` with `config.json` beside it, a checkpoint of
    /// CPC_audio, or a directory of such checkpoints (its last).
    ///
    /// # Errors
    /// Says what is missing, what is damaged, or what the file is instead.
    pub fn open(path: &Path) -> Result<Pretrained> {
        let reference = path.display().to_string();
        if path.is_dir() {
            let own = path.join("config.json").exists() || path.join("model").join("config.json").exists();
            return match last_checkpoint(path)? {
                Some(checkpoint) if !own => Pretrained::checkpoint(&checkpoint, reference),
                _ => Pretrained::directory(ModelDir::open(path)?, reference),
            };
        }
        if path.extension().is_some_and(|e| e == "safetensors") {
            let dir = ModelDir { path: parent(path), config: ModelDir::read_config(&parent(path))? };
            let tensors = read_tensors(path)?;
            return Ok(Pretrained::whole(dir.config, tensors, path.to_path_buf(), reference));
        }
        if !path.exists() {
            return Err(Error::failed(
                format!("{reference}: there is no such file or directory"),
                "give a model directory, a run directory, or a checkpoint of CPC_audio",
            ));
        }
        if is_torch_file(path)? {
            return Pretrained::checkpoint(path, reference);
        }
        Err(Error::failed(
            format!("{reference}: neither a .safetensors nor a file of PyTorch"),
            "give a model directory, a run directory, or a checkpoint of CPC_audio",
        ))
    }

    fn directory(dir: ModelDir, reference: String) -> Result<Pretrained> {
        let tensors = dir.tensors()?;
        Ok(Pretrained::whole(dir.config, tensors, dir.path, reference))
    }

    fn whole(config: ModelConfig, tensors: HashMap<String, Tensor>, path: PathBuf, reference: String) -> Pretrained {
        let origin = Origin { reference, layout: "model directory".into() };
        Pretrained { config, tensors, origin, ignored: Vec::new(), path, moments: None }
    }

    fn checkpoint(path: &Path, reference: String) -> Result<Pretrained> {
        let beside = parent(path).join("checkpoint_args.json");
        let args = match std::fs::read_to_string(&beside) {
            Ok(text) => Some(serde_json::from_str(&text).map_err(|e| Error::bad_file(&beside, e))?),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => None,
            Err(e) => return Err(Error::io(&beside, "read")(e)),
        };
        let Foreign { layout, config, tensors, ignored, moments } =
            cpc_audio::read(&read_torch(path)?, args.as_ref(), &path.display().to_string())?;
        let origin = Origin { reference, layout: layout.into() };
        Ok(Pretrained { config, tensors, origin, ignored, path: path.to_path_buf(), moments })
    }

    /// Whether it has prediction heads, which training needs and features do not.
    pub fn has_heads(&self) -> bool {
        self.tensors.keys().any(|name| name.starts_with(cpc_audio::HEADS))
    }

    /// Adam's moments: of a checkpoint of this crate or of CPC_audio.
    ///
    /// # Errors
    /// There are none, or they cannot be read.
    pub fn moments(&self) -> Result<Moments> {
        if let Some(moments) = &self.moments {
            return Ok(moments.clone());
        }
        let (file, state) = (self.path.join("optimizer.safetensors"), self.path.join("state.json"));
        if !file.exists() || !state.exists() {
            return Err(Error::usage(
                format!("--resume-optimizer: {} has no state of an optimizer", self.origin.reference),
                "give --init a checkpoint (RUN/checkpoints/step-N, or CPC_audio's checkpoint_N.pt), or leave --resume-optimizer out",
            ));
        }
        let text = std::fs::read_to_string(&state).map_err(Error::io(&state, "read"))?;
        let json: serde_json::Value = serde_json::from_str(&text).map_err(|e| Error::bad_file(&state, e))?;
        let count = |key: &str| json[key].as_u64().unwrap_or(0);
        Ok(Moments { tensors: read_tensors(&file)?, steps: count("step") + count("updates_before") })
    }

    /// SHA-256 of the tensors as `model.safetensors` would hold them, in hexadecimal: the same for a checkpoint and for what it is converted
    /// to, and what the hub shows of that file.
    pub fn sha256(&self) -> Result<String> {
        sha256_of(&self.tensors, &self.origin.reference)
    }

    /// Writes it as a model directory, whole or not at all, in place of what was there.
    pub fn write(&self, dir: &Path) -> Result<()> {
        let config = ModelConfig { origin: Some(self.origin.clone()), ..self.config.clone() };
        crate::durable::write_dir(dir, |tmp| ModelDir::write(tmp, &config, &ordered(&self.tensors)))
    }
}

fn parent(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent.to_path_buf(),
        _ => PathBuf::from("."),
    }
}

/// `checkpoint_N.pt` with the largest N.
fn last_checkpoint(dir: &Path) -> Result<Option<PathBuf>> {
    let mut last = None;
    for entry in std::fs::read_dir(dir).map_err(Error::io(dir, "read"))? {
        let path = entry.map_err(Error::io(dir, "read"))?.path();
        let name = path.file_name().and_then(|n| n.to_str()).unwrap_or_default();
        let number = name.strip_prefix("checkpoint_").and_then(|n| n.strip_suffix(".pt")).and_then(|n| n.parse().ok());
        last = last.max(number.map(|n: u64| (n, path)));
    }
    Ok(last.map(|(_, path)| path))
}
