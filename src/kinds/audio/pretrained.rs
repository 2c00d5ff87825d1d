//! MODEL, as accepted by every command: a trained model, wherever it is stored.
//!
//! A reference is resolved once, to a configuration and to tensors under this crate's names. Their origin is recorded.

use super::{AudioModelConfig, AudioModelDir};
use crate::error::{Error, Result};
use crate::kinds::audio::cpc_audio::{self, Foreign};
use crate::nn::Moments;
use crate::observer::Session;
use crate::signal::{self, Extractor, Layer, has_heads};
use crate::weights::torch::{is_torch_file, read_torch};
use crate::weights::{Origin, check_finite, ordered, read_tensors, sha256_of};
use candle_core::{Device, Tensor};
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// A trained model: its sizes, its tensors and its origin.
#[derive(Debug, Clone)]
pub struct AudioModel {
    /// The sizes.
    pub config: AudioModelConfig,
    /// Every parameter and buffer by name, on the CPU. The prediction heads may be missing: released weights often lack them.
    pub tensors: HashMap<String, Tensor>,
    /// The origin of the model.
    pub origin: Origin,
    /// The parts of a foreign checkpoint that were ignored: name and reason.
    pub ignored: Vec<(String, String)>,
    /// The file or directory on this machine.
    pub path: PathBuf,
    moments: Option<Moments>,
}

impl AudioModel {
    /// Opens a model directory, a run directory (its best model), a `.safetensors` file next to a `config.json`, a CPC_audio
    /// checkpoint, or a directory of such checkpoints (the last one).
    ///
    /// A file is missing or damaged, or is of another kind. The error states which.
    pub fn open(path: &Path) -> Result<AudioModel> {
        let reference = path.display().to_string();
        if path.is_dir() {
            let own = path.join("config.json").exists() || path.join("model").join("config.json").exists();
            return match last_checkpoint(path)? {
                Some(checkpoint) if !own => AudioModel::checkpoint(&checkpoint, reference),
                _ => AudioModel::directory(AudioModelDir::open(path)?, reference),
            };
        }
        if path.extension().is_some_and(|e| e == "safetensors") {
            let dir = AudioModelDir { path: parent(path), config: AudioModelDir::read_config(&parent(path))? };
            let tensors = read_tensors(path)?;
            return Ok(AudioModel::whole(dir.config, tensors, path.to_path_buf(), reference));
        }
        if !path.exists() {
            return Err(Error::failed(
                format!("{reference}: there is no such file or directory"),
                "give a model directory, a run directory, or a CPC_audio checkpoint",
            ));
        }
        if is_torch_file(path)? {
            return AudioModel::checkpoint(path, reference);
        }
        Err(Error::failed(
            format!("{reference}: neither a .safetensors file nor a PyTorch file"),
            "give a model directory, a run directory, or a CPC_audio checkpoint",
        ))
    }

    /// A model made of tensors in memory.
    pub(super) fn new(
        config: AudioModelConfig,
        tensors: HashMap<String, Tensor>,
        path: PathBuf,
        origin: Origin,
    ) -> AudioModel {
        AudioModel { config, tensors, origin, ignored: Vec::new(), path, moments: None }
    }

    fn directory(dir: AudioModelDir, reference: String) -> Result<AudioModel> {
        let tensors = dir.tensors()?;
        Ok(AudioModel::whole(dir.config, tensors, dir.path, reference))
    }

    fn whole(
        config: AudioModelConfig,
        tensors: HashMap<String, Tensor>,
        path: PathBuf,
        reference: String,
    ) -> AudioModel {
        let origin = Origin { reference, layout: "model directory".into() };
        AudioModel::new(config, tensors, path, origin)
    }

    fn checkpoint(path: &Path, reference: String) -> Result<AudioModel> {
        let beside = parent(path).join("checkpoint_args.json");
        let args = match std::fs::read_to_string(&beside) {
            Ok(text) => Some(serde_json::from_str(&text).map_err(|e| Error::bad_file(&beside, e))?),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => None,
            Err(e) => return Err(Error::io(&beside, "read")(e)),
        };
        let Foreign { layout, config, tensors, ignored, moments } =
            cpc_audio::read(&read_torch(path)?, args.as_ref(), &path.display().to_string())?;
        check_finite(&tensors, &path.display().to_string())?;
        let origin = Origin { reference, layout: layout.into() };
        Ok(AudioModel { config, tensors, origin, ignored, path: path.to_path_buf(), moments })
    }

    /// Whether it has prediction heads, which are needed for training but not for features.
    pub fn has_heads(&self) -> bool {
        has_heads(&self.tensors)
    }

    /// Its features of signals, on a device.
    ///
    /// # Errors
    /// The weights do not match the model; it does not have a requested layer.
    pub fn extractor(&self, layers: &[Layer], device: &Device) -> Result<Extractor> {
        Extractor::open(&self.config.sizes(), &self.tensors, &self.origin.reference, layers, device)
    }

    /// Adam's moments, from a checkpoint of this crate or of CPC_audio.
    ///
    /// # Errors
    /// There are none, or they cannot be read.
    pub fn moments(&self) -> Result<Moments> {
        if let Some(moments) = &self.moments {
            check_finite(&moments.tensors, &self.path.display().to_string())?;
            return Ok(moments.clone());
        }
        signal::moments(&self.path, &self.origin.reference)
    }

    /// SHA-256 of the tensors in the format of `model.safetensors`, in hexadecimal. It is the same for a checkpoint and for the model converted
    /// from it, and equals the hash that the hub shows for that file.
    pub fn sha256(&self) -> Result<String> {
        sha256_of(&self.tensors, &self.origin.reference)
    }

    /// Writes it as a model directory atomically, replacing any existing one.
    pub fn write(&self, dir: &Path) -> Result<()> {
        let config = AudioModelConfig { origin: Some(self.origin.clone()), ..self.config.clone() };
        crate::durable::write_dir(dir, |tmp| AudioModelDir::write(tmp, &config, &ordered(&self.tensors)))
    }
}

fn parent(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent.to_path_buf(),
        _ => PathBuf::from("."),
    }
}

/// `checkpoint_N.pt` with the largest N.
pub(super) fn last_checkpoint(dir: &Path) -> Result<Option<PathBuf>> {
    let mut last = None;
    for entry in std::fs::read_dir(dir).map_err(Error::io(dir, "read"))? {
        let path = entry.map_err(Error::io(dir, "read"))?.path();
        let name = path.file_name().and_then(|n| n.to_str()).unwrap_or_default();
        let number = name.strip_prefix("checkpoint_").and_then(|n| n.strip_suffix(".pt")).and_then(|n| n.parse().ok());
        last = last.max(number.map(|n: u64| (n, path)));
    }
    Ok(last.map(|(_, path)| path))
}

/// Opens an audio model, and notes what was ignored in it.
pub(super) fn open(path: &Path, reference: &str, session: &Session) -> Result<AudioModel> {
    let mut model = AudioModel::open(path)?;
    if !model.ignored.is_empty() || model.origin.layout != "model directory" {
        session.observer.note(&format!("{reference}: {}", model.origin.layout));
    }
    model.origin.reference = reference.into();
    Ok(model)
}
