//! What a trained model can do, whatever its kind.
//!
//! What only some kinds can do is an `Option`: none means that it is not for this kind, and the command line says so.

use super::described::Described;
use crate::error::{Error, Result};
use crate::features::{Format, Frames, Timing};
use crate::observer::Session;
use crate::options::Options;
use crate::report::model_card::Details;
use std::any::Any;
use std::collections::HashSet;
use std::path::{Path, PathBuf};

/// A trained model.
pub trait Model: Send + Sync {
    /// The name of its kind.
    fn kind(&self) -> &'static str;

    /// What it is a model of, such as `audio`.
    fn subject(&self) -> &'static str;

    /// What it is called: what was asked for, on the hub with its commit.
    fn reference(&self) -> &str;

    /// The model itself, for its kind.
    fn as_any(&self) -> &dyn Any;

    /// Its sizes, for people and programs.
    ///
    /// # Errors
    /// A tensor operation fails.
    fn describe(&self) -> Result<Described>;

    /// The names of the outputs that are features; the first is the usual one.
    fn layers(&self) -> Vec<String>;

    /// Options of `cpc extract` that it accepts.
    fn extract_options(&self) -> &'static [&'static str];

    /// Writes features of `request.input` to `request.out`.
    ///
    /// # Errors
    /// The input cannot be read, a layer is not there, or the directory holds something else.
    fn extract(&self, request: &ExtractRequest, session: &Session) -> Result<Extracted>;

    /// The same network before training, to compare with; none if it cannot be built again.
    ///
    /// # Errors
    /// The sizes cannot be built.
    fn untrained(&self, _seed: u64) -> Result<Option<Box<dyn Model>>> {
        Ok(None)
    }

    /// The directory of its files, which is made in `made` if it is none yet; none if such models have no directory.
    ///
    /// # Errors
    /// The disk refuses.
    fn directory(&self, made: &Path) -> Result<Option<PathBuf>>;

    /// The files of that directory which belong to the model.
    fn files(&self) -> &'static [&'static str] {
        &["config.json", "model.safetensors"]
    }

    /// The card of the model in that directory, with what its owner says; none if such models have no card.
    ///
    /// # Errors
    /// A report cannot be read, or details are given that the card has no place for.
    fn card(&self, _dir: &Path, _details: &Details) -> Result<Option<Vec<u8>>> {
        Ok(None)
    }

    /// Features of a signal that arrives in pieces.
    fn live(&self) -> Option<&dyn Live> {
        None
    }

    /// Conversion to files of other programs.
    fn convert(&self) -> Option<&dyn Convert> {
        None
    }
}

/// The error for what is not for a kind of model.
pub fn not_for(model: &dyn Model, what: &str) -> Error {
    Error::usage(
        format!(
            "{}: is a model of {}; {what} is not for models of this kind ({})",
            model.reference(),
            model.subject(),
            model.kind()
        ),
        "`cpc info` says what a model is, and `--help` for which kinds a command is",
    )
}

/// Where the input of an extraction comes from.
pub enum Source<'a> {
    /// Files and directories, on this machine or on the hub.
    Paths(Vec<PathBuf>),
    /// Samples at the model's rate, in pieces; an empty piece is the end.
    Samples(&'a mut (dyn FnMut() -> Result<Vec<f32>> + Send)),
}

/// What features are to be made of, and how.
pub struct ExtractRequest<'a> {
    /// The input.
    pub input: std::sync::Mutex<Source<'a>>,
    /// The directory to write to.
    pub out: PathBuf,
    /// The layers; none for the usual one.
    pub layers: Vec<String>,
    /// How features are stored.
    pub format: Format,
    /// Only the utterances of these ids.
    pub only: Option<HashSet<String>>,
    /// The other options, by the names of the flags of `cpc extract`.
    pub options: Options,
}

impl ExtractRequest<'_> {
    /// Features of some files to a directory, with the usual settings.
    pub fn new(input: Vec<PathBuf>, out: impl Into<PathBuf>) -> ExtractRequest<'static> {
        ExtractRequest {
            input: std::sync::Mutex::new(Source::Paths(input)),
            out: out.into(),
            layers: Vec::new(),
            format: Format::default(),
            only: None,
            options: Options::new(),
        }
    }
}

/// What an extraction wrote.
#[derive(Debug, Clone)]
pub struct Extracted {
    /// For people and programs.
    pub described: Described,
    /// The names of the layers that were written.
    pub layers: Vec<String>,
}

/// A model that makes features of a signal that arrives in pieces.
pub trait Live {
    /// Samples per second of the signal.
    fn sample_rate(&self) -> u32;

    /// A stream before its first sample, for some layers.
    ///
    /// # Errors
    /// There is no such layer.
    fn stream(&self, layers: &[String], session: &Session) -> Result<Box<dyn LiveStream>>;
}

/// One signal on its way through a model.
pub trait LiveStream: Send {
    /// The names and dimensions of the layers, in the order of [`Frames::layers`].
    fn layers(&self) -> Vec<(String, usize)>;

    /// The times of frames.
    fn timing(&self) -> Timing;

    /// Takes samples in [-1, 1] and gives the frames that are final with them.
    ///
    /// # Errors
    /// Samples that are not finite.
    fn push(&mut self, samples: &[f32]) -> Result<Frames>;

    /// The end of the signal: the last frames.
    ///
    /// # Errors
    /// A tensor operation fails.
    fn finish(&mut self) -> Result<Frames>;
}

/// A model that is written for other programs.
pub trait Convert {
    /// Where it was found, and as what.
    fn layout(&self) -> &str;

    /// What was left out of it, and why.
    fn ignored(&self) -> &[(String, String)];

    /// The number of its tensors.
    fn tensors(&self) -> usize;

    /// Whether it has the heads that training needs.
    fn has_heads(&self) -> bool;

    /// SHA-256 of its tensors as `model.safetensors`, in hexadecimal.
    ///
    /// # Errors
    /// A tensor operation fails.
    fn sha256(&self) -> Result<String>;

    /// Writes it as a model directory, whole or not at all, in place of what was there.
    ///
    /// # Errors
    /// The disk refuses.
    fn to_directory(&self, dir: &Path) -> Result<()>;

    /// Writes it as a file of PyTorch, and what its loader reads next to it.
    ///
    /// # Errors
    /// The disk refuses, or the model has no such form.
    fn to_torch(&self, path: &Path) -> Result<()>;
}
