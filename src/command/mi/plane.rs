//! `cpc mi plane`: the information plane of runs of the information bottleneck.

use crate::command::picture::svg_file;
use crate::command::terminal::Terminal;
use crate::error::Result;
use crate::kinds::bottleneck::{PlanePath, PlanePoint, plane};
use crate::report::plot::{Figure, Panel, Series, Style};
use clap::Args;
use serde_json::json;
use std::fmt::Write;
use std::path::PathBuf;

/// Options of `cpc mi plane`.
#[derive(Debug, Args)]
#[command(
    about = "The information plane: what codes keep of images and of labels during training",
    long_about = "The information plane of runs of the information bottleneck (`cpc pretrain IMAGES --preset ib`).\n\n\
        It has one point for each validation of a run:\n\n  \
        I(X;Z): what a code keeps of the image. An upper bound with objective.information=vib, a lower bound with MINE\n  \
        I(Z;Y): what a code keeps of the label. A lower bound: the entropy of the labels minus the cross-entropy",
    after_help = "Examples:\n  cpc mi plane runs/ib --svg plane.svg\n  cpc mi plane runs/beta-*"
)]
pub(crate) struct Plane {
    /// Run directories
    #[arg(required = true, value_name = "RUN")]
    runs: Vec<PathBuf>,
    /// Draw the information plane to a .svg file
    #[arg(long, value_name = "FILE", value_parser = svg_file())]
    svg: Option<PathBuf>,
}

impl Plane {
    pub(crate) fn run(&self, terminal: &Terminal) -> Result<()> {
        let paths = self.runs.iter().map(|run| plane(run)).collect::<Result<Vec<_>>>()?;
        let mut text = String::from("run                               steps    I(X;Z)    I(Z;Y)     error\n");
        for path in &paths {
            if let Some(PlanePoint { step, information_x_z: x, information_z_y: y, error }) = path.points.last() {
                writeln!(text, "{:<30}  {step:>7}  {x:>8.3}  {y:>8.3}  {:>6.2} %", path.run, 100.0 * error).ok();
            }
        }
        text.push_str("\nthe last validation of each; information in nats\n");
        terminal.picture(self.svg.as_deref(), || {
            let line = |path: &PlanePath| {
                let points = path.points.iter().map(|p| (p.information_x_z, p.information_z_y)).collect();
                Series::new(path.run.clone(), points, Style::Marked)
            };
            let panel = Panel {
                x_label: "I(X; Z) in nats".into(),
                y_label: "I(Z; Y) in nats, at least".into(),
                series: paths.iter().map(line).collect(),
                ..Panel::default()
            };
            let title = Some("What codes keep of images and of labels as training goes on".into());
            Figure { title, panels: vec![panel], ..Figure::default() }.svg()
        })?;
        if let Some(file) = &self.svg {
            writeln!(text, "picture: {}", file.display()).ok();
        }
        terminal.result_or_json(&json!({"runs": paths}), &text)
    }
}
