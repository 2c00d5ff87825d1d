//! A k-d tree in the maximum norm: the k nearest rows to a point, and how many rows lie within a distance.
//!
//! Rows are cut at the median of the widest axis (Bentley 1975; Friedman, Bentley and Finkel 1977) down to blocks of
//! [`LANES`] rows. Cuts fall on multiples of a block, so every block but the last is full and the shape of the tree follows
//! from the number of blocks alone: no links are stored, only the bounding box of each node, in the order of a walk
//! that goes left first. A block holds its rows axis by axis, so that the distances to all of them are computed
//! at once; in high dimensions, where nothing can be pruned, that is what the time goes into.

use crate::mi::samples::Samples;

/// Rows of a block.
pub const LANES: usize = 16;
/// Axes after which a block is left if all of it is too far already.
const STRIDE: usize = 4;

/// A row near a point.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Neighbor {
    /// Its distance in the maximum norm.
    pub distance: f64,
    /// Its row index in the samples.
    pub row: usize,
}

impl Neighbor {
    /// Order by distance, then by row index, so that the result does not depend on the order of the traversal.
    fn before(&self, other: &Neighbor) -> bool {
        self.distance < other.distance || (self.distance == other.distance && self.row < other.row)
    }
}

/// Which rows count as within a radius.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ball {
    /// Rows strictly closer than the radius.
    Open,
    /// Rows at the radius too.
    Closed,
}

impl Ball {
    fn holds(self, distance: f64, radius: f64) -> bool {
        match self {
            Ball::Open => distance < radius,
            Ball::Closed => distance <= radius,
        }
    }
}

/// The tree over all rows of a set of samples.
#[derive(Debug, Clone)]
pub struct Tree {
    dim: usize,
    /// Row indices in the order of the blocks.
    rows: Vec<usize>,
    /// The blocks, concatenated, (blocks, dim, [`LANES`]); infinity where the last block has no row.
    lanes: Vec<f64>,
    /// The smallest and the largest value of each node on each axis, (nodes, 2, dim).
    boxes: Vec<f64>,
}

/// A node: its index in `boxes`, its first block, and its number of blocks.
#[derive(Clone, Copy)]
struct Node {
    at: usize,
    first: usize,
    blocks: usize,
}

impl Node {
    /// A tree over b blocks has 2b - 1 nodes, so the right child is 2b places after its parent, where b is the number of blocks of the left child.
    fn children(self) -> [Node; 2] {
        let left = self.blocks / 2;
        [
            Node { at: self.at + 1, first: self.first, blocks: left },
            Node { at: self.at + 2 * left, first: self.first + left, blocks: self.blocks - left },
        ]
    }
}

impl Tree {
    /// Builds the tree over `samples` (n, dim) in O(n log n).
    pub fn new(samples: &Samples) -> Tree {
        Self::of(samples, (0..samples.len()).collect())
    }

    /// Builds the tree over some rows only; neighbors keep their row indices in `samples`.
    pub fn of(samples: &Samples, rows: Vec<usize>) -> Tree {
        let (dim, blocks) = (samples.dim(), rows.len().div_ceil(LANES));
        let mut tree = Tree {
            dim,
            rows,
            lanes: vec![f64::INFINITY; blocks * dim * LANES],
            boxes: vec![0.0; (2 * blocks).saturating_sub(1) * 2 * dim],
        };
        if blocks > 0 {
            tree.build(samples, tree.root());
        }
        tree
    }

    /// Row indices, ordered so that rows near each other in the list are near each other in space.
    pub fn order(&self) -> &[usize] {
        &self.rows
    }

    fn root(&self) -> Node {
        Node { at: 0, first: 0, blocks: self.rows.len().div_ceil(LANES) }
    }

    fn end(&self, node: Node) -> usize {
        ((node.first + node.blocks) * LANES).min(self.rows.len())
    }

    fn build(&mut self, samples: &Samples, node: Node) {
        let (start, end) = (node.first * LANES, self.end(node));
        let (low, high) = self.boxes[node.at * 2 * self.dim..][..2 * self.dim].split_at_mut(self.dim);
        low.fill(f64::INFINITY);
        high.fill(f64::NEG_INFINITY);
        for &row in &self.rows[start..end] {
            for (j, &v) in samples.row(row).iter().enumerate() {
                low[j] = low[j].min(v);
                high[j] = high[j].max(v);
            }
        }
        if node.blocks == 1 {
            let block = &mut self.lanes[node.first * self.dim * LANES..][..self.dim * LANES];
            for (lane, &row) in self.rows[start..end].iter().enumerate() {
                for (j, &v) in samples.row(row).iter().enumerate() {
                    block[j * LANES + lane] = v;
                }
            }
            return;
        }
        // Halving first keeps the difference of two huge numbers finite.
        let width = |j: usize| high[j] * 0.5 - low[j] * 0.5;
        let axis = (1..self.dim).fold(0, |best, j| if width(j) > width(best) { j } else { best });
        let [left, right] = node.children();
        let key = |row: &usize| samples.row(*row)[axis];
        self.rows[start..end]
            .select_nth_unstable_by(left.blocks * LANES, |a, b| key(a).total_cmp(&key(b)).then(a.cmp(b)));
        self.build(samples, left);
        self.build(samples, right);
    }

    /// The distances from `point` to the rows of a block, unless all are farther than `limit`.
    #[inline]
    fn distances(&self, block: usize, point: &[f64], limit: f64) -> Option<[f64; LANES]> {
        let lanes = &self.lanes[block * self.dim * LANES..][..self.dim * LANES];
        let mut distances = [0.0f64; LANES];
        for (values, coordinates) in lanes.chunks(STRIDE * LANES).zip(point.chunks(STRIDE)) {
            for (values, &p) in values.chunks_exact(LANES).zip(coordinates) {
                for (d, &v) in distances.iter_mut().zip(values) {
                    let difference = (v - p).abs();
                    *d = if difference > *d { difference } else { *d };
                }
            }
            if !distances.iter().fold(false, |near, &d| near | (d <= limit)) {
                return None;
            }
        }
        Some(distances)
    }

    /// The smallest and the largest distance that a row in the node's box can have from `point`.
    #[inline]
    fn bounds(&self, node: Node, point: &[f64]) -> (f64, f64) {
        let (low, high) = self.boxes[node.at * 2 * self.dim..][..2 * self.dim].split_at(self.dim);
        point.iter().zip(low).zip(high).fold((0.0, 0.0), |(least, largest), ((&p, &low), &high)| {
            let (below, above) = (low - p, p - high);
            (max(least, max(below, above)), max(largest, max(-below, -above)))
        })
    }

    /// Fills `found` with the `k` nearest rows to `point` (dim), nearest first, excluding row `skip`. Among rows at the same
    /// distance, those with the smaller index come first. There are fewer than `k` only if the tree has no more.
    pub fn nearest(&self, point: &[f64], k: usize, skip: Option<usize>, found: &mut Vec<Neighbor>) {
        found.clear();
        if k > 0 && !self.rows.is_empty() {
            self.search(self.root(), point, k, skip, found);
        }
    }

    fn search(&self, node: Node, point: &[f64], k: usize, skip: Option<usize>, found: &mut Vec<Neighbor>) {
        let limit = |found: &[Neighbor]| if found.len() < k { f64::INFINITY } else { found[k - 1].distance };
        if node.blocks > 1 {
            let children = node.children().map(|child| (self.bounds(child, point).0, child));
            let [near, far] = if children[1].0 < children[0].0 { [children[1], children[0]] } else { children };
            for (least, child) in [near, far] {
                if least <= limit(found) {
                    self.search(child, point, k, skip, found);
                }
            }
            return;
        }
        let Some(distances) = self.distances(node.first, point, limit(found)) else { return };
        let rows = &self.rows[node.first * LANES..self.end(node)];
        for (&distance, &row) in distances.iter().zip(rows) {
            let candidate = Neighbor { distance, row };
            if Some(row) == skip || (found.len() == k && !candidate.before(&found[k - 1])) {
                continue;
            }
            if found.len() == k {
                found.pop();
            }
            let place = found.partition_point(|other| other.before(&candidate));
            found.insert(place, candidate);
        }
    }

    /// The number of rows within `radius` of `point` (dim); a row at the point itself counts too.
    pub fn count(&self, point: &[f64], radius: f64, ball: Ball) -> usize {
        if self.rows.is_empty() { 0 } else { self.count_in(self.root(), point, radius, ball) }
    }

    fn count_in(&self, node: Node, point: &[f64], radius: f64, ball: Ball) -> usize {
        let (least, largest) = self.bounds(node, point);
        if !ball.holds(least, radius) {
            return 0;
        }
        if ball.holds(largest, radius) {
            return self.end(node) - node.first * LANES;
        }
        if node.blocks > 1 {
            return node.children().into_iter().map(|child| self.count_in(child, point, radius, ball)).sum();
        }
        let Some(distances) = self.distances(node.first, point, radius) else { return 0 };
        let rows = self.end(node) - node.first * LANES;
        distances[..rows].iter().filter(|&&d| ball.holds(d, radius)).count()
    }
}

/// The larger of two numbers, neither of which is NaN. This is a single instruction, unlike [`f64::max`].
#[inline]
fn max(a: f64, b: f64) -> f64 {
    if a > b { a } else { b }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn distance(a: &[f64], b: &[f64]) -> f64 {
        a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
    }

    /// Rows on a coarse grid, so that ties and duplicates are common, or anywhere.
    fn samples() -> impl Strategy<Value = Samples> {
        (1usize..6, 1usize..120, any::<bool>()).prop_flat_map(|(dim, n, grid)| {
            let value = (-300i32..300).prop_map(move |v| if grid { f64::from(v / 100) } else { f64::from(v) * 0.137 });
            prop::collection::vec(value, n * dim).prop_map(move |values| Samples::new(values, dim).unwrap())
        })
    }

    proptest! {
        #[test]
        fn the_nearest_rows_are_those_of_a_search_through_all(samples in samples(), k in 1usize..9, at in 0usize..120) {
            let tree = Tree::new(&samples);
            let point = samples.row(at % samples.len());
            for skip in [None, Some(at % samples.len())] {
                let mut all: Vec<Neighbor> = (0..samples.len())
                    .filter(|&row| Some(row) != skip)
                    .map(|row| Neighbor { distance: distance(point, samples.row(row)), row })
                    .collect();
                all.sort_by(|a, b| a.distance.total_cmp(&b.distance).then(a.row.cmp(&b.row)));
                all.truncate(k);
                let mut found = Vec::new();
                tree.nearest(point, k, skip, &mut found);
                prop_assert_eq!(found, all);
            }
        }

        #[test]
        fn counts_are_those_of_a_search_through_all(samples in samples(), at in 0usize..120, radius in 0u32..5, offset in -1.0..1.0) {
            let tree = Tree::new(&samples);
            let mut point = samples.row(at % samples.len()).to_vec();
            for shifted in [false, true] {
                if shifted {
                    point.iter_mut().for_each(|p| *p += offset);
                }
                // A radius that is exactly the distance to a row distinguishes open from closed balls.
                let exact = distance(&point, samples.row((at * 7 + 3) % samples.len()));
                for radius in [f64::from(radius), exact] {
                    for ball in [Ball::Open, Ball::Closed] {
                        let all = (0..samples.len()).filter(|&i| ball.holds(distance(&point, samples.row(i)), radius));
                        prop_assert_eq!(tree.count(&point, radius, ball), all.count());
                    }
                }
            }
        }
    }

    #[test]
    fn a_tree_over_some_rows_knows_those_only_and_by_their_numbers() {
        let samples = Samples::new((0..100).map(f64::from).collect(), 1).unwrap();
        let tree = Tree::of(&samples, (0..100).step_by(3).collect());
        let mut found = Vec::new();
        tree.nearest(&[50.0], 2, None, &mut found);
        assert_eq!(found, [Neighbor { distance: 1.0, row: 51 }, Neighbor { distance: 2.0, row: 48 }]);
        assert_eq!(tree.count(&[50.0], 4.0, Ball::Closed), 3);
        let empty = Tree::of(&samples, Vec::new());
        empty.nearest(&[1.0], 3, None, &mut found);
        assert!(found.is_empty() && empty.count(&[1.0], 9.0, Ball::Closed) == 0);
    }
}
