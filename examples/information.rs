//! Estimates the mutual information of two columns of numbers.
//!
//! `cargo run --release --example information` draws y = sin(2 x) + noise, a dependence that correlation does not detect, and estimates
//! I(X; Y).

#![allow(clippy::print_stdout)]

use cpc::error::Result;
use cpc::mi::samples::Samples;
use cpc::mi::variable::Variable;
use cpc::mi::{Estimator, Settings, estimate};
use cpc::seed::stream;

fn main() -> Result<()> {
    let mut random = stream(1, "example", 0);
    let x: Vec<f64> = (0..2000).map(|_| 6.0 * random.unit64() - 3.0).collect();
    let y: Vec<f64> = x.iter().map(|x| (2.0 * x).sin() + 0.3 * random.normal64()).collect();
    let column = |values: Vec<f64>| -> Result<Variable> { Ok(Variable::Numbers(Samples::new(values, 1)?)) };
    let found = estimate(&column(x)?, &column(y)?, Estimator::Auto, &Settings::default())?;
    println!("I(X; Y) = {:.3} nats, by {}", found.nats, found.method);
    if let Some([low, high]) = found.ci95 {
        println!("95 %: {low:.3} to {high:.3} (the truth is 0.863)");
    }
    found.warnings.iter().for_each(|warning| println!("warning: {warning}"));
    Ok(())
}
