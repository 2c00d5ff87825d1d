//! The windows a model is validated on: the same ones, in the same order, every time.

use crate::config::OnBadFile;
use crate::data::Position;
use crate::error::{Error, Problem, Result};
use crate::group::Share;
use crate::recordings::loader::WindowBatch;
use crate::recordings::medium::{Medium, Sound};
use crate::recordings::windows::{Layout, Windows};
use std::sync::Arc;

/// Reads the validation batches in order; see [`validation_batches`].
pub struct Validation<M: Medium = Sound> {
    windows: Arc<Windows<M>>,
    layout: Layout,
    reader: M::Reader,
    count: u64,
    batch: u64,
    done: u64,
    index: u64,
    share: Share,
}

/// The validation batches: at most `data.valid_windows` windows, spread evenly over the corpus, without offset, in order
/// (CPC_audio also validates in sequence), in batches of at most `batch`, all in epoch 0. A batch of a single window is
/// omitted, unless it is the only one. Of these batches, those in `share`.
pub fn validation_batches<M: Medium>(windows: Arc<Windows<M>>, batch: usize, share: Share) -> Validation<M> {
    let layout = windows.layout(None);
    let batch = batch.max(1) as u64;
    let mut count = layout.windows().min(windows.config().valid_windows as u64);
    if batch > 1 && count > 1 && count % batch == 1 {
        count -= 1;
    }
    Validation { windows, layout, reader: M::Reader::default(), count, batch, done: 0, index: 0, share }
}

impl<M: Medium> Validation<M> {
    /// The number of windows in all batches together.
    pub fn windows(&self) -> u64 {
        self.count
    }

    /// Reads the `number`-th chosen window, or the next one that can be read.
    fn row(&mut self, number: u64, batch: &mut WindowBatch) -> Result<()> {
        let total = self.layout.windows();
        let chosen = (u128::from(number) * u128::from(total) / u128::from(self.count)) as u64;
        let begin = batch.samples.len();
        batch.samples.resize(begin + batch.window * batch.width, 0.0);
        for k in 0..total {
            let slots = &mut batch.samples[begin..];
            match self.windows.read(&self.layout, (chosen + k) % total, &mut self.reader, slots) {
                Ok(files) => {
                    batch.files.push(files);
                    batch.rows += 1;
                    return Ok(());
                }
                Err(problem) if self.windows.config().on_bad_file == OnBadFile::Fail => {
                    return Err(Error::BadFiles(vec![problem]));
                }
                Err(problem) => note(problem, &mut batch.skipped),
            }
        }
        Err(Error::BadFiles(std::mem::take(&mut batch.skipped)))
    }
}

fn note(problem: Problem, skipped: &mut Vec<Problem>) {
    if !skipped.contains(&problem) {
        skipped.push(problem);
    }
}

impl<M: Medium> Iterator for Validation<M> {
    type Item = Result<WindowBatch>;

    fn next(&mut self) -> Option<Result<WindowBatch>> {
        while !self.share.has(self.index) {
            self.done = self.count.min(self.done + self.batch);
            self.index += 1;
        }
        let rows = self.batch.min(self.count - self.done);
        if rows == 0 {
            return None;
        }
        let (window, width) = (self.windows.config().window, self.windows.corpus().width);
        let mut batch = WindowBatch {
            past: Vec::new(),
            samples: Vec::with_capacity(rows as usize * window * width),
            rows: 0,
            window,
            width,
            epoch: 0,
            index: self.index,
            files: Vec::new(),
            skipped: Vec::new(),
            next: Position { epoch: 0, batch: self.index + 1 },
        };
        for number in self.done..self.done + rows {
            if let Err(e) = self.row(number, &mut batch) {
                self.done = self.count;
                return Some(Err(e));
            }
        }
        self.done += rows;
        self.index += 1;
        Some(Ok(batch))
    }
}
