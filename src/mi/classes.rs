//! Which rows are equal, and how often each value occurs.

use crate::mi::samples::Samples;
use std::cmp::Ordering;
use std::collections::HashMap;

/// The rows of a variable, divided into classes of equal rows.
#[derive(Debug, Clone, PartialEq)]
pub struct Classes {
    codes: Vec<u32>,
    counts: Vec<u32>,
}

impl Classes {
    /// Classes of equal rows, numbered in the order of their values.
    pub fn of(samples: &Samples) -> Classes {
        // 0 and -0 are equal, although they differ in the total order.
        let compare = |a: &u32, b: &u32| {
            let pairs = samples.row(*a as usize).iter().zip(samples.row(*b as usize));
            pairs.map(|(a, b)| (a + 0.0).total_cmp(&(b + 0.0))).find(|o| o.is_ne()).unwrap_or(Ordering::Equal)
        };
        let mut order: Vec<u32> = (0..samples.len() as u32).collect();
        order.sort_unstable_by(compare);
        let (mut codes, mut counts) = (vec![0; order.len()], Vec::new());
        for class in order.chunk_by(|a, b| compare(a, b).is_eq()) {
            class.iter().for_each(|&row| codes[row as usize] = counts.len() as u32);
            counts.push(class.len() as u32);
        }
        Classes { codes, counts }
    }

    /// Classes of equal labels, numbered in the order of their first rows.
    pub fn of_labels(labels: &[u32]) -> Classes {
        Self::number(labels.iter().map(|&label| u64::from(label)))
    }

    /// Classes of rows that are equal in both.
    pub fn with(&self, other: &Classes) -> Classes {
        Self::number(self.codes.iter().zip(&other.codes).map(|(&a, &b)| u64::from(a) << 32 | u64::from(b)))
    }

    fn number(keys: impl Iterator<Item = u64>) -> Classes {
        let (mut numbers, mut codes, mut counts) = (HashMap::new(), Vec::new(), Vec::new());
        for key in keys {
            let code = *numbers.entry(key).or_insert(counts.len() as u32);
            if code as usize == counts.len() {
                counts.push(0);
            }
            counts[code as usize] += 1;
            codes.push(code);
        }
        Classes { codes, counts }
    }

    /// The classes of some rows; the numbers of classes change.
    pub fn take(&self, rows: &[usize]) -> Classes {
        Self::number(rows.iter().map(|&row| u64::from(self.codes[row])))
    }

    /// The class of each row.
    pub fn codes(&self) -> &[u32] {
        &self.codes
    }

    /// The number of rows in each class.
    pub fn counts(&self) -> &[u32] {
        &self.counts
    }

    /// The number of rows in the class of row `row`.
    pub fn size(&self, row: usize) -> usize {
        self.counts[self.codes[row] as usize] as usize
    }

    /// The number of rows that have an equal row.
    pub fn tied(&self) -> usize {
        self.counts.iter().filter(|c| **c > 1).map(|c| *c as usize).sum()
    }

    /// The part of the rows that the largest class has.
    pub fn largest(&self) -> f64 {
        self.counts.iter().copied().max().unwrap_or(0) as f64 / self.codes.len().max(1) as f64
    }

    /// The probability that two rows are equal, sum p^2.
    pub fn collision(&self) -> f64 {
        let n = self.codes.len().max(1) as f64;
        self.counts.iter().map(|&c| (f64::from(c) / n).powi(2)).sum()
    }

    /// The entropy in nats, from relative frequencies: too low by about (classes - 1) / 2n.
    pub fn entropy(&self) -> f64 {
        let n = self.codes.len().max(1) as f64;
        self.counts.iter().map(|&c| -f64::from(c) / n * (f64::from(c) / n).ln()).sum()
    }

    /// The rows of each class.
    pub fn groups(&self) -> Vec<Vec<usize>> {
        let mut groups: Vec<Vec<usize>> = self.counts.iter().map(|&c| Vec::with_capacity(c as usize)).collect();
        self.codes.iter().enumerate().for_each(|(row, &code)| groups[code as usize].push(row));
        groups
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_that_are_equal_in_every_column_share_a_class() {
        let samples = Samples::new(vec![2.0, 1.0, 0.0, 5.0, 2.0, 1.0, -0.0, 5.0, 2.0, 3.0], 2).unwrap();
        let classes = Classes::of(&samples);
        assert_eq!(classes.codes(), [1, 0, 1, 0, 2]);
        assert_eq!((classes.tied(), classes.size(4), classes.largest()), (4, 1, 0.4));
        assert!((classes.collision() - 9.0 / 25.0).abs() < 1e-15);
        assert!((Classes::of_labels(&[3, 7]).entropy() - 2f64.ln()).abs() < 1e-15);
        let both = classes.with(&Classes::of_labels(&[1, 1, 2, 1, 2]));
        assert_eq!(both.groups(), [vec![0], vec![1, 3], vec![2], vec![4]]);
        assert_eq!(both.take(&[3, 1, 4]).codes(), [0, 0, 1]);
    }
}
