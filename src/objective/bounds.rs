//! Bounds on mutual information, from scores of joint and of independent pairs.
//!
//! Every bound is a function of rows of scores T (R, 1 + M). Row i belongs to y_i. Its first column is T(x_i, y_i) of the joint pair. The
//! other columns are T(x_j, y_i) of x_j that are independent of y_i. [`rows_of`] turns a square matrix of scores into such rows. CPC's
//! scores have this form already, and [`Bound::InfoNce`] is its objective.
//!
//! Two quantities are kept separate here that public code often mixes. The *estimate* ([`Bound::estimate`]) is the value of the bound in
//! nats. The *surrogate* ([`Surrogate`]) is the loss minimized in training; its value has no meaning. For MINE its gradient has a running
//! mean in the denominator. For JS and SMILE it is the gradient of the Jensen-Shannon divergence.
//!
//! Exponentials are taken of differences from the largest score, so that scores of 1e4 and more stay finite. Where a mean of exponentials
//! itself is needed (NWJ, TUBA), it continues as a straight line above e^[`STRAIGHT`](crate::ops::contrast::STRAIGHT) in training; estimates use the exact value.

use crate::error::{Error, Result};
use crate::ops::contrast::{self, Contrast, contrast, log_add, log_mean_of_others, soft_plus};
use crate::ops::cross_entropy::first_is_true;
use crate::ops::own_first::own_first;
use crate::ops::simd::sum_of_exp;
use candle_core::{DType, Device, Tensor};
use std::fmt;
use std::str::FromStr;

/// On which side of the mutual information a value lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Below it, in expectation.
    Lower,
    /// Above it, in expectation, if the scores are the logarithm of the true conditional density.
    Upper,
    /// It may lie on either side.
    Neither,
}

/// A bound, or an estimate of the same form. f* denotes the critic that makes it tight, up to the constant or function stated.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Bound {
    /// Donsker and Varadhan 1983: E T - log E' e^T. f* = log p(x|y)/p(x) + any constant. On a batch the estimate is too large, because of
    /// the logarithm of the mean.
    Dv,
    /// MINE (Belghazi et al. 2018, section 3.2): DV with a running mean in the denominator of the gradient, which removes the bias of
    /// small batches.
    Mine {
        /// The weight of a new batch in the running mean, 0 to 1.
        rate: f64,
    },
    /// Nguyen, Wainwright and Jordan 2010, the f-divergence bound of MINE-f: E T - E' e^(T-1). f* = 1 + log p(x|y)/p(x).
    Nwj,
    /// Barber and Agakov 2003 without a normalizer (Poole et al. 2019, equation 4): 1 + E[T - log a(y)] - E' e^T/a(y), with a baseline
    /// a(y) that is learned too; without one, a = 1.
    Tuba,
    /// The Jensen-Shannon divergence for the gradient (Nowozin et al. 2016, Hjelm et al. 2019), f* = log p(x|y)/p(x), and NWJ of T + 1 for
    /// the value.
    Js,
    /// InfoNCE (van den Oord et al. 2018): log(1 + M) minus the cross-entropy of identifying the joint pair. f* = log p(x|y)/p(x) + any
    /// c(y). It cannot exceed log(1 + M).
    InfoNce,
    /// I_alpha (Poole et al. 2019, equation 12): the baseline is alpha times the mean of e^T over a row, plus 1 - alpha times a(y). At
    /// `alpha` = 1 it is InfoNCE (low variance, never above log K), at 0 it is TUBA. The authors' notebook has a logit with the ends
    /// exchanged.
    Alpha {
        /// 0 to 1.
        alpha: f64,
    },
    /// SMILE (Song and Ermon 2020): trained as JS, evaluated as DV with e^T clipped to e^-clip .. e^clip. Low variance, but not a bound.
    Smile {
        /// The absolute value at which scores in the denominator are clipped.
        clip: f64,
    },
    /// InfoNCE with an anchor (Ryu et al. 2026, *Contrastive predictive coding done right for mutual information estimation*): one more class, that no
    /// pair of the row is a joint one, makes the critic the density ratio itself, f* = log p(x|y)/p(x), and the value is E T. Without a ceiling at
    /// log(1 + M), with low variance, but not a bound.
    Anchor {
        /// How often the class occurs in training, for each joint pair.
        weight: f64,
    },
    /// CLUB (Cheng et al. 2020): E T - E' T, for scores log q(x|y) of a density. It is above the information if q is p.
    Club,
    /// The leave-one-out upper bound (Poole et al. 2019, equation 13): E[T - log mean_j e^T(x_i, y_j)], for scores log q(x|y) of a
    /// density. Here a row belongs to x_i, and its other columns are y_j.
    LeaveOneOut,
}

impl Bound {
    /// Every bound, with its usual settings.
    pub const ALL: [Bound; 11] = [
        Bound::Dv,
        Bound::Mine { rate: 0.01 },
        Bound::Nwj,
        Bound::Tuba,
        Bound::Js,
        Bound::InfoNce,
        Bound::Alpha { alpha: 0.5 },
        Bound::Smile { clip: 5.0 },
        Bound::Anchor { weight: 1.0 },
        Bound::Club,
        Bound::LeaveOneOut,
    ];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Bound::Dv => "dv",
            Bound::Mine { .. } => "mine",
            Bound::Nwj => "nwj",
            Bound::Tuba => "tuba",
            Bound::Js => "js",
            Bound::InfoNce => "infonce",
            Bound::Alpha { .. } => "alpha",
            Bound::Smile { .. } => "smile",
            Bound::Anchor { .. } => "anchor",
            Bound::Club => "club",
            Bound::LeaveOneOut => "l1out",
        }
    }

    /// On which side of the mutual information its expectation lies. DV and MINE are called lower bounds although their value on a finite
    /// sample is above its expectation.
    pub fn side(self) -> Side {
        match self {
            Bound::Smile { .. } | Bound::Anchor { .. } => Side::Neither,
            Bound::Club | Bound::LeaveOneOut => Side::Upper,
            _ => Side::Lower,
        }
    }

    /// Whether scores must be logarithms of a conditional density, rather than the output of any critic.
    pub fn wants_density(self) -> bool {
        self.side() == Side::Upper
    }

    /// Whether it uses a learned baseline log a(y).
    pub fn wants_baseline(self) -> bool {
        matches!(self, Bound::Tuba | Bound::Alpha { .. })
    }

    /// The largest value that it can take with M others in a row, in nats.
    pub fn ceiling(self, others: usize) -> Option<f64> {
        match self {
            Bound::InfoNce => Some((1.0 + others as f64).ln()),
            Bound::Alpha { alpha } if alpha >= 1.0 => Some((others as f64).ln()),
            _ => None,
        }
    }

    /// The value in nats for rows of scores (R, 1 + M), and log a(y) (R) if there is a baseline. A bound with exponentials is minus
    /// infinity for a far too confident critic.
    ///
    /// # Errors
    /// There are no rows, or a row has no others.
    pub fn estimate(self, scores: &Tensor, baseline: Option<&Tensor>) -> Result<f64> {
        let parts = self.contributions(scores, baseline)?;
        Ok(parts.iter().sum::<f64>() / parts.len() as f64)
    }

    /// The contribution of each row to the value (R). Their mean is [`Bound::estimate`]. If the rows are independent, their spread gives its
    /// standard error. A bound that is not linear in the rows (DV, SMILE) is linearized about its value (its influence function).
    ///
    /// # Errors
    /// There are no rows, or a row has no others.
    pub fn contributions(self, scores: &Tensor, baseline: Option<&Tensor>) -> Result<Vec<f64>> {
        let (rows, width) = scores.dims2()?;
        if rows == 0 || width < 2 {
            return Err(shape(scores));
        }
        // InfoNCE is a function of its loss.
        let t = if self == Bound::InfoNce { Vec::new() } else { values(scores)? };
        let log_a = baseline.map(values).transpose()?.unwrap_or_else(|| vec![0.0; rows]);
        let each = || t.chunks_exact(width).zip(&log_a);
        // The joint score minus the logarithm of a mean of exponentials over all rows. `inside` holds the logarithm of each row's mean.
        let less_log_mean = |inside: Vec<f64>| -> Vec<f64> {
            let all = log_mean_exp(&inside);
            each().zip(inside).map(|((row, _), inside)| row[0] - all - ((inside - all).exp() - 1.0)).collect()
        };
        let others = |row: &[f64]| log_mean_exp(&row[1..]);
        Ok(match self {
            Bound::Dv | Bound::Mine { .. } => less_log_mean(each().map(|(row, _)| others(row)).collect()),
            Bound::Smile { clip } => {
                let clipped = |row: &[f64]| row[1..].iter().map(|t| t.clamp(-clip, clip)).collect::<Vec<_>>();
                less_log_mean(each().map(|(row, _)| log_mean_exp(&clipped(row))).collect())
            }
            Bound::Nwj => each().map(|(row, _)| row[0] - (others(row) - 1.0).exp()).collect(),
            Bound::Js => each().map(|(row, _)| row[0] + 1.0 - others(row).exp()).collect(),
            Bound::Tuba => each().map(|(row, a)| 1.0 + row[0] - a - (others(row) - a).exp()).collect(),
            Bound::InfoNce => {
                let most = (width as f64).ln();
                values(&first_is_true(scores)?)?.into_iter().map(|loss| most - loss).collect()
            }
            Bound::Anchor { .. } => each().map(|(row, _)| row[0]).collect(),
            Bound::Alpha { alpha } => {
                // Joint and independent rows must have the same K, so the last other is omitted from the joint ones.
                let mixed = |row: &[f64], a: f64| log_add((1.0 - alpha).ln() + a, alpha.ln() + log_mean_exp(row));
                let first = |row: &[f64], a: f64| row[0] - mixed(&row[..width - 1], a);
                let second = |row: &[f64], a: f64| others(row) - mixed(&row[1..], a);
                each().map(|(row, &a)| 1.0 + first(row, a) - second(row, a).exp()).collect()
            }
            Bound::Club => each().map(|(row, _)| row[0] - row[1..].iter().sum::<f64>() / (width - 1) as f64).collect(),
            Bound::LeaveOneOut => each().map(|(row, _)| row[0] - others(row)).collect(),
        })
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Bound {
    type Err = String;

    fn from_str(name: &str) -> std::result::Result<Bound, String> {
        let names = || Bound::ALL.map(Bound::name).join(", ");
        Bound::ALL.into_iter().find(|b| b.name() == name).ok_or_else(|| format!("expected one of {}", names()))
    }
}

/// The loss minimized to make a bound tight, with the state it keeps from batch to batch.
#[derive(Debug, Clone)]
pub struct Surrogate {
    bound: Bound,
    /// MINE: the logarithm of the running mean of e^T; none before the first batch.
    running: Option<f64>,
    /// MINE: the logarithm of the last batch's mean of e^T.
    last: Option<f64>,
}

impl Surrogate {
    /// For a bound.
    pub fn new(bound: Bound) -> Self {
        Surrogate { bound, running: None, last: None }
    }

    /// MINE: the logarithm of the running mean of e^T; none before the first batch.
    pub fn running(&self) -> Option<f64> {
        self.running
    }

    /// MINE: the logarithm of the last batch's own mean of e^T; none before the first batch.
    pub fn last(&self) -> Option<f64> {
        self.last
    }

    /// MINE: the logarithm of a running mean after one more batch, whose logarithm of the mean is `now`.
    pub fn mixed(running: Option<f64>, now: f64, rate: f64) -> f64 {
        // The running mean starts at the first batch: starting at zero, the first gradients would be many times too large.
        running.map_or(now, |old| log_add((1.0 - rate).ln() + old, rate.ln() + now))
    }

    /// MINE: resumes from a running mean that [`Surrogate::running`] returned.
    pub fn set_running(&mut self, running: Option<f64>) {
        self.running = running;
    }

    /// A scalar loss for rows of scores (R, 1 + M), and log a(y) (R) if there is a baseline. For an upper bound it trains the density, by
    /// the likelihood of the joint pairs.
    ///
    /// # Errors
    /// There are no rows, or a row has no others.
    pub fn loss(&mut self, scores: &Tensor, baseline: Option<&Tensor>) -> Result<Tensor> {
        let (rows, width) = scores.dims2()?;
        if rows == 0 || width < 2 {
            return Err(shape(scores));
        }
        let form = match self.bound {
            Bound::Dv => Contrast::LogMean,
            Bound::Mine { rate } => {
                let now = log_mean_of_others(scores)?;
                let running = Surrogate::mixed(self.running, now, rate);
                (self.running, self.last) = (Some(running), Some(now));
                Contrast::Mean { less: running }
            }
            Bound::Nwj => Contrast::Straight { less: 1.0 },
            Bound::Tuba => Contrast::Straight { less: 0.0 },
            Bound::Js | Bound::Smile { .. } => Contrast::SoftPlus,
            Bound::Anchor { weight } => Contrast::Anchor { weight },
            Bound::Alpha { alpha } => Contrast::Mixed { alpha },
            Bound::InfoNce => return Ok(first_is_true(scores)?.mean_all()?),
            Bound::Club | Bound::LeaveOneOut => return Ok(scores.narrow(1, 0, 1)?.mean_all()?.neg()?),
        };
        contrast(scores, baseline, form)
    }
}

/// Joint scores (N, P) and others (N, (N - 1) * P) from scores (N, N * P), where each x has P parts, all paired with the y of the same
/// index. Row i belongs to y_i; its columns are the parts of x_0, of x_1 and so on.
///
/// # Errors
/// The number of columns is not a multiple of the number of rows.
pub fn groups_of(scores: &Tensor) -> Result<(Tensor, Tensor)> {
    let (n, columns) = scores.dims2()?;
    if n < 2 || !columns.is_multiple_of(n) {
        return Err(shape(scores));
    }
    let parts = columns / n;
    let own = |i: usize| (i * parts..(i + 1) * parts).map(|j| j as u32);
    let other = |i: usize| (0..columns).filter(move |j| j / parts != i).map(|j| j as u32);
    let take = |places: Vec<u32>| -> Result<Tensor> {
        let width = places.len() / n;
        Ok(scores.contiguous()?.gather(&Tensor::from_vec(places, (n, width), scores.device())?, 1)?)
    };
    Ok((take((0..n).flat_map(own).collect())?, take((0..n).flat_map(other).collect())?))
}

/// The loss for groups of joint scores (G, P) that share others (G, M): the same as [`Surrogate::loss`] with one row for each
/// joint score, without writing out the rows. For the bounds of Deep InfoMax: DV, JS and InfoNCE.
///
/// # Errors
/// The bound is another one; there is no group, or a group has no others.
pub fn grouped_loss(bound: Bound, joint: &Tensor, others: &Tensor) -> Result<Tensor> {
    if joint.elem_count() == 0 || others.elem_count() == 0 {
        return Err(shape(joint));
    }
    let gain = match bound {
        Bound::Dv => (joint.mean_all()? - contrast::log_mean_exp(others)?)?,
        Bound::Js => (soft_plus(&joint.neg()?)?.neg()?.mean_all()? - soft_plus(others)?.mean_all()?)?,
        Bound::InfoNce => {
            let log_sum = (contrast::row_log_mean_exp(others)? + (others.dim(1)? as f64).ln())?;
            soft_plus(&joint.broadcast_sub(&log_sum)?.neg()?)?.mean_all()?.neg()?
        }
        _ => return Err(Error::failed(format!("{bound} has no grouped loss"), "choose dv, js or infonce")),
    };
    Ok(gain.neg()?)
}

/// Rows (G * P, 1 + M) for [`Bound::estimate`], from groups of joint scores (G, P) that share others (G, M).
///
/// # Errors
/// The two have different numbers of groups.
pub fn rows_of_groups(joint: &Tensor, others: &Tensor) -> Result<Tensor> {
    let ((groups, parts), m) = (joint.dims2()?, others.dim(1)?);
    let others = others.unsqueeze(1)?.broadcast_as((groups, parts, m))?;
    Ok(Tensor::cat(&[joint.unsqueeze(2)?, others.contiguous()?], 2)?.reshape((groups * parts, 1 + m))?)
}

/// Rows (N, N) from a square matrix of scores T(x_j, y_i), in which row i belongs to y_i: the joint score first, then the N - 1 others in
/// order.
///
/// # Errors
/// The matrix is not square.
pub fn rows_of(scores: &Tensor) -> Result<Tensor> {
    let (n, m) = scores.dims2()?;
    if n == m { own_first(scores, 0) } else { Err(shape(scores)) }
}

fn shape(scores: &Tensor) -> Error {
    let what = format!("scores of shape {:?} are not rows of a joint pair and others", scores.dims());
    Error::Tensor(candle_core::Error::Msg(what))
}

fn values(t: &Tensor) -> Result<Vec<f64>> {
    Ok(t.detach().to_device(&Device::Cpu)?.to_dtype(DType::F64)?.flatten_all()?.to_vec1()?)
}

/// log(mean(exp(t))), finite for any finite t.
pub fn log_mean_exp(t: &[f64]) -> f64 {
    let max = t.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if !max.is_finite() {
        return max;
    }
    max + (sum_of_exp(t, max) / t.len() as f64).ln()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::check::{finite_differences, random};
    use crate::seed::stream;
    use candle_core::{Device, Var};

    /// Rows of the optimal critic log p(x|y)/p(x) for pairs of standard normal variables with correlation rho, shifted by `shift`.
    fn optimal(rho: f64, rows: usize, others: usize, shift: f64) -> Tensor {
        let mut s = stream(5, "pairs", 0);
        let mut normal = || f64::from(s.normal());
        let (r2, log) = (1.0 - rho * rho, -0.5 * (1.0 - rho * rho).ln());
        let ratio = |x: f64, y: f64| log - (rho * rho * (x * x + y * y) - 2.0 * rho * x * y) / (2.0 * r2) + shift;
        let mut scores = Vec::new();
        for _ in 0..rows {
            let y = normal();
            let x = rho * y + r2.sqrt() * normal();
            scores.push(ratio(x, y));
            (0..others).for_each(|_| scores.push(ratio(normal(), y)));
        }
        Tensor::from_vec(scores, (rows, 1 + others), &Device::Cpu).unwrap()
    }

    fn value(bound: Bound, scores: &Tensor) -> f64 {
        bound.estimate(scores, None).unwrap()
    }

    #[test]
    fn with_the_optimal_critic_every_bound_is_the_information_of_gaussians() {
        let (rho, truth) = (0.7f64, -0.5 * (1.0 - 0.49f64).ln()); // 0.3367 nats
        let at = |shift| optimal(rho, 4000, 100, shift);
        for (bound, shift) in [
            (Bound::Dv, 3.0),
            (Bound::Mine { rate: 0.1 }, -2.0),
            (Bound::Nwj, 1.0),
            (Bound::Tuba, 0.0),
            (Bound::Js, 0.0),
            (Bound::Smile { clip: 20.0 }, 0.0),
            (Bound::InfoNce, 7.0),
            (Bound::Anchor { weight: 1.0 }, 0.0),
            (Bound::Alpha { alpha: 0.0 }, 0.0),
            (Bound::Alpha { alpha: 0.5 }, 0.0),
            (Bound::LeaveOneOut, 0.0),
        ] {
            let got = value(bound, &at(shift));
            assert!((got - truth).abs() < 0.03, "{bound}: {got}, not {truth}");
        }
        // CLUB is the information plus the reverse divergence: for Gaussians rho^2 / (1 - rho^2).
        let club = value(Bound::Club, &at(0.0));
        assert!((club - 0.49 / 0.51).abs() < 0.06, "{club}");
        // Reading out JS without the constant would give a wrong value: that of NWJ at the critic without the constant.
        let forgotten = value(Bound::Nwj, &at(0.0));
        assert!((forgotten - (truth - (-1f64).exp())).abs() < 0.03, "{forgotten}");
    }

    #[test]
    fn for_any_critic_dv_is_at_least_nwj_and_infonce_at_most_its_ceiling() {
        for (seed, size) in [(1, 0.1), (2, 1.0), (3, 10.0), (4, 1000.0)] {
            let scores = (random(&[8, 6], seed) * size).unwrap();
            assert!(value(Bound::Dv, &scores) >= value(Bound::Nwj, &scores) - 1e-9);
            assert!(value(Bound::InfoNce, &scores) <= Bound::InfoNce.ceiling(5).unwrap() + 1e-12);
            let one = Bound::Alpha { alpha: 1.0 };
            assert!((value(one, &scores) - value(Bound::InfoNce, &scores.narrow(1, 0, 5).unwrap())).abs() < 1e-9);
            let (zero, tuba) = (value(Bound::Alpha { alpha: 0.0 }, &scores), value(Bound::Tuba, &scores));
            assert!(zero == tuba || (zero - tuba).abs() <= 1e-9 * tuba.abs().max(1.0), "{zero} {tuba}");
        }
        assert!((Bound::InfoNce.ceiling(127).unwrap() - 128f64.ln()).abs() < 1e-12);
    }

    #[test]
    fn the_estimate_of_infonce_is_the_log_of_the_candidates_less_cpcs_loss() {
        let scores = random(&[5, 9], 3);
        let loss = first_is_true(&scores).unwrap().mean_all().unwrap().to_scalar::<f64>().unwrap();
        assert!((value(Bound::InfoNce, &scores) - (9f64.ln() - loss)).abs() < 1e-12);
    }

    #[test]
    fn an_anchor_fixes_the_constant_that_infonce_leaves_open() {
        let loss = |bound, shift| {
            Surrogate::new(bound).loss(&optimal(0.7, 4000, 20, shift), None).unwrap().to_scalar::<f64>().unwrap()
        };
        for weight in [0.3, 1.0, 4.0] {
            let at = |shift| loss(Bound::Anchor { weight }, shift);
            assert!(at(0.0) < at(0.3) && at(0.0) < at(-0.3), "{weight}: {} {} {}", at(-0.3), at(0.0), at(0.3));
        }
        assert!((loss(Bound::InfoNce, 0.0) - loss(Bound::InfoNce, 3.0)).abs() < 1e-9);
        // By hand: one row, e^T = 2 for the joint pair and 3 for the other.
        let scores = Tensor::new(&[[2f64.ln(), 3f64.ln()]], &Device::Cpu).unwrap();
        let found =
            Surrogate::new(Bound::Anchor { weight: 0.5 }).loss(&scores, None).unwrap().to_scalar::<f64>().unwrap();
        let by_hand = (-(2f64 / (2.0 + 3.0 + 0.5 * 2.0)).ln() - 0.5 * (0.5f64 / (3.0 + 0.5)).ln()) / 1.5;
        assert!((found - by_hand).abs() < 1e-12, "{found} {by_hand}");
    }

    #[test]
    fn the_surrogates_of_bounds_descend_by_their_own_slope() {
        let inputs = [random(&[4, 5], 1), random(&[4], 2)];
        let two = [Bound::Anchor { weight: 0.7 }, Bound::Alpha { alpha: 0.3 }];
        for bound in [Bound::Dv, Bound::Nwj, Bound::Tuba, Bound::Js, Bound::InfoNce].into_iter().chain(two) {
            let used = if bound.wants_baseline() { &inputs[..] } else { &inputs[..1] };
            finite_differences(|t| Surrogate::new(bound).loss(&t[0], t.get(1)), used);
        }
        // For bounds that are trained by their own gradient, the loss is minus the estimate, up to a constant.
        for (bound, constant) in
            [(Bound::Dv, 0.0), (Bound::Nwj, 0.0), (Bound::Tuba, 1.0), (Bound::Alpha { alpha: 0.3 }, 1.0)]
        {
            let baseline = bound.wants_baseline().then_some(&inputs[1]);
            let loss = Surrogate::new(bound).loss(&inputs[0], baseline).unwrap().to_scalar::<f64>().unwrap();
            let estimate = bound.estimate(&inputs[0], baseline).unwrap();
            assert!((estimate - constant + loss).abs() < 1e-9, "{bound}: {estimate} {loss}");
        }
    }

    #[test]
    fn to_descend_a_surrogate_raises_its_bound_and_to_ascend_it_lowers_it() {
        // An information bottleneck with the wrong sign of I(X; Z) would fail this.
        let (scores, log_a) = (random(&[6, 5], 4), random(&[6], 5));
        // JS and SMILE are omitted: the divergence that they minimize is not the one that they estimate.
        let own = |b: &Bound| !matches!(b, Bound::Js | Bound::Smile { .. }) && b.side() == Side::Lower;
        for bound in Bound::ALL.into_iter().filter(own) {
            let baseline = bound.wants_baseline().then_some(&log_a);
            let var = Var::from_tensor(&scores).unwrap();
            let loss = Surrogate::new(bound).loss(&var, baseline).unwrap();
            let grad = loss.backward().unwrap().get(&var).unwrap().clone();
            let at = |step: f64| bound.estimate(&(&scores - (&grad * step).unwrap()).unwrap(), baseline).unwrap();
            assert!(at(1e-3) > at(0.0) && at(-1e-3) < at(0.0), "{bound}");
        }
    }

    #[test]
    fn groups_that_share_others_are_rows_written_out() {
        let scores = random(&[4, 12], 3);
        let (joint, others) = groups_of(&scores).unwrap();
        assert_eq!((joint.dims(), others.dims()), (&[4, 3][..], &[4, 9][..]));
        let all = scores.to_vec2::<f64>().unwrap();
        assert_eq!(joint.to_vec2::<f64>().unwrap()[2], all[2][6..9]);
        assert_eq!(others.to_vec2::<f64>().unwrap()[2], [&all[2][..6], &all[2][9..]].concat());
        let rows = rows_of_groups(&joint, &others).unwrap();
        for bound in [Bound::Dv, Bound::Js, Bound::InfoNce] {
            let got = grouped_loss(bound, &joint, &others).unwrap().to_scalar::<f64>().unwrap();
            let want = Surrogate::new(bound).loss(&rows, None).unwrap().to_scalar::<f64>().unwrap();
            assert!((got - want).abs() < 1e-12, "{bound}: {got} {want}");
            finite_differences(
                |t| {
                    let (joint, others) = groups_of(&t[0])?;
                    grouped_loss(bound, &joint, &others)
                },
                std::slice::from_ref(&scores),
            );
        }
        assert!(grouped_loss(Bound::Tuba, &joint, &others).is_err() && groups_of(&random(&[4, 11], 1)).is_err());
    }

    fn gradient(surrogate: &mut Surrogate, scores: &Tensor) -> Vec<f64> {
        let var = Var::from_tensor(scores).unwrap();
        let grads = surrogate.loss(&var, None).unwrap().backward().unwrap();
        values(grads.get(&var).unwrap()).unwrap()
    }

    #[test]
    fn mines_first_gradient_is_that_of_dv_and_later_ones_have_the_running_mean() {
        let (first, second) = (random(&[3, 4], 1), random(&[3, 4], 2));
        let mut mine = Surrogate::new(Bound::Mine { rate: 0.1 });
        let (got, want) = (gradient(&mut mine, &first), gradient(&mut Surrogate::new(Bound::Dv), &first));
        assert!(got.iter().zip(&want).all(|(a, b)| (a - b).abs() < 1e-12), "a running mean from zero is ten times off");
        let mean = |t: &Tensor| {
            let t = values(t).unwrap();
            t.chunks(4).flat_map(|row| &row[1..]).map(|t| t.exp()).sum::<f64>() / 9.0
        };
        let running = 0.9 * mean(&first) + 0.1 * mean(&second);
        for (i, (got, t)) in gradient(&mut mine, &second).iter().zip(values(&second).unwrap()).enumerate() {
            let want = if i % 4 == 0 { -1.0 / 3.0 } else { t.exp() / 9.0 / running };
            assert!((got - want).abs() < 1e-12, "{i}: {got} {want}");
        }
    }

    #[test]
    fn scores_of_ten_thousand_stay_finite() {
        let scores = Tensor::new(&[[1e4f32, -1e4, 1e4], [-1e4, 1e4, 0.0]], &Device::Cpu).unwrap();
        for bound in Bound::ALL {
            let mut surrogate = Surrogate::new(bound);
            for scores in [&scores, &scores.neg().unwrap()] {
                let var = Var::from_tensor(scores).unwrap();
                let loss = surrogate.loss(&var, None).unwrap();
                assert!(loss.to_scalar::<f32>().unwrap().is_finite(), "{bound}");
                let grads = loss.backward().unwrap();
                let grad = grads.get(&var).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
                assert!(grad.iter().all(|g| g.is_finite()), "{bound}: {grad:?}");
                let value = bound.estimate(scores, None).unwrap();
                assert!(!value.is_nan() && value < f64::INFINITY, "{bound}: {value}");
            }
        }
    }

    #[test]
    fn a_square_matrix_has_its_diagonal_in_front() {
        let scores = Tensor::new(&[[1f32, 2.0, 3.0], [4.0, 5.0, 6.0], [7.0, 8.0, 9.0]], &Device::Cpu).unwrap();
        let want = [[1f32, 2.0, 3.0], [5.0, 4.0, 6.0], [9.0, 7.0, 8.0]];
        assert_eq!(rows_of(&scores).unwrap().to_vec2::<f32>().unwrap(), want);
        assert!(rows_of(&scores.narrow(0, 0, 2).unwrap()).is_err());
        assert!(Bound::Dv.estimate(&scores.narrow(1, 0, 1).unwrap(), None).is_err());
        assert!(Surrogate::new(Bound::Dv).loss(&scores.narrow(1, 0, 1).unwrap(), None).is_err());
    }

    #[test]
    fn names_are_read_as_they_are_written() {
        for bound in Bound::ALL {
            assert_eq!(bound.name().parse::<Bound>(), Ok(bound));
        }
        assert!("mutual".parse::<Bound>().unwrap_err().contains("infonce"));
    }
}
