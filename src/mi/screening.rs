//! Which few of many columns inform about the other side?
//!
//! A critic of many columns, most of them idle, learns the idle ones by heart, and neighbors lose sight of each other. So single columns, and pairs
//! of columns of one side, are tested against single columns of the other by tables of equally filled bins (Pearson's chi-squared), whatever the
//! form of the dependence. The probability of a table by chance is multiplied by the number of tables (Bonferroni), so that columns of
//! independent data are hardly ever chosen.
//!
//! Nothing here estimates information: the columns that are chosen are given to estimators.

use crate::mi::classes::Classes;
use crate::mi::samples::Samples;
use rayon::prelude::*;
use statrs::distribution::{ChiSquared, ContinuousCDF};
use statrs::function::factorial::ln_factorial;

/// Bins of a single column against another, and of each column of a pair.
const BINS: usize = 8;
const PAIR_BINS: usize = 4;
/// The smallest mean number of rows in a cell.
const ROWS: f64 = 5.0;
/// The largest number of cells that all tables together may count.
const WORK: f64 = 4e9;
/// The probability by chance, over all tables of one kind, below which a finding counts.
pub const CHANCE: f64 = 0.001;
/// The number of findings that are returned.
const MOST: usize = 64;

/// A column or a pair of columns of one side that informs about a column of the other.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// The columns of X.
    pub x: Vec<usize>,
    /// The columns of Y.
    pub y: Vec<usize>,
    /// Chi-squared in excess of its mean, in standard deviations.
    pub strength: f64,
    /// The probability of such a table by chance, times the number of tables.
    pub chance: f64,
}

/// A side, as bins of its columns.
pub struct Binned {
    columns: Vec<[Vec<u8>; 2]>, // BINS and PAIR_BINS
    sizes: Vec<[usize; 2]>,
}

impl Binned {
    /// The columns of numbers in equally filled bins; rows with equal values share one. With few rows there are fewer bins.
    pub fn numbers(samples: &Samples) -> Binned {
        let n = samples.len();
        let counts = [
            ((n as f64 / ROWS).sqrt() as usize).clamp(2, BINS),
            ((n as f64 / ROWS).cbrt() as usize).clamp(2, PAIR_BINS),
        ];
        let columns: Vec<[Vec<u8>; 2]> = (0..samples.dim())
            .into_par_iter()
            .map(|j| {
                let mut order: Vec<(f64, usize)> = (0..n).map(|i| (samples.row(i)[j] + 0.0, i)).collect();
                order.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
                counts.map(|bins| {
                    let (mut codes, mut first, mut last) = (vec![0; n], 0, 0);
                    for rank in 0..n {
                        if rank >= last {
                            // The bin of equal values is that of their middle.
                            first = rank;
                            last = (rank..n).find(|&i| order[i].0 != order[rank].0).unwrap_or(n);
                        }
                        codes[order[rank].1] = ((first + last - 1) / 2 * bins / n) as u8;
                    }
                    codes
                })
            })
            .collect();
        let sizes = vec![counts; columns.len()];
        Binned { columns, sizes }
    }

    /// Labels as one column; rare ones share a bin.
    pub fn labels(labels: &Classes) -> Binned {
        let mut order: Vec<usize> = (0..labels.counts().len()).collect();
        order.sort_by_key(|&code| std::cmp::Reverse(labels.counts()[code]));
        let sizes = [order.len().min(16), order.len().min(16)];
        let mut bin = vec![0; order.len()];
        order.iter().enumerate().for_each(|(rank, &code)| bin[code] = rank.min(15) as u8);
        let codes: Vec<u8> = labels.codes().iter().map(|&code| bin[code as usize]).collect();
        Binned { columns: vec![[codes.clone(), codes]], sizes: vec![sizes] }
    }

    fn dim(&self) -> usize {
        self.columns.len()
    }

    /// Rows that are in the same bins of `columns`, as they were tested.
    pub fn classes(&self, columns: &[usize]) -> Classes {
        let which = usize::from(columns.len() > 1);
        let of = |&j: &usize| {
            let codes = self.columns.get(j).map_or(&[][..], |column| &column[which]);
            Classes::of_labels(&codes.iter().map(|c| u32::from(*c)).collect::<Vec<_>>())
        };
        let mut classes = columns.iter().map(of);
        let first = classes.next().unwrap_or_else(|| Classes::of_labels(&[]));
        classes.fold(first, |all, next| all.with(&next))
    }
}

/// The columns and pairs of columns that inform about the other side, strongest first. A row counts as `1 / rows_for_a_sample` samples.
pub fn screen(x: &Binned, y: &Binned, rows_for_a_sample: f64) -> Vec<Finding> {
    let (p, q) = (x.dim(), y.dim());
    let n = x.columns.first().map_or(0, |c| c[0].len());
    let pairs = |side: usize| side * side.saturating_sub(1) / 2;
    let mut found = Vec::new();
    // Single columns.
    let jobs: Vec<Finding> = (0..p)
        .into_par_iter()
        .flat_map_iter(|i| {
            let used = used(n, p * q);
            (0..q).filter_map(move |j| {
                let sizes = [x.sizes[i][0], y.sizes[j][0]];
                let (a, b) = (&x.columns[i][0][..used], &y.columns[j][0][..used]);
                let (strength, chance) = test(a.iter().map(|a| usize::from(*a)), b, sizes, rows_for_a_sample)?;
                let chance = chance * (p * q) as f64;
                (chance < CHANCE).then(|| Finding { x: vec![i], y: vec![j], strength, chance })
            })
        })
        .collect();
    found.extend(jobs);
    // Pairs of one side against a column of the other.
    for (inner, outer, swapped) in [(x, y, false), (y, x, true)] {
        let tables = pairs(inner.dim()) * outer.dim();
        let used = used(n, tables);
        if tables == 0 || used < n.min(200) {
            continue;
        }
        let jobs: Vec<Finding> = (0..inner.dim())
            .into_par_iter()
            .flat_map_iter(|a| {
                (a + 1..inner.dim()).flat_map(move |b| (0..outer.dim()).map(move |j| (b, j))).filter_map(
                    move |(b, j)| {
                        let sizes = [inner.sizes[a][1], inner.sizes[b][1], outer.sizes[j][0]];
                        let (first, second) = (&inner.columns[a][1][..used], &inner.columns[b][1][..used]);
                        let both = first.iter().zip(second).map(|(f, s)| usize::from(*f) * sizes[1] + usize::from(*s));
                        let of = &outer.columns[j][0][..used];
                        let (strength, chance) = test(both, of, [sizes[0] * sizes[1], sizes[2]], rows_for_a_sample)?;
                        let chance = chance * tables as f64;
                        let (pair, one) = (vec![a, b], vec![j]);
                        let [x, y] = if swapped { [one, pair] } else { [pair, one] };
                        (chance < CHANCE).then_some(Finding { x, y, strength, chance })
                    },
                )
            })
            .collect();
        found.extend(jobs);
    }
    found.sort_by(|a, b| b.strength.total_cmp(&a.strength).then(a.x.cmp(&b.x)).then(a.y.cmp(&b.y)));
    found.truncate(MOST.max(4 * (p + q)));
    found
}

/// The probability by chance of a table of the first columns of two sides that is as far from independence.
///
/// Rare bins are joined until each cell of an independent table would have five rows (Cochran 1954). Where that leaves two by two cells that still
/// have fewer, Fisher's exact test takes the place of chi-squared.
pub fn independence(x: &Binned, y: &Binned, rows_for_a_sample: f64) -> f64 {
    let sizes = [x.sizes[0][0], y.sizes[0][0]];
    let mut codes: [Vec<usize>; 2] =
        [&x.columns[0][0], &y.columns[0][0]].map(|codes| codes.iter().map(|c| usize::from(*c)).collect());
    let n = x.columns[0][0].len() as f64 / rows_for_a_sample;
    loop {
        let counts = [0, 1].map(|side| counted(&codes[side], sizes[side]));
        if counts.iter().any(|counts| counts.len() < 2) {
            return 1.0;
        }
        let least = counts.each_ref().map(|counts| counts[0].0 as f64 / rows_for_a_sample);
        if least[0] * least[1] >= ROWS * n {
            break;
        }
        // Of the side with more bins, the two rarest become one.
        let side = usize::from(counts[1].len() > counts[0].len());
        if counts[side].len() == 2 {
            return exact(&codes, [counts[0][0].1, counts[1][0].1], rows_for_a_sample);
        }
        let (from, to) = (counts[side][0].1, counts[side][1].1);
        codes[side].iter_mut().filter(|code| **code == from).for_each(|code| *code = to);
    }
    let b: Vec<u8> = codes[1].iter().map(|&code| code as u8).collect();
    table(codes[0].iter().copied(), &b, sizes, rows_for_a_sample)
        .and_then(|(statistic, degrees)| Some(ChiSquared::new(degrees).ok()?.sf(statistic)))
        .unwrap_or(1.0)
}

/// The number of rows of each bin that has some, and the bin, the rarest first.
fn counted(codes: &[usize], size: usize) -> Vec<(usize, usize)> {
    let mut counts = vec![0usize; size];
    codes.iter().for_each(|&code| counts[code] += 1);
    let mut counts: Vec<(usize, usize)> =
        counts.into_iter().enumerate().filter(|(_, count)| *count > 0).map(|(bin, count)| (count, bin)).collect();
    counts.sort_unstable();
    counts
}

/// Fisher's exact test, two-sided, of two sides with two bins each, of which `rare` are counted.
fn exact(codes: &[Vec<usize>; 2], rare: [usize; 2], rows_for_a_sample: f64) -> f64 {
    let part = |count: usize| (count as f64 / rows_for_a_sample).round() as u64;
    let count = |side: usize| part(codes[side].iter().filter(|&&code| code == rare[side]).count());
    let both = part(codes[0].iter().zip(&codes[1]).filter(|(a, b)| **a == rare[0] && **b == rare[1]).count());
    let (n, a, b) = (part(codes[0].len()), count(0), count(1));
    let log_choose = |n: u64, k: u64| ln_factorial(n) - ln_factorial(k) - ln_factorial(n - k);
    let log_p = |k: u64| log_choose(a, k) + log_choose(n - a, b - k) - log_choose(n, b);
    let range = (a + b).saturating_sub(n)..=a.min(b);
    let observed = log_p(both.clamp(*range.start(), *range.end()));
    range.map(log_p).filter(|p| *p <= observed + 1e-9).map(f64::exp).sum::<f64>().min(1.0)
}

/// The number of rows that so many tables may count.
fn used(n: usize, tables: usize) -> usize {
    n.min((WORK / tables.max(1) as f64) as usize)
}

/// Pearson's chi-squared of a table in standard deviations above its mean, and its probability by chance; none for a table of one row or column.
fn test(a: impl Iterator<Item = usize>, b: &[u8], sizes: [usize; 2], rows_for_a_sample: f64) -> Option<(f64, f64)> {
    let (statistic, degrees) = table(a, b, sizes, rows_for_a_sample)?;
    let strength = (statistic - degrees) / (2.0 * degrees).sqrt();
    if strength < 3.0 {
        return Some((strength, 1.0));
    }
    let chance = ChiSquared::new(degrees).ok()?.sf(statistic);
    Some((strength, chance))
}

/// Pearson's chi-squared of a table and its degrees of freedom; none for a table of one row or column.
fn table(a: impl Iterator<Item = usize>, b: &[u8], sizes: [usize; 2], rows_for_a_sample: f64) -> Option<(f64, f64)> {
    let mut cells = vec![0u32; sizes[0] * sizes[1]];
    a.zip(b).for_each(|(a, &b)| cells[a * sizes[1] + usize::from(b)] += 1);
    let n = b.len() as f64;
    let across: Vec<f64> = cells.chunks(sizes[1]).map(|row| f64::from(row.iter().sum::<u32>())).collect();
    let down: Vec<f64> =
        (0..sizes[1]).map(|j| cells.iter().skip(j).step_by(sizes[1]).map(|c| f64::from(*c)).sum()).collect();
    let used = |sums: &[f64]| sums.iter().filter(|s| **s > 0.0).count();
    let degrees = (used(&across).checked_sub(1)? * used(&down).checked_sub(1)?) as f64;
    if degrees == 0.0 {
        return None;
    }
    let mut squares = 0.0;
    for (i, row) in cells.chunks(sizes[1]).enumerate() {
        for (j, &count) in row.iter().enumerate().filter(|(_, c)| **c > 0) {
            squares += f64::from(count).powi(2) / (across[i] * down[j]);
        }
    }
    Some((n * (squares - 1.0) / rows_for_a_sample, degrees))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mi::fixtures;

    #[test]
    fn a_square_and_a_product_of_signs_are_found_among_idle_columns() {
        let (x, e) = fixtures::normal(1000, 20, 0.0, 80);
        let of = |f: &dyn Fn(&[f64], &[f64]) -> f64| {
            Samples::new((0..1000).map(|i| f(x.row(i), e.row(i))).collect(), 1).unwrap()
        };
        let binned = Binned::numbers(&x);
        let square = screen(&binned, &Binned::numbers(&of(&|x, e| x[7] * x[7] + 0.3 * e[0])), 1.0);
        assert_eq!((&square[0].x[..], &square[0].y[..]), (&[7][..], &[0][..]));
        let xor = screen(&Binned::numbers(&of(&|x, e| (x[3] * x[12]).signum() * e[0].abs())), &binned, 1.0);
        assert_eq!((&xor[0].x[..], &xor[0].y[..]), (&[0][..], &[3, 12][..]));
        let label: Vec<u32> = (0..1000).map(|i| u32::from(x.row(i)[3] * x.row(i)[12] > 0.0)).collect();
        let xor = screen(&binned, &Binned::labels(&Classes::of_labels(&label)), 1.0);
        assert_eq!(xor[0].x, [3, 12]);
    }

    #[test]
    fn independent_columns_are_hardly_ever_found() {
        let found = (0..100).filter(|&i| {
            let (x, y) = fixtures::normal(200, 6, 0.0, 100 + i);
            !screen(&Binned::numbers(&x), &Binned::numbers(&y), 1.0).is_empty()
        });
        assert!(found.count() <= 2);
    }

    #[test]
    fn rare_values_are_not_found_by_chance() {
        // scipy.stats.fisher_exact([[2, 3], [3, 992]]).pvalue and [[0, 5], [5, 990]].
        let column = |ones: &[usize]| -> Vec<u32> { (0..1000).map(|i| u32::from(ones.contains(&i))).collect() };
        let of = |a: &[usize], b: &[usize]| {
            let binned = |ones| Binned::labels(&Classes::of_labels(&column(ones)));
            independence(&binned(a), &binned(b), 1.0)
        };
        let p = of(&[0, 1, 2, 3, 4], &[0, 1, 500, 501, 502]);
        assert!((p / 0.000_198_998_402_142_494_1 - 1.0).abs() < 1e-9, "{p}");
        assert!((of(&[0, 1, 2, 3, 4], &[500, 501, 502, 503, 504]) - 1.0).abs() < 1e-9);
        // Independent columns with five ones each: false discoveries are as rare as they should be.
        let mut rng = crate::seed::stream(9, "rare", 0);
        let columns: Vec<Binned> = (0..40)
            .map(|_| {
                let ones: Vec<usize> = (0..5).map(|_| rng.below(1000) as usize).collect();
                Binned::labels(&Classes::of_labels(&column(&ones)))
            })
            .collect();
        let pairs = (0..40).flat_map(|i| (i + 1..40).map(move |j| (i, j)));
        let small = pairs.filter(|&(i, j)| independence(&columns[i], &columns[j], 1.0) < 0.05 / 780.0).count();
        assert_eq!(small, 0);
        // A label that every second row has alone.
        let mixed: Vec<u32> = (0..1000).map(|i| if i % 2 == 0 { 0 } else { i }).collect();
        let (x, _) = fixtures::normal(1000, 1, 0.0, 91);
        let p = independence(&Binned::labels(&Classes::of_labels(&mixed)), &Binned::numbers(&x), 1.0);
        assert!(p > 0.001, "{p}");
    }
}
