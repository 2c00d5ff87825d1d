//! Determines which windows share a batch in one epoch, and the order of the batches.
//!
//! Batch i of epoch e is a pure function of (seed, e, i). Batches are formed within groups (all windows, the windows of
//! one speaker, or those of one utterance), and the batches of all groups are shuffled together.

use crate::data::Permutation;
use crate::recordings::windows::{Layout, Windows};
use crate::recordings::{Medium, Sampler};
use crate::seed::stream;

/// Minimum number of windows in a batch: a window must be distinguished from at least one other.
const LEAST: u64 = 2;

/// The batches of one epoch.
#[derive(Debug)]
pub struct Plan {
    pub(super) layout: Layout,
    seed: u64,
    epoch: u64,
    rows: u64,
    sequential: bool,
    /// The first window of each group, then the total number of windows.
    groups: Vec<u64>,
    /// The number of batches before each group, then the total.
    before: Vec<u64>,
    order: Permutation,
}

/// The windows of one batch, as positions in the order of their group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Places {
    pub(super) group: usize,
    pub(super) first: u64,
    pub(super) rows: u64,
}

/// The order of the windows in a group.
pub(super) enum Order {
    Shuffled { start: u64, permutation: Permutation },
    Striped { rows: u64, length: u64 },
}

impl Order {
    /// The window at a position.
    pub(super) fn at(&self, place: u64) -> u64 {
        match self {
            Order::Shuffled { start, permutation } => start + permutation.at(place),
            Order::Striped { rows, length } => (place % rows) * length + place / rows,
        }
    }
}

impl Plan {
    /// The batches of at most `batch` windows in epoch `epoch` of a run with this seed.
    pub fn new<M: Medium>(windows: &Windows<M>, batch: usize, seed: u64, epoch: u64) -> Plan {
        let layout = windows.layout(Some((seed, epoch)));
        let sequential = windows.config().sampler == Sampler::Sequential;
        let total = layout.windows();
        let rows = if sequential { (batch as u64).min(total) } else { batch as u64 }.max(1);
        let groups = windows.groups(&layout);
        let mut before = vec![0];
        let mut count = 0;
        for group in groups.windows(2) {
            let n = group[1] - group[0];
            let rest = n % rows;
            // In sequential order, windows that do not fill all rows to the same length are omitted.
            count += if sequential { n / rows } else { n / rows + u64::from(rest >= LEAST) };
            before.push(count);
        }
        if rows < LEAST {
            before.fill(0);
            count = 0;
        }
        let order = Permutation::new(count, &mut stream(seed, "batch order", epoch));
        Plan { layout, seed, epoch, rows, sequential, groups, before, order }
    }

    /// The number of batches.
    pub fn batches(&self) -> u64 {
        self.before.last().copied().unwrap_or(0)
    }

    /// The number of windows in all batches together.
    pub fn windows(&self) -> u64 {
        (0..self.groups.len() - 1).map(|g| self.used(g)).sum()
    }

    /// Windows in no batch of this epoch: too few were left over in their group, or (in sequential order) they come after
    /// the end of the last row.
    pub fn left_out(&self) -> u64 {
        self.layout.windows() - self.windows()
    }

    /// The windows of a group that are in its batches.
    fn used(&self, group: usize) -> u64 {
        let n = self.groups[group + 1] - self.groups[group];
        n.min((self.before[group + 1] - self.before[group]) * self.rows)
    }

    /// The number of windows in a group, used or not.
    pub(super) fn group(&self, group: usize) -> u64 {
        if self.sequential { self.used(group) } else { self.groups[group + 1] - self.groups[group] }
    }

    /// The positions of batch `i`.
    pub(super) fn places(&self, i: u64) -> Places {
        let number = if self.sequential { i } else { self.order.at(i) };
        let group = self.before.partition_point(|&before| before <= number).saturating_sub(1);
        let first = (number - self.before[group]) * self.rows;
        Places { group, first, rows: self.rows.min(self.used(group) - first) }
    }

    /// The order of the windows in a group.
    pub(super) fn order(&self, group: usize) -> Order {
        if self.sequential {
            return Order::Striped { rows: self.rows, length: self.batches() };
        }
        let start = self.groups[group];
        let index = (self.epoch << 32) ^ group as u64;
        let n = self.groups[group + 1] - start;
        Order::Shuffled { start, permutation: Permutation::new(n, &mut stream(self.seed, "window order", index)) }
    }
}
