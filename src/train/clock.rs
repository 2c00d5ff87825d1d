//! How long steps take, and how long they wait for data.

use std::time::Instant;

/// Times of the steps since the last line of metrics.
pub(super) struct Clock {
    began: Instant,
    last: Instant,
    steps: Vec<f64>,
    waited: f64,
    /// The amount of data.
    pub amount: f64,
}

impl Clock {
    pub fn start() -> Self {
        let now = Instant::now();
        Clock { began: now, last: now, steps: Vec::new(), waited: 0.0, amount: 0.0 }
    }

    pub fn restart(&mut self) {
        *self = Clock::start();
    }

    pub fn waited(&mut self, since: Instant, amount: f64) {
        self.waited += since.elapsed().as_secs_f64();
        self.amount += amount;
    }

    pub fn step(&mut self) {
        let now = Instant::now();
        self.steps.push((now - self.last).as_secs_f64());
        self.last = now;
    }

    pub fn median_step(&self) -> f64 {
        let mut steps = self.steps.clone();
        steps.sort_by(f64::total_cmp);
        steps.get(steps.len() / 2).copied().unwrap_or(0.0)
    }

    /// A GPU computes behind the host, so only the time of all steps, up to the values that are read from it, is meaningful.
    pub fn mean_step(&self) -> f64 {
        (self.last - self.began).as_secs_f64() / self.steps.len().max(1) as f64
    }

    /// The device has finished all steps.
    pub fn settled(&mut self) {
        self.last = Instant::now();
    }

    pub fn mean_wait(&self) -> f64 {
        self.waited / self.steps.len().max(1) as f64
    }

    pub fn rate(&self) -> f64 {
        self.amount / (self.last - self.began).as_secs_f64().max(1e-9)
    }
}
