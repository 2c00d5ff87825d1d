//! The terms of the chain rule: which atoms, and the numbers that are left ([`atoms`](crate::mi::atoms)).

use crate::error::Result;
use crate::mi::atoms::Divided;
use crate::mi::classes::Classes;
use crate::mi::estimate::auto::{labels, named, nothing, numbers, tables};
use crate::mi::estimate::sum::Sum;
use crate::mi::estimate::{Estimate, EstimateKind, Estimator, Settings};
use crate::mi::interval::{at_least, error_of};
use crate::mi::variable::Variable;

/// The smallest number of rows with the same atoms in which other numbers are studied.
const GROUP: usize = 20;
/// A part of the rows in smaller groups that deserves a warning.
const LEFT: f64 = 0.05;

/// The estimate for X and Y, neither of which has copies of rows. `depth` is the number of times that the rows were divided.
pub(super) fn whole(x: &Variable, y: &Variable, settings: &Settings, depth: usize) -> Result<Estimate> {
    let sides = [Divided::new(x, settings.seed, "mi/auto/x")?, Divided::new(y, settings.seed, "mi/auto/y")?];
    let mut found = match &sides {
        [x, y] if x.is_constant() || y.is_constant() => nothing(x.atoms.codes().len()),
        [Divided { numbers: Some(a), .. }, Divided { numbers: Some(b), .. }]
            if !sides[0].has_atoms() && !sides[1].has_atoms() =>
        {
            let closed = !sides[0].coarse && !sides[1].coarse;
            numbers::of(a, b, [&sides[0].columns, &sides[1].columns], closed, settings, depth)?
        }
        [Divided { numbers: None, .. }, Divided { numbers: None, .. }] => {
            tables::of(&sides[0].atoms, &sides[1].atoms, settings)?
        }
        [Divided { numbers: None, atoms, .. }, Divided { numbers: Some(numbers), .. }] if !sides[1].has_atoms() => {
            labels::of(atoms, numbers, &sides[1].columns, ["X", "Y"], settings, depth)?
        }
        [Divided { numbers: Some(numbers), .. }, Divided { numbers: None, atoms, .. }] if !sides[0].has_atoms() => {
            labels::of(atoms, numbers, &sides[0].columns, ["Y", "X"], settings, depth)?
        }
        _ => divided(&sides, settings, depth)?,
    };
    if depth == 0 {
        for (name, side) in [("X", &sides[0]), ("Y", &sides[1])] {
            if side.is_constant() {
                found
                    .warnings
                    .push(format!("{name} is constant: it shares nothing with anything; choose a column that varies"));
            } else if !side.constant.is_empty() {
                let which = named(&side.constant, name);
                found
                    .warnings
                    .push(format!("{which} constant, which informs about nothing: left out; choose columns that vary"));
            }
        }
    }
    Ok(found)
}

impl Divided {
    fn is_constant(&self) -> bool {
        !self.has_atoms() && self.numbers.is_none()
    }

    fn labels(&self, rows: &[usize]) -> Variable {
        Variable::Labels(self.atoms.take(rows).codes().to_vec(), Vec::new())
    }
}

/// Atoms and numbers apart.
fn divided(sides: &[Divided; 2], settings: &Settings, depth: usize) -> Result<Estimate> {
    let n = sides[0].atoms.codes().len();
    let all: Vec<usize> = (0..n).collect();
    let mut sum = Sum::new(n);
    let mut null = 0.0;
    if sides.iter().all(Divided::has_atoms) {
        let table = tables::of(&sides[0].atoms, &sides[1].atoms, settings)?;
        null = error_of(table.ci95);
        sum.add(table, &all);
        sum.variance = 0.0; // how much it varies is how much groups differ, below
    }
    let mut left = 0;
    // The atoms of one side and the numbers of the other, given the other's atom.
    for (label, number) in [(0, 1), (1, 0)] {
        let (Some(numbers), true) = (&sides[number].numbers, sides[label].has_atoms()) else { continue };
        for rows in sides[number].atoms.groups() {
            if rows.len() < GROUP || sides[label].atoms.take(&rows).counts().len() < 2 {
                continue;
            }
            let some = Variable::Numbers(numbers.take(&rows));
            let labels = sides[label].labels(&rows);
            let [x, y] = if label == 0 { [labels, some] } else { [some, labels] };
            // Where every row has a label of its own, the numbers say nothing about it that could be seen.
            if let Ok(found) = whole(&x, &y, settings, depth + 1) {
                sum.add(found, &rows);
            }
        }
    }
    let both = sides[0].atoms.with(&sides[1].atoms);
    if let (Some(a), Some(b)) = (&sides[0].numbers, &sides[1].numbers) {
        for rows in both.groups() {
            let (a, b) = (a.take(&rows), b.take(&rows));
            let varies = |s: &crate::mi::samples::Samples| Classes::of(s).counts().len() > 1;
            if !varies(&a) || !varies(&b) {
                continue;
            }
            if rows.len() < GROUP {
                left += rows.len();
                continue;
            }
            sum.add(whole(&Variable::Numbers(a), &Variable::Numbers(b), settings, depth + 1)?, &rows);
        }
    }
    if left as f64 > LEFT * n as f64 {
        sum.warnings.push(format!("{left} of {n} rows are in atoms with fewer than {GROUP} rows, whose other numbers were not studied; give more rows"));
    }
    let mut estimate = Estimate::new(Estimator::Auto, sum.nats, EstimateKind::Estimate, n);
    estimate.method = format!("atoms and numbers apart: {}", sum.methods.join("; "));
    estimate.ci95 = Some(at_least(None, sum.nats, sum.variance_over(&both.groups()).sqrt().max(null)));
    estimate.warnings = sum.warnings;
    Ok(estimate.with_pointwise(sum.local))
}
