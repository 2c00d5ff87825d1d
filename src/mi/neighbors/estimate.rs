//! An estimate from nearest neighbors, with its warnings.

/// An estimate of mutual information in nats: the mean of one value per row.
#[derive(Debug, Clone, PartialEq)]
pub struct Estimate {
    /// The estimate, in nats. It is not truncated at 0: a negative value means that no dependence was found.
    pub mi: f64,
    /// The contribution of each row that was used, in nats: an estimate of the pointwise mutual information at that row.
    pub local: Vec<f64>,
    /// The indices (from 0) of rows that could not be used, in ascending order; `local` skips them.
    pub left_out: Vec<usize>,
    /// The number of rows that have an exact copy among the other rows.
    pub duplicates: usize,
    /// The number of rows that share a value with another row in the same column, in X or in Y, whichever has more. Noise made these values
    /// distinct.
    pub tied: usize,
}

impl Estimate {
    /// The mean of local values, summed in the order of the rows.
    pub(super) fn of(local: Vec<f64>) -> Estimate {
        let mi = local.iter().sum::<f64>() / local.len() as f64;
        Estimate { mi, local, left_out: Vec::new(), duplicates: 0, tied: 0 }
    }

    /// Warnings about the estimate, one sentence each.
    pub fn warnings(&self) -> Vec<String> {
        let n = self.local.len() + self.left_out.len();
        let mut warnings = Vec::new();
        if self.duplicates > 0 {
            let what = "have an exact copy; continuous samples have none";
            warnings.push(format!(
                "{} of {n} rows {what}: check the data; if the distribution has atoms, treat that side as labels (--discrete)",
                self.duplicates
            ));
        }
        if self.tied > 0 {
            let what = "share a value with another row, as rounded values do";
            warnings.push(format!(
                "{} of {n} rows {what}: noise of a thousandth of the smallest gap made them distinct",
                self.tied
            ));
        }
        if !self.left_out.is_empty() {
            warnings.push(format!(
                "{} of {n} rows left out, because no other row has their label: join rare labels",
                self.left_out.len()
            ));
        }
        warnings
    }
}
