//! Products with a weight and a bias.

use crate::error::Result;
use crate::ops::cuda::gpu::{BUSY, Gpu, address, blocks, launch};
use crate::ops::cuda::product::Matrix;
use crate::ops::cuda::reduce::REDUCE;
use crate::ops::function::{Output, function};
use candle_core::Tensor;

/// (N, O) for `x` (N, I), `weight` (O, I) and, if there is one, `bias` (O); followed by ReLU if `relu`, which needs a bias.
pub(in crate::ops) fn linear(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>, relu: bool) -> Result<Tensor> {
    let (x, weight) = (x.contiguous()?, weight.contiguous()?);
    let ((n, inputs), outputs, gpu) = (x.dims2()?, weight.dim(0)?, Gpu::of(&x)?);
    let y = gpu.floats(n * outputs)?;
    let of_weight = Matrix::new(address(&weight)?, inputs);
    gpu.product([n, outputs, inputs], Matrix::new(address(&x)?, inputs), of_weight.t(), y.at(), outputs, false)?;
    if let Some(bias) = bias {
        let bias = bias.contiguous()?; // it has to live until the launch
        launch!(gpu, REDUCE "add_bias", [blocks(n * outputs, 256, BUSY), 1], 256, 0, 8 * n * outputs;
            y.at(), address(&bias)?, n as u32, outputs as u32, u32::from(relu));
    }
    // ReLU is undone by its output.
    let (output, kept) = match relu {
        true => {
            let y = y.tensor((n, outputs));
            (Output::from(y.clone()), Some(y))
        }
        false => (y.output((n, outputs)), None),
    };
    let (x_kept, w_kept, tracked, with_bias) = (x.detach(), weight.detach(), x.track_op(), bias.is_some());
    let backward = move |grad: &Tensor| -> Result<[Option<Tensor>; 3]> {
        let mut grad = grad.contiguous()?;
        if let Some(y) = &kept {
            let masked = gpu.floats(n * outputs)?;
            launch!(gpu, REDUCE "relu_backward", [blocks(n * outputs, 256, BUSY), 1], 256, 0, 12 * n * outputs;
                address(&grad)?, address(y)?, masked.at(), (n * outputs) as u64);
            grad = masked.tensor((n, outputs));
        }
        let (g, w) = (Matrix::new(address(&grad)?, outputs), Matrix::new(address(&w_kept)?, inputs));
        let dx = match tracked {
            false => None,
            true => {
                let dx = gpu.floats(n * inputs)?;
                gpu.product([n, inputs, outputs], g, w, dx.at(), inputs, false)?;
                Some(dx.tensor((n, inputs)))
            }
        };
        let dw = gpu.floats(outputs * inputs)?;
        let x = Matrix::new(address(&x_kept)?, inputs);
        gpu.product([outputs, inputs, n], g.t(), x, dw.at(), inputs, false)?;
        let db = match with_bias {
            false => None,
            true => {
                let db = gpu.floats(outputs)?;
                gpu.sum_rows(address(&grad)?, db.at(), n, outputs, 1.0)?;
                Some(db.tensor(outputs))
            }
        };
        Ok([dx, Some(dw.tensor((outputs, inputs))), db])
    };
    let constant = x.detach();
    function([&x, &weight, bias.unwrap_or(&constant)], output, backward)
}
