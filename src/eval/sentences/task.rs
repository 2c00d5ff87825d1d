//! A task: labeled sentences or labeled pairs of sentences, and which of them are for training and which for testing.

use crate::error::{Error, Problem, Result};
use std::collections::{BTreeMap, HashSet};

/// A sentence, or a pair of sentences, with its label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Example {
    /// The label.
    pub label: String,
    /// The sentence, or the first of a pair.
    pub first: String,
    /// The second of a pair.
    pub second: Option<String>,
    /// Where it comes from, for messages: a file and a line.
    pub place: String,
}

/// Labeled sentences, or labeled pairs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SentenceTask {
    /// Its name in the table.
    pub name: String,
    /// The examples to classify; with a given split the training examples come first.
    pub examples: Vec<Example>,
    /// Number of examples for training; none for cross-validation over all examples.
    pub train: Option<usize>,
    /// Notes on the data that are needed to interpret the figures.
    pub remarks: Vec<String>,
}

impl SentenceTask {
    /// A task for cross-validation.
    ///
    /// # Errors
    /// If there are no examples, some are pairs and others are not, a sentence is empty, a label has only one example, or all examples
    /// have the same label.
    pub fn new(name: impl Into<String>, examples: Vec<Example>) -> Result<SentenceTask> {
        let task = SentenceTask { name: name.into(), examples, train: None, remarks: Vec::new() };
        task.check_examples()?;
        let mut labels: BTreeMap<&str, (usize, &str)> = BTreeMap::new();
        for example in &task.examples {
            labels.entry(&example.label).or_insert((0, &example.place)).0 += 1;
        }
        let lonely = labels.iter().filter(|(_, (n, _))| *n == 1);
        let lonely: Vec<Problem> = lonely
            .map(|(label, (_, place))| Problem::new(place, format!("the only example with the label {label:?}")))
            .collect();
        if !lonely.is_empty() {
            let remedy = "a label needs an example to train on and another to test: add some, or remove it";
            return Err(Error::problems(lonely, remedy));
        }
        task.two_labels(&task.examples)?;
        Ok(task)
    }

    /// A task with a given split.
    ///
    /// # Errors
    /// As [`SentenceTask::new`] for either part, except that a label may have a single training example; also if a label occurs only in the test
    /// part.
    pub fn split(name: impl Into<String>, train: Vec<Example>, test: Vec<Example>) -> Result<SentenceTask> {
        let name = name.into();
        for (part, which) in [(&train, "train on"), (&test, "test")] {
            if part.is_empty() {
                let what = format!("{name}: there is nothing to {which}");
                return Err(Error::failed(what, "give one labeled sentence or pair per line"));
            }
        }
        let known: HashSet<&str> = train.iter().map(|e| e.label.as_str()).collect();
        let unknown: BTreeMap<&str, &str> = test
            .iter()
            .rev()
            .filter(|e| !known.contains(e.label.as_str()))
            .map(|e| (e.label.as_str(), e.place.as_str()))
            .collect();
        if !unknown.is_empty() {
            let problem = |(label, place)| Problem::new(place, format!("no training example has the label {label:?}"));
            let remedy =
                "a label that occurs only in the test part cannot be learned: correct it, or add training examples";
            return Err(Error::problems(unknown.into_iter().map(problem).collect(), remedy));
        }
        let n = train.len();
        let task = SentenceTask { name, examples: [train, test].concat(), train: Some(n), remarks: Vec::new() };
        task.check_examples()?;
        task.two_labels(&task.examples[..n])?;
        Ok(task)
    }

    /// Whether the examples are pairs.
    pub fn pairs(&self) -> bool {
        self.examples.first().is_some_and(|e| e.second.is_some())
    }

    /// Every distinct sentence once, in the order of first appearance (in a pair, the first sentence before the second). The caller
    /// provides vectors for these, one row each, in this order.
    pub fn distinct(&self) -> Vec<&str> {
        let mut seen = HashSet::new();
        self.examples.iter().flat_map(sentences).filter(|&s| seen.insert(s)).collect()
    }

    fn check_examples(&self) -> Result<()> {
        let Some(example) = self.examples.first() else {
            let what = format!("{}: there are no examples", self.name);
            return Err(Error::failed(what, "give one labeled sentence or pair per line"));
        };
        let pair = example.second.is_some();
        let mut problems = Vec::new();
        for example in &self.examples {
            let is = |pair| if pair { "a pair" } else { "one sentence" };
            let this = example.second.is_some();
            if this != pair {
                problems.push(Problem::new(&example.place, format!("{}, after {}", is(this), is(pair))));
            } else if sentences(example).any(|s| s.trim().is_empty()) {
                problems.push(Problem::new(&example.place, "the sentence is empty"));
            } else if example.label.is_empty() {
                problems.push(Problem::new(&example.place, "the label is empty"));
            }
        }
        if problems.is_empty() {
            return Ok(());
        }
        Err(Error::problems(problems, "give each example a label and a sentence, or each a label and two sentences"))
    }

    fn two_labels(&self, examples: &[Example]) -> Result<()> {
        if examples.iter().any(|e| e.label != examples[0].label) {
            return Ok(());
        }
        let what = format!("{}: all examples have the label {:?}", self.name, examples[0].label);
        Err(Error::failed(what, "a classifier needs at least two labels: is the label the first column?"))
    }
}

/// One sentence, or two.
pub(super) fn sentences(example: &Example) -> impl Iterator<Item = &str> {
    std::iter::once(example.first.as_str()).chain(example.second.as_deref())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// `label sentence`, or `label first | second`.
    pub fn examples(lines: &[&str]) -> Vec<Example> {
        let example = |(n, line): (usize, &&str)| {
            let (label, text) = line.split_once(' ').unwrap();
            let (first, second) = text.split_once(" | ").map_or((text, None), |(a, b)| (a, Some(b.to_string())));
            Example { label: label.into(), first: first.into(), second, place: format!("t line {}", n + 1) }
        };
        lines.iter().enumerate().map(example).collect()
    }

    #[test]
    fn distinct_sentences_come_in_the_order_of_their_first_appearance() {
        let task = SentenceTask::new("t", examples(&["y b | a", "n a | c", "y c | c", "n d | b"])).unwrap();
        assert_eq!(task.distinct(), ["b", "a", "c", "d"]);
        assert!(task.pairs());
    }

    #[test]
    fn what_cannot_be_learned_or_tested_is_named_with_its_place() {
        let text = |lines: &[&str]| SentenceTask::new("t", examples(lines)).unwrap_err().to_string();
        assert!(text(&["a x", "a y", "b z"]).contains("t line 3: the only example with the label \"b\""));
        assert!(text(&["a x", "a y"]).contains("all examples have the label"));
        assert!(text(&["a x", "b y | z"]).contains("t line 2: a pair, after one sentence"));
        assert!(text(&["a x", "b  "]).contains("t line 2: the sentence is empty"));
        assert!(text(&[]).contains("no examples"));
        let split =
            |a: &[&str], b: &[&str]| SentenceTask::split("t", examples(a), examples(b)).unwrap_err().to_string();
        assert!(split(&["a x", "b y"], &["a z", "c z", "c z"]).contains("t line 2: no training example has the label"));
        assert!(split(&["a x", "b y"], &[]).contains("nothing to test"));
        assert!(split(&["a x"], &["a y"]).contains("all examples have the label"));
    }
}
