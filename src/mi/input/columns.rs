//! Columns of one file, each a variable of its own.

use crate::error::{Error, Result};
use crate::mi::discrete::Column;
use crate::mi::input::column::Cells;
use crate::mi::input::open::open;
use crate::mi::input::select::{choose, listed, matches};
use crate::mi::input::side::Side;
use crate::mi::input::source::Source;
use crate::mi::input::table::{FoundColumn, Wanted};
use crate::mi::input::variable::variable;
use crate::mi::variable::Variable;

/// Columns of a file, row by row.
#[derive(Debug, Clone, PartialEq)]
pub struct Columns {
    /// Their names.
    pub names: Vec<String>,
    /// Each column, all of the same length.
    pub variables: Vec<Variable>,
    /// The number of rows that were omitted because a value is missing.
    pub dropped: usize,
    /// The number of rows, without the omitted ones.
    pub rows: usize,
    /// Warnings about input that is not an error.
    pub warnings: Vec<String>,
}

/// Reads columns of a file. `names` chooses some by name or pattern, or all if it is empty; `discrete` names those whose values are labels.
///
/// # Errors
/// The file cannot be read, a column does not exist, columns differ in length, there is text where numbers are needed, or a value is missing and
/// `drop_nan` is not given.
pub fn read_columns(source: &Source, names: &[String], discrete: &[String], drop_nan: bool) -> Result<Columns> {
    gather(source, names, discrete, drop_nan)?.columns(discrete)
}

/// Reads columns of labels. Each name, or pattern, is of one column.
///
/// # Errors
/// As those of [`read_columns`]; a label is missing.
pub fn read_labels(source: &Source, names: &[String]) -> Result<Vec<Column>> {
    let columns = gather(source, names, names, false)?.side.columns;
    let labels = |name: &String| {
        let mut found = columns.iter().filter(|column| matches(name.trim(), &column.name));
        match (found.next().map(|column| (&column.name, &column.cells)), found.next()) {
            (Some((name, Cells::Labels(labels))), None) => Ok(Column::new(name, labels)),
            _ => Err(Error::usage(
                format!("{source}: `{name}` is not the name of one column"),
                "give each column of an array a name, or give it alone",
            )),
        }
    };
    names.iter().map(labels).collect()
}

/// Columns with all their rows, and which of these are used.
pub(super) struct Gathered {
    pub(super) side: Side,
    /// Of each row, whether it is used.
    pub(super) keep: Vec<bool>,
    warnings: Vec<String>,
}

/// Reads columns as [`read_columns`] does.
///
/// # Errors
/// As those of [`read_columns`].
pub(super) fn gather(source: &Source, names: &[String], discrete: &[String], drop_nan: bool) -> Result<Gathered> {
    let mut warnings = Vec::new();
    let table = open(source, names)?;
    let chosen = choose(table.as_ref(), names, "--columns")?;
    for pattern in discrete {
        if !chosen.iter().any(|&at| matches(pattern.trim(), &table.names()[at])) {
            let what = format!("{}: --discrete {pattern} is none of the columns", table.file());
            return Err(Error::usage(what, format!("choose from {}", listed(table.names()))));
        }
    }
    warnings.extend(table.warning());
    let labels = |name: &str| discrete.iter().any(|pattern| matches(pattern.trim(), name));
    let wanted: Vec<Wanted> = chosen.iter().map(|&at| Wanted { at, labels: labels(&table.names()[at]) }).collect();
    let file = table.file().to_string();
    let FoundColumn { columns, lines } = table.read(&wanted)?;
    let columns = columns.into_iter().flatten().collect();
    let side = Side { name: "the columns", file, columns, lines: lines.map(Into::into) };
    let n = side.rows()?;
    let text = side.text();
    if !text.is_empty() {
        return Err(Error::problems(
            text,
            "name columns of labels with --discrete, choose other columns, or repair these cells",
        ));
    }
    side.check_decimals(&side.decimals())?;
    let (missing, problem) = side.missing();
    if let (Some(problem), false) = (problem, drop_nan) {
        let remedy = "repair these rows, choose other columns, or leave the rows out with --drop-nan";
        return Err(Error::problems(vec![problem], remedy));
    }
    let rows = n - missing.len();
    if rows < 2 {
        return Err(Error::failed(
            format!("{}: {rows} of {n} rows are left, from which nothing can be estimated", side.file),
            "a row is a sample, and hundreds are needed; leave out the columns with missing values with --columns",
        ));
    }
    let mut keep = vec![true; n];
    missing.into_iter().for_each(|row| keep[row] = false);
    Ok(Gathered { side, keep, warnings })
}

impl Gathered {
    /// The columns without the rows that are not used.
    ///
    /// # Errors
    /// Every row has a label of its own.
    pub(super) fn columns(self, discrete: &[String]) -> Result<Columns> {
        let Gathered { side, keep, mut warnings } = self;
        let rows = keep.iter().filter(|keep| **keep).count();
        let dropped = keep.len() - rows;
        let (mut names, mut variables) = (Vec::new(), Vec::new());
        for mut column in side.columns {
            if dropped > 0 {
                column.cells.retain(&keep);
            }
            names.push(column.name.clone());
            let name = column.name.clone();
            let variable = variable(vec![column], &name, &mut warnings).map_err(|e| match discrete.is_empty() {
                true => e,
                false => Error::failed(
                    e.to_string(),
                    "choose other columns with --columns, or take it out of --discrete to use its numbers",
                ),
            })?;
            variables.push(variable);
        }
        Ok(Columns { names, variables, dropped, rows, warnings })
    }
}
