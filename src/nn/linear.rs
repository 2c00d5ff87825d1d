//! Network layers: affine maps, and stacks of them with ReLU in between.

use crate::error::Result;
use crate::nn::store::uniform_by_fan_in;
use crate::ops::linear::{linear, linear_gelu, linear_onto};
use candle_core::{Device, Tensor};
use candle_nn::VarBuilder;

/// A layer with `weight` (out, in) and `bias` (out), under PyTorch's names and with PyTorch's initialization.
#[derive(Debug, Clone)]
pub struct Linear {
    weight: Tensor,
    bias: Tensor,
}

impl Linear {
    /// A layer from `from` to `to` dimensions, initialized as a layer of `fan_in` inputs; that is more than `from` if this layer is part of a
    /// larger one.
    ///
    /// # Errors
    /// If the parameters have other shapes.
    pub fn new(from: usize, to: usize, fan_in: usize, vb: &VarBuilder) -> Result<Self> {
        let start = uniform_by_fan_in(fan_in);
        Ok(Linear {
            weight: vb.get_with_hints((to, from), "weight", start)?,
            bias: vb.get_with_hints(to, "bias", start)?,
        })
    }

    /// The number of inputs.
    ///
    /// # Errors
    /// The weight is not a matrix.
    pub fn inputs(&self) -> Result<usize> {
        Ok(self.weight.dim(1)?)
    }

    /// The layer as constants on the CPU.
    ///
    /// # Errors
    /// They cannot be copied.
    pub fn held(&self) -> Result<Linear> {
        Ok(Linear { weight: held(&self.weight)?, bias: held(&self.bias)? })
    }

    /// Returns (N, out) for `x` (N, in).
    ///
    /// # Errors
    /// If the number of columns does not match.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        linear(x, &self.weight, &self.bias, false)
    }

    /// The same, followed by ReLU.
    ///
    /// # Errors
    /// If the number of columns does not match.
    pub fn forward_relu(&self, x: &Tensor) -> Result<Tensor> {
        linear(x, &self.weight, &self.bias, true)
    }

    /// The same, followed by GELU.
    ///
    /// # Errors
    /// If the number of columns does not match.
    pub fn forward_gelu(&self, x: &Tensor) -> Result<Tensor> {
        linear_gelu(x, &self.weight, &self.bias)
    }

    /// Its product with `x` (N, in) plus its bias, added to the product of `beside` (N, others) and `weight` (out, others).
    ///
    /// # Errors
    /// If the numbers of columns do not match.
    pub fn forward_onto(&self, x: &Tensor, beside: &Tensor, weight: &Tensor) -> Result<Tensor> {
        linear_onto(x, &self.weight, &linear(beside, weight, &self.bias, false)?)
    }
}

/// A constant on the CPU, for work that runs there.
///
/// # Errors
/// It cannot be copied.
pub fn held(t: &Tensor) -> Result<Tensor> {
    Ok(t.detach().to_device(&Device::Cpu)?)
}

/// Layers with GELU in between, for smooth functions.
#[derive(Debug, Clone)]
pub struct SmoothMlp(Vec<Linear>);

impl SmoothMlp {
    /// A layer from each of `widths` to the next, named by its index.
    ///
    /// # Errors
    /// If the parameters have other shapes.
    pub fn new(widths: &[usize], vb: &VarBuilder) -> Result<Self> {
        Ok(SmoothMlp(layers(widths, vb)?))
    }

    /// Returns (N, last) for `x` (N, first).
    ///
    /// # Errors
    /// If the number of columns does not match.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        through(&self.0, x, Linear::forward_gelu)
    }
}

/// The layers one after the other: all but the last with an activation.
fn through(layers: &[Linear], x: &Tensor, active: impl Fn(&Linear, &Tensor) -> Result<Tensor>) -> Result<Tensor> {
    let Some((last, inner)) = layers.split_last() else { return Ok(x.clone()) };
    let inner = inner.iter().try_fold(x.clone(), |out, layer| active(layer, &out))?;
    last.forward(&inner)
}

fn layers(widths: &[usize], vb: &VarBuilder) -> Result<Vec<Linear>> {
    widths.windows(2).enumerate().map(|(i, w)| Linear::new(w[0], w[1], w[0], &vb.pp(i))).collect()
}

/// Layers with ReLU in between.
#[derive(Debug, Clone)]
pub struct Mlp(Vec<Linear>);

impl Mlp {
    /// A layer from each of `widths` to the next, named by its index.
    ///
    /// # Errors
    /// If the parameters have other shapes.
    pub fn new(widths: &[usize], vb: &VarBuilder) -> Result<Self> {
        Ok(Mlp(layers(widths, vb)?))
    }

    /// Returns (N, last) for `x` (N, first).
    ///
    /// # Errors
    /// If the number of columns does not match.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        through(&self.0, x, Linear::forward_relu)
    }

    /// The gradient of the first output with respect to the inputs (N, first) at `x` (N, first), as a function of the weights that can be
    /// differentiated again, as a gradient penalty needs. Which units are active is treated as constant.
    ///
    /// # Errors
    /// If the number of columns does not match.
    pub fn slope(&self, x: &Tensor) -> Result<Tensor> {
        let (mut out, mut at_work) = (x.detach(), Vec::new());
        for layer in self.0.iter().take(self.0.len().saturating_sub(1)) {
            out = layer.forward_relu(&out)?.detach();
            at_work.push(out.gt(0.0)?.to_dtype(out.dtype())?);
        }
        let Some(last) = self.0.last() else { return Ok(x.ones_like()?) };
        let first = last.weight.narrow(0, 0, 1)?; // (1, width)
        let mut slope = first.broadcast_as((x.dim(0)?, first.dim(1)?))?.contiguous()?;
        for (layer, at_work) in self.0.iter().rev().skip(1).zip(at_work.iter().rev()) {
            slope = (slope * at_work)?.matmul(&layer.weight)?;
        }
        Ok(slope)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::check::{close, finite_differences, random};
    use candle_core::{DType, Var};
    use std::collections::HashMap;

    fn weights() -> Vec<(String, Tensor)> {
        let shapes: [(&str, &[usize]); 6] = [
            ("0.weight", &[5, 3]),
            ("0.bias", &[5]),
            ("1.weight", &[4, 5]),
            ("1.bias", &[4]),
            ("2.weight", &[1, 4]),
            ("2.bias", &[1]),
        ];
        shapes.iter().zip(1..).map(|((name, shape), seed)| (name.to_string(), random(shape, seed))).collect()
    }

    fn mlp(tensors: &[Tensor]) -> Mlp {
        let named: HashMap<String, Tensor> =
            weights().into_iter().zip(tensors).map(|((name, _), t)| (name, t.clone())).collect();
        Mlp::new(&[3, 5, 4, 1], &VarBuilder::from_tensors(named, DType::F64, &Device::Cpu)).unwrap()
    }

    #[test]
    fn the_slope_is_the_gradient_and_has_one_itself() {
        let tensors: Vec<Tensor> = weights().into_iter().map(|(_, t)| t).collect();
        let x = Var::from_tensor(&random(&[6, 3], 9)).unwrap();
        let y = mlp(&tensors).forward(&x).unwrap().sum_all().unwrap();
        close(&mlp(&tensors).slope(&x).unwrap(), y.backward().unwrap().get(&x).unwrap(), 1e-12);
        let matrices: Vec<Tensor> = tensors.iter().step_by(2).cloned().collect();
        let all = |t: &[Tensor]| -> Vec<Tensor> {
            t.iter().zip(tensors.iter().skip(1).step_by(2)).flat_map(|(w, b)| [w.clone(), b.clone()]).collect()
        };
        finite_differences(|t| mlp(&all(t)).slope(&x.as_tensor().detach()), &matrices);
    }
}
