//! Pretraining with a custom observer.
//!
//! `cargo run --release --example pretrain -- DATA RUN` trains the small demo model on a directory of recordings for 20 updates, and prints
//! the losses that the observer received.

#![allow(clippy::print_stdout)]

use cpc::config::Layers;
use cpc::error::{Error, Result};
use cpc::observer::{Observer, TrainLine, ValidLine};
use std::sync::Mutex;

/// An observer that records the losses.
#[derive(Default)]
struct Losses(Mutex<Vec<(u64, f64)>>);

impl Observer for Losses {
    fn note(&self, text: &str) {
        println!("{text}");
    }

    fn train(&self, line: &TrainLine) {
        if let Ok(mut losses) = self.0.lock() {
            losses.push((line.step, line.figures.loss));
        }
    }

    fn valid(&self, line: &ValidLine, best: bool) {
        println!(
            "validation after {} updates: {:.4} nats{}",
            line.step,
            line.figures.loss,
            if best { ", the best" } else { "" }
        );
    }
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [data, run] = arguments.as_slice() else {
        return Err(Error::usage("two arguments are needed", "give DATA and RUN"));
    };
    let layers = Layers::of_data(data).preset("demo").with("train.steps", 20).with("train.log_every", 5);
    let losses = Losses::default();
    let report = cpc::pretrain(cpc::configure(&layers)?, run, &losses)?;
    for (step, loss) in losses.0.lock().map(|losses| losses.clone()).unwrap_or_default() {
        println!("step {step:>3}  loss {loss:.4}");
    }
    println!("model: {}", report.model.display());
    Ok(())
}
