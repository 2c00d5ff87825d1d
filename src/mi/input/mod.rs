//! X and Y from files: arrays, tensors, and tables of columns.
//!
//! | file | names of columns |
//! |---|---|
//! | `.npy` | 1, 2, ... |
//! | `.npz`, `.safetensors` | the keys; a two-dimensional array is used whole |
//! | `.csv`, `.tsv`, `-` (CSV on standard input) | the first line, or 1, 2, ... if it is a row |
//! | `.parquet` | the schema; a list of numbers is used whole |
//!
//! Text may be in UTF-8, or in UTF-16 with a byte order mark. Cells may be separated by commas, semicolons, tabs or bars, and numbers may have
//! decimal commas. Whether the first line is a row is told by what stands below it.
//!
//! A row is a sample: row i of X and row i of Y form a pair. Nothing in a file is executed: arrays of Python objects are rejected.

mod array;
mod column;
mod delimited;
mod open;
#[cfg(feature = "parquet")]
mod parquet;
mod raw;
mod select;
mod side;
mod table;
mod tensors;
#[cfg(test)]
mod tests;
mod variable;

pub use select::matches;

use crate::error::{Error, Result};
use crate::mi::variable::Variable;
use open::open;
use select::{choose, listed};
use side::Side;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use table::{FoundColumn, Table, Wanted};
use variable::variable;

/// X and Y, row by row.
#[derive(Debug, Clone, PartialEq)]
pub struct Pair {
    /// X, (n, p) or (n) labels.
    pub x: Variable,
    /// Y, (n, q) or (n) labels.
    pub y: Variable,
    /// The names of the columns of X and of Y.
    pub names: [Vec<String>; 2],
    /// The number of rows that were omitted because a value of X or of Y is missing.
    pub dropped: usize,
    /// The number of rows n, without the omitted ones.
    pub rows: usize,
    /// Warnings about input that is not an error.
    pub warnings: Vec<String>,
}

/// What to read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Choice {
    /// One file with both, or one with X and one with Y; `-` is standard input.
    pub files: Vec<PathBuf>,
    /// Columns of X: names, or patterns with `*` and `?`. If there are none and X has its own file, all columns.
    pub x: Vec<String>,
    /// Columns of Y, likewise.
    pub y: Vec<String>,
    /// Whether X and whether Y are labels, which only distinguish rows, even if they are numbers.
    pub discrete: [bool; 2],
    /// Omit rows with a missing value instead of rejecting them.
    pub drop_nan: bool,
}

/// The names of X and Y, and the flags that choose their columns.
const SIDES: [(&str, &str); 2] = [("X", "--x"), ("Y", "--y")];

/// Reads X and Y.
///
/// If nothing is chosen, a file with two columns (or two arrays) holds X and Y, in this order.
///
/// # Errors
/// - A file cannot be read, is damaged, or holds something other than numbers or labels.
/// - A column does not exist, is requested in both X and Y, or it is not specified which columns to use.
/// - X and Y have different numbers of rows, or fewer than two.
/// - There is text where numbers are needed.
/// - A value is missing (NaN, infinity, an empty cell), without [`Choice::drop_nan`].
/// - Every row has a different label.
///
/// Errors number lines of text files and rows of other files from 1.
pub fn read(choice: &Choice) -> Result<Pair> {
    let mut warnings = Vec::new();
    let sides = match choice.files.as_slice() {
        [file] => one_file(file, choice, &mut warnings)?,
        [x, y] if x == Path::new("-") && x == y => {
            return Err(Error::usage(
                "standard input cannot be both X and Y",
                "give - once, and choose with --x and --y",
            ));
        }
        [x, y] => {
            let sides = [a_file(x, 0, choice, &mut warnings)?, a_file(y, 1, choice, &mut warnings)?];
            if same_file(x, y) {
                once(&sides)?;
            }
            sides
        }
        files => {
            let what = format!("{} files were given", files.len());
            return Err(Error::usage(what, "give one file of X and Y, or one of X and one of Y"));
        }
    };
    pair(sides, choice, warnings)
}

/// Whether two paths lead to the same file.
fn same_file(x: &Path, y: &Path) -> bool {
    x == y || matches!((x.canonicalize(), y.canonicalize()), (Ok(x), Ok(y)) if x == y)
}

/// Rejects a column of one file on both sides: X carries all information about itself.
fn once([x, y]: &[Side; 2]) -> Result<()> {
    let Some(again) = x.columns.iter().find(|c| y.columns.iter().any(|d| d.name == c.name)) else { return Ok(()) };
    let fault = format!("{}: column `{}` is asked for in both X and Y", x.file, again.name);
    Err(Error::usage(fault, "give another file for Y, or choose other columns with --x and --y"))
}

/// X and Y from one file.
fn one_file(path: &Path, choice: &Choice, warnings: &mut Vec<String>) -> Result<[Side; 2]> {
    let asked = [&choice.x[..], &choice.y[..]].concat();
    let table = open(path, &asked)?;
    let [x, y] = both(table.as_ref(), choice)?;
    warnings.extend(table.warning());
    let file = table.file().to_string();
    let wanted: Vec<Wanted> = [(&x, 0), (&y, 1)]
        .iter()
        .flat_map(|(places, side)| places.iter().map(|&at| Wanted { at, labels: choice.discrete[*side] }))
        .collect();
    let FoundColumn { mut columns, lines } = table.read(&wanted)?;
    let lines: Option<Rc<[u64]>> = lines.map(Into::into);
    let of_y = columns.split_off(x.len());
    let side = |side: usize, columns: Vec<Vec<_>>| Side {
        name: SIDES[side].0,
        file: file.clone(),
        columns: columns.into_iter().flatten().collect(),
        lines: lines.clone(),
    };
    Ok([side(0, columns), side(1, of_y)])
}

/// The indices of X and of Y among the names of one file.
fn both(table: &dyn Table, choice: &Choice) -> Result<[Vec<usize>; 2]> {
    let (file, what, names) = (table.file(), table.what(), table.names());
    let there_are = || format!("there are {}", listed(names));
    match (choice.x.is_empty(), choice.y.is_empty()) {
        (true, true) if names.len() == 2 => {
            choose(table, &[], "--x")?;
            return Ok([vec![0], vec![1]]);
        }
        (true, true) if names.len() < 2 => {
            let count = if names.is_empty() { "no" } else { "one" };
            let fault = format!("{file} has {count} {what}, and X and Y need one each");
            return Err(Error::usage(fault, "give a second file for Y"));
        }
        (true, true) => {
            let fault = format!("{file} has {} {what}s: which are X and which are Y?", names.len());
            return Err(Error::usage(fault, format!("choose with --x and --y; {}", there_are())));
        }
        (false, false) => {}
        (missing_x, _) => {
            let (name, flag) = SIDES[usize::from(!missing_x)];
            let fault = format!("{file}: nothing says which {what}s are {name}");
            return Err(Error::usage(fault, format!("choose with {flag}; {}", there_are())));
        }
    }
    let (x, y) = (choose(table, &choice.x, "--x")?, choose(table, &choice.y, "--y")?);
    if let Some(&again) = x.iter().find(|place| y.contains(place)) {
        let fault = format!("{file}: {what} `{}` is asked for in both X and Y", names[again]);
        return Err(Error::usage(fault, "remove it from --x or from --y"));
    }
    Ok([x, y])
}

/// X (0) or Y (1) from its own file.
fn a_file(path: &Path, side: usize, choice: &Choice, warnings: &mut Vec<String>) -> Result<Side> {
    let (name, flag) = SIDES[side];
    let asked = [&choice.x, &choice.y][side];
    let table = open(path, asked)?;
    let places = choose(table.as_ref(), asked, flag)?;
    warnings.extend(table.warning());
    let file = table.file().to_string();
    let wanted: Vec<Wanted> = places.iter().map(|&at| Wanted { at, labels: choice.discrete[side] }).collect();
    let FoundColumn { columns, lines } = table.read(&wanted)?;
    Ok(Side { name, file, columns: columns.into_iter().flatten().collect(), lines: lines.map(Into::into) })
}

/// Refuses decimal signs that do not say what the numbers are; those of one file are judged together.
fn check_decimals(sides: &[Side; 2]) -> Result<()> {
    let [mut x, y] = [&sides[0], &sides[1]].map(Side::decimals);
    if sides[0].file != sides[1].file {
        sides[0].check_decimals(&x)?;
        return sides[1].check_decimals(&y);
    }
    x.add(&y);
    sides[0].check_decimals(&x)
}

/// Checks the columns, omits rows with missing values, and makes variables of the rest.
fn pair(mut sides: [Side; 2], choice: &Choice, mut warnings: Vec<String>) -> Result<Pair> {
    let (n, of_y) = (sides[0].rows()?, sides[1].rows()?);
    for side in &sides {
        let text = side.text();
        if !text.is_empty() {
            let name = side.name.to_lowercase();
            let remedy = format!("repair these cells, choose other columns, or request labels with --discrete {name}");
            return Err(Error::problems(text, remedy));
        }
    }
    check_decimals(&sides)?;
    if n != of_y {
        let what = format!("X has {n} rows and Y has {of_y} ({} and {})", sides[0].file, sides[1].file);
        // A line of names that was read as numbers is one row too many.
        let remedy = ["give one row of Y for each row of X, in the same order".into()].into_iter().chain(warnings);
        return Err(Error::failed(what, remedy.collect::<Vec<String>>().join("; ")));
    }
    let (mut keep, mut problems) = (vec![true; n], Vec::new());
    for side in &sides {
        let (rows, problem) = side.missing();
        rows.into_iter().for_each(|row| keep[row] = false);
        problems.extend(problem);
    }
    if !problems.is_empty() && !choice.drop_nan {
        return Err(Error::problems(problems, "repair these rows, or leave them out of X and Y with --drop-nan"));
    }
    let rows = keep.iter().filter(|k| **k).count();
    let dropped = n - rows;
    if rows < 2 {
        let left =
            if dropped > 0 { format!("{rows} of {n} rows are left") } else { format!("X and Y have {rows} row") };
        return Err(Error::failed(
            format!("{left}, from which nothing can be estimated ({})", sides[0].file),
            "a row is a sample, and hundreds are needed; is the array the wrong way round, or much of it missing?",
        ));
    }
    if dropped > 0 {
        sides.iter_mut().flat_map(|side| &mut side.columns).for_each(|column| column.cells.retain(&keep));
    }
    let names = [0, 1].map(|i| sides[i].columns.iter().map(|c| c.name.clone()).collect());
    let [x, y] = sides.map(|side| variable(side.columns, side.name, &mut warnings));
    Ok(Pair { x: x?, y: y?, names, dropped, rows, warnings })
}
