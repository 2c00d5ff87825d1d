//! The latents of all processes of a group, so that each can draw negatives from them.

use crate::error::{Error, Result};
use crate::group::{Group, Message, Reading};
use crate::ops::function::function;
use candle_core::Tensor;

/// The values (n) from `first` on, then those before it.
fn rotated(values: &Tensor, first: usize) -> Result<Tensor> {
    let n = values.elem_count();
    if first == 0 || first == n {
        return Ok(values.clone());
    }
    Ok(Tensor::cat(&[values.narrow(0, first, n - first)?, values.narrow(0, 0, first)?], 0)?)
}

/// The windows of all processes, (all windows, T, D): those of this process, `z` (B, T, D), first, then those of the next ranks in turn.
///
/// The gradient of a window is the sum of the gradients that it has in all processes, added in the order of their ranks. Both passes are
/// exchanges: all processes have to make them in the same order.
///
/// # Errors
/// The windows of another process have other sizes; another process has failed.
pub fn all_windows(z: &Tensor, group: &Group) -> Result<Tensor> {
    if group.size() == 1 {
        return Ok(z.clone());
    }
    let (batch, time, dim) = z.dims3()?;
    let mine = Message::new().number(batch as u64).number(time as u64).number(dim as u64).take();
    let mut counts = Vec::new();
    for bytes in group.gather(mine)? {
        let mut reading = Reading::new(&bytes);
        let windows = reading.number()? as usize;
        if (reading.number()?, reading.number()?) != (time as u64, dim as u64) {
            return Err(Error::failed(
                "objective.gather: the processes have windows of different lengths",
                "set data.window to one length, or objective.gather=false",
            ));
        }
        counts.push(windows * time * dim);
    }
    let (rank, all) = (group.rank(), counts.iter().sum::<usize>());
    let first: usize = counts[..rank].iter().sum();
    let joined = group.gather_values(&z.detach().flatten_all()?, &counts)?;
    let joined = rotated(&joined, first)?.reshape(((), time, dim))?;
    let (shape, group) = (z.shape().clone(), group.clone());
    let backward = move |grad: &Tensor| -> Result<[Option<Tensor>; 3]> {
        let by_rank = rotated(&grad.detach().flatten_all()?, all - first)?;
        let received = group.exchange(&by_rank, &counts)?;
        let mut sum = received.narrow(0, 0, counts[rank])?;
        for part in 1..group.size() {
            sum = (sum + received.narrow(0, part * counts[rank], counts[rank])?)?;
        }
        Ok([Some(sum.reshape(&shape)?), None, None])
    };
    let constant = Tensor::zeros(1, z.dtype(), z.device())?;
    function([z, &constant, &constant], joined, backward)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::group::threads::together;
    use crate::ops::check::random;
    use candle_core::{DType, Var};

    fn host(tensor: &Tensor) -> Result<Vec<f32>> {
        Ok(tensor.detach().flatten_all()?.to_vec1()?)
    }

    /// The windows of process `rank`, which has `rank + 1` of them.
    fn windows(rank: usize) -> Tensor {
        random(&[rank + 1, 2, 3], 7 + rank as u64).to_dtype(DType::F32).unwrap()
    }

    /// What process `rank` makes of all windows: their squares, weighted by numbers of its own.
    fn loss(all: &Tensor, rank: usize) -> Tensor {
        let weights = random(&[6, 2, 3], 50 + rank as u64).to_dtype(DType::F32).unwrap();
        all.sqr().unwrap().mul(&weights).unwrap().sum_all().unwrap()
    }

    /// The windows of all three processes, as process `rank` sees them.
    fn seen_by(rank: usize, of: &[Tensor]) -> Tensor {
        let order: Vec<&Tensor> = (0..3).map(|k| &of[(rank + k) % 3]).collect();
        Tensor::cat(&order, 0).unwrap()
    }

    #[test]
    fn the_gradient_is_that_of_all_losses_together() {
        let gradients = together(3, |group| {
            let z = Var::from_tensor(&windows(group.rank())).unwrap();
            let all = all_windows(&z, &group).unwrap();
            let expected = seen_by(group.rank(), &[windows(0), windows(1), windows(2)]);
            assert_eq!(host(&all).unwrap(), host(&expected).unwrap());
            host(loss(&all, group.rank()).backward().unwrap().get(&z).unwrap()).unwrap()
        });
        let whole: Vec<Var> = (0..3).map(|rank| Var::from_tensor(&windows(rank)).unwrap()).collect();
        let tensors: Vec<Tensor> = whole.iter().map(|var| var.as_tensor().clone()).collect();
        let total = (0..3).map(|rank| loss(&seen_by(rank, &tensors), rank)).reduce(|a, b| (a + b).unwrap()).unwrap();
        let grads = total.backward().unwrap();
        for (var, gradient) in whole.iter().zip(gradients) {
            let expected = host(grads.get(var).unwrap()).unwrap();
            assert!(expected.iter().zip(&gradient).all(|(a, b)| (a - b).abs() < 1e-5 * a.abs().max(1.0)));
        }
    }
}
