//! The configuration of CPC on text (van den Oord et al. 2018, section 3.3): sentences in, sentence vectors out.

use super::OnBadFile;
use super::layers::Sections;
use super::model::{ContextConfig, HeadsConfig, HeadsKind, ScoreKind, check_dim};
use super::train::{NegativesFrom, ObjectiveConfig, TrainConfig};
use crate::error::Problem;
use crate::text::Split;
use serde::{Deserialize, Serialize};

/// g_enc for sentences: token embeddings, a convolution over them, ReLU, and the mean over the sentence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SentenceEncoderConfig {
    /// Vocabulary size: 20,000 in the paper. The run uses the actual size of the tokenizer, whatever is given here.
    pub vocab_size: usize,
    /// Dimension of a token's embedding: 620 in the paper.
    pub embedding_dim: usize,
    /// D, the dimension of z: 2400 in the paper.
    pub hidden_dim: usize,
    /// Kernel size of the convolution in tokens, an odd number; 1 in the authors' own setting.
    pub kernel: usize,
}

impl Default for SentenceEncoderConfig {
    fn default() -> Self {
        SentenceEncoderConfig { vocab_size: 20_000, embedding_dim: 620, hidden_dim: 2400, kernel: 1 }
    }
}

impl SentenceEncoderConfig {
    /// Adds every value out of range to `faults`.
    pub fn validate(&self, faults: &mut Vec<Problem>) {
        for (key, size) in [("embedding_dim", self.embedding_dim), ("hidden_dim", self.hidden_dim)] {
            check_dim(&format!("encoder.{key}"), size, faults);
        }
        if !(2..=10_000_000).contains(&self.vocab_size) {
            let what = format!("{} is not between 2 and 10000000", self.vocab_size);
            faults.push(Problem::new("encoder.vocab_size", what));
        }
        if !(1..=63).contains(&self.kernel) || self.kernel.is_multiple_of(2) {
            faults.push(Problem::new("encoder.kernel", format!("{} is not an odd number up to 63", self.kernel)));
        }
    }
}

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
    /// The maximum number of validation windows.
    pub valid_windows: usize,
    /// What counts as a sentence: a line, or a sentence found in prose by Unicode's rules.
    pub split: Split,
    /// The column of parquet data; empty for the only text column, `text`, or `sentence`.
    pub column: String,
    /// `bpe`, `wordpiece` or `word` to learn a tokenizer from the text; or a `tokenizer.json`; or `hf:owner/name` to download one.
    pub tokenizer: String,
    /// Whether a learned tokenizer converts text to lower case.
    pub lower_case: bool,
    /// The maximum number of tokens per sentence; longer sentences are truncated.
    pub max_tokens: usize,
    /// The fraction of a sentence's tokens that are dropped at random each time it is trained on, as word dropout in Iyyer et al. 2015.
    /// Without it, a corpus that is read many times is memorized. Not in the paper.
    pub token_dropout: f64,
    /// Sentences per window. 9 with K = 3: the setting of public ports, as given by the authors (6 seen, 3 to predict).
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
                exclude_positive: false,
                mask_duplicates: false,
            },
            data: TextDataConfig::default(),
            train: TrainConfig { batch_size: 64, ..TrainConfig::default() },
        }
    }
}

impl Sections for TextConfig {
    const PRESETS: &'static [(&'static str, &'static str)] = &[
        ("text-demo", include_str!("../../data/presets/text-demo.toml")),
        ("text-small", include_str!("../../data/presets/text-small.toml")),
        ("text2018", include_str!("../../data/presets/text2018.toml")),
    ];
    const USUAL: &'static str = "text-small";
    const MARKS: &'static [(&'static str, &'static str)] = &[("data", "tokenizer"), ("encoder", "embedding_dim")];

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
