//! Helpers shared by the benches.

use candle_core::{Device, Tensor, Var};
use cpc::seed::stream;
use std::hint::black_box;

pub const CPU: Device = Device::Cpu;

/// Normal values with standard deviation 0.1.
pub fn random(shape: &[usize]) -> Var {
    let mut s = stream(1, "bench", shape.len() as u64);
    let values: Vec<f32> = (0..shape.iter().product()).map(|_| s.normal() * 0.1).collect();
    Var::from_tensor(&Tensor::from_vec(values, shape, &CPU).unwrap()).unwrap()
}

/// Runs the whole backward pass from the sum of `y`.
pub fn backward(y: &Tensor) {
    black_box(y.sum_all().unwrap().backward().unwrap());
}
