//! What an estimate from nearest neighbours says besides its value.

/// An estimate of mutual information in nats: the mean of a value for each row.
#[derive(Debug, Clone, PartialEq)]
pub struct Estimate {
    /// The estimate, in nats. It is not cut off at 0: a value below it means that nothing was found.
    pub mi: f64,
    /// The contribution of each row that was used, in nats: an estimate of the pointwise mutual information there.
    pub local: Vec<f64>,
    /// Rows that could not be used (from 0), in ascending order; `local` passes over them.
    pub left_out: Vec<usize>,
    /// Rows that have an exact copy among the other rows.
    pub duplicates: usize,
    /// Rows with a value that another row has in the same column, in X or in Y, whichever has more; noise told them apart.
    pub tied: usize,
}

impl Estimate {
    /// The mean of local values, summed in the order of the rows.
    pub(super) fn of(local: Vec<f64>) -> Estimate {
        let mi = local.iter().sum::<f64>() / local.len() as f64;
        Estimate { mi, local, left_out: Vec::new(), duplicates: 0, tied: 0 }
    }

    /// What a reader of the estimate should know, a sentence each.
    pub fn warnings(&self) -> Vec<String> {
        let n = self.local.len() + self.left_out.len();
        let mut warnings = Vec::new();
        if self.duplicates > 0 {
            let what = "have an exact copy; continuous samples have none";
            warnings.push(format!(
                "{} of {n} rows {what}: check the data; of values with atoms, take the side as labels (--discrete)",
                self.duplicates
            ));
        }
        if self.tied > 0 {
            let what = "have a value that another row has too, as rounded values have";
            warnings.push(format!(
                "{} of {n} rows {what}: noise of a thousandth of the smallest gap told them apart",
                self.tied
            ));
        }
        if !self.left_out.is_empty() {
            warnings.push(format!("{} of {n} rows left out: no other row has their label", self.left_out.len()));
        }
        warnings
    }
}
