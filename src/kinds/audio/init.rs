//! Starting from the weights of another model (`--init`), and from Adam's moments in a checkpoint (`--resume-optimizer`).

use crate::config::{HeadsConfig, TrainConfig};
use crate::error::{Error, Result};
use crate::kinds::audio::AudioModel;
use crate::kinds::audio::cpc_audio::{HEADS, rescaled};
use crate::nn::ParamStore;
use crate::train::Start;
use candle_core::Tensor;
use std::collections::HashMap;

/// Loads the weights of `init` into `params`, and returns the start of the training.
///
/// If `init` has no prediction heads, those of `params` are unchanged. Heads that were trained with another kind of score
/// are rescaled so that the scores stay the same.
///
/// # Errors
/// The model has different sizes. Moments are requested, but the model has none, or they belong to another kind of score.
pub fn begin(init: &AudioModel, params: &ParamStore, heads: &HeadsConfig, train: &TrainConfig) -> Result<Start> {
    let from = &init.origin.reference;
    let old = init.config.heads.score;
    if train.init_optimizer && (old != heads.score || !init.has_heads()) {
        return Err(Error::usage(
            format!("--resume-optimizer: the moments of {from} belong to other prediction heads"),
            match init.has_heads() {
                true => format!("add --set heads.score={}, the kind of score that they were trained with", old.name()),
                false => "omit --resume-optimizer: the weights have no prediction heads to resume with".into(),
            },
        ));
    }
    let rescale = |(name, tensor): (&String, &Tensor)| -> Result<(String, Tensor)> {
        Ok((name.clone(), rescaled(name, tensor, &init.config, heads.score)?))
    };
    let tensors: HashMap<String, Tensor> = init.tensors.iter().map(rescale).collect::<Result<_>>()?;
    params.load(&tensors, (!init.has_heads()).then_some(HEADS), from)?;
    Ok(match train.init_optimizer {
        true => Start::Moments(init.moments()?, from.clone()),
        false => Start::Fresh,
    })
}
