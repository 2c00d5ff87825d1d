//! Principal components in place of many columns.
//!
//! A copula of many columns has more correlations than rows can show, and where columns are functions of a few hidden ones these stand out among the
//! components. How many components? As many as make a copula best on held-out rows.

use crate::error::Result;
use crate::mi::copula::Ranked;
use crate::mi::estimate::Settings;
use crate::mi::estimate::held_out::{ERRORS, HeldOut, held_out, is_more};
use crate::mi::principal::principal;
use crate::mi::ranks::normal_scores;
use crate::mi::samples::Samples;

/// The numbers of components of a side that are tried, and the number of rows for each.
const NUMBERS: [usize; 4] = [4, 8, 16, 32];
const ROWS: usize = 40;

/// Components of X and of Y.
pub(super) struct Components {
    /// Of X, (n, k), or its columns if these are fewer.
    pub x: Samples,
    /// Of Y.
    pub y: Samples,
    held_out: HeldOut,
}

impl Components {
    /// Those that are best on held-out rows. None if no side has more than four columns.
    ///
    /// # Errors
    /// There are too few rows for folds.
    pub fn best(x: &Samples, y: &Samples, settings: &Settings) -> Result<Option<Components>> {
        settings.protocol.parts(x.len())?;
        let most = NUMBERS[NUMBERS.len() - 1].min((x.len() / ROWS).max(NUMBERS[0]));
        let all = |side: &Samples| match side.dim() > NUMBERS[0] {
            true => principal(&normal_scores(side)?, most, settings.seed),
            false => Ok(side.clone()),
        };
        let (all_x, all_y) = (all(x)?, all(y)?);
        let mut best: Option<Components> = None;
        for k in NUMBERS.into_iter().filter(|&k| k <= most && k < x.dim().max(y.dim())) {
            let first = |components: &Samples, of: &Samples| match of.dim() > k {
                true => components.columns(&(0..k.min(components.dim())).collect::<Vec<_>>()),
                false => Ok(of.clone()),
            };
            let (x, y) = (first(&all_x, x)?, first(&all_y, y)?);
            // Components that determine each other have no copula.
            let Ok(held_out) = held_out(&Ranked::new(&x, &y)?, settings) else { continue };
            if best.as_ref().is_none_or(|best| held_out.mean() > best.held_out.mean()) {
                best = Some(Components { x, y, held_out });
            }
        }
        Ok(best)
    }

    /// Whether a copula of them says something about held-out rows, and more than one of all columns does.
    pub fn are_better_than(&self, all: &HeldOut, settings: &Settings) -> bool {
        let own: Vec<f64> = self.held_out.parts.iter().map(|part| part.1).collect();
        let gains: Vec<f64> = own.iter().zip(&all.parts).map(|(few, all)| few - all.1).collect();
        [own, gains].iter().all(|values| is_more(values, ERRORS, settings.protocol.blocked))
    }

    /// In words.
    pub fn named(&self) -> String {
        format!("{} + {} principal components", self.x.dim(), self.y.dim())
    }
}
