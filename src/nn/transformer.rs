//! One transformer layer as a prediction head (CPC_audio's `--rnnMode transformer`; Vaswani et al. 2017, with relative positions).
//!
//! ```text
//! y = norm(x + W_o attention(W_q x, W_k x, W_v x))        head(x) = norm(y + W_2 relu(W_1 y))
//! attention = softmax((q k' + r) / sqrt(d)) v over positions up to each        r_ij = q_i . P[distance i - j]
//! ```
//!
//! It is built for a fixed number of positions, the frames of a window minus K, and accepts exactly that number.

use crate::error::{Error, Result};
use crate::nn::store::uniform_by_fan_in;
use crate::seed::Stream;
use candle_core::{D, Tensor};
use candle_nn::{Init, VarBuilder};

/// Number of attention heads of a layer.
pub const ATTENTION_HEADS: usize = 8;
/// The size of the hidden layer.
const FEED_FORWARD: usize = 2048;
/// The share of attention weights, and of the hidden layer, that training drops: always, whatever the value of `--dropout` in CPC_audio.
const DROPOUT: f32 = 0.1;
const EPS: f64 = 1e-5;

#[derive(Debug, Clone)]
pub(super) struct Transformer {
    q: Tensor, // (D, D), as k, v and o
    k: Tensor,
    v: Tensor,
    o: Tensor,
    relative: Tensor, // (D/8, P): the last column is distance 0
    mask: Tensor,     // (P, P): 0 up to the diagonal, and beyond it a value that softmax turns into 0
    attended: LayerNorm,
    first: Linear,
    second: Linear,
    out: LayerNorm,
}

impl Transformer {
    /// `vb` is rooted at `wPrediction.predictors.{k}.0`.
    ///
    /// Names: `multihead.W{q,k,v,o}.weight` (D, D), `multihead.Att.Krelpos` (D/8, P), `ln_multihead` and `ln_ffnetwork` `.weight` and
    /// `.bias` (D), `ffnetwork.lin1` (2048, D) and `ffnetwork.lin2` (D, 2048) `.weight` and `.bias`.
    pub fn new(dim: usize, positions: usize, vb: VarBuilder) -> Result<Self> {
        if positions == 0 || !dim.is_multiple_of(ATTENTION_HEADS) {
            return Err(Error::failed(
                format!("transformer heads of {dim} channels for {positions} positions cannot be built"),
                format!(
                    "the channels must be a multiple of {ATTENTION_HEADS}, and the window longer than heads.steps frames"
                ),
            ));
        }
        let multihead = vb.pp("multihead");
        let square = |name: &str| multihead.pp(name).get_with_hints((dim, dim), "weight", uniform_by_fan_in(dim));
        let depth = dim / ATTENTION_HEADS;
        let mask: Vec<f32> =
            (0..positions * positions).map(|at| if at % positions > at / positions { -1e30 } else { 0.0 }).collect();
        Ok(Transformer {
            q: square("Wq")?,
            k: square("Wk")?,
            v: square("Wv")?,
            o: square("Wo")?,
            relative: multihead.pp("Att").get_with_hints((depth, positions), "Krelpos", uniform_by_fan_in(depth))?,
            mask: Tensor::from_vec(mask, (positions, positions), vb.device())?,
            attended: LayerNorm::new(dim, vb.pp("ln_multihead"))?,
            first: Linear::new(dim, FEED_FORWARD, vb.pp("ffnetwork").pp("lin1"))?,
            second: Linear::new(FEED_FORWARD, dim, vb.pp("ffnetwork").pp("lin2"))?,
            out: LayerNorm::new(dim, vb.pp("ln_ffnetwork"))?,
        })
    }

    /// Returns (B, P, D) for `x` (B, P, D); with `dropout`, a tenth of the weights is dropped, chosen by the stream.
    pub fn forward(&self, x: &Tensor, mut dropout: Option<&mut Stream>) -> Result<Tensor> {
        let (batch, positions, dim) = x.dims3()?;
        let built_for = self.mask.dim(0)?;
        if positions != built_for {
            return Err(Error::failed(
                format!("the transformer heads are built for {built_for} positions, and the window gives {positions}"),
                "set data.window to the value that the model was trained with",
            ));
        }
        let (heads, depth) = (ATTENTION_HEADS, dim / ATTENTION_HEADS);
        let rows = x.contiguous()?.reshape((batch * positions, dim))?;
        let split = |w: &Tensor| -> Result<Tensor> {
            let y = rows.matmul(&w.t()?)?.reshape((batch, positions, heads, depth))?;
            Ok(y.transpose(1, 2)?.contiguous()?.reshape((batch * heads, positions, depth))?)
        };
        let (q, k, v) = (split(&self.q)?, split(&self.k)?, split(&self.v)?);
        // The score of query i at distance d is in column P - 1 - d. Prepending a column of zeros and reading the rows P at a time puts
        // distance i - j into column j.
        let by_distance = q.reshape((batch * heads * positions, depth))?.matmul(&self.relative)?.reshape((
            batch * heads,
            positions,
            positions,
        ))?;
        let zeros = Tensor::zeros((batch * heads, positions, 1), q.dtype(), q.device())?;
        let by_place = Tensor::cat(&[&zeros, &by_distance], 2)?
            .reshape((batch * heads, positions + 1, positions))?
            .narrow(1, 1, positions)?;
        let scores =
            ((q.matmul(&k.t()?.contiguous()?)? + by_place)? / (depth as f64).sqrt())?.broadcast_add(&self.mask)?;
        let weights = drop(&candle_nn::ops::softmax(&scores, D::Minus1)?, dropout.as_deref_mut())?;
        let attended = weights.matmul(&v)?.reshape((batch, heads, positions, depth))?;
        let attended =
            attended.transpose(1, 2)?.contiguous()?.reshape((batch * positions, dim))?.matmul(&self.o.t()?)?;
        let y = self.attended.forward(&(rows + attended)?)?;
        let between = drop(&self.first.forward(&y)?.relu()?, dropout)?;
        let out = self.out.forward(&(&y + self.second.forward(&between)?)?)?;
        Ok(out.reshape((batch, positions, dim))?)
    }
}

/// Drops a share of `x`, and scales the rest up so that the mean is unchanged.
fn drop(x: &Tensor, stream: Option<&mut Stream>) -> Result<Tensor> {
    let Some(stream) = stream else { return Ok(x.clone()) };
    let kept = 1.0 / (1.0 - DROPOUT);
    let mask: Vec<f32> = (0..x.elem_count()).map(|_| if stream.unit() < DROPOUT { 0.0 } else { kept }).collect();
    Ok((x * Tensor::from_vec(mask, x.shape(), x.device())?.to_dtype(x.dtype())?)?)
}

#[derive(Debug, Clone)]
struct Linear {
    weight: Tensor, // (out, in)
    bias: Tensor,
}

impl Linear {
    fn new(inputs: usize, outputs: usize, vb: VarBuilder) -> Result<Self> {
        let init = uniform_by_fan_in(inputs);
        Ok(Linear {
            weight: vb.get_with_hints((outputs, inputs), "weight", init)?,
            bias: vb.get_with_hints(outputs, "bias", init)?,
        })
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        Ok(x.matmul(&self.weight.t()?)?.broadcast_add(&self.bias)?)
    }
}

/// Layer norm over channels, with the biased variance. (Candle's own breaks the graph.)
#[derive(Debug, Clone)]
struct LayerNorm {
    gain: Tensor,
    shift: Tensor,
}

impl LayerNorm {
    fn new(dim: usize, vb: VarBuilder) -> Result<Self> {
        Ok(LayerNorm {
            gain: vb.get_with_hints(dim, "weight", Init::Const(1.0))?,
            shift: vb.get_with_hints(dim, "bias", Init::Const(0.0))?,
        })
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let centered = x.broadcast_sub(&x.mean_keepdim(D::Minus1)?)?;
        let spread = (centered.sqr()?.mean_keepdim(D::Minus1)? + EPS)?.sqrt()?;
        Ok(centered.broadcast_div(&spread)?.broadcast_mul(&self.gain)?.broadcast_add(&self.shift)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::ParamStore;
    use crate::ops::check::{finite_differences, random};
    use crate::seed::stream;
    use candle_core::{DType, Device};

    fn numbers(shape: &[usize], seed: u64) -> Tensor {
        random(shape, seed).to_dtype(DType::F32).unwrap()
    }

    #[test]
    fn a_position_sees_itself_and_those_before_it_and_none_after() {
        let head = Transformer::new(16, 7, ParamStore::new(2, &Device::Cpu).builder()).unwrap();
        let x = numbers(&[2, 7, 16], 1);
        let y = head.forward(&x, None).unwrap();
        for at in 0..7 {
            // Another input at one position changes the outputs from there on.
            let parts = [x.narrow(1, 0, at), Ok(numbers(&[2, 1, 16], 2)), x.narrow(1, at + 1, 6 - at)];
            let parts: Vec<Tensor> = parts.into_iter().map(|p| p.unwrap()).filter(|p| p.dim(1).unwrap() > 0).collect();
            let other = head.forward(&Tensor::cat(&parts, 1).unwrap(), None).unwrap();
            let far = (other - &y).unwrap().abs().unwrap().max(2).unwrap().max(0).unwrap().to_vec1::<f32>().unwrap();
            assert!(far[..at].iter().all(|&d| d == 0.0) && far[at..].iter().all(|&d| d > 1e-6), "{at}: {far:?}");
        }
        assert!(head.forward(&numbers(&[2, 6, 16], 1), None).is_err());
    }

    #[test]
    fn every_gradient_is_the_slope_with_and_without_dropout() {
        // For 8 channels, 5 hidden units and 4 positions; the last is x (2, 4, 8).
        let sizes: [&[usize]; 14] = [
            &[8, 8],
            &[8, 8],
            &[8, 8],
            &[8, 8],
            &[1, 4],
            &[8],
            &[8],
            &[5, 8],
            &[5],
            &[8, 5],
            &[8],
            &[8],
            &[8],
            &[2, 4, 8],
        ];
        let inputs: Vec<Tensor> = sizes.iter().enumerate().map(|(i, shape)| random(shape, i as u64)).collect();
        let mask: Vec<f64> = (0..16).map(|at| if at % 4 > at / 4 { -1e30 } else { 0.0 }).collect();
        let mask = Tensor::from_vec(mask, (4, 4), &Device::Cpu).unwrap();
        for seed in [None, Some(7)] {
            let forward = |t: &[Tensor]| {
                let at = |i: usize| t[i].clone();
                let layer = Transformer {
                    q: at(0),
                    k: at(1),
                    v: at(2),
                    o: at(3),
                    relative: at(4),
                    mask: mask.clone(),
                    attended: LayerNorm { gain: at(5), shift: at(6) },
                    first: Linear { weight: at(7), bias: at(8) },
                    second: Linear { weight: at(9), bias: at(10) },
                    out: LayerNorm { gain: at(11), shift: at(12) },
                };
                layer.forward(&t[13], seed.map(|s| stream(s, "dropout", 0)).as_mut())
            };
            finite_differences(forward, &inputs);
        }
    }

    #[test]
    fn parameters_start_as_pytorch_starts_them() {
        let store = ParamStore::new(5, &Device::Cpu);
        Transformer::new(16, 20, store.builder()).unwrap();
        let tensors = store.tensors();
        // nn.Linear: uniform within 1/sqrt(inputs), its bias too; Krelpos within 1/sqrt(d); nn.LayerNorm: ones and zeros.
        for (name, bound) in [
            ("multihead.Wq.weight", 0.25),
            ("multihead.Wo.weight", 0.25),
            ("multihead.Att.Krelpos", 0.5f64.sqrt()),
            ("ffnetwork.lin1.weight", 0.25),
            ("ffnetwork.lin1.bias", 0.25),
            ("ffnetwork.lin2.weight", 2048f64.powf(-0.5)),
            ("ffnetwork.lin2.bias", 2048f64.powf(-0.5)),
        ] {
            let values = tensors[name].flatten_all().unwrap().to_vec1::<f32>().unwrap();
            let largest = values.iter().fold(0.0f64, |m, v| m.max(f64::from(v.abs())));
            assert!(largest <= bound && largest > 0.75 * bound, "{name}: {largest}, not {bound}");
        }
        for (name, value) in [("weight", 1.0), ("bias", 0.0)] {
            for norm in ["ln_multihead", "ln_ffnetwork"] {
                assert_eq!(tensors[&format!("{norm}.{name}")].to_vec1::<f32>().unwrap(), [value; 16]);
            }
        }
    }

    #[test]
    fn dropout_follows_its_stream_and_keeps_the_mean() {
        let x = Tensor::ones((100, 100), DType::F32, &Device::Cpu).unwrap();
        let with = |index| {
            drop(&x, Some(&mut stream(1, "d", index))).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap()
        };
        assert_eq!(with(0), with(0));
        assert_ne!(with(0), with(1));
        let mean = with(0).iter().sum::<f32>() / 1e4;
        assert!((mean - 1.0).abs() < 0.02, "{mean}");
    }
}
