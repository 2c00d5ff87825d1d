//! What one series says about the future of another: lagged information I(Y_t; X_{t-u}), and transfer entropy, what X_{t-u} says about Y_t beyond
//! what Y's own past says, I(Y_t; X_{t-u} | Y_{t-1} .. Y_{t-k}) (Schreiber 2000, *Measuring information transfer*; with the lag at the source, as
//! Wibral et al. 2013, *Measuring information-transfer delays*).
//!
//! Transfer entropy is not a cause: a third series that drives both looks the same, unless it is among those that are given. For normal series it
//! is half the logarithm of Granger's ratio of variances (Barnett et al. 2009, *Granger causality and transfer entropy are equivalent for Gaussian
//! variables*).
//!
//! Neighboring rows of a series are not independent, so rows cannot be shuffled. Here the past of X is shifted in time against Y and its past by
//! more rows than either series remembers. Each shift is the same for all lags: its largest value is what chance gives at some lag.

mod embedding;
mod history;
mod measure;
mod shifts;

use crate::error::{Error, Result};
use crate::mi::atoms::Divided;
use crate::mi::neighbors::places;
use crate::mi::parallel::go_on;
use crate::mi::samples::Samples;
use crate::mi::variable::Variable;
use embedding::past;
use measure::Measure;
use rayon::prelude::*;
use shifts::Shifts;
use std::ops::Range;

/// A part of the rows that are left out that deserves a warning: one of these.
const LEFT: usize = 20;

/// The smallest number of shifts: with 19, a value above all has p = .05.
const SHIFTS: usize = 19;

/// How information is estimated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Nearest neighbors (Frenzel and Pompe 2007), this number of them: dependence of any form.
    Neighbors(usize),
    /// Correlations of normal scores: monotone dependence, with little variance.
    Copula,
}

/// Which rows follow each other, and whose they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stretch {
    /// Rows without a gap between them.
    pub rows: Range<usize>,
    /// The number of the subject, or of another series of its own.
    pub subject: usize,
}

/// What is computed.
#[derive(Debug, Clone, PartialEq)]
pub struct TransferSettings {
    /// The lags u in rows, 1 or more.
    pub lags: Vec<usize>,
    /// The number k of past values of Y, and of each given series; none to choose it.
    pub history: Option<usize>,
    /// The number of values of X from each lag on into the past.
    pub source: usize,
    /// The estimator.
    pub method: Method,
    /// The number of shifts.
    pub shifts: usize,
    /// The seed of their order.
    pub seed: u64,
}

/// A value and what chance gives.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tested {
    /// The estimate in nats.
    pub nats: f64,
    /// The mean over shifts, in nats: what the estimator gives if X says nothing.
    pub chance: f64,
    /// The part of shifts with at least this value at this lag, the series themselves counted among them.
    pub p_value: f64,
    /// The part of shifts with at least this value at any of the lags: the p-value for a lag that was chosen because its value is large.
    pub p_any: f64,
}

/// The values of one lag.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Lagged {
    /// The lag in rows.
    pub lag: usize,
    /// I(Y_t; X_{t-u}).
    pub information: Tested,
    /// What X_{t-u} says about Y_t beyond the past of Y and of the given series.
    pub transfer: Tested,
}

/// Lagged information and transfer entropy from X to Y.
#[derive(Debug, Clone, PartialEq)]
pub struct Transfer {
    /// One for each lag.
    pub lags: Vec<Lagged>,
    /// The number of rows with a whole past.
    pub rows: usize,
    /// The number of past values of Y.
    pub history: usize,
    /// The number of shifts.
    pub shifts: usize,
    /// The fewest rows of a shift.
    pub shift: usize,
    /// The rows that no shift was possible for, because their subject has too few.
    pub short: usize,
    /// Warnings, one sentence each.
    pub warnings: Vec<String>,
    /// The values that one shift of twenty exceeds at some lag: of information, and of transfer entropy, in nats.
    pub limits: [f64; 2],
}

/// Information of series. Rows of X, Y and each given series are of the same times; no past reaches out of a stretch, and no shift out of a subject.
/// `progress` is told how many lags are done.
///
/// # Errors
/// The series are too short or too slow for their lags, they differ in length, a series is constant, or X determines Y.
pub fn transfer(
    x: &Variable,
    y: &Variable,
    given: &[Variable],
    stretches: &[Stretch],
    settings: &TransferSettings,
    progress: &dyn Fn(usize),
) -> Result<Transfer> {
    let longest = settings.lags.iter().copied().max().unwrap_or(1);
    if settings.shifts < SHIFTS {
        let what = format!("{} shifts are too few: p is at least 1 / (1 + shifts)", settings.shifts);
        return Err(Error::usage(what, format!("choose {SHIFTS} or more with --permutations")));
    }
    if settings.lags.is_empty() || settings.lags.contains(&0) || settings.source == 0 || settings.history == Some(0) {
        return Err(Error::usage(
            "lags and numbers of past values begin with 1",
            "choose --lags 1 or more; for rows of the same time use `cpc mi estimate`",
        ));
    }
    let place = |side: &Variable| -> Result<Samples> {
        let divided = Divided::new(side, settings.seed, "mi/transfer")?;
        let constant = divided.numbers.is_none() && !divided.has_atoms();
        if constant {
            return Err(Error::failed("a constant series tells nothing", "choose series that vary"));
        }
        if settings.method == Method::Copula && divided.has_atoms() {
            let what = "labels, zeros and counts have no correlations";
            return Err(Error::usage(what, "choose --estimator ksg, which sees them as what they are"));
        }
        places(&divided)
    };
    let [from, to] = [place(x)?, place(y)?];
    let given: Vec<Samples> = given.iter().map(place).collect::<Result<_>>()?;
    if [&from].into_iter().chain(&given).any(|other| other.len() != to.len()) {
        return Err(Error::failed("series differ in length", "give one row of each at the same times"));
    }
    let ranges: Vec<Range<usize>> = stretches.iter().map(|stretch| stretch.rows.clone()).collect();
    let history = match settings.history {
        Some(history) => history,
        None => history::history(y, &to, &ranges, settings.method)?,
    };
    let reach = history.max(longest + settings.source - 1);
    let Shifts { rows, orders, least, short, warning } = Shifts::new(&from, &to, stretches, reach, settings)?;
    let mut warnings: Vec<String> = warning.into_iter().collect();
    let now = to.take(&rows);
    let mut known = to.take(&[]);
    for (at, series) in [&to].into_iter().chain(&given).enumerate() {
        if let Some(before) = past(series, &rows, 1..history + 1)? {
            known = if at == 0 { before } else { known.beside(&before)? };
        }
    }
    if known.dim() + 3 >= rows.len() {
        let what = format!("{} past values are too many for {} rows", known.dim(), rows.len());
        return Err(Error::failed(what, "choose a shorter --history, or give fewer series with --given"));
    }
    let measure = Measure::new(&now, &known, settings.method)?;
    // Of each lag, the values of the series and of all shifts.
    let mut values: Vec<Vec<[f64; 2]>> = Vec::new();
    let mut left_out = 0;
    for &lag in &settings.lags {
        go_on()?;
        let Some(before) = past(&from, &rows, lag..lag + settings.source)? else { continue };
        let found: Vec<([f64; 2], usize)> =
            orders.par_iter().map(|order| measure.of(before.take(order))).collect::<Result<_>>()?;
        left_out = left_out.max(found[0].1);
        values.push(found.into_iter().map(|found| found.0).collect());
        progress(values.len());
    }
    let most = |at: usize, which: usize| values.iter().map(|v| v[at][which]).fold(f64::NEG_INFINITY, f64::max);
    let all: [Vec<f64>; 2] = [0, 1].map(|which| (1..orders.len()).map(|at| most(at, which)).collect());
    let lags = settings.lags.iter().zip(&values).map(|(&lag, values)| {
        let [information, transfer] = [0, 1].map(|which| {
            let chance: Vec<f64> = values[1..].iter().map(|v| v[which]).collect();
            tested(values[0][which], &chance, &all[which])
        });
        Lagged { lag, information, transfer }
    });
    let limits = all.clone().map(|mut all| {
        all.sort_by(f64::total_cmp);
        // Above it, so few shifts have a value as large that p_any is .05 or less.
        all[all.len() - ((1 + all.len()) / 20).clamp(1, all.len())]
    });
    let lags = lags.collect();
    if LEFT * left_out > rows.len() {
        let what = format!("{left_out} of {} rows have labels that no other row has together", rows.len());
        let remedy = "choose a shorter --history, fewer series with --given, or join rare labels";
        if 2 * left_out > rows.len() {
            return Err(Error::failed(what, remedy));
        }
        warnings.push(format!("{what}, and are left out of transfer: {remedy}"));
    }
    Ok(Transfer { lags, rows: rows.len(), history, shifts: orders.len() - 1, shift: least, short, warnings, limits })
}

fn tested(nats: f64, chance: &[f64], any: &[f64]) -> Tested {
    let part =
        |values: &[f64]| (1 + values.iter().filter(|value| **value >= nats).count()) as f64 / (1 + values.len()) as f64;
    let mean = chance.iter().sum::<f64>() / chance.len() as f64;
    Tested { nats, chance: mean, p_value: part(chance), p_any: part(any) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::stream;

    /// Two series of `n` rows: x of its own past, y of its own past and of x two rows before.
    fn driven(n: usize, own: f64, drive: f64, index: u64) -> [Variable; 2] {
        let mut rng = stream(9, "transfer", index);
        let (mut x, mut y) = (vec![0.0; n + 100], vec![0.0; n + 100]);
        for t in 2..n + 100 {
            x[t] = own * x[t - 1] + rng.normal64();
            y[t] = own * y[t - 1] + drive * x[t - 2] + rng.normal64();
        }
        [x, y].map(|mut v| Variable::Numbers(Samples::new(v.split_off(100), 1).unwrap()))
    }

    fn one(n: usize) -> [Stretch; 1] {
        [Stretch { rows: 0..n, subject: 0 }]
    }

    fn settings(method: Method, lags: usize) -> TransferSettings {
        TransferSettings { lags: (1..=lags).collect(), history: None, source: 1, method, shifts: 39, seed: 0 }
    }

    fn run(pair: &[Variable; 2], settings: &TransferSettings) -> Transfer {
        transfer(&pair[0], &pair[1], &[], &one(pair[0].len()), settings, &|_| {}).unwrap()
    }

    #[test]
    fn information_arrives_after_its_lag_in_its_direction_and_amount() {
        // Of independent x, what arrives is 1/2 log(1 + .8 squared).
        let [x, y] = driven(2000, 0.0, 0.8, 0);
        let truth = 0.5 * 1.64f64.ln();
        for (method, error) in [(Method::Copula, 0.03), (Method::Neighbors(4), 0.05)] {
            let found = run(&[x.clone(), y.clone()], &settings(method, 4));
            let at = |lag: usize| found.lags[lag - 1].transfer;
            assert!((at(2).nats - truth).abs() < error && at(2).p_any < 0.03, "{:?}", at(2));
            assert!([1, 3, 4].iter().all(|&lag| at(lag).nats < 0.03 && at(lag).nats < at(2).nats), "{found:?}");
            assert!(at(2).nats > found.limits[1] && (found.lags[1].information.nats - truth).abs() < error);
            let back = run(&[y.clone(), x.clone()], &settings(method, 4));
            assert!(back.lags.iter().all(|l| l.transfer.nats < 0.03 && l.transfer.p_any > 0.03), "{back:?}");
        }
    }

    #[test]
    fn what_the_past_of_y_says_already_is_no_transfer() {
        // Slow series: x two rows before is known to an extent from y's own past, and lagged information is large at every lag.
        let pair = driven(3000, 0.8, 0.5, 1);
        let found = run(&pair, &settings(Method::Copula, 6));
        // Truth by the covariances of a million rows.
        let many = run(
            &driven(300_000, 0.8, 0.5, 2),
            &TransferSettings { shifts: 19, lags: vec![2], ..settings(Method::Copula, 2) },
        );
        let (truth, at) = (many.lags[0].transfer.nats, found.lags[1].transfer);
        assert!((at.nats - truth).abs() < 0.02 && truth > 0.05, "{truth} {at:?}");
        assert!(found.lags[5].information.nats > 0.2 && found.lags[5].transfer.nats < 0.01, "{:?}", found.lags[5]);
    }

    #[test]
    fn a_third_series_that_drives_both_is_seen_only_if_it_is_not_given() {
        let mut rng = stream(9, "transfer/third", 0);
        let z: Vec<f64> = (0..1500).map(|_| rng.normal64()).collect();
        let after = |lag: usize, rng: &mut crate::seed::Stream| -> Variable {
            let values = (0..1500).map(|t: usize| t.checked_sub(lag).map_or(0.0, |t| z[t]) + 0.5 * rng.normal64());
            Variable::Numbers(Samples::new(values.collect(), 1).unwrap())
        };
        let (x, y) = (after(1, &mut rng), after(2, &mut rng));
        let z = Variable::Numbers(Samples::new(z, 1).unwrap());
        let settings = TransferSettings { history: Some(2), ..settings(Method::Copula, 2) };
        let with =
            |given: &[Variable]| transfer(&x, &y, given, &one(1500), &settings, &|_| {}).unwrap().lags[0].transfer;
        assert!(
            with(&[]).nats > 0.3 && with(std::slice::from_ref(&z)).p_value > 0.03,
            "{:?} {:?}",
            with(&[]),
            with(std::slice::from_ref(&z))
        );
    }

    #[test]
    fn one_of_twenty_pairs_of_slow_series_has_a_p_value_below_one_of_twenty() {
        // Independent, and where the target drives the source: nothing flows from x to y.
        let independent =
            |i: u64| [driven(300, 0.9, 0.0, 2 * i)[0].clone(), driven(300, 0.9, 0.0, 2 * i + 1)[0].clone()];
        let driven = |i: u64| driven(300, 0.6, 0.5, i).into_iter().rev().collect::<Vec<_>>().try_into().unwrap();
        for pairs in [&independent as &dyn Fn(u64) -> [Variable; 2], &driven] {
            let below = |which: fn(&Lagged) -> f64, found: &[Transfer]| {
                found.iter().filter(|f| which(&f.lags[0]) <= 0.05).count()
            };
            let found: Vec<Transfer> = (100..500)
                .map(|i| run(&pairs(i), &TransferSettings { history: Some(2), ..settings(Method::Copula, 1) }))
                .collect();
            let transfer = below(|l| l.transfer.p_value, &found);
            assert!((10..=32).contains(&transfer), "{transfer} of 400");
        }
    }

    #[test]
    fn labels_and_gaps_are_taken_as_what_they_are() {
        // y is x of the row before, one time of ten at random.
        let mut rng = stream(9, "transfer/labels", 0);
        let x: Vec<u32> = (0..600).map(|_| rng.below(3)).collect();
        let y = (0..600).map(|t: usize| if t == 0 || rng.below(10) == 0 { rng.below(3) } else { x[t - 1] }).collect();
        let names = vec!["a".into(), "b".into(), "c".into()];
        let [x, y] = [x, y].map(|codes| Variable::Labels(codes, names.clone()));
        let stretches = [0..290, 300..310, 310..600].map(|rows| Stretch { rows, subject: 0 });
        let settings = TransferSettings { history: Some(1), ..settings(Method::Neighbors(4), 3) };
        let found = transfer(&x, &y, &[], &stretches, &settings, &|_| {}).unwrap();
        assert_eq!(found.rows, 287 + 7 + 287);
        assert!(found.lags[0].transfer.nats > 0.6 && found.lags[0].transfer.p_any < 0.03, "{found:?}");
        assert!(found.lags[1].transfer.nats < 0.05 && found.lags[1].transfer.p_any > 0.03, "{found:?}");
        let copula = TransferSettings { method: Method::Copula, ..settings };
        let error = transfer(&x, &y, &[], &stretches, &copula, &|_| {}).unwrap_err();
        assert!(error.to_string().contains("have no correlations"), "{error}");
    }

    #[test]
    fn the_history_is_as_long_as_what_the_series_remembers_of_itself() {
        let mut rng = stream(9, "transfer/history", 0);
        let mut y = vec![0.0; 1000];
        for t in 3..1000 {
            y[t] = 0.5 * y[t - 1] - 0.7 * y[t - 3] + rng.normal64();
        }
        let y = Samples::new(y, 1).unwrap();
        for method in [Method::Copula, Method::Neighbors(4)] {
            assert_eq!(
                history::history(&Variable::Numbers(y.clone()), &y, std::slice::from_ref(&(0..1000)), method).unwrap(),
                3
            );
        }
        // The logistic map: the row before says all.
        let mut value = 0.3;
        let map = (0..1000).map(|_| {
            value = 3.9 * value * (1.0 - value);
            value
        });
        let map = Samples::new(map.collect(), 1).unwrap();
        let found = history::history(
            &Variable::Numbers(map.clone()),
            &map,
            std::slice::from_ref(&(0..1000)),
            Method::Neighbors(4),
        )
        .unwrap();
        assert!(found <= 2, "{found}");
        // Without a memory, one value is enough, of numbers and of labels.
        let white = Samples::new((0..1000).map(|_| rng.normal64()).collect(), 1).unwrap();
        let labels = Variable::Labels((0..1000).map(|_| rng.below(4)).collect(), Vec::new());
        let places = places(&Divided::new(&labels, 0, "test").unwrap()).unwrap();
        for (series, samples) in [(Variable::Numbers(white.clone()), &white), (labels, &places)] {
            let found =
                history::history(&series, samples, std::slice::from_ref(&(0..1000)), Method::Neighbors(4)).unwrap();
            assert!(found <= 2, "{found}");
        }
    }

    #[test]
    fn what_only_tells_subjects_apart_is_no_transfer() {
        // Independent within each subject, with an offset that both share.
        let below = (0..20).filter(|&seed| {
            let mut rng = stream(9, "transfer/subjects", seed);
            let (mut x, mut y) = (Vec::new(), Vec::new());
            for _ in 0..10 {
                let offset = rng.normal64();
                (0..60).for_each(|_| {
                    x.push(offset + rng.normal64());
                    y.push(offset + rng.normal64());
                });
            }
            let stretches: Vec<Stretch> = (0..10).map(|i| Stretch { rows: 60 * i..60 * (i + 1), subject: i }).collect();
            let [x, y] = [x, y].map(|v| Variable::Numbers(Samples::new(v, 1).unwrap()));
            let settings = TransferSettings { history: Some(1), ..settings(Method::Copula, 1) };
            transfer(&x, &y, &[], &stretches, &settings, &|_| {}).unwrap().lags[0].transfer.p_value <= 0.05
        });
        assert!(below.count() <= 4);
    }

    #[test]
    fn series_that_are_too_short_or_too_slow_are_refused() {
        let [x, y] = driven(100, 0.0, 0.5, 3);
        let of = |x: &Variable, y: &Variable, settings: &TransferSettings| {
            transfer(x, y, &[], &one(x.len()), settings, &|_| {}).unwrap_err().to_string()
        };
        let long = settings(Method::Copula, 70);
        assert!(
            of(&x, &y, &long).contains("30 rows have 70 rows before them, and 40 are needed"),
            "{}",
            of(&x, &y, &long)
        );
        let ramp = Variable::Numbers(Samples::new((0..60).map(f64::from).collect(), 1).unwrap());
        let short = x.take(&(0..60).collect::<Vec<_>>());
        let slow = TransferSettings { history: Some(1), ..settings(Method::Copula, 20) };
        assert!(
            of(&ramp, &short, &slow).contains("rows are too few: series are compared"),
            "{}",
            of(&ramp, &short, &slow)
        );
        let climbs = Variable::Numbers(Samples::new((0..400).map(f64::from).collect(), 1).unwrap());
        let [other, _] = driven(400, 0.0, 0.0, 4);
        let found = run(&[climbs, other], &settings(Method::Copula, 1));
        assert!(found.warnings[0].contains("remember 98 of 399 rows"), "{:?}", found.warnings);
        let none = TransferSettings { lags: vec![0], ..settings(Method::Copula, 1) };
        assert!(of(&x, &y, &none).contains("begin with 1"));
        let constant = Variable::Numbers(Samples::new(vec![1.0; 100], 1).unwrap());
        assert!(of(&constant, &y, &settings(Method::Copula, 1)).contains("constant"));
        let few = TransferSettings { shifts: 9, ..settings(Method::Copula, 1) };
        assert!(of(&x, &y, &few).contains("9 shifts are too few"));
    }
}
