//! CPC_audio's checkpoints. Their networks are the same as ours, under the same names, so loading one means taking the tensors that are
//! known and reporting the others.
//!
//! A *training checkpoint* (`checkpoint_N.pt`, with `checkpoint_args.json` next to it) contains `gEncoder` (encoder and context network),
//! `cpcCriterion` (the prediction heads), `optimizer` and `best`; a *released* one contains `config` and `weights`. Sizes are read from
//! the tensors themselves; the arguments are used only for what the tensors do not determine.

use crate::config::{ConvEncoderConfig, EncoderKind, HeadsKind, NormKind, ScoreKind};
use crate::error::{Error, Result};
use crate::kinds::audio::{AudioConfig, AudioModelConfig};
use crate::nn::{ContextKind, Moments};
use crate::weights::torch::{TorchTensor, TorchType, Value};
use candle_core::{Device, Tensor};
use std::collections::{BTreeMap, HashMap};

/// Prefix of the prediction heads' names.
pub use crate::signal::HEADS;
use crate::signal::rescaled;

/// A model read from a PyTorch checkpoint.
#[derive(Debug, Clone)]
pub struct Foreign {
    /// The kind of checkpoint, in words.
    pub layout: &'static str,
    /// The configuration of the model that its tensors form.
    pub config: AudioModelConfig,
    /// Its tensors under our names (which are its own).
    pub tensors: HashMap<String, Tensor>,
    /// What was ignored: its name, and the reason.
    pub ignored: Vec<(String, String)>,
    /// Adam's moments, if the checkpoint has them.
    pub moments: Option<Moments>,
}

/// Reads the contents of PyTorch's file. `args` is `checkpoint_args.json`, if it exists.
///
/// # Errors
/// It is not a CPC checkpoint (the error states what it contains), or its network is not supported by this crate (the error names it). The
/// message begins with `from`.
pub fn read(value: &Value, args: Option<&serde_json::Value>, from: &str) -> Result<Foreign> {
    let reader = Reader { from, ignored: Vec::new() };
    let (layout, model, criterion) = match (value.get("gEncoder"), value.get("weights")) {
        (Some(model), _) => ("CPC_audio training checkpoint", model, value.get("cpcCriterion")),
        (None, Some(model)) => ("CPC_audio released weights", model, None),
        _ if named(value, "gEncoder.conv0.weight") => ("CPC_audio state dictionary", value, None),
        _ if named(value, "encoder.conv0.weight") => (BSHALL, value, None),
        _ => return Err(reader.not_cpc(value)),
    };
    if layout != BSHALL && !named(model, "gEncoder.conv0.weight") {
        return Err(reader.not_cpc(model));
    }
    reader.read(layout, model, criterion, value, args)
}

/// The CPC-big network under other names (github.com/bshall/cpc, `cpc/cpc.py`).
const BSHALL: &str = "bshall/cpc state dictionary";

/// CPC_audio's name of a tensor of [`BSHALL`].
fn renamed(name: &str) -> String {
    let pairs =
        [("encoder.conv", "gEncoder.conv"), ("encoder.norm", "gEncoder.batchNorm"), ("context.lstm.", "gAR.baseNet.")];
    let found = pairs.iter().find_map(|(theirs, ours)| Some(format!("{ours}{}", name.strip_prefix(theirs)?)));
    found.unwrap_or_else(|| name.into())
}

/// The entry of a state dictionary, with or without the prefix `module.` that a parallel wrapper adds to all names.
fn entry<'a>(dict: &'a Value, name: &str) -> Option<&'a Value> {
    dict.get(name).or_else(|| dict.get(&format!("module.{name}")))
}

/// Whether a tensor is one that transformer heads store in addition to their parameters, although it follows from their size.
fn is_constant(name: &str) -> bool {
    [ZEROS, MASK].iter().any(|end| name.ends_with(end))
}

/// A column of zeros.
const ZEROS: &str = ".multihead.Att.z";
/// Minus infinity above the diagonal.
const MASK: &str = ".multihead.Att.mask";

fn named(dict: &Value, name: &str) -> bool {
    entry(dict, name).is_some()
}

struct Reader<'a> {
    from: &'a str,
    ignored: Vec<(String, String)>,
}

impl Reader<'_> {
    fn read(
        mut self,
        layout: &'static str,
        model: &Value,
        criterion: Option<&Value>,
        whole: &Value,
        args: Option<&serde_json::Value>,
    ) -> Result<Foreign> {
        let argument = |name: &str| -> Option<String> {
            let inside = whole.get("config").and_then(|c| c.get(name));
            let text = inside.and_then(|v| v.as_str().map(String::from).or_else(|| v.as_i64().map(|i| i.to_string())));
            text.or_else(|| match args?.get(name)? {
                serde_json::Value::Null => None,
                serde_json::Value::String(s) => Some(s.clone()),
                other => Some(other.to_string()),
            })
        };
        for (name, usual) in [("encoder_type", &["cpc"][..]), ("cpc_mode", &["none"]), ("arMode", &["GRU", "LSTM"])] {
            if let Some(value) = argument(name).filter(|v| !usual.contains(&v.as_str())) {
                return Err(self.unknown(&format!("{name} = {value}")));
            }
        }
        let mut tensors = BTreeMap::new();
        let mut order = Vec::new(); // parameters as CPC_audio passes them to Adam: the criterion's, then the model's
        for dict in criterion.into_iter().chain([model]) {
            for (name, value) in dict.entries() {
                let Some(name) = name.as_str().map(|n| n.strip_prefix("module.").unwrap_or(n)) else { continue };
                let name = if layout == BSHALL { renamed(name) } else { name.to_string() };
                match value.as_tensor() {
                    Some(tensor) => {
                        order.push((name.clone(), tensor.shape.clone()));
                        tensors.insert(name, tensor);
                    }
                    None => self.ignored.push((name, "is not a tensor".into())),
                }
            }
        }
        let mut config = AudioModelConfig::audio(&AudioConfig::default());
        config.encoder = self.encoder(&tensors)?;
        let (kind, hidden, layers) = self.context(&tensors)?;
        (config.context.kind, config.context.hidden_dim, config.context.num_layers) = (kind, hidden, layers);
        config.heads.score = ScoreKind::Mean;
        config.heads.steps = argument("nPredicts").and_then(|n| n.parse().ok()).unwrap_or(12);
        self.heads(&mut config, &tensors);
        let mut faults = Vec::new();
        config.heads.validate(&mut faults);
        config.heads.validate_sizes(config.encoder.hidden_dim, config.context.hidden_dim, &mut faults);
        if let Some(fault) = faults.first() {
            return Err(self.unknown(&format!("sizes out of range ({fault})")));
        }

        let mut taken = HashMap::new();
        for (name, tensor) in &tensors {
            if is_constant(name) {
                continue;
            }
            if self.ignored.iter().any(|(ignored, _)| ignored == name) {
                continue;
            }
            if ["gEncoder.", "gAR.baseNet.", HEADS].iter().any(|start| name.starts_with(start)) {
                taken.insert(name.clone(), to_candle(tensor)?);
            } else {
                self.ignored.push((name.clone(), "is not part of encoder, context network or prediction heads".into()));
            }
        }
        for (name, why) in [
            ("best", "the weights with the best validation; CPC_audio itself loads gEncoder"),
            ("config", "the arguments of the training run; sizes are taken from the tensors"),
        ] {
            if whole.get(name).is_some() {
                self.ignored.push((name.into(), why.into()));
            }
        }
        let moments = whole.get("optimizer").and_then(|o| moments(o, &order, &taken));
        if whole.get("optimizer").is_some() {
            let why = match &moments {
                Some(moments) => {
                    format!("Adam's moments after {} updates, used only with `--resume-optimizer`", moments.steps)
                }
                None => "contains no moments of these parameters".into(),
            };
            self.ignored.push(("optimizer".into(), why));
        }
        Ok(Foreign { layout, config, tensors: taken, ignored: self.ignored, moments })
    }

    fn encoder(&self, tensors: &BTreeMap<String, &TorchTensor>) -> Result<ConvEncoderConfig> {
        let usual = ConvEncoderConfig::default();
        let shapes: Vec<&[usize]> =
            (0..).map_while(|i| Some(tensors.get(&format!("gEncoder.conv{i}.weight"))?.shape.as_slice())).collect();
        let kernels: Vec<usize> = shapes.iter().map(|s| s.last().copied().unwrap_or(0)).collect();
        let hidden_dim = shapes.first().map_or(0, |s| s.first().copied().unwrap_or(0));
        let sound = shapes
            .iter()
            .enumerate()
            .all(|(i, s)| s.len() == 3 && s[0] == hidden_dim && s[1] == if i == 0 { 1 } else { hidden_dim });
        if kernels != usual.kernels || !sound {
            return Err(self.unknown(&format!("an encoder with convolutions {shapes:?} (outputs, inputs, taps)")));
        }
        let norm = match tensors.get("gEncoder.batchNorm0.weight").map(|t| t.shape.len()) {
            None => NormKind::None,
            Some(3) => NormKind::Channel,
            Some(_) if tensors.contains_key("gEncoder.batchNorm0.running_mean") => NormKind::Batch,
            Some(_) => return Err(self.unknown("normMode = instanceNorm")),
        };
        Ok(ConvEncoderConfig { hidden_dim, norm, ..usual })
    }

    fn context(&self, tensors: &BTreeMap<String, &TorchTensor>) -> Result<(ContextKind, usize, usize)> {
        let shape = |name: String| tensors.get(&name).map(|t| t.shape.as_slice());
        let kind = match shape("gAR.baseNet.weight_hh_l0".into()) {
            Some(&[rows, hidden]) if hidden > 0 && rows == 3 * hidden => (ContextKind::GRU, hidden),
            Some(&[rows, hidden]) if hidden > 0 && rows == 4 * hidden => (ContextKind::LSTM, hidden),
            Some(_) => return Err(self.unknown("a context network that is neither GRU nor LSTM")),
            None => {
                let names: Vec<&str> = tensors.keys().filter(|n| n.starts_with("gAR")).map(String::as_str).collect();
                let what = names.first().map_or("no context network".into(), |n| format!("a context network of {n}"));
                return Err(self.unknown(&what));
            }
        };
        let layers = (0..).take_while(|i| shape(format!("gAR.baseNet.weight_hh_l{i}")).is_some()).count();
        if tensors.contains_key("gAR.baseNet.weight_hh_l0_reverse") {
            return Err(self.unknown("a bidirectional context network"));
        }
        Ok((kind.0, kind.1, layers))
    }

    /// Sets K and the kind of the heads. Heads that this crate does not support are ignored: features do not need them.
    fn heads(&mut self, config: &mut AudioModelConfig, tensors: &BTreeMap<String, &TorchTensor>) {
        let own: Vec<&String> = tensors.keys().filter(|name| name.starts_with(HEADS)).collect();
        if own.is_empty() {
            return;
        }
        let linear = |k: usize| tensors.get(&format!("{HEADS}predictors.{k}.weight")).map(|t| t.shape.as_slice());
        let sizes = [config.encoder.hidden_dim, config.context.hidden_dim];
        let steps = (0..).take_while(|&k| linear(k) == Some(&sizes[..])).count();
        if steps == own.len() {
            config.heads.steps = steps;
            return;
        }
        let relative = |k: usize| tensors.get(&format!("{HEADS}predictors.{k}.0.multihead.Att.Krelpos"));
        let steps = (0..).take_while(|&k| relative(k).is_some()).count();
        if let Some(&[_, positions]) = relative(0).map(|t| t.shape.as_slice()) {
            config.heads.steps = steps;
            config.heads.kind = HeadsKind::Transformer;
            config.heads.positions = positions;
            return;
        }
        for name in own {
            self.ignored.push((name.clone(), "belongs to prediction heads of a kind that cpc does not support".into()));
        }
    }

    fn unknown(&self, what: &str) -> Error {
        Error::failed(
            format!("{}: has {what}, which cpc does not support", self.from),
            "only CPC_audio models with its convolutional encoder and a GRU or LSTM can be read",
        )
    }

    fn not_cpc(&self, value: &Value) -> Error {
        let mut names: Vec<&str> = value.entries().iter().filter_map(|(name, _)| name.as_str()).collect();
        let more = names.len().saturating_sub(6);
        names.truncate(6);
        let holds = match names.is_empty() {
            true => "no names".to_string(),
            false => {
                format!("{}{}", names.join(", "), if more > 0 { format!(" and {more} more") } else { String::new() })
            }
        };
        Error::failed(
            format!("{}: not a CPC checkpoint: it contains {holds}", self.from),
            "give a checkpoint_N.pt of CPC_audio or its released weights ({config, weights})",
        )
    }
}

fn to_candle(tensor: &TorchTensor) -> Result<Tensor> {
    Ok(match tensor.dtype {
        TorchType::F32 | TorchType::F64 | TorchType::F16 | TorchType::Bf16 => {
            Tensor::from_vec(tensor.to_f32(), tensor.shape.as_slice(), &Device::Cpu)?
        }
        _ => Tensor::from_vec(tensor.to_i64().unwrap_or_default(), tensor.shape.as_slice(), &Device::Cpu)?,
    })
}

/// Adam's moments from `torch.optim.Adam.state_dict()`: parameters are numbered in the order in which they were passed to Adam.
fn moments(optimizer: &Value, order: &[(String, Vec<usize>)], taken: &HashMap<String, Tensor>) -> Option<Moments> {
    let is_buffer = |name: &str| {
        is_constant(name)
            || ["running_mean", "running_var", "num_batches_tracked"].iter().any(|end| name.ends_with(end))
    };
    let parameters = order.iter().filter(|(name, _)| !is_buffer(name));
    let state = optimizer.get("state")?.entries();
    let mut tensors = HashMap::new();
    let mut steps = 0;
    for (i, (name, shape)) in parameters.enumerate() {
        if !taken.contains_key(name) {
            continue;
        }
        let own = &state.iter().find(|(key, _)| key.as_i64() == Some(i as i64))?.1;
        let step = own.get("step")?;
        steps = steps.max(match step.as_tensor() {
            Some(t) => *t.to_f32().first()? as u64,
            None => u64::try_from(step.as_i64()?).ok()?,
        });
        for (ours, theirs) in [("m", "exp_avg"), ("v", "exp_avg_sq")] {
            let moment = own.get(theirs)?.as_tensor().filter(|t| t.shape == *shape)?;
            tensors.insert(format!("{ours}.{name}"), to_candle(moment).ok()?);
        }
    }
    (steps > 0).then_some(Moments { tensors, steps })
}

/// A model as the contents of a file that both loaders of CPC_audio accept: `weights` and `config` for the loader of released models,
/// `gEncoder` and `cpcCriterion` for the loader of checkpoints.
///
/// CPC_audio's scores are means over D: the heads are rescaled so that its scores, and therefore its loss, equal those of this model.
///
/// # Errors
/// The model has an encoder that CPC_audio does not have.
pub fn write(config: &AudioModelConfig, tensors: &HashMap<String, Tensor>, from: &str) -> Result<Value> {
    let usual = ConvEncoderConfig::default();
    let e = &config.encoder;
    if config.context.kind.torch_class().is_none() {
        return Err(Error::failed(
            format!("{from}: CPC_audio has no context network of the kind {}", config.context.kind.name()),
            "convert to a model directory instead; PyTorch can read its safetensors too",
        ));
    }
    let shape = |e: &ConvEncoderConfig| (e.kernels.clone(), e.strides.clone(), e.paddings.clone());
    if shape(e) != shape(&usual) || !e.channels.is_empty() || e.kind == EncoderKind::Mel {
        return Err(Error::failed(
            format!(
                "{from}: CPC_audio has only one encoder, with kernels {:?}, strides {:?} and the same channels in all layers",
                usual.kernels, usual.strides
            ),
            "convert to a model directory instead; PyTorch can read its safetensors too",
        ));
    }
    let text = |s: &str| Value::Text(s.into());
    let mut model = Vec::new();
    let mut heads = Vec::new();
    let ordered: BTreeMap<&String, &Tensor> = tensors.iter().collect();
    for (name, tensor) in ordered {
        let is_head = name.starts_with(HEADS);
        let tensor = rescaled(name, tensor, &config.heads, config.encoder.hidden_dim, ScoreKind::Mean)?;
        let flat = tensor.flatten_all()?;
        let tensor = Value::Tensor(match tensor.dtype() {
            candle_core::DType::I64 => TorchTensor::from_i64(tensor.dims().to_vec(), &flat.to_vec1()?),
            _ if name.ends_with("num_batches_tracked") => {
                TorchTensor::from_i64(tensor.dims().to_vec(), &flat.to_dtype(candle_core::DType::I64)?.to_vec1()?)
            }
            _ => TorchTensor::from_f32(tensor.dims().to_vec(), &flat.to_dtype(candle_core::DType::F32)?.to_vec1()?),
        });
        if is_head { &mut heads } else { &mut model }.push((text(name), tensor));
    }
    if config.heads.kind == HeadsKind::Transformer && !heads.is_empty() {
        let n = config.heads.positions;
        let mask = |at: usize| if at % n > at / n { f32::NEG_INFINITY } else { 0.0 };
        for k in 0..config.heads.steps {
            let mut constant = |name: &str, shape: Vec<usize>, values: Vec<f32>| {
                heads.push((
                    text(&format!("{HEADS}predictors.{k}.0{name}")),
                    Value::Tensor(TorchTensor::from_f32(shape, &values)),
                ));
            };
            constant(ZEROS, vec![1, n, 1], vec![0.0; n]);
            constant(MASK, vec![1, n, n], (0..n * n).map(mask).collect());
        }
    }
    let arguments = arguments(config)?;
    let arguments = arguments.into_iter().map(|(name, value)| (text(name), value)).collect();
    let mut whole = vec![
        (text("config"), Value::Dict(arguments)),
        (text("weights"), Value::Dict(model.clone())),
        (text("gEncoder"), Value::Dict(model)),
    ];
    if !heads.is_empty() {
        whole.push((text("cpcCriterion"), Value::Dict(heads)));
    }
    Ok(Value::Dict(whole))
}

/// The arguments of CPC_audio that a model determines; CPC_audio has defaults for all others.
fn arguments(config: &AudioModelConfig) -> Result<Vec<(&'static str, Value)>> {
    let int = |n: usize| {
        i64::try_from(n).map(Value::Int).map_err(|_| Error::failed(format!("{n}: too large"), "use a smaller model"))
    };
    let text = |s: &str| Value::Text(s.into());
    Ok(vec![
        ("hiddenEncoder", int(config.encoder.hidden_dim)?),
        ("hiddenGar", int(config.context.hidden_dim)?),
        ("nPredicts", int(config.heads.steps)?),
        ("encoder_type", text("cpc")),
        (
            "normMode",
            text(match config.encoder.norm {
                NormKind::Channel => "layerNorm",
                NormKind::Batch => "batchNorm",
                NormKind::None => "ID",
            }),
        ),
        ("arMode", text(config.context.kind.torch_class().unwrap_or_default())),
        ("nLevelsGRU", int(config.context.num_layers)?),
        (
            "rnnMode",
            text(match config.heads.kind {
                HeadsKind::Linear => "linear",
                HeadsKind::Transformer => "transformer",
            }),
        ),
    ])
}

/// `checkpoint_args.json` for a model, which CPC_audio reads along with `checkpoint_N.pt`.
pub fn arguments_json(config: &AudioModelConfig) -> Result<serde_json::Value> {
    let mut json = serde_json::Map::new();
    for (name, value) in arguments(config)? {
        let value = match (value.as_str(), value.as_i64()) {
            (Some(s), _) => s.into(),
            (None, Some(n)) => n.into(),
            _ => serde_json::Value::Null,
        };
        json.insert(name.into(), value);
    }
    json.insert("load".into(), serde_json::Value::Null);
    Ok(json.into())
}
