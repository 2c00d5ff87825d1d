//! The collapse alarm: metrics that distinguish a model that is learning from one that has collapsed, and messages for them.

use crate::error::Result;
use crate::observer::ValidLine;
use candle_core::{D, DType, Tensor};

/// The mean standard deviation of the dimensions of `z` (.., D), and the participation ratio of its covariance.
///
/// The ratio tr(C)^2 / |C|^2 counts the directions that z uses: D if all are used equally, 1 if z varies along only one, 0 if z does not
/// vary.
pub fn spread_and_rank(z: &Tensor) -> Result<(f64, f64)> {
    let dim = z.dim(D::Minus1)?;
    let rows = z.detach().reshape(((), dim))?.to_dtype(DType::F32)?;
    let n = rows.dim(0)? as f64;
    let centered = rows.broadcast_sub(&rows.mean_keepdim(0)?)?;
    let variance = (centered.sqr()?.sum(0)? / n)?;
    let covariance = (centered.t()?.contiguous()?.matmul(&centered)? / n)?;
    let spread = f64::from(variance.sqrt()?.mean_all()?.to_scalar::<f32>()?);
    let trace = f64::from(variance.sum_all()?.to_scalar::<f32>()?);
    let squares = f64::from(covariance.sqr()?.sum_all()?.to_scalar::<f32>()?);
    Ok((spread, if squares > 0.0 { trace * trace / squares } else { 0.0 }))
}

/// Steps after which a low rank or accuracy is a fault; both start low in a healthy run.
const PATIENCE: u64 = 2_000;

/// Steps after which a model whose z hardly varies, with accuracy at chance, will not recover.
const EARLY: u64 = 300;

/// Nats below the loss at chance at which a loss shows that the model has learned something, even if there are too few validation windows
/// for the accuracy to show it.
const LEARNED: f64 = 0.1;

/// A message that describes what is wrong with a model; none if it is healthy.
pub fn complaint(line: &ValidLine) -> Option<String> {
    let Some(&first) = line.figures.accuracy_per_step.first() else {
        let dead = line.windows > 1 && line.spread < 1e-4;
        return dead.then(|| {
            format!(
                "collapse: the model's output is the same for all inputs (mean standard deviation {:.1e})",
                line.spread
            )
        });
    };
    let guessing = -line.figures.chance.ln();
    let at_chance = first < 1.5 * line.figures.chance && line.figures.loss > guessing - LEARNED;
    if line.spread < 1e-4 || line.step >= EARLY && at_chance && line.spread < 0.15 {
        Some(format!(
            "collapse: z hardly varies (mean standard deviation {:.1e}); start again with a lower train.lr or a longer train.warmup_steps",
            line.spread
        ))
    } else if line.step >= PATIENCE && line.effective_rank < 1.5 {
        Some(format!(
            "collapse: z varies along only {:.1} directions; lower train.lr, or start again with another seed",
            line.effective_rank
        ))
    } else if line.step >= PATIENCE && at_chance {
        Some(format!(
            "nothing learned after {} steps: accuracy at k = 1 is {:.4}, chance {:.4}; try heads.score=scaled, a higher train.lr, \
             or check the data with `cpc info`",
            line.step, first, line.figures.chance
        ))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observer::Figures;
    use crate::ops::check::random;

    #[test]
    fn the_rank_counts_the_directions_in_use() {
        let z = random(&[4, 500, 6], 1);
        let (spread, rank) = spread_and_rank(&z).unwrap();
        assert!((spread - 1.0).abs() < 0.05 && (rank - 6.0).abs() < 0.2, "{spread} {rank}");
        let line = z.narrow(2, 0, 1).unwrap().broadcast_mul(&random(&[1, 1, 6], 2)).unwrap();
        let (_, rank) = spread_and_rank(&line).unwrap();
        assert!((rank - 1.0).abs() < 1e-3, "{rank}");
        assert_eq!(spread_and_rank(&z.zeros_like().unwrap()).unwrap(), (0.0, 0.0));
    }

    #[test]
    fn each_way_to_fail_has_its_words_and_health_has_none() {
        let line = |step, accuracy, spread, effective_rank| ValidLine {
            step,
            // One of 128: the loss at chance is 4.852 nats.
            figures: Figures::new(vec![if accuracy > 0.01 { 4.0 } else { 4.85 }], vec![accuracy], 127.0),
            spread,
            effective_rank,
            windows: 1,
            seconds: 1.0,
        };
        assert_eq!(complaint(&line(5000, 0.2, 0.5, 30.0)), None);
        assert_eq!(complaint(&line(100, 0.008, 0.07, 1.4)), None);
        let mut lucky = line(300, 0.008, 0.07, 1.4);
        lucky.figures.loss = 4.3; // few windows, none classified correctly, yet the loss is well below chance
        assert_eq!(complaint(&lucky), None);
        assert!(complaint(&line(300, 0.008, 0.07, 1.4)).unwrap().starts_with("collapse"));
        assert!(complaint(&line(5000, 0.008, 0.5, 30.0)).unwrap().starts_with("nothing learned"));
        assert!(complaint(&line(10, 1.0, 0.0, 0.0)).unwrap().contains("hardly varies"));
        assert!(complaint(&line(3000, 0.1, 0.3, 1.1)).unwrap().contains("1.1 directions"));
    }
}
