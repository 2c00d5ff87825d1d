//! Numbers as programs write them in the languages that have decimal commas: `1,5` is 1.5.
//!
//! One cell may not say what it is: `1,234` is a little more than 1, or more than a thousand. So the cells of a table are judged together.

/// A number with one comma and no point, read with the comma as the decimal point.
pub(crate) fn with_comma(cell: &str) -> Option<f64> {
    let (whole, rest) = cell.trim().split_once(',')?;
    let digits = whole.trim_start_matches(['+', '-']);
    let fraction = rest.bytes().take_while(u8::is_ascii_digit).count();
    let exponent = &rest[fraction..];
    let right = digits.bytes().all(|b| b.is_ascii_digit())
        && whole.len() - digits.len() <= 1
        && digits.len() + fraction > 0
        && (exponent.is_empty() || exponent.starts_with(['e', 'E']));
    if !right || fraction == 0 { None } else { format!("{whole}.{rest}").parse().ok() }
}

/// A number in a table whose decimal sign is known.
pub(crate) fn number(cell: &str, comma: bool) -> Option<f64> {
    let plain = || cell.parse().ok();
    if comma { with_comma(cell).or_else(plain) } else { plain() }
}

/// What the cells of numbers in a table say about its decimal sign.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Decimals {
    /// The first cell with a comma that is read as a decimal point: its row and itself.
    comma: Option<(usize, String)>,
    /// The first cell with a decimal point.
    point: Option<(usize, String)>,
    /// Whether a comma cannot stand between thousands.
    sure: bool,
}

/// What is wrong with the decimal signs of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Some cells have decimal commas, others points: the row and the cell of the first of each.
    Mixed([(usize, String); 2]),
    /// All commas might stand between thousands: the row and the cell of the first.
    Thousands((usize, String)),
}

impl Decimals {
    /// The number in a cell of row `row`, if it is one.
    pub(crate) fn number(&mut self, cell: &str, row: usize) -> Option<f64> {
        let cell = cell.trim();
        if let Ok(number) = cell.parse() {
            if self.point.is_none() && cell.contains('.') {
                self.point = Some((row, cell.into()));
            }
            return Some(number);
        }
        let number = with_comma(cell)?;
        let (whole, rest) = cell.split_once(',').unwrap_or((cell, ""));
        let whole = whole.trim_start_matches(['+', '-']);
        self.sure |= rest.len() != 3 || !(1..=3).contains(&whole.len()) || whole.starts_with('0');
        self.comma.get_or_insert_with(|| (row, cell.into()));
        Some(number)
    }

    /// Adds what other cells of the same table say.
    pub(crate) fn add(&mut self, other: &Decimals) {
        self.sure |= other.sure;
        for (own, other) in [(&mut self.comma, &other.comma), (&mut self.point, &other.point)] {
            match (&own, other) {
                (Some(a), Some(b)) if a.0 <= b.0 => {}
                (_, None) => {}
                _ => own.clone_from(other),
            }
        }
    }

    /// What is wrong, if anything.
    pub(crate) fn fault(&self) -> Option<Fault> {
        match (&self.comma, &self.point) {
            (Some(comma), Some(point)) => Some(Fault::Mixed([comma.clone(), point.clone()])),
            (Some(comma), None) if !self.sure => Some(Fault::Thousands(comma.clone())),
            _ => None,
        }
    }
}

impl Fault {
    /// What is wrong, as the end of a sentence that begins with the file; `place` names a row.
    pub(crate) fn what(&self, place: impl Fn(usize) -> String) -> String {
        match self {
            Fault::Mixed([(row, comma), (other, point)]) => format!(
                "numbers with decimal commas (`{comma}` in {}) and with points (`{point}` in {})",
                place(*row),
                place(*other)
            ),
            Fault::Thousands((row, cell)) => format!(
                "`{cell}` in {} may be {} or {}: all numbers with commas have three digits after them",
                place(*row),
                cell.replace(',', "."),
                cell.replace(',', "")
            ),
        }
    }

    /// What to do about it.
    pub(crate) fn remedy(&self) -> &'static str {
        "write all numbers with decimal points and without commas"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(cells: &[&str]) -> (Vec<Option<f64>>, Option<String>) {
        let mut decimals = Decimals::default();
        let numbers = cells.iter().enumerate().map(|(row, cell)| decimals.number(cell, row)).collect();
        (numbers, decimals.fault().map(|fault| fault.what(|row| format!("row {}", row + 1))))
    }

    #[test]
    fn a_comma_is_a_decimal_point_where_it_can_be_nothing_else() {
        let (numbers, fault) = all(&["1,5", " -0,0012 ", "+3,25e-2", ",5", "7", "1e3"]);
        assert_eq!(numbers, [1.5, -0.0012, 0.0325, 0.5, 7.0, 1000.0].map(Some));
        assert_eq!(fault, None);
        for cell in ["1,234", "0,123", "1234,567", "1,23"] {
            assert_eq!(all(&[cell]).1.is_some(), cell == "1,234", "{cell}");
        }
        for cell in ["1,2,3", "1.234,5", "1,", ",", "a,5", "1,5x", "--1,5", "", "1,234,567"] {
            assert_eq!(all(&[cell]).0, [None], "{cell}");
        }
    }

    #[test]
    fn what_may_be_thousands_and_what_is_mixed_is_said() {
        let (_, fault) = all(&["12", "12,345", "1,000"]);
        let wanted = "`12,345` in row 2 may be 12.345 or 12345: all numbers with commas have three digits after them";
        assert_eq!(fault.unwrap(), wanted);
        assert_eq!(all(&["12,345", "0,345"]).1, None);
        let (_, fault) = all(&["1,5", "2", "2.5", "3.5"]);
        assert_eq!(fault.unwrap(), "numbers with decimal commas (`1,5` in row 1) and with points (`2.5` in row 3)");
        let mut first = Decimals::default();
        let mut second = Decimals::default();
        first.number("1.5", 4);
        ["2.5", "3", "1,5"].iter().enumerate().for_each(|(row, cell)| _ = second.number(cell, row));
        first.add(&second);
        assert_eq!(first.fault(), Some(Fault::Mixed([(2, "1,5".into()), (0, "2.5".into())])));
    }
}
