//! Figures of a classification: accuracy, macro-F1, recalls, and the classes that are confused with each other.

use serde::Serialize;

/// How often each class was classified as each class: (truth, prediction) counts, (K, K).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Confusion {
    counts: Vec<u64>,
    classes: usize,
}

/// Two classes, the first of which was misclassified as the second.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Confused {
    /// The true class.
    pub truth: String,
    /// The class that was predicted.
    pub predicted: String,
    /// Number of rows.
    pub count: u64,
    /// Their share of the rows of the true class.
    pub share: f64,
}

impl Confusion {
    /// A matrix with nothing counted yet.
    pub fn new(classes: usize) -> Self {
        Confusion { counts: vec![0; classes * classes], classes }
    }

    /// Counts one row.
    pub fn add(&mut self, truth: u32, predicted: u32) {
        self.counts[truth as usize * self.classes + predicted as usize] += 1;
    }

    /// How often `truth` was classified as each class (K).
    pub fn row(&self, truth: usize) -> &[u64] {
        &self.counts[truth * self.classes..][..self.classes]
    }

    /// All counts, (K, K), one row per true class.
    pub fn rows(&self) -> Vec<Vec<u64>> {
        (0..self.classes).map(|c| self.row(c).to_vec()).collect()
    }

    /// Number of rows of a class.
    pub fn count(&self, truth: usize) -> u64 {
        self.row(truth).iter().sum()
    }

    /// The share of rows that were classified correctly.
    pub fn accuracy(&self) -> f64 {
        let right: u64 = (0..self.classes).map(|c| self.row(c)[c]).sum();
        right as f64 / self.counts.iter().sum::<u64>().max(1) as f64
    }

    /// The share of a class's rows that were classified correctly; none if it has no rows.
    pub fn recall(&self, class: usize) -> Option<f64> {
        let count = self.count(class);
        (count > 0).then(|| self.row(class)[class] as f64 / count as f64)
    }

    /// The mean of F1 = 2 correct / (rows + predicted) over the classes that have rows or were predicted, as scikit-learn's
    /// `f1_score(average="macro")`.
    pub fn macro_f1(&self) -> f64 {
        let said = |c: usize| (0..self.classes).map(|t| self.row(t)[c]).sum::<u64>();
        let f1: Vec<f64> = (0..self.classes)
            .map(|c| (self.row(c)[c], self.count(c) + said(c)))
            .filter(|&(_, of)| of > 0)
            .map(|(right, of)| 2.0 * right as f64 / of as f64)
            .collect();
        f1.iter().sum::<f64>() / f1.len().max(1) as f64
    }

    /// The pairs of classes that are confused most often, at most `limit` of them.
    pub fn confused(&self, names: &[String], limit: usize) -> Vec<Confused> {
        let mut pairs: Vec<(u64, usize, usize)> = (0..self.classes)
            .flat_map(|t| self.row(t).iter().enumerate().map(move |(p, &n)| (n, t, p)))
            .filter(|&(n, t, p)| n > 0 && t != p)
            .collect();
        pairs.sort_by_key(|&(n, t, p)| (std::cmp::Reverse(n), t, p));
        pairs.truncate(limit);
        let describe = |(count, t, p): (u64, usize, usize)| Confused {
            truth: names[t].clone(),
            predicted: names[p].clone(),
            count,
            share: count as f64 / self.count(t) as f64,
        };
        pairs.into_iter().map(describe).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_scikit_learns() {
        // accuracy_score, f1_score(average="macro") and recall_score(average=None) of scikit-learn 1.9.1 on these lists.
        let truth = [0, 0, 0, 0, 1, 1, 1, 2, 2, 2];
        let predicted = [0, 0, 1, 3, 1, 1, 0, 2, 1, 2];
        let mut confusion = Confusion::new(5);
        truth.iter().zip(predicted).for_each(|(&t, p)| confusion.add(t, p));
        assert!((confusion.accuracy() - 0.6).abs() < 1e-12);
        assert!((confusion.macro_f1() - 0.485_714_285_714).abs() < 1e-9, "{}", confusion.macro_f1());
        assert_eq!(confusion.recall(0), Some(0.5));
        assert_eq!(confusion.recall(3), None);
        let names: Vec<String> = "abcde".chars().map(String::from).collect();
        let pairs = confusion.confused(&names, 2);
        assert_eq!((pairs[0].truth.as_str(), pairs[0].predicted.as_str(), pairs[0].share), ("a", "b", 0.25));
        assert_eq!(pairs.len(), 2);
    }
}
