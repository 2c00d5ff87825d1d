//! L-BFGS: minimizes a smooth function from its values and gradients.
//!
//! The last steps s and gradient changes y represent the inverse Hessian (two-loop recursion; Nocedal and Wright, *Numerical
//! Optimization*, 2nd ed., algorithm 7.4), started from a given preconditioner P scaled by s'y / y'Py. A step satisfies the strong Wolfe
//! conditions (algorithms 3.5 and 3.6, with cubic interpolation) or, where the decrease is hidden by rounding, the approximate Wolfe
//! conditions of Hager and Zhang (SIAM J. Optim. 16, 2005).

use crate::error::{Error, Result};
use std::collections::VecDeque;

/// Bounds on the number of steps remembered: many, since an evaluation costs far more than a step; fewer for long vectors, up to 256 MB.
const MEMORY: (usize, usize) = (10, 60);
const REMEMBERED: usize = 1 << 24;
/// Sufficient decrease and curvature (Nocedal and Wright's values for quasi-Newton methods).
const DECREASE: f64 = 1e-4;
const CURVATURE: f64 = 0.9;
/// Largest number of evaluations in one line search.
const TRIES: usize = 20;
/// Relative differences of the value up to this size may be due to rounding.
const NOISE: f64 = 1e-9;

/// When to stop.
#[derive(Debug, Clone, Copy)]
pub struct Stop {
    /// The minimum counts as found when no element of the gradient exceeds this in absolute value (scikit-learn's `tol`).
    pub gradient: f64,
    /// Largest number of iterations.
    pub iterations: usize,
}

/// Where the search ended.
#[derive(Debug, Clone)]
pub struct Minimum {
    /// The point.
    pub x: Vec<f64>,
    /// The value there.
    pub value: f64,
    /// The largest absolute value of the gradient's elements there.
    pub gradient: f64,
    /// Number of steps taken.
    pub iterations: usize,
    /// Number of evaluations of the function.
    pub evaluations: usize,
    /// Whether the gradient is small enough, or the decrease of the value is within rounding.
    pub converged: bool,
}

/// A point on the search line: step length, value and slope.
#[derive(Debug, Clone, Copy)]
struct Point {
    step: f64,
    value: f64,
    slope: f64,
}

/// A function to minimize: given x, it returns the value and writes the gradient.
pub type Function<'f> = dyn FnMut(&[f64], &mut [f64]) -> Result<f64> + 'f;

/// The function, with a count of its evaluations.
struct Asked<'f> {
    function: &'f mut Function<'f>,
    evaluations: usize,
}

impl Asked<'_> {
    fn at(&mut self, x: &[f64], gradient: &mut [f64]) -> Result<f64> {
        self.evaluations += 1;
        let value = (self.function)(x, gradient)?;
        if value.is_finite() && gradient.iter().all(|g| g.is_finite()) {
            return Ok(value);
        }
        Err(Error::failed(
            "the training of the probe produced a value that is not finite",
            "look for extreme values in the features",
        ))
    }
}

/// Minimizes `function(x, gradient) -> value`, starting from `x`. `precondition` multiplies a vector by an approximate inverse of the
/// Hessian.
///
/// # Errors
/// Errors that the function returns; a value or gradient that is not finite.
pub fn minimize<'f>(
    function: &'f mut Function<'f>,
    x: Vec<f64>,
    precondition: &dyn Fn(&mut [f64]),
    stop: Stop,
) -> Result<Minimum> {
    let mut asked = Asked { function, evaluations: 0 };
    let n = x.len();
    let memory = (REMEMBERED / n.max(1)).clamp(MEMORY.0, MEMORY.1);
    let (mut x, mut gradient) = (x, vec![0.0; n]);
    let mut value = asked.at(&x, &mut gradient)?;
    let mut pairs: VecDeque<(Vec<f64>, Vec<f64>, f64)> = VecDeque::new();
    let (mut iterations, mut still) = (0, 0);
    let mut converged = largest(&gradient) <= stop.gradient;
    while !converged && iterations < stop.iterations {
        let mut direction = two_loops(&gradient, &pairs, precondition);
        if dot(&direction, &gradient) >= 0.0 {
            pairs.clear();
            direction = two_loops(&gradient, &pairs, precondition);
        }
        let start = Point { step: 0.0, value, slope: dot(&direction, &gradient) };
        let Some(found) = search(&mut asked, &x, &direction, start)? else {
            // No decrease in this direction: try once more without memory; if that fails too, stop.
            if pairs.is_empty() {
                converged = -start.slope <= NOISE * value.abs().max(1.0);
                break;
            }
            pairs.clear();
            continue;
        };
        let (point, new_gradient) = found;
        let s: Vec<f64> = direction.iter().map(|d| d * point.step).collect();
        let y: Vec<f64> = new_gradient.iter().zip(&gradient).map(|(a, b)| a - b).collect();
        x.iter_mut().zip(&s).for_each(|(x, s)| *x += s);
        let curvature = dot(&s, &y);
        if curvature > 1e-16 * dot(&y, &y) {
            if pairs.len() == memory {
                pairs.pop_front();
            }
            pairs.push_back((s, y, 1.0 / curvature));
        }
        let gain = value - point.value;
        still = if gain <= NOISE * value.abs() { still + 1 } else { 0 };
        (value, gradient) = (point.value, new_gradient);
        iterations += 1;
        converged = largest(&gradient) <= stop.gradient || still >= 5;
    }
    let gradient = largest(&gradient);
    Ok(Minimum { x, value, gradient, iterations, evaluations: asked.evaluations, converged })
}

/// -H g for the inverse Hessian H that the pairs represent.
fn two_loops(
    gradient: &[f64],
    pairs: &VecDeque<(Vec<f64>, Vec<f64>, f64)>,
    precondition: &dyn Fn(&mut [f64]),
) -> Vec<f64> {
    let mut q = gradient.to_vec();
    let mut alphas = Vec::with_capacity(pairs.len());
    for (s, y, rho) in pairs.iter().rev() {
        let alpha = rho * dot(s, &q);
        q.iter_mut().zip(y).for_each(|(q, y)| *q -= alpha * y);
        alphas.push(alpha);
    }
    precondition(&mut q);
    if let Some((_, y, rho)) = pairs.back() {
        let mut py = y.clone();
        precondition(&mut py);
        let scale = 1.0 / (rho * dot(y, &py)).max(f64::MIN_POSITIVE);
        q.iter_mut().for_each(|q| *q *= scale);
    }
    for ((s, y, rho), alpha) in pairs.iter().zip(alphas.into_iter().rev()) {
        let beta = rho * dot(y, &q);
        q.iter_mut().zip(s).for_each(|(q, s)| *q += (alpha - beta) * s);
    }
    q.iter_mut().for_each(|q| *q = -*q);
    q
}

/// A point on the line that satisfies the Wolfe conditions, and the gradient there; none if none was found.
fn search(asked: &mut Asked, x: &[f64], direction: &[f64], start: Point) -> Result<Option<(Point, Vec<f64>)>> {
    let noise = NOISE * start.value.abs();
    let mut gradient = vec![0.0; x.len()];
    let mut at = |step: f64, gradient: &mut Vec<f64>| -> Result<Point> {
        let place: Vec<f64> = x.iter().zip(direction).map(|(x, d)| x + step * d).collect();
        let value = asked.at(&place, gradient)?;
        Ok(Point { step, value, slope: dot(gradient, direction) })
    };
    let falls = |p: &Point| {
        p.value <= start.value + DECREASE * p.step * start.slope
            || (p.value <= start.value + noise && p.slope <= (2.0 * DECREASE - 1.0) * start.slope)
    };
    let flat = |p: &Point| p.slope.abs() <= CURVATURE * -start.slope;
    // First find a bracket: `low` satisfies the decrease condition, and a minimum lies between it and `high`.
    let (mut low, mut high) = (start, None);
    let mut step = 1.0;
    for tries in 0..TRIES {
        let point = at(step, &mut gradient)?;
        if falls(&point) && flat(&point) {
            return Ok(Some((point, gradient)));
        }
        match high {
            None if falls(&point) && point.value <= low.value + noise && point.slope < 0.0 => {
                low = point;
                step *= 2.0;
                continue;
            }
            None if falls(&point) && point.value <= low.value + noise => (low, high) = (point, Some(low)),
            None => high = Some(point),
            Some(end) => {
                if !falls(&point) || point.value > low.value + noise {
                    high = Some(point);
                } else {
                    if point.slope * (end.step - low.step) >= 0.0 {
                        high = Some(low);
                    }
                    low = point;
                }
            }
        }
        let Some(end) = high else { break };
        step = between(low, end, tries);
        if (end.step - low.step).abs() < 1e-14 {
            break;
        }
    }
    // No point is flat enough: use the best one that satisfies the decrease condition.
    if low.step > 0.0 && low.value < start.value {
        let point = at(low.step, &mut gradient)?;
        return Ok(Some((point, gradient)));
    }
    Ok(None)
}

/// The minimum of the cubic through two points and their slopes, kept away from the ends; at every fourth try the midpoint.
fn between(a: Point, b: Point, tries: usize) -> f64 {
    let d1 = a.slope + b.slope - 3.0 * (a.value - b.value) / (a.step - b.step);
    let d2 = (d1 * d1 - a.slope * b.slope).max(0.0).sqrt() * (b.step - a.step).signum();
    let cubic = b.step - (b.step - a.step) * (b.slope + d2 - d1) / (b.slope - a.slope + 2.0 * d2);
    let (left, right) = (a.step.min(b.step), a.step.max(b.step));
    let margin = 0.1 * (right - left);
    if !cubic.is_finite() || tries % 4 == 3 { 0.5 * (left + right) } else { cubic.clamp(left + margin, right - margin) }
}

/// The scalar product, in eight interleaved partial sums.
pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut sums = [0.0; 8];
    let (x, y) = (a.chunks_exact(8), b.chunks_exact(8));
    let rest: f64 = x.remainder().iter().zip(y.remainder()).map(|(a, b)| a * b).sum();
    for (x, y) in x.zip(y) {
        for i in 0..8 {
            sums[i] += x[i] * y[i];
        }
    }
    sums.iter().sum::<f64>() + rest
}

fn largest(v: &[f64]) -> f64 {
    v.iter().fold(0.0, |m, x| m.max(x.abs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn solve(function: &mut dyn FnMut(&[f64], &mut [f64]) -> f64, x: Vec<f64>) -> Minimum {
        let mut checked = |x: &[f64], g: &mut [f64]| Ok(function(x, g));
        minimize(&mut checked, x, &|_| (), Stop { gradient: 1e-6, iterations: 500 }).unwrap()
    }

    #[test]
    fn finds_the_end_of_rosenbrocks_valley() {
        // Minimum 0 at (1, ..., 1): Rosenbrock, Computer J. 3, 1960; in ten dimensions.
        let mut f = |x: &[f64], g: &mut [f64]| {
            g.fill(0.0);
            let mut value = 0.0;
            for i in 0..x.len() - 1 {
                let (a, b) = (x[i + 1] - x[i] * x[i], 1.0 - x[i]);
                value += 100.0 * a * a + b * b;
                g[i] += -400.0 * a * x[i] - 2.0 * b;
                g[i + 1] += 200.0 * a;
            }
            value
        };
        let found = solve(&mut f, [-1.2, 1.0].repeat(5));
        assert!(found.converged && found.iterations < 200, "{found:?}");
        assert!(found.x.iter().all(|x| (x - 1.0).abs() < 1e-5), "{found:?}");
    }

    #[test]
    fn a_preconditioner_that_fits_solves_a_badly_scaled_problem_at_once() {
        let scales: Vec<f64> = (0..40).map(|i| 10f64.powf(f64::from(i) / 16.0)).collect();
        let mut f = |x: &[f64], g: &mut [f64]| {
            g.iter_mut().zip(x).zip(&scales).for_each(|((g, x), s)| *g = s * (x - 1.0));
            Ok(x.iter().zip(&scales).map(|(x, s)| 0.5 * s * (x - 1.0).powi(2)).sum())
        };
        let stop = Stop { gradient: 1e-6, iterations: 1000 };
        let plain = minimize(&mut f, vec![0.0; 40], &|_| (), stop).unwrap();
        let helped =
            minimize(&mut f, vec![0.0; 40], &|v| v.iter_mut().zip(&scales).for_each(|(v, s)| *v /= s), stop).unwrap();
        assert!(plain.converged && helped.converged, "{plain:?} {helped:?}");
        assert!(helped.iterations <= 2 && plain.iterations > 10, "{} {}", helped.iterations, plain.iterations);
    }

    #[test]
    fn values_with_rounding_noise_do_not_keep_it_from_converging() {
        let mut f = |x: &[f64], g: &mut [f64]| {
            g.iter_mut().zip(x).for_each(|(g, x)| *g = f64::from((x - 3.0) as f32));
            let value: f64 = x.iter().map(|x| 0.5 * (x - 3.0).powi(2)).sum();
            f64::from((1000.0 + value) as f32)
        };
        let found = solve(&mut f, vec![0.0; 5]);
        assert!(found.converged && found.x.iter().all(|x| (x - 3.0).abs() < 1e-2), "{found:?}");
    }

    #[test]
    fn a_function_that_is_not_finite_is_an_error() {
        let mut f = |_: &[f64], _: &mut [f64]| Ok(f64::NAN);
        assert!(minimize(&mut f, vec![0.0], &|_| (), Stop { gradient: 1e-6, iterations: 5 }).is_err());
    }
}
