//! Dynamic time warping: the cost of the cheapest path through a matrix of distances, divided by the length of that path.
//!
//! ```text
//! c(i, j) = d(i, j) + min(c(i-1, j), c(i-1, j-1), c(i, j-1))        distance = c(n-1, m-1) / cells on the path
//! ```
//!
//! The path is traced back from the end: it goes diagonally if that costs no more than the other directions, otherwise in the cheaper of
//! left and up, and left if these are equal (CPC_audio, `ABX/dtw.pyx`). Because of this last rule a transposed matrix can have a path of
//! a different length, so both lengths are computed.

/// Number of rows processed together: each lags one column behind the row above, so that none waits for another.
const ROWS: usize = 4;

/// Memory for the costs, reused from pair to pair.
#[derive(Debug, Default)]
pub(super) struct Dtw {
    cost: Vec<f32>,
}

impl Dtw {
    /// The distance of two items of `n` and `m` frames, and the same with rows and columns exchanged: (d, d^T).
    ///
    /// `d(i, j)` is `distances[i * stride + j]`; `n` and `m` are at least 1.
    #[inline(always)]
    pub fn distance(&mut self, distances: &[f32], stride: usize, n: usize, m: usize) -> (f32, f32) {
        if self.cost.len() < n * m {
            self.cost.resize(n * m, 0.0);
        }
        let cost = &mut self.cost[..n * m];
        costs(cost, distances, stride, m);
        let total = cost[n * m - 1];
        let (cells, ties) = length(cost, n, m, |left, up| left <= up);
        let transposed = if ties { length(cost, n, m, |left, up| left < up).0 } else { cells };
        (total / cells as f32, total / transposed as f32)
    }
}

impl Dtw {
    /// The edit distance (Levenshtein 1966) of two items of `n` and `m` units, divided by the larger of both, twice: it is symmetric.
    ///
    /// `differ(i, j)`, 0 or 1, is `differ[i * stride + j]`.
    pub fn edits(&mut self, differ: &[f32], stride: usize, n: usize, m: usize) -> (f32, f32) {
        if self.cost.len() <= m {
            self.cost.resize(m + 1, 0.0);
        }
        // The costs of the prefixes of the columns' item, for a prefix of the rows'.
        let cost = &mut self.cost[..=m];
        cost.iter_mut().zip(0..).for_each(|(cost, j)| *cost = j as f32);
        for i in 0..n {
            let mut diagonal = cost[0];
            cost[0] = (i + 1) as f32;
            for j in 0..m {
                let replaced = diagonal + differ[i * stride + j];
                diagonal = cost[j + 1];
                cost[j + 1] = least(replaced, 1.0 + least(cost[j], diagonal));
            }
        }
        let d = cost[m] / n.max(m) as f32;
        (d, d)
    }
}

/// The smaller value, in one instruction: `f32::min` has a rule for NaN, which does not occur here.
#[inline(always)]
fn least(a: f32, b: f32) -> f32 {
    if a < b { a } else { b }
}

/// The costs c, (n, m) row-major.
#[inline(always)]
fn costs(cost: &mut [f32], distances: &[f32], stride: usize, m: usize) {
    let n = cost.len() / m;
    let mut sum = 0.0;
    for (c, d) in cost[..m].iter_mut().zip(distances) {
        sum += d;
        *c = sum;
    }
    let mut i = 1;
    while i + ROWS <= n && m > ROWS {
        rows_together(cost, distances, stride, m, i);
        i += ROWS;
    }
    while i < n {
        let (above, row) = cost[(i - 1) * m..][..2 * m].split_at_mut(m);
        let d = &distances[i * stride..][..m];
        let mut left = above[0] + d[0];
        row[0] = left;
        for j in 1..m {
            left = d[j] + least(left, least(above[j - 1], above[j]));
            row[j] = left;
        }
        i += 1;
    }
}

/// The costs of rows `i..i + ROWS`, given the row above them; `m > ROWS`.
///
/// Step t advances row r to column t - r. The values to the left and to the upper left are kept in registers. The last row is updated
/// first, since it needs the value that the row above had before the step.
#[inline(always)]
#[allow(clippy::needless_range_loop)] // registers are arrays
fn rows_together(cost: &mut [f32], distances: &[f32], stride: usize, m: usize, i: usize) {
    let (above, rows) = cost[(i - 1) * m..][..(ROWS + 1) * m].split_at_mut(m);
    let d = &distances[i * stride..];
    let (mut left, mut diagonal) = ([0.0f32; ROWS], [0.0f32; ROWS]);
    for r in 0..ROWS {
        diagonal[r] = if r == 0 { above[0] } else { left[r - 1] };
        left[r] = diagonal[r] + d[r * stride];
        rows[r * m] = left[r];
    }
    macro_rules! step_of_some {
        ($t:expr) => {
            for r in (0..ROWS).rev() {
                if $t > r && $t - r < m {
                    let j = $t - r;
                    let up = if r == 0 { above[j] } else { left[r - 1] };
                    left[r] = d[r * stride + j] + least(left[r], least(diagonal[r], up));
                    diagonal[r] = up;
                    rows[r * m + j] = left[r];
                }
            }
        };
    }
    for t in 1..ROWS {
        step_of_some!(t);
    }
    {
        // Steps ROWS..m, in all rows. Slices of equal length need no bounds check in the loop.
        let steps = m - ROWS;
        let above = &above[ROWS..][..steps];
        let mut parts = rows.chunks_exact_mut(m);
        let mut part = |r: usize| parts.next().map_or(&mut [][..], |row| &mut row[ROWS - r..][..steps]);
        let c: [&mut [f32]; ROWS] = [part(0), part(1), part(2), part(3)];
        let at = |r: usize| &d[r * stride + ROWS - r..][..steps];
        let d = [at(0), at(1), at(2), at(3)];
        let [c0, c1, c2, c3] = c;
        let (c0, c1, c2, c3) = (&mut c0[..steps], &mut c1[..steps], &mut c2[..steps], &mut c3[..steps]);
        for k in 0..steps {
            let up = [above[k], left[0], left[1], left[2]];
            for r in 0..ROWS {
                left[r] = d[r][k] + least(left[r], least(diagonal[r], up[r]));
            }
            diagonal = up;
            (c0[k], c1[k], c2[k], c3[k]) = (left[0], left[1], left[2], left[3]);
        }
    }
    for t in m..m + ROWS - 1 {
        step_of_some!(t);
    }
}

/// The number of cells on the path, and whether left and up were ever equally good.
#[inline(always)]
fn length(cost: &[f32], n: usize, m: usize, go_left: impl Fn(f32, f32) -> bool) -> (usize, bool) {
    let (mut i, mut j, mut cells, mut ties) = (n - 1, m - 1, 1, false);
    while i > 0 && j > 0 {
        let at = i * m + j;
        let (up, left, diagonal) = (cost[at - m], cost[at - 1], cost[at - m - 1]);
        let straight = diagonal <= left && diagonal <= up;
        let leftwards = straight | go_left(left, up);
        let upwards = straight | !leftwards;
        ties |= !straight & (left == up);
        i -= usize::from(upwards);
        j -= usize::from(leftwards);
        cells += 1;
    }
    (cells + i + j, ties)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::stream;

    /// The definition, cell by cell.
    fn plain(d: &[Vec<f32>]) -> f32 {
        let (n, m) = (d.len(), d[0].len());
        let mut c = vec![vec![f32::INFINITY; m]; n];
        for i in 0..n {
            for j in 0..m {
                let mut least = if i + j == 0 { 0.0 } else { f32::INFINITY };
                if i > 0 {
                    least = least.min(c[i - 1][j]);
                }
                if j > 0 {
                    least = least.min(c[i][j - 1]);
                }
                if i > 0 && j > 0 {
                    least = least.min(c[i - 1][j - 1]);
                }
                c[i][j] = d[i][j] + least;
            }
        }
        let (mut i, mut j, mut cells) = (n - 1, m - 1, 1);
        while i > 0 && j > 0 {
            let (up, left, diagonal) = (c[i - 1][j], c[i][j - 1], c[i - 1][j - 1]);
            if diagonal <= left && diagonal <= up {
                i -= 1;
                j -= 1;
            } else if left <= up {
                j -= 1;
            } else {
                i -= 1;
            }
            cells += 1;
        }
        c[n - 1][m - 1] / (cells + i + j) as f32
    }

    #[test]
    fn equals_the_definition_for_all_shapes_with_and_without_ties() {
        let mut chance = stream(5, "dtw", 0);
        let mut dtw = Dtw::default();
        let mut unlike = 0;
        for n in 1..14 {
            for m in 1..14 {
                for levels in [2, 5, 1 << 20] {
                    let rows: Vec<Vec<f32>> =
                        (0..n).map(|_| (0..m).map(|_| chance.below(levels) as f32).collect()).collect();
                    let columns: Vec<Vec<f32>> = (0..m).map(|j| rows.iter().map(|row| row[j]).collect()).collect();
                    let stride = m + 3;
                    let mut flat = vec![f32::NAN; n * stride];
                    for (i, row) in rows.iter().enumerate() {
                        flat[i * stride..][..m].copy_from_slice(row);
                    }
                    let got = dtw.distance(&flat, stride, n, m);
                    assert_eq!(got, (plain(&rows), plain(&columns)), "{n} x {m}, {levels} levels");
                    unlike += usize::from(got.0 != got.1);
                }
            }
        }
        assert!(unlike > 0, "ties have made no difference");
    }

    #[test]
    fn a_case_by_hand() {
        // The path 0-0, 0-1, 1-2 costs 1 + 1 + 2 over 3 cells.
        let d = [1.0, 1.0, 9.0, 9.0, 9.0, 2.0];
        assert_eq!(Dtw::default().distance(&d, 3, 2, 3).0, 4.0 / 3.0);
        assert_eq!(Dtw::default().distance(&[3.0, 4.0, 5.0], 3, 1, 3).0, 4.0);
    }

    #[test]
    fn edits_are_counted() {
        let of = |a: &str, b: &str| {
            let differ: Vec<f32> =
                a.bytes().flat_map(|x| b.bytes().map(move |y| f32::from(u8::from(x != y)))).collect();
            Dtw::default().edits(&differ, b.len(), a.len(), b.len()).0
        };
        assert_eq!(of("kitten", "sitting"), 3.0 / 7.0);
        assert_eq!(of("sitting", "kitten"), 3.0 / 7.0);
        assert_eq!((of("aa", "aa"), of("a", "bcd"), of("flaw", "lawn")), (0.0, 1.0, 0.5));
    }
}
