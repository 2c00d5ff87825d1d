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
mod columns;
mod delimited;
mod open;
#[cfg(feature = "parquet")]
mod parquet;
mod raw;
mod select;
mod series;
mod side;
mod source;
mod table;
mod tensors;
#[cfg(test)]
mod tests;
mod variable;

pub use columns::{Columns, read_columns, read_labels};
pub use select::matches;
pub use series::{SeriesColumns, When, read_series};
pub use source::Source;

use crate::error::{Error, Result};
use crate::mi::variable::Variable;
use open::open;
use select::{choose, listed};
use side::Side;
use std::path::Path;
use std::rc::Rc;
use table::{FoundColumn, Table, Wanted};
use variable::variable;

/// X and Y, and Z if it is given, row by row.
#[derive(Debug, Clone, PartialEq)]
pub struct Pair {
    /// X, (n, p) or (n) labels.
    pub x: Variable,
    /// Y, (n, q) or (n) labels.
    pub y: Variable,
    /// Z, which information is conditional on.
    pub z: Option<Variable>,
    /// The names of the columns of X, of Y and of Z.
    pub names: [Vec<String>; 3],
    /// The number of rows that were omitted because a value is missing.
    pub dropped: usize,
    /// The number of rows n, without the omitted ones.
    pub rows: usize,
    /// Warnings about input that is not an error.
    pub warnings: Vec<String>,
}

/// What to read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Choice {
    /// One file with all, or one with X, one with Y and perhaps one with Z; `-` is standard input.
    pub files: Vec<Source>,
    /// Columns of X: names, or patterns with `*` and `?`. If there are none and X has its own file, all columns.
    pub x: Vec<String>,
    /// Columns of Y, likewise.
    pub y: Vec<String>,
    /// Columns of Z, likewise. There is no Z if there are none and Z has no file.
    pub given: Vec<String>,
    /// Whether X, Y and Z are labels, which only distinguish rows, even if they are numbers.
    pub discrete: [bool; 3],
    /// Omit rows with a missing value instead of rejecting them.
    pub drop_nan: bool,
}

/// The names of X, Y and Z, and the flags that choose their columns.
const SIDES: [(&str, &str); 3] = [("X", "--x"), ("Y", "--y"), ("Z", "--given")];

/// Reads X and Y, and Z if it is asked for.
///
/// If nothing is chosen, a file with two columns (or two arrays) holds X and Y, in this order.
///
/// # Errors
/// - A file cannot be read, is damaged, or holds something other than numbers or labels.
/// - A column does not exist, is requested twice, or it is not specified which columns to use.
/// - X, Y and Z have different numbers of rows, or fewer than two.
/// - There is text where numbers are needed.
/// - A value is missing (NaN, infinity, an empty cell), without [`Choice::drop_nan`].
/// - Every row has a different label.
///
/// Errors number lines of text files and rows of other files from 1.
pub fn read(choice: &Choice) -> Result<Pair> {
    let mut warnings = Vec::new();
    let sides = match choice.files.as_slice() {
        [file] => one_file(file, choice, &mut warnings)?,
        files @ ([_, _] | [_, _, _]) => {
            let input = files.iter().filter(|file| **file == Source::from(Path::new("-"))).count();
            if input > 1 {
                return Err(Error::usage(
                    "standard input cannot be several of X, Y and Z",
                    "give - once, and choose with --x, --y and --given",
                ));
            }
            if files.len() == 2 && !choice.given.is_empty() {
                return Err(Error::usage(
                    "there are two files, and --given does not say in which Z is",
                    "give a third file, which --given is for, or one file with all columns",
                ));
            }
            let each = files.iter().enumerate();
            let sides =
                each.map(|(side, file)| a_file(file, side, choice, &mut warnings)).collect::<Result<Vec<Side>>>()?;
            for (i, first) in files.iter().enumerate() {
                for j in (i + 1..files.len()).filter(|&j| first.is(&files[j])) {
                    once(&sides[i], &sides[j])?;
                }
            }
            sides
        }
        files => {
            let what = format!("{} files were given", files.len());
            return Err(Error::usage(what, "give one file, or one of X, one of Y and perhaps one of Z"));
        }
    };
    together(sides, choice, warnings)
}

/// Rejects a column of one file on two sides: X carries all information about itself.
fn once(one: &Side, other: &Side) -> Result<()> {
    let Some(again) = one.columns.iter().find(|c| other.columns.iter().any(|d| d.name == c.name)) else {
        return Ok(());
    };
    let fault = format!("{}: column `{}` is asked for in both {} and {}", one.file, again.name, one.name, other.name);
    let remedy = format!(
        "give another file for {}, or choose other columns with {} and {}",
        other.name,
        one.flag(),
        other.flag()
    );
    Err(Error::usage(fault, remedy))
}

/// X, Y and Z from one file.
fn one_file(path: &Source, choice: &Choice, warnings: &mut Vec<String>) -> Result<Vec<Side>> {
    let asked = [&choice.x[..], &choice.y[..], &choice.given[..]].concat();
    let table = open(path, &asked)?;
    let places = places(table.as_ref(), choice)?;
    warnings.extend(table.warning());
    let file = table.file().to_string();
    let wanted: Vec<Wanted> = places
        .iter()
        .enumerate()
        .flat_map(|(side, places)| places.iter().map(move |&at| Wanted { at, labels: choice.discrete[side] }))
        .collect();
    let FoundColumn { columns, lines } = table.read(&wanted)?;
    let lines: Option<Rc<[u64]>> = lines.map(Into::into);
    let mut columns = columns.into_iter();
    let mut side = |(side, places): (usize, &Vec<usize>)| Side {
        name: SIDES[side].0,
        file: file.clone(),
        columns: columns.by_ref().take(places.len()).flatten().collect(),
        lines: lines.clone(),
    };
    Ok(places.iter().enumerate().map(&mut side).collect())
}

/// The columns of X, of Y and of Z in one file.
fn places(table: &dyn Table, choice: &Choice) -> Result<Vec<Vec<usize>>> {
    let (file, what, names) = (table.file(), table.what(), table.names());
    let there_are = || format!("there are {}", listed(names));
    match (choice.x.is_empty(), choice.y.is_empty()) {
        (true, true) if names.len() == 2 && choice.given.is_empty() => {
            choose(table, &[], "--x")?;
            return Ok(vec![vec![0], vec![1]]);
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
    let mut all = vec![choose(table, &choice.x, "--x")?, choose(table, &choice.y, "--y")?];
    if !choice.given.is_empty() {
        all.push(choose(table, &choice.given, "--given")?);
    }
    for (j, later) in all.iter().enumerate() {
        for (i, earlier) in all[..j].iter().enumerate() {
            let Some(&again) = earlier.iter().find(|place| later.contains(place)) else { continue };
            let [(one, one_flag), (other, other_flag)] = [SIDES[i], SIDES[j]];
            let fault = format!("{file}: {what} `{}` is asked for in both {one} and {other}", names[again]);
            return Err(Error::usage(fault, format!("remove it from {one_flag} or from {other_flag}")));
        }
    }
    Ok(all)
}

/// X (0), Y (1) or Z (2) from its own file.
fn a_file(path: &Source, side: usize, choice: &Choice, warnings: &mut Vec<String>) -> Result<Side> {
    let (name, flag) = SIDES[side];
    let asked = [&choice.x, &choice.y, &choice.given][side];
    let table = open(path, asked)?;
    let places = choose(table.as_ref(), asked, flag)?;
    warnings.extend(table.warning());
    let file = table.file().to_string();
    let wanted: Vec<Wanted> = places.iter().map(|&at| Wanted { at, labels: choice.discrete[side] }).collect();
    let FoundColumn { columns, lines } = table.read(&wanted)?;
    Ok(Side { name, file, columns: columns.into_iter().flatten().collect(), lines: lines.map(Into::into) })
}

/// Refuses decimal signs that do not say what the numbers are; those of one file are judged together.
fn check_decimals(sides: &[Side]) -> Result<()> {
    for side in sides {
        let mut all = side.decimals();
        sides.iter().filter(|other| other.file == side.file && other.name != side.name).for_each(|other| {
            all.add(&other.decimals());
        });
        side.check_decimals(&all)?;
    }
    Ok(())
}

/// The variables of all sides, without rows that are missing in one.
fn together(mut sides: Vec<Side>, choice: &Choice, mut warnings: Vec<String>) -> Result<Pair> {
    let rows = sides.iter().map(Side::rows).collect::<Result<Vec<usize>>>()?;
    let n = rows[0];
    for side in &sides {
        let text = side.text();
        if !text.is_empty() {
            let name = side.name.to_lowercase();
            let remedy = format!("repair these cells, choose other columns, or request labels with --discrete {name}");
            return Err(Error::problems(text, remedy));
        }
    }
    check_decimals(&sides)?;
    if let Some(at) = rows.iter().position(|other| *other != n) {
        let (name, file) = (sides[at].name, &sides[at].file);
        let what = format!("X has {n} rows and {name} has {} ({} and {file})", rows[at], sides[0].file);
        // A line of names that was read as numbers is one row too many.
        let first = format!("give one row of {name} for each row of X, in the same order");
        let remedy = [first].into_iter().chain(warnings);
        return Err(Error::failed(what, remedy.collect::<Vec<String>>().join("; ")));
    }
    let (mut keep, mut problems) = (vec![true; n], Vec::new());
    for side in &sides {
        let (rows, problem) = side.missing();
        rows.into_iter().for_each(|row| keep[row] = false);
        problems.extend(problem);
    }
    if !problems.is_empty() && !choice.drop_nan {
        return Err(Error::problems(problems, "repair these rows, or leave them out with --drop-nan"));
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
    let names = [0, 1, 2]
        .map(|i| sides.get(i).map_or(Vec::new(), |side| side.columns.iter().map(|c| c.name.clone()).collect()));
    let mut variables = sides.into_iter().map(|side| variable(side.columns, side.name, &mut warnings));
    let mut next = || variables.next().transpose();
    let (x, y, z) = (next()?, next()?, next()?);
    drop(variables);
    let (Some(x), Some(y)) = (x, y) else {
        return Err(Error::failed("X or Y is missing", "report this as a bug in cpc"));
    };
    Ok(Pair { x, y, z, names, dropped, rows, warnings })
}
