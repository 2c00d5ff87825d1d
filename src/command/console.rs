//! Shows the library's work on a terminal. Notes and warnings are lines; long work is a progress bar, or a line at intervals.

use crate::command::host::Host;
use crate::command::terminal::Terminal;
use crate::observer::{Figures, Observer, Progress, TrainLine, ValidLine};
use indicatif::{HumanBytes, HumanDuration, ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Time between two lines of progress where there is no bar.
const PAUSE: Duration = Duration::from_secs(10);

/// Prints what the library reports about its work.
pub(crate) struct Console {
    pub terminal: Terminal,
    state: Mutex<State>,
}

/// The work being shown.
struct State {
    bar: Option<ProgressBar>,
    what: String,
    began: Instant,
    said: Option<Instant>,
    training: Training,
}

/// The training being shown.
#[derive(Clone, Copy, Default)]
struct Training {
    first: u64,
    steps: u64,
    unit: &'static str,
}

/// The progress of one command: a bar on a terminal, or reports to the program that runs it.
pub(crate) struct Bar {
    shown: ProgressBar,
    unit: String,
    host: Option<Arc<dyn Host>>,
}

impl Bar {
    /// So much more is done.
    pub fn inc(&self, more: u64) {
        self.shown.inc(more);
        self.tell();
    }

    /// So much is done in all.
    pub fn set_position(&self, done: u64) {
        self.shown.set_position(done);
        self.tell();
    }

    /// What is done.
    pub fn position(&self) -> u64 {
        self.shown.position()
    }

    /// Ends the bar.
    pub fn finish_and_clear(&self) {
        self.shown.finish_and_clear();
        self.host.iter().for_each(|host| host.done());
    }

    fn tell(&self) {
        let Some(host) = &self.host else { return };
        let (done, of) = (self.shown.position() as f64, self.shown.length().unwrap_or(0) as f64);
        host.progress(&Progress { what: "", unit: &self.unit, done, of });
    }
}

/// The progress of a command that counts to `of`.
pub(crate) fn bar(terminal: &Terminal, of: u64, unit: &str) -> Bar {
    Bar { shown: drawn(terminal, of, &format!(" {unit}")), unit: unit.into(), host: terminal.host.clone() }
}

/// A progress bar on stderr, if stderr is a terminal and `--quiet` is not given.
fn drawn(terminal: &Terminal, of: u64, unit: &str) -> ProgressBar {
    let shown = terminal.interactive && !terminal.quiet;
    let target = if shown { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    let bar = ProgressBar::with_draw_target(Some(of), target);
    if let Ok(style) = ProgressStyle::with_template(&format!("{{bar:24}} {{pos}}/{{len}}{unit}  {{msg}}  {{eta}} left"))
    {
        bar.set_style(style);
    }
    bar
}

/// The accuracies at k = 1, 4 and 12, where the model has those steps. For models without steps, the metrics by name.
fn summary(figures: &Figures) -> String {
    let at = |k: &usize| figures.accuracy_per_step.get(k - 1).map(|a| format!("k{k} {a:.3}"));
    let steps: Vec<String> = [1, 4, 12].iter().filter_map(at).collect();
    if !steps.is_empty() {
        return format!("acc {}", steps.join(" "));
    }
    figures.named.iter().map(|(name, v)| format!("{} {v:.3}", name.replace('_', " "))).collect::<Vec<_>>().join("  ")
}

impl Console {
    pub fn new(terminal: &Terminal) -> Console {
        let state =
            State { bar: None, what: String::new(), began: Instant::now(), said: None, training: Training::default() };
        Console { terminal: terminal.clone(), state: Mutex::new(state) }
    }

    /// Who is informed of the work: this console, or the program that runs the command.
    pub fn observer(&self) -> &dyn Observer {
        match &self.terminal.host {
            Some(host) => &**host,
            None => self,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Prints above the progress bar, if there is one.
    fn print_above(&self, print: impl FnOnce(&Terminal)) {
        match self.state().bar.clone() {
            Some(bar) => bar.suspend(|| print(&self.terminal)),
            None => print(&self.terminal),
        }
    }
}

impl Observer for Console {
    fn note(&self, text: &str) {
        self.print_above(|terminal| terminal.note(text));
    }

    fn detail(&self, text: &str) {
        if self.terminal.verbose || self.terminal.interactive {
            self.note(text);
        }
    }

    fn warning(&self, text: &str) {
        self.print_above(|terminal| terminal.warning(text));
    }

    fn progress(&self, at: &Progress) {
        let mut state = self.state();
        let bytes = at.unit == "bytes";
        // A file whose download resumes reports its position at once.
        let resumes = state.what != at.what && at.done > 0.0;
        if state.bar.is_none() || state.what != at.what {
            if let Some(bar) = state.bar.take() {
                bar.finish_and_clear();
            }
            state.bar = Some(drawn(&self.terminal, at.of as u64, &format!(" {}", at.unit)));
            state.what = at.what.into();
            (state.began, state.said) = (Instant::now(), None);
        }
        let rate = at.done / state.began.elapsed().as_secs_f64().max(1e-3);
        if let Some(bar) = &state.bar {
            bar.set_length(at.of as u64);
            bar.set_position(at.done as u64);
            bar.set_message(if bytes { at.what.to_string() } else { format!("{rate:.0} {} per second", at.unit) });
        }
        let due = match state.said {
            None => state.began.elapsed() >= PAUSE,
            Some(said) => said.elapsed() >= PAUSE,
        };
        let whole = bytes && at.done >= at.of;
        if self.terminal.interactive || !(due || whole || bytes && resumes) {
            return;
        }
        state.said = Some(Instant::now());
        let named = if at.what.is_empty() { String::new() } else { format!("{}: ", at.what) };
        let text = if bytes {
            format!("{named}{} of {}", HumanBytes(at.done as u64), HumanBytes(at.of as u64))
        } else if at.of > 0.0 {
            format!("{named}{:.0} of {:.0} {}, {rate:.0} per second", at.done, at.of, at.unit)
        } else {
            format!("{named}{:.0} {}", at.done, at.unit)
        };
        drop(state);
        self.terminal.note(&text);
    }

    fn start(&self, from: u64, of: u64, unit: &'static str) {
        let bar = drawn(&self.terminal, of, "");
        bar.set_position(from);
        bar.reset_eta();
        let mut state = self.state();
        (state.began, state.said) = (Instant::now(), None);
        state.training = Training { first: from, steps: of, unit };
        state.bar = Some(bar);
    }

    fn step(&self, step: u64) {
        if let Some(bar) = &self.state().bar {
            bar.set_position(step);
        }
    }

    fn train(&self, line: &TrainLine) {
        let mut state = self.state();
        let Training { first, steps, unit } = state.training;
        let speed = match unit {
            "audio_seconds" => "x real time".into(),
            unit => format!(" {} per second", unit.replace('_', " ")),
        };
        let text = format!("loss {:.4}  {}  {:.0}{speed}", line.figures.loss, summary(&line.figures), line.rate);
        if let Some(bar) = &state.bar {
            bar.set_message(text.clone());
        }
        let due = state.said.is_none_or(|at| at.elapsed() >= PAUSE) || line.step == steps;
        if !(self.terminal.verbose || !self.terminal.interactive && due) {
            return;
        }
        state.said = Some(Instant::now());
        let each = state.began.elapsed().as_secs_f64() / (line.step - first).max(1) as f64;
        let left = HumanDuration(Duration::from_secs_f64(each * (steps - line.step) as f64));
        drop(state);
        self.note(&format!("step {:>6}/{steps}  {text}  {left} left", line.step));
    }

    fn valid(&self, line: &ValidLine, best: bool) {
        self.note(&format!(
            "step {:>6}  validation: loss {:.4}  {}{}",
            line.step,
            line.figures.loss,
            summary(&line.figures),
            if best { "  (best so far)" } else { "" }
        ));
    }

    fn done(&self) {
        if let Some(bar) = self.state().bar.take() {
            bar.finish_and_clear();
        }
    }
}

impl Drop for Console {
    fn drop(&mut self) {
        Observer::done(self);
    }
}
