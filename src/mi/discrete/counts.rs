//! Counts of samples of discrete variables, and estimates from the counts.
//!
//! The plug-in estimate uses the relative frequencies as probabilities. It is too low for entropies and too high for
//! mutual information, by about (cells - 1) / 2n. Miller (1955) adds this to each entropy, counting the cells that
//! occurred. Hausser and Strimmer (2009, *Entropy inference and the James-Stein estimator*, JMLR 10) mix
//! the frequencies with the uniform distribution over all m cells of the table. The weight is an estimate of the one that minimizes the
//! squared error, (1 - sum p^2) / ((n - 1) sum (1/m - p)^2). Use this estimator if there are more cells than samples.

use crate::error::{Error, Result};
use crate::mi::discrete::column::Column;
use crate::mi::discrete::distribution::surprise;
use crate::mi::discrete::joint::{Joint, Variable, union};
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// The largest number of cells of a table that is written out.
const CELLS: usize = 1 << 26;

/// How entropies are estimated from counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Estimator {
    /// Relative frequencies as probabilities (maximum likelihood).
    Plugin,
    /// The plug-in estimate with (cells that occurred - 1) / 2n added to each entropy.
    #[default]
    MillerMadow,
    /// James-Stein shrinkage of the joint table toward the uniform distribution.
    Shrinkage,
}

impl fmt::Display for Estimator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Estimator::Plugin => "plug-in",
            Estimator::MillerMadow => "miller-madow",
            Estimator::Shrinkage => "shrinkage",
        })
    }
}

impl FromStr for Estimator {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Estimator, String> {
        let all = [Estimator::Plugin, Estimator::MillerMadow, Estimator::Shrinkage];
        all.into_iter().find(|e| e.to_string() == text).ok_or("write plug-in, miller-madow or shrinkage".into())
    }
}

/// How often each combination of values occurred. Combinations that never occurred take no memory.
#[derive(Debug, Clone, PartialEq)]
pub struct Counts {
    variables: Vec<Variable>,
    cells: BTreeMap<Vec<u32>, u64>,
    n: u64,
}

impl Counts {
    /// Counts the rows of columns of equal length.
    ///
    /// # Errors
    /// There is no column or no row, or the lengths differ.
    pub fn of_columns(columns: &[Column]) -> Result<Counts> {
        let n = columns.first().map_or(0, |c| c.codes.len());
        if n == 0 || columns.iter().any(|c| c.codes.len() != n) {
            let lengths: Vec<String> =
                columns.iter().map(|c| format!("{} of {}", c.codes.len(), c.variable.name)).collect();
            let what = format!("the columns differ in length or are empty ({})", lengths.join(", "));
            return Err(Error::failed(what, "give columns of the same length, with at least one row"));
        }
        let mut cells = BTreeMap::new();
        for row in 0..n {
            *cells.entry(columns.iter().map(|c| c.codes[row]).collect()).or_insert(0) += 1;
        }
        Ok(Counts { variables: columns.iter().map(|c| c.variable.clone()).collect(), cells, n: n as u64 })
    }

    /// A table of counts, the last variable varying fastest.
    ///
    /// # Errors
    /// There is not a count for each cell, or all are 0.
    pub fn of_table(variables: Vec<Variable>, counts: &[u64]) -> Result<Counts> {
        // The checks are those of a joint table.
        Joint::of_weights(variables.clone(), counts.iter().map(|&c| c as f64).collect())?;
        let mut cells = BTreeMap::new();
        for (place, &count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
            let mut rest = place;
            let mut cell = vec![0; variables.len()];
            for (value, variable) in cell.iter_mut().zip(&variables).rev() {
                *value = (rest % variable.values.len()) as u32;
                rest /= variable.values.len();
            }
            cells.insert(cell, count);
        }
        Ok(Counts { variables, cells, n: counts.iter().sum() })
    }

    /// The number of samples.
    pub fn n(&self) -> u64 {
        self.n
    }

    /// The variables, in the order of the axes.
    pub fn variables(&self) -> &[Variable] {
        &self.variables
    }

    /// The table of relative frequencies.
    ///
    /// # Errors
    /// It has more cells than fit into memory.
    pub fn joint(&self) -> Result<Joint> {
        let cells = self.variables.iter().try_fold(1usize, |n, v| n.checked_mul(v.values.len()));
        let Some(cells) = cells.filter(|&n| n <= CELLS) else {
            let what = format!("a table of these {} variables has too many cells", self.variables.len());
            return Err(Error::usage(what, format!("choose fewer variables: a table may have up to {CELLS} cells")));
        };
        let mut weights = vec![0.0; cells];
        for (cell, &count) in &self.cells {
            let place = cell.iter().zip(&self.variables).fold(0, |at, (&v, var)| at * var.values.len() + v as usize);
            weights[place] = count as f64;
        }
        Joint::of_weights(self.variables.clone(), weights)
    }

    /// The joint entropy H of these variables, in nats.
    ///
    /// # Errors
    /// There is no such axis.
    pub fn entropy(&self, of: &[usize], estimator: Estimator) -> Result<f64> {
        Ok(self.table(&[of], estimator)?.entropy(of))
    }

    /// The joint entropy of each of these lists of variables, in nats, all from the same table.
    ///
    /// # Errors
    /// There is no such axis.
    pub fn entropies(&self, of: &[Vec<usize>], estimator: Estimator) -> Result<Vec<f64>> {
        let lists: Vec<&[usize]> = of.iter().map(Vec::as_slice).collect();
        let table = self.table(&lists, estimator)?;
        Ok(of.iter().map(|of| table.entropy(of)).collect())
    }

    /// H(of | given) in nats.
    ///
    /// # Errors
    /// There is no such axis.
    pub fn conditional_entropy(&self, of: &[usize], given: &[usize], estimator: Estimator) -> Result<f64> {
        let table = self.table(&[of, given], estimator)?;
        Ok(table.entropy(&union(&[of, given])) - table.entropy(given))
    }

    /// I(a; b) in nats. The Miller-Madow estimate may be below 0, which means that no dependence was found.
    ///
    /// # Errors
    /// There is no such axis.
    pub fn mutual_information(&self, a: &[usize], b: &[usize], estimator: Estimator) -> Result<f64> {
        self.conditional_mutual_information(a, b, &[], estimator)
    }

    /// I(a; b | given) in nats.
    ///
    /// # Errors
    /// There is no such axis.
    pub fn conditional_mutual_information(
        &self,
        a: &[usize],
        b: &[usize],
        given: &[usize],
        estimator: Estimator,
    ) -> Result<f64> {
        let table = self.table(&[a, b, given], estimator)?;
        let h = |axes: &[&[usize]]| table.entropy(&union(axes));
        Ok(h(&[a, given]) + h(&[b, given]) - h(&[a, b, given]) - h(&[given]))
    }

    /// Warnings about an estimate from these variables, one sentence each.
    ///
    /// # Errors
    /// There is no such axis.
    pub fn warnings(&self, axes: &[usize]) -> Result<Vec<String>> {
        let table = self.table(&[axes], Estimator::Plugin)?;
        let mut warnings: Vec<String> = Vec::new();
        for &axis in &union(&[axes]) {
            let (variable, seen) = (&self.variables[axis], table.margin(&[axis]).len());
            if seen == 1 {
                warnings.push(format!("{} is constant: it shares nothing with anything", variable.name));
            } else if seen as u64 == self.n {
                warnings
                    .push(format!("{} has a value of its own in each of {seen} rows: is it a label?", variable.name));
            }
        }
        let cells = table.margin(&union(&[axes])).len() as u64;
        if self.n < 5 * cells {
            warnings.push(format!("{} samples in {cells} cells: too few for a good estimate", self.n));
        }
        Ok(warnings)
    }

    /// The part of the table that a quantity over these axes is computed from.
    fn table(&self, lists: &[&[usize]], estimator: Estimator) -> Result<Estimated<'_>> {
        let axes = union(lists);
        if let Some(axis) = axes.iter().find(|&&axis| axis >= self.variables.len()) {
            let what = format!("there is no axis {axis} among {}", self.variables.len());
            return Err(Error::usage(what, "axes are counted from 0"));
        }
        let mut table = Estimated { counts: self, estimator, weight: 0.0 };
        if estimator == Estimator::Shrinkage {
            table.weight = table.shrinkage(&axes);
        }
        Ok(table)
    }
}

/// Counts with an estimator.
struct Estimated<'c> {
    counts: &'c Counts,
    estimator: Estimator,
    /// The weight of the uniform distribution.
    weight: f64,
}

impl Estimated<'_> {
    /// The nonzero counts of these variables.
    fn margin(&self, axes: &[usize]) -> Vec<u64> {
        let mut sums: BTreeMap<Vec<u32>, u64> = BTreeMap::new();
        for (cell, count) in &self.counts.cells {
            *sums.entry(axes.iter().map(|&a| cell[a]).collect()).or_insert(0) += count;
        }
        sums.into_values().collect()
    }

    /// The number of cells of the table over these variables, including those that did not occur.
    fn cells(&self, axes: &[usize]) -> f64 {
        axes.iter().map(|&a| self.counts.variables[a].values.len() as f64).product()
    }

    /// (1 - sum p^2) / ((n - 1) sum (1 / cells - p)^2), at most 1.
    fn shrinkage(&self, axes: &[usize]) -> f64 {
        let (n, cells, counts) = (self.counts.n as f64, self.cells(axes), self.margin(axes));
        let squares: f64 = counts.iter().map(|&c| (c as f64 / n).powi(2)).sum();
        let apart: f64 = counts.iter().map(|&c| (c as f64 / n - 1.0 / cells).powi(2)).sum::<f64>()
            + (cells - counts.len() as f64) / (cells * cells);
        // One sample carries no information, and uniform frequencies shrink to themselves.
        if n <= 1.0 || apart <= 0.0 { 1.0 } else { ((1.0 - squares) / ((n - 1.0) * apart)).clamp(0.0, 1.0) }
    }

    fn entropy(&self, axes: &[usize]) -> f64 {
        let (n, counts) = (self.counts.n as f64, self.margin(axes));
        // A margin of the uniform distribution over the whole table is uniform over the margin's cells.
        let (weight, cells) = (self.weight, self.cells(axes));
        let uniform = weight / cells;
        let seen: f64 = counts.iter().map(|&c| surprise((1.0 - weight) * c as f64 / n + uniform)).sum();
        let unseen = (cells - counts.len() as f64) * surprise(uniform);
        let correction = (counts.len() - 1) as f64 / (2.0 * n);
        seen + unseen + if self.estimator == Estimator::MillerMadow { correction } else { 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(sizes: &[usize], counts: &[u64]) -> Counts {
        let variables = sizes.iter().enumerate().map(|(i, &n)| Variable::numbered(["X", "Y", "Z"][i], n)).collect();
        Counts::of_table(variables, counts).unwrap()
    }

    fn close(value: f64, expected: f64) {
        assert!((value - expected).abs() < 1e-13, "{value}, expected {expected}");
    }

    #[test]
    fn the_estimates_are_their_equations() {
        // Computed with numpy from the equations at the top of the file.
        let one = counts(&[11], &[4, 2, 3, 0, 2, 4, 0, 0, 2, 1, 1]);
        close(one.entropy(&[0], Estimator::Plugin).unwrap(), 1.968_382_408_728_381_2);
        close(one.entropy(&[0], Estimator::MillerMadow).unwrap(), 2.152_592_935_044_171);
        close(one.entropy(&[0], Estimator::Shrinkage).unwrap(), 2.379_602_895_309_956);
        let two = counts(&[2, 3], &[10, 2, 0, 1, 7, 4]);
        let mi = |estimator| two.mutual_information(&[0], &[1], estimator).unwrap();
        close(mi(Estimator::Plugin), 0.354_882_477_961_590_67);
        close(mi(Estimator::MillerMadow), 0.334_049_144_628_257_36);
        close(mi(Estimator::Shrinkage), 0.181_431_204_783_360_83);
        close(two.conditional_entropy(&[0], &[1], Estimator::Shrinkage).unwrap(), 0.511_715_975_776_584_6);
    }

    #[test]
    fn too_few_samples_shrink_to_the_uniform_distribution() {
        for few in [[1, 1, 0], [0, 1, 0]] {
            close(counts(&[3], &few).entropy(&[0], Estimator::Shrinkage).unwrap(), 3f64.ln());
        }
    }

    #[test]
    fn plug_in_estimates_are_those_of_the_table_of_frequencies() {
        let counts = counts(&[2, 3, 2], &[3, 0, 1, 4, 2, 2, 0, 1, 5, 0, 3, 1]);
        let joint = counts.joint().unwrap();
        let conditional = counts.conditional_mutual_information(&[0], &[1], &[2], Estimator::Plugin).unwrap();
        close(conditional, joint.conditional_mutual_information(&[0], &[1], &[2]).unwrap());
        close(counts.entropy(&[1, 2], Estimator::Plugin).unwrap(), joint.entropy(&[1, 2]).unwrap());
        close(counts.mutual_information(&[0], &[0], Estimator::Plugin).unwrap(), joint.entropy(&[0]).unwrap());
    }

    #[test]
    fn corrections_come_nearer_the_truth_where_samples_are_few() {
        // 200 rows of two independent variables of 8 values: the truth is 0, and the plug-in estimate about 49 / 400.
        let mut rng = crate::seed::stream(3, "few", 0);
        let mut column = |name| Column::new(name, (0..200).map(|_| rng.below(8).to_string()).collect::<Vec<_>>());
        let counts = Counts::of_columns(&[column("X"), column("Y")]).unwrap();
        let mi = |estimator| counts.mutual_information(&[0], &[1], estimator).unwrap();
        assert!(mi(Estimator::Plugin) > 0.08);
        assert!(mi(Estimator::MillerMadow).abs() < 0.5 * mi(Estimator::Plugin));
        assert!(mi(Estimator::Shrinkage) < 0.1 * mi(Estimator::Plugin));
    }

    #[test]
    fn columns_are_counted_row_by_row() {
        let (x, y) = (Column::new("X", ["a", "b", "a"]), Column::new("Y", ["u", "u", "v"]));
        let counts = Counts::of_columns(&[x.clone(), y]).unwrap();
        assert_eq!(counts.joint().unwrap().p(), [1.0 / 3.0, 1.0 / 3.0, 1.0 / 3.0, 0.0]);
        let short = Column::new("Y", ["u"]);
        assert_eq!(Counts::of_columns(&[x, short]).unwrap_err().exit_code(), 1);
        assert!(Counts::of_columns(&[]).is_err());
        assert!(counts.entropy(&[2], Estimator::Plugin).is_err());
    }

    #[test]
    fn warnings_name_columns_that_are_no_labels_and_too_few_samples() {
        let columns = [Column::new("id", ["1", "2", "3"]), Column::new("same", ["u", "u", "u"])];
        let counts = Counts::of_columns(&columns).unwrap();
        assert_eq!(
            counts.warnings(&[0, 1]).unwrap(),
            [
                "id has a value of its own in each of 3 rows: is it a label?",
                "same is constant: it shares nothing with anything",
                "3 samples in 3 cells: too few for a good estimate",
            ]
        );
    }

    #[test]
    fn one_sample_and_huge_tables_have_finite_values() {
        let many: Vec<Column> = (0..40).map(|i| Column::new(&format!("c{i}"), ["a", "b", "c", "d"])).collect();
        let counts = Counts::of_columns(&many).unwrap();
        assert!(counts.joint().is_err());
        let (half, rest): (Vec<usize>, Vec<usize>) = (0..40).partition(|i| i % 2 == 0);
        for estimator in [Estimator::Plugin, Estimator::MillerMadow, Estimator::Shrinkage] {
            assert!(counts.mutual_information(&half, &rest, estimator).unwrap().is_finite(), "{estimator}");
            let one = Counts::of_columns(&[Column::new("X", ["a"]), Column::new("Y", ["a"])]).unwrap();
            assert_eq!(one.mutual_information(&[0], &[1], estimator).unwrap(), 0.0);
        }
    }
}
