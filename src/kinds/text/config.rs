//! The configuration of CPC on text (van den Oord et al. 2018, section 3.3), which maps sentences to vectors.

use crate::config::layers::Sections;
use crate::config::{
    HeadsConfig, HeadsKind, NegativesFrom, ObjectiveConfig, OnBadFile, ScoreKind, SentenceEncoderConfig, TrainConfig,
};
use crate::error::Problem;
use crate::nn::ContextConfig;
use crate::text::Split;
use serde::{Deserialize, Serialize};

/// The `[data]` section: the source of sentences.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TextDataConfig {
    /// DATA.
    pub path: String,
    /// Text to validate on; empty for a fraction of the documents.
    pub valid: String,
    /// The fraction of documents held out for validation if `valid` is empty.
    pub valid_share: f64,
    /// The maximum number of validation windows, or of as many sentences in shorter windows.
    pub valid_windows: usize,
    /// What counts as a sentence: a line, or a sentence found in prose by Unicode's rules.
    pub split: Split,
    /// The column of parquet data, or the key of the text in JSONL; empty for the only text column, `text`, or `sentence`, and for the keys `text`
    /// and `sentences`.
    pub column: String,
    /// `bpe`, `wordpiece` or `word` to learn a tokenizer from the text; or a `tokenizer.json`; or `hf:owner/name` to download one.
    pub tokenizer: String,
    /// Whether a learned tokenizer converts text to lower case.
    pub lower_case: bool,
    /// The maximum number of tokens per sentence; longer sentences are truncated.
    pub max_tokens: usize,
    /// The fraction of a sentence's tokens that are dropped at random each time it is trained on, as in the word dropout of
    /// Iyyer et al. 2015. Without it, a corpus that is read many times is memorized. Not in the paper.
    pub token_dropout: f64,
    /// Sentences per window. 9 with K = 3: the setting of public ports, as given by the authors (6 seen, 3 to predict). Documents that are
    /// shorter have shorter windows.
    pub window: usize,
    /// What to do about text that cannot be read.
    pub on_bad_file: OnBadFile,
}

impl Default for TextDataConfig {
    fn default() -> Self {
        TextDataConfig {
            path: String::new(),
            valid: String::new(),
            valid_share: 0.05,
            valid_windows: 2048,
            split: Split::Lines,
            column: String::new(),
            tokenizer: "word".into(),
            lower_case: true,
            max_tokens: 32,
            token_dropout: 0.0,
            window: 9,
            on_bad_file: OnBadFile::Fail,
        }
    }
}

impl TextDataConfig {
    /// The maximum number of validation sentences.
    pub fn valid_sentences(&self) -> usize {
        self.valid_windows * self.window
    }

    /// Adds every value out of range to `faults`.
    pub fn validate(&self, faults: &mut Vec<Problem>) {
        let mut check = |ok: bool, key: &str, what: String| {
            if !ok {
                faults.push(Problem::new(format!("data.{key}"), what));
            }
        };
        check(
            (0.0..0.9).contains(&self.valid_share),
            "valid_share",
            format!("{} is not from 0 to 0.9", self.valid_share),
        );
        check(
            (1..=4096).contains(&self.max_tokens),
            "max_tokens",
            format!("{} is not from 1 to 4096", self.max_tokens),
        );
        check(
            (0.0..0.95).contains(&self.token_dropout),
            "token_dropout",
            format!("{} is not from 0 to 0.95", self.token_dropout),
        );
        check((2..=4096).contains(&self.window), "window", format!("{} is not from 2 to 4096", self.window));
        check(
            !self.tokenizer.is_empty(),
            "tokenizer",
            "is empty; name bpe, wordpiece, word or a tokenizer.json".into(),
        );
    }
}

/// The complete configuration of a run on text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TextConfig {
    /// The seed of every random stream.
    pub seed: u64,
    /// g_enc.
    pub encoder: SentenceEncoderConfig,
    /// g_ar: in the paper, a GRU of 2400 units over sentences.
    pub context: ContextConfig,
    /// W_k, for K = 3 future sentences.
    pub heads: HeadsConfig,
    /// What InfoNCE contrasts: every other sentence of the batch, unless a number of negatives is set.
    pub objective: ObjectiveConfig,
    /// The source of sentences.
    pub data: TextDataConfig,
    /// How the model is trained.
    pub train: TrainConfig,
}

impl Default for TextConfig {
    fn default() -> Self {
        TextConfig {
            seed: 0,
            encoder: SentenceEncoderConfig::default(),
            context: ContextConfig { hidden_dim: 2400, ..ContextConfig::default() },
            heads: HeadsConfig { steps: 3, score: ScoreKind::Scaled, bias: true, ..HeadsConfig::default() },
            objective: ObjectiveConfig {
                num_negatives: 0,
                negatives_from: NegativesFrom::Batch,
                gather: false,
                exclude_positive: false,
                mask_duplicates: false,
            },
            data: TextDataConfig::default(),
            train: TrainConfig { batch_size: 64, ..TrainConfig::default() },
        }
    }
}

impl Sections for TextConfig {
    fn collect_faults(&self, faults: &mut Vec<Problem>) {
        let before = faults.len();
        self.encoder.validate(faults);
        self.context.validate(faults);
        self.heads.validate(faults);
        self.objective.validate(faults);
        self.data.validate(faults);
        self.train.validate(faults);
        if faults.len() > before {
            return; // the checks below relate sections to each other, and need each of them to be valid
        }
        if self.heads.kind == HeadsKind::Transformer {
            faults.push(Problem::new(
                "heads.kind",
                "transformer heads are for audio only; text models have linear heads",
            ));
        }
        if self.data.window <= self.heads.steps {
            let what = format!(
                "{} sentences are too few for heads.steps = {}: a window needs at least one more than that",
                self.data.window, self.heads.steps
            );
            faults.push(Problem::new("data.window", what));
        }
    }
}
