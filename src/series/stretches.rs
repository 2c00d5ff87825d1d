//! The rows of a table as they are read: whose they are, and when.

use super::clock::{Clock, seconds};
use crate::series::Run;
use std::collections::HashMap;
use std::ops::Range;

/// Names of a column of times, in lower case, if none is chosen.
const TIMES: [&str; 8] = ["time", "timestamp", "timestamps", "datetime", "t", "time_s", "seconds", "time (s)"];

/// Names of a column of subjects, in lower case, if none is chosen.
const SUBJECTS: [&str; 12] = [
    "subject",
    "subject_id",
    "subjectid",
    "subject id",
    "participant",
    "participant_id",
    "patient",
    "patient_id",
    "person",
    "user",
    "user_id",
    "userid",
];

/// The columns of a table that are no channels, by name; those with usual names if these are empty.
#[derive(Debug, Clone, Copy, Default)]
pub struct TableColumns<'a> {
    /// The column of times.
    pub time: &'a str,
    /// The column of subjects.
    pub subject: &'a str,
}

impl TableColumns<'_> {
    /// The places of the columns of times and of subjects among these names.
    ///
    /// # Errors
    /// There is no column of a name; as the rest of a sentence that begins with the file.
    pub(super) fn places(&self, names: &[String]) -> Result<[Option<usize>; 2], String> {
        let place = |chosen: &str, usual: &[&str]| match chosen {
            "" => Ok(names.iter().position(|name| usual.contains(&name.trim().to_lowercase().as_str()))),
            _ => match names.iter().position(|name| name == chosen) {
                Some(place) => Ok(Some(place)),
                None => Err(format!("has no column {chosen}; it has {}", names.join(", "))),
            },
        };
        Ok([place(self.time, &TIMES)?, place(self.subject, &SUBJECTS)?])
    }
}

/// Collects rows, one after another.
#[derive(Debug, Default)]
pub(super) struct Stretches {
    timed: bool,
    rows: u64,
    /// The stretches that have ended, each of one subject.
    ended: Vec<Stretch>,
    subject: Option<String>,
    clock: Clock,
    first: u64,
}

#[derive(Debug)]
struct Stretch {
    subject: Option<String>,
    rate: Option<f64>,
    runs: Vec<Run>,
}

/// The rows that follow each other without a gap, of the subject and the time of each row; rows of a subject stand together, in the order of time.
///
/// # Errors
/// A time is none, or does not come after the one before, or times are not evenly spaced; as the rest of a sentence that begins with the column of
/// times.
pub fn stretches<'a>(rows: impl Iterator<Item = (Option<&'a str>, &'a str)>) -> Result<Vec<Range<usize>>, String> {
    let mut all = Stretches::new(true);
    for (subject, time) in rows {
        let time = seconds(time, time.contains(',')).ok_or_else(|| {
            format!("has `{time}`, which is no time: times are numbers, or dates such as 2024-05-01T13:00:00")
        })?;
        all.row(subject, Some(time)).map_err(|what| format!("is not in order: {what}"))?;
    }
    let rows = all.finish()?;
    Ok(rows.runs.iter().map(|run| run.first as usize..(run.first + run.frames) as usize).collect())
}

/// What the rows of a table come to.
pub(super) struct Rows {
    pub(super) rate: Option<f64>,
    /// The stretches without gaps.
    pub(super) runs: Vec<Run>,
    /// The stretches of each subject, in the order in which they come first; none without a column of subjects.
    pub(super) subjects: Vec<(String, Vec<Run>)>,
}

impl Stretches {
    /// No rows yet, of a table with times or without.
    pub(super) fn new(timed: bool) -> Stretches {
        Stretches { timed, ..Stretches::default() }
    }

    /// The next row, its subject if there is a column of them, and its time in seconds if there are times.
    ///
    /// # Errors
    /// Its time is not later than that of the row before, or the rows before are not evenly spaced; as the rest of a sentence that begins with its
    /// place.
    pub(super) fn row(&mut self, subject: Option<&str>, time: Option<f64>) -> Result<(), String> {
        if self.rows > 0 && subject != self.subject.as_deref() {
            self.end()?;
        }
        if self.first == self.rows {
            self.subject = subject.map(str::to_string);
        }
        if let Some(time) = time {
            self.clock.next(time)?;
        }
        self.rows += 1;
        Ok(())
    }

    fn end(&mut self) -> Result<(), String> {
        let (rate, runs) = match self.timed {
            true => std::mem::take(&mut self.clock).runs()?,
            false => (None, vec![Run { first: 0, frames: self.rows - self.first }]),
        };
        if self.ended.len() >= 1000 && self.rows < 3 * self.ended.len() as u64 {
            return Err("the rows of a subject are not together: sort the table by subject, then by time".into());
        }
        let runs = runs.into_iter().map(|run| Run { first: run.first + self.first, ..run }).collect();
        self.ended.push(Stretch { subject: self.subject.take(), rate, runs });
        self.first = self.rows;
        Ok(())
    }

    /// What all rows come to.
    ///
    /// # Errors
    /// They are not evenly spaced, or not those of one subject as those of another; as the rest of a sentence that begins with the file.
    pub(super) fn finish(mut self) -> Result<Rows, String> {
        if self.rows > self.first {
            self.end()?;
        }
        let mut timed = self.ended.iter().filter_map(|stretch| Some((stretch.rate?, stretch)));
        let first = timed.next();
        let rate = first.map(|(rate, _)| rate);
        if let Some((a, one)) = first
            && let Some((b, other)) = timed.find(|(b, _)| (a - b).abs() > 1e-3 * a)
        {
            let of = |stretch: &Stretch| stretch.subject.clone().unwrap_or_default();
            return Err(format!(
                "has {a} frames per second of subject {}, and {b} of {}; write a file for each",
                of(one),
                of(other)
            ));
        }
        let runs = self.ended.iter().flat_map(|stretch| stretch.runs.iter().copied()).collect();
        let (mut subjects, mut places) = (Vec::<(String, Vec<Run>)>::new(), HashMap::<String, usize>::new());
        for Stretch { subject, runs, .. } in self.ended {
            let Some(subject) = subject else { continue };
            let place = *places.entry(subject.clone()).or_insert(subjects.len());
            match subjects.get_mut(place) {
                Some((_, all)) => all.extend(runs),
                None => subjects.push((subject, runs)),
            }
        }
        Ok(Rows { rate, runs, subjects })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_a_subject_are_its_own_whenever_they_come() {
        let mut rows = Stretches::new(true);
        for (subject, from, n) in [("a", 0, 4), ("b", 0, 3), ("a", 9, 2)] {
            (0..n).for_each(|i| rows.row(Some(subject), Some(0.5 * f64::from(from + i))).unwrap());
        }
        let Rows { rate, runs, subjects } = rows.finish().unwrap();
        let run = |first, frames| Run { first, frames };
        assert_eq!((rate, runs.len()), (Some(2.0), 3));
        assert_eq!(subjects, [("a".into(), vec![run(0, 4), run(7, 2)]), ("b".into(), vec![run(4, 3)])]);
        let mut rows = Stretches::new(true);
        for (subject, step) in [("a", 0.5), ("b", 0.25)] {
            (0..3).for_each(|i| rows.row(Some(subject), Some(step * f64::from(i))).unwrap());
        }
        let what = rows.finish().err().unwrap();
        assert!(what.contains("2 frames per second of subject a, and 4 of b"), "{what}");
        let mut rows = Stretches::new(true);
        let alternating =
            (0..3000).find_map(|i| rows.row(Some(["a", "b"][i % 2]), Some((i / 2) as f64)).err()).unwrap_or_default();
        assert!(alternating.contains("sort the table by subject"), "{alternating}");
        let none = Stretches::new(false).finish().unwrap();
        assert!(none.runs.is_empty() && none.rate.is_none());
    }
}
