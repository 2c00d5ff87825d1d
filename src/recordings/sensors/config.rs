//! The source of windows of several channels.

use crate::config::OnBadFile;
use crate::config::from_word;
use crate::error::Problem;
use crate::recordings::{RecordingsConfig, Sampler, WindowCut};
use crate::series::TableColumns;
use serde::{Deserialize, Serialize};

/// To what the values of a channel are scaled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scale {
    /// They stay as they are in the file.
    None,
    /// Mean 0 and standard deviation 1 in each recording.
    Recording,
    /// Mean 0 and standard deviation 1 over the whole corpus, as measured when training began; the model keeps the figures.
    Corpus,
}

/// What becomes of frames in which a channel has no value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Gaps {
    /// They are cut out, and the recording is divided there.
    Cut,
    /// The missing value is the mean of the channel: 0, once it is scaled.
    Mean,
    /// The recording cannot be used.
    Fail,
}

/// What is either trained on or validated on as a whole, if no list names what to validate on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Division {
    /// All recordings of a subject.
    Subject,
    /// A recording: others of the same subject may be on the other side.
    Recording,
}

from_word!(Division);

/// The `[data]` section.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SensorsConfig {
    /// A directory of recordings, or one recording. Given as DATA on the command line.
    pub path: String,
    /// A list of the recordings to train on; empty for all that are not used for validation.
    pub train: String,
    /// A list of the recordings to validate on; empty for a share of the subjects, drawn with the seed.
    pub valid: String,
    /// The channels of the model, by name and in this order; empty for all, in the order of the first recording.
    pub channels: Vec<String>,
    /// Frames per second of recordings that do not say; 0 if all say.
    pub rate: f64,
    /// Frames per second of the model's input, to which recordings are resampled; 0 for the rate that all of them have.
    pub sample_rate: f64,
    /// The column of times in tables; empty for one with a usual name, such as `time`.
    pub time: String,
    /// The column of subjects in tables; empty for one with a usual name, such as `subject`. The rows of each subject are a recording.
    pub subject: String,
    /// To what the values of a channel are scaled.
    pub scale: Scale,
    /// What becomes of frames in which a channel has no value.
    pub gaps: Gaps,
    /// Frames per window; 0 for half of what nine of ten recordings have, or all of it if they are short; at most 256.
    pub window: usize,
    /// Which windows share a batch; a speaker is a subject here.
    pub sampler: Sampler,
    /// The unit that windows are cut from.
    pub cut: WindowCut,
    /// The fraction of subjects or recordings held out for validation if no list names recordings.
    pub valid_share: f64,
    /// What is held out as a whole: a subject, or a recording.
    pub division: Division,
    /// The maximum number of validation windows, spread evenly over the validation set.
    pub valid_windows: usize,
    /// What to do about a file that cannot be read.
    pub on_bad_file: OnBadFile,
    /// Batches to prefetch.
    pub prefetch: usize,
}

impl Default for SensorsConfig {
    fn default() -> Self {
        let usual = RecordingsConfig::default();
        SensorsConfig {
            path: String::new(),
            train: String::new(),
            valid: String::new(),
            channels: Vec::new(),
            rate: 0.0,
            sample_rate: 0.0,
            time: String::new(),
            subject: String::new(),
            scale: Scale::Recording,
            gaps: Gaps::Cut,
            window: 0,
            sampler: Sampler::Uniform,
            cut: WindowCut::Utterance,
            valid_share: 0.1,
            division: Division::Subject,
            valid_windows: usual.valid_windows,
            on_bad_file: usual.on_bad_file,
            prefetch: usual.prefetch,
        }
    }
}

impl SensorsConfig {
    /// How windows are cut and batches formed.
    pub fn windows(&self) -> RecordingsConfig {
        RecordingsConfig {
            train: self.train.clone(),
            valid: self.valid.clone(),
            valid_share: self.valid_share,
            window: self.window,
            sampler: self.sampler,
            cut: self.cut,
            valid_windows: self.valid_windows,
            on_bad_file: self.on_bad_file,
            prefetch: self.prefetch,
            ..RecordingsConfig::default()
        }
    }

    /// The columns of tables that are no channels.
    pub(super) fn columns(&self) -> TableColumns<'_> {
        TableColumns { time: &self.time, subject: &self.subject }
    }

    /// Adds every value out of range to `faults`.
    pub fn validate(&self, faults: &mut Vec<Problem>) {
        // A window of 0 is chosen when the recordings are known.
        RecordingsConfig { window: self.window.max(1), ..self.windows() }.validate(faults);
        for (key, rate) in [("rate", self.rate), ("sample_rate", self.sample_rate)] {
            if !(0.0..=1e9).contains(&rate) {
                faults.push(Problem::new(format!("data.{key}"), format!("{rate} is not between 0 and 1e9")));
            }
        }
        if self.gaps == Gaps::Mean && self.scale == Scale::None {
            let what = "mean needs scaled values, whose mean is 0; use scale = recording or corpus, or gaps = cut";
            faults.push(Problem::new("data.gaps", what));
        }
        for (i, name) in self.channels.iter().enumerate() {
            if self.channels[..i].contains(name) {
                faults.push(Problem::new("data.channels", format!("names {name} twice")));
            }
        }
    }
}
