//! CPC on text (van den Oord et al. 2018, section 3.3).
//!
//! ```text
//! sentences (B, W) of tokens -> g_enc -> z (B, W, D) -> g_ar -> c (B, W, H) -> W_k c_t -> scores against z_{t+k} and other sentences
//! ```
//!
//! As in audio, every position whose K future sentences lie in the window predicts them. In windows of 9 with K = 3 these are positions 1 to
//! 6; the last of them has seen 6 sentences and predicts 3. A public port (CPC-NLP-PyTorch, based on information from an author) predicts
//! only from the sixth position and contrasts with the last 3 sentences of each window. Here, the same encoded sentences give six times as
//! many predictions and three times as many negatives.

use crate::config::{HeadsConfig, ObjectiveConfig, SentenceEncoderConfig};
use crate::error::Result;
use crate::group::Group;
use crate::model::{Contrast, Latents};
use crate::nn::{Context, ContextConfig, EmbeddingRows, Phase, SentenceEncoder};
use crate::objective::PerStep;
use crate::ops::tokens::Sentences;
use crate::seed::Stream;
use candle_core::Tensor;
use candle_nn::VarBuilder;
use std::sync::Arc;

/// Sentence encoder, context network over sentences, and heads. Parameters are named as in audio models.
#[derive(Debug, Clone)]
pub struct CpcText {
    encoder: SentenceEncoder,
    context: Arc<dyn Context>,
    contrast: Contrast,
}

impl CpcText {
    /// The model of these sizes, with parameters from `vb`.
    ///
    /// # Errors
    /// The parameters have different shapes.
    pub fn new(
        encoder: &SentenceEncoderConfig,
        context: &ContextConfig,
        heads: &HeadsConfig,
        vb: &VarBuilder,
    ) -> Result<Self> {
        let (latent, hidden) = (encoder.hidden_dim, context.hidden_dim);
        Ok(CpcText {
            encoder: SentenceEncoder::new(encoder, vb.pp("gEncoder"))?,
            context: context.kind.build(context, latent, vb.pp("gAR.baseNet"))?,
            contrast: Contrast::new(heads, hidden, latent, vb.pp("wPrediction.predictors"))?,
        })
    }

    /// z (S, D) of individual sentences, without context.
    ///
    /// # Errors
    /// A token is not in the vocabulary.
    pub fn encode(&self, sentences: &Sentences) -> Result<Tensor> {
        Ok(self.encoder.forward(sentences)?.0)
    }

    /// z and c of windows of `window` sentences each, with zero initial states, and the rows of the embedding that were used.
    ///
    /// # Errors
    /// Those of [`CpcText::encode`]; the number of sentences is not a multiple of the window.
    pub fn forward(&self, sentences: &Sentences, window: usize) -> Result<(Latents, EmbeddingRows)> {
        let (z, rows) = self.encoder.forward(sentences)?;
        let (count, dim) = z.dims2()?;
        let z = z.reshape((count / window.max(1), window, dim))?;
        let c = self.context.forward(&z)?;
        Ok((Latents { z, c }, rows))
    }

    /// The same with negatives from the windows of all processes of a group in training.
    pub fn gathering(self, group: &Group) -> CpcText {
        CpcText { contrast: self.contrast.gathering(group), ..self }
    }

    /// InfoNCE of the first `steps` steps, with negatives drawn as `objective` specifies, and the smallest number of negatives of any position.
    ///
    /// Short sentences occur more than once in a batch, and a repetition of the true future cannot be distinguished from it. With `texts`
    /// (B*W, [`Sentences::texts`]) it is not counted as a negative.
    ///
    /// # Errors
    /// The window is too short for the steps.
    pub fn contrast(
        &self,
        latents: &Latents,
        steps: usize,
        objective: &ObjectiveConfig,
        texts: Option<&[u32]>,
        phase: Phase,
        stream: &mut Stream,
    ) -> Result<(PerStep, usize)> {
        self.contrast.first(steps).contrast(latents, objective, texts, phase, stream)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{NegativesFrom, TrainConfig};
    use crate::kinds::text::TextConfig;
    use crate::model::slope::slope;
    use crate::nn::{ContextKind, Optimizer, ParamStore};
    use crate::seed::stream;
    use candle_core::Device;

    fn build(kernel: usize, kind: ContextKind, store: &ParamStore, frozen: bool) -> CpcText {
        let encoder = SentenceEncoderConfig { vocab_size: 50, embedding_dim: 6, hidden_dim: 9, kernel };
        let mut config = TextConfig { encoder, ..Default::default() };
        (config.context.hidden_dim, config.context.kind) = (7, kind);
        let vb = if frozen { store.frozen() } else { store.builder() };
        CpcText::new(&config.encoder, &config.context, &config.heads, &vb).unwrap()
    }

    fn frozen() -> CpcText {
        build(1, ContextKind::GRU, &ParamStore::new(1, &Device::Cpu), true)
    }

    /// Three windows of five sentences of different lengths; the last sentence repeats the one before it.
    fn sentences(seed: u64) -> Sentences {
        let mut random = stream(seed, "sentences", 0);
        let (mut ids, mut offsets) = (Vec::new(), vec![0]);
        for _ in 0..14 {
            (0..1 + random.below(6)).for_each(|_| ids.push(random.below(50)));
            offsets.push(ids.len() as u32);
        }
        ids.extend_from_within(offsets[13] as usize..);
        offsets.push(ids.len() as u32);
        Sentences::new(&ids, &offsets).unwrap()
    }

    fn all() -> ObjectiveConfig {
        TextConfig::default().objective
    }

    fn loss(
        model: &CpcText,
        batch: &Sentences,
        objective: &ObjectiveConfig,
        masked: bool,
    ) -> (Tensor, usize, EmbeddingRows) {
        let (latents, rows) = model.forward(batch, 5).unwrap();
        let texts = masked.then(|| batch.texts());
        let mut stream = stream(1, "negatives", 0);
        let (out, n) = model.contrast(&latents, 3, objective, texts.as_deref(), Phase::Train, &mut stream).unwrap();
        (out.loss.sum_all().unwrap(), n, rows)
    }

    #[test]
    fn every_parameter_is_trained_and_the_gradient_is_the_slope() {
        let some = ObjectiveConfig { num_negatives: 4, negatives_from: NegativesFrom::OtherSequences, ..all() };
        for (kernel, kind, objective, masked) in [
            (1, ContextKind::GRU, all(), false),
            (3, ContextKind::LSTM, some, true),
            (1, ContextKind::GRU, all(), true),
        ] {
            let store = ParamStore::new(3, &Device::Cpu);
            let model = build(kernel, kind, &store, false);
            let batch = sentences(1);
            let value = || {
                let (loss, _, rows) = loss(&model, &batch, &objective, masked);
                assert_eq!(&rows.ids, batch.distinct());
                (loss, Some(rows))
            };
            slope(&store.trainable(), value, |_| false, &format!("kernel {kernel}, {kind:?}"));
        }
    }

    #[test]
    fn what_comes_later_changes_nothing_before_it() {
        let model = build(3, ContextKind::GRU, &ParamStore::new(3, &Device::Cpu), true);
        let c = |last: u32| {
            let batch = Sentences::new(&[1, 2, 3, 4, 5, 6, last, 9], &[0, 2, 3, 5, 7, 8]).unwrap();
            let (latents, rows) = model.forward(&batch, 5).unwrap();
            assert!(!rows.values.track_op() && !latents.c.track_op());
            latents.c.squeeze(0).unwrap().to_vec2::<f32>().unwrap()
        };
        let (a, b) = (c(7), c(8));
        a[..3].iter().flatten().zip(b[..3].iter().flatten()).for_each(|(a, b)| assert!((a - b).abs() < 1e-6));
        assert!(a[3] != b[3] && a[4] != b[4]);
    }

    #[test]
    fn repetitions_of_the_true_future_are_negatives_unless_they_are_masked() {
        // Every sentence is the same: with repetitions masked, no negatives remain.
        let model = frozen();
        let batch = Sentences::new(&[4; 15], &(0..16).collect::<Vec<u32>>()).unwrap();
        for (num_negatives, met) in [(0, 14), (5, 5)] {
            let objective = ObjectiveConfig { num_negatives, ..all() };
            let value = |masked| {
                let (loss, n, _) = loss(&model, &batch, &objective, masked);
                (f64::from(loss.to_scalar::<f32>().unwrap()), n)
            };
            assert_eq!(value(true), (0.0, 0));
            // All latents are the same, so each of the 3 steps is a guess.
            let (loss, n) = value(false);
            assert!((loss - 3.0 * (1.0 + met as f64).ln()).abs() < 1e-4 && n == met, "{loss} {n}");
        }
    }

    #[test]
    fn windows_that_are_too_short_and_unknown_tokens_are_clear_errors() {
        let model = frozen();
        let short = Sentences::new(&[1, 2, 3], &[0, 1, 2, 3]).unwrap();
        let (latents, _) = model.forward(&short, 3).unwrap();
        let error = model.contrast(&latents, 3, &all(), None, Phase::Eval, &mut stream(1, "n", 0)).unwrap_err();
        assert!(error.to_string().contains("a window of 3 holds no position with 3 futures"), "{error}");
        assert!(model.forward(&short, 2).is_err());
        let error = model.encode(&Sentences::new(&[50], &[0, 1]).unwrap()).unwrap_err().to_string();
        assert!(error.contains("token 50"), "{error}");
    }

    #[test]
    fn a_text_whose_sentences_follow_a_pattern_is_learned() {
        // Ten topics of five words. A window goes through the topics in order from a random one; each sentence has three words of its topic.
        let windows = |step: u64| {
            let mut random = stream(7, "toy", step);
            let mut ids = Vec::new();
            for _ in 0..16 {
                let first = random.below(10);
                (0..6).for_each(|i| (0..3).for_each(|_| ids.push((first + i) % 10 * 5 + random.below(5))));
            }
            Sentences::new(&ids, &(0..=96).map(|i| 3 * i).collect::<Vec<u32>>()).unwrap()
        };
        let store = ParamStore::new(1, &Device::Cpu);
        let model = build(1, ContextKind::GRU, &store, false);
        let mut optimizer = Optimizer::new(&store).unwrap();
        let (objective, train) = (ObjectiveConfig { num_negatives: 15, ..all() }, TrainConfig::default());
        let mut accuracy = Vec::new();
        for step in 0..150 {
            let (latents, rows) = model.forward(&windows(step), 6).unwrap();
            let mut draws = stream(1, "negatives", step);
            let (out, _) = model.contrast(&latents, 3, &objective, None, Phase::Train, &mut draws).unwrap();
            let grads = optimizer.collect(out.loss.sum_all().unwrap().backward().unwrap(), &[rows]).unwrap();
            optimizer.step(&grads, 1.0, 1e-2, &train).unwrap();
            accuracy.push(out.accuracy.mean_all().unwrap().to_scalar::<f32>().unwrap());
        }
        // Chance is 1/16. A tenth of the 15 negatives belong to the correct topic, so the maximum is about 0.5.
        let last = accuracy[140..].iter().sum::<f32>() / 10.0;
        assert!(last > 0.35 && accuracy[0] < 0.2, "{} -> {last}", accuracy[0]);
    }
}
