//! The learning rate as a pure function of the step.

use crate::config::{Schedule, TrainConfig};

/// The learning rate of update `step`, counted from 0.
///
/// It rises linearly over `warmup_steps`. Then `cosine` decays to 0 at the last step, `step` is multiplied by `decay_factor` every
/// `decay_every` steps, and `constant` does not change.
pub fn learning_rate(cfg: &TrainConfig, step: u64) -> f64 {
    if step < cfg.warmup_steps {
        return cfg.lr * (step + 1) as f64 / cfg.warmup_steps as f64;
    }
    match cfg.schedule {
        Schedule::Constant => cfg.lr,
        Schedule::Cosine => {
            let length = cfg.steps.saturating_sub(cfg.warmup_steps).max(1) as f64;
            let done = ((step - cfg.warmup_steps) as f64 / length).min(1.0);
            cfg.lr * 0.5 * (1.0 + (std::f64::consts::PI * done).cos())
        }
        Schedule::Step => cfg.lr * cfg.decay_factor.powf((step / cfg.decay_every.max(1)) as f64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_schedule_at_its_corners() {
        let cfg = TrainConfig { lr: 1.0, steps: 110, warmup_steps: 10, ..Default::default() };
        let at = |schedule, step| learning_rate(&TrainConfig { schedule, decay_every: 50, ..cfg.clone() }, step);
        assert_eq!((at(Schedule::Constant, 0), at(Schedule::Constant, 4), at(Schedule::Constant, 9)), (0.1, 0.5, 1.0));
        assert_eq!(at(Schedule::Constant, 100), 1.0);
        assert!((at(Schedule::Cosine, 10) - 1.0).abs() < 1e-12 && (at(Schedule::Cosine, 60) - 0.5).abs() < 1e-12);
        assert!(at(Schedule::Cosine, 110) < 1e-12 && at(Schedule::Cosine, 109) > 0.0);
        assert_eq!((at(Schedule::Step, 49), at(Schedule::Step, 50), at(Schedule::Step, 100)), (1.0, 0.5, 0.25));
    }
}
