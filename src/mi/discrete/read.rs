//! Tables and columns from CSV files.

use crate::data::decimal::Decimals;
use crate::data::dialect::{Dialect, FirstLine, first_line, is_number};
use crate::data::plain::{TO_UTF8, table as plain};
use crate::error::{Error, Problem, Result};
use crate::mi::discrete::column::Column;
use crate::mi::discrete::counts::Counts;
use crate::mi::discrete::distribution::TOLERANCE;
use crate::mi::discrete::joint::{Joint, Variable};
use csv::StringRecord;
use std::io::Read;

/// What to do about a first line that is a row.
const HEAD_IT: &str = "write a line of names above it";

/// The contents of a joint table file.
#[derive(Debug, Clone, PartialEq)]
pub enum Table {
    /// Probabilities.
    Probabilities(Joint),
    /// Counts: all cells are whole numbers, and their sum is above 1.
    Counts(Counts),
}

/// A record of a CSV file, and the line where it starts.
struct Record {
    line: u64,
    cells: Vec<String>,
}

/// Reads a joint table of two variables from CSV: one row for each value of X, one column for each value of Y.
///
/// If a cell after the first of the first line is not a number, that line holds the names of the values of Y. If a cell of the first
/// column below such a line is not a number, that column holds the names of the values of X. If the names are themselves numbers, the
/// corner cell decides. It belongs to both a line and a column of names if it is empty, or `X\Y`, or the only cell of its line and column
/// that is not a number. A corner of the form `X\Y` names the variables. `name` is the file's name in messages.
///
/// # Errors
/// All cells that are not numbers, negative or not finite, and all lines with too many or too few cells, each with its line and column.
/// Also a sum that is not 1, unless all cells are whole numbers: then they are counts.
pub fn read_table(input: impl Read, name: &str) -> Result<Table> {
    let records = records(input, name)?;
    let Some(first) = records.first() else {
        return Err(Error::bad_file(name, "has no cells"));
    };
    let number = |cell: &String| is_number(cell);
    let corner = first.cells.len() > 1 && !number(&first.cells[0]);
    let below = |test: &dyn Fn(&String) -> bool| records[1..].iter().all(|r| r.cells.first().is_none_or(test));
    let lone = corner
        && (first.cells[0].is_empty()
            || first.cells[0].contains('\\')
            || (first.cells[1..].iter().all(number) && records.len() > 1 && below(&number)));
    let head = lone || first.cells.iter().skip(1).any(|c| !number(c)) || !first.cells.iter().any(number);
    let body = &records[usize::from(head)..];
    let side = lone || body.iter().any(|r| r.cells.first().is_some_and(|c| !number(c)));
    let Some(width) = body.first().map(|r| r.cells.len()).filter(|&w| w > usize::from(side)) else {
        return Err(Error::bad_file(name, "has names but no numbers"));
    };
    let mut problems = Vec::new();
    // A line of names may or may not have a corner.
    if head && first.cells.len() != width && !(side && first.cells.len() + 1 == width) {
        let what = format!("has {} names for {width} columns", first.cells.len());
        problems.push(Problem::new(format!("{name} line {}", first.line), what));
    }
    let (mut values, mut decimals) = (Vec::new(), Decimals::default());
    for record in body {
        if record.cells.len() != width {
            let what = format!("has {} cells, line {} has {width}", record.cells.len(), body[0].line);
            problems.push(Problem::new(format!("{name} line {}", record.line), what));
        }
        for (column, cell) in record.cells.iter().enumerate().skip(usize::from(side)) {
            match value(cell, &mut decimals, record.line as usize) {
                Ok(value) => values.push(value),
                Err(what) => {
                    problems.push(Problem::new(format!("{name} line {} column {}", record.line, column + 1), what))
                }
            }
        }
    }
    if !problems.is_empty() {
        return Err(Error::problems(problems, "write a table of probabilities or of counts"));
    }
    if let Some(fault) = decimals.fault() {
        let what = format!("{name}: {}", fault.what(|line| format!("line {line}")));
        return Err(Error::failed(what, fault.remedy()));
    }
    let columns = width - usize::from(side);
    let named = first.cells.len() - first.cells.len().min(columns);
    let y = match head {
        true => first.cells[named..].to_vec(),
        false => (1..=columns).map(|i| i.to_string()).collect(),
    };
    let x = body.iter().enumerate();
    let x = x.map(|(i, r)| if side { r.cells[0].clone() } else { (i + 1).to_string() }).collect();
    let corner = if head && named == 1 { first.cells[0].as_str() } else { "" };
    let (name_x, name_y) = corner.split_once('\\').unwrap_or(("X", "Y"));
    let variables =
        vec![Variable { name: name_x.trim().into(), values: x }, Variable { name: name_y.trim().into(), values: y }];
    table(variables, values, name)
}

/// The weight in a cell, or what is wrong with the cell.
fn value(cell: &str, decimals: &mut Decimals, line: usize) -> std::result::Result<f64, String> {
    match decimals.number(cell, line) {
        None if cell.is_empty() => Err("is empty".into()),
        None => Err(format!("`{cell}` is no number")),
        Some(value) if !value.is_finite() => Err(format!("{cell} is no probability")),
        Some(value) if value < 0.0 => Err(format!("{cell} is negative")),
        Some(value) => Ok(value),
    }
}

fn table(variables: Vec<Variable>, values: Vec<f64>, name: &str) -> Result<Table> {
    let sum: f64 = values.iter().sum();
    if (sum - 1.0).abs() <= TOLERANCE {
        return Ok(Table::Probabilities(Joint::new(variables, values)?));
    }
    // Whole numbers up to 2^53, whose sum is exact too.
    if sum > 0.0 && sum <= 2f64.powi(53) && values.iter().all(|v| v.fract() == 0.0) {
        let counts: Vec<u64> = values.iter().map(|&v| v as u64).collect();
        return Ok(Table::Counts(Counts::of_table(variables, &counts)?));
    }
    let what = format!("{name}: the cells sum to {sum}, not 1");
    Err(Error::failed(what, "give probabilities with more digits, or counts as whole numbers"))
}

/// Reads columns of labels from a CSV file whose first line names the columns. Labels are text, with surrounding blanks removed.
///
/// # Errors
/// A name is missing (the error lists the existing names) or occurs twice, a cell is empty, or a line has too many or too few cells. The first
/// line is a row: each of the wanted names occurs again below it.
pub fn read_columns(input: impl Read, name: &str, wanted: &[&str]) -> Result<Vec<Column>> {
    let records = records(input, name)?;
    let Some((first, body)) = records.split_first().filter(|(_, body)| !body.is_empty()) else {
        return Err(Error::bad_file(name, "has no rows below a line of names"));
    };
    let mut problems = Vec::new();
    let width = first.cells.len();
    for record in body.iter().filter(|r| r.cells.len() != width) {
        let what = format!("has {} cells, the line of names has {width}", record.cells.len());
        problems.push(Problem::new(format!("{name} line {}", record.line), what));
    }
    let mut columns = Vec::new();
    for &wanted in wanted {
        let mut places = (0..width).filter(|&i| first.cells[i] == wanted);
        let (place, again) = (places.next(), places.next());
        let (Some(place), None) = (place, again) else {
            if place.is_none() && is_row(&records) {
                let shown = first.cells.iter().take(4).cloned().collect::<Vec<_>>().join(", ");
                let what =
                    format!("{name}: there is no column `{wanted}`: the first line ({shown}) is a row, not names");
                return Err(Error::usage(what, HEAD_IT));
            }
            let fault = if again.is_some() { "there are two columns" } else { "there is no column" };
            let remedy = format!("choose from {}", first.cells.join(", "));
            return Err(Error::usage(format!("{name}: {fault} `{wanted}`"), remedy));
        };
        let cell = |record: &Record| record.cells.get(place).cloned().unwrap_or_default();
        for record in body.iter().filter(|r| r.cells.len() == width && r.cells[place].is_empty()) {
            problems.push(Problem::new(format!("{name} line {} column {}", record.line, place + 1), "is empty"));
        }
        columns.push(Column::new(wanted, body.iter().map(cell)));
    }
    if !problems.is_empty() {
        return Err(Error::problems(problems, "repair or remove these lines"));
    }
    if !columns.is_empty() && columns.iter().all(|c: &Column| c.variable.values.contains(&c.variable.name)) {
        let names: Vec<&str> = columns.iter().map(|c| c.variable.name.as_str()).collect();
        let what =
            format!("{name}: the first line is a row, not names: {} also below it in its column", occurs(&names));
        return Err(Error::failed(what, HEAD_IT));
    }
    Ok(columns)
}

/// Whether the first line is a row like those below it.
fn is_row(records: &[Record]) -> bool {
    let start: Vec<StringRecord> = records.iter().take(200).map(|r| r.cells.iter().collect()).collect();
    matches!(first_line(&start, false), FirstLine::Row | FirstLine::RowOfCounts)
}

fn occurs(names: &[&str]) -> String {
    match names {
        [one] => format!("`{one}` occurs"),
        _ => format!("each of {} occurs", names.join(", ")),
    }
}

/// All records except empty lines. Blanks around cells are removed.
fn records(input: impl Read, name: &str) -> Result<Vec<Record>> {
    let bytes = plain(input, name)?;
    let dialect = Dialect::of(&bytes, b',', true);
    let mut reader = csv_reader(&bytes[..], dialect.separator);
    let mut records = Vec::new();
    for record in reader.records().skip(usize::from(dialect.skip > 0)) {
        let record = record.map_err(|e| Error::failed(format!("{name}: {}", csv_fault(&e)), TO_UTF8))?;
        let line = record.position().map_or(0, csv::Position::line);
        let cells = record.iter().map(String::from).collect();
        records.push(Record { line, cells });
    }
    Ok(records)
}

/// A reader of all records, including the first. It removes blanks around cells and accepts any number of cells per record.
pub(in crate::mi) fn csv_reader<R: Read>(input: R, delimiter: u8) -> csv::Reader<R> {
    csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(delimiter)
        .trim(csv::Trim::All)
        .from_reader(input)
}

/// Why a file cannot be read as CSV.
pub(in crate::mi) fn csv_fault(e: &csv::Error) -> String {
    match e.kind() {
        csv::ErrorKind::Utf8 { pos: Some(pos), .. } => format!("line {} is not text (UTF-8)", pos.line()),
        _ => e.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joint(text: &str) -> Joint {
        let Table::Probabilities(joint) = read_table(text.as_bytes(), "p.csv").unwrap() else { panic!("counts") };
        joint
    }

    fn fault(text: &str) -> String {
        read_table(text.as_bytes(), "p.csv").unwrap_err().to_string()
    }

    #[test]
    fn a_table_may_have_names_at_its_head_and_side_or_not() {
        let plain = joint("0.1,0.2\n0.3, 0.4\n");
        assert_eq!(plain.p(), [0.1, 0.2, 0.3, 0.4]);
        assert_eq!(plain.variables()[1].values, ["1", "2"]);
        for (text, x, y) in [
            ("rain,dry\n0.1,0.2\n0.3,0.4", ["1", "2"], ["rain", "dry"]),
            ("cold,0.1,0.2\nwarm,0.3,0.4", ["cold", "warm"], ["1", "2"]),
            (",rain,dry\ncold,0.1,0.2\nwarm,0.3,0.4", ["cold", "warm"], ["rain", "dry"]),
            ("rain,dry\ncold,0.1,0.2\nwarm,0.3,0.4", ["cold", "warm"], ["rain", "dry"]),
            (",0,1\n5,0.1,0.2\n6,0.3,0.4", ["5", "6"], ["0", "1"]),
            ("\u{feff}x\\y,0,1\n5,0.1,0.2\n6,0.3,0.4", ["5", "6"], ["0", "1"]),
        ] {
            let table = joint(text);
            assert_eq!(table.p(), [0.1, 0.2, 0.3, 0.4], "{text}");
            assert_eq!(table.variables()[0].values, x, "{text}");
            assert_eq!(table.variables()[1].values, y, "{text}");
        }
        let named = joint("temperature \\ sky,rain,dry\ncold,0.1,0.2\nwarm,0.3,0.4");
        assert_eq!(named.axis("sky").unwrap(), 1);
    }

    #[test]
    fn whole_numbers_are_counts() {
        let Table::Counts(counts) = read_table("3,0\n1,4\n".as_bytes(), "p.csv").unwrap() else { panic!("counts") };
        assert_eq!(counts.n(), 8);
        assert_eq!(counts.joint().unwrap().p(), [0.375, 0.0, 0.125, 0.5]);
        assert!(matches!(read_table("1,0\n0,0\n".as_bytes(), "p.csv").unwrap(), Table::Probabilities(_)));
    }

    #[test]
    fn faults_of_a_table_are_named_by_line_and_column_all_at_once() {
        assert_eq!(
            fault(",a,b\nu,0.5,-0.1\nv,nan,0.2,3\nw,,x\n"),
            "p.csv line 2 column 3: -0.1 is negative\np.csv line 3: has 4 cells, line 2 has 3\n\
             p.csv line 3 column 2: nan is no probability\np.csv line 4 column 2: is empty\n\
             p.csv line 4 column 3: `x` is no number"
        );
        assert_eq!(fault("0.5,0.25\n"), "p.csv: the cells sum to 0.75, not 1");
        // Not counts: numbers beyond 2^53 are not exact.
        assert_eq!(fault("1e17,1\n"), "p.csv: the cells sum to 100000000000000000, not 1");
        assert_eq!(fault("0,0\n"), "p.csv: the cells sum to 0, not 1");
        assert_eq!(fault(""), "p.csv: has no cells");
        assert_eq!(fault("a,b\n"), "p.csv: has names but no numbers");
        assert_eq!(fault("a,b,c\n0.5,0.5\n"), "p.csv line 1: has 3 names for 2 columns");
    }

    #[test]
    fn columns_are_read_by_name_as_text() {
        let text = "id,color,size\n1, red ,01\n2,blue,1\n3,red,1\n";
        let columns = read_columns(text.as_bytes(), "d.csv", &["size", "color"]).unwrap();
        assert_eq!((&columns[0].codes[..], &columns[1].codes[..]), (&[0, 1, 1][..], &[0, 1, 0][..]));
        assert_eq!(columns[1].variable.values, ["red", "blue"]);
    }

    #[test]
    fn faults_of_columns_are_named() {
        let fault = |text: &str| read_columns(text.as_bytes(), "d.csv", &["a"]).unwrap_err();
        assert_eq!(fault("b,c\n1,2\n").to_string(), "d.csv: there is no column `a`");
        assert_eq!(fault("b,c\n1,2\n").remedy(), "choose from b, c");
        assert_eq!(fault("a,a\n1,2\n").to_string(), "d.csv: there are two columns `a`");
        assert_eq!(fault("a,b\n").to_string(), "d.csv: has no rows below a line of names");
        let both = "d.csv line 3: has 1 cells, the line of names has 2\nd.csv line 2 column 1: is empty";
        assert_eq!(fault("a,b\n,2\n3\n").to_string(), both);
    }

    #[test]
    fn tables_are_read_whatever_separates_their_cells() {
        let wanted = joint("0.1,0.2\n0.3,0.4\n");
        for text in ["0,1;0,2\n0,3;0,4\n", "0.1\t0.2\n0.3\t0.4\n", "\"0,1\",\"0,2\"\r\"0,3\",\"0,4\"\r"] {
            assert_eq!(joint(text), wanted, "{text}");
        }
        assert_eq!(joint("x\\y;rain;dry\ncold;0,1;0,2\nwarm;0,3;0,4\n").variables()[0].values, ["cold", "warm"]);
        assert_eq!(
            fault("0,1;0.2\n0,3;0,4\n"),
            "p.csv: numbers with decimal commas (`0,1` in line 1) and with points (`0.2` in line 1)"
        );
        assert!(fault("1,000;2,000\n").contains("`1,000` in line 1 may be 1.000 or 1000"));
        let columns = read_columns(&b"sep=;\na;b\n1,5;x\n2,5;y\n"[..], "d.csv", &["a", "b"]).unwrap();
        assert_eq!(columns[0].variable.values, ["1,5", "2,5"]);
    }

    #[test]
    fn a_row_is_not_taken_as_names() {
        let read = |text: &str, names: &[&str]| read_columns(text.as_bytes(), "d.csv", names);
        let text = "2,1,0\n1,1,0\n2,0,1\n0,1,0\n";
        let e = read(text, &["1", "0"]).unwrap_err();
        let wanted = "d.csv: the first line is a row, not names: each of 1, 0 occurs also below it in its column";
        assert_eq!((e.to_string().as_str(), e.remedy().as_str()), (wanted, "write a line of names above it"));
        assert_eq!(read(&format!("a,b,c\n{text}"), &["b", "c"]).unwrap()[0].codes.len(), 4);
        let e = read(text, &["b"]).unwrap_err().to_string();
        assert_eq!(e, "d.csv: there is no column `b`: the first line (2, 1, 0) is a row, not names");
        assert!(read("2019,2020\n5,7\n3,7\n", &["2019", "2020"]).is_ok());
    }
}
