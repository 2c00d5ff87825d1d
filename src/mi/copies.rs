//! Rows that are in the data more than once: samples drawn with replacement, exports joined twice, series held at a value.
//!
//! Two rows of continuous columns are never equal by chance. A copy of a row is its own nearest neighbor, and lies in training rows and held-out
//! rows alike, so every estimator finds information that is not there. Copies are distinguished from values that repeat (atoms, rounding,
//! labels) by their ties: where rows are copied, X repeats only where Y does too, although X is not a grid of few values.

use crate::mi::classes::Classes;
use crate::mi::samples::Samples;
use crate::mi::variable::Variable;

/// A row that is in the data this often is an atom, if other rows are not.
const ATOM: u32 = 20;
/// The probability of so many common ties by chance, below which rows are called copies.
const CHANCE: f64 = 1e-4;
/// The smallest number of different rows that copies are looked for in; and where a row is usually there ten times or more, because those may
/// be the levels of a discrete variable.
const FEWEST: usize = 20;
const FEWEST_LEVELS: usize = 100;
/// A grid has at most this many places for each value that occurs.
const SPARSE: f64 = 10.0;

/// The rows that remain if copies are left out.
#[derive(Debug, Clone, PartialEq)]
pub struct Kept {
    /// Their indices, in ascending order.
    pub rows: Vec<usize>,
    /// The number of rows in the data.
    pub of: usize,
}

/// The rows without copies; none if no row is a copy.
pub fn without_copies(x: &Variable, y: &Variable) -> Option<Kept> {
    let sides = [x, y].map(classes);
    let both = sides[0].with(&sides[1]);
    if both.tied() == 0 {
        return None;
    }
    let n = both.codes().len();
    let mut sizes = both.counts().to_vec();
    sizes.sort_unstable();
    let usual = sizes[sizes.len() / 2];
    let is_atom = |size: u32| size >= ATOM && f64::from(size) > 0.01 * n as f64 && size > 3 * usual;
    // One row of each class that is not an atom.
    let mut seen = vec![0; both.counts().len()];
    let (mut single, mut rest) = (Vec::new(), 0);
    for (row, &code) in both.codes().iter().enumerate() {
        if !is_atom(both.counts()[code as usize]) {
            rest += 1;
            if seen[code as usize] == 0 {
                single.push(row);
            }
            seen[code as usize] += 1;
        }
    }
    let copied = rest - single.len();
    if copied < 2 || single.len() < FEWEST {
        return None;
    }
    let of_single = sides.each_ref().map(|side| side.take(&single));
    let suspicious = [0, 1].map(|side| {
        // Ties of this side that the other side does not share.
        let alone = of_single[side].tied();
        let by_chance = copied as f64 * of_single[1 - side].collision().max(1.0 / n as f64).ln();
        alone as f64 <= 0.05 * copied as f64 && by_chance < CHANCE.ln()
    });
    let grids = [(x, &sides[0]), (y, &sides[1])].map(|(side, classes)| is_grid(side, classes));
    let common = common_divisor(both.counts());
    let many = usual < 10 || single.len() >= FEWEST_LEVELS;
    let every = if many && (suspicious[0] || suspicious[1]) && (0..2).all(|side| !suspicious[side] || !grids[side]) {
        usual
    } else if common > 1 && both.counts().len() >= FEWEST && 2 * both.counts().len() < cells(&sides) {
        common // a table whose every count is a multiple of a number
    } else {
        return None;
    };
    // Atoms are copied as often as other rows.
    let mut kept = vec![0u32; both.counts().len()];
    let rows = (0..n).filter(|&row| {
        let code = both.codes()[row] as usize;
        let most = if is_atom(both.counts()[code]) || common > 1 { (both.counts()[code] / every).max(1) } else { 1 };
        kept[code] += 1;
        kept[code] <= most
    });
    let rows: Vec<usize> = rows.collect();
    (rows.len() < n).then_some(Kept { rows, of: n })
}

/// The classes of a side's rows.
fn classes(side: &Variable) -> Classes {
    match side {
        Variable::Numbers(samples) => Classes::of(samples),
        Variable::Labels(codes, _) => Classes::of_labels(codes),
    }
}

fn cells(sides: &[Classes; 2]) -> usize {
    sides[0].counts().len().saturating_mul(sides[1].counts().len())
}

fn common_divisor(counts: &[u32]) -> u32 {
    counts.iter().fold(0, |a, &b| {
        let (mut a, mut b) = (a, b);
        while b > 0 {
            (a, b) = (b, a % b);
        }
        a
    })
}

/// Whether a side's values repeat because there are few of them: labels, whole numbers, rounded numbers.
fn is_grid(side: &Variable, classes: &Classes) -> bool {
    let Variable::Numbers(samples) = side else { return true };
    let places = (0..samples.dim()).map(|j| places(samples, j)).product::<f64>();
    places <= SPARSE * classes.counts().len() as f64
}

/// The number of places of the grid that a column lies on; infinite if its gaps are not multiples of the smallest one.
fn places(samples: &Samples, column: usize) -> f64 {
    let mut values: Vec<f64> = (0..samples.len()).map(|i| samples.row(i)[column]).collect();
    values.sort_unstable_by(f64::total_cmp);
    values.dedup();
    let gaps = || values.windows(2).map(|pair| pair[1] - pair[0]).filter(|gap| *gap > 0.0);
    let least = gaps().fold(f64::INFINITY, f64::min);
    if least == f64::INFINITY {
        return 1.0;
    }
    // Decimal fractions are multiples up to rounding.
    let regular = gaps().all(|gap| ((gap / least).round() - gap / least).abs() < 1e-3 * (gap / least).max(1.0).sqrt());
    let (Some(first), Some(last)) = (values.first(), values.last()) else { return 1.0 };
    if regular { (last - first) / least + 1.0 } else { f64::INFINITY }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mi::fixtures;
    use crate::seed::stream;

    fn numbers(values: Vec<f64>) -> Variable {
        Variable::Numbers(Samples::new(values, 1).unwrap())
    }

    fn kept(x: &Variable, y: &Variable) -> Option<usize> {
        without_copies(x, y).map(|kept| kept.rows.len())
    }

    #[test]
    fn repeated_rows_are_found_and_left_out_once() {
        let (x, y) = fixtures::normal(300, 2, 0.0, 40);
        let times = |n: usize| -> Vec<usize> { (0..300 * n).map(|i| i / n).collect() };
        let (a, b) = (Variable::Numbers(x.clone()), Variable::Numbers(y.clone()));
        assert_eq!(kept(&a, &b), None);
        assert_eq!(kept(&a.take(&times(4)), &b.take(&times(4))), Some(300));
        // Drawn with replacement: 1 - 1/e of the rows are in it.
        let mut rng = stream(1, "copies", 0);
        let drawn: Vec<usize> = (0..300).map(|_| rng.below(300) as usize).collect();
        let mut different = drawn.clone();
        different.sort_unstable();
        different.dedup();
        assert_eq!(kept(&a.take(&drawn), &b.take(&drawn)), Some(different.len()));
        // A label beside a copied column; and labels alone, each row of them three times.
        let label = Variable::Labels((0..300).map(|i| i % 2).collect(), vec!["a".into(), "b".into()]);
        assert_eq!(kept(&a.take(&times(3)), &label.take(&times(3))), Some(300));
        let mut codes = |k: u32| Variable::Labels((0..300).map(|_| rng.below(k)).collect(), Vec::new());
        let (c, d) = (codes(40), codes(30));
        assert_eq!(kept(&c, &d), None);
        assert_eq!(kept(&c.take(&times(3)), &d.take(&times(3))), Some(300));
    }

    #[test]
    fn values_that_repeat_are_not_copies() {
        let (x, y) = fixtures::normal(1000, 1, 0.7, 41);
        let of = |f: &dyn Fn(f64) -> f64, s: &Samples| numbers(s.values().iter().map(|v| f(*v)).collect());
        let rounded = of(&|v| (v * 100.0).round() / 100.0, &x);
        assert_eq!(kept(&rounded, &of(&|v| (v * 10.0).round() / 10.0, &y)), None);
        assert_eq!(kept(&rounded, &rounded), None);
        assert_eq!(kept(&rounded, &of(&|v| (v * 100.0).round().powi(2), &x)), None);
        let zeros = |s: &Samples| {
            numbers(s.values().iter().zip(x.values()).map(|(v, x)| v.exp() * f64::from(*x > 1.5)).collect())
        };
        assert_eq!(kept(&zeros(&x), &zeros(&y)), None);
        let whole = of(&|v| (3.0 * v).round(), &x);
        assert_eq!(kept(&whole, &whole), None);
        let four = numbers((0..1000).map(|i| f64::from(i % 4)).collect());
        assert_eq!(kept(&four, &four), None);
        // Thirty levels of no common step, and what follows from them.
        let mut rng = stream(2, "copies", 0);
        let level: Vec<f64> = (0..1000).map(|_| (f64::from(rng.below(30)) + 0.3).powf(1.7)).collect();
        let follows = Variable::Labels(level.iter().map(|v| *v as u32 % 3).collect(), Vec::new());
        assert_eq!(kept(&numbers(level), &follows), None);
        // A balanced design: every combination of ten by ten values, ten times.
        let design = |f: &dyn Fn(u32) -> u32| numbers((0..1000).map(|i| f64::from(f(i))).collect());
        assert_eq!(kept(&design(&|i| i % 10), &design(&|i| i / 10 % 10)), None);
    }

    #[test]
    fn atoms_are_copied_as_often_as_other_rows() {
        let (x, y) = fixtures::normal(400, 1, 0.5, 42);
        let on = |s: &Samples| {
            numbers(s.values().iter().zip(x.values()).map(|(v, x)| if *x > 0.7 { *v } else { 0.0 }).collect())
        };
        let (a, b) = (on(&x), on(&y));
        let four: Vec<usize> = (0..1600).map(|i| i / 4).collect();
        assert_eq!(kept(&a.take(&four), &b.take(&four)), Some(400));
    }
}
