//! Conditional mutual information I(X; Y | Z).
//!
//! Z is divided into atoms (labels, zeros, counts) and numbers. Within the rows of one atom the chain rule gives the rest by estimates of
//! mutual information, all with the same rows in the same folds:
//!
//! - I(X; Y | Z) = I(X; (Y, Z)) - I(X; Z), if Y is numbers; the same with X and Y exchanged if only X is;
//! - I(X; Y | Z) = I(X; Y) + I((X, Y); Z) - I(X; Z) - I(Y; Z), if both are labels.
//!
//! The interval is that of the difference row by row, so what both terms have in common does not widen it. Nearest neighbors have an estimator of
//! their own ([`neighbors::conditional`](crate::mi::neighbors::conditional())).

use super::sum::Sum;
use super::{Estimate, EstimateKind, Estimator, Settings, estimate};
use crate::error::{Error, Result};
use crate::mi::atoms::Divided;
use crate::mi::classes::Classes;
use crate::mi::interval::{at_least, by_halves, error_of, of_rows};
use crate::mi::neighbors;
use crate::mi::ranks::ranks;
use crate::mi::samples::Samples;
use crate::mi::variable::Variable;

/// The smallest number of rows with the same atom of Z in which X and Y are studied.
const GROUP: usize = 20;
/// A part of the rows in smaller groups that deserves a warning.
const LEFT: f64 = 0.05;

/// Mutual information between X and Y given Z by `estimator`, in nats.
///
/// # Errors
/// They differ in length, Z has as many columns as rows, or the estimator does not support these variables.
pub fn conditional(
    x: &Variable,
    y: &Variable,
    z: &Variable,
    estimator: Estimator,
    settings: &Settings,
) -> Result<Estimate> {
    for (name, side) in [("Y", y), ("Z", z)] {
        if side.len() != x.len() {
            let what = format!("X has {} rows and {name} has {}", x.len(), side.len());
            return Err(Error::failed(what, format!("give one row of {name} for each row of X, in the same order")));
        }
    }
    if z.dim() >= z.len() {
        let what = format!("Z has {} columns and there are only {} rows", z.dim(), z.len());
        return Err(Error::failed(what, "give more rows, or fewer columns with --given"));
    }
    if estimator == Estimator::Histogram {
        return Err(Error::usage("histogram has no conditional form", "choose auto, ksg or copula"));
    }
    let given = Divided::new(z, settings.seed, "mi/given")?;
    let mut warnings = Vec::new();
    let Some([x, y]) = free(x, y, z, &mut warnings)? else {
        let mut found = Estimate::new(estimator, 0.0, EstimateKind::Estimate, z.len());
        (found.method, found.ci95, found.warnings) = ("none needed".into(), Some([0.0, 0.0]), warnings);
        return Ok(found.with_pointwise(vec![0.0; z.len()]));
    };
    let mut found = match estimator {
        _ if given.numbers.is_none() && !given.has_atoms() => {
            warnings.push("Z is constant: this is I(X; Y); choose a column that varies with --given".into());
            estimate(&x, &y, estimator, settings)?
        }
        Estimator::Ksg => near(&x, &y, &given, settings)?,
        _ => by_groups(&x, &y, &given, estimator, settings)?,
    };
    found.nats += 0.0; // turns -0 into 0
    warnings.append(&mut found.warnings);
    found.warnings = warnings;
    match found.nats.is_finite() {
        true => Ok(found),
        false => {
            let what = format!("{} gives {} nats", found.method, found.nats);
            Err(Error::failed(what, "choose auto, or give more rows"))
        }
    }
}

/// X and Y without the columns that a column of Z determines, because their ranks are the same or reversed; none if nothing of X or of Y is left.
fn free(x: &Variable, y: &Variable, z: &Variable, warnings: &mut Vec<String>) -> Result<Option<[Variable; 2]>> {
    let Variable::Numbers(z) = z else { return Ok(Some([x.clone(), y.clone()])) };
    let columns = |samples: &Samples| -> Result<Vec<Vec<f64>>> {
        let ranks = ranks(samples)?;
        Ok((0..ranks.dim()).map(|j| (0..ranks.len()).map(|i| ranks.row(i)[j]).collect()).collect())
    };
    let of_z = columns(z)?;
    let top = (z.len() - 1) as f64;
    let mut left = Vec::new();
    for (name, side) in [("X", x), ("Y", y)] {
        let Variable::Numbers(samples) = side else {
            left.push(side.clone());
            continue;
        };
        let determined = |own: &Vec<f64>| {
            let same = |z: &Vec<f64>| own.iter().zip(z).all(|(a, b)| a == b);
            let turned = |z: &Vec<f64>| own.iter().zip(z).all(|(a, b)| *a == top - b);
            own.iter().any(|rank| *rank != own[0]) && of_z.iter().any(|z| same(z) || turned(z))
        };
        let all = columns(samples)?;
        let free: Vec<usize> = (0..all.len()).filter(|&j| !determined(&all[j])).collect();
        if free.len() < all.len() {
            let count = all.len() - free.len();
            let which =
                if free.is_empty() { name.to_string() } else { format!("{count} of {} columns of {name}", all.len()) };
            warnings.push(format!(
                "Z determines {which}: given Z, nothing is left of it to share; take the column of Z that it repeats out of --given"
            ));
        }
        if free.is_empty() {
            return Ok(None);
        }
        left.push(Variable::Numbers(samples.columns(&free)?));
    }
    let y = left.pop();
    Ok(left.pop().zip(y).map(|(x, y)| [x, y]))
}

/// By nearest neighbors.
fn near(x: &Variable, y: &Variable, given: &Divided, settings: &Settings) -> Result<Estimate> {
    let [x, y] = [
        neighbors::places(&Divided::new(x, settings.seed, "mi/ksg/x")?)?,
        neighbors::places(&Divided::new(y, settings.seed, "mi/ksg/y")?)?,
    ];
    let z = neighbors::places(given)?;
    let k = settings.neighbors;
    let found = neighbors::conditional([&x, &y, &z], k)?;
    let mut estimate = Estimate::new(Estimator::Ksg, found.mi, EstimateKind::Estimate, x.len());
    estimate.method = format!("ksg given Z, {k} neighbors");
    estimate.warnings = found.warnings();
    let dims = x.dim() + y.dim() + z.dim();
    if dims > 10 {
        let what = format!("neighbors are far apart in {dims} dimensions, and the value is far too low: choose auto");
        estimate.warnings.push(what);
    }
    let halves = |rows: &[usize]| Ok(neighbors::conditional([&x.take(rows), &y.take(rows), &z.take(rows)], k)?.mi);
    let halves = by_halves(x.len(), found.mi, settings.seed, halves).ok();
    estimate.ci95 = halves.map(|halves| halves.ci95);
    estimate.warnings.extend(halves.and_then(|halves| halves.warning()));
    let mut out = found.left_out.iter().copied().peekable();
    let rows = (0..x.len()).filter(|&row| out.next_if_eq(&row).is_none());
    estimate.pointwise = rows.zip(found.local).map(|(row, value)| (row as u32, value)).collect();
    Ok(estimate)
}

/// The sum over the atoms of Z.
fn by_groups(
    x: &Variable,
    y: &Variable,
    given: &Divided,
    estimator: Estimator,
    settings: &Settings,
) -> Result<Estimate> {
    let n = x.len();
    let (groups, small): (Vec<_>, Vec<_>) = given.atoms.groups().into_iter().partition(|rows| rows.len() >= GROUP);
    if groups.is_empty() {
        let what = format!("no value of Z has {GROUP} rows");
        return Err(Error::failed(what, "give more rows, join rare labels of Z, or use ksg"));
    }
    // The rows that are studied, and their places among these.
    let mut studied = groups.concat();
    studied.sort_unstable();
    let place = |row: &usize| studied.binary_search(row).unwrap_or_default();
    let mut sum = Sum::new(studied.len());
    let mut placed = Vec::new();
    for rows in &groups {
        let (x, y) = (x.take(rows), y.take(rows));
        let found = match &given.numbers {
            Some(z) if Classes::of(&z.take(rows)).counts().len() > 1 => {
                chain(&x, &y, &z.take(rows), estimator, settings)?
            }
            _ => estimate(&x, &y, estimator, settings)?,
        };
        placed.push(rows.iter().map(place).collect::<Vec<usize>>());
        sum.add(found, &placed[placed.len() - 1]);
    }
    let left: usize = small.iter().map(Vec::len).sum();
    if left as f64 > LEFT * n as f64 {
        sum.warnings.push(format!(
            "{left} of {n} rows have a value of Z that fewer than {GROUP} rows have, and are left out; give more rows, or join rare labels of Z"
        ));
    }
    let mut found = Estimate::new(estimator, sum.nats, EstimateKind::Estimate, studied.len());
    found.method = sum.methods.join("; ");
    if groups.len() > 1 {
        found.method = format!("within each of {} values of Z: {}", groups.len(), found.method);
    }
    found.ci95 = Some(at_least(None, sum.nats, sum.variance_over(&placed).sqrt()));
    found.warnings = std::mem::take(&mut sum.warnings);
    found.pointwise = studied.iter().zip(sum.local).map(|(&row, value)| (row as u32, value)).collect();
    Ok(found)
}

/// By the chain rule, where Z is numbers.
fn chain(x: &Variable, y: &Variable, z: &Samples, estimator: Estimator, settings: &Settings) -> Result<Estimate> {
    let only = Variable::Numbers(z.clone());
    let with = |side: &Samples| -> Result<Variable> { Ok(Variable::Numbers(side.beside(z)?)) };
    let one = |x: &Variable, y: &Variable| estimate(x, y, estimator, settings);
    let terms = match (x, y) {
        (_, Variable::Numbers(numbers)) => vec![(1.0, one(x, &with(numbers)?)?), (-1.0, one(x, &only)?)],
        (Variable::Numbers(numbers), _) => vec![(1.0, one(y, &with(numbers)?)?), (-1.0, one(y, &only)?)],
        (Variable::Labels(a, _), Variable::Labels(b, _)) => {
            let both = Classes::of_labels(a).with(&Classes::of_labels(b));
            let both = Variable::Labels(both.codes().to_vec(), Vec::new());
            vec![(1.0, one(x, y)?), (1.0, one(&both, &only)?), (-1.0, one(x, &only)?), (-1.0, one(y, &only)?)]
        }
    };
    let n = z.len();
    let nats = terms.iter().map(|(sign, term)| sign * term.nats).sum();
    let mut found = Estimate::new(estimator, nats, EstimateKind::Estimate, n);
    // Rows that every term has a value for.
    let (mut local, mut times) = (vec![0.0; n], vec![0; n]);
    for (sign, term) in &terms {
        for &(row, value) in &term.pointwise {
            local[row as usize] += sign * value;
            times[row as usize] += 1;
        }
    }
    let used: Vec<usize> = (0..n).filter(|&row| times[row] == terms.len()).collect();
    let values: Vec<f64> = used.iter().map(|&row| local[row]).collect();
    let paired = of_rows(&values, settings.protocol.blocked);
    let error = match error_of(paired) {
        error if error.is_finite() => error,
        // Terms without values of rows: as if they were independent.
        _ => terms.iter().map(|(_, term)| error_of(term.ci95).powi(2)).sum::<f64>().sqrt(),
    };
    found.ci95 = error.is_finite().then(|| at_least(None, nats, error));
    found.pointwise = used.iter().zip(values).map(|(&row, value)| (row as u32, value)).collect();
    let names: Vec<String> = terms
        .iter()
        .enumerate()
        .map(|(i, (sign, term))| match (i, *sign > 0.0) {
            (0, _) => term.method.clone(),
            (_, true) => format!("plus {}", term.method),
            (_, false) => format!("less {}", term.method),
        })
        .collect();
    found.method = names.join(", ");
    for warning in terms.into_iter().flat_map(|(_, term)| term.warnings) {
        if !found.warnings.contains(&warning) {
            found.warnings.push(warning);
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mi::estimate::Estimator::{Auto, Copula, Ksg};
    use crate::seed::stream;

    /// X = a Z + e, Y = b Z + c X + f with normal Z, e, f; and I(X; Y | Z) = log(1 + c^2) / 2.
    fn normal(n: usize, [a, b, c]: [f64; 3], seed: u64) -> ([Variable; 3], f64) {
        let mut rng = stream(seed, "conditional", 0);
        let rows: Vec<[f64; 3]> = (0..n)
            .map(|_| {
                let [z, e, f] = [(); 3].map(|()| f64::from(rng.normal()));
                let x = a * z + e;
                [x, b * z + c * x + f, z]
            })
            .collect();
        let column = |j: usize| Variable::Numbers(Samples::new(rows.iter().map(|row| row[j]).collect(), 1).unwrap());
        ([column(0), column(1), column(2)], 0.5 * (1.0 + c * c).ln())
    }

    fn labels(codes: Vec<u32>) -> Variable {
        let names = codes.iter().max().map_or(0, |m| m + 1);
        Variable::Labels(codes, (0..names).map(|i| i.to_string()).collect())
    }

    fn of(sides: &[Variable; 3], estimator: Estimator) -> Estimate {
        conditional(&sides[0], &sides[1], &sides[2], estimator, &Settings::default()).unwrap()
    }

    fn holds(found: &Estimate, truth: f64) -> bool {
        found.ci95.is_some_and(|[low, high]| low <= truth && truth <= high)
    }

    #[test]
    fn normal_variables_give_what_they_share_given_the_third() {
        let (sides, truth) = normal(400, [1.0, -1.0, 0.8], 1);
        for (estimator, within) in [(Auto, 0.08), (Copula, 0.08), (Ksg, 0.1)] {
            let found = of(&sides, estimator);
            assert!((found.nats - truth).abs() < within, "{estimator}: {} for {truth}", found.nats);
            assert!(holds(&found, truth) && found.kind == EstimateKind::Estimate, "{estimator}: {:?}", found.ci95);
            // Without Z it is something else: here they nearly cancel.
            let without = estimate(&sides[0], &sides[1], estimator, &Settings::default()).unwrap();
            assert!((without.nats - truth).abs() > 0.1, "{estimator}: {}", without.nats);
        }
    }

    #[test]
    fn a_chain_shares_nothing_beyond_its_middle() {
        let (sides, _) = normal(400, [2.0, 2.0, 0.0], 2);
        for estimator in [Auto, Copula, Ksg] {
            let found = of(&sides, estimator);
            assert!(holds(&found, 0.0) && found.nats.abs() < 0.05, "{estimator}: {} {:?}", found.nats, found.ci95);
        }
    }

    #[test]
    fn two_labels_tell_the_third_only_together() {
        let mut rng = stream(3, "xor", 0);
        let (x, z): (Vec<u32>, Vec<u32>) = (0..600).map(|_| (rng.below(2), rng.below(2))).unzip();
        let y: Vec<u32> = x.iter().zip(&z).map(|(x, z)| x ^ z).collect();
        let sides = [labels(x.clone()), labels(y), labels(z.clone())];
        for estimator in [Auto, Ksg] {
            let without = estimate(&sides[0], &sides[1], Auto, &Settings::default()).unwrap();
            let with = of(&sides, estimator);
            assert!(holds(&without, 0.0), "{:?}", without.ci95);
            assert!((with.nats - 2f64.ln()).abs() < 0.01, "{estimator}: {}", with.nats);
        }
        // A number in place of a label: the sign of Y is that of X or its opposite, as Z says.
        let y = x.iter().zip(&z).map(|(x, z)| f64::from(rng.normal().abs()) * if x == z { 1.0 } else { -1.0 });
        let y = Variable::Numbers(Samples::new(y.collect(), 1).unwrap());
        for sides in [[labels(x.clone()), y.clone(), labels(z.clone())], [y, labels(x), labels(z)]] {
            for estimator in [Auto, Ksg] {
                let with = of(&sides, estimator);
                assert!((with.nats - 2f64.ln()).abs() < 0.05, "{estimator}: {}", with.nats);
            }
        }
    }

    #[test]
    fn labels_share_nothing_beyond_the_number_that_both_come_from() {
        let mut rng = stream(4, "labels", 0);
        let z: Vec<f64> = (0..1000).map(|_| f64::from(rng.normal())).collect();
        let mut noisy = || labels(z.iter().map(|z| u32::from(z + f64::from(rng.normal()) > 0.0)).collect());
        let sides = [noisy(), noisy(), Variable::Numbers(Samples::new(z.clone(), 1).unwrap())];
        let without = estimate(&sides[0], &sides[1], Auto, &Settings::default()).unwrap();
        assert!(!holds(&without, 0.0), "{:?}", without.ci95);
        for estimator in [Auto, Ksg] {
            let with = of(&sides, estimator);
            assert!(holds(&with, 0.0), "{estimator}: {} {:?}", with.nats, with.ci95);
        }
    }

    #[test]
    fn the_null_given_a_label_or_a_number_breaks_what_is_shared_beyond_it() {
        use crate::mi::permutation::null_of;
        let ([x, y, z], _) = normal(500, [1.0, -1.0, 0.8], 8);
        let Variable::Numbers(numbers) = &z else { panic!() };
        let coarse = labels(numbers.values().iter().map(|v| u32::from(*v > 0.0) + u32::from(*v > 1.0)).collect());
        let constant = labels(vec![0; 500]);
        for (z, most) in [(coarse, 0.1), (z, 0.06), (constant, 0.03)] {
            let given = Divided::new(&z, 0, "mi/given").unwrap();
            let alike = neighbors::alike(&neighbors::places(&given).unwrap(), neighbors::ALIKE);
            let value = |rows: &[usize]| {
                Ok(conditional(&x, &y.take(rows), &z, Ksg, &Settings { neighbors: 3, ..Settings::default() })?.nats)
            };
            let observed = value(&(0..500).collect::<Vec<_>>()).unwrap();
            let null = null_of(19, observed, |i| alike.reordered(1, i), value).unwrap();
            assert!(null.mean.abs() < most, "{} for {observed}", null.mean);
            for i in 0..3 {
                let order = alike.reordered(1, i);
                let kept = order.iter().enumerate().filter(|(row, other)| *row == **other).count();
                assert!(kept < 25, "{kept} rows keep their place");
            }
        }
    }

    #[test]
    fn rows_with_a_rare_z_are_left_out_and_the_rest_is_not_diluted() {
        let ([x, y, _], _) = normal(400, [0.0, 0.0, 1.0], 9);
        let z = labels((0..400).map(|i| if i < 200 { 0 } else { 1 + i / 2 }).collect());
        let found = of(&[x.clone(), y.clone(), z], Copula);
        let rows: Vec<usize> = (0..200).collect();
        let alone = estimate(&x.take(&rows), &y.take(&rows), Copula, &Settings::default()).unwrap();
        assert_eq!((found.nats, found.n, found.pointwise.len()), (alone.nats, 200, 200));
        assert!(found.warnings.iter().any(|w| w.contains("200 of 400 rows")), "{:?}", found.warnings);
    }

    #[test]
    fn neighbors_are_those_of_the_equation() {
        let mut rng = stream(5, "equation", 0);
        let mut side =
            |dim: usize| Samples::new((0..40 * dim).map(|_| f64::from(rng.normal())).collect(), dim).unwrap();
        let (x, y, z) = (side(1), side(2), side(1));
        let far = |s: &Samples, i: usize, j: usize| {
            s.row(i).iter().zip(s.row(j)).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
        };
        let psi = |count: usize| crate::mi::digamma::digamma(count as f64);
        let mut sum = 0.0;
        for i in 0..40 {
            let others = || (0..40).filter(|&j| j != i);
            let [a, b, c] = [&x, &y, &z].map(|s| move |j: usize| far(s, i, j));
            let mut all: Vec<f64> = others().map(|j| a(j).max(b(j)).max(c(j))).collect();
            all.sort_by(f64::total_cmp);
            let radius = all[2];
            let xz = others().filter(|&j| a(j).max(c(j)) < radius).count();
            let yz = others().filter(|&j| b(j).max(c(j)) < radius).count();
            let z = others().filter(|&j| c(j) < radius).count();
            sum += psi(3) - psi(xz + 1) - psi(yz + 1) + psi(z + 1);
        }
        let found = neighbors::conditional([&x, &y, &z], 3).unwrap();
        assert!((found.mi - sum / 40.0).abs() < 1e-12, "{} {}", found.mi, sum / 40.0);
    }

    #[test]
    fn a_constant_or_determining_z_and_too_many_columns_are_said() {
        let ([x, y, z], _) = normal(200, [1.0, 1.0, 1.0], 6);
        let constant = Variable::Numbers(Samples::new(vec![2.0; 200], 1).unwrap());
        let found = of(&[x.clone(), y.clone(), constant], Ksg);
        assert!(found.warnings.iter().any(|w| w.contains("Z is constant")), "{:?}", found.warnings);
        assert_eq!(found.nats, estimate(&x, &y, Ksg, &Settings::default()).unwrap().nats);
        let Variable::Numbers(numbers) = &x else { panic!() };
        let turned = Samples::new(numbers.values().iter().map(|v| -v.exp()).collect(), 1).unwrap();
        let found = of(&[x.clone(), y.clone(), Variable::Numbers(turned)], Auto);
        assert_eq!((found.nats, found.warnings.len()), (0.0, 1));
        assert!(found.warnings[0].contains("Z determines X"), "{:?}", found.warnings);
        let wide = Variable::Numbers(Samples::new(vec![0.5; 200 * 200], 200).unwrap());
        let error = conditional(&x, &y, &wide, Auto, &Settings::default()).unwrap_err();
        assert!(error.to_string().contains("Z has 200 columns and there are only 200 rows"), "{error}");
        let error = conditional(&x, &y, &z, Estimator::Histogram, &Settings::default()).unwrap_err();
        assert!(error.to_string().contains("no conditional form"), "{error}");
    }
}
