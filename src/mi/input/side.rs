//! The columns of X, of Y or of Z before they become a variable, with checks whether their rows can be used.

use crate::data::decimal::Decimals;
use crate::error::{Error, Problem, Result};
use crate::mi::input::column::{Cells, Column};
use std::rc::Rc;

/// The number of rows and of columns that a message names.
const NAMED: usize = 10;

/// The columns of X, of Y or of Z, or those that are each a variable.
pub(super) struct Side {
    /// X, Y or Z.
    pub name: &'static str,
    /// The file's name in messages.
    pub file: String,
    pub columns: Vec<Column>,
    /// The line of each row, if the file has lines.
    pub lines: Option<Rc<[u64]>>,
}

impl Side {
    /// The flag that chooses its columns.
    pub(super) fn flag(&self) -> &'static str {
        super::SIDES.iter().find(|(name, _)| *name == self.name).map_or("--columns", |(_, flag)| flag)
    }

    /// The number of rows.
    ///
    /// # Errors
    /// Columns differ in their number of rows.
    pub(super) fn rows(&self) -> Result<usize> {
        let Some(first) = self.columns.first() else { return Ok(0) };
        let (rows, of) = (first.cells.len(), &first.name);
        let Some(other) = self.columns.iter().find(|c| c.cells.len() != rows) else { return Ok(rows) };
        let what = format!("{}: {of} has {rows} rows and {} has {}", self.file, other.name, other.cells.len());
        Err(Error::failed(what, format!("choose columns of the same length for {} ({})", self.name, self.flag())))
    }

    /// Columns that hold text where numbers are needed.
    pub(super) fn text(&self) -> Vec<Problem> {
        let problem = |column: &Column| {
            let Cells::Numbers { text: Some(text), .. } = &column.cells else { return None };
            let more = if text.count > 1 { format!(", and {} more", text.count - 1) } else { String::new() };
            let what = format!("text where numbers are wanted (`{}` in {}{more})", text.cell, self.places(&[text.row]));
            Some(Problem::new(format!("{} column `{}`", self.file, column.name), what))
        };
        self.columns.iter().filter_map(problem).collect()
    }

    /// What the numbers of all columns say about their decimal sign.
    pub(super) fn decimals(&self) -> Decimals {
        let mut all = Decimals::default();
        for column in &self.columns {
            if let Cells::Numbers { decimals, .. } = &column.cells {
                all.add(decimals);
            }
        }
        all
    }

    /// Refuses decimal signs that do not say what the numbers are.
    ///
    /// # Errors
    /// Some numbers have decimal commas and others points, or all commas might stand between thousands.
    pub(super) fn check_decimals(&self, decimals: &Decimals) -> Result<()> {
        let Some(fault) = decimals.fault() else { return Ok(()) };
        let what = fault.what(|row| self.places(&[row]));
        Err(Error::failed(format!("{}: {what}", self.file), fault.remedy()))
    }

    /// The rows with missing cells, and the problem to report.
    pub(super) fn missing(&self) -> (Vec<usize>, Option<Problem>) {
        let n = self.columns.iter().map(|c| c.cells.len()).min().unwrap_or(0);
        let rows: Vec<usize> = (0..n).filter(|&row| self.columns.iter().any(|c| c.cells.is_missing(row))).collect();
        if rows.is_empty() {
            return (rows, None);
        }
        let columns = self.columns.iter().filter(|c| rows.iter().any(|&row| c.cells.is_missing(row)));
        let columns: Vec<String> = columns.map(|c| c.name.clone()).collect();
        let what = format!("NaN, infinity or an empty cell in {} (column {})", self.places(&rows), first_ten(&columns));
        let problem = Problem::new(&self.file, what);
        (rows, Some(problem))
    }

    /// `line 3, 5 and 2 more`, or `row` if there are no lines. `rows` count from 0, the message from 1.
    fn places(&self, rows: &[usize]) -> String {
        let number = |&row: &usize| match &self.lines {
            Some(lines) => lines[row].to_string(),
            None => (row + 1).to_string(),
        };
        let unit = if self.lines.is_some() { "line" } else { "row" };
        format!("{unit} {}", first_ten(&rows.iter().map(number).collect::<Vec<_>>()))
    }
}

fn first_ten(items: &[String]) -> String {
    let more = if items.len() > NAMED { format!(" and {} more", items.len() - NAMED) } else { String::new() };
    format!("{}{more}", items[..items.len().min(NAMED)].join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn side(columns: &[(&str, &[&str])], lines: Option<&[u64]>) -> Side {
        let column = |(name, texts): &(&str, &[&str])| {
            let mut cells = Cells::new(false);
            texts.iter().for_each(|text| cells.push_text(text));
            Column { name: name.to_string(), cells }
        };
        let columns = columns.iter().map(column).collect();
        Side { name: "X", file: "d.csv".into(), columns, lines: lines.map(Into::into) }
    }

    #[test]
    fn text_is_named_by_column_with_its_first_place() {
        let problems = side(&[("a", &["1", "2"]), ("b", &["1", "red"])], Some(&[2, 5])).text();
        assert_eq!(problems[0].to_string(), "d.csv column `b`: text where numbers are wanted (`red` in line 5)");
        assert_eq!(problems.len(), 1);
    }

    #[test]
    fn missing_cells_are_named_ten_rows_and_how_many_more() {
        let (rows, problem) = side(&[("a", &["1", "", "2"]), ("b", &["inf", "1", "2"])], None).missing();
        assert_eq!(rows, [0, 1]);
        let message = problem.unwrap().to_string();
        assert_eq!(message, "d.csv: NaN, infinity or an empty cell in row 1, 2 (column a, b)");
        let message = side(&[("a", &["nan"; 13])], None).missing().1.unwrap().to_string();
        assert!(message.contains("9, 10 and 3 more"), "{message}");
    }

    #[test]
    fn columns_of_one_side_have_one_length() {
        let e = side(&[("a", &["1"]), ("b", &["1", "2"])], None).rows().unwrap_err();
        assert_eq!(e.to_string(), "d.csv: a has 1 rows and b has 2");
    }
}
