//! The rows of scores that a critic computes for samples.

use crate::error::Result;
use crate::mi::copula::Ratio;
use crate::mi::samples::Samples;
use crate::nn::{Critic, CriticKind};
use crate::objective::Bound;
use crate::ops::own_first::own_first;
use candle_core::{DType, Device, Tensor};

/// X (n, p) and Y (n, q) as the network's input, and the copula that it starts from.
#[derive(Debug, Clone)]
pub struct HeldOutRows {
    x: Tensor,
    y: Tensor,
    base: Option<Ratio>,
}

impl HeldOutRows {
    /// HeldOutRows from samples whose columns have a common scale.
    ///
    /// # Errors
    /// They differ in length.
    pub fn new(x: &Samples, y: &Samples, base: Option<Ratio>) -> Result<HeldOutRows> {
        x.check_pairs(y)?;
        let tensor = |s: &Samples| -> Result<Tensor> {
            Ok(Tensor::from_slice(s.values(), (s.len(), s.dim()), &Device::Cpu)?.to_dtype(DType::F32)?)
        };
        Ok(HeldOutRows { x: tensor(x)?, y: tensor(y)?, base })
    }

    /// HeldOutRows from a copula alone, without input for a critic.
    ///
    /// # Errors
    /// None.
    pub fn copula(base: Ratio) -> Result<HeldOutRows> {
        let nothing = Tensor::zeros((1, 1), DType::F32, &Device::Cpu)?;
        Ok(HeldOutRows { x: nothing.clone(), y: nothing, base: Some(base) })
    }

    /// p and q.
    pub fn dims(&self) -> Result<[usize; 2]> {
        Ok([self.x.dim(1)?, self.y.dim(1)?])
    }

    /// The x of some rows.
    pub(super) fn x(&self, rows: &[u32]) -> Result<Tensor> {
        Ok(self.x.index_select(&Tensor::from_slice(rows, rows.len(), self.x.device())?, 0)?)
    }

    /// The y of some rows.
    pub(super) fn y(&self, rows: &[u32]) -> Result<Tensor> {
        Ok(self.y.index_select(&Tensor::from_slice(rows, rows.len(), self.y.device())?, 0)?)
    }

    /// T(x_j, y_i) of all pairs of the rows `x` and `y`, (N, M) as in [`Critic::all_pairs`]; without a critic, the scores of the copula alone.
    pub(super) fn all_pairs(&self, critic: Option<&Critic>, x: &[u32], y: &[u32]) -> Result<Tensor> {
        let base = self.base.as_ref().map(|base| base.all_pairs(x, y)).transpose()?;
        match (base, critic) {
            (Some(base), Some(critic)) => critic.all_pairs_onto(&self.x(x)?, &self.y(y)?, &base),
            (Some(base), None) => Ok(base),
            (None, Some(critic)) => critic.all_pairs(&self.x(x)?, &self.y(y)?),
            (None, None) => Ok(Tensor::zeros((y.len(), x.len()), DType::F32, self.x.device())?),
        }
    }

    /// HeldOutRows of scores (R, 1 + M) for `rows`, in the form that [`Bound`] requires: the pair itself first, then pairs with the other rows of a block
    /// of about `block` neighbors in `rows`. For the leave-one-out bound the others are the y of other rows; otherwise they are the x.
    pub(crate) fn scores(&self, critic: Option<&Critic>, rows: &[u32], block: usize, bound: Bound) -> Result<Tensor> {
        let n = rows.len();
        let size = n.div_ceil(n.div_ceil(block.max(2)).max(1)).min(n);
        let mut parts = Vec::new();
        for start in (0..n).step_by(size.max(1)) {
            let own = &rows[start..(start + size).min(n)];
            let from = start.min(n - size); // the last block starts earlier, so that all have the same size
            let others = &rows[from..from + size];
            let scores = match bound {
                Bound::LeaveOneOut => self.all_pairs(critic, own, others)?.t()?.contiguous()?,
                _ => self.all_pairs(critic, others, own)?,
            };
            parts.push(own_first(&scores, start - from)?);
        }
        Ok(Tensor::cat(&parts, 0)?)
    }
}

/// The number of rows in a block of scores during training: the joint critic runs its network on every pair.
pub(super) fn block(kind: CriticKind) -> usize {
    if kind == CriticKind::Joint { 64 } else { 250 }
}

/// The number of rows in a block of scores for evaluation: InfoNCE cannot exceed its logarithm.
pub(super) fn valued(kind: CriticKind) -> usize {
    if kind == CriticKind::Joint { 250 } else { 1000 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::{CriticSize, ParamStore};

    #[test]
    fn blocks_have_one_size_and_the_pair_itself_in_front() {
        let x = Samples::new((0..7).map(f64::from).collect(), 1).unwrap();
        let y = Samples::new((0..7).map(|i| f64::from(i) + 1.0).collect(), 1).unwrap();
        let store = ParamStore::new(1, &Device::Cpu);
        let size = CriticSize { hidden_dim: 1, layers: 0, embedding_dim: 1 };
        let critic = Critic::new(CriticKind::Bilinear, [1, 1], size, &store.builder()).unwrap();
        store.trainable()[0].1.set(&Tensor::ones((1, 1), DType::F32, &Device::Cpu).unwrap()).unwrap();
        let rows = HeldOutRows::new(&x, &y, None).unwrap();
        let scores =
            |bound| rows.scores(Some(&critic), &[6, 1, 2, 3, 4, 5, 0], 3, bound).unwrap().to_vec2::<f32>().unwrap();
        // T = x y, y = x + 1; blocks (6 1 2), (3 4 5) and (4 5 0). In the last one only row 0 is new.
        let infonce = scores(Bound::InfoNce);
        assert_eq!((infonce.len(), infonce[0].len()), (7, 3));
        assert_eq!(infonce[0], [42.0, 7.0, 14.0]);
        assert_eq!(infonce[1], [2.0, 12.0, 4.0]);
        assert_eq!(infonce[6], [0.0, 4.0, 5.0]);
        assert_eq!(scores(Bound::LeaveOneOut)[1], [2.0, 7.0, 3.0]);
    }
}
