//! The information plane: the information that codes carry about images and about labels, in the course of training.

use super::{BottleneckConfig, Information};
use crate::error::{Error, Result};
use crate::kinds::{Kind, RunConfig};
use crate::train::History;
use serde::Serialize;
use std::path::Path;

/// A run's path through the plane.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PlanePath {
    /// The name of the run: its estimator and beta.
    pub run: String,
    /// Its validations, in chronological order.
    pub points: Vec<PlanePoint>,
}

/// One validation of a run.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct PlanePoint {
    /// Number of updates before it.
    pub step: f64,
    /// I(X;Z) in nats: an upper bound with `objective.information=vib`, a lower one with MINE.
    pub information_x_z: f64,
    /// I(Z;Y) in nats, a lower bound.
    pub information_z_y: f64,
    /// The share of validation images that are misclassified.
    pub error: f64,
}

/// The path of a run of the information bottleneck.
///
/// # Errors
/// The directory is not such a run, or its files cannot be read.
pub fn plane(run: &Path) -> Result<PlanePath> {
    let no_run = || {
        Error::usage(
            format!("{}: is no run of the information bottleneck", run.display()),
            "give run directories written by `cpc pretrain IMAGES --preset ib`",
        )
    };
    let kind: &'static dyn Kind = &super::BOTTLENECK;
    let table = crate::config::layers::read_file(&run.join("config.toml")).map_err(|_| no_run())?;
    if !kind.wrote(&table) {
        return Err(no_run());
    }
    let config: BottleneckConfig = RunConfig::read(kind, &run.join("config.toml"))?.sections()?;
    let history = History::read(run)?;
    let points = history.lines("valid").filter_map(|line| {
        let figure = |name: &str| line[name].as_f64();
        Some(PlanePoint {
            step: figure("step")?,
            information_x_z: figure("information_x_z")?,
            information_z_y: figure("information_z_y")?,
            error: figure("error")?,
        })
    });
    let estimator = match config.objective.information {
        Information::Vib => "VIB",
        Information::MineGaussian => "MINE, Gaussian",
        Information::MineAdditive => "MINE, additive",
        Information::MinePropagated => "MINE, propagated",
    };
    let points = points.collect();
    Ok(PlanePath { run: format!("{estimator}, beta {:e}", config.objective.beta), points })
}
