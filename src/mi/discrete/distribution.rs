//! Entropy and divergence of plain lists of probabilities.

use crate::error::{Error, Result};

/// How far a sum of probabilities may be from 1: the rounding error of a few cells with six decimals.
pub(super) const TOLERANCE: f64 = 1e-6;

/// A divergence of p from q.
#[derive(Debug, Clone, PartialEq)]
pub struct Divergence {
    /// Its value in nats; infinite if some q is 0 where p is not.
    pub nats: f64,
    /// The indices (from 0) at which q = 0 < p.
    pub infinite_at: Vec<usize>,
}

/// H(p) in nats.
///
/// # Errors
/// `p` is not a distribution: a value is negative or not finite, or the sum is not 1.
pub fn entropy(p: &[f64]) -> Result<f64> {
    Ok(check(p, "p")?.iter().map(|&p| surprise(p)).sum())
}

/// H(p, q) = - sum p log q in nats.
///
/// # Errors
/// `p` or `q` is not a distribution, or they differ in length.
pub fn cross_entropy(p: &[f64], q: &[f64]) -> Result<Divergence> {
    compare(p, q, |p, q| -p * q.ln())
}

/// KL(p || q) = sum p log p / q in nats.
///
/// # Errors
/// `p` or `q` is not a distribution, or they differ in length.
pub fn divergence(p: &[f64], q: &[f64]) -> Result<Divergence> {
    compare(p, q, |p, q| p * (p.ln() - q.ln()))
}

/// - p log p, which is 0 at 0.
pub(super) fn surprise(p: f64) -> f64 {
    if p > 0.0 { -p * p.ln() } else { 0.0 }
}

fn compare(p: &[f64], q: &[f64], term: impl Fn(f64, f64) -> f64) -> Result<Divergence> {
    if p.len() != q.len() {
        let what = format!("p has {} values and q has {}", p.len(), q.len());
        return Err(Error::usage(what, "give both over the same values, with 0 for values that cannot occur"));
    }
    let (p, q) = (check(p, "p")?, check(q, "q")?);
    let infinite_at: Vec<usize> = (0..p.len()).filter(|&i| p[i] > 0.0 && q[i] == 0.0).collect();
    let sum = || p.iter().zip(q).filter(|(p, _)| **p > 0.0).map(|(&p, &q)| term(p, q)).sum();
    let nats = if infinite_at.is_empty() { sum() } else { f64::INFINITY };
    Ok(Divergence { nats, infinite_at })
}

/// Rejects values that are not a distribution; `name` is its name in the message.
fn check<'p>(p: &'p [f64], name: &str) -> Result<&'p [f64]> {
    if let Some(i) = p.iter().position(|v| !v.is_finite() || *v < 0.0) {
        let what = format!("{name} has the value {} at place {}", p[i], i + 1);
        return Err(Error::usage(what, "probabilities are numbers from 0 to 1"));
    }
    let sum: f64 = p.iter().sum();
    if (sum - 1.0).abs() > TOLERANCE {
        return Err(Error::usage(format!("{name} sums to {sum}, not 1"), "give probabilities, with enough digits"));
    }
    Ok(p)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_times_the_logarithm_of_nothing_is_nothing() {
        assert_eq!(entropy(&[0.5, 0.0, 0.5]).unwrap(), 2f64.ln());
        assert_eq!(entropy(&[1.0, 0.0]).unwrap(), 0.0);
        assert_eq!(divergence(&[1.0, 0.0], &[1.0, 0.0]).unwrap().nats, 0.0);
    }

    #[test]
    fn a_divergence_is_infinite_where_q_is_0_and_p_is_not_and_says_where() {
        let d = divergence(&[0.25, 0.25, 0.5, 0.0], &[0.0, 1.0, 0.0, 0.0]).unwrap();
        assert_eq!(d, Divergence { nats: f64::INFINITY, infinite_at: vec![0, 2] });
        assert_eq!(cross_entropy(&[0.5, 0.5], &[1.0, 0.0]).unwrap().infinite_at, [1]);
    }

    #[test]
    fn a_divergence_is_the_cross_entropy_less_the_entropy() {
        // By hand: 0.5 ln(0.5 / 0.25) + 0.5 ln(0.5 / 0.75).
        let (p, q) = ([0.5, 0.5], [0.25, 0.75]);
        let d = divergence(&p, &q).unwrap().nats;
        assert!((d - 0.143_841_036_225_890_4).abs() < 1e-15, "{d}");
        assert!((cross_entropy(&p, &q).unwrap().nats - entropy(&p).unwrap() - d).abs() < 1e-15);
    }

    #[test]
    fn what_is_no_distribution_is_refused_with_what_is_wrong() {
        let message = |p: &[f64]| entropy(p).unwrap_err().to_string();
        assert_eq!(message(&[0.5, -0.5, 1.0]), "p has the value -0.5 at place 2");
        assert_eq!(message(&[f64::NAN]), "p has the value NaN at place 1");
        assert_eq!(message(&[0.5, 0.25]), "p sums to 0.75, not 1");
        assert!(divergence(&[1.0], &[0.5, 0.5]).is_err());
    }
}
