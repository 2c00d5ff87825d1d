//! What a user does with models, whatever their kind: pretrain, open, extract, probe, describe.
//!
//! A [`Toolkit`] knows a list of kinds. [`Toolkit::standard`] has those of this crate; [`Toolkit::with`] adds one from
//! elsewhere, which then is the equal of the others in every function here.

mod info;
mod pretrain;
mod probe;
#[cfg(feature = "hub")]
mod push;

pub use info::RunInfo;
pub use pretrain::{Pretrain, Report};
#[cfg(feature = "hub")]
pub use push::Upload;

use crate::config::{Layers, layers};
use crate::error::{Error, Result};
use crate::hub::{self, Here};
use crate::kinds::{Kind, Model, RunConfig, STANDARD};
use crate::observer::Session;
use crate::weights::model_dir;
use std::path::Path;

/// The kinds of models that are known.
#[derive(Clone)]
pub struct Toolkit {
    kinds: Vec<&'static dyn Kind>,
}

impl Toolkit {
    /// The kinds of this crate.
    pub fn standard() -> Toolkit {
        Toolkit { kinds: STANDARD.to_vec() }
    }

    /// With one more kind.
    pub fn with(mut self, kind: &'static dyn Kind) -> Toolkit {
        self.kinds.push(kind);
        self
    }

    /// The kinds, in the order in which they are asked. The first is the one that is used when nothing tells.
    pub fn kinds(&self) -> &[&'static dyn Kind] {
        &self.kinds
    }

    /// The kind of this name.
    ///
    /// # Errors
    /// There is none, or this build does not have it.
    pub fn kind(&self, name: &str) -> Result<&'static dyn Kind> {
        self.kinds.iter().copied().find(|kind| kind.name() == name).ok_or_else(|| {
            let names: Vec<&str> = self.kinds.iter().map(|kind| kind.name()).collect();
            Error::failed(
                format!("models of the kind `{name}` are not known to this cpc"),
                format!("use a newer cpc, or one that was built with that kind; this one has {}", names.join(", ")),
            )
        })
    }

    /// The configuration that layers make, of the kind that they are for: told by the preset, the file, the keys, or DATA.
    ///
    /// # Errors
    /// No kind has such a preset or such keys; values out of range.
    pub fn configure(&self, from: &Layers) -> Result<RunConfig> {
        RunConfig::resolve(self.choose(from)?, from)
    }

    /// The configuration of a run directory.
    ///
    /// # Errors
    /// There is no `config.toml`, or it is not one of a known kind.
    pub fn read_config(&self, run: &Path) -> Result<RunConfig> {
        let file = run.join("config.toml");
        let kind = match self.kind_of_config(&file)? {
            Some(kind) => kind,
            None => self.usual()?,
        };
        RunConfig::read(kind, &file)
    }

    /// The kind of a file of configuration: by the kind or the preset that it names or, of a file from before configurations named their
    /// kind, by keys that only one kind has.
    fn kind_of_config(&self, file: &Path) -> Result<Option<&'static dyn Kind>> {
        let table = layers::read_file(file)?;
        let text = |key: &str| table.get(key).and_then(toml::Value::as_str);
        if let Some(name) = text("kind") {
            return self.kind(name).map(Some);
        }
        if let Some(preset) = text("preset") {
            return self.kind_of_preset(preset).map(Some);
        }
        let has = |(section, key): &(&str, &str)| table.get(*section).is_some_and(|s| s.get(key).is_some());
        Ok(self.kinds.iter().copied().find(|kind| kind.marks().iter().any(has)))
    }

    fn kind_of_preset(&self, preset: &str) -> Result<&'static dyn Kind> {
        let has = |kind: &&dyn Kind| kind.presets().iter().any(|p| p.name == preset);
        self.kinds.iter().copied().find(has).ok_or_else(|| {
            let names: Vec<&str> = self.kinds.iter().flat_map(|kind| kind.presets()).map(|p| p.name).collect();
            let what = format!("--preset {preset}: there is no such preset");
            Error::usage(what, format!("choose one of {}", names.join(", ")))
        })
    }

    fn usual(&self) -> Result<&'static dyn Kind> {
        self.kinds.first().copied().ok_or_else(|| Error::usage("no kind of model is known", "add one to the toolkit"))
    }

    fn choose(&self, from: &Layers) -> Result<&'static dyn Kind> {
        if let Some(preset) = &from.preset {
            return self.kind_of_preset(preset);
        }
        if let Some(file) = &from.file
            && let Some(kind) = self.kind_of_config(file)?
        {
            return Ok(kind);
        }
        // Keys that only some kinds have leave only those; a key that none has leaves all, for the error to name it.
        let mut possible = self.kinds.clone();
        for keys in from.keys() {
            let mut narrowed = Vec::new();
            for &kind in &possible {
                let defaults = kind.defaults()?;
                if keys.iter().all(|key| layers::has(&defaults, key)) {
                    narrowed.push(kind);
                }
            }
            if !narrowed.is_empty() {
                possible = narrowed;
            }
        }
        if let Some(data) = from.data() {
            for &kind in &possible {
                if kind.claims(Path::new(data))? {
                    return Ok(kind);
                }
            }
        }
        match possible.first() {
            Some(kind) => Ok(*kind),
            None => self.usual(),
        }
    }

    /// The kind that data are for; the first if none claims them.
    pub(crate) fn kind_of_data(&self, data: &Path) -> Result<&'static dyn Kind> {
        for &kind in &self.kinds {
            if kind.claims(data)? {
                return Ok(kind);
            }
        }
        self.usual()
    }

    /// DATA as a configuration keeps it: absolute, so that a run can be resumed from anywhere. References and what is behind a
    /// [`Scheme`](crate::kinds::Scheme) without a path stay as they are.
    ///
    /// # Errors
    /// The working directory cannot be found.
    pub fn kept_data(&self, data: &Path) -> Result<String> {
        let absolute = |path: &Path| std::path::absolute(path).map_err(Error::io(path, "find"));
        if let Some(text) = data.to_str() {
            if hub::is_reference(text) {
                return Ok(text.into());
            }
            for scheme in self.kinds.iter().flat_map(|kind| kind.schemes()) {
                if let Some(rest) = text.strip_prefix(scheme.prefix) {
                    return Ok(match scheme.path {
                        true => format!("{}{}", scheme.prefix, absolute(Path::new(rest))?.display()),
                        false => text.into(),
                    });
                }
            }
        }
        Ok(absolute(data)?.display().to_string())
    }

    /// Whether a reference means a model, rather than features or data.
    ///
    /// # Errors
    /// The file cannot be read, or the reference is none.
    pub fn is_model(&self, reference: &Path, session: &Session) -> Result<bool> {
        if let Some(text) = reference.to_str().filter(|text| hub::is_reference(text)) {
            return hub::is_model(text, session);
        }
        if model_dir::kind(reference).is_some() {
            return Ok(true);
        }
        for kind in &self.kinds {
            if kind.recognizes(reference)? {
                return Ok(true);
            }
        }
        Ok(model_dir::place(reference).join("config.json").is_file())
    }

    /// Opens a trained model: a model directory, a run directory (its best model), `hf:owner/name` of the hub, or a checkpoint of
    /// another program that a kind recognizes.
    ///
    /// # Errors
    /// Names the file that is missing, or what in it cannot be read.
    pub fn open(&self, reference: impl AsRef<Path>, session: &Session) -> Result<Box<dyn Model>> {
        let reference = reference.as_ref();
        let here = match reference.to_str().filter(|text| hub::is_reference(text)) {
            Some(text) => hub::model(text, &|name| self.is_model_file(name), session)?,
            None => Here { path: reference.into(), name: reference.display().to_string() },
        };
        if let Some(name) = model_dir::kind(&here.path) {
            return self.kind(&name)?.open(&here.path, &here.name, session);
        }
        for kind in &self.kinds {
            if kind.recognizes(&here.path)? {
                return kind.open(&here.path, &here.name, session);
            }
        }
        // No kind knows it: the usual one says what is missing.
        self.usual()?.open(&here.path, &here.name, session)
    }

    /// Whether a file of a repository belongs to a model: one of a kind's files, weights, or the card.
    pub fn is_model_file(&self, name: &str) -> bool {
        let weights = (name.ends_with(".safetensors") || name.ends_with(".pt")) && !name.contains('/');
        weights || name == "README.md" || self.kinds.iter().any(|kind| kind.files().contains(&name))
    }
}

impl Default for Toolkit {
    fn default() -> Self {
        Toolkit::standard()
    }
}
