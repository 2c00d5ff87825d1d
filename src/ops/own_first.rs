//! Rows of scores with the joint pair in front, as bounds on mutual information take them, from matrices in which it stands on a diagonal.

use crate::error::{Error, Result};
use crate::ops::function::{Floats, Form, Output, function};
use candle_core::{Device, Tensor};

/// (R, M) of `scores` (R, M): the score in column `from + i` of row i moves to the front, and those before it move by one.
///
/// # Errors
/// A row has no such column.
pub fn own_first(scores: &Tensor, from: usize) -> Result<Tensor> {
    let (rows, width) = scores.dims2()?;
    if from + rows > width || rows == 0 {
        let what = format!("{rows} rows of {width} scores do not have their own in column {from} and the next ones");
        return Err(Error::Tensor(candle_core::Error::Msg(what)));
    }
    match Form::of(scores) {
        Form::Fused => fused(scores, from),
        _ => composed(scores, from),
    }
}

/// [`own_first`] built from candle operations.
fn composed(scores: &Tensor, from: usize) -> Result<Tensor> {
    let (rows, width) = scores.dims2()?;
    let others = |own: usize| (0..width).filter(move |&j| j != own);
    let places = (from..from + rows).flat_map(|own| std::iter::once(own).chain(others(own))).map(|j| j as u32);
    Ok(scores.contiguous()?.gather(&Tensor::from_vec(places.collect(), (rows, width), scores.device())?, 1)?)
}

/// [`own_first`] on the CPU in f32: two copies a row.
fn fused(scores: &Tensor, from: usize) -> Result<Tensor> {
    let scores = scores.contiguous()?;
    let (rows, width) = scores.dims2()?;
    let mut out = Vec::with_capacity(rows * width);
    for (i, row) in Floats::of(&scores)?.chunks_exact(width).enumerate() {
        out.push(row[from + i]);
        out.extend_from_slice(&row[..from + i]);
        out.extend_from_slice(&row[from + i + 1..]);
    }
    let backward = move |grad: &Tensor| -> Result<[Option<Tensor>; 3]> {
        let grad = grad.contiguous()?;
        let mut back = Vec::with_capacity(rows * width);
        for (i, row) in Floats::of(&grad)?.chunks_exact(width).enumerate() {
            back.extend_from_slice(&row[1..=from + i]);
            back.push(row[0]);
            back.extend_from_slice(&row[from + i + 1..]);
        }
        Ok([Some(Tensor::from_vec(back, (rows, width), &Device::Cpu)?), None, None])
    };
    function([&scores, &scores, &scores], Output::floats(out, (rows, width)), backward)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::check::{finite_differences, random, same};

    #[test]
    fn fused_equals_composed_equals_finite_differences() {
        for (rows, width, from) in [(4, 4, 0), (3, 7, 0), (3, 7, 4), (1, 1, 0)] {
            let inputs = [random(&[rows, width], 1)];
            same(|t| own_first(&t[0], from), |t| composed(&t[0], from), &inputs);
            finite_differences(|t| composed(&t[0], from), &inputs);
        }
        assert!(own_first(&random(&[3, 7], 1), 5).is_err() && own_first(&random(&[0, 0], 1), 0).is_err());
    }
}
