//! Atoms: values that many rows share, such as the zeros of rainfall, counts, and the levels of a switch.
//!
//! Ranks of tied values have no normal scores, and a row in an atom has no neighbors at a distance. So a side is divided in two: which atom a
//! row is in, a label (or none), and the numbers that are left. With A the atom of X and B the atom of Y, the chain rule gives
//!
//! I(X; Y) = I(A; B) + I(A; Y given B) + I(X; B given A) + I(X; Y given A, B),
//!
//! and each term has estimators that are right for it (as the mixture estimators of Gao et al. 2017 and of Mesner and Shalizi 2021, *Conditional
//! mutual information estimation for mixed, discrete and continuous data*, which count copies where the nearest neighbor is one).
//!
//! Values that repeat without being atoms, as rounded numbers do, are put in a random order. This is the distributional transform
//! (Rueschendorf 2009, *On the distributional transform, Sklar's theorem, and the empirical copula process*): it can be undone, so it changes no
//! information, and single columns become continuous.

use crate::error::Result;
use crate::mi::classes::Classes;
use crate::mi::permutation::shuffled;
use crate::mi::samples::Samples;
use crate::mi::variable::Variable;
use crate::seed::stream;

/// A column is coarse if one of its values has more than this part of the rows.
const COARSE: f64 = 0.1;
/// An atom has at least this part of the rows, and [`ROWS`] rows.
const ATOM: f64 = 0.02;
const ROWS: usize = 5;
/// A column repeats if more than this part of its rows are tied.
const REPEATS: f64 = 0.05;
/// The smallest group of rows with the same atoms in which the other numbers can be studied, and the part of the rows that may be in smaller
/// ones.
const GROUP: usize = 20;
const OUTSIDE: f64 = 0.1;
/// The same where a side has several columns and not all are coarse: groups divide the rows, and critics need them.
const LARGE_GROUP: usize = 200;
/// The mean number of rows that combinations of several coarse columns need.
const ROWS_FOR_A_PATTERN: usize = 20;

/// A side of the pair, divided into atoms and the numbers that are left.
#[derive(Debug, Clone)]
pub struct Divided {
    /// The atoms of each row: one class if there are none.
    pub atoms: Classes,
    /// The numbers without the constant and the coarse columns; none if nothing is left.
    pub numbers: Option<Samples>,
    /// The original column of each column of `numbers`.
    pub columns: Vec<usize>,
    /// Whether a column of `numbers` is coarse: there are too many combinations of atoms to divide the rows.
    pub coarse: bool,
    /// The constant columns.
    pub constant: Vec<usize>,
}

impl Divided {
    /// Divides a side. `seed` and `name` determine the order of equal values.
    ///
    /// # Errors
    /// None, because samples are finite numbers.
    pub fn new(side: &Variable, seed: u64, name: &str) -> Result<Divided> {
        let samples = match side {
            Variable::Numbers(samples) => samples,
            Variable::Labels(codes, _) => {
                let atoms = Classes::of_labels(codes);
                return Ok(Divided { atoms, numbers: None, columns: Vec::new(), coarse: false, constant: Vec::new() });
            }
        };
        let n = samples.len();
        let mut divided = Divided {
            atoms: Classes::of_labels(&vec![0; n]),
            numbers: None,
            columns: Vec::new(),
            coarse: false,
            constant: Vec::new(),
        };
        let (mut fine, mut coarse) = (Vec::new(), Vec::new());
        for j in 0..samples.dim() {
            let classes = Classes::of(&samples.columns(&[j])?);
            match classes.largest() {
                _ if classes.counts().len() == 1 => divided.constant.push(j),
                largest if largest > COARSE => coarse.push((j, classes)),
                _ => fine.push((j, classes)),
            }
        }
        let found: Vec<_> = coarse.iter().map(|(_, classes)| patterns(classes)).collect();
        let both = found.iter().fold(divided.atoms.clone(), |all, (pattern, _)| all.with(pattern));
        let numbers_left = !fine.is_empty() || found.iter().any(|(_, rest)| *rest);
        let smallest = if fine.is_empty() { GROUP } else { LARGE_GROUP };
        // Rows in small groups are lost to the terms inside groups. If no numbers are left there, nothing is lost.
        let outside: u32 = both.counts().iter().filter(|count| (**count as usize) < smallest).sum();
        let few = match numbers_left {
            _ if coarse.is_empty() => true,
            true => f64::from(outside) <= OUTSIDE * n as f64,
            false => samples.dim() == 1 || ROWS_FOR_A_PATTERN * both.counts().len() <= n,
        };
        let mut left = Vec::new();
        if few {
            divided.atoms = both;
            left.extend(coarse.into_iter().zip(found).filter(|(_, (_, rest))| *rest).map(|(column, _)| column));
        } else {
            divided.coarse = true;
            left = coarse;
        }
        left.extend(fine);
        left.sort_by_key(|column| column.0);
        if !left.is_empty() {
            let dim = left.len();
            let mut values = vec![0.0; n * dim];
            for (at, (j, classes)) in left.iter().enumerate() {
                let repeats = classes.tied() as f64 > REPEATS * n as f64 && classes.largest() <= COARSE;
                let ranks = repeats.then(|| ranks_in_random_order(classes, seed, name, *j));
                for row in 0..n {
                    values[row * dim + at] = ranks.as_ref().map_or(samples.row(row)[*j], |ranks| ranks[row]);
                }
            }
            divided.numbers = Some(Samples::new(values, dim)?);
            divided.columns = left.iter().map(|column| column.0).collect();
        }
        Ok(divided)
    }

    /// Whether there are atoms.
    pub fn has_atoms(&self) -> bool {
        self.atoms.counts().len() > 1
    }
}

/// The atom of each row, one class for all rows in none, and whether numbers are left in that class.
fn patterns(classes: &Classes) -> (Classes, bool) {
    let n = classes.codes().len() as f64;
    let is_atom = |code: usize| {
        let size = classes.counts()[code] as usize;
        size >= ROWS && size as f64 >= ATOM * n
    };
    let rest: Vec<usize> = (0..classes.codes().len()).filter(|&row| !is_atom(classes.codes()[row] as usize)).collect();
    // Where other values repeat too, the column is one of labels or counts, and rare values are atoms as well.
    if rest.len() < GROUP || classes.take(&rest).tied() > rest.len() / 2 {
        return (classes.clone(), false);
    }
    let codes = classes.codes().iter().map(|&code| if is_atom(code as usize) { code + 1 } else { 0 });
    (Classes::of_labels(&codes.collect::<Vec<_>>()), true)
}

/// The ranks of a column from 0, with equal values in random order.
fn ranks_in_random_order(classes: &Classes, seed: u64, name: &str, column: usize) -> Vec<f64> {
    let n = classes.codes().len();
    let mut first = vec![0; classes.counts().len()];
    for code in 1..first.len() {
        first[code] = first[code - 1] + classes.counts()[code - 1] as usize;
    }
    let mut ranks = vec![0.0; n];
    for row in shuffled(n, &mut stream(seed, name, column as u64)) {
        let next = &mut first[classes.codes()[row] as usize];
        ranks[row] = *next as f64;
        *next += 1;
    }
    ranks
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mi::fixtures;

    fn divide(values: Vec<f64>, dim: usize) -> Divided {
        Divided::new(&Variable::Numbers(Samples::new(values, dim).unwrap()), 1, "test").unwrap()
    }

    #[test]
    fn zeros_and_amounts_are_apart() {
        let (x, _) = fixtures::normal(1000, 1, 0.0, 50);
        let rain = divide(x.values().iter().map(|v| v.max(0.8).exp() - 0.8f64.exp()).collect(), 1);
        assert!(rain.has_atoms() && rain.atoms.counts().len() == 2 && rain.numbers.is_some() && !rain.coarse);
        let counts = divide(x.values().iter().map(|v| v.exp().floor()).collect(), 1);
        assert!(counts.has_atoms() && counts.numbers.is_none(), "{:?}", counts.atoms.counts());
        let plain = divide(x.values().to_vec(), 1);
        assert_eq!(plain.numbers.unwrap(), x);
        assert_eq!(plain.atoms.counts(), [1000]);
        assert!(!divide(x.values()[..50].to_vec(), 1).coarse);
    }

    #[test]
    fn rounded_numbers_keep_their_order_and_lose_their_ties() {
        let (x, _) = fixtures::normal(1000, 1, 0.0, 51);
        let rounded: Vec<f64> = x.values().iter().map(|v| (v * 10.0).round()).collect();
        let ranks = divide(rounded.clone(), 1).numbers.unwrap();
        let mut sorted = ranks.values().to_vec();
        sorted.sort_by(f64::total_cmp);
        assert!(sorted.iter().enumerate().all(|(i, rank)| *rank == i as f64));
        let rows = || (0..1000).flat_map(|i| (0..1000).map(move |j| (i, j)));
        assert!(rows().all(|(i, j)| rounded[i] >= rounded[j] || ranks.values()[i] < ranks.values()[j]));
    }

    #[test]
    fn constant_columns_are_named_and_many_coarse_ones_stay_together() {
        let (x, _) = fixtures::normal(1000, 12, 0.0, 52);
        let relu = divide(x.values().iter().map(|v| v.max(0.0)).collect(), 12);
        assert!(relu.coarse && relu.numbers.unwrap().dim() == 12);
        let with = divide(x.values().chunks(12).flat_map(|row| [3.0, row[0], f64::from(row[1] > 0.0)]).collect(), 3);
        assert_eq!((with.constant, with.columns, with.atoms.counts().len()), (vec![0], vec![1], 2));
        let nothing = divide(vec![2.0; 50], 1);
        assert!(nothing.numbers.is_none() && !nothing.has_atoms());
    }
}
