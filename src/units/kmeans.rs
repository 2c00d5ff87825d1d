//! k-means (Lloyd 1982) with the seeding of k-means++ (Arthur and Vassilvitskii 2007), over frames that need not fit in memory.
//!
//! The seeds are drawn from a sample of the frames, the best of several draws each time, as scikit-learn does. Lloyd's algorithm then runs on the
//! sample until it hardly improves, and over all frames, chunk by chunk, until it hardly improves there. All sums are in a fixed order: the result
//! does not depend on the number of threads.

use crate::error::{Error, Result};
use crate::ops::matrix::{View, ViewMut, multiply};
use crate::seed::{Stream, stream};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// Frames that are assigned at once.
const CHUNK: usize = 4096;

/// Bytes of the sample.
const SAMPLE: usize = 96 << 20;

/// Passes over the sample, at most.
const SAMPLE_PASSES: usize = 100;

/// Lloyd's algorithm ends when a pass lowers the inertia by less than this share of it.
const TOLERANCE: f64 = 2e-4;

/// Where frames come from: (T, D) in parts, in the same order each time.
pub trait Frames: Sync {
    /// D.
    fn dim(&self) -> usize;

    /// The number of frames.
    fn count(&self) -> u64;

    /// Calls `each` with rows of frames, row after row, until all were given or `each` fails.
    ///
    /// # Errors
    /// Frames cannot be read; the errors of `each`.
    fn read(&self, each: &mut dyn FnMut(&[f32]) -> Result<()>) -> Result<()>;
}

/// Centroids, and how far they have come.
#[derive(Debug, Clone, PartialEq)]
pub struct Centroids {
    /// (K, D).
    pub values: Vec<f32>,
    /// K.
    pub count: usize,
    /// What the last pass over all frames found; none before the first.
    pub pass: Option<Pass>,
}

/// What a pass over all frames finds with the centroids that it begins with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Pass {
    /// Its number, from 1.
    pub number: usize,
    /// The sum over frames of the squared distance to the nearest centroid.
    pub inertia: f64,
    /// How many frames each centroid is nearest to (K).
    pub sizes: Vec<u64>,
    /// Whether it improved so little that another pass is not worth its time.
    pub converged: bool,
}

impl Centroids {
    /// Seeds, improved on a sample of the frames. `check` is called from time to time, and ends the work by failing.
    ///
    /// # Errors
    /// There are fewer different frames than centroids, or frames cannot be read.
    pub fn begin(frames: &dyn Frames, count: usize, seed: u64, check: &dyn Fn() -> Result<()>) -> Result<Centroids> {
        let sample = sample(frames, count, seed)?;
        let dim = frames.dim();
        let mut values = seeds(&sample, dim, count, &mut stream(seed, "units/seeds", count as u64), check)?;
        let mut before = f64::INFINITY;
        for _ in 0..SAMPLE_PASSES {
            let mut sums = Sums::new(count, dim);
            for rows in sample.chunks(CHUNK * dim) {
                check()?;
                sums.add(rows, &values)?;
            }
            let inertia = sums.inertia;
            values = sums.centroids(&values);
            if before - inertia <= TOLERANCE * inertia {
                break;
            }
            before = inertia;
        }
        Ok(Centroids { values, count, pass: None })
    }

    /// One more pass over all frames. `progress` is called with the number of frames done.
    ///
    /// # Errors
    /// Frames cannot be read.
    pub fn improve(&mut self, frames: &dyn Frames, progress: &dyn Fn(u64) -> Result<()>) -> Result<()> {
        let dim = frames.dim();
        let (mut sums, mut done) = (Sums::new(self.count, dim), 0);
        in_chunks(frames, &mut |rows| {
            sums.add(rows, &self.values)?;
            done += (rows.len() / dim) as u64;
            progress(done)
        })?;
        let before = self.pass.as_ref().map_or(f64::INFINITY, |pass| pass.inertia);
        let number = self.pass.as_ref().map_or(0, |pass| pass.number) + 1;
        let converged = before - sums.inertia <= TOLERANCE * sums.inertia;
        self.values = sums.centroids(&self.values);
        self.pass = Some(Pass { number, inertia: sums.inertia, sizes: sums.sizes, converged });
        Ok(())
    }
}

/// Calls `each` with all frames, in chunks of [`CHUNK`].
fn in_chunks(frames: &dyn Frames, each: &mut dyn FnMut(&[f32]) -> Result<()>) -> Result<()> {
    let size = CHUNK * frames.dim();
    let mut waiting: Vec<f32> = Vec::with_capacity(size);
    frames.read(&mut |mut rows| {
        while !rows.is_empty() {
            let n = (size - waiting.len()).min(rows.len());
            waiting.extend_from_slice(&rows[..n]);
            rows = &rows[n..];
            if waiting.len() == size {
                each(&waiting)?;
                waiting.clear();
            }
        }
        Ok(())
    })?;
    if waiting.is_empty() { Ok(()) } else { each(&waiting) }
}

/// A sample of the frames, drawn evenly: all of them if they fit, and several for each of `clusters` centroids.
fn sample(frames: &dyn Frames, clusters: usize, seed: u64) -> Result<Vec<f32>> {
    let (dim, count) = (frames.dim(), frames.count());
    let wanted = ((SAMPLE / 4 / dim).max(4 * clusters) as u64).min(count);
    let mut random = stream(seed, "units/sample", 0);
    let (mut out, mut seen, mut taken) = (Vec::with_capacity(wanted as usize * dim), 0u64, 0u64);
    frames.read(&mut |rows| {
        for row in rows.chunks_exact(dim) {
            // Of the frames to come, as many are drawn as are still wanted (Knuth's algorithm S).
            let left = count.saturating_sub(seen);
            if taken < wanted && (wanted - taken == left || random.unit64() * (left as f64) < (wanted - taken) as f64) {
                out.extend_from_slice(row);
                taken += 1;
            }
            seen += 1;
        }
        Ok(())
    })?;
    Ok(out)
}

/// Centroids (K, D) that are frames of `rows` far from each other.
fn seeds(
    rows: &[f32],
    dim: usize,
    count: usize,
    random: &mut Stream,
    check: &dyn Fn() -> Result<()>,
) -> Result<Vec<f32>> {
    let n = rows.len() / dim;
    let row = |i: usize| &rows[i * dim..][..dim];
    let trials = 2 + (count as f64).ln() as usize;
    let distances = |to: &[f32]| -> Vec<f32> { rows.par_chunks_exact(dim).map(|row| squared(row, to)).collect() };
    let mut chosen: Vec<f32> = Vec::with_capacity(count * dim);
    if n == 0 {
        return Err(too_few(0, count));
    }
    let first = (random.unit64() * n as f64) as usize;
    chosen.extend_from_slice(row(first.min(n - 1)));
    let mut nearest = distances(row(first.min(n - 1)));
    while chosen.len() < count * dim {
        check()?;
        let total: f64 = nearest.iter().map(|d| f64::from(*d)).sum();
        if total <= 0.0 {
            return Err(too_few(chosen.len() / dim, count));
        }
        let mut sums = Vec::with_capacity(n);
        let mut sum = 0.0;
        for d in &nearest {
            sum += f64::from(*d);
            sums.push(sum);
        }
        let mut best: Option<(f64, usize, Vec<f32>)> = None;
        for _ in 0..trials {
            let at = random.unit64() * total;
            let i = sums.partition_point(|sum| *sum <= at).min(n - 1);
            let own: Vec<f32> = distances(row(i)).iter().zip(&nearest).map(|(a, b)| a.min(*b)).collect();
            let left: f64 = own.iter().map(|d| f64::from(*d)).sum();
            if best.as_ref().is_none_or(|(least, _, _)| left < *least) {
                best = Some((left, i, own));
            }
        }
        if let Some((_, i, own)) = best {
            chosen.extend_from_slice(row(i));
            nearest = own;
        }
    }
    Ok(chosen)
}

fn too_few(different: usize, wanted: usize) -> Error {
    Error::failed(
        format!("there are {different} different frames, and {wanted} units are to be told apart"),
        "choose fewer --clusters, or give more data",
    )
}

/// The squared distance of two vectors.
fn squared(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0f32; 16];
    let (a_lanes, b_lanes) = (a.chunks_exact(16), b.chunks_exact(16));
    let rest: f32 = a_lanes.remainder().iter().zip(b_lanes.remainder()).map(|(a, b)| (a - b) * (a - b)).sum();
    for (a, b) in a_lanes.zip(b_lanes) {
        for (sum, (a, b)) in sums.iter_mut().zip(a.iter().zip(b)) {
            *sum += (a - b) * (a - b);
        }
    }
    rest + sums.iter().sum::<f32>()
}

/// The nearest of the centroids (K, D) to each of `rows` (T, D); the first of several.
///
/// # Errors
/// A tensor operation fails.
pub fn nearest(rows: &[f32], centroids: &[f32], dim: usize) -> Result<Vec<u32>> {
    let count = centroids.len() / dim;
    let norms: Vec<f32> = centroids.chunks_exact(dim).map(|c| 0.5 * c.iter().map(|v| v * v).sum::<f32>()).collect();
    // A part for each thread, whose products stay in its cache.
    let parts: Vec<Result<Vec<u32>>> = rows
        .par_chunks(256 * dim)
        .map(|rows| {
            let n = rows.len() / dim;
            let mut products = vec![0.0f32; n * count];
            let out = ViewMut::new(&mut products, n, count, count)?;
            multiply(out, false, View::new(rows, n, dim, dim)?, View::new(centroids, count, dim, dim)?.t(), true)?;
            // |x - c|^2 = |x|^2 - 2 (x c - |c|^2 / 2): the nearest has the largest difference.
            let of = |products: &[f32]| {
                let (mut best, mut most) = (0, f32::NEG_INFINITY);
                for (k, (product, norm)) in products.iter().zip(&norms).enumerate() {
                    if product - norm > most {
                        (best, most) = (k as u32, product - norm);
                    }
                }
                best
            };
            Ok(products.chunks_exact(count).map(of).collect())
        })
        .collect();
    Ok(parts.into_iter().collect::<Result<Vec<_>>>()?.concat())
}

/// The frames that each centroid is nearest to: their number and sum.
struct Sums {
    dim: usize,
    sizes: Vec<u64>,
    /// (K, D).
    sums: Vec<f64>,
    inertia: f64,
    /// Frames that are far from their centroid, the farthest first, for centroids that are nearest to none.
    far: Vec<(f32, Vec<f32>)>,
}

/// Far frames that are kept.
const FAR: usize = 64;

impl Sums {
    fn new(count: usize, dim: usize) -> Sums {
        Sums { dim, sizes: vec![0; count], sums: vec![0.0; count * dim], inertia: 0.0, far: Vec::new() }
    }

    /// Adds frames.
    fn add(&mut self, rows: &[f32], centroids: &[f32]) -> Result<()> {
        let dim = self.dim;
        let nearest = nearest(rows, centroids, dim)?;
        let away: Vec<f32> = rows
            .par_chunks_exact(dim)
            .zip(&nearest)
            .map(|(row, &k)| squared(row, &centroids[k as usize * dim..][..dim]))
            .collect();
        self.inertia += away.iter().map(|d| f64::from(*d)).sum::<f64>();
        let mut of: Vec<Vec<usize>> = vec![Vec::new(); self.sizes.len()];
        nearest.iter().enumerate().for_each(|(i, &k)| of[k as usize].push(i));
        self.sizes.iter_mut().zip(&of).for_each(|(size, rows)| *size += rows.len() as u64);
        self.sums.par_chunks_exact_mut(dim).zip(&of).for_each(|(sum, mine)| {
            for &i in mine {
                sum.iter_mut().zip(&rows[i * dim..]).for_each(|(sum, value)| *sum += f64::from(*value));
            }
        });
        let least = if self.far.len() < FAR { 0.0 } else { self.far[FAR - 1].0 };
        for (i, &d) in away.iter().enumerate().filter(|(_, d)| **d > least) {
            self.far.push((d, rows[i * dim..][..dim].to_vec()));
        }
        self.far.sort_by(|a, b| b.0.total_cmp(&a.0));
        self.far.truncate(FAR);
        Ok(())
    }

    /// The means; a centroid without frames moves to a frame that is far from its own.
    fn centroids(&self, before: &[f32]) -> Vec<f32> {
        let mut far = self.far.iter();
        let mut out = Vec::with_capacity(self.sums.len());
        for ((&size, sum), before) in
            self.sizes.iter().zip(self.sums.chunks_exact(self.dim)).zip(before.chunks_exact(self.dim))
        {
            match size {
                0 => out.extend_from_slice(far.next().map_or(before, |(_, row)| row)),
                n => out.extend(sum.iter().map(|v| (v / n as f64) as f32)),
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Rows(Vec<f32>, usize);

    impl Frames for Rows {
        fn dim(&self) -> usize {
            self.1
        }

        fn count(&self) -> u64 {
            (self.0.len() / self.1) as u64
        }

        fn read(&self, each: &mut dyn FnMut(&[f32]) -> Result<()>) -> Result<()> {
            self.0.chunks(7 * self.1).try_for_each(each)
        }
    }

    /// Frames around `count` centers that are far apart.
    fn clouds(count: usize, frames: usize, dim: usize) -> Rows {
        let mut random = stream(1, "clouds", 0);
        let centers: Vec<f32> = (0..count * dim).map(|_| 10.0 * random.normal()).collect();
        let rows = (0..frames)
            .flat_map(|i| {
                let center = &centers[i % count * dim..][..dim];
                center.iter().map(|v| v + random.normal()).collect::<Vec<_>>()
            })
            .collect();
        Rows(rows, dim)
    }

    fn fit(frames: &Rows, count: usize) -> Centroids {
        let mut centroids = Centroids::begin(frames, count, 3, &|| Ok(())).unwrap();
        while centroids.pass.as_ref().is_none_or(|pass| !pass.converged) {
            centroids.improve(frames, &|_| Ok(())).unwrap();
        }
        centroids
    }

    #[test]
    fn clouds_that_are_far_apart_are_found() {
        let frames = clouds(20, 5000, 5);
        let found = fit(&frames, 20);
        let pass = found.pass.unwrap();
        assert_eq!(pass.sizes, [250; 20]);
        // Each frame is about sqrt(5) from its center.
        assert!((pass.inertia / 5000.0 - 5.0).abs() < 0.2, "{}", pass.inertia);
        let nearest = nearest(&frames.0, &found.values, 5).unwrap();
        assert!((20..5000).all(|i| nearest[i] == nearest[i - 20]));
        let mut values: Vec<u32> = nearest[..20].to_vec();
        values.sort_unstable();
        assert_eq!(values, (0..20).collect::<Vec<u32>>());
    }

    #[test]
    fn the_result_is_that_of_the_seed_in_any_number_of_threads() {
        let frames = clouds(50, 9000, 19);
        let in_threads =
            |n: usize| rayon::ThreadPoolBuilder::new().num_threads(n).build().unwrap().install(|| fit(&frames, 30));
        let one = in_threads(1);
        assert_eq!(one, in_threads(3));
        assert_eq!(one.pass.unwrap().sizes.iter().sum::<u64>(), 9000);
    }

    #[test]
    fn a_pass_is_lloyds_and_lowers_the_inertia() {
        let frames = clouds(7, 700, 4);
        let mut centroids = Centroids::begin(&frames, 12, 3, &|| Ok(())).unwrap();
        let before = centroids.values.clone();
        centroids.improve(&frames, &|_| Ok(())).unwrap();
        let nearest = nearest(&frames.0, &before, 4).unwrap();
        let mut inertia = 0.0;
        for (k, centroid) in centroids.values.chunks_exact(4).enumerate() {
            let mine: Vec<&[f32]> =
                frames.0.chunks_exact(4).zip(&nearest).filter(|(_, n)| **n == k as u32).map(|(row, _)| row).collect();
            for (j, value) in centroid.iter().enumerate() {
                let mean = mine.iter().map(|row| row[j]).sum::<f32>() / mine.len() as f32;
                assert!((mean - value).abs() < 1e-4);
            }
            inertia += mine.iter().map(|row| f64::from(squared(row, &before[k * 4..][..4]))).sum::<f64>();
        }
        let first = centroids.pass.clone().unwrap();
        assert!((first.inertia - inertia).abs() < 1e-3 * inertia);
        centroids.improve(&frames, &|_| Ok(())).unwrap();
        assert!(centroids.pass.unwrap().inertia <= first.inertia);
    }

    #[test]
    fn fewer_different_frames_than_units_are_refused() {
        let rows = Rows([1.0, 2.0, 3.0, 1.0, 2.0, 3.0].repeat(50), 1);
        assert!(Centroids::begin(&rows, 3, 0, &|| Ok(())).is_ok());
        let error = Centroids::begin(&rows, 4, 0, &|| Ok(())).unwrap_err();
        assert!(error.to_string().contains("3 different frames, and 4 units"), "{error}");
    }

    #[test]
    fn a_centroid_without_frames_moves_to_a_far_one() {
        let mut sums = Sums::new(3, 1);
        sums.add(&[0.0, 1.0, 20.0, 21.0], &[0.5, 15.0, 100.0]).unwrap();
        assert_eq!(sums.centroids(&[0.5, 15.0, 100.0]), [0.5, 20.5, 21.0]);
    }
}
