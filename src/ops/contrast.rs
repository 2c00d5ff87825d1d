//! Losses of rows of scores T (R, 1 + M), in which the joint pair stands first and independent pairs follow: those of the bounds on mutual
//! information other than InfoNCE, which is a [cross-entropy](crate::ops::cross_entropy).
//!
//! In candle each would be five to twenty passes over the scores. Here one pass computes the loss together with its gradient.

use crate::error::{Error, Result};
use crate::ops::cross_entropy;
use crate::ops::function::{Floats, Form, Output, function};
use crate::ops::simd::{exp, kernel, largest, ln, sigmoid, sum1, sum2};
use candle_core::{D, DType, Device, Tensor};

/// The score above which e^T continues by its tangent.
pub const STRAIGHT: f64 = 30.0;

/// A loss. `joint` is T of the joint pair; means are over rows, or over all independent pairs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Contrast {
    /// log mean e^T - mean joint.
    LogMean,
    /// mean e^(T - less) - mean joint.
    Mean {
        /// The logarithm of what the mean is divided by.
        less: f64,
    },
    /// mean e^(T - less - a) - mean (joint - a), with the baseline a of the row; e^T continues as a straight line above [`STRAIGHT`].
    Straight {
        /// Subtracted from scores of independent pairs.
        less: f64,
    },
    /// mean log(1 + e^T) + mean log(1 + e^-joint).
    SoftPlus,
    /// The cross-entropy of finding the joint pair, or that there is none, and `weight` times that of finding that there is none among the others; over
    /// 1 + `weight`.
    Anchor {
        /// How often there is none, for each joint pair.
        weight: f64,
    },
    /// mean e^(L - mix of all but the joint pair) - mean (joint - mix of all but the last), where L is the log of a row's mean e^T over the others, and
    /// a mix is the log of `alpha` times a mean of e^T plus 1 - `alpha` times e^a.
    Mixed {
        /// 0 to 1.
        alpha: f64,
    },
}

/// The loss of rows of scores (R, 1 + M), a scalar, with baselines `log_a` (R), which are 0 without.
///
/// # Errors
/// There are no rows, or a row has no others.
pub fn contrast(scores: &Tensor, log_a: Option<&Tensor>, form: Contrast) -> Result<Tensor> {
    let (rows, width) = scores.dims2()?;
    if rows == 0 || width < 2 || log_a.is_some_and(|a| a.elem_count() != rows) {
        let what = format!("scores of shape {:?} are not rows of a joint pair and others", scores.dims());
        return Err(Error::Tensor(candle_core::Error::Msg(what)));
    }
    match Form::of(scores) {
        Form::Fused => fused(scores, log_a, form),
        _ => composed(scores, log_a, form),
    }
}

/// log mean e^T over all independent pairs of rows of scores (R, 1 + M), as a number.
///
/// # Errors
/// The scores cannot be copied.
pub fn log_mean_of_others(scores: &Tensor) -> Result<f64> {
    let scores = scores.detach().contiguous()?;
    let width = scores.dim(1)?;
    if Form::of(&scores) == Form::Fused {
        return Ok(log_mean(&Floats::of(&scores)?, width).iter().sum());
    }
    let all = log_mean_exp(&scores.narrow(1, 1, width - 1)?)?;
    Ok(all.to_device(&Device::Cpu)?.to_dtype(DType::F64)?.to_scalar::<f64>()?)
}

/// [`contrast`] built from candle operations.
pub fn composed(scores: &Tensor, log_a: Option<&Tensor>, form: Contrast) -> Result<Tensor> {
    let (rows, width) = scores.dims2()?;
    let joint = scores.narrow(1, 0, 1)?; // (R, 1)
    let others = scores.narrow(1, 1, width - 1)?; // (R, M)
    let log_a = match log_a {
        Some(log_a) => log_a.reshape((rows, 1))?,
        None => joint.zeros_like()?,
    };
    Ok(match form {
        Contrast::LogMean => (log_mean_exp(&others)? - joint.mean_all()?)?,
        Contrast::Mean { less } => ((others - less)?.exp()?.mean_all()? - joint.mean_all()?)?,
        Contrast::Straight { less } => {
            (straight_exp(&(others - less)?.broadcast_sub(&log_a)?)?.mean_all()? - (joint - &log_a)?.mean_all()?)?
        }
        Contrast::SoftPlus => (soft_plus(&joint.neg()?)?.mean_all()? + soft_plus(&others)?.mean_all()?)?,
        Contrast::Anchor { weight } => {
            // A class counts as often as it occurs.
            let none = |pairs: usize| Ok::<Tensor, Error>((joint.zeros_like()? + (weight * pairs as f64).ln())?);
            let found = cross_entropy::first_is_true(&Tensor::cat(&[scores, &none(width)?], 1)?)?.mean_all()?;
            let anchor = cross_entropy::first_is_true(&Tensor::cat(&[&none(width - 1)?, &others], 1)?)?.mean_all()?;
            ((found + (anchor * weight)?)? / (1.0 + weight))?
        }
        Contrast::Mixed { alpha } => {
            let mixed = |row: &Tensor| -> Result<Tensor> {
                let mean = row_log_mean_exp(row)?;
                if alpha >= 1.0 {
                    return Ok(mean);
                }
                let parts = [(log_a.clone() + (1.0 - alpha).ln())?, (mean + alpha.max(1e-300).ln())?];
                Ok((row_log_mean_exp(&Tensor::cat(&parts, 1)?)? + 2f64.ln())?)
            };
            let first = (&joint - mixed(&scores.narrow(1, 0, width - 1)?)?)?;
            let second = (row_log_mean_exp(&others)? - mixed(&others)?)?;
            (straight_exp(&second)?.mean_all()? - first.mean_all()?)?
        }
    })
}

/// [`contrast`] on the CPU in f32.
pub fn fused(scores: &Tensor, log_a: Option<&Tensor>, form: Contrast) -> Result<Tensor> {
    let scores = scores.contiguous()?;
    let (rows, width) = scores.dims2()?;
    let log_a =
        log_a.map_or_else(|| Tensor::zeros(rows, DType::F32, &Device::Cpu), |a| a.flatten_all())?.contiguous()?;
    let mut work = Work { loss: 0.0, slopes: vec![0.0; rows * width], of_a: vec![0.0; rows] };
    {
        let (t, a) = (Floats::of(&scores)?, Floats::of(&log_a)?);
        match form {
            Contrast::LogMean => {
                let [most, rest] = log_mean(&t, width);
                means_of_exp(&t, width, most as f32, (-rest).exp(), &mut work);
                work.loss += most + rest - 1.0; // the mean of e^(T - log mean) is 1
            }
            Contrast::Mean { less } => means_of_exp(&t, width, less as f32, 1.0, &mut work),
            Contrast::Straight { less } => means_of_straight(&t, &a, width, less as f32, &mut work),
            Contrast::SoftPlus => means_of_soft_plus(&t, width, &mut work),
            Contrast::Anchor { weight } => anchors(&t, width, weight, &mut work),
            Contrast::Mixed { alpha } => mixes(&t, &a, width, alpha, &mut work),
        }
    }
    let Work { loss, slopes, of_a } = work;
    let (slopes, of_a) = (Tensor::from_vec(slopes, (rows, width), &Device::Cpu)?, Tensor::new(of_a, &Device::Cpu)?);
    let backward = move |grad: &Tensor| -> Result<[Option<Tensor>; 3]> {
        let scale = f64::from(grad.to_scalar::<f32>()?);
        Ok([Some((&slopes * scale)?), Some((&of_a * scale)?), None])
    };
    function([&scores, &log_a, &scores.detach()], Output::floats(vec![loss as f32], ()), backward)
}

/// What a pass over the rows computes: the loss, and its slopes by scores and by baselines.
struct Work {
    loss: f64,
    slopes: Vec<f32>,
    of_a: Vec<f32>,
}

/// log mean e^T over the others of all rows: the largest T, and the rest.
fn log_mean(scores: &[f32], width: usize) -> [f64; 2] {
    let (mut most, mut sum) = (f32::NEG_INFINITY, 0.0);
    largest_other(scores, width, &mut most);
    if most == f32::NEG_INFINITY {
        return [f64::from(scores[1..].iter().sum::<f32>()), 0.0]; // minus infinity, or no number
    }
    sum_of_others(scores, width, most, &mut sum);
    [f64::from(most), (sum / (scores.len() / width * (width - 1)) as f64).ln()]
}

kernel! {
    fn largest_other<'a>(scores: &'a [f32], width: usize, most: &'a mut f32) {
        for row in scores.chunks_exact(width) {
            *most = most.max(largest(&row[1..]));
        }
    }
}

kernel! {
    fn sum_of_others<'a>(scores: &'a [f32], width: usize, less: f32, sum: &'a mut f64) {
        for row in scores.chunks_exact(width) {
            *sum += f64::from(sum1(&row[1..], |t| exp(t - less)));
        }
    }
}

kernel! {
    fn means_of_exp<'a>(scores: &'a [f32], width: usize, less: f32, factor: f64, work: &'a mut Work) {
        let rows = scores.len() / width;
        let factor = (factor / (rows * (width - 1)) as f64) as f32;
        for (row, slopes) in scores.chunks_exact(width).zip(work.slopes.chunks_exact_mut(width)) {
            slopes.iter_mut().zip(row).for_each(|(d, t)| *d = factor * exp(t - less));
            work.loss += f64::from(sum1(&slopes[1..], |d| d)) - f64::from(row[0]) / rows as f64;
            slopes[0] = -1.0 / rows as f32;
        }
    }
}

kernel! {
    fn means_of_straight<'a>(scores: &'a [f32], log_a: &'a [f32], width: usize, less: f32, work: &'a mut Work) {
        let (rows, count) = (scores.len() / width, (scores.len() / width * (width - 1)) as f32);
        let each = scores.chunks_exact(width).zip(work.slopes.chunks_exact_mut(width)).zip(log_a.iter().zip(&mut work.of_a));
        for ((row, slopes), (a, of_a)) in each {
            let less = less + a;
            // (`min` and `max` would pass over what is not a number.)
            let low = |t: f32| if t > STRAIGHT as f32 { STRAIGHT as f32 } else { t };
            slopes.iter_mut().zip(row).for_each(|(d, t)| *d = exp(low(t - less)) / count);
            let slope = sum1(&slopes[1..], |d| d);
            let above = sum2(&slopes[1..], &row[1..], |d, t| d * (t - less - STRAIGHT as f32).max(0.0));
            work.loss += f64::from(slope) + f64::from(above) - f64::from(row[0] - a) / rows as f64;
            slopes[0] = -1.0 / rows as f32;
            *of_a = 1.0 / rows as f32 - slope;
        }
    }
}

kernel! {
    fn means_of_soft_plus<'a>(scores: &'a [f32], width: usize, work: &'a mut Work) {
        let (rows, count) = (scores.len() / width, (scores.len() / width * (width - 1)) as f32);
        let soft = |t: f32| (if t < 0.0 { 0.0 } else { t }) + ln(1.0 + exp(-t.abs()));
        for (row, slopes) in scores.chunks_exact(width).zip(work.slopes.chunks_exact_mut(width)) {
            slopes.iter_mut().zip(row).for_each(|(d, &t)| *d = sigmoid(t) / count);
            work.loss += f64::from(sum1(&row[1..], soft) / count) + f64::from(soft(-row[0])) / rows as f64;
            slopes[0] = -sigmoid(-row[0]) / rows as f32;
        }
    }
}

kernel! {
    /// e^(t - m) of a row, with its largest m, and the logarithm of its sum; both are minus infinity without elements.
    fn exponentials<'a>(row: &'a [f32], out: &'a mut [f32], sizes: &'a mut [f64; 2]) {
        let most = largest(row);
        out.iter_mut().zip(row).for_each(|(d, t)| *d = exp(t - most));
        *sizes = [f64::from(most), f64::from(most) + f64::from(sum1(out, |d| d)).ln()];
    }
}

fn anchors(scores: &[f32], width: usize, weight: f64, work: &mut Work) {
    let rows = scores.len() / width;
    let none = [width, width - 1].map(|pairs| (weight * pairs as f64).ln());
    let scale = 1.0 / (rows as f64 * (1.0 + weight));
    for (row, slopes) in scores.chunks_exact(width).zip(work.slopes.chunks_exact_mut(width)) {
        let (joint, mut sizes) = (f64::from(row[0]), [0.0; 2]);
        exponentials(&row[1..], &mut slopes[1..], &mut sizes);
        let [most, others] = sizes;
        let found = log_add(log_add(others, joint), none[0]);
        let anchor = log_add(others, none[1]);
        work.loss += scale * ((found - joint) + weight * (anchor - none[1]));
        let factor = (scale * ((most - found).exp() + weight * (most - anchor).exp())) as f32;
        slopes[1..].iter_mut().for_each(|d| *d *= factor);
        slopes[0] = (scale * ((joint - found).exp() - 1.0)) as f32;
    }
}

fn mixes(scores: &[f32], log_a: &[f32], width: usize, alpha: f64, work: &mut Work) {
    let rows = (scores.len() / width) as f64;
    let each =
        scores.chunks_exact(width).zip(work.slopes.chunks_exact_mut(width)).zip(log_a.iter().zip(&mut work.of_a));
    for ((row, slopes), (&a, of_a)) in each {
        let (joint, last, mut sizes) = (f64::from(row[0]), f64::from(row[width - 1]), [0.0; 2]);
        exponentials(&row[1..width - 1], &mut slopes[1..width - 1], &mut sizes);
        let [most, middle] = sizes;
        // The logarithm of a sum over a row without its last, or without the joint pair; its mix with the baseline; and its share of the mix.
        let sums = [log_add(middle, joint), log_add(middle, last)];
        let mean = |sum: f64| sum - ((width - 1) as f64).ln();
        let mix = |sum: f64| {
            let of_mean = alpha.max(1e-300).ln() + mean(sum);
            let mixed = log_add(of_mean, (1.0 - alpha).ln() + f64::from(a));
            (mixed, (of_mean - mixed).exp())
        };
        let [(mixed, share), (other_mixed, other_share)] = sums.map(mix);
        let above = mean(sums[1]) - other_mixed;
        let slope = above.min(STRAIGHT).exp();
        work.loss += (slope * (1.0 + (above - STRAIGHT).max(0.0)) - (joint - mixed)) / rows;
        let [by_first, by_other] = [share / rows, slope * (1.0 - other_share) / rows];
        *of_a = ((1.0 - share - slope * (1.0 - other_share)) / rows) as f32;
        let factor = ((most - sums[0]).exp() * by_first + (most - sums[1]).exp() * by_other) as f32;
        slopes[1..width - 1].iter_mut().for_each(|d| *d *= factor);
        slopes[0] = ((joint - sums[0]).exp() * by_first - 1.0 / rows) as f32;
        slopes[width - 1] = ((last - sums[1]).exp() * by_other) as f32;
    }
}

/// log(e^a + e^b).
pub(crate) fn log_add(a: f64, b: f64) -> f64 {
    let max = if a > b { a } else { b }; // what is not a number stays that
    match max.is_finite() {
        true => max + ((a - max).exp() + (b - max).exp()).ln(),
        false if a.is_nan() => a,
        false => max,
    }
}

/// log(mean(exp(t))) of every row: (R, 1).
pub(crate) fn row_log_mean_exp(t: &Tensor) -> Result<Tensor> {
    let max = t.detach().max_keepdim(D::Minus1)?;
    let sum = t.broadcast_sub(&max)?.exp()?.mean_keepdim(D::Minus1)?;
    Ok((sum.log()? + max)?)
}

/// log(mean(exp(t))) over all elements: a scalar.
pub(crate) fn log_mean_exp(t: &Tensor) -> Result<Tensor> {
    Ok(row_log_mean_exp(&t.flatten_all()?.unsqueeze(0)?)?.squeeze(0)?.squeeze(0)?)
}

/// e^t up to [`STRAIGHT`], and beyond it the tangent at that point.
fn straight_exp(t: &Tensor) -> Result<Tensor> {
    let above = (t - STRAIGHT)?.relu()?;
    let low = (t - &above)?; // and not a minimum, of which CUDA makes a number where there is none
    Ok((low.exp()? + (above * STRAIGHT.exp())?)?)
}

/// log(1 + e^t), for any t.
pub fn soft_plus(t: &Tensor) -> Result<Tensor> {
    let tail = (t.abs()?.neg()?.exp()? + 1.0)?.log()?;
    Ok((t.relu()? + tail)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::check::{finite_differences, random, same, single};

    const ALL: [Contrast; 9] = [
        Contrast::LogMean,
        Contrast::Mean { less: 0.7 },
        Contrast::Straight { less: 1.0 },
        Contrast::Straight { less: 0.0 },
        Contrast::SoftPlus,
        Contrast::Anchor { weight: 0.6 },
        Contrast::Mixed { alpha: 0.3 },
        Contrast::Mixed { alpha: 0.0 },
        Contrast::Mixed { alpha: 1.0 },
    ];

    /// Whether the loss has a slope by its baseline.
    fn has_baseline(form: Contrast) -> bool {
        matches!(form, Contrast::Straight { .. }) || matches!(form, Contrast::Mixed { alpha } if alpha < 1.0)
    }

    #[test]
    fn fused_equals_composed_equals_finite_differences() {
        for form in ALL {
            for (rows, width, size) in [(4, 5, 1.0), (3, 40, 3.0), (2, 2, 1.0)] {
                let scores = (random(&[rows, width], 1) * size).unwrap();
                let inputs = [scores, random(&[rows], 2)];
                let inputs = if has_baseline(form) { &inputs[..] } else { &inputs[..1] };
                finite_differences(|t| composed(&t[0], t.get(1), form), inputs);
                same(|t| contrast(&t[0], t.get(1), form), |t| composed(&t[0], t.get(1), form), inputs);
            }
        }
    }

    #[test]
    fn huge_scores_have_finite_losses_and_slopes_in_both_forms() {
        let scores = Tensor::new(&[[40.0f64, 35.0, -80.0, 50.0], [-1e4, 3.0, 1.0, 33.0]], &Device::Cpu).unwrap();
        for form in ALL.into_iter().filter(|form| !matches!(form, Contrast::Mean { .. })) {
            same(|t| contrast(&t[0], None, form), |t| composed(&t[0], None, form), std::slice::from_ref(&scores));
        }
    }

    #[test]
    fn what_is_not_a_number_is_not_lost() {
        for form in ALL {
            for places in [&[0][..], &[7, 12], &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19]]
            {
                let mut values = random(&[20], 1).to_vec1::<f64>().unwrap();
                places.iter().for_each(|&at| values[at] = f64::NAN);
                let scores = single(&Tensor::from_vec(values, (4, 5), &Device::Cpu).unwrap());
                let loss = contrast(&scores, None, form).unwrap().to_scalar::<f32>().unwrap();
                assert!(loss.is_nan(), "{form:?} {places:?}: {loss}");
            }
        }
    }

    #[test]
    fn the_log_of_a_mean_is_over_all_others() {
        let scores = random(&[3, 4], 5);
        let others: Vec<f64> = scores.to_vec2::<f64>().unwrap().iter().flat_map(|row| row[1..].to_vec()).collect();
        let want = (others.iter().map(|t| t.exp()).sum::<f64>() / 9.0).ln();
        assert!((log_mean_of_others(&scores).unwrap() - want).abs() < 1e-12);
        assert!((log_mean_of_others(&single(&scores)).unwrap() - want).abs() < 1e-6);
    }

    #[test]
    fn rows_without_others_are_refused() {
        assert!(contrast(&random(&[3, 1], 1), None, Contrast::LogMean).is_err());
        assert!(contrast(&random(&[0, 4], 1), None, Contrast::LogMean).is_err());
        assert!(contrast(&random(&[3, 4], 1), Some(&random(&[2], 1)), Contrast::LogMean).is_err());
    }
}
