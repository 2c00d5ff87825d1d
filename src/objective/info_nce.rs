//! InfoNCE (van den Oord et al. 2018, section 2.3): the cross-entropy of identifying the true future among negatives.
//!
//! ```text
//! L_k = - mean_t log( exp s(t, k, 0) / sum_n exp s(t, k, n) )        I(z_{t+k}; c_t) >= log(N + 1) - L_k
//! ```
//! with the true future's score at n = 0. At chance level the accuracy is 1 / (N + 1) and the loss is log(N + 1) nats.

use crate::error::Result;
use crate::ops::cross_entropy::first_is_true;
use crate::ops::hits;
use crate::ops::rows::mean;
use candle_core::Tensor;

/// Loss and accuracy of every step k, on the scores' device.
#[derive(Debug, Clone)]
pub struct PerStep {
    /// Cross-entropy in nats, (K), with gradients.
    pub loss: Tensor,
    /// The fraction of positions whose true future scores highest, (K), without gradients.
    ///
    /// Those that tie share the hit, so a model whose scores are all equal is at chance, 1 / (N + 1). CPC_audio counts ties as correct: there, a
    /// collapsed model has an accuracy of 1. A negative that is the true future itself is not another that ties, so the two agree elsewhere.
    pub accuracy: Tensor,
}

/// InfoNCE of `scores` (B, P, K, 1 + N), the true future's score first.
pub fn info_nce(scores: &Tensor) -> Result<PerStep> {
    info_nce_of(scores, None)
}

/// As [`info_nce`]; `repeats` (B, P, K) is how many of the negatives are the true future itself.
pub fn info_nce_of(scores: &Tensor, repeats: Option<&Tensor>) -> Result<PerStep> {
    let loss = mean(&first_is_true(scores)?)?;
    let accuracy = mean(&hits::first_is_true(scores, repeats)?)?;
    Ok(PerStep { loss, accuracy })
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    #[test]
    fn a_model_that_scores_all_alike_is_at_chance() {
        let out = info_nce(&Tensor::zeros((2, 3, 4, 129), candle_core::DType::F32, &Device::Cpu).unwrap()).unwrap();
        for (accuracy, loss) in out.accuracy.to_vec1::<f32>().unwrap().iter().zip(out.loss.to_vec1::<f32>().unwrap()) {
            assert!((accuracy * 129.0 - 1.0).abs() < 1e-5 && (loss - 129f32.ln()).abs() < 1e-5);
        }
    }

    #[test]
    fn loss_and_accuracy_are_counted_by_step() {
        // One window, two positions, two steps, one negative: step 1 is correct once and wrong once, step 2 correct once and tied once.
        let scores = [[[[2.0f32, 0.0], [1.0, 0.0]], [[0.0, 3.0], [5.0, 5.0]]]];
        let out = info_nce(&Tensor::new(&scores, &Device::Cpu).unwrap()).unwrap();
        assert_eq!(out.accuracy.to_vec1::<f32>().unwrap(), [0.5, 0.75]);
        let cost = |right: f64, wrong: f64| (1.0 + (wrong - right).exp()).ln();
        let want = [(cost(2.0, 0.0) + cost(0.0, 3.0)) / 2.0, (cost(1.0, 0.0) + cost(5.0, 5.0)) / 2.0];
        for (got, want) in out.loss.to_vec1::<f32>().unwrap().iter().zip(want) {
            assert!((f64::from(*got) - want).abs() < 1e-6, "{got} is not {want}");
        }
    }
}
