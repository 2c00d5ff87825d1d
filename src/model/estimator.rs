//! MINE as part of a larger objective (Belghazi et al. 2018): it maximizes its bound on the outputs of other networks, whose objectives
//! contain the same bound.

use crate::error::Result;
use crate::nn::taken::contribute;
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
        let mut surrogate = Surrogate::new(Bound::Mine { rate });
        surrogate.set_running(mean_of(&self.running)?);
        let loss = surrogate.loss(rows, None)?;
        let now = Tensor::new(&[surrogate.last().unwrap_or_default() as f32], self.running.device())?;
        let running = self.running.clone();
        contribute(vec![now], move |values| {
            let now = f64::from(values[0].squeeze(0)?.to_scalar::<f32>()?);
            let mixed = Surrogate::mixed(mean_of(&running)?, now, rate) as f32;
            Ok(Var::from_tensor(&running)?.set(&Tensor::new(&[mixed, 1.0], running.device())?)?)
        })?;
        Ok(loss)
    }
}

/// The logarithm in a pair (2), if there is a running mean.
fn mean_of(running: &Tensor) -> Result<Option<f64>> {
    let state = running.detach().to_dtype(DType::F32)?.to_vec1::<f32>()?;
    Ok((state[1] > 0.0).then(|| f64::from(state[0])))
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
