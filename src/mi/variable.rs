//! A variable of numbers or of labels.

use crate::error::Result;
use crate::mi::ranks::normal_scores;
use crate::mi::samples::Samples;

/// Rows of a variable.
#[derive(Debug, Clone, PartialEq)]
pub enum Variable {
    /// Numbers, of one or more columns.
    Numbers(Samples),
    /// Labels: the index of each row's label, and the names of the labels.
    Labels(Vec<u32>, Vec<String>),
}

impl Variable {
    /// The number of rows.
    pub fn len(&self) -> usize {
        match self {
            Variable::Numbers(samples) => samples.len(),
            Variable::Labels(codes, _) => codes.len(),
        }
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The number of columns of numbers; 1 for labels.
    pub fn dim(&self) -> usize {
        match self {
            Variable::Numbers(samples) => samples.dim(),
            Variable::Labels(..) => 1,
        }
    }

    /// These rows, in this order.
    pub fn take(&self, rows: &[usize]) -> Variable {
        match self {
            Variable::Numbers(samples) => Variable::Numbers(samples.take(rows)),
            Variable::Labels(codes, names) => Variable::Labels(rows.iter().map(|&i| codes[i]).collect(), names.clone()),
        }
    }

    /// The input of a network. Numbers become normal scores. Each label becomes a column; there are at most 64 columns, in order of frequency,
    /// and the last one is shared by all remaining labels.
    ///
    /// # Errors
    /// There are no rows.
    pub fn encoded(&self) -> Result<Samples> {
        const COLUMNS: usize = 64;
        let (codes, names) = match self {
            Variable::Numbers(samples) => return normal_scores(samples),
            Variable::Labels(codes, names) => (codes, names),
        };
        let mut counts = vec![0usize; names.len().max(codes.iter().max().map_or(0, |&m| m as usize + 1))];
        codes.iter().for_each(|&c| counts[c as usize] += 1);
        let mut order: Vec<usize> = (0..counts.len()).collect();
        order.sort_by_key(|&label| std::cmp::Reverse(counts[label]));
        let mut column = vec![0; counts.len()];
        order.iter().enumerate().for_each(|(rank, &label)| column[label] = rank.min(COLUMNS - 1));
        let dim = counts.len().min(COLUMNS);
        let mut values = vec![0.0; codes.len() * dim];
        codes.iter().enumerate().for_each(|(row, &code)| values[row * dim + column[code as usize]] = 1.0);
        Samples::new(values, dim)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_have_a_column_each_until_there_are_too_many() {
        let three = Variable::Labels(vec![2, 0, 2, 1], vec!["a".into(), "b".into(), "c".into()]);
        assert_eq!(three.encoded().unwrap().values(), [1., 0., 0., 0., 1., 0., 1., 0., 0., 0., 0., 1.]);
        let many = Variable::Labels((0..100).collect(), (0..100).map(|i: u32| i.to_string()).collect());
        let encoded = many.encoded().unwrap();
        assert_eq!((encoded.dim(), encoded.row(99)[63]), (64, 1.0));
        assert_eq!(three.take(&[3, 0]), Variable::Labels(vec![1, 2], vec!["a".into(), "b".into(), "c".into()]));
    }
}
