//! Critics T(x, y): networks that score how well x and y go together, all pairs of a batch at once.
//!
//! ```text
//! joint      T = MLP([x; y])                     (Belghazi et al. 2018; concat-and-convolve of Hjelm et al. 2019)
//! separable  T = f(x) . g(y)                     (van den Oord et al. 2018; encode-and-dot-product)
//! bilinear   T = x' W y                          (the W_k of CPC)
//! density    T = log q(x | y), normal in each coordinate, with mean and variance computed from y (CLUB, Cheng et al. 2020)
//! ```
//!
//! The separable critic costs two networks on N rows and one product. Its networks have GELU, with which they unwind spirals better than with ReLU; the
//! others have ReLU. The joint critic costs a network on N^2 rows, whose first layer is
//! shared: W [x; y] = W_x x + W_y y.

use crate::error::Result;
use crate::nn::linear::{Linear, Mlp, SmoothMlp};
use crate::nn::store::uniform_by_fan_in;
use crate::ops::linear::{linear_onto, product};
use crate::ops::pair_sums::pair_sums;
use candle_core::Tensor;
use candle_nn::VarBuilder;
use std::fmt;
use std::str::FromStr;

/// The form of a critic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CriticKind {
    /// One network on x and y together.
    Joint,
    /// One network on x and one on y, and the inner product of their outputs.
    Separable,
    /// A matrix.
    Bilinear,
    /// The logarithm of a normal density of x, whose mean and variance a network computes from y.
    Density,
}

impl CriticKind {
    /// Every form.
    pub const ALL: [CriticKind; 4] =
        [CriticKind::Joint, CriticKind::Separable, CriticKind::Bilinear, CriticKind::Density];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            CriticKind::Joint => "joint",
            CriticKind::Separable => "separable",
            CriticKind::Bilinear => "bilinear",
            CriticKind::Density => "density",
        }
    }
}

impl fmt::Display for CriticKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for CriticKind {
    type Err = String;

    fn from_str(name: &str) -> std::result::Result<CriticKind, String> {
        let names = CriticKind::ALL.map(CriticKind::name).join(", ");
        CriticKind::ALL.into_iter().find(|k| k.name() == name).ok_or_else(|| format!("expected one of {names}"))
    }
}

/// Sizes of a critic's networks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CriticSize {
    /// Units of each hidden layer.
    pub hidden_dim: usize,
    /// Number of hidden layers.
    pub layers: usize,
    /// Number of dimensions of f(x) and g(y).
    pub embedding_dim: usize,
}

/// A critic.
#[derive(Debug, Clone)]
pub struct Critic(Form);

#[derive(Debug, Clone)]
enum Form {
    Joint { x: Linear, y: Linear, rest: Mlp },
    Inner(Sides),
}

/// The critics that are inner products of a function of x and one of y.
#[derive(Debug, Clone)]
enum Sides {
    Separable { f: SmoothMlp, g: SmoothMlp },
    Bilinear(Tensor), // (p, q)
    Density(Mlp),     // on y, 2p outputs: mean and log variance
}

impl Critic {
    /// A critic of `kind` for x (p) and y (q), with parameters from `vb`.
    ///
    /// # Errors
    /// If the parameters have other shapes.
    pub fn new(kind: CriticKind, [p, q]: [usize; 2], size: CriticSize, vb: &VarBuilder) -> Result<Self> {
        let CriticSize { hidden_dim, layers, embedding_dim } = size;
        let widths = |from: usize, to: usize, layers: usize| -> Vec<usize> {
            std::iter::once(from).chain(std::iter::repeat_n(hidden_dim, layers)).chain([to]).collect()
        };
        let mlp = |name: &str, from: usize, to: usize, layers: usize| Mlp::new(&widths(from, to, layers), &vb.pp(name));
        let smooth = |name: &str, from: usize| SmoothMlp::new(&widths(from, embedding_dim, layers), &vb.pp(name));
        Ok(Critic(match kind {
            CriticKind::Joint => Form::Joint {
                x: Linear::new(p, hidden_dim, p + q, &vb.pp("x"))?,
                y: Linear::new(q, hidden_dim, p + q, &vb.pp("y"))?,
                rest: mlp("rest", hidden_dim, 1, layers.max(1) - 1)?,
            },
            CriticKind::Separable => Form::Inner(Sides::Separable { f: smooth("f", p)?, g: smooth("g", q)? }),
            CriticKind::Bilinear => {
                Form::Inner(Sides::Bilinear(vb.get_with_hints((p, q), "weight", uniform_by_fan_in(p * q))?))
            }
            CriticKind::Density => Form::Inner(Sides::Density(mlp("density", q, 2 * p, layers)?)),
        }))
    }

    /// T(x_i, y_i) (N) for pairs of `x` (N, p) and `y` (N, q).
    ///
    /// # Errors
    /// If `x` and `y` differ in number.
    pub fn pairs(&self, x: &Tensor, y: &Tensor) -> Result<Tensor> {
        match &self.0 {
            Form::Joint { x: of_x, y: of_y, rest } => {
                let hidden = (of_x.forward(x)? + of_y.forward(y)?)?.relu()?;
                Ok(rest.forward(&hidden)?.squeeze(1)?)
            }
            Form::Inner(sides) => {
                let [of_x, of_y] = sides.of(x, y)?;
                Ok((of_x * of_y)?.sum(1)?)
            }
        }
    }

    /// T(x_j, y_i) for all pairs (N, M): one row for each of `y` (N, q), one column for each of `x` (M, p).
    ///
    /// # Errors
    /// If the number of columns does not match.
    pub fn all_pairs(&self, x: &Tensor, y: &Tensor) -> Result<Tensor> {
        match &self.0 {
            Form::Joint { x: of_x, y: of_y, rest } => {
                let hidden = pair_sums(&of_x.forward(x)?, &of_y.forward(y)?)?;
                Ok(rest.forward(&hidden)?.reshape((y.dim(0)?, x.dim(0)?))?)
            }
            Form::Inner(sides) => {
                let [of_x, of_y] = sides.of(x, y)?;
                product(&of_y, &of_x)
            }
        }
    }

    /// [`Critic::all_pairs`] added to `base` (N, M).
    ///
    /// # Errors
    /// If the shapes do not match.
    pub fn all_pairs_onto(&self, x: &Tensor, y: &Tensor, base: &Tensor) -> Result<Tensor> {
        match &self.0 {
            Form::Joint { .. } => Ok((self.all_pairs(x, y)? + base)?),
            Form::Inner(sides) => {
                let [of_x, of_y] = sides.of(x, y)?;
                linear_onto(&of_y, &of_x, base)
            }
        }
    }
}

impl Sides {
    /// The function of x (M, k) and that of y (N, k).
    fn of(&self, x: &Tensor, y: &Tensor) -> Result<[Tensor; 2]> {
        Ok(match self {
            Sides::Separable { f, g } => [f.forward(x)?, g.forward(y)?],
            Sides::Bilinear(weight) => [x.matmul(weight)?, y.clone()],
            Sides::Density(net) => {
                let p = x.dim(1)?;
                let out = net.forward(y)?; // (N, 2p)
                let mean = out.narrow(1, 0, p)?;
                // Between e^-10 and e^10: a density more certain than that is overfitted.
                let log_variance = (out.narrow(1, p, p)? / 10.0)?.tanh()?.affine(10.0, 0.0)?;
                let precision = log_variance.neg()?.exp()?;
                let weighted = (&mean * &precision)?;
                // -1/2 sum (x - m)^2 / v + log v + log 2 pi: x^2 times -1/(2v), x times m/v, and 1 times the rest.
                let own = ((&mean * &weighted)? + log_variance)?.sum_keepdim(1)?; // (N, 1)
                let constant = p as f64 * (2.0 * std::f64::consts::PI).ln();
                let of_y = [precision.affine(-0.5, 0.0)?, weighted, own.affine(-0.5, -0.5 * constant)?];
                let of_x = [x.sqr()?, x.clone(), x.narrow(1, 0, 1)?.ones_like()?];
                [Tensor::cat(&of_x, 1)?, Tensor::cat(&of_y, 1)?]
            }
        })
    }
}

/// A network on y alone: log a(y), the baseline of TUBA and I_alpha.
#[derive(Debug, Clone)]
pub struct Baseline(Mlp);

impl Baseline {
    /// A baseline for y (q), whose last layer starts at zero.
    ///
    /// # Errors
    /// If the parameters have other shapes.
    pub fn new(q: usize, size: CriticSize, vb: &VarBuilder) -> Result<Self> {
        let hidden = std::iter::repeat_n(size.hidden_dim, size.layers);
        let widths: Vec<usize> = std::iter::once(q).chain(hidden).chain([1]).collect();
        Ok(Baseline(Mlp::new(&widths, &vb.pp("baseline"))?))
    }

    /// log a(y) (N) for `y` (N, q).
    pub fn forward(&self, y: &Tensor) -> Result<Tensor> {
        Ok(self.0.forward(y)?.squeeze(1)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::ParamStore;
    use crate::ops::check::{finite_differences, random};
    use candle_core::{DType, Device};
    use candle_nn::VarBuilder;
    use std::collections::HashMap;

    const SIZE: CriticSize = CriticSize { hidden_dim: 4, layers: 2, embedding_dim: 3 };

    /// The critic's parameters by name, in f64.
    fn parameters(kind: CriticKind) -> Vec<(String, Tensor)> {
        let store = ParamStore::new(3, &Device::Cpu);
        Critic::new(kind, [3, 2], SIZE, &store.builder()).unwrap();
        store.trainable().into_iter().map(|(n, v)| (n, v.as_tensor().to_dtype(DType::F64).unwrap())).collect()
    }

    #[test]
    fn every_parameter_and_input_has_the_slope_that_differences_show() {
        for kind in CriticKind::ALL {
            let named = parameters(kind);
            let mut inputs = vec![random(&[5, 3], 1), random(&[4, 2], 2)];
            inputs.extend(named.iter().map(|(_, t)| t.clone()));
            finite_differences(
                |t| {
                    let tensors: HashMap<String, Tensor> =
                        named.iter().zip(&t[2..]).map(|((name, _), t)| (name.clone(), t.clone())).collect();
                    let vb = VarBuilder::from_tensors(tensors, DType::F64, &Device::Cpu);
                    Critic::new(kind, [3, 2], SIZE, &vb)?.all_pairs(&t[0], &t[1])
                },
                &inputs,
            );
        }
    }

    #[test]
    fn a_pair_scores_the_same_alone_and_among_others() {
        let store = ParamStore::new(1, &Device::Cpu);
        let (x, y) =
            (random(&[6, 3], 1).to_dtype(DType::F32).unwrap(), random(&[5, 2], 2).to_dtype(DType::F32).unwrap());
        for kind in CriticKind::ALL {
            let critic = Critic::new(kind, [3, 2], SIZE, &store.builder().pp(kind.name())).unwrap();
            let all = critic.all_pairs(&x, &y).unwrap();
            assert_eq!(all.dims(), [5, 6]);
            let one = critic.all_pairs(&x.narrow(0, 4, 1).unwrap(), &y.narrow(0, 2, 1).unwrap()).unwrap();
            let (one, among) = (one.to_vec2::<f32>().unwrap()[0][0], all.to_vec2::<f32>().unwrap()[2][4]);
            assert!((one - among).abs() < 1e-5, "{kind}: {one} {among}");
            let five = critic.pairs(&x.narrow(0, 0, 5).unwrap(), &y).unwrap().to_vec1::<f32>().unwrap();
            let all = all.to_vec2::<f32>().unwrap();
            assert!((0..5).all(|i| (five[i] - all[i][i]).abs() < 1e-5), "{kind}: {five:?}");
        }
    }

    #[test]
    fn a_density_sums_to_one() {
        let store = ParamStore::new(1, &Device::Cpu);
        let critic = Critic::new(CriticKind::Density, [1, 2], SIZE, &store.builder()).unwrap();
        let x: Vec<f32> = (0..4000).map(|i| (i as f32 - 2000.0) * 0.01).collect();
        let x = Tensor::from_vec(x, (4000, 1), &Device::Cpu).unwrap();
        let y = Tensor::new(&[[0.3f32, -1.0]], &Device::Cpu).unwrap();
        let density = critic.all_pairs(&x, &y).unwrap().exp().unwrap().sum_all().unwrap().to_scalar::<f32>().unwrap();
        assert!((density * 0.01 - 1.0).abs() < 1e-3, "{density}");
    }

    #[test]
    fn names_are_read_as_they_are_written() {
        for kind in CriticKind::ALL {
            assert_eq!(kind.name().parse::<CriticKind>(), Ok(kind));
        }
        assert!("mlp".parse::<CriticKind>().unwrap_err().contains("separable"));
    }
}
