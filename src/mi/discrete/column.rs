//! A column of labels.

use crate::mi::discrete::joint::Variable;
use std::collections::HashMap;

/// A column of labels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its name, and its labels in the order of their first occurrence.
    pub variable: Variable,
    /// The index of the label of each row.
    pub codes: Vec<u32>,
}

impl Column {
    /// A column of `labels`, one per row.
    pub fn new<S: AsRef<str>>(name: &str, labels: impl IntoIterator<Item = S>) -> Column {
        let (mut values, mut numbers) = (Vec::new(), HashMap::new());
        let mut codes = Vec::new();
        for label in labels {
            let next = values.len() as u32;
            codes.push(*numbers.entry(label.as_ref().to_string()).or_insert_with(|| {
                values.push(label.as_ref().to_string());
                next
            }));
        }
        Column { variable: Variable { name: name.into(), values }, codes }
    }
}
