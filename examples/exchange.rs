//! Measures how long processes take to add up their gradients, which is what training by several of them costs (docs/scale.md):
//!
//! ```sh
//! cargo build --release --features mpi --example exchange
//! mpirun -n 2 target/release/examples/exchange
//! ```

#![allow(clippy::print_stdout, clippy::print_stderr)]

use candle_core::{DType, Device, Tensor};
use candle_nn::Init;
use cpc::error::Result;
use cpc::group::launch;
use cpc::nn::{Optimizer, ParamStore, Part, PartSum};
use std::time::Instant;

/// Millions of parameters.
const SIZES: [f64; 5] = [0.01, 0.1, 1.0, 3.0, 10.0];

/// Exchanges of each size.
const TIMES: usize = 15;

fn main() -> Result<()> {
    // As the command does: memory that is freed stays with the process.
    cpc::memory::keep_large_blocks();
    let launched = launch::launched(|name| std::env::var(name).ok());
    let group = launch::join(launched.as_ref(), |error| eprintln!("{error}"))?;
    if group.is_first() {
        println!("{} processes\nparameters   ms per update   GB/s of each process", group.size());
    }
    for millions in SIZES {
        let store = ParamStore::new(1, &Device::Cpu);
        let n = (millions * 1e6) as usize;
        let weights = store.builder().get_with_hints(n, "w", Init::Const(0.0))?;
        let gradient = Tensor::ones(n, DType::F32, &Device::Cpu)?;
        let optimizer = Optimizer::new(&store)?;
        let mut seconds = Vec::new();
        for _ in 0..TIMES {
            let gradients = optimizer.collect((&weights * &gradient)?.sum_all()?.backward()?, &[])?;
            // All processes begin at the same time.
            group.gather(Vec::new())?;
            let began = Instant::now();
            let mut sum = PartSum::new(&group, &store);
            sum.add(Part { gradients, taken: Vec::new() }, false)?;
            sum.finish()?;
            seconds.push(began.elapsed().as_secs_f64());
        }
        seconds.sort_by(f64::total_cmp);
        let (median, size) = (seconds[TIMES / 2], group.size() as f64);
        let sent = 2.0 * (size - 1.0) / size * 4.0 * n as f64;
        if group.is_first() {
            println!("{millions:>8} M   {:>13.2}   {:>20.2}", median * 1e3, sent / median / 1e9);
        }
    }
    Ok(())
}
