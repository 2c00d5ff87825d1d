//! `cpc mi plane`: the information plane of runs of the information bottleneck.

use super::picture;
use crate::cli::Terminal;
use crate::config::{BottleneckConfig, Information, Sections};
use crate::error::{Error, Result};
use crate::report::plot::{Figure, Panel, Series, Style};
use clap::Args;
use serde_json::{Value, json};
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// Options of `cpc mi plane`.
#[derive(Debug, Args)]
#[command(
    about = "The information plane: what codes keep of images and of labels as training goes on",
    long_about = "The information plane of runs of the information bottleneck (`cpc pretrain IMAGES --preset ib`).\n\n\
        For each validation of a run: I(X;Z), what a code keeps of the image (an upper bound with objective.information=vib, a lower one with MINE), \
        and I(Z;Y), what it keeps of the label (at least so much: the labels' entropy less the cross-entropy).",
    after_help = "Examples:\n  cpc mi plane runs/ib --svg plane.svg\n  cpc mi plane runs/beta-*"
)]
pub struct Plane {
    /// Run directories
    #[arg(required = true, value_name = "RUN")]
    runs: Vec<PathBuf>,
    /// Draw it
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
}

/// One run: what it is called, and (step, I(X;Z), I(Z;Y), error) of its validations.
struct Way {
    name: String,
    points: Vec<[f64; 4]>,
}

impl Plane {
    pub(super) fn run(&self, terminal: &Terminal) -> Result<()> {
        let paths = self.runs.iter().map(|run| read(run)).collect::<Result<Vec<_>>>()?;
        let mut text = String::from("run                               steps    I(X;Z)    I(Z;Y)     error\n");
        for path in &paths {
            if let Some([step, x, y, error]) = path.points.last() {
                writeln!(text, "{:<30}  {step:>7}  {x:>8.3}  {y:>8.3}  {:>6.2} %", path.name, 100.0 * error).ok();
            }
        }
        text.push_str("\nthe last validation of each; information in nats\n");
        if let Some(file) = &self.svg {
            let line = |path: &Way| {
                let points = path.points.iter().map(|p| (p[1], p[2])).collect();
                Series::new(path.name.clone(), points, Style::Marked)
            };
            let panel = Panel {
                x_label: "I(X; Z) in nats".into(),
                y_label: "I(Z; Y) in nats, at least".into(),
                series: paths.iter().map(line).collect(),
                ..Panel::default()
            };
            let title = Some("What codes keep of images and of labels as training goes on".into());
            picture::write(file, &Figure { title, panels: vec![panel], ..Figure::default() })?;
            writeln!(text, "picture: {}", file.display()).ok();
        }
        let runs: Vec<Value> = paths
            .iter()
            .map(|path| {
                let point = |p: &[f64; 4]| {
                    json!({"step": p[0], "information_x_z": p[1], "information_z_y": p[2], "error": p[3]})
                };
                json!({"run": path.name, "points": path.points.iter().map(point).collect::<Vec<_>>()})
            })
            .collect();
        terminal.result_or_json(&json!({"runs": runs}), &text)
    }
}

/// The validations of a run.
fn read(run: &Path) -> Result<Way> {
    let config = run.join("config.toml");
    if !BottleneckConfig::is_at(&config) {
        return Err(Error::usage(
            format!("{}: is no run of the information bottleneck", run.display()),
            "give run directories that `cpc pretrain IMAGES --preset ib` made",
        ));
    }
    let config = BottleneckConfig::read(&config)?;
    let file = run.join("metrics.jsonl");
    let lines = std::fs::read_to_string(&file).map_err(Error::io(&file, "read"))?;
    let points = lines
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|line| line["kind"] == "valid")
        .filter_map(|line| {
            let figure = |name: &str| line[name].as_f64();
            Some([figure("step")?, figure("information_x_z")?, figure("information_z_y")?, figure("error")?])
        })
        .collect();
    let way = match config.objective.information {
        Information::Vib => "VIB",
        Information::MineGaussian => "MINE, Gaussian",
        Information::MineAdditive => "MINE, additive",
        Information::MinePropagated => "MINE, propagated",
    };
    Ok(Way { name: format!("{way}, beta {:e}", config.objective.beta), points })
}
