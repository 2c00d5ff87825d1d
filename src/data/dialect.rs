//! How a table in text is written: what separates its cells, and whether its first line names its columns.

use crate::data::decimal::with_comma;
use csv::StringRecord;

/// Separators of cells, the usual ones first.
const SEPARATORS: [u8; 4] = [b',', b';', b'\t', b'|'];

/// Number of lines that are looked at.
const LINES: usize = 200;

/// Markers of a missing number in tables of other tools, in addition to an empty cell and NaN.
pub(crate) const MISSING: [&str; 8] = ["NA", "N/A", "n/a", "#N/A", "<NA>", "null", "NULL", "None"];

/// How a table is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Dialect {
    /// What separates cells.
    pub separator: u8,
    /// The length of a first line that is no row: `sep=;`, as Excel writes it.
    pub skip: usize,
}

impl Dialect {
    /// The dialect of a table that begins with `start`; `usual` separates cells if nothing speaks against it. `whole` says that `start` is
    /// the whole table, so that its last line is complete.
    pub(crate) fn of(start: &[u8], usual: u8, whole: bool) -> Dialect {
        let line = start.split_inclusive(|b| *b == b'\n').next().unwrap_or_default();
        if let Some(&[separator]) = line.trim_ascii_end().strip_prefix(b"sep=") {
            return Dialect { separator, skip: line.len() };
        }
        let mut best = (Fit::default(), usual);
        for separator in [usual].into_iter().chain(SEPARATORS.into_iter().filter(|s| *s != usual)) {
            let fit = Fit::of(&sample(start, separator, whole));
            if fit > best.0 {
                best = (fit, separator);
            }
        }
        Dialect { separator: best.1, skip: 0 }
    }
}

/// How well a separator fits; the larger, the better.
#[derive(Debug, Clone, Copy, Default, PartialEq, PartialOrd)]
struct Fit {
    /// Whether the first line has several cells. Without this, nothing else counts.
    several: bool,
    /// Whether all lines have the same number of cells.
    even: bool,
    /// The share of cells that are numbers, or have none of the other separators in them.
    clean: f64,
}

impl Fit {
    fn of(records: &[StringRecord]) -> Fit {
        let Some(width) = records.first().map(StringRecord::len).filter(|width| *width > 1) else {
            return Fit::default();
        };
        let cells: Vec<&str> = records.iter().flatten().collect();
        let other = |cell: &str| cell.bytes().filter(|b| SEPARATORS.contains(b)).count();
        let clean = cells.iter().filter(|cell| is_number(cell) || other(cell) == 0).count();
        Fit {
            several: true,
            even: records.iter().all(|r| r.len() == width),
            clean: clean as f64 / cells.len().max(1) as f64,
        }
    }
}

/// The first records of a table, without blank lines. The last one is left out if it may be incomplete.
pub(crate) fn sample(start: &[u8], separator: u8, whole: bool) -> Vec<StringRecord> {
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(separator)
        .trim(csv::Trim::All)
        .from_reader(start);
    let mut records = Vec::new();
    let mut record = csv::ByteRecord::new();
    while records.len() <= LINES && reader.read_byte_record(&mut record).unwrap_or(false) {
        if record.len() == 1 && record[0].is_empty() {
            continue;
        }
        let cells = record.iter().map(|cell| String::from_utf8_lossy(cell).into_owned());
        records.push(cells.collect::<StringRecord>());
    }
    if !whole && records.len() > 1 && records.len() <= LINES {
        records.pop();
    }
    records
}

/// Whether a cell is a number, with a decimal point or a decimal comma.
pub(crate) fn is_number(cell: &str) -> bool {
    cell.trim().parse::<f64>().is_ok() || with_comma(cell).is_some()
}

/// Whether a cell is a number or is missing.
fn is_value(cell: &str) -> bool {
    cell.trim().is_empty() || MISSING.contains(&cell.trim()) || is_number(cell)
}

/// What the first line of a table is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FirstLine {
    /// The names of the columns.
    Names,
    /// A row.
    Row,
    /// Numbers like the rows below it, which count up or are years, as names may: a row, if nothing else is known.
    RowOfCounts,
    /// It cannot be told.
    Unclear,
}

/// What the first of these records is. `quoted` says that it has quotes, and the next has none.
pub(crate) fn first_line(records: &[StringRecord], quoted: bool) -> FirstLine {
    let Some((first, rest)) = records.split_first() else { return FirstLine::Row };
    let body: Vec<&StringRecord> = rest.iter().filter(|r| r.len() == first.len()).collect();
    let below = |i: usize| body.iter().map(move |r| &r[i]).filter(|cell| !cell.is_empty());
    let columns = || (0..first.len()).filter(|&i| !first[i].is_empty());
    let text = |i: usize| !is_value(&first[i]);
    let numbers = |i: usize| below(i).next().is_some() && below(i).all(is_value) && below(i).any(is_number);
    if columns().any(|i| text(i) && (numbers(i) || body.is_empty())) {
        return FirstLine::Names;
    }
    let whole = |cell: &str| !cell.is_empty() && cell.bytes().all(|b| b.is_ascii_digit());
    let (texts, values): (Vec<usize>, Vec<usize>) = columns().partition(|&i| text(i));
    let distinct = || values.iter().enumerate().all(|(k, &i)| values[..k].iter().all(|&j| first[i] != first[j]));
    // Names that are numbers stand above numbers of another form: 2019 above 0.5.
    let another_form = |&i: &usize| {
        whole(&first[i]) && numbers(i) && below(i).filter(|c| is_number(c)).all(|c| !whole(c.trim_start_matches('-')))
    };
    let names = body.len() > 1
        && !values.is_empty()
        && distinct()
        && values.iter().filter(|&&i| is_number(&first[i])).all(another_form);
    let any_number = values.iter().any(|&i| is_number(&first[i]));
    let again = |&i: &usize| below(i).any(|cell| cell == &first[i]);
    // Beside 20 rows or more, a row of them is outside the range of all columns in fewer than one of a hundred tables of two columns.
    let outside = |&i: &usize| {
        let number = |cell: &str| cell.parse::<f64>().ok().or_else(|| with_comma(cell)).filter(|x| x.is_finite());
        let own = number(&first[i]);
        own.is_some_and(|own| {
            below(i).filter_map(number).all(|x| x < own) || below(i).filter_map(number).all(|x| x > own)
        })
    };
    match (texts.is_empty(), any_number) {
        _ if quoted && !body.is_empty() => FirstLine::Names,
        (_, true) if names => FirstLine::Names,
        (true, true) if distinct() && counts(first) => match body.len() >= 20 && values.iter().all(outside) {
            true => FirstLine::Names,
            false => FirstLine::RowOfCounts,
        },
        (true, _) => FirstLine::Row,
        (false, _) if texts.iter().all(again) => FirstLine::Row,
        // The text of the first line never occurs below it, as a name would not.
        (false, false) => FirstLine::Names,
        (false, true) if texts.iter().any(again) => FirstLine::Row,
        (false, true) => FirstLine::Unclear,
    }
}

/// Whether the cells count up in even steps, or are years.
fn counts(first: &StringRecord) -> bool {
    let numbers: Option<Vec<f64>> = first.iter().filter(|c| !c.is_empty()).map(|c| c.parse().ok()).collect();
    let Some(numbers) = numbers.filter(|numbers| numbers.len() > 1) else { return false };
    let step = numbers[1] - numbers[0];
    let even = numbers.windows(2).all(|pair| (pair[1] - pair[0] - step).abs() <= 1e-9 * step.abs());
    let whole = numbers.iter().all(|x| x.fract() == 0.0);
    whole && even && step == 1.0
        || numbers.len() > 2 && even && step > 0.0
        || whole && numbers.iter().all(|x| (1900.0..=2100.0).contains(x))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn separator(text: &str, usual: u8) -> char {
        char::from(Dialect::of(text.as_bytes(), usual, true).separator)
    }

    #[test]
    fn cells_are_separated_by_what_fits_all_lines() {
        for (text, wanted) in [
            ("a,b\n1,2\n", ','),
            ("a;b\n1,5;2,5\n", ';'),
            ("1,5;2,5\n-0,5;3,0\n", ';'),
            ("1,5;2,5;3,5\n4;5;6,5\n", ';'),
            ("a\tb\n1,5\t2,5\n", '\t'),
            ("a|b\n1|2\n", '|'),
            ("a,note\n1,x;y\n2,z;w\n", ','),
            ("1,2,x;y\n3,4,z;w\n", ','),
            ("a,b\n\"1;5\",\"2;5\"\n", ','),
            ("one\n1\n2\n", ','),
            ("a,b\n1\n1,2\n", ','),
            ("a;b\n1\n1;2\n", ';'),
            ("", ','),
        ] {
            assert_eq!(separator(text, b','), wanted, "{text}");
        }
        assert_eq!(separator("a,b\tc\n1\t2\n", b'\t'), '\t');
        assert_eq!(separator("a,b\n1,2\n", b'\t'), ',');
        assert_eq!(Dialect::of(b"sep=;\r\na;b\r\n", b',', true), Dialect { separator: b';', skip: 7 });
        // The last line of a start is cut off.
        assert_eq!(char::from(Dialect::of(b"a;b\n1,5;2,5\n1,", b',', false).separator), ';');
    }

    fn kind(text: &str) -> FirstLine {
        first_line(&sample(text.as_bytes(), Dialect::of(text.as_bytes(), b',', true).separator, true), false)
    }

    #[test]
    fn a_first_line_is_names_or_a_row_by_what_stands_below_it() {
        use FirstLine::{Names, Row, RowOfCounts, Unclear};
        for (text, wanted) in [
            ("a,b\n1,2\n", Names),
            ("a,b\n", Names),
            (",a,b\n0,1,2\n1,2,3\n", Names),
            ("id,color\n1,red\n2,blue\n", Names),
            ("color,size\nred,small\nblue,big\n", Names),
            ("1,2e3\n3,4\n", Row),
            ("1,2\n", RowOfCounts),
            ("7,3\n2,5\n", Row),
            ("NA,1.5\n0.5,2.5\n", Row),
            // Names that are numbers, above numbers of another form.
            ("2019,2020\n0.5,1.25\n0.1,2.0\n", Names),
            ("0,1\n-0.5,0.25\n1e-3,2.0\n", Names),
            (",0,1\n0,0.5,0.2\n1,0.3,0.1\n", Names),
            ("id,2019,2020\na,0.5,0.2\nb,0.3,0.1\n", Names),
            ("id,2019,2020\n1,0.5,0.2\n2,0.3,0.1\n", Names),
            ("2019;2020\n0,5;1,25\n2;0,1\n-0,5;1,5\n", RowOfCounts),
            ("2019;2020\n0,5;1,25\n-0,5;1,5\n", Names),
            // Whole numbers below them too.
            ("2019,2020\n5,7\n3,4\n", RowOfCounts),
            ("0,1,2\n5,7,1\n3,4,1\n", RowOfCounts),
            ("400.5,401.0,401.5\n0.1,0.2,0.3\n", RowOfCounts),
            // Rows with text.
            ("1.5,red\n2.5,blue\n0.5,red\n", Row),
            ("red,small\nblue,big\nred,small\n", Row),
            ("1.5,s1\n2.5,s2\n", Unclear),
            ("id,2019\na,5\nb,7\n", Unclear),
            ("", Row),
        ] {
            assert_eq!(kind(text), wanted, "{text}");
        }
        // Whole numbers below names of years, which are far from them.
        let body: String = (0..30).map(|i| format!("{},{}\n", i * 7 % 13, i % 5)).collect();
        for (names, wanted) in [("2019,2020", Names), ("3,4", RowOfCounts), ("12,13", RowOfCounts), ("7,3", Row)] {
            assert_eq!(kind(&format!("{names}\n{body}")), wanted, "{names}");
        }
        // As R quotes names.
        let records = sample(b"\"2019\",\"2020\"\n5,7\n", b',', true);
        assert_eq!(first_line(&records, true), Names);
    }
}
