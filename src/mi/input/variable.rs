//! X or Y from its columns.

use crate::error::{Error, Result};
use crate::mi::discrete::Column as Coded;
use crate::mi::input::column::{Cells, Column};
use crate::mi::samples::Samples;
use crate::mi::variable::Variable;
use std::collections::HashMap;

/// Makes a variable of columns of the same length without missing cells, all numbers or all labels. `name` is X or Y. Warnings are
/// added to `warnings`.
///
/// # Errors
/// Every row has a different label.
pub(super) fn variable(columns: Vec<Column>, name: &str, warnings: &mut Vec<String>) -> Result<Variable> {
    let constant: Vec<&str> = columns.iter().filter(|c| c.cells.is_constant()).map(|c| c.name.as_str()).collect();
    match constant[..] {
        [] => {}
        [one] => warnings.push(format!("{name}: column `{one}` is constant and tells nothing")),
        _ => warnings.push(format!("{name}: columns {} are constant and tell nothing", constant.join(", "))),
    }
    let n = columns.first().map_or(0, |c| c.cells.len());
    let names: Vec<&str> = columns.iter().map(|c| c.name.as_str()).collect();
    let place = format!("{name} ({})", names.join(", "));
    let (mut numbers, mut labels) = (Vec::new(), Vec::new());
    for column in &columns {
        match &column.cells {
            Cells::Numbers { values, .. } => numbers.push(values.as_slice()),
            Cells::Labels(texts) => labels.push(Coded::new(&column.name, texts)),
        }
    }
    if labels.is_empty() {
        let values = (0..n).flat_map(|row| numbers.iter().map(move |column| column[row])).collect();
        return Ok(Variable::Numbers(Samples::new(values, numbers.len())?));
    }
    let (codes, names) = together(labels);
    if names.len() == n {
        let what = format!("{place}: each of the {n} rows has a label of its own");
        let remedy = format!(
            "several rows must share a label: choose another column, or use numbers as numbers (without --discrete {})",
            name.to_lowercase()
        );
        return Err(Error::failed(what, remedy));
    }
    if names.len() > n / 2 {
        warnings.push(format!("{place}: {} different labels in {n} rows; most are too rare to tell much", names.len()));
    }
    Ok(Variable::Labels(codes, names))
}

/// Combines several columns of labels into one.
fn together(mut columns: Vec<Coded>) -> (Vec<u32>, Vec<String>) {
    if columns.len() == 1 {
        let only = columns.remove(0);
        return (only.codes, only.variable.values);
    }
    let n = columns.first().map_or(0, |c| c.codes.len());
    let (mut numbers, mut names) = (HashMap::new(), Vec::new());
    let mut code = |row: usize| {
        let key: Vec<u32> = columns.iter().map(|c| c.codes[row]).collect();
        *numbers.entry(key).or_insert_with(|| {
            let parts = columns.iter().map(|c| c.variable.values[c.codes[row] as usize].as_str());
            names.push(parts.collect::<Vec<_>>().join(", "));
            names.len() as u32 - 1
        })
    };
    let codes = (0..n).map(&mut code).collect();
    (codes, names)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(columns: &[(&str, &[&str])]) -> (Result<Variable>, Vec<String>) {
        let column = |(name, cells): &(&str, &[&str])| Column {
            name: name.to_string(),
            cells: Cells::Labels(cells.iter().map(ToString::to_string).collect()),
        };
        let mut warnings = Vec::new();
        (variable(columns.iter().map(column).collect(), "Y", &mut warnings), warnings)
    }

    #[test]
    fn labels_of_several_columns_are_taken_together() {
        let (variable, warnings) = labels(&[("a", &["u", "v", "u", "u", "v"]), ("b", &["0", "0", "1", "0", "0"])]);
        let expected = vec!["u, 0".to_string(), "v, 0".into(), "u, 1".into()];
        assert_eq!(variable.unwrap(), Variable::Labels(vec![0, 1, 2, 0, 1], expected));
        assert_eq!(warnings, ["Y (a, b): 3 different labels in 5 rows; most are too rare to tell much"]);
    }

    #[test]
    fn labels_that_tell_every_row_apart_are_refused() {
        let e = labels(&[("id", &["u", "v", "w"])]).0.unwrap_err();
        assert_eq!(e.to_string(), "Y (id): each of the 3 rows has a label of its own");
        assert!(e.remedy().ends_with("(without --discrete y)"));
        assert_eq!(labels(&[("a", &["u", "v", "v", "u"])]).1, [""; 0]);
    }

    #[test]
    fn numbers_are_laid_row_after_row_and_constant_columns_named() {
        let column = |name: &str, values: &[f64]| Column { name: name.into(), cells: Cells::numbers(values.to_vec()) };
        let mut warnings = Vec::new();
        let columns = vec![column("a", &[1.0, 2.0]), column("b", &[3.0, 3.0])];
        let Variable::Numbers(samples) = variable(columns, "X", &mut warnings).unwrap() else { panic!("labels") };
        assert_eq!((samples.values(), samples.dim()), (&[1.0, 3.0, 2.0, 3.0][..], 2));
        assert_eq!(warnings, ["X: column `b` is constant and tells nothing"]);
    }
}
