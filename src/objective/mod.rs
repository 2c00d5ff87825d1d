//! From scores to losses and bounds on mutual information.

mod all_pairs;
pub mod bounds;
mod info_nce;
pub mod labels;
mod negatives;

pub use all_pairs::all_scores;
pub use bounds::{Bound, Side, Surrogate, grouped_loss, groups_of, log_mean_exp, rows_of, rows_of_groups};
pub use info_nce::{PerStep, info_nce, info_nce_of};
pub use negatives::draw as draw_negatives;
