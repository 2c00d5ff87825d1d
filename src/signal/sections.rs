//! The sections of a configuration that have to fit each other.

use crate::config::{ConvEncoderConfig, HeadsConfig, NegativesFrom, ObjectiveConfig, TrainConfig};
use crate::error::Problem;
use crate::nn::ContextConfig;

/// Adds to `faults` what does not fit in a configuration whose sections are valid by themselves; a window of 0 samples is not known yet.
pub fn relate(
    encoder: &ConvEncoderConfig,
    context: &ContextConfig,
    heads: &HeadsConfig,
    objective: &ObjectiveConfig,
    train: &TrainConfig,
    window: usize,
    faults: &mut Vec<Problem>,
) {
    let (frames, steps) = (encoder.frames(window), heads.steps);
    if window > 0 && frames <= steps {
        faults.push(Problem::new(
            "data.window",
            format!("{window} samples give {frames} frames, but heads.steps = {steps} needs at least {}", steps + 1),
        ));
    }
    if objective.mask_duplicates {
        faults.push(Problem::new("objective.mask_duplicates", "is for text; no two frames of a signal are the same"));
    }
    heads.validate_sizes(encoder.hidden_dim, context.hidden_dim, faults);
    let same = objective.negatives_from == NegativesFrom::SameSequence && objective.exclude_positive;
    if same && window > 0 && frames <= steps + 1 && objective.num_negatives > 0 {
        faults.push(Problem::new("objective.exclude_positive", "leaves no frame of the window to draw from"));
    }
    if objective.negatives_from == NegativesFrom::OtherSequences && train.batch_size < 2 {
        faults.push(Problem::new("objective.negatives_from", "other-sequences needs train.batch_size of at least 2"));
    }
}
