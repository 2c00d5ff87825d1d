//! How long work looks while it goes on: a bar on a terminal, a line now and then elsewhere.

use super::Terminal;
use crate::train::Observer;
use crate::train::metrics::{Figures, TrainLine, ValidLine};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::time::{Duration, Instant};

/// Seconds between two lines where there is no bar.
pub const PAUSE: Duration = Duration::from_secs(10);

/// A bar of `of` steps of something on stderr, if that is a terminal and not to be quiet.
pub fn bar(terminal: &Terminal, of: u64, unit: &str) -> ProgressBar {
    let shown = terminal.interactive && !terminal.quiet;
    let target = if shown { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    let bar = ProgressBar::with_draw_target(Some(of), target);
    if let Ok(style) = ProgressStyle::with_template(&format!("{{bar:24}} {{pos}}/{{len}}{unit}  {{msg}}  {{eta}} left"))
    {
        bar.set_style(style);
    }
    bar
}

/// Shows training on stderr.
pub struct Progress {
    terminal: Terminal,
    bar: ProgressBar,
    steps: u64,
    unit: &'static str,
    first: u64,
    began: Instant,
    said: Option<Instant>,
}

/// The accuracies at k = 1, 4 and 12, as far as there are such steps; of models without, the figures by name.
fn tale(figures: &Figures) -> String {
    let at = |k: &usize| figures.accuracy_per_step.get(k - 1).map(|a| format!("k{k} {a:.3}"));
    let steps: Vec<String> = [1, 4, 12].iter().filter_map(at).collect();
    if !steps.is_empty() {
        return format!("acc {}", steps.join(" "));
    }
    figures.named.iter().map(|(name, v)| format!("{} {v:.3}", name.replace('_', " "))).collect::<Vec<_>>().join("  ")
}

impl Progress {
    /// For a run of `steps` steps that begins after `from`; `unit` is what its task counts its data in.
    pub fn new(terminal: &Terminal, steps: u64, from: u64, unit: &'static str) -> Self {
        let bar = bar(terminal, steps, "");
        bar.set_position(from);
        bar.reset_eta();
        Progress { terminal: terminal.clone(), bar, steps, unit, first: from, began: Instant::now(), said: None }
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }

    fn above(&self, text: &str) {
        self.bar.suspend(|| self.terminal.note(text));
    }

    fn left(&self, step: u64) -> String {
        let each = self.began.elapsed().as_secs_f64() / (step - self.first).max(1) as f64;
        let left = Duration::from_secs_f64(each * (self.steps - step) as f64);
        indicatif::HumanDuration(left).to_string()
    }
}

impl Observer for Progress {
    fn step(&mut self, step: u64) {
        self.bar.set_position(step);
    }

    fn train(&mut self, line: &TrainLine) {
        let text = format!(
            "loss {:.4}  {}  {:.0}{}",
            line.figures.loss,
            tale(&line.figures),
            line.rate,
            if self.unit == "audio_seconds" { "x real time".into() } else { format!(" {} a second", self.unit) }
        );
        self.bar.set_message(text.clone());
        let due = self.said.is_none_or(|at| at.elapsed() >= PAUSE) || line.step == self.steps;
        if self.terminal.verbose || !self.terminal.interactive && due {
            self.said = Some(Instant::now());
            self.above(&format!("step {:>6}/{}  {text}  {} left", line.step, self.steps, self.left(line.step)));
        }
    }

    fn valid(&mut self, line: &ValidLine, best: bool) {
        self.above(&format!(
            "step {:>6}  validation: loss {:.4}  {}{}",
            line.step,
            line.figures.loss,
            tale(&line.figures),
            if best { "  (best so far)" } else { "" }
        ));
    }

    fn warning(&mut self, text: &str) {
        self.bar.suspend(|| self.terminal.warning(text));
    }
}
