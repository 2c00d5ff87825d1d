//! The configuration of a classifier.

use crate::config::layers::Sections;
use crate::config::{OnBadFile, TrainConfig};
use crate::error::Problem;
use crate::eval::transcripts::Spelling;
use crate::nn::{ClassifierKind, ClassifierSize};
use crate::recordings::Division;
use serde::{Deserialize, Serialize};

/// The complete configuration of a run.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ClassifierConfig {
    /// The seed of every random stream.
    pub seed: u64,
    /// The model and its head.
    pub finetune: TuneConfig,
    /// The recordings and their labels.
    pub data: LabeledConfig,
    /// How the classifier is trained.
    pub train: TrainConfig,
}

/// How much more a rare class counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClassWeights {
    /// Every recording counts the same.
    None,
    /// Every class counts the same, however many recordings it has.
    Balanced,
}

/// The `[finetune]` section.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TuneConfig {
    /// The model that training starts from. Given as MODEL on the command line.
    pub model: String,
    /// Start from random weights of the same sizes instead, as a baseline.
    pub scratch: bool,
    /// The output of the model that is classified: c, z, or both as c+z; of images y, fc or conv. Empty for the first of these.
    pub layer: String,
    /// The head: linear, hidden or attention.
    pub head: ClassifierKind,
    /// Units of the head's hidden layer, or of the layer that computes attention.
    pub hidden_dim: usize,
    /// The learning rate of the model, as a fraction of that of the head, `train.lr`. 0 leaves the model as it is.
    pub body_lr: f64,
    /// How much more a rare class counts.
    pub class_weights: ClassWeights,
    /// Whether a recording may have several labels, separated by commas, semicolons or bars; `-` is none.
    pub multi_label: bool,
    /// The share of the labels of the training recordings that is used, drawn by class with the seed. A smaller share is a part of a larger one.
    pub fraction: f64,
    /// What the labels are, if they are transcripts, which are learned with CTC: phones (any symbols separated by blanks) or characters. `none`
    /// for classes.
    #[serde(with = "spelling")]
    pub ctc: Option<Spelling>,
    /// With ctc: frames from one output of the head to the next. Each output sees twice as many.
    pub ctc_stride: usize,
    /// With ctc: the number of prefixes that the search for the most probable transcript keeps. 1 for the best path.
    pub beam: usize,
}

/// The `[data]` section.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LabeledConfig {
    /// The recordings, images or labeled sentences, in any form that the model's kind reads.
    pub path: String,
    /// The labels: a table of recordings and labels, or `speaker`, which is the first folder. Empty for images and sentences, which have theirs.
    pub labels: String,
    /// A list of the recordings to train on; empty for all that are not tested.
    pub train: String,
    /// A list of the recordings to test on; empty for a share drawn with the seed.
    pub test: String,
    /// The fraction of subjects or recordings that is tested if no list names them.
    pub test_share: f64,
    /// The fraction of the training recordings that training is validated on.
    pub valid_share: f64,
    /// What is held out as a whole: a subject, or a recording.
    pub division: Division,
    /// Samples, or tokens, per window: training takes one of each recording, at a random place. 0 for the length of most recordings, at most 512
    /// frames; for sentences, the tokens that the model was trained on. With ctc, the longest recording that is trained on; 0 for the longest of all,
    /// at most 2048 frames.
    pub window: usize,
    /// Samples per second of series that do not say; 0 if all say.
    pub rate: f64,
    /// What to do about a file that cannot be read.
    pub on_bad_file: OnBadFile,
}

impl Default for TuneConfig {
    fn default() -> Self {
        TuneConfig {
            model: String::new(),
            scratch: false,
            layer: String::new(),
            head: ClassifierKind::Linear,
            hidden_dim: 128,
            body_lr: 0.1,
            class_weights: ClassWeights::None,
            multi_label: false,
            fraction: 1.0,
            ctc: None,
            ctc_stride: 4,
            beam: BEAM,
        }
    }
}

impl Default for LabeledConfig {
    fn default() -> Self {
        LabeledConfig {
            path: String::new(),
            labels: String::new(),
            train: String::new(),
            test: String::new(),
            test_share: 0.2,
            valid_share: 0.2,
            division: Division::Subject,
            window: 0,
            rate: 0.0,
            on_bad_file: OnBadFile::Fail,
        }
    }
}

/// Prefixes that the search keeps if nobody says how many.
pub(super) const BEAM: usize = 10;

/// `none`, or a spelling.
mod spelling {
    use super::Spelling;
    use serde::de::{Deserializer, IntoDeserializer, value::StringDeserializer};
    use serde::{Deserialize, Serialize, Serializer};

    pub(super) fn serialize<S: Serializer>(spelling: &Option<Spelling>, to: S) -> Result<S::Ok, S::Error> {
        match spelling {
            None => to.serialize_str("none"),
            Some(spelling) => spelling.serialize(to),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Spelling>, D::Error> {
        let word = String::deserialize(from)?;
        let word: StringDeserializer<D::Error> = match word.as_str() {
            "none" => return Ok(None),
            _ => word.into_deserializer(),
        };
        Spelling::deserialize(word).map(Some)
    }
}

impl TuneConfig {
    /// The sizes of the head.
    pub fn size(&self) -> ClassifierSize {
        ClassifierSize { kind: self.head, hidden_dim: self.hidden_dim }
    }
}

impl Sections for ClassifierConfig {
    fn collect_faults(&self, faults: &mut Vec<Problem>) {
        let ClassifierConfig { finetune, data, train, .. } = self;
        train.validate(faults);
        finetune.size().validate("finetune", faults);
        let mut check = |ok: bool, key: &str, what: String| {
            if !ok {
                faults.push(Problem::new(key, what));
            }
        };
        let share = |x: f64| (0.0..1.0).contains(&x);
        let rate = finetune.body_lr;
        check((0.0..=100.0).contains(&rate), "finetune.body_lr", format!("{rate} is not between 0 and 100"));
        let fraction = finetune.fraction;
        check(
            fraction > 0.0 && fraction <= 1.0,
            "finetune.fraction",
            format!("{fraction} is not more than 0 and at most 1"),
        );
        check(
            share(data.test_share),
            "data.test_share",
            format!("{} is not at least 0 and less than 1", data.test_share),
        );
        check(
            share(data.valid_share),
            "data.valid_share",
            format!("{} is not at least 0 and less than 1", data.valid_share),
        );
        check((0.0..=1e9).contains(&data.rate), "data.rate", format!("{} is not between 0 and 1e9", data.rate));
        check(
            train.init.is_empty(),
            "train.init",
            "is for pretraining; finetune.model is what this starts from".into(),
        );
        check((1..=64).contains(&finetune.ctc_stride), "finetune.ctc_stride", "is not between 1 and 64".into());
        check((1..=1000).contains(&finetune.beam), "finetune.beam", "is not between 1 and 1000".into());
        let with_ctc = [
            (finetune.multi_label, "finetune.multi_label", "a transcript has its labels in order"),
            (finetune.class_weights != ClassWeights::None, "finetune.class_weights", "a transcript has no class"),
            (finetune.head == ClassifierKind::Attention, "finetune.head", "a mean of the frames has no order"),
            (data.labels == "speaker", "data.labels", "a speaker is no transcript"),
        ];
        for (wrong, key, why) in with_ctc {
            check(!(finetune.ctc.is_some() && wrong), key, format!("is not for finetune.ctc (--ctc): {why}"));
        }
        check(
            !(finetune.scratch && rate == 0.0),
            "finetune.body_lr",
            "0 would leave the random weights of finetune.scratch as they are".into(),
        );
    }
}
