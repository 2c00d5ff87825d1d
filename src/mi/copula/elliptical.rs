//! The log density ratio of elliptical copulas, for one pair or for all pairs of many rows.
//!
//! Let u and v be canonical variates with correlations rho, delta_x = |x whitened|^2, delta_y likewise, and
//! Q = delta_x + delta_y + sum (rho^2 (u^2 + v^2) - 2 rho u v) / (1 - rho^2). The ratio log p(x, y) / p(x) p(y) is
//!
//! ```text
//! normal   - 1/2 sum log(1 - rho^2) - (Q - delta_x - delta_y) / 2
//! t        - 1/2 sum log(1 - rho^2) + K + (nu + p)/2 log(1 + delta_x/nu) + (nu + q)/2 log(1 + delta_y/nu) - (nu + p + q)/2 log(1 + Q/nu)
//!          K = lg((nu + p + q)/2) + lg(nu/2) - lg((nu + p)/2) - lg((nu + q)/2),   lg = log Gamma
//! ```
//!
//! Where rho is near 1 the terms of Q are large and cancel. There rho^2 (u^2 + v^2) - 2 rho u v is taken as rho (u - v)^2 - rho (1 - rho) (u^2 + v^2).

use crate::error::{Error, Result};
use crate::mi::canonical::Canonical;
use crate::mi::copula::Ranked;
use crate::mi::digamma::digamma;
use crate::ops::matrix::{View, ViewMut, multiply};
use crate::ops::simd::{kernel, ln};
use candle_core::{Device, Tensor};
use nalgebra::DMatrix;
use statrs::function::gamma::ln_gamma;

/// A normal or t copula.
#[derive(Debug, Clone)]
pub struct Elliptical {
    canonical: Canonical,
    degrees: Option<f64>,
    p: usize,
}

/// The contributions of single rows to the ratio, for all rows.
#[derive(Debug, Clone)]
pub struct Ratio {
    shared: usize, // R, the number of pairs of variates that are not close
    u: Vec<f32>,   // (n, R): u times -2 rho / (1 - rho^2)
    v: Vec<f32>,   // (n, R)
    close: Vec<Close>,
    inner: [Vec<f32>; 2], // a row's contribution to Q as an x and as a y (n)
    outer: [Vec<f32>; 2], // its contribution to the ratio itself (n); none for a normal copula
    constant: f64,
    /// (degrees, (degrees + p + q) / 2); none for a normal copula.
    tail: Option<[f64; 2]>,
}

/// Variates with a correlation near 1.
#[derive(Debug, Clone)]
struct Close {
    /// rho / (1 - rho^2).
    weight: f32,
    u: Vec<f32>, // (n)
    v: Vec<f32>, // (n)
}

/// Variates with 1 - rho^2 below this are close.
const APART: f64 = 1e-3;

impl Elliptical {
    /// A copula with a matrix of correlations (p + q, p + q), estimated from `n` rows. If there are no more rows than dimensions, the matrix is
    /// first shrunk toward independence, by p + q parts in n + p + q.
    pub(super) fn new(correlations: &DMatrix<f64>, p: usize, degrees: Option<f64>, n: usize) -> Result<Elliptical> {
        let dim = correlations.nrows();
        let mut correlations = correlations.clone();
        if n <= dim {
            let kept = n as f64 / (n + dim) as f64;
            (0..dim).for_each(|i| (0..dim).filter(|&j| j != i).for_each(|j| correlations[(i, j)] *= kept));
        }
        Ok(Elliptical { canonical: Canonical::of(&correlations, p)?, degrees, p })
    }

    /// Degrees of freedom; none for a normal copula.
    pub fn degrees(&self) -> Option<f64> {
        self.degrees
    }

    /// The numbers of directions of X and of Y that have variance.
    pub fn ranks(&self) -> [usize; 2] {
        [self.canonical.x_white.ncols(), self.canonical.y_white.ncols()]
    }

    /// The canonical correlations, largest first.
    pub fn correlations(&self) -> &[f64] {
        &self.canonical.correlations
    }

    /// The mutual information under this copula, in nats.
    pub fn information(&self) -> f64 {
        let linear = self.canonical.information();
        let Some(nu) = self.degrees else { return linear };
        let [p, q] = self.ranks().map(|r| r as f64);
        let term = |dim: f64| (nu + dim) / 2.0 * (digamma((nu + dim) / 2.0) - digamma(nu / 2.0));
        linear + self.gammas() - term(p + q) + term(p) + term(q)
    }

    /// K of the module's equation.
    fn gammas(&self) -> f64 {
        let Some(nu) = self.degrees else { return 0.0 };
        let [p, q] = self.ranks().map(|r| r as f64);
        ln_gamma((nu + p + q) / 2.0) + ln_gamma(nu / 2.0) - ln_gamma((nu + p) / 2.0) - ln_gamma((nu + q) / 2.0)
    }

    /// The contributions of every row.
    ///
    /// # Errors
    /// None for a copula that was fitted to these ranks.
    pub fn ratio(&self, ranked: &Ranked) -> Result<Ratio> {
        let scores = ranked.scores(self.degrees)?;
        let (n, p, q) = (scores.nrows(), self.p, scores.ncols() - self.p);
        let (x, y) = (scores.columns(0, p), scores.columns(p, q));
        let (u, v) = (x * &self.canonical.x, y * &self.canonical.y);
        let (x, y) = (x * &self.canonical.x_white, y * &self.canonical.y_white);
        let [p, q] = self.ranks().map(|r| r as f64);
        let rho = &self.canonical.correlations;
        let apart = |r: f64| (1.0 - r) * (1.0 + r);
        let factor = |r: f64| if apart(r) < APART { -r / (1.0 + r) } else { r * r / apart(r) };
        let extra = |variates: &DMatrix<f64>, i: usize| -> f64 {
            rho.iter().enumerate().map(|(j, r)| factor(*r) * variates[(i, j)].powi(2)).sum()
        };
        let extras = [&u, &v].map(|variates| (0..n).map(|i| extra(variates, i)).collect::<Vec<f64>>());
        let deltas = [&x, &y].map(|white| white.row_iter().map(|row| row.norm_squared()).collect::<Vec<f64>>());
        let inner = [0, 1].map(|side| {
            let of = |i: usize| extras[side][i] + if self.degrees.is_some() { deltas[side][i] } else { 0.0 };
            (0..n).map(|i| of(i) as f32).collect()
        });
        let outer = [0, 1].map(|side| match self.degrees {
            None => Vec::new(),
            Some(nu) => deltas[side].iter().map(|d| ((nu + [p, q][side]) / 2.0 * (d / nu).ln_1p()) as f32).collect(),
        });
        let (near, far): (Vec<usize>, Vec<usize>) = (0..rho.len()).partition(|&j| apart(rho[j]) < APART);
        let scaled = |m: &DMatrix<f64>, scale: &dyn Fn(f64) -> f64| -> Vec<f32> {
            (0..n).flat_map(|i| far.iter().map(move |&j| (m[(i, j)] * scale(rho[j])) as f32)).collect()
        };
        let column = |m: &DMatrix<f64>, j: usize| m.column(j).iter().map(|v| *v as f32).collect();
        let close =
            near.iter().map(|&j| Close { weight: (rho[j] / apart(rho[j])) as f32, u: column(&u, j), v: column(&v, j) });
        Ok(Ratio {
            close: close.collect(),
            shared: far.len(),
            u: scaled(&u, &|r| -2.0 * r / (1.0 - r * r)),
            v: scaled(&v, &|_| 1.0),
            inner,
            outer,
            constant: self.canonical.information() + self.gammas(),
            tail: self.degrees.map(|nu| [nu, (nu + p + q) / 2.0]),
        })
    }
}

impl Ratio {
    /// log p(x_j, y_i) / p(x_j) p(y_i), (N, M): one row for each of the rows `y`, one column for each of the rows `x`.
    ///
    /// # Errors
    /// A row does not exist.
    pub fn all_pairs(&self, x: &[u32], y: &[u32]) -> Result<Tensor> {
        let (m, n, r) = (x.len(), y.len(), self.shared);
        let (u, v) = (taken(&self.u, r, x)?, taken(&self.v, r, y)?);
        let mut scores = vec![0.0; n * m];
        if n * m > 0 && r > 0 {
            let (u, v) = (View::new(&u, m, r, r)?, View::new(&v, n, r, r)?);
            multiply(ViewMut::new(&mut scores, n, m, m)?, false, v, u.t(), false)?;
        }
        for Close { weight, u, v } in &self.close {
            add_squares(&taken(u, 1, x)?, &taken(v, 1, y)?, *weight, &mut scores);
        }
        let sides = |[of_x, of_y]: &[Vec<f32>; 2]| Ok::<_, Error>([taken(of_x, 1, x)?, taken(of_y, 1, y)?]);
        let [inner_x, inner_y] = sides(&self.inner)?;
        match self.tail {
            None => normal_tail(&inner_x, &inner_y, self.constant as f32, &mut scores),
            Some([nu, power]) => {
                let [outer_x, outer_y] = sides(&self.outer)?;
                let numbers = [nu.recip() as f32, power as f32, self.constant as f32];
                student_tail([&inner_x, &outer_x], [&inner_y, &outer_y], numbers, &mut scores);
            }
        }
        Ok(Tensor::from_vec(scores, (n, m), &Device::Cpu)?)
    }
}

/// The rows `at` of values (n, `width`).
fn taken(values: &[f32], width: usize, at: &[u32]) -> Result<Vec<f32>> {
    let mut rows = Vec::with_capacity(at.len() * width);
    for &i in at {
        let from = i as usize * width;
        let Some(row) = values.get(from..from + width) else {
            return Err(Error::Tensor(candle_core::Error::Msg(format!("there is no row {i}"))));
        };
        rows.extend_from_slice(row);
    }
    Ok(rows)
}

kernel! {
    /// Adds weight (u - v)^2 to the scores of all pairs.
    fn add_squares<'a>(u: &'a [f32], v: &'a [f32], weight: f32, scores: &'a mut [f32]) {
        for (row, v) in scores.chunks_exact_mut(u.len().max(1)).zip(v) {
            row.iter_mut().zip(u).for_each(|(score, u)| *score += weight * (u - v) * (u - v));
        }
    }
}

kernel! {
    /// The ratio of a normal copula, in place of the products in Q.
    fn normal_tail<'a>(x: &'a [f32], y: &'a [f32], constant: f32, scores: &'a mut [f32]) {
        for (row, y) in scores.chunks_exact_mut(x.len().max(1)).zip(y) {
            for (score, x) in row.iter_mut().zip(x) {
                *score = constant - 0.5 * (*score + x + y);
            }
        }
    }
}

kernel! {
    /// The ratio of a t copula, in place of the products in Q. A side is its contributions to Q and to the ratio.
    fn student_tail<'a>(x: [&'a [f32]; 2], y: [&'a [f32]; 2], numbers: [f32; 3], scores: &'a mut [f32]) {
        let [scale, power, constant] = numbers;
        for (row, (inner, outer)) in scores.chunks_exact_mut(x[0].len().max(1)).zip(y[0].iter().zip(y[1])) {
            let constant = constant + outer;
            for (score, (x, x_outer)) in row.iter_mut().zip(x[0].iter().zip(x[1])) {
                *score = constant + x_outer - power * ln(1.0 + (scale * (*score + x + inner)).max(0.0));
            }
        }
    }
}
