//! Which rows are compared, and the orders in which X is shifted against Y: within each subject, by more rows than any reaches or remembers.

use crate::error::{Error, Result};
use crate::mi::permutation::shuffled;
use crate::mi::samples::Samples;
use crate::mi::series::memory;
use crate::mi::transfer::embedding::{ROWS, present};
use crate::mi::transfer::{SHIFTS, Stretch, TransferSettings};
use crate::seed::stream;
use std::ops::Range;

/// A part of the rows that a series remembers that deserves a warning: one of these.
const SLOW: usize = 10;

/// Rows and their orders.
pub(super) struct Shifts {
    /// The rows with a whole past, of the subjects that can be shifted.
    pub rows: Vec<usize>,
    /// Places among these rows: as they are, and then one order for each shift.
    pub orders: Vec<Vec<usize>>,
    /// The fewest rows of a shift.
    pub least: usize,
    /// The rows that no shift was possible for.
    pub short: usize,
    /// What makes p-values doubtful.
    pub warning: Option<String>,
}

impl Shifts {
    /// The rows whose past of `reach` rows is within their stretch, and their shifts.
    pub(super) fn new(
        from: &Samples,
        to: &Samples,
        stretches: &[Stretch],
        reach: usize,
        settings: &TransferSettings,
    ) -> Result<Shifts> {
        let ranges: Vec<Range<usize>> = stretches.iter().map(|stretch| stretch.rows.clone()).collect();
        let all = present(&ranges, reach, ROWS)?;
        let mut subjects: Vec<Vec<usize>> = Vec::new();
        for stretch in stretches {
            subjects.resize(subjects.len().max(stretch.subject + 1), Vec::new());
            subjects[stretch.subject].extend(present(std::slice::from_ref(&stretch.rows), reach, 0)?);
        }
        subjects.retain(|rows| !rows.is_empty());
        let remember = |rows: &Vec<usize>| (memory(&from.take(rows)).max(memory(&to.take(rows))), rows.len());
        let remembered = subjects.iter().map(remember).max().unwrap_or_default();
        let shift = remembered.0.max(reach) + 1;
        let possible = |rows: &Vec<usize>| (rows.len() + 1).saturating_sub(2 * shift);
        let short: usize = subjects.iter().filter(|rows| possible(rows) == 0).map(Vec::len).sum();
        subjects.retain(|rows| possible(rows) > 0);
        let ways = subjects.iter().fold(1usize, |ways, rows| ways.saturating_mul(possible(rows)));
        if subjects.is_empty() || ways < SHIFTS {
            return Err(Error::failed(
                format!(
                    "{} rows are too few: series are compared with themselves shifted by {shift} rows or more, because they remember {}, and {SHIFTS} \
                     shifts are needed",
                    all.len(),
                    remembered.0
                ),
                "give longer series, choose shorter --lags, or take what drifts out of the series, as by differences of neighboring rows",
            ));
        }
        let warning = (SLOW * remembered.0 > remembered.1).then(|| {
            format!(
                "the series remember {} of {} rows: p-values may be too small; take what drifts out of the series, as by differences of neighboring rows",
                remembered.0, remembered.1
            )
        });
        let lengths: Vec<usize> = subjects.iter().map(Vec::len).collect();
        Ok(Shifts { rows: subjects.concat(), orders: orders(&lengths, shift, settings), least: shift, short, warning })
    }
}

/// The order of the rows of subjects of these lengths: as they are, and then shifted within each subject by `shift` rows or more.
fn orders(subjects: &[usize], shift: usize, settings: &TransferSettings) -> Vec<Vec<usize>> {
    let possible = |n: usize| n + 1 - 2 * shift;
    let one = |by: &dyn Fn(usize) -> usize| {
        let mut order = Vec::new();
        for (subject, &n) in subjects.iter().enumerate() {
            let (first, by) = (order.len(), by(subject));
            order.extend((0..n).map(|row| first + (row + by) % n));
        }
        order
    };
    let mut orders = vec![one(&|_| 0)];
    if let [n] = subjects {
        // Each shift once.
        let mut by = shuffled(possible(*n), &mut stream(settings.seed, "mi/transfer", 0));
        by.truncate(settings.shifts);
        orders.extend(by.iter().map(|by| one(&|_| shift + by)));
    } else {
        for i in 0..settings.shifts {
            let mut rng = stream(settings.seed, "mi/transfer", i as u64);
            let by: Vec<usize> = subjects.iter().map(|&n| shift + rng.below(possible(n) as u32) as usize).collect();
            orders.push(one(&|subject| by[subject]));
        }
    }
    orders
}
