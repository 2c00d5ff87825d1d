//! The triples of one context and two speakers (or one): every pair of items is compared once.
//!
//! One speaker's items form the rows and the other's the columns. The item of a row serves as X for the A and B of the columns, and the
//! item of a column as X for those of the rows. For each X the distances to its A are few (the items of one phone); they are computed
//! first and sorted. Then every other distance d(X, B) is computed, ranked among them, and discarded: its rank is the number of A that
//! are closer to X. No matrix of all pairs is held in memory, however large a group is.

use crate::error::Result;
use crate::eval::abx::distance::{Distance, Frames};
use crate::eval::abx::dtw::Dtw;
use crate::eval::abx::segments::Segments;
use crate::ops::matrix::{View, ViewMut, multiply};
use crate::ops::simd::vectorized;
use rayon::prelude::*;
use std::cell::RefCell;

/// The items of one phone by one speaker in a context.
#[derive(Debug, Clone)]
pub(super) struct Group {
    pub phone: u32,
    /// Indices into [`Segments::items`].
    pub items: Vec<u32>,
}

/// The items of one speaker in a context, by phone in ascending order.
#[derive(Debug, Clone)]
pub(super) struct Voice {
    pub speaker: u32,
    pub groups: Vec<Group>,
}

impl Voice {
    fn find(&self, phone: u32) -> Option<usize> {
        self.groups.binary_search_by_key(&phone, |g| g.phone).ok()
    }
}

/// The triples that share the phones of A and B, the speakers and the context.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cell {
    /// The speaker of A and B.
    pub speaker: u32,
    /// The phone of A and X.
    pub a: u32,
    /// The phone of B.
    pub b: u32,
    /// 2 for each triple with d(X, A) < d(X, B), 1 for each with equal distances.
    pub wins: u64,
    /// The number of triples.
    pub triples: u64,
}

/// Two speakers of a context (or the same one twice), and which of their groups serve as X.
#[derive(Debug)]
pub(super) struct Tile<'a> {
    pub rows: &'a Voice,
    pub cols: &'a Voice,
    /// For each group of the rows, whether its items are X for A and B of the columns.
    pub row_x: Vec<bool>,
    /// For each group of the columns, whether its items are X for A and B of the rows.
    pub col_x: Vec<bool>,
    /// Whether rows and columns are the same items: then A must be an item other than X.
    pub same: bool,
}

/// The sorted distances of each X of a group to its A: one row of `per_x` values per X.
#[derive(Debug, Default)]
struct Nearness {
    sorted: Vec<f32>,
    per_x: usize,
}

impl Nearness {
    fn new(items: usize, per_x: usize) -> Self {
        Nearness { sorted: vec![0.0; items * per_x], per_x }
    }

    fn sort(&mut self) {
        for row in self.sorted.chunks_exact_mut(self.per_x.max(1)) {
            row.sort_unstable_by(f32::total_cmp);
        }
    }

    /// 2 for each A closer to X than `d`, 1 for each equally close.
    #[inline(always)]
    fn wins(&self, x: usize, d: f32) -> u64 {
        let row = &self.sorted[x * self.per_x..][..self.per_x];
        if row.len() <= 16 {
            row.iter().map(|&a| u64::from(a < d) + u64::from(a <= d)).sum()
        } else {
            (row.partition_point(|&a| a < d) + row.partition_point(|&a| a <= d)) as u64
        }
    }
}

/// Number of frames in a block's rows and in its columns: their products stay in the L2 cache.
const ROW_FRAMES: usize = 128;
const COL_FRAMES: usize = 384;

/// An item of a block: its index in the list of items, its first frame in the block, and its number of frames.
struct Placed {
    item: usize,
    first: usize,
    frames: usize,
}

/// Memory that is reused from block to block.
#[derive(Default)]
struct Scratch {
    rows: Frames,
    cols: Frames,
    distances: Vec<f32>,
    row_items: Vec<Placed>,
    col_items: Vec<Placed>,
    dtw: Dtw,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

/// Adds items, starting with `next`, until the block has `enough` frames.
fn fill(segments: &Segments, items: &[u32], next: &mut usize, enough: usize, to: (&mut Frames, &mut Vec<Placed>)) {
    let (frames, placed) = to;
    frames.clear();
    placed.clear();
    while *next < items.len() && frames.len() < enough {
        let first = frames.len();
        segments.copy(items[*next] as usize, frames);
        placed.push(Placed { item: *next, first, frames: frames.len() - first });
        *next += 1;
    }
}

/// Calls `visit(i, j, d, d^T)` with the distances of `rows[i]` and `cols[j]` for all pairs, or only for those with `i < j` if `upper`. `d`
/// has the frames of the row's item as the rows of the matrix, as for X in the row; `d^T` is the distance for X in the column.
fn between(
    segments: &Segments,
    distance: Distance,
    rows: &[u32],
    cols: &[u32],
    upper: bool,
    mut visit: impl FnMut(usize, usize, f32, f32),
) -> Result<()> {
    let dim = segments.dim;
    SCRATCH.with_borrow_mut(|scratch| {
        let Scratch { rows: row_frames, cols: col_frames, distances, row_items, col_items, dtw } = scratch;
        let mut row = 0;
        while row < rows.len() {
            let first = row;
            fill(segments, rows, &mut row, ROW_FRAMES, (row_frames, row_items));
            let mut col = if upper { first + 1 } else { 0 };
            while col < cols.len() {
                fill(segments, cols, &mut col, COL_FRAMES, (col_frames, col_items));
                let (n, m) = (row_frames.len(), col_frames.len());
                distances.clear();
                distances.resize(n * m, 0.0);
                if distance.of_units() {
                    Distance::differing(row_frames, col_frames, distances);
                } else {
                    let products = ViewMut::new(distances, n, m, m)?;
                    let (u, v) = (View::new(&row_frames.unit, n, dim, dim)?, View::new(&col_frames.unit, m, dim, dim)?);
                    multiply(products, false, u, v.t(), true)?;
                    distance.of_frames(distances, row_frames, col_frames, dim);
                }
                let (visit, edit) = (&mut visit, distance == Distance::Edit);
                vectorized(Pairs { distances, width: m, rows: row_items, cols: col_items, upper, edit, dtw, visit });
            }
        }
        Ok(())
    })
}

/// The pairs of a block; a type, so that all of its code is compiled for wide vectors.
struct Pairs<'a, V> {
    distances: &'a [f32],
    width: usize,
    rows: &'a [Placed],
    cols: &'a [Placed],
    upper: bool,
    /// Whether pairs are compared by edits in place of warping.
    edit: bool,
    dtw: &'a mut Dtw,
    visit: &'a mut V,
}

impl<V: FnMut(usize, usize, f32, f32)> pulp::NullaryFnOnce for Pairs<'_, V> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        for row in self.rows {
            for col in self.cols {
                if !self.upper || col.item > row.item {
                    let block = &self.distances[row.first * self.width + col.first..];
                    let (d, transposed) = match self.edit {
                        true => self.dtw.edits(block, self.width, row.frames, col.frames),
                        false => self.dtw.distance(block, self.width, row.frames, col.frames),
                    };
                    (self.visit)(row.item, col.item, d, transposed);
                }
            }
        }
    }
}

impl Tile<'_> {
    /// The distances of the X of row group `p`, and of the column group of the same phone, to their A.
    fn nearness(&self, segments: &Segments, distance: Distance, p: usize) -> Result<(Nearness, Nearness)> {
        let rows = &self.rows.groups[p];
        let Some(q) = self.cols.find(rows.phone).filter(|&q| self.row_x[p] || self.col_x[q]) else {
            return Ok(Default::default());
        };
        let (n, m) = (rows.items.len(), self.cols.groups[q].items.len());
        let (mut of_rows, mut of_cols) = if self.same {
            (Nearness::new(n, n - 1), Nearness::default())
        } else {
            (Nearness::new(n, m), Nearness::new(m, n))
        };
        between(segments, distance, &rows.items, &self.cols.groups[q].items, self.same, |i, j, d, transposed| {
            if self.same {
                // One value for both orders, as in the reference.
                of_rows.sorted[i * (n - 1) + j - 1] = d;
                of_rows.sorted[j * (n - 1) + i] = d;
            } else {
                of_rows.sorted[i * m + j] = d;
                of_cols.sorted[j * n + i] = transposed;
            }
        })?;
        of_rows.sort();
        of_cols.sort();
        Ok((of_rows, of_cols))
    }

    /// All cells with X in row group `p`, or with B in that group and X in the columns.
    fn cells_of(
        &self,
        segments: &Segments,
        distance: Distance,
        p: usize,
        row_near: &[(Nearness, Nearness)],
    ) -> Result<Vec<Cell>> {
        let rows = &self.rows.groups[p];
        let (mut items, mut of_group, mut place) = (Vec::new(), Vec::new(), Vec::new());
        for (q, cols) in self.cols.groups.iter().enumerate().skip(if self.same { p + 1 } else { 0 }) {
            if cols.phone != rows.phone && (self.row_x[p] || self.col_x[q]) {
                items.extend_from_slice(&cols.items);
                of_group.resize(items.len(), q as u32);
                place.extend(0..cols.items.len() as u32);
            }
        }
        // For each column group, the distances of its X to A in the rows.
        let empty = Nearness::default();
        let col_near: Vec<&Nearness> = self
            .cols
            .groups
            .iter()
            .map(|g| {
                let near = self.rows.find(g.phone).map(|r| &row_near[r]);
                near.map_or(&empty, |near| if self.same { &near.0 } else { &near.1 })
            })
            .collect();
        let mut wins = vec![(0u64, 0u64); self.cols.groups.len()];
        between(segments, distance, &rows.items, &items, false, |i, j, d, transposed| {
            let q = of_group[j] as usize;
            if self.row_x[p] {
                wins[q].0 += row_near[p].0.wins(i, d);
            }
            if self.col_x[q] {
                wins[q].1 += col_near[q].wins(place[j] as usize, transposed);
            }
        })?;
        let mut cells = Vec::new();
        of_group.dedup();
        for q in of_group {
            let cols = &self.cols.groups[q as usize];
            let (row_wins, col_wins) = wins[q as usize];
            let pairs = (rows.items.len() * cols.items.len()) as u64;
            if self.row_x[p] {
                let triples = pairs * row_near[p].0.per_x as u64;
                cells.push(Cell { speaker: self.cols.speaker, a: rows.phone, b: cols.phone, wins: row_wins, triples });
            }
            if self.col_x[q as usize] {
                let triples = pairs * col_near[q as usize].per_x as u64;
                cells.push(Cell { speaker: self.rows.speaker, a: cols.phone, b: rows.phone, wins: col_wins, triples });
            }
        }
        Ok(cells)
    }

    /// The cells of the tile, in a fixed order; `done` receives the number of pairs that have been processed.
    pub fn cells(&self, segments: &Segments, distance: Distance, done: &(dyn Fn(u64) + Sync)) -> Result<Vec<Cell>> {
        let groups = 0..self.rows.groups.len();
        let near: Vec<_> =
            groups.clone().into_par_iter().map(|p| self.nearness(segments, distance, p)).collect::<Result<_>>()?;
        let cols: usize = self.cols.groups.iter().map(|g| g.items.len()).sum();
        let cells: Vec<Vec<Cell>> = groups
            .into_par_iter()
            .map(|p| {
                let cells = self.cells_of(segments, distance, p, &near);
                done((self.rows.groups[p].items.len() * cols) as u64);
                cells
            })
            .collect::<Result<_>>()?;
        Ok(cells.concat())
    }
}
