//! Starting from the weights of another model (`--init`), and from Adam's moments in a checkpoint (`--resume-optimizer`).

use crate::config::{HeadsConfig, HeadsKind, ScoreKind, TrainConfig};
use crate::error::{Error, Result};
use crate::nn::{Moments, ParamStore};
use crate::signal::{HEADS, Sizes, has_heads};
use crate::train::Start;
use crate::weights::read_tensors;
use candle_core::Tensor;
use std::collections::HashMap;
use std::path::Path;

/// A model whose weights training starts from.
pub struct Initial<'a> {
    /// Its sizes.
    pub sizes: Sizes,
    /// Its tensors. The prediction heads may be missing.
    pub tensors: &'a HashMap<String, Tensor>,
    /// Its name in errors.
    pub reference: &'a str,
}

/// Loads the weights of `init` into `params`, and returns the start of the training. `moments` reads Adam's moments.
///
/// If `init` has no prediction heads, those of `params` are unchanged. Heads that were trained with another kind of score
/// are rescaled so that the scores stay the same.
///
/// # Errors
/// The model has different sizes. Moments are requested, but the model has none, or they belong to another kind of score.
pub fn begin(
    init: &Initial,
    moments: impl FnOnce() -> Result<Moments>,
    params: &ParamStore,
    heads: &HeadsConfig,
    train: &TrainConfig,
) -> Result<Start> {
    let (from, old, headed) = (init.reference, init.sizes.heads.score, has_heads(init.tensors));
    if train.init_optimizer && (old != heads.score || !headed) {
        return Err(Error::usage(
            format!("--resume-optimizer: the moments of {from} belong to other prediction heads"),
            match headed {
                true => format!("add --set heads.score={}, the kind of score that they were trained with", old.name()),
                false => "omit --resume-optimizer: the weights have no prediction heads to resume with".into(),
            },
        ));
    }
    let rescale = |(name, tensor): (&String, &Tensor)| -> Result<(String, Tensor)> {
        let (heads_of, dim) = (&init.sizes.heads, init.sizes.encoder.hidden_dim);
        Ok((name.clone(), rescaled(name, tensor, heads_of, dim, heads.score)?))
    };
    let tensors: HashMap<String, Tensor> = init.tensors.iter().map(rescale).collect::<Result<_>>()?;
    params.load(&tensors, (!headed).then_some(HEADS), from)?;
    Ok(match train.init_optimizer {
        true => Start::Moments(moments()?, from.to_string()),
        false => Start::Fresh,
    })
}

/// A tensor of a model with these heads and D = `dim`, rescaled so that the scores stay the same when they are computed as `to`.
///
/// # Errors
/// A tensor operation fails.
pub fn rescaled(name: &str, tensor: &Tensor, heads: &HeadsConfig, dim: usize, to: ScoreKind) -> Result<Tensor> {
    let last = match heads.kind {
        HeadsKind::Linear => name.starts_with(HEADS),
        HeadsKind::Transformer => name.starts_with(HEADS) && name.contains(".ln_ffnetwork."),
    };
    match last && heads.score != to {
        true => Ok((tensor * (heads.score.scale(dim) / to.scale(dim)))?),
        false => Ok(tensor.clone()),
    }
}

/// Adam's moments in a checkpoint of a run. `reference` is its name in errors.
///
/// # Errors
/// There are none, or they cannot be read.
pub fn moments(checkpoint: &Path, reference: &str) -> Result<Moments> {
    let (file, state) = (checkpoint.join("optimizer.safetensors"), checkpoint.join("state.json"));
    if !file.exists() || !state.exists() {
        return Err(Error::usage(
            format!("--resume-optimizer: {reference} has no optimizer state"),
            "give --init a checkpoint (RUN/checkpoints/step-N, or CPC_audio's checkpoint_N.pt), or omit --resume-optimizer",
        ));
    }
    let text = std::fs::read_to_string(&state).map_err(Error::io(&state, "read"))?;
    let json: serde_json::Value = serde_json::from_str(&text).map_err(|e| Error::bad_file(&state, e))?;
    let count = |key: &str| json[key].as_u64().unwrap_or(0);
    Ok(Moments { tensors: read_tensors(&file)?, steps: count("step") + count("updates_before") })
}
