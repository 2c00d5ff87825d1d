//! `cpc mi staircase`: bias and variance of bounds as the information rises.

use crate::command::console::bar;
use crate::command::picture::svg_file;
use crate::command::terminal::Terminal;
use crate::error::Result;
use crate::mi::neural::Training;
use crate::mi::parallel::in_parallel;
use crate::mi::staircase::{Climb, Staircase, climb};
use crate::nn::{CriticKind, CriticSize};
use crate::objective::Bound;
use crate::report::plot::{Color, Figure, Panel, Series, Style};
use clap::{Args, ValueEnum};
use serde_json::{Value, json};
use std::fmt::Write;
use std::path::PathBuf;

/// How y is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Variant {
    /// Normal pairs
    Gaussian,
    /// Normal pairs, with y rotated and cubed
    Cubic,
}

/// Options of `cpc mi staircase`.
#[derive(Debug, Args)]
#[command(
    about = "Bias and variance of bounds as the information rises in steps",
    long_about = "Bias and variance of bounds as the information of 20 + 20 normal columns rises in steps (Poole et al. 2019, figure 2).\n\n\
        A critic is trained on fresh pairs, one batch per update. The bound is evaluated on each batch before the update. The bias, variance and \
        mean square error of a step are computed over its last quarter.",
    after_help = "Examples:\n  \
        cpc mi staircase --svg staircase.svg\n  \
        cpc mi staircase --variant cubic --bound infonce,nwj,alpha,smile --svg cubic.svg"
)]
pub(crate) struct StaircaseCommand {
    /// Bounds to compare [default: all]
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    bound: Vec<Bound>,
    /// How y is made
    #[arg(long, value_enum, default_value = "gaussian", value_name = "HOW")]
    variant: Variant,
    /// The information of each step, in nats
    #[arg(long, default_value = "2,4,6,8,10", value_name = "NATS", value_delimiter = ',')]
    levels: Vec<f64>,
    /// Updates per step
    #[arg(long, default_value = "4000", value_name = "N", value_parser = clap::value_parser!(u64).range(4..=10_000_000))]
    updates: u64,
    /// Pairs per batch
    #[arg(long, default_value = "64", value_name = "N", value_parser = clap::value_parser!(u32).range(2..=4096))]
    batch_size: u32,
    /// Number of columns of X and of Y
    #[arg(long, default_value = "20", value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    dim: u32,
    /// The form of critics: joint, separable or bilinear
    #[arg(long, default_value = "separable", value_name = "FORM")]
    critic: CriticKind,
    /// The random seed
    #[arg(long, default_value = "0", value_name = "N")]
    seed: u64,
    /// Draw the staircase to a .svg file
    #[arg(long, value_name = "FILE", value_parser = svg_file())]
    svg: Option<PathBuf>,
}

impl StaircaseCommand {
    pub(crate) fn run(&self, terminal: &Terminal) -> Result<()> {
        let bounds = if self.bound.is_empty() { Bound::ALL.to_vec() } else { self.bound.clone() };
        let staircase = Staircase {
            dim: self.dim as usize,
            levels: self.levels.clone(),
            updates: self.updates,
            cubic: self.variant == Variant::Cubic,
            seed: self.seed,
        };
        let bar = bar(terminal, bounds.len() as u64, "bounds");
        let job = |i: usize| climb(&staircase, &self.training(bounds[i]));
        let climbs = in_parallel(bounds.len(), job, |_| bar.inc(1))?;
        bar.finish_and_clear();
        terminal.picture(self.svg.as_deref(), || self.figure(&bounds, &climbs).svg())?;
        let rows: Vec<Value> = bounds
            .iter()
            .zip(&climbs)
            .map(|(bound, climb)| {
                let levels: Vec<Value> = climb
                    .levels
                    .iter()
                    .map(|l| json!({ "truth": l.truth, "bias": l.bias, "variance": l.variance, "mse": l.mean_square_error }))
                    .collect();
                json!({ "bound": bound.name(), "levels": levels })
            })
            .collect();
        terminal.result_or_json(&rows, &self.text(&bounds, &climbs))
    }

    /// The paper's critics: two hidden layers of 256 units, 32-dimensional embeddings of x and of y, Adam with 5e-4.
    fn training(&self, bound: Bound) -> Training {
        let critic = if bound.wants_density() { CriticKind::Density } else { self.critic };
        Training {
            size: CriticSize { hidden_dim: 256, layers: 2, embedding_dim: 32 },
            batch_size: self.batch_size as usize,
            lr: 5e-4,
            weight_decay: 0.0,
            ..Training::new(bound, critic, self.seed)
        }
    }

    fn text(&self, bounds: &[Bound], climbs: &[Climb]) -> String {
        let mut text = String::new();
        for (name, value) in [("bias", 0), ("variance", 1), ("mean square error", 2)] {
            write!(text, "{name:<18}").ok();
            self.levels.iter().for_each(|level| {
                write!(text, "  {level:>8}").ok();
            });
            text.push('\n');
            for (bound, climb) in bounds.iter().zip(climbs) {
                write!(text, "  {:<16}", bound.name()).ok();
                for l in &climb.levels {
                    let value = [l.bias, l.variance, l.mean_square_error][value];
                    let shown = if value.abs() < 1000.0 { format!("{value:.3}") } else { format!("{value:.1e}") };
                    write!(text, "  {shown:>8}").ok();
                }
                text.push('\n');
            }
            text.push('\n');
        }
        let ceiling = f64::from(self.batch_size).ln();
        writeln!(
            text,
            "in nats, by the true information; infonce cannot exceed log {} = {ceiling:.2}",
            self.batch_size
        )
        .ok();
        text
    }

    fn figure(&self, bounds: &[Bound], climbs: &[Climb]) -> Figure {
        let top = self.levels.iter().copied().fold(0.0, f64::max) * 1.5;
        let updates = self.updates as f64;
        let mut truth: Vec<(f64, f64)> =
            self.levels.iter().enumerate().map(|(i, &l)| (i as f64 * updates, l)).collect();
        truth.push((self.levels.len() as f64 * updates, self.levels.last().copied().unwrap_or_default()));
        let panels = bounds.iter().zip(climbs).map(|(bound, climb)| {
            let noisy = climb.values.iter().enumerate().map(|(i, &v)| (i as f64, v)).collect();
            let window = (self.updates as usize / 20).max(1);
            let smooth = climb.values.chunks(window).enumerate().map(|(i, chunk)| {
                ((i * window + chunk.len() / 2) as f64, chunk.iter().sum::<f64>() / chunk.len() as f64)
            });
            Panel {
                title: bound.name().into(),
                x_label: "updates".into(),
                y_label: "nats".into(),
                series: vec![
                    Series::new("each batch", noisy, Style::Faint).colored(Color::Hue(0)),
                    Series::new("mean", smooth.collect(), Style::Line).colored(Color::Hue(0)),
                    Series::new("truth", truth.clone(), Style::Steps).colored(Color::Ink),
                ],
                y_range: Some((0.0, top)),
                ..Panel::default()
            }
        });
        let title = format!(
            "{} + {} normal columns{}, batches of {}",
            self.dim,
            self.dim,
            if self.variant == Variant::Cubic { ", y rotated and cubed" } else { "" },
            self.batch_size
        );
        Figure { title: Some(title), panels: panels.collect(), columns: 5, share_y: true }
    }
}
