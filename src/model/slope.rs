//! A gradient check of whole models: every parameter has a gradient, and the gradient matches the slope of the loss.

use crate::nn::EmbeddingRows;
use candle_core::{Tensor, Var};

/// Asserts that every parameter has a gradient that is finite and non-zero, except for those that `idle` accepts. Also asserts that the
/// directional derivative of the f32 `loss` along the gradient equals the norm of the gradient. `loss` also returns the rows of a table
/// that it used, if there is one.
pub fn slope(
    params: &[(String, Var)],
    loss: impl Fn() -> (Tensor, Option<EmbeddingRows>),
    idle: impl Fn(&str) -> bool,
    what: &str,
) {
    let (value, rows) = loss();
    let grads = value.backward().unwrap();
    let mut squares = 0.0;
    let mut direction = Vec::new();
    for (name, var) in params {
        let grad = match rows.as_ref().filter(|rows| rows.name == *name) {
            None => grads.get(var).unwrap_or_else(|| panic!("{name} has no gradient")).detach(),
            Some(rows) => {
                assert!(grads.get(var).is_none(), "{name} has a gradient in addition to that of its rows");
                let at = Tensor::from_slice(&rows.ids, rows.ids.len(), var.device()).unwrap();
                let grad = grads.get(&rows.values).unwrap_or_else(|| panic!("the rows of {name} have no gradient"));
                var.as_tensor().zeros_like().unwrap().detach().index_add(&at, &grad.detach(), 0).unwrap()
            }
        };
        let square = f64::from(grad.sqr().unwrap().sum_all().unwrap().to_scalar::<f32>().unwrap());
        assert!(square.is_finite() && (square > 0.0 || idle(name)), "{name}: {square}");
        squares += square;
        direction.push((var, grad));
    }
    let norm = squares.sqrt();
    let moved = |by: f64| {
        for (var, grad) in &direction {
            var.set(&(var.as_tensor().detach() + (grad * (by / norm)).unwrap()).unwrap()).unwrap();
        }
    };
    let h = 1e-3 / norm.max(1.0);
    let value = || f64::from(loss().0.to_scalar::<f32>().unwrap());
    moved(h);
    let above = value();
    moved(-2.0 * h);
    let slope = (above - value()) / (2.0 * h);
    assert!((slope - norm).abs() < 0.03 * norm + 2e-3 / h * 1e-3, "{what}: slope {slope}, norm {norm}");
}
