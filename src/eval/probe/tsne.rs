//! t-SNE: a map of points on which neighbors stay neighbors (van der Maaten and Hinton, JMLR 9, 2008), exact, in two dimensions.
//!
//! p_ij are Gaussian affinities of the points, each with the width that gives the target perplexity, made symmetric; q_ij is
//! proportional to w_ij = 1 / (1 + |y_i - y_j|^2). KL(p | q) is minimized by gradient descent with momentum and gains:
//! dKL / dy_i = 4 sum_j (p_ij - q_ij) w_ij (y_i - y_j). Affinities are exaggerated by a factor of twelve in the first quarter of the
//! steps, and the learning rate is n / 48 (at least 50), as Belkina et al. (Nature Communications 10, 2019) advise and scikit-learn does.

use crate::ops::simd::{exp, sum1, vectorized};
use rayon::prelude::*;

/// Approximate number of neighbors of each point (scikit-learn's default).
pub const PERPLEXITY: f32 = 30.0;

const STEPS: usize = 1000;
const EXAGGERATED: usize = STEPS / 4;
const EXAGGERATION: f32 = 12.0;

/// A map (n points) of rows (n, `dim`), optimized from `start` (n points), which is scaled down first. The same start gives the same map.
///
/// Time and memory grow with n^2: 2000 points take seconds and 16 MB.
pub fn map(rows: &[f32], dim: usize, start: &[[f32; 2]]) -> Vec<[f32; 2]> {
    let n = start.len();
    if n < 4 || dim == 0 {
        return start.to_vec();
    }
    let p = affinities(rows, dim, n);
    let spread = (start.iter().map(|s| s[0] * s[0]).sum::<f32>() / n as f32).sqrt().max(f32::MIN_POSITIVE);
    let (mut x, mut y): (Vec<f32>, Vec<f32>) =
        start.iter().map(|s| (s[0] / spread * 1e-4, s[1] / spread * 1e-4)).unzip();
    // Equal points would stay together forever: a fixed, tiny spiral separates them.
    for i in 0..n {
        let angle = i as f32 * 2.399_963;
        x[i] += 1e-6 * angle.cos();
        y[i] += 1e-6 * angle.sin();
    }
    let rate = (n as f32 / (4.0 * EXAGGERATION)).max(50.0);
    let mut moves = vec![[0.0f32; 2]; n];
    let mut gains = vec![[1.0f32; 2]; n];
    for step in 0..STEPS {
        let early = step < EXAGGERATED;
        let forces: Vec<Force> = (0..n).into_par_iter().map(|i| force(&p[i * n..(i + 1) * n], &x, &y, i)).collect();
        let total: f64 = forces.iter().map(|f| f64::from(f.weight)).sum();
        let (pull, push) = (if early { EXAGGERATION } else { 1.0 }, (1.0 / total.max(f64::MIN_POSITIVE)) as f32);
        let momentum = if early { 0.5 } else { 0.8 };
        for (i, f) in forces.iter().enumerate() {
            for d in 0..2 {
                let gradient = 4.0 * (pull * f.attract[d] - push * f.repel[d]);
                let turns = (gradient > 0.0) != (moves[i][d] > 0.0);
                gains[i][d] = if turns { gains[i][d] + 0.2 } else { (gains[i][d] * 0.8).max(0.01) };
                moves[i][d] = momentum * moves[i][d] - rate * gains[i][d] * gradient;
            }
            x[i] += moves[i][0];
            y[i] += moves[i][1];
        }
        for axis in [&mut x, &mut y] {
            let mean = axis.iter().sum::<f32>() / n as f32;
            axis.iter_mut().for_each(|v| *v -= mean);
        }
    }
    x.into_iter().zip(y).map(|(x, y)| [x, y]).collect()
}

/// The effect of the other points on a point: sums of p w d, of w^2 d, and of w, for differences d.
struct Force {
    attract: [f32; 2],
    repel: [f32; 2],
    weight: f32,
}

const LANES: usize = 16;

fn force(p: &[f32], x: &[f32], y: &[f32], i: usize) -> Force {
    let (xi, yi) = (x[i], y[i]);
    vectorized(|| {
        let mut sums = [[0.0f32; LANES]; 5];
        let whole = x.len() / LANES * LANES;
        for at in (0..whole).step_by(LANES) {
            let (p, x, y) = (&p[at..at + LANES], &x[at..at + LANES], &y[at..at + LANES]);
            for l in 0..LANES {
                let (dx, dy) = (xi - x[l], yi - y[l]);
                let w = 1.0 / (1.0 + dx * dx + dy * dy);
                let (a, r) = (p[l] * w, w * w);
                sums[0][l] += a * dx;
                sums[1][l] += a * dy;
                sums[2][l] += r * dx;
                sums[3][l] += r * dy;
                sums[4][l] += w;
            }
        }
        for j in whole..x.len() {
            let (dx, dy) = (xi - x[j], yi - y[j]);
            let w = 1.0 / (1.0 + dx * dx + dy * dy);
            let (a, r) = (p[j] * w, w * w);
            for (sum, term) in sums.iter_mut().zip([a * dx, a * dy, r * dx, r * dy, w]) {
                sum[0] += term;
            }
        }
        let total = |s: &[f32; LANES]| s.iter().sum::<f32>();
        // The point itself has w = 1.
        let [ax, ay, rx, ry, w] =
            [total(&sums[0]), total(&sums[1]), total(&sums[2]), total(&sums[3]), total(&sums[4]) - 1.0];
        Force { attract: [ax, ay], repel: [rx, ry], weight: w }
    })
}

/// Symmetric affinities (n, n) that sum to 1.
fn affinities(rows: &[f32], dim: usize, n: usize) -> Vec<f32> {
    let perplexity = PERPLEXITY.min((n - 1) as f32 / 3.0).max(1.0);
    let row = |i: usize| &rows[i * dim..(i + 1) * dim];
    let one_sided: Vec<Vec<f32>> = (0..n)
        .into_par_iter()
        .map(|i| {
            let distance = |j: usize| vectorized(|| crate::ops::simd::sum2(row(i), row(j), |a, b| (a - b) * (a - b)));
            let distances: Vec<f32> = (0..n).map(distance).collect();
            conditional(&distances, i, perplexity)
        })
        .collect();
    let scale = 0.5 / n as f32;
    (0..n * n).map(|at| (at / n, at % n)).map(|(i, j)| scale * (one_sided[i][j] + one_sided[j][i])).collect()
}

/// Gaussian affinities of a point `i` to the others, with the target perplexity (bisection on the width).
fn conditional(distances: &[f32], i: usize, perplexity: f32) -> Vec<f32> {
    let others = || distances.iter().enumerate().filter(|&(j, _)| j != i).map(|(_, &d)| d);
    let nearest = others().fold(f32::INFINITY, f32::min);
    let mean = others().sum::<f32>() / (distances.len() - 1) as f32;
    let (mut low, mut high, mut beta) = (0.0f32, f32::INFINITY, 1.0 / mean.max(f32::MIN_POSITIVE));
    let mut p = vec![0.0; distances.len()];
    for _ in 0..60 {
        vectorized(|| p.iter_mut().zip(distances).for_each(|(p, &d)| *p = exp(-beta * (d - nearest))));
        p[i] = 0.0;
        let sum = vectorized(|| sum1(&p, |p| p));
        let energy: f32 = p.iter().zip(distances).map(|(p, d)| p * (d - nearest)).sum();
        let entropy = sum.ln() + beta * energy / sum;
        p.iter_mut().for_each(|p| *p /= sum);
        if (entropy - perplexity.ln()).abs() < 1e-4 {
            break;
        }
        if entropy > perplexity.ln() {
            low = beta;
            beta = if high.is_finite() { 0.5 * (low + high) } else { beta * 2.0 };
        } else {
            high = beta;
            beta = 0.5 * (low + high);
        }
        if !beta.is_finite() {
            break;
        }
    }
    p
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::stream;

    #[test]
    fn affinities_have_the_wanted_perplexity() {
        let mut rng = stream(1, "points", 0);
        let distances: Vec<f32> = (0..500).map(|_| 20.0 * rng.unit()).collect();
        let p = conditional(&distances, 0, 30.0);
        let entropy: f64 = p.iter().filter(|&&p| p > 0.0).map(|&p| -f64::from(p) * f64::from(p).ln()).sum();
        assert!((entropy.exp() - 30.0).abs() < 0.1, "{}", entropy.exp());
        assert!((p.iter().sum::<f32>() - 1.0).abs() < 1e-5 && p[0] == 0.0);
    }

    #[test]
    fn clusters_of_a_space_are_clusters_of_the_map() {
        let (n, dim) = (240, 10);
        let mut rng = stream(2, "clusters", 0);
        let rows: Vec<f32> =
            (0..n * dim).map(|i| if (i / dim) % 4 == i % dim { 12.0 } else { 0.0 } + rng.normal()).collect();
        let start: Vec<[f32; 2]> = (0..n).map(|_| [rng.normal(), rng.normal()]).collect();
        let places = map(&rows, dim, &start);
        let apart = |a: [f32; 2], b: [f32; 2]| (a[0] - b[0]).powi(2) + (a[1] - b[1]).powi(2);
        let with_own = (0..n).filter(|&i| {
            let nearest = (0..n)
                .filter(|&j| j != i)
                .min_by(|&a, &b| apart(places[i], places[a]).total_cmp(&apart(places[i], places[b])));
            nearest.unwrap() % 4 == i % 4
        });
        assert!(with_own.count() >= 236);
        assert_eq!(places, map(&rows, dim, &start));
    }

    #[test]
    fn equal_points_give_finite_places() {
        let places = map(&[1.0; 60], 2, &[[0.0, 0.0]; 30]);
        assert!(places.iter().flatten().all(|v| v.is_finite()));
        assert_eq!(map(&[1.0, 2.0], 1, &[[0.5, 0.0], [1.0, 0.0]]).len(), 2);
    }
}
