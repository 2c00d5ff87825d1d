//! A column as it is read: numbers or labels, including missing cells.

use crate::data::decimal::Decimals;
use crate::data::dialect::MISSING;
use std::fmt::Display;

/// A column of a file.
pub(super) struct Column {
    /// Its name.
    pub name: String,
    /// One cell per row.
    pub cells: Cells,
}

/// Cells of the requested kind.
#[derive(Clone)]
pub(super) enum Cells {
    /// Numbers; NaN and infinity are missing.
    Numbers {
        /// (n).
        values: Vec<f64>,
        /// Cells that are text.
        text: Option<Text>,
        /// The decimal signs of cells that spell numbers.
        decimals: Decimals,
    },
    /// Labels; an empty one is missing.
    Labels(Vec<String>),
}

/// Cells of text where numbers are needed.
#[derive(Clone)]
pub(super) struct Text {
    /// The row of the first one, from 0.
    pub row: usize,
    /// The first one.
    pub cell: String,
    /// The number of such cells.
    pub count: usize,
}

impl Cells {
    /// No rows yet.
    pub(super) fn new(labels: bool) -> Cells {
        if labels { Cells::Labels(Vec::new()) } else { Cells::numbers(Vec::new()) }
    }

    /// Cells that are these numbers.
    pub(super) fn numbers(values: Vec<f64>) -> Cells {
        Cells::Numbers { values, text: None, decimals: Decimals::default() }
    }

    /// The number of rows.
    pub(super) fn len(&self) -> usize {
        match self {
            Cells::Numbers { values, .. } => values.len(),
            Cells::Labels(labels) => labels.len(),
        }
    }

    /// Adds a value whose number is `number`. A label is the displayed value, so that large whole numbers remain distinct.
    pub(super) fn push(&mut self, value: impl Display, number: f64) {
        match self {
            Cells::Numbers { values, .. } => values.push(number),
            Cells::Labels(labels) if !number.is_finite() => labels.push(String::new()),
            // Minus zero is zero.
            Cells::Labels(labels) if number == 0.0 && number.is_sign_negative() => labels.push("0".into()),
            Cells::Labels(labels) => labels.push(value.to_string()),
        }
    }

    /// Adds a cell of text, which may spell a number.
    pub(super) fn push_text(&mut self, cell: &str) {
        match self {
            // The text form of missing numbers; NA may be Namibia.
            Cells::Labels(labels) if cell.trim().eq_ignore_ascii_case("nan") => labels.push(String::new()),
            Cells::Labels(labels) => labels.push(cell.into()),
            Cells::Numbers { values, text, decimals } => {
                let number = decimals.number(cell, values.len());
                if number.is_none() && !cell.trim().is_empty() && !MISSING.contains(&cell.trim()) {
                    let row = values.len();
                    text.get_or_insert_with(|| Text { row, cell: cell.into(), count: 0 }).count += 1;
                }
                values.push(number.unwrap_or(f64::NAN));
            }
        }
    }

    /// Adds a cell without a value.
    #[cfg(any(feature = "parquet", test))]
    pub(super) fn push_missing(&mut self) {
        self.push("", f64::NAN);
    }

    /// Whether a row has neither a finite number nor a label.
    pub(super) fn is_missing(&self, row: usize) -> bool {
        match self {
            Cells::Numbers { values, .. } => !values[row].is_finite(),
            Cells::Labels(labels) => labels[row].is_empty(),
        }
    }

    /// Whether all rows are equal.
    pub(super) fn is_constant(&self) -> bool {
        match self {
            Cells::Numbers { values, .. } => values.iter().all(|v| *v == values[0]),
            Cells::Labels(labels) => labels.iter().all(|l| *l == labels[0]),
        }
    }

    /// Omits the rows that are not to be kept.
    pub(super) fn retain(&mut self, keep: &[bool]) {
        let mut keep = keep.iter();
        let mut kept = || keep.next().is_some_and(|k| *k);
        match self {
            Cells::Numbers { values, .. } => values.retain(|_| kept()),
            Cells::Labels(labels) => labels.retain(|_| kept()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_a_number_where_it_can_be_and_otherwise_noted() {
        let mut cells = Cells::new(false);
        ["1.5", " -2e3 ", "", "NA", "nan", "red", "blue"].iter().for_each(|cell| cells.push_text(cell));
        let missing: Vec<bool> = (0..cells.len()).map(|row| cells.is_missing(row)).collect();
        assert_eq!(missing, [false, false, true, true, true, true, true]);
        let Cells::Numbers { values, text: Some(text), .. } = cells else { panic!("no text") };
        assert_eq!((values[0], values[1]), (1.5, -2000.0));
        assert_eq!((text.row, text.cell.as_str(), text.count), (5, "red", 2));
    }

    #[test]
    fn numbers_as_labels_are_told_apart_beyond_what_a_float_can_hold() {
        let mut cells = Cells::new(true);
        [i64::MAX, i64::MAX - 1].iter().for_each(|v| cells.push(v, *v as f64));
        cells.push(-0.0f64, -0.0);
        cells.push_missing();
        cells.push_text("NA");
        cells.push_text("NaN");
        assert!(cells.is_missing(3) && cells.is_missing(5) && !cells.is_missing(4) && !cells.is_constant());
        cells.retain(&[true, true, true, false, true, false]);
        let Cells::Labels(labels) = cells else { panic!("no labels") };
        assert_eq!(labels, ["9223372036854775807", "9223372036854775806", "0", "NA"]);
    }
}
