//! g_enc for sentences: embeddings of tokens, a convolution over them, ReLU, and the mean over the sentence's tokens (van den Oord et al. 2018,
//! section 3.3).

use crate::config::SentenceEncoderConfig;
use crate::error::Result;
use crate::nn::embedding::{Embedding, EmbeddingRows};
use crate::nn::store::uniform_by_fan_in;
use crate::ops::tokens::{Sentences, encode};
use candle_core::Tensor;
use candle_nn::VarBuilder;

/// Maps sentences of tokens to vectors.
#[derive(Debug, Clone)]
pub struct SentenceEncoder {
    embedding: Embedding, // (V, M)
    weight: Tensor,       // (D, M, k)
    bias: Tensor,         // (D)
}

impl SentenceEncoder {
    /// Names: `embedding.weight` (V, M), `conv.weight` (D, M, k) and `conv.bias` (D), as in PyTorch's modules, and with their initialization.
    ///
    /// # Errors
    /// If the parameters have other shapes.
    pub fn new(cfg: &SentenceEncoderConfig, vb: VarBuilder) -> Result<Self> {
        let SentenceEncoderConfig { vocab_size, embedding_dim, hidden_dim, kernel } = *cfg;
        let (conv, init) = (vb.pp("conv"), uniform_by_fan_in(embedding_dim * kernel));
        Ok(SentenceEncoder {
            embedding: Embedding::new(vocab_size, embedding_dim, vb.pp("embedding"))?,
            weight: conv.get_with_hints((hidden_dim, embedding_dim, kernel), "weight", init)?,
            bias: conv.get_with_hints(hidden_dim, "bias", init)?,
        })
    }

    /// Returns vectors (S, D) of sentences, and the rows of the embedding that they used.
    ///
    /// # Errors
    /// If a token is unknown.
    pub fn forward(&self, sentences: &Sentences) -> Result<(Tensor, EmbeddingRows)> {
        let rows = self.embedding.rows(sentences.distinct())?;
        Ok((encode(&rows.values, &self.weight, &self.bias, sentences)?, rows))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::ParamStore;
    use candle_core::Device;

    fn encoder(kernel: usize) -> SentenceEncoder {
        let cfg = SentenceEncoderConfig { vocab_size: 30, embedding_dim: 6, hidden_dim: 9, kernel };
        SentenceEncoder::new(&cfg, ParamStore::new(3, &Device::Cpu).builder()).unwrap()
    }

    fn vectors(encoder: &SentenceEncoder, sentences: &[Vec<u32>]) -> Vec<Vec<f32>> {
        let mut offsets = vec![0u32];
        sentences.iter().for_each(|s| offsets.push(offsets[offsets.len() - 1] + s.len() as u32));
        encoder.forward(&Sentences::new(&sentences.concat(), &offsets).unwrap()).unwrap().0.to_vec2().unwrap()
    }

    #[test]
    fn a_convolution_over_tokens_is_candles_with_padding_at_the_sentences_ends() {
        let encoder = encoder(3);
        for sentence in [vec![4u32], vec![1, 2], vec![5, 5, 9, 0, 29]] {
            let n = sentence.len();
            let ids = Tensor::from_vec(sentence.clone(), n, &Device::Cpu).unwrap();
            let x = encoder.embedding.table().index_select(&ids, 0).unwrap().t().unwrap().unsqueeze(0).unwrap(); // (1, M, n)
            let y = x.contiguous().unwrap().conv1d(&encoder.weight, 1, 1, 1, 1).unwrap();
            let y = y.broadcast_add(&encoder.bias.reshape((1, 9, 1)).unwrap()).unwrap().relu().unwrap();
            let want = y.mean(2).unwrap().squeeze(0).unwrap().to_vec1::<f32>().unwrap();
            let got = &vectors(&encoder, &[sentence])[0];
            assert!(got.iter().zip(&want).all(|(a, b)| (a - b).abs() < 1e-5), "{got:?} {want:?}");
        }
        let unknown = encoder.forward(&Sentences::new(&[30], &[0, 1]).unwrap()).unwrap_err().to_string();
        assert!(unknown.contains("token 30"), "{unknown}");
    }
}
