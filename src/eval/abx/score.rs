//! From items to an error: which triples there are, and how their outcomes are averaged.
//!
//! The items of one context are grouped by speaker and phone. A *cell* consists of all triples of items (A, B, X) where A and X are phone
//! a, B is phone b != a, A and B are by speaker s in context c, and X is by the same speaker (within; X is an item other than A) or by
//! speaker t != s (across). Its error is the share of triples with d(X, A) > d(X, B), plus half the share of those with equal distances.
//!
//! ```text
//! within   e(a, b) = mean over s of (mean over c       of e(a, b, s, c))
//! across   e(a, b) = mean over s of (mean over (c, t)  of e(a, b, s, c, t))      error = mean over ordered pairs (a, b)
//! ```
//!
//! Means are over the cells and speakers that exist. Each counts once, regardless of its number of triples (CPC_audio, `eval/ABX.py`;
//! fastabx's `collapse` over context, then speaker, is the same).

use crate::error::Result;
use crate::eval::abx::distance::Distance;
use crate::eval::abx::segments::Segments;
use crate::eval::abx::tile::{Cell, Group, Tile, Voice};
use crate::eval::abx::{Mode, Sampling};
use crate::seed::{Stream, stream};
use rayon::prelude::*;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

/// The error of one ordered pair of phones.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct PairError {
    pub a: u32,
    pub b: u32,
    pub error: f64,
    pub triples: u64,
}

/// One context: its speakers, in ascending order.
#[derive(Debug)]
struct Context {
    voices: Vec<Voice>,
    /// For each speaker and each of its groups, the speakers (as indices into `voices`) from whom X is taken.
    others: Vec<Vec<Vec<usize>>>,
}

/// A random sample of `n` elements of `from`, in their order; all of them if there are no more than `n`.
fn sample<T: Copy>(from: Vec<T>, n: Option<usize>, chance: impl FnOnce() -> Stream) -> Vec<T> {
    let Some(n) = n.filter(|&n| n < from.len()) else { return from };
    let mut chance = chance();
    let mut places: Vec<usize> = (0..from.len()).collect();
    for i in 0..n {
        places.swap(i, i + chance.below((from.len() - i) as u32) as usize);
    }
    places.truncate(n);
    places.sort_unstable();
    places.into_iter().map(|i| from[i]).collect()
}

/// The items by context, speaker and phone, sub-sampled.
fn contexts(segments: &Segments, pooled: bool, sampling: &Sampling) -> Vec<Context> {
    let mut order: Vec<u32> = (0..segments.items.len() as u32).collect();
    let key = |i: &u32| {
        let item = &segments.items[*i as usize];
        (if pooled { 0 } else { item.context }, item.speaker, item.phone)
    };
    order.sort_by_key(key);
    let mut number = 0;
    let mut contexts = Vec::new();
    for context in order.chunk_by(|a, b| key(a).0 == key(b).0) {
        let mut voices = Vec::new();
        for voice in context.chunk_by(|a, b| key(a).1 == key(b).1) {
            let groups = voice.chunk_by(|a, b| key(a).2 == key(b).2).map(|group| {
                number += 1;
                let chance = || stream(sampling.seed, "abx/items", number);
                Group { phone: key(&group[0]).2, items: sample(group.to_vec(), sampling.max_group, chance) }
            });
            voices.push(Voice { speaker: key(&voice[0]).1, groups: groups.collect() });
        }
        let mut by_phone: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
        for (v, voice) in voices.iter().enumerate() {
            voice.groups.iter().for_each(|g| by_phone.entry(g.phone).or_default().push(v));
        }
        let first = number + 1 - voices.iter().map(|v| v.groups.len() as u64).sum::<u64>();
        let mut group_number = first..;
        let mut others_of = |v: usize, g: &Group| {
            let others = by_phone.get(&g.phone).into_iter().flatten().copied().filter(|&o| o != v).collect();
            let index = group_number.next().unwrap_or(0);
            sample(others, sampling.max_x_across, || stream(sampling.seed, "abx/speakers", index))
        };
        let others = voices.iter().enumerate().map(|(v, voice)| voice.groups.iter().map(|g| others_of(v, g)).collect());
        let others = others.collect();
        contexts.push(Context { voices, others });
    }
    contexts
}

impl Context {
    /// The pairs of speakers that have triples of a mode.
    fn tiles(&self, mode: Mode) -> Vec<Tile<'_>> {
        // A and B are by one speaker, who must have two phones.
        let speaks_two = |v: usize| self.voices[v].groups.len() >= 2;
        let mut tiles = Vec::new();
        let mut push = |rows: usize, cols: usize, row_x: Vec<bool>, col_x: Vec<bool>| {
            if row_x.contains(&true) || col_x.contains(&true) {
                let (rows, cols, same) = (&self.voices[rows], &self.voices[cols], rows == cols);
                tiles.push(Tile { rows, cols, row_x, col_x, same });
            }
        };
        match mode {
            Mode::Within => {
                for v in (0..self.voices.len()).filter(|&v| speaks_two(v)) {
                    let x: Vec<bool> = self.voices[v].groups.iter().map(|g| g.items.len() >= 2).collect();
                    push(v, v, x.clone(), x);
                }
            }
            Mode::Across => {
                // For each group of `x`, whether `x` provides X for the A of speaker `s`.
                let lends = |x: usize, s: usize| -> Vec<bool> {
                    let chosen = |phone: u32| {
                        let g = self.voices[s].groups.binary_search_by_key(&phone, |g| g.phone);
                        speaks_two(s) && g.is_ok_and(|g| self.others[s][g].contains(&x))
                    };
                    self.voices[x].groups.iter().map(|g| chosen(g.phone)).collect()
                };
                for rows in 0..self.voices.len() {
                    for cols in rows + 1..self.voices.len() {
                        push(rows, cols, lends(rows, cols), lends(cols, rows));
                    }
                }
            }
        }
        tiles
    }
}

fn pairs_of(tiles: &[Tile]) -> u64 {
    let items = |v: &Voice| v.groups.iter().map(|g| g.items.len() as u64).sum::<u64>();
    tiles.iter().map(|t| items(t.rows) * items(t.cols)).sum()
}

/// The phones a and b, and the speaker s of A and B.
type Key = (u32, u32, u32);
/// The sum of the errors of some cells, their number, and their triples.
type Sum = (f64, u64, u64);

/// Number of contexts whose tiles and cells are held in memory at a time.
const AT_ONCE: usize = 256;

/// The errors of all ordered pairs of phones that have triples, sorted by phone numbers.
///
/// With `pooled`, all contexts are treated as one. `progress` receives the share that is done.
pub(super) fn score(
    segments: &Segments,
    mode: Mode,
    distance: Distance,
    pooled: bool,
    sampling: &Sampling,
    progress: &(dyn Fn(f64) + Sync),
) -> Result<Vec<PairError>> {
    let contexts = contexts(segments, pooled, sampling);
    let all = contexts.par_iter().map(|c| pairs_of(&c.tiles(mode))).sum::<u64>().max(1) as f64;
    let count = AtomicU64::new(0);
    let done = |pairs: u64| progress((count.fetch_add(pairs, Ordering::Relaxed) + pairs) as f64 / all);
    let mut sums: BTreeMap<Key, Sum> = BTreeMap::new();
    for some in contexts.chunks(AT_ONCE) {
        let tiles: Vec<Tile> = some.iter().flat_map(|c| c.tiles(mode)).collect();
        let cells: Vec<Vec<Cell>> =
            tiles.par_iter().map(|tile| tile.cells(segments, distance, &done)).collect::<Result<_>>()?;
        for cell in cells.iter().flatten() {
            let sum = sums.entry((cell.a, cell.b, cell.speaker)).or_default();
            sum.0 += 1.0 - cell.wins as f64 / (2 * cell.triples) as f64;
            sum.1 += 1;
            sum.2 += cell.triples;
        }
    }
    let sums: Vec<_> = sums.into_iter().collect();
    let pair = |of_pair: &[(Key, Sum)]| {
        let error = of_pair.iter().map(|(_, (errors, cells, _))| errors / *cells as f64).sum::<f64>();
        let triples = of_pair.iter().map(|(_, (.., triples))| triples).sum();
        let ((a, b, _), _) = of_pair[0];
        PairError { a, b, error: error / of_pair.len() as f64, triples }
    };
    Ok(sums.chunk_by(|(x, _), (y, _)| (x.0, x.1) == (y.0, y.1)).map(pair).collect())
}
