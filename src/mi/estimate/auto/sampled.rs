//! A part of very many rows for what takes long: copulas and networks. More rows would narrow an interval that is narrow already.

use crate::mi::estimate::auto::say_on;
use crate::mi::estimate::{Estimate, Settings};
use crate::mi::permutation::shuffled;
use crate::seed::stream;

/// The largest number of rows that copulas and networks are given.
const MOST: usize = 100_000;

/// The rows to use, in ascending order, if there are too many: drawn at random, or for series those in the middle, which follow each other.
pub(super) fn rows(n: usize, settings: &Settings) -> Option<Vec<usize>> {
    if n <= MOST {
        return None;
    }
    if settings.protocol.blocked {
        let first = (n - MOST) / 2;
        return Some((first..first + MOST).collect());
    }
    let mut rows = shuffled(n, &mut stream(settings.seed, "mi/sampled", 0));
    rows.truncate(MOST);
    rows.sort_unstable();
    Some(rows)
}

/// An estimate from these rows of `n`: says so, and its pointwise values belong to the rows that they are of.
pub(super) fn told(found: &mut Estimate, rows: &[usize], n: usize) {
    found.pointwise.iter_mut().for_each(|part| part.0 = rows[part.0 as usize] as u32);
    say_on(found, &format!("{} of {n} rows", rows.len()));
    found.n = rows.len();
}
