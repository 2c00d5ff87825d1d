//! What a user does with models of any kind: pretrain, open, extract, probe, describe.
//!
//! A [`Toolkit`] has a list of kinds. [`Toolkit::standard`] has those of this crate. [`Toolkit::with`] adds one from elsewhere, which every
//! function here then treats like the others.

mod finetune;
mod info;
mod pretrain;
mod probe;
#[cfg(feature = "hub")]
mod push;
mod remove;
mod units;
mod work;

pub use finetune::{Finetune, FinetuneReport, Reached, ShareRow};
pub use info::RunInfo;
pub use pretrain::{Pretrain, Report};
#[cfg(feature = "hub")]
pub use push::Upload;
pub use units::{ApplyUnits, FitUnits, UnitInput, UnitsReport, UnitsRow};

use crate::config::{Layers, layers};
use crate::error::{Error, Result};
use crate::hub::{self, Here};
use crate::kinds::{Kind, Model, RunConfig, STANDARD};
use crate::observer::Session;
use crate::weights::model_dir;
use std::path::Path;

/// The list of known kinds of models.
#[derive(Clone)]
pub struct Toolkit {
    kinds: Vec<&'static dyn Kind>,
}

impl Toolkit {
    /// The kinds of this crate.
    pub fn standard() -> Toolkit {
        Toolkit { kinds: STANDARD.to_vec() }
    }

    /// The same toolkit with one more kind. It is asked before the others whether data are for it.
    pub fn with(mut self, kind: &'static dyn Kind) -> Toolkit {
        self.kinds.insert(self.kinds.len().min(1), kind);
        self
    }

    /// The kinds, in the order in which they are asked. The first is used when nothing else decides.
    pub fn kinds(&self) -> &[&'static dyn Kind] {
        &self.kinds
    }

    /// The kind of this name.
    ///
    /// # Errors
    /// There is no such kind, or this build does not have it.
    pub fn kind(&self, name: &str) -> Result<&'static dyn Kind> {
        self.kinds.iter().copied().find(|kind| kind.name() == name).ok_or_else(|| {
            let names: Vec<&str> = self.kinds.iter().map(|kind| kind.name()).collect();
            Error::failed(
                format!("this cpc has no models of the kind `{name}`"),
                format!("use a newer cpc, or one that was built with that kind; this one has {}", names.join(", ")),
            )
        })
    }

    /// The configuration that results from the layers. Its kind is determined by the preset, the file, the keys, or DATA.
    ///
    /// # Errors
    /// No kind has such a preset or such keys, or values are out of range.
    pub fn configure(&self, from: &Layers) -> Result<RunConfig> {
        RunConfig::resolve(self.choose(from)?, from)
    }

    /// The configuration of a run directory.
    ///
    /// # Errors
    /// There is no `config.toml`, or it is not the configuration of a known kind.
    pub fn read_config(&self, run: &Path) -> Result<RunConfig> {
        let file = run.join("config.toml");
        let kind = match self.kind_of_config(&file)? {
            Some(kind) => kind,
            None => self.usual()?,
        };
        RunConfig::read(kind, &file)
    }

    /// The kind of a configuration file, determined by the kind or the preset that it names. For a file from before configurations named
    /// their kind, it is determined by keys that only one kind has.
    fn kind_of_config(&self, file: &Path) -> Result<Option<&'static dyn Kind>> {
        let table = layers::read_file(file)?;
        let text = |key: &str| table.get(key).and_then(toml::Value::as_str);
        if let Some(name) = text("kind") {
            return self.kind(name).map(Some);
        }
        if let Some(preset) = text("preset") {
            return self.kind_of_preset(preset).map(Some);
        }
        Ok(self.kinds.iter().copied().find(|kind| kind.wrote(&table)))
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
        // A key that only some kinds have leaves only those kinds. A key that no kind has leaves all of them, so that the error names the
        // key.
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
            // If the data are for a kind that has no such keys, its error names them.
            for kinds in [&possible, &self.kinds] {
                if let Some(kind) = claiming(kinds, Path::new(data))? {
                    return Ok(kind);
                }
            }
        }
        match possible.first() {
            Some(kind) => Ok(*kind),
            None => self.usual(),
        }
    }

    /// The kind that data are for; the first kind if none claims them.
    pub(crate) fn kind_of_data(&self, data: &Path) -> Result<&'static dyn Kind> {
        claiming(&self.kinds, data)?.map_or_else(|| self.usual(), Ok)
    }

    /// DATA as stored in a configuration: absolute, so that a run can be resumed from any directory. References, and what follows a
    /// [`Scheme`](crate::kinds::Scheme) without a path, are unchanged.
    ///
    /// # Errors
    /// The working directory cannot be determined.
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

    /// Whether a reference names a model, rather than features or data.
    ///
    /// # Errors
    /// The file cannot be read, or the text is not a valid reference.
    pub fn is_model(&self, reference: &Path, session: &Session) -> Result<bool> {
        if let Some(text) = reference.to_str().filter(|text| hub::is_reference(text)) {
            return hub::is_model(text, session);
        }
        if model_dir::kind(reference).is_some() {
            return Ok(true);
        }
        // Features may be in a directory that is named like a baseline.
        if reference.join("index.json").is_file() {
            return Ok(false);
        }
        for kind in &self.kinds {
            if kind.recognizes(reference)? {
                return Ok(true);
            }
        }
        Ok(model_dir::place(reference).join("config.json").is_file())
    }

    /// Opens a trained model: a model directory, a run directory (its best model), `hf:owner/name` on the hub, or a checkpoint of another
    /// program that a kind recognizes.
    ///
    /// # Errors
    /// Names the file that is missing, or the part of a file that cannot be read.
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
        // No kind recognizes it: the default kind reports what is missing.
        self.usual()?.open(&here.path, &here.name, session)
    }

    /// Whether a file of a repository belongs to a model: one of a kind's files, weights, or the card.
    pub fn is_model_file(&self, name: &str) -> bool {
        let weights = (name.ends_with(".safetensors") || name.ends_with(".pt")) && !name.contains('/');
        weights || name == "README.md" || self.kinds.iter().any(|kind| kind.files().contains(&name))
    }
}

/// The kind that claims data. The first kind, which is also used for data that none claims, is asked last.
fn claiming(kinds: &[&'static dyn Kind], data: &Path) -> Result<Option<&'static dyn Kind>> {
    for &kind in kinds.iter().skip(1).chain(kinds.first()) {
        if kind.claims(data)? {
            return Ok(Some(kind));
        }
    }
    Ok(None)
}

impl Default for Toolkit {
    fn default() -> Self {
        Toolkit::standard()
    }
}
