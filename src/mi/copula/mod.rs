//! Normal and t copulas: the dependence of variables whose single columns may have any distribution.
//!
//! Columns are replaced by scores of their ranks ([`Ranked`]), so that the estimate does not change when a column is stretched. Under a
//! normal copula the scores are jointly normal, and I = - 1/2 sum log(1 - rho_i^2) over their canonical correlations. A t copula ([`student`])
//! adds degrees of freedom: extremes occur together, and columns depend on each other even if they are uncorrelated.
//!
//! A fitted copula is also a critic, log p(x, y) / p(x) p(y) ([`Elliptical`]), which a network can start from.

mod elliptical;
mod quantiles;
mod student;

pub use elliptical::{Elliptical, Ratio};
pub use student::student;

use crate::error::Result;
use crate::mi::copula::quantiles::quantiles;
use crate::mi::linear::bias;
use crate::mi::products::gram;
use crate::mi::ranks::{by_rank, normal_scores, ranks};
use crate::mi::samples::Samples;
use nalgebra::DMatrix;

/// The ranks of X and Y.
#[derive(Debug, Clone)]
pub struct Ranked {
    ranks: Samples, // (n, p + q)
    p: usize,
    normal: DMatrix<f64>, // (n, p + q)
}

impl Ranked {
    /// Ranks the columns of X (n, p) and Y (n, q).
    ///
    /// # Errors
    /// They differ in length.
    pub fn new(x: &Samples, y: &Samples) -> Result<Ranked> {
        let both = x.beside(y)?;
        let normal = centered(&normal_scores(&both)?);
        Ok(Ranked { ranks: ranks(&both)?, p: x.dim(), normal })
    }

    /// The number of rows.
    pub fn len(&self) -> usize {
        self.normal.nrows()
    }

    /// Always false: there is at least one row.
    pub fn is_empty(&self) -> bool {
        false
    }

    /// The dimensions of X and of Y.
    pub fn dims(&self) -> [usize; 2] {
        [self.p, self.normal.ncols() - self.p]
    }

    /// The normal scores of all columns, (n, p + q).
    ///
    /// # Errors
    /// None, because scores are finite.
    pub fn normal_scores(&self) -> Result<Samples> {
        Samples::new(self.normal.transpose().as_slice().to_vec(), self.normal.ncols())
    }

    /// Quantiles of the t distribution with `degrees` degrees of freedom, or normal quantiles, in place of the values (n, p + q).
    fn scores(&self, degrees: Option<f64>) -> Result<DMatrix<f64>> {
        let Some(degrees) = degrees else { return Ok(self.normal.clone()) };
        let table = quantiles(degrees, self.len())?;
        let scores = by_rank(&self.ranks, &table)?;
        Ok(centered(&scores))
    }
}

/// Scores (n, d) with mean 0 in each column. Without ties they have it already; with ties, columns that add up to a constant, such as those of a label,
/// would otherwise be that constant in X and in Y.
fn centered(scores: &Samples) -> DMatrix<f64> {
    let mut matrix = DMatrix::from_row_slice(scores.len(), scores.dim(), scores.values());
    matrix.column_iter_mut().for_each(|mut column| {
        let mean = column.mean();
        column.add_scalar_mut(-mean);
    });
    matrix
}

/// A normal copula fitted to the rows `rows`.
///
/// # Errors
/// The information would be infinite, as between a column and its copy.
pub fn normal(ranked: &Ranked, rows: &[usize]) -> Result<Elliptical> {
    let scores = ranked.normal.select_rows(rows);
    Elliptical::new(&correlations(&gram(&scores, &scores)?), ranked.p, None, rows.len())
}

/// The average upward bias of the information of a copula fitted to `n` rows. It is the bias of the sample covariance; for a t copula it grows
/// with the variance of its scatter, by (d + degrees + 2) / (d + degrees).
pub fn optimism(copula: &Elliptical, n: usize) -> f64 {
    let [p, q] = copula.ranks();
    if n <= p + q {
        return 0.0;
    }
    let dim = (p + q) as f64;
    bias(n, p, q) * copula.degrees().map_or(1.0, |degrees| (dim + degrees + 2.0) / (dim + degrees))
}

/// A matrix of products, scaled to a diagonal of 1. A column of zeros remains zero.
fn correlations(products: &DMatrix<f64>) -> DMatrix<f64> {
    let scale: Vec<f64> = products.diagonal().iter().map(|v| if *v > 0.0 { v.sqrt().recip() } else { 0.0 }).collect();
    DMatrix::from_fn(products.nrows(), products.ncols(), |i, j| products[(i, j)] * scale[i] * scale[j])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mi::fixtures;

    fn all(ranked: &Ranked) -> Vec<usize> {
        (0..ranked.len()).collect()
    }

    #[test]
    fn stretched_normal_columns_have_the_information_of_normal_ones() {
        let truth = -1.5 * (1.0 - 0.49f64).ln();
        let mut sum = 0.0;
        for i in 0..10 {
            let (x, y) = fixtures::normal(1000, 3, 0.7, i);
            let stretched = Samples::new(x.values().iter().map(|v| v.exp()).collect(), 3).unwrap();
            let ranked = Ranked::new(&stretched, &y).unwrap();
            let copula = normal(&ranked, &all(&ranked)).unwrap();
            let plain = Ranked::new(&x, &y).unwrap();
            assert_eq!(copula.information(), normal(&plain, &all(&plain)).unwrap().information());
            sum += copula.information() - optimism(&copula, 1000);
        }
        // One estimate has a standard deviation of sqrt(3 * 0.49 / 1000) = 0.038.
        assert!((sum / 10.0 - truth).abs() < 0.036, "{} {truth}", sum / 10.0);
    }

    #[test]
    fn a_t_copula_finds_its_degrees_and_its_information() {
        // Czyz et al. 2023, Student 2 + 2 with 2 degrees: 0.1931 nats; normal variables: about a thousandth of a nat.
        let (x, y) = fixtures::student(4000, 2, 0);
        let ranked = Ranked::new(&x, &y).unwrap();
        let copula = student(&ranked, &all(&ranked)).unwrap().unwrap();
        assert!((1.7..2.4).contains(&copula.degrees().unwrap()), "{:?}", copula.degrees());
        let mi = copula.information() - optimism(&copula, 4000);
        assert!((mi - 0.193_147).abs() < 0.03, "{mi}");
        let (x, y) = fixtures::normal(4000, 2, 0.0, 1);
        let ranked = Ranked::new(&x, &y).unwrap();
        let copula = student(&ranked, &all(&ranked)).unwrap().unwrap();
        assert!(copula.degrees().unwrap() > 30.0 && copula.information() < 0.01, "{copula:?}");
    }

    #[test]
    fn the_ratio_is_that_of_densities() {
        let (x, y) = fixtures::student(4000, 3, 2);
        let ranked = Ranked::new(&x, &y).unwrap();
        for copula in [normal(&ranked, &all(&ranked)).unwrap(), student(&ranked, &all(&ranked)).unwrap().unwrap()] {
            let ratio = copula.ratio(&ranked).unwrap();
            let rows: Vec<u32> = (0..400).collect();
            let others: Vec<u32> = (400..4000).collect();
            let scores = ratio.all_pairs(&others, &rows).unwrap();
            assert_eq!(scores.dims(), [400, 3600]);
            // Over independent pairs its exponential has mean 1.
            let one = scores.exp().unwrap().mean_all().unwrap().to_scalar::<f32>().unwrap();
            assert!((one - 1.0).abs() < 0.05, "{one}");
            // A pair has the same score among all pairs as alone.
            let alone = ratio.all_pairs(&[405], &[7]).unwrap().to_vec2::<f32>().unwrap()[0][0];
            assert!((alone - scores.to_vec2::<f32>().unwrap()[7][5]).abs() < 1e-4);
        }
    }

    #[test]
    fn nearly_equal_columns_have_possible_ratios() {
        // y = x + s e: the ratio of a pair is - log s - e^2 / 2 + x^2 / 2, up to terms of size s.
        let (x, noise) = fixtures::normal(2000, 1, 0.0, 8);
        for s in [0.03, 1e-3, 1e-4] {
            let y = x.values().iter().zip(noise.values()).map(|(x, e)| x + s * e).collect();
            let ranked = Ranked::new(&x, &Samples::new(y, 1).unwrap()).unwrap();
            let copula = normal(&ranked, &all(&ranked)).unwrap();
            let ratio = copula.ratio(&ranked).unwrap();
            let most = copula.information() + 0.5 * 3.5f64.powi(2) + 0.5;
            for row in 0..2000u32 {
                let local = ratio.all_pairs(&[row], &[row]).unwrap().to_vec2::<f32>().unwrap()[0][0];
                assert!(f64::from(local) < most, "{s}: {local} of {most}");
            }
        }
    }

    #[test]
    fn columns_of_two_labels_add_up_to_a_constant_that_is_not_shared() {
        let mut rng = crate::seed::stream(4, "letters", 0);
        let mut letters = || {
            (0..500)
                .flat_map(|_| {
                    let l = rng.below(3);
                    (0..3).map(move |j| f64::from(u32::from(j == l)))
                })
                .collect()
        };
        let (x, y) = (Samples::new(letters(), 3).unwrap(), Samples::new(letters(), 3).unwrap());
        let ranked = Ranked::new(&x, &y).unwrap();
        let copula = normal(&ranked, &all(&ranked)).unwrap();
        assert!(
            copula.information() < 0.02 && copula.ranks() == [2, 2],
            "{} {:?}",
            copula.information(),
            copula.ranks()
        );
    }

    #[test]
    fn too_few_rows_and_copies_have_no_t_copula_and_a_copy_no_finite_information() {
        let (x, y) = fixtures::normal(100, 3, 0.5, 3);
        let ranked = Ranked::new(&x, &y).unwrap();
        assert!(student(&ranked, &[0, 1, 2, 3, 4]).unwrap().is_none());
        assert!(normal(&ranked, &[0, 1, 2, 3, 4]).unwrap().information().is_finite());
        let copied = Ranked::new(&x.beside(&x).unwrap(), &y).unwrap();
        assert!(student(&copied, &all(&copied)).unwrap().is_none());
        assert_eq!(normal(&copied, &all(&copied)).unwrap().ranks(), [3, 3]);
        let same = Ranked::new(&x, &x).unwrap();
        assert!(normal(&same, &all(&same)).unwrap_err().to_string().contains("infinite"));
    }
}
