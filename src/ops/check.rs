//! Checks shared by the tests of all ops: random inputs, closeness, gradients against finite differences.

use crate::error::Result;
use crate::seed::stream;
use candle_core::{DType, Device, Tensor, Var};

/// Standard normal values of the given shape, f64 on the CPU.
pub(crate) fn random(shape: &[usize], seed: u64) -> Tensor {
    let mut s = stream(seed, "test", 0);
    let data: Vec<f64> = (0..shape.iter().product()).map(|_| f64::from(s.normal())).collect();
    Tensor::from_vec(data, shape, &Device::Cpu).unwrap()
}

/// The device that ops are tested on: `CPC_TEST_DEVICE`, as `--device`, or the CPU.
pub(crate) fn device() -> Device {
    static DEVICE: std::sync::OnceLock<Device> = std::sync::OnceLock::new();
    let named = || crate::device::parse(&std::env::var("CPC_TEST_DEVICE").unwrap_or("cpu".into())).unwrap();
    DEVICE.get_or_init(named).clone()
}

/// As f32 on the device that ops are tested on.
pub(crate) fn single(t: &Tensor) -> Tensor {
    t.to_dtype(DType::F32).unwrap().to_device(&device()).unwrap()
}

/// Asserts that two tensors agree to `tolerance`, relative to the larger of 1 and the largest element.
pub(crate) fn close(a: &Tensor, b: &Tensor, tolerance: f64) {
    assert_eq!(a.dims(), b.dims());
    let values = |t: &Tensor| {
        t.to_device(&Device::Cpu)
            .unwrap()
            .to_dtype(DType::F64)
            .unwrap()
            .flatten_all()
            .unwrap()
            .to_vec1::<f64>()
            .unwrap()
    };
    let (a, b) = (values(a), values(b));
    let size = b.iter().fold(1.0f64, |m, v| m.max(v.abs()));
    for (i, (x, y)) in a.iter().zip(&b).enumerate() {
        assert!((x - y).abs() <= tolerance * size, "element {i}: {x} against {y} (largest {size})");
    }
}

/// Reduces an output to a scalar in which every element has a different weight.
fn weigh(y: &Tensor) -> Tensor {
    let w = random(y.dims(), 99).to_dtype(y.dtype()).unwrap().to_device(y.device()).unwrap();
    // An output may be a scalar, which a CUDA device cannot sum.
    (y * w).unwrap().flatten_all().unwrap().sum_all().unwrap()
}

fn gradients(f: &impl Fn(&[Tensor]) -> Result<Tensor>, inputs: &[Tensor]) -> (Tensor, Vec<Tensor>) {
    let vars: Vec<Var> = inputs.iter().map(|t| Var::from_tensor(t).unwrap()).collect();
    let tensors: Vec<Tensor> = vars.iter().map(|v| v.as_tensor().clone()).collect();
    let y = f(&tensors).unwrap();
    let grads = weigh(&y).backward().unwrap();
    (y, vars.iter().map(|v| grads.get(v).expect("no gradient for an input").clone()).collect())
}

/// Asserts that the gradients of `f` in f64 match its finite differences (for up to 40 elements of each input).
pub(crate) fn finite_differences(f: impl Fn(&[Tensor]) -> Result<Tensor>, inputs: &[Tensor]) {
    let (_, grads) = gradients(&f, inputs);
    let value = |inputs: &[Tensor]| weigh(&f(inputs).unwrap()).to_scalar::<f64>().unwrap();
    let h = 1e-5;
    for (i, input) in inputs.iter().enumerate() {
        let data = input.flatten_all().unwrap().to_vec1::<f64>().unwrap();
        let grad = grads[i].flatten_all().unwrap().to_vec1::<f64>().unwrap();
        let stride = data.len().div_ceil(40);
        for e in (0..data.len()).step_by(stride) {
            let moved = |by: f64| {
                let mut data = data.clone();
                data[e] += by;
                let mut inputs = inputs.to_vec();
                inputs[i] = Tensor::from_vec(data, input.shape(), &Device::Cpu).unwrap();
                value(&inputs)
            };
            let slope = (moved(h) - moved(-h)) / (2.0 * h);
            let error = (slope - grad[e]).abs();
            assert!(error <= 1e-5 * slope.abs().max(1.0), "input {i}, element {e}: {} is not {slope}", grad[e]);
        }
    }
}

/// Asserts that `op` in f32, on the device that ops are tested on, equals `composed` in f64 on the CPU: the output and the gradient of every
/// input.
pub(crate) fn same(
    op: impl Fn(&[Tensor]) -> Result<Tensor>,
    composed: impl Fn(&[Tensor]) -> Result<Tensor>,
    inputs: &[Tensor],
) {
    let single: Vec<Tensor> = inputs.iter().map(single).collect();
    let ((y, grads), (want, want_grads)) = (gradients(&op, &single), gradients(&composed, inputs));
    close(&y, &want, 2e-5);
    grads.iter().zip(&want_grads).for_each(|(g, w)| close(g, w, 5e-5));
}
