//! What a trained model of any kind can do.
//!
//! Abilities that only some kinds have are an `Option`. `None` means that this kind does not have the ability, and the command line reports
//! that.

use super::described::Described;
use crate::error::{Error, Result};
use crate::features::{Format, Frames, Timing};
use crate::group::Share;
use crate::observer::Session;
use crate::options::Options;
use crate::report::model_card::Details;
use serde::Serialize;
use std::any::Any;
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard};

/// A trained model.
pub trait Model: Send + Sync {
    /// The name of its kind.
    fn kind(&self) -> &'static str;

    /// The subject of the model, such as `audio`.
    fn subject(&self) -> &'static str;

    /// The name of the model: the reference that was requested; for a model on the hub, with its commit.
    fn reference(&self) -> &str;

    /// The model itself, to be downcast by its kind.
    fn as_any(&self) -> &dyn Any;

    /// A description of its sizes, for people and programs.
    ///
    /// # Errors
    /// A tensor operation fails.
    fn describe(&self) -> Result<Described>;

    /// The names of the outputs that serve as features. The first is the default.
    fn layers(&self) -> Vec<String>;

    /// Options of `cpc extract` that it accepts.
    fn extract_options(&self) -> &'static [&'static str];

    /// Writes features of `request.input` to `request.out`.
    ///
    /// # Errors
    /// The input cannot be read, the model does not have a requested layer, or the directory holds something else.
    fn extract(&self, request: &ExtractRequest, session: &Session) -> Result<Extracted>;

    /// The same network before training, as a baseline. `None` if it cannot be rebuilt.
    ///
    /// # Errors
    /// No model can be built with these sizes.
    fn untrained(&self, _seed: u64) -> Result<Option<Box<dyn Model>>> {
        Ok(None)
    }

    /// The directory with its files. If the model has none yet, it is created in `made`. `None` if such models have no directory.
    ///
    /// # Errors
    /// A file cannot be written.
    fn directory(&self, made: &Path) -> Result<Option<PathBuf>>;

    /// The files in that directory that belong to the model.
    fn files(&self) -> &'static [&'static str] {
        &["config.json", "model.safetensors"]
    }

    /// The card of the model in that directory, with the details from its owner. `None` if such models have no card.
    ///
    /// # Errors
    /// A report cannot be read, or details are given that the card cannot include.
    fn card(&self, _dir: &Path, _details: &Details) -> Result<Option<Vec<u8>>> {
        Ok(None)
    }

    /// Features of a signal that arrives in pieces.
    fn live(&self) -> Option<&dyn Live> {
        None
    }

    /// The classes that it tells apart.
    fn classes(&self) -> Option<&dyn Classes> {
        None
    }

    /// Conversion to the files of other programs.
    fn convert(&self) -> Option<&dyn Convert> {
        None
    }
}

/// The error for something that is not available for a kind of model.
pub fn not_for(model: &dyn Model, what: &str) -> Error {
    Error::usage(
        format!(
            "{}: is a model of {}; {what} is not for models of this kind ({})",
            model.reference(),
            model.subject(),
            model.kind()
        ),
        "`cpc info` shows what a model is; the README has a table of what can be done with which data",
    )
}

/// Samples in pieces; an empty piece is the end.
pub type Pieces<'a> = &'a mut (dyn FnMut() -> Result<Vec<f32>> + Send);

/// The source of the input of an extraction.
pub enum Source<'a> {
    /// Files and directories, on this machine or on the hub.
    Paths(Vec<PathBuf>),
    /// Samples at the model's rate.
    Samples(Pieces<'a>),
}

/// What to extract features from, and how.
pub struct ExtractRequest<'a> {
    /// The input.
    pub input: Mutex<Source<'a>>,
    /// The directory to write to.
    pub out: PathBuf,
    /// The layers; empty for the default layer.
    pub layers: Vec<String>,
    /// How features are stored.
    pub format: Format,
    /// The ids of the only utterances to extract, if given.
    pub only: Option<HashSet<String>>,
    /// The other options, by the names of the flags of `cpc extract`.
    pub options: Options,
}

impl ExtractRequest<'_> {
    /// A request to write features of some files to a directory, with the default settings.
    pub fn new(input: Vec<PathBuf>, out: impl Into<PathBuf>) -> ExtractRequest<'static> {
        ExtractRequest {
            input: Mutex::new(Source::Paths(input)),
            out: out.into(),
            layers: Vec::new(),
            format: Format::default(),
            only: None,
            options: Options::new(),
        }
    }
}

impl<'a> ExtractRequest<'a> {
    /// The input, for the one extraction that reads it.
    ///
    /// # Errors
    /// An extraction that was reading it panicked.
    pub fn source(&self) -> Result<MutexGuard<'_, Source<'a>>> {
        let usable = self.input.lock();
        usable.map_err(|_| Error::failed("the input is no longer usable", "report this as a bug in cpc"))
    }
}

/// The result of an extraction.
#[derive(Debug, Clone)]
pub struct Extracted {
    /// A description, for people and programs.
    pub described: Described,
    /// The names of the layers that were written.
    pub layers: Vec<String>,
}

impl Extracted {
    /// The same, where it was only a shard: with what remains to be done.
    pub fn of_shard(mut self, shard: Share) -> Self {
        self.described.text = format!(
            "shard {shard}: {}when all shards are done, run the same command without --shard to complete the directory\n",
            self.described.text
        );
        self
    }
}

/// A model that extracts features from a signal that arrives in pieces.
pub trait Live {
    /// The signal that it takes.
    ///
    /// # Errors
    /// The model needs to know the whole signal first.
    fn signal(&self) -> Result<LiveSignal>;

    /// A stream before its first sample, for some layers.
    ///
    /// # Errors
    /// There is no such layer.
    fn stream(&self, layers: &[String], session: &Session) -> Result<Box<dyn LiveStream>>;
}

/// A model that tells classes apart.
pub trait Classes {
    /// The probabilities of the classes of every recording in `inputs`. `options` are those of `cpc predict`.
    ///
    /// # Errors
    /// A recording cannot be read.
    fn predict(&self, inputs: &[PathBuf], options: &Options, session: &Session) -> Result<Predictions>;
}

/// The probabilities of classes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Predictions {
    /// What was classified: recordings, images or sentences.
    pub items: &'static str,
    /// The classes; of transcripts, the symbols.
    pub classes: Vec<String>,
    /// Whether a recording may have several of them; then their probabilities need not add up to 1.
    pub multi_label: bool,
    /// A row for each of them.
    pub rows: Vec<Prediction>,
}

/// The probabilities of the classes of a recording, an image or a sentence.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Prediction {
    /// The id of the recording, `test/17` of an image, `file:17` of a sentence in line 17.
    pub name: String,
    /// Its subject or speaker; empty for images and sentences.
    pub subject: String,
    /// The probability of each class (K); none of a transcript.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub probabilities: Vec<f64>,
    /// What is said, by a model that transcribes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transcript: Option<String>,
}

impl Predictions {
    /// The transcript of a row, or its most probable class; of several labels, all that are more probable than not, joined by commas.
    pub fn predicted(&self, row: &Prediction) -> String {
        if let Some(transcript) = &row.transcript {
            return transcript.clone();
        }
        let each = self.classes.iter().zip(&row.probabilities);
        match self.multi_label {
            true => each.filter(|(_, p)| **p > 0.5).map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(","),
            false => each.max_by(|a, b| a.1.total_cmp(b.1)).map_or(String::new(), |(name, _)| name.clone()),
        }
    }
}

/// A signal that arrives in pieces.
#[derive(Debug, Clone, PartialEq)]
pub enum LiveSignal {
    /// Mono audio at this rate in Hz.
    Audio(u32),
    /// Series of several channels.
    Series {
        /// Samples per second.
        rate: f64,
        /// Of each channel, what is subtracted from a value, and what the difference is multiplied by, before it is pushed.
        scale: Vec<(f32, f32)>,
    },
}

/// The state of one signal that is being processed by a model.
pub trait LiveStream: Send {
    /// The names and dimensions of the layers, in the order of [`Frames::layers`].
    fn layers(&self) -> Vec<(String, usize)>;

    /// The timing of frames.
    fn timing(&self) -> Timing;

    /// Accepts samples, and returns the frames that they make final.
    ///
    /// # Errors
    /// A sample is not finite.
    fn push(&mut self, samples: &[f32]) -> Result<Frames>;

    /// Ends the signal, and returns the last frames.
    ///
    /// # Errors
    /// A tensor operation fails.
    fn finish(&mut self) -> Result<Frames>;

    /// Pushes the pieces that `next` returns until it returns an empty one, then finishes: faster than piece by piece. Frames are passed to
    /// `take`.
    ///
    /// # Errors
    /// As those of `next`, `take`, [`LiveStream::push`] and [`LiveStream::finish`].
    fn run(&mut self, next: Pieces<'_>, take: &mut dyn FnMut(Frames) -> Result<()>) -> Result<()> {
        loop {
            let samples = next()?;
            match samples.is_empty() {
                true => return take(self.finish()?),
                false => take(self.push(&samples)?)?,
            }
        }
    }
}

/// A model that can be written for other programs.
pub trait Convert {
    /// The form in which the model was found.
    fn layout(&self) -> &str;

    /// The parts of it that were ignored, and why.
    fn ignored(&self) -> &[(String, String)];

    /// The number of its tensors.
    fn tensors(&self) -> usize;

    /// Whether it has the prediction heads that training needs.
    fn has_heads(&self) -> bool;

    /// SHA-256 of its tensors as `model.safetensors`, in hexadecimal.
    ///
    /// # Errors
    /// A tensor operation fails.
    fn sha256(&self) -> Result<String>;

    /// Writes it as a model directory atomically, replacing any existing one.
    ///
    /// # Errors
    /// A file cannot be written.
    fn to_directory(&self, dir: &Path) -> Result<()>;

    /// Writes it as a PyTorch file, along with the files that its loader reads next to it.
    ///
    /// # Errors
    /// A file cannot be written, or the model has no such form.
    fn to_torch(&self, path: &Path) -> Result<()>;
}
