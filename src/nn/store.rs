//! Named parameters: modules get them here, training changes them here, and they are saved from here.
//!
//! A [`ParamStore`] is a backend of candle's `VarBuilder`, so modules are built as everywhere in candle (`vb.pp("gEncoder")`), and a module can
//! also be built directly from a file. Unlike candle's `VarMap`, it is ordered, and each parameter is initialized from its own random stream,
//! named after it.

use crate::error::{Error, Result};
use crate::seed::stream;
use candle_core::{DType, Device, Shape, Tensor, Var};
use candle_nn::var_builder::SimpleBackend;
use candle_nn::{Init, VarBuilder};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Parameters and buffers by name, in the order of their names.
#[derive(Debug, Clone)]
pub struct ParamStore {
    vars: Arc<Mutex<BTreeMap<String, Var>>>,
    seed: u64,
    device: Device,
}

/// Whether `name` is that of a buffer, which training does not update by gradients: the running statistics of batch norm.
fn is_buffer(name: &str) -> bool {
    ["running_mean", "running_var", "num_batches_tracked"].iter().any(|end| name.ends_with(end))
}

impl ParamStore {
    /// An empty store whose parameters will be initialized from streams of `seed`.
    pub fn new(seed: u64, device: &Device) -> Self {
        ParamStore { vars: Arc::default(), seed, device: device.clone() }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Var>> {
        self.vars.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Builds modules with parameters of this store, creating those that it lacks.
    pub fn builder(&self) -> VarBuilder<'static> {
        VarBuilder::from_backend(Box::new(TrainableBackend(self.clone())), DType::F32, self.device.clone())
    }

    /// Builds modules on the same storage without a graph: they see every update and track no gradients.
    pub fn frozen(&self) -> VarBuilder<'static> {
        VarBuilder::from_backend(Box::new(FrozenBackend(self.clone())), DType::F32, self.device.clone())
    }

    /// The parameters that are trained by gradients, by name.
    pub fn trainable(&self) -> Vec<(String, Var)> {
        self.lock().iter().filter(|(name, _)| !is_buffer(name)).map(|(n, v)| (n.clone(), v.clone())).collect()
    }

    /// Every parameter and buffer, detached, by name.
    pub fn tensors(&self) -> BTreeMap<String, Tensor> {
        self.lock().iter().map(|(n, v)| (n.clone(), v.as_tensor().detach())).collect()
    }

    /// Number of trainable values.
    pub fn num_trainable(&self) -> usize {
        self.trainable().iter().map(|(_, v)| v.elem_count()).sum()
    }

    /// The device of the parameters.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Sets the values of one parameter.
    ///
    /// # Errors
    /// There is none of this name, or it has another number of values.
    pub fn set(&self, name: &str, values: Vec<f32>) -> Result<()> {
        let vars = self.lock();
        let Some(var) = vars.get(name) else {
            return Err(Error::Tensor(candle_core::Error::Msg(format!("there is no parameter {name}"))));
        };
        Ok(var.set(&Tensor::from_vec(values, var.shape(), &self.device)?)?)
    }

    /// Sets every parameter and buffer from `tensors`, which must hold exactly these names and shapes. Those whose names begin with `except_prefix` are
    /// left unchanged.
    ///
    /// # Errors
    /// Returns an error that names the tensors that are missing, left over or of another shape; nothing is changed in that case.
    pub fn load(&self, tensors: &HashMap<String, Tensor>, except_prefix: Option<&str>, from: &str) -> Result<()> {
        let vars = self.lock();
        let vars: BTreeMap<&String, &Var> =
            vars.iter().filter(|(name, _)| !except_prefix.is_some_and(|start| name.starts_with(start))).collect();
        let mut wrong = Vec::new();
        for (name, var) in &vars {
            match tensors.get(*name) {
                None => wrong.push(format!("{name} is missing")),
                Some(t) if t.shape() != var.shape() => {
                    wrong.push(format!("{name} is {:?}, not {:?}", t.dims(), var.dims()));
                }
                Some(_) => {}
            }
        }
        wrong
            .extend(tensors.keys().filter(|name| !vars.contains_key(*name)).map(|name| format!("{name} is left over")));
        if !wrong.is_empty() {
            wrong.sort();
            let more = wrong.len().saturating_sub(5);
            wrong.truncate(5);
            let tail = if more > 0 { format!("; and {more} more") } else { String::new() };
            return Err(Error::failed(
                format!("{from}: the weights are not this model's: {}{tail}", wrong.join("; ")),
                "give the encoder, context and heads the sizes of the model that the weights came from",
            ));
        }
        for (name, var) in vars {
            var.set(&tensors[name].to_dtype(var.dtype())?.to_device(&self.device)?.contiguous()?)?;
        }
        Ok(())
    }

    fn get_or_make(&self, shape: Shape, name: &str, init: Init, dtype: DType) -> candle_core::Result<Var> {
        let mut vars = self.lock();
        if let Some(var) = vars.get(name) {
            if *var.shape() != shape {
                candle_core::bail!("{name} is {:?}, not {:?}", var.dims(), shape);
            }
            return Ok(var.clone());
        }
        let n = shape.elem_count();
        let mut s = stream(self.seed, &format!("init/{name}"), 0);
        let values: Vec<f32> = match init {
            Init::Const(v) => vec![v as f32; n],
            Init::Uniform { lo, up } => (0..n).map(|_| s.uniform(lo as f32, up as f32)).collect(),
            Init::Randn { mean, stdev } => (0..n).map(|_| mean as f32 + stdev as f32 * s.normal()).collect(),
            Init::Kaiming { .. } => candle_core::bail!("{name}: write Kaiming initialization as a uniform one"),
        };
        let var = Var::from_tensor(&Tensor::from_vec(values, shape, &self.device)?.to_dtype(dtype)?)?;
        vars.insert(name.to_string(), var.clone());
        Ok(var)
    }
}

struct TrainableBackend(ParamStore);
struct FrozenBackend(ParamStore);

impl SimpleBackend for TrainableBackend {
    fn get(&self, shape: Shape, name: &str, init: Init, dtype: DType, _: &Device) -> candle_core::Result<Tensor> {
        Ok(self.0.get_or_make(shape, name, init, dtype)?.as_tensor().clone())
    }

    fn get_unchecked(&self, name: &str, _: DType, _: &Device) -> candle_core::Result<Tensor> {
        match self.0.lock().get(name) {
            Some(var) => Ok(var.as_tensor().clone()),
            None => candle_core::bail!("there is no parameter {name}"),
        }
    }

    fn contains_tensor(&self, name: &str) -> bool {
        self.0.lock().contains_key(name)
    }
}

impl SimpleBackend for FrozenBackend {
    fn get(&self, shape: Shape, name: &str, init: Init, dtype: DType, _: &Device) -> candle_core::Result<Tensor> {
        Ok(self.0.get_or_make(shape, name, init, dtype)?.as_tensor().detach())
    }

    fn get_unchecked(&self, name: &str, _: DType, _: &Device) -> candle_core::Result<Tensor> {
        match self.0.lock().get(name) {
            Some(var) => Ok(var.as_tensor().detach()),
            None => candle_core::bail!("there is no parameter {name}"),
        }
    }

    fn contains_tensor(&self, name: &str) -> bool {
        self.0.lock().contains_key(name)
    }
}

/// PyTorch's default initialization of a layer with `fan_in` inputs: uniform in +-1/sqrt(fan_in).
pub fn uniform_by_fan_in(fan_in: usize) -> Init {
    let bound = 1.0 / (fan_in.max(1) as f64).sqrt();
    Init::Uniform { lo: -bound, up: bound }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_starts_the_same_in_any_order_and_differs_by_name_and_seed() {
        let make = |seed, names: [&str; 2]| {
            let store = ParamStore::new(seed, &Device::Cpu);
            for name in names {
                store.builder().get_with_hints(4, name, uniform_by_fan_in(4)).unwrap();
            }
            store.tensors().into_iter().map(|(n, t)| (n, t.to_vec1::<f32>().unwrap())).collect::<Vec<_>>()
        };
        assert_eq!(make(1, ["a", "b"]), make(1, ["b", "a"]));
        assert_ne!(make(1, ["a", "b"]), make(2, ["a", "b"]));
        assert_ne!(make(1, ["a", "b"])[0].1, make(1, ["a", "b"])[1].1);
    }

    #[test]
    fn the_frozen_twin_sees_updates_and_tracks_nothing() {
        let store = ParamStore::new(1, &Device::Cpu);
        let trained = store.builder().get_with_hints(2, "w", Init::Const(1.0)).unwrap();
        let frozen = store.frozen().get_with_hints(2, "w", Init::Const(1.0)).unwrap();
        assert!(trained.track_op() && !frozen.track_op());
        store.trainable()[0].1.set(&Tensor::new(&[5f32, 6.0], &Device::Cpu).unwrap()).unwrap();
        assert_eq!(frozen.to_vec1::<f32>().unwrap(), [5.0, 6.0]);
    }

    #[test]
    fn weights_of_another_model_are_refused_by_name() {
        let store = ParamStore::new(1, &Device::Cpu);
        store.builder().get_with_hints(2, "w", Init::Const(1.0)).unwrap();
        let other = HashMap::from([("v".to_string(), Tensor::zeros(2, DType::F32, &Device::Cpu).unwrap())]);
        let error = store.load(&other, None, "x.safetensors").unwrap_err().to_string();
        assert!(error.contains("w is missing") && error.contains("v is left over"), "{error}");
    }
}
