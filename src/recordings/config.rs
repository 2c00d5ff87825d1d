//! The source of audio windows, and how batches are formed from them.

use crate::audio::augment::{self, Augment, AugmentSide};
use crate::config::OnBadFile;
use crate::error::Problem;
use serde::{Deserialize, Serialize};

/// Which windows share a batch (van den Oord et al. 2018, Table 2; CPC_audio's `--samplingType`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sampler {
    /// Any windows of the corpus.
    Uniform,
    /// Windows of one speaker: negatives then differ in content, not in speaker (CPC_audio's default).
    SameSpeaker,
    /// Windows of one utterance.
    SameSequence,
    /// In order: row b of batch i+1 continues row b of batch i.
    Sequential,
}

/// The unit that windows are cut from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WindowCut {
    /// A speaker's utterances, concatenated (as in CPC_audio): only the last, incomplete window of each speaker is lost.
    Joined,
    /// One utterance: no window crosses a boundary. Utterances shorter than a window are skipped and counted.
    Utterance,
}

/// The column names of parquet data. An empty name selects the default.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Columns {
    /// The recordings, `{bytes, path}`; by default `audio`.
    pub audio: String,
    /// The speaker; by default the first column present of `speaker_id`, `speaker` and `client_id`.
    pub speaker: String,
    /// The id of an utterance; by default `id` if its values are unique, otherwise the name in `audio.path`.
    pub id: String,
    /// The target of a probe; by default `label`. Not part of a run's configuration.
    #[serde(skip)]
    pub label: String,
}

/// The `[data]` section.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RecordingsConfig {
    /// The corpus: a directory, a manifest or parquet files. Given as DATA on the command line.
    pub path: String,
    /// A list of the utterances to train on; empty for all that are not used for validation.
    pub train: String,
    /// A list of the utterances to validate on; empty for a fraction drawn with the seed.
    pub valid: String,
    /// The sample rate of the model's input, in Hz; files with other rates are resampled. 16000 in the paper (section 3.1).
    pub sample_rate: u32,
    /// Samples per window: 20480 (1.28 s) in the paper (section 3.1) and CPC_audio.
    pub window: usize,
    /// Which windows share a batch.
    pub sampler: Sampler,
    /// The unit that windows are cut from.
    pub cut: WindowCut,
    /// The fraction of utterances held out for validation if no list names them.
    pub valid_share: f64,
    /// The maximum number of validation windows, spread evenly over the validation set.
    pub valid_windows: usize,
    /// What to do about a file that cannot be read.
    pub on_bad_file: OnBadFile,
    /// Augmentations of training windows, in the order of their application, such as `["pitch", "noise:10"]`; none by default.
    pub augment: Vec<Augment>,
    /// Which side of the contrast is augmented.
    pub augment_side: AugmentSide,
    /// Recordings for the augmentation `noise`: a directory or a manifest. Empty for noise that is made.
    pub noise: String,
    /// Batches to prefetch.
    pub prefetch: usize,
    /// The column names of parquet data.
    pub columns: Columns,
}

impl Default for RecordingsConfig {
    fn default() -> Self {
        RecordingsConfig {
            path: String::new(),
            train: String::new(),
            valid: String::new(),
            sample_rate: 16_000,
            window: 20_480,
            sampler: Sampler::SameSpeaker,
            cut: WindowCut::Joined,
            valid_share: 0.05,
            valid_windows: 256,
            on_bad_file: OnBadFile::Fail,
            augment: Vec::new(),
            augment_side: AugmentSide::Past,
            noise: String::new(),
            prefetch: 4,
            columns: Columns::default(),
        }
    }
}

impl RecordingsConfig {
    /// Adds every value out of range to `faults`.
    pub fn validate(&self, faults: &mut Vec<Problem>) {
        augment::validate(&self.augment, faults);
        if !self.noise.is_empty() && !augment::has_noise(&self.augment) {
            faults.push(Problem::new("data.noise", "names recordings, but data.augment does not list noise"));
        }
        let mut check = |ok: bool, key: &str, what: String| {
            if !ok {
                faults.push(Problem::new(format!("data.{key}"), what));
            }
        };
        check(
            (1_000..=192_000).contains(&self.sample_rate),
            "sample_rate",
            format!("{} is not between 1000 and 192000", self.sample_rate),
        );
        check(self.window > 0, "window", "must be at least 1".into());
        check(
            (0.0..1.0).contains(&self.valid_share),
            "valid_share",
            format!("{} is not at least 0 and less than 1", self.valid_share),
        );
        check(self.valid_windows > 0, "valid_windows", "must be at least 1".into());
        check((1..=1024).contains(&self.prefetch), "prefetch", format!("{} is not between 1 and 1024", self.prefetch));
    }
}
