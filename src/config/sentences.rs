//! The sizes of a sentence encoder.

use crate::config::model::check_dim;
use crate::error::Problem;
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
