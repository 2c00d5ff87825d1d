//! Columns of one file whose rows are in the order of time.

use super::columns::{Columns, gather};
use crate::error::{Error, Result};
use crate::mi::input::column::Cells;
use crate::mi::input::source::Source;
use crate::mi::transfer::Stretch;
use crate::series::stretches;
use std::collections::HashMap;
use std::ops::Range;

/// Columns of series, and which rows follow each other.
#[derive(Debug, Clone, PartialEq)]
pub struct SeriesColumns {
    /// The columns.
    pub columns: Columns,
    /// The rows that follow each other without a gap, of one subject.
    pub stretches: Vec<Stretch>,
}

/// Columns that say when and whose a row is.
#[derive(Debug, Clone, Default)]
pub struct When {
    /// Times: numbers, or dates with times of day.
    pub time: Option<String>,
    /// Subjects, or other series that follow one another in the table.
    pub group: Option<String>,
}

/// Reads columns of a file as series, as [`read_columns`](super::read_columns) does. A row that is omitted, a step in time that is longer than the
/// others, and another subject are gaps.
///
/// # Errors
/// As those of [`read_columns`](super::read_columns); the times are not in order, or not evenly spaced.
pub fn read_series(
    source: &Source,
    names: &[String],
    discrete: &[String],
    when: &When,
    drop_nan: bool,
) -> Result<SeriesColumns> {
    let own: Vec<String> = [&when.time, &when.group].into_iter().flatten().cloned().collect();
    if own.len() == 2 && own[0] == own[1] {
        return Err(Error::usage(format!("`{}` is both --time and --group", own[0]), "choose two columns"));
    }
    for name in names {
        if own.contains(name) {
            let what = format!("`{name}` is asked for as a series and as --time or --group");
            return Err(Error::usage(what, "choose it in one of them"));
        }
    }
    let all = |some: &[String]| [some, &own].concat();
    let mut gathered = gather(source, &all(names), &all(discrete), drop_nan)?;
    let mut texts = |name: &Option<String>, flag: &str| -> Result<Option<Vec<String>>> {
        let Some(name) = name else { return Ok(None) };
        let at = gathered.side.columns.iter().position(|column| column.name == *name);
        match at.map(|at| gathered.side.columns.remove(at).cells) {
            Some(Cells::Labels(labels)) => Ok(Some(labels)),
            _ => Err(Error::usage(
                format!("{flag} {name} is not the name of one column"),
                "give its name as it is in the table",
            )),
        }
    };
    let (times, groups) = (texts(&when.time, "--time")?, texts(&when.group, "--group")?);
    let kept: Vec<usize> = gathered.keep.iter().enumerate().filter(|(_, keep)| **keep).map(|(row, _)| row).collect();
    let runs = match &times {
        Some(times) => {
            let rows = kept.iter().map(|&row| (groups.as_ref().map(|g| g[row].as_str()), times[row].as_str()));
            stretches(rows).map_err(|what| {
                let what = format!("{}: the column {} {what}", gathered.side.file, when.time.as_deref().unwrap_or(""));
                Error::failed(what, "sort the rows by time, and bring them to even steps, as by means of each minute or by interpolation")
            })?
        }
        None => without_times(&kept, groups.as_deref()),
    };
    let mut subjects = HashMap::new();
    let mut subject = |rows: &Range<usize>| match &groups {
        None => 0,
        Some(groups) => {
            let next = subjects.len();
            *subjects.entry(groups[kept[rows.start]].clone()).or_insert(next)
        }
    };
    let stretches = runs.into_iter().map(|rows| Stretch { subject: subject(&rows), rows }).collect();
    Ok(SeriesColumns { columns: gathered.columns(discrete)?, stretches })
}

/// The rows that follow each other: those that are neighbors in the file, of one subject. They are numbered without those that are not `kept`.
fn without_times(kept: &[usize], groups: Option<&[String]>) -> Vec<Range<usize>> {
    let mut runs: Vec<Range<usize>> = Vec::new();
    for (at, &row) in kept.iter().enumerate() {
        let follows = at > 0 && kept[at - 1] + 1 == row && groups.is_none_or(|groups| groups[row - 1] == groups[row]);
        match runs.last_mut() {
            Some(run) if follows => run.end += 1,
            _ => runs.push(at..at + 1),
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, time: bool, group: bool) -> Result<SeriesColumns> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t.csv");
        std::fs::write(&path, text).unwrap();
        let when = When { time: time.then(|| "when".into()), group: group.then(|| "who".into()) };
        read_series(&(&path).into(), &["a".into(), "b".into()], &[], &when, true)
    }

    #[test]
    fn rows_follow_each_other_within_a_subject_and_without_a_gap() {
        let text = "who,when,a,b\nx,0,1,5\nx,1,2,6\nx,2,,7\nx,3,4,8\nx,4,4,8\ny,5,5,9\ny,6,6,9\n";
        let rows = |found: SeriesColumns| found.stretches.into_iter().map(|s| s.rows).collect::<Vec<_>>();
        let found = read(text, false, true).unwrap();
        assert_eq!(found.stretches.iter().map(|s| s.subject).collect::<Vec<_>>(), [0, 0, 1]);
        assert_eq!(rows(found.clone()), [0..2, 2..4, 4..6]);
        assert_eq!((found.columns.names, found.columns.rows), (vec!["a".to_string(), "b".to_string()], 6));
        assert_eq!(rows(read(text, false, false).unwrap()), [0..2, 2..6]);
        assert_eq!(rows(read(text, true, false).unwrap()), [0..2, 2..6]);
        assert_eq!(rows(read(text, true, true).unwrap()), [0..2, 2..4, 4..6]);
        let dates =
            "when,a,b\n2024-05-01 13:00,1,2\n2024-05-01 14:00,2,3\n2024-05-01 15:00,2,3\n2024-05-02 08:00,4,4\n";
        assert_eq!(rows(read(dates, true, false).unwrap()), [0..3, 3..4]);
    }

    #[test]
    fn columns_of_times_and_groups_are_named_exactly() {
        let when = |time: &str, group: &str| When { time: Some(time.into()), group: Some(group.into()) };
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t.csv");
        std::fs::write(&path, "who,when,a,b\nx,0,1,5\nx,1,2,6\n").unwrap();
        let of = |names: &[&str], when: &When| {
            let names: Vec<String> = names.iter().map(ToString::to_string).collect();
            read_series(&(&path).into(), &names, &[], when, false).unwrap_err().to_string()
        };
        assert!(of(&["a"], &when("when", "wh*")).contains("--group wh* is not the name of one column"));
        assert!(of(&["a"], &when("when", "when")).contains("both --time and --group"));
        assert!(of(&["a", "who"], &when("when", "who")).contains("as a series and as --time or --group"));
    }

    #[test]
    fn times_that_are_not_in_order_or_not_even_are_refused() {
        for (times, what) in [
            ("0 2 1 3", "does not come after"),
            ("0 1 2 3 4 4.7 5.4 6.1 6.8 7.5", "is not evenly sampled"),
            ("0 1 noon 3", "`noon`"),
        ] {
            let rows: Vec<String> = times.split(' ').enumerate().map(|(i, t)| format!("{t},{i},{}", i + 1)).collect();
            let error = read(&format!("when,a,b\n{}\n", rows.join("\n")), true, false).unwrap_err().to_string();
            assert!(error.contains("t.csv: the column when") && error.contains(what), "{error}");
        }
    }
}
