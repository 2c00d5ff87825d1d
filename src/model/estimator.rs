//! MINE as part of a larger objective (Belghazi et al. 2018): it maximizes its bound on the outputs of other networks, whose objectives
//! contain the same bound.

use crate::error::Result;
use crate::nn::{Critic, CriticKind, CriticSize};
use crate::objective::{Bound, Surrogate};
use crate::seed::Stream;
use candle_core::{DType, Tensor, Var};
use candle_nn::{Init, VarBuilder};

/// The network that is trained, its twin whose weights are constants, and the logarithm of the running mean of e^T.
#[derive(Debug, Clone)]
pub(crate) struct Estimator {
    learning: Critic,
    fixed: Critic,
    /// A pair (2): the logarithm of the running mean, and 1 once a running mean exists. It is a buffer, so that a resumed run continues as if
    /// it had not stopped.
    running: Tensor,
}

impl Estimator {
    /// An estimator for pairs of vectors of dimensions `dims`, with `layers` hidden layers of `hidden_dim` units.
    pub fn new(
        dims: [usize; 2],
        (hidden_dim, layers): (usize, usize),
        vb: &VarBuilder,
        frozen: &VarBuilder,
    ) -> Result<Self> {
        let critic = |vb: &VarBuilder| {
            Critic::new(CriticKind::Joint, dims, CriticSize { hidden_dim, layers, embedding_dim: 0 }, vb)
        };
        let running = vb.get_with_hints(2, "running_mean", Init::Const(0.0))?;
        Ok(Estimator { learning: critic(vb)?, fixed: critic(frozen)?, running })
    }

    /// Rows (B, 2) of scores of the joint pairs (`xs[0]`, `ys[0]`) and of the independent pairs (`xs[1]`, `ys[1]`), from the network that is
    /// trained.
    pub fn learning(&self, xs: &[&Tensor; 2], ys: [&Tensor; 2]) -> Result<Tensor> {
        rows(&self.learning, xs, ys)
    }

    /// The same scores from the twin.
    pub fn fixed(&self, xs: &[&Tensor; 2], ys: [&Tensor; 2]) -> Result<Tensor> {
        rows(&self.fixed, xs, ys)
    }

    /// MINE's surrogate loss of rows of scores. The running mean continues from its previous value.
    pub fn learn(&self, rows: &Tensor, rate: f64) -> Result<Tensor> {
        let state = self.running.detach().to_dtype(DType::F32)?.to_vec1::<f32>()?;
        let mut surrogate = Surrogate::new(Bound::Mine { rate });
        surrogate.set_running((state[1] > 0.0).then(|| f64::from(state[0])));
        let loss = surrogate.loss(rows, None)?;
        let running = surrogate.running().unwrap_or_default() as f32;
        Var::from_tensor(&self.running)?.set(&Tensor::new(&[running, 1.0], self.running.device())?)?;
        Ok(loss)
    }
}

fn rows(critic: &Critic, xs: &[&Tensor; 2], ys: [&Tensor; 2]) -> Result<Tensor> {
    Ok(Tensor::stack(&[critic.pairs(xs[0], ys[0])?, critic.pairs(xs[1], ys[1])?], 1)?)
}

/// The rows rotated by a random offset, so that none of them stays in place.
pub(crate) fn rolled(rows: &Tensor, stream: &mut Stream) -> Result<Tensor> {
    let n = rows.dim(0)?;
    let by = 1 + stream.below((n as u32).saturating_sub(1)) as usize;
    Ok(rows.roll(by as i32, 0)?)
}
