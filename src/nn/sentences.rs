//! g_enc of sentences: embeddings of tokens, a convolution over them, ReLU, and the mean over the sentence's tokens (van den Oord et
//! al. 2018, section 3.3).

use super::store::uniform_by_fan_in;
use crate::config::SentenceEncoderConfig;
use crate::error::{Error, Result};
use crate::ops::bag::{Bags, means};
use candle_core::Tensor;
use candle_nn::{Init, VarBuilder};

/// From sentences of tokens to vectors.
#[derive(Debug, Clone)]
pub struct SentenceEncoder {
    embedding: Tensor, // (V, M)
    weight: Tensor,    // (D, M, k)
    bias: Tensor,      // (D)
    kernel: usize,
}

impl SentenceEncoder {
    /// Names: `embedding.weight` (V, M), `conv.weight` (D, M, k) and `conv.bias` (D), as PyTorch's modules would have them.
    ///
    /// # Errors
    /// The parameters have other shapes.
    pub fn new(cfg: &SentenceEncoderConfig, vb: VarBuilder) -> Result<Self> {
        let SentenceEncoderConfig { vocab_size, embedding_dim, hidden_dim, kernel } = *cfg;
        let init = uniform_by_fan_in(embedding_dim * kernel);
        // Embeddings of PyTorch start with normal numbers of spread 1.
        let normal = Init::Randn { mean: 0.0, stdev: 1.0 };
        Ok(SentenceEncoder {
            embedding: vb.pp("embedding").get_with_hints((vocab_size, embedding_dim), "weight", normal)?,
            weight: vb.pp("conv").get_with_hints((hidden_dim, embedding_dim, kernel), "weight", init)?,
            bias: vb.pp("conv").get_with_hints(hidden_dim, "bias", init)?,
            kernel,
        })
    }

    /// Vectors (S, D) of sentences: their tokens `ids`, end to end, and where each begins (S + 1).
    ///
    /// # Errors
    /// A sentence is empty, or has a token that is not known.
    pub fn forward(&self, ids: &[u32], offsets: &[u32]) -> Result<Tensor> {
        let (known, dim) = self.embedding.dims2()?;
        if let Some(id) = ids.iter().find(|&&id| id as usize >= known) {
            return Err(Error::failed(
                format!("token {id} is not one of the {known} that the model knows"),
                "use the tokenizer that the model was trained with",
            ));
        }
        let mut distinct = ids.to_vec();
        distinct.sort_unstable();
        distinct.dedup();
        let rows: Vec<u32> = ids.iter().map(|id| distinct.partition_point(|d| d < id) as u32).collect();
        let index = Tensor::from_slice(&distinct, distinct.len(), self.embedding.device())?;
        let embedded = self.embedding.index_select(&index, 0)?; // (U, M)
        let outputs = self.bias.dim(0)?;
        if self.kernel == 1 {
            // A token's vector does not depend on its neighbours: it is computed once.
            let weight = self.weight.reshape((outputs, dim))?.t()?;
            let vectors = embedded.matmul(&weight)?.broadcast_add(&self.bias)?.relu()?;
            return means(&vectors, &Bags { rows: rows.into(), offsets: offsets.into() });
        }
        let windows = Tensor::from_vec(
            self.windows(&rows, offsets, distinct.len() as u32),
            rows.len() * self.kernel,
            index.device(),
        )?;
        let nothing = Tensor::zeros((1, dim), embedded.dtype(), embedded.device())?;
        let seen = Tensor::cat(&[&embedded, &nothing], 0)?.index_select(&windows, 0)?;
        let weight = self.weight.transpose(1, 2)?.contiguous()?.reshape((outputs, self.kernel * dim))?.t()?;
        let vectors =
            seen.reshape((rows.len(), self.kernel * dim))?.matmul(&weight)?.broadcast_add(&self.bias)?.relu()?;
        let each: Vec<u32> = (0..rows.len() as u32).collect();
        means(&vectors, &Bags { rows: each.into(), offsets: offsets.into() })
    }

    /// The rows that the convolution sees at each token (T * k); beyond the ends of its sentence, the row `nothing`.
    fn windows(&self, rows: &[u32], offsets: &[u32], nothing: u32) -> Vec<u32> {
        let before = self.kernel / 2;
        let mut seen = Vec::with_capacity(rows.len() * self.kernel);
        for pair in offsets.windows(2) {
            let sentence = &rows[pair[0] as usize..pair[1] as usize];
            for t in 0..sentence.len() {
                let at = |k: usize| (t + k).checked_sub(before).and_then(|i| sentence.get(i)).copied();
                seen.extend((0..self.kernel).map(|k| at(k).unwrap_or(nothing)));
            }
        }
        seen
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::ParamStore;
    use candle_core::Device;
    use proptest::prelude::*;

    fn encoder(kernel: usize) -> SentenceEncoder {
        let cfg = SentenceEncoderConfig { vocab_size: 30, embedding_dim: 6, hidden_dim: 9, kernel };
        SentenceEncoder::new(&cfg, ParamStore::new(3, &Device::Cpu).builder()).unwrap()
    }

    fn vectors(encoder: &SentenceEncoder, sentences: &[Vec<u32>]) -> Vec<Vec<f32>> {
        let mut offsets = vec![0u32];
        sentences.iter().for_each(|s| offsets.push(offsets[offsets.len() - 1] + s.len() as u32));
        encoder.forward(&sentences.concat(), &offsets).unwrap().to_vec2().unwrap()
    }

    #[test]
    fn a_convolution_over_tokens_is_candles_with_padding_at_the_sentences_ends() {
        let encoder = encoder(3);
        for sentence in [vec![4u32], vec![1, 2], vec![5, 5, 9, 0, 29]] {
            let n = sentence.len();
            let ids = Tensor::from_vec(sentence.clone(), n, &Device::Cpu).unwrap();
            let x = encoder.embedding.index_select(&ids, 0).unwrap().t().unwrap().unsqueeze(0).unwrap(); // (1, M, n)
            let y = x.contiguous().unwrap().conv1d(&encoder.weight, 1, 1, 1, 1).unwrap();
            let y = y.broadcast_add(&encoder.bias.reshape((1, 9, 1)).unwrap()).unwrap().relu().unwrap();
            let want = y.mean(2).unwrap().squeeze(0).unwrap().to_vec1::<f32>().unwrap();
            let got = &vectors(&encoder, &[sentence])[0];
            assert!(got.iter().zip(&want).all(|(a, b)| (a - b).abs() < 1e-5), "{got:?} {want:?}");
        }
        assert!(encoder.forward(&[30], &[0, 1]).is_err());
    }

    proptest! {
        #[test]
        fn company_never_changes_a_vector(
            sentences in prop::collection::vec(prop::collection::vec(0u32..30, 1..12), 1..8),
            kernel in prop_oneof![Just(1usize), Just(3), Just(5)],
        ) {
            let encoder = encoder(kernel);
            let together = vectors(&encoder, &sentences);
            for (sentence, want) in sentences.iter().zip(&together) {
                let alone = &vectors(&encoder, std::slice::from_ref(sentence))[0];
                prop_assert!(alone.iter().zip(want).all(|(a, b)| (a - b).abs() <= 1e-6), "{alone:?} {want:?}");
            }
        }
    }
}
