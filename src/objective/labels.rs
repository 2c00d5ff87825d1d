//! Losses of classifiers, for one class or for several labels of each row.

use crate::error::Result;
use crate::ops::contrast::soft_plus;
use candle_core::{D, Tensor};

/// The cross-entropy of `scores` (B, K) and `targets` (B, K), which are 1 for the class of a row, and 0 for the others. Each row counts with the
/// weight (K) of its class; a scalar in nats.
///
/// # Errors
/// The shapes do not match.
pub fn cross_entropy(scores: &Tensor, targets: &Tensor, weights: &Tensor) -> Result<Tensor> {
    let weighted = targets.broadcast_mul(weights)?;
    let sum = (candle_nn::ops::log_softmax(scores, D::Minus1)? * &weighted)?.sum_all()?;
    Ok((sum.neg()? / weighted.sum_all()?)?)
}

/// The mean binary cross-entropy of `scores` (B, K) and `targets` (B, K), which are 1 for each label of a row. Labels that a row has count with
/// the weight (K) of the label; a scalar in nats.
///
/// # Errors
/// The shapes do not match.
pub fn binary_cross_entropy(scores: &Tensor, targets: &Tensor, weights: &Tensor) -> Result<Tensor> {
    // -log sigmoid(s) = softplus(-s), and -log(1 - sigmoid(s)) = softplus(s).
    let has = soft_plus(&scores.neg()?)?.mul(&targets.broadcast_mul(weights)?)?;
    let lacks = soft_plus(scores)?.mul(&(1.0 - targets)?)?;
    Ok((has + lacks)?.mean_all()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    fn value(t: Tensor) -> f64 {
        t.to_scalar::<f64>().unwrap()
    }

    #[test]
    fn losses_are_pytorchs() {
        // The formulas of torch.nn.functional.cross_entropy(s, y, weight=w) and binary_cross_entropy_with_logits(s, t, pos_weight=w).
        let at = |rows: &[[f64; 3]; 2]| Tensor::new(rows, &Device::Cpu).unwrap();
        let scores = at(&[[0.5, -1.0, 2.0], [3.0, 0.25, -0.75]]);
        let weights = Tensor::new(&[1.0, 2.0, 0.5], &Device::Cpu).unwrap();
        let one = at(&[[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]);
        let log_sum = |s: [f64; 3]| s.iter().map(|v| v.exp()).sum::<f64>().ln();
        let by_hand = (0.5 * (log_sum([0.5, -1.0, 2.0]) - 2.0) + (log_sum([3.0, 0.25, -0.75]) - 3.0)) / 1.5;
        assert!((value(cross_entropy(&scores, &one, &weights).unwrap()) - by_hand).abs() < 1e-12);
        let several = at(&[[1.0, 0.0, 1.0], [0.0, 1.0, 0.0]]);
        let plus = |x: f64| (1.0 + x.exp()).ln();
        let sum = plus(-0.5) + plus(-1.0) + 0.5 * plus(-2.0) + plus(3.0) + 2.0 * plus(-0.25) + plus(-0.75);
        let by_hand = sum / 6.0;
        assert!((value(binary_cross_entropy(&scores, &several, &weights).unwrap()) - by_hand).abs() < 1e-12);
    }
}
