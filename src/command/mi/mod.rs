//! `cpc mi`: how much one variable says about another.

mod bench;
mod coverage;
mod discrete;
mod equitability;
mod estimate;
mod features;
mod gaussians;
mod matrix;
mod output;
#[cfg(feature = "images")]
mod plane;
mod select;
mod selfcheck;
mod staircase;
mod transfer;

use crate::command::terminal::Terminal;
use crate::error::Result;
use clap::{Args, Subcommand};

/// `cpc mi` and what it does.
#[derive(Debug, Args)]
#[command(
    about = "Mutual information: how much one variable says about another",
    long_about = "Mutual information: how much one variable says about another, in nats, bits or hartleys.\n\n\
        I(X; Y) is 0 if X and Y are independent. Otherwise it is how much knowing one of them shortens the description of the other, whatever \
        the form of their dependence.",
    after_help = "Examples:\n  cpc mi estimate x.npy y.npy\n  cpc mi estimate sensors.csv --x 'temp*' --y flow\n  cpc mi matrix sensors.csv --svg heat.svg\n  cpc mi transfer sensors.csv --from valve --to flow --both\n  cpc mi discrete survey.csv --x smoker --y outcome\n  cpc mi discrete --joint p.csv --unit bits"
)]
pub(crate) struct MiCommand {
    #[command(subcommand)]
    action: Action,
}

/// Each subcommand documents itself: a comment on a variant here would replace its long help.
#[derive(Debug, Subcommand)]
enum Action {
    Estimate(Box<estimate::EstimateCommand>),
    Matrix(Box<matrix::Matrix>),
    Select(select::Select),
    Transfer(Box<transfer::TransferCommand>),
    Discrete(discrete::Discrete),
    Features(features::Features),
    #[cfg(feature = "images")]
    Plane(plane::Plane),
    Bench(bench::Bench),
    Coverage(coverage::CoverageCommand),
    Staircase(staircase::StaircaseCommand),
    Selfcheck(selfcheck::Selfcheck),
    Gaussians(gaussians::Gaussians),
}

impl MiCommand {
    pub(crate) fn run(&self, terminal: &Terminal) -> Result<()> {
        match &self.action {
            Action::Estimate(estimate) => estimate.run(terminal),
            Action::Matrix(matrix) => matrix.run(terminal),
            Action::Select(select) => select.run(terminal),
            Action::Transfer(transfer) => transfer.run(terminal),
            Action::Discrete(discrete) => discrete.run(terminal),
            Action::Features(features) => features.run(terminal),
            #[cfg(feature = "images")]
            Action::Plane(plane) => plane.run(terminal),
            Action::Bench(bench) => bench.run(terminal),
            Action::Coverage(coverage) => coverage.run(terminal),
            Action::Staircase(staircase) => staircase.run(terminal),
            Action::Selfcheck(selfcheck) => selfcheck.run(terminal),
            Action::Gaussians(gaussians) => gaussians.run(terminal),
        }
    }
}
