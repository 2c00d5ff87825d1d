//! Adam and AdamW over a parameter store, with global-norm clipping and a state that can be saved.
//!
//! If a batch looked up rows of a table ([`Rows`]), only those rows and their moments are updated: see [`crate::ops::adam`] for the
//! consequences. Their gradients count in the global norm like all others, and accumulated batches merge their rows. The moments of a
//! table are stored for all rows, as for any other parameter.

use crate::config::{OptimizerKind, TrainConfig};
use crate::error::{Error, Result};
use crate::nn::gradients::{Grad, Gradients};
use crate::nn::{EmbeddingRows, ParamStore};
use crate::ops::adam::{self, AdamStep};
use candle_core::backprop::GradStore;
use candle_core::{Tensor, Var};
use std::collections::{BTreeMap, HashMap};

struct Slot {
    name: String,
    param: Var,
    m: Var,
    v: Var,
    /// The learning rate of the parameter, as a fraction of that of the step.
    rate: f64,
}

/// What Adam remembers: moments as `m.<name>` and `v.<name>`.
#[derive(Debug, Clone)]
pub struct Moments {
    /// The moments by name.
    pub tensors: HashMap<String, Tensor>,
    /// Updates that were made.
    pub steps: u64,
}

/// The optimizer of a run.
pub struct Optimizer {
    slots: Vec<Slot>,
    steps: u64,
    before: u64, // number of updates that produced the moments the run started with
}

impl Optimizer {
    /// An optimizer for every parameter of `store`, with all moments zero.
    pub fn new(store: &ParamStore) -> Result<Self> {
        let slot = |(name, param): (String, Var)| -> Result<Slot> {
            let zeros = || Var::zeros(param.shape(), param.dtype(), param.device());
            Ok(Slot { m: zeros()?, v: zeros()?, name, param, rate: 1.0 })
        };
        Ok(Optimizer { slots: store.trainable().into_iter().map(slot).collect::<Result<_>>()?, steps: 0, before: 0 })
    }

    /// The same, with the learning rate of each parameter multiplied by the `rate` of its name.
    pub fn with_rates(mut self, rate: impl Fn(&str) -> f64) -> Self {
        self.slots.iter_mut().for_each(|slot| slot.rate = rate(&slot.name));
        self
    }

    /// The gradients of the parameters from a backward pass, detached; `rows` are those that the batch looked up.
    pub fn collect(&self, mut grads: GradStore, rows: &[EmbeddingRows]) -> Result<Gradients> {
        let mut one = |slot: &Slot| -> Result<Option<Grad>> {
            let mut sum = grads.remove(&slot.param).map(|g| Grad::Whole(g.detach()));
            for rows in rows.iter().filter(|rows| rows.name == slot.name) {
                if let Some(g) = grads.remove(&rows.values) {
                    let part = Grad::Rows(rows.ids.clone(), g.detach());
                    sum = Some(match sum.take() {
                        Some(sum) => sum.plus(part)?,
                        None => part,
                    });
                }
            }
            Ok(sum)
        };
        Ok(Gradients(self.slots.iter().map(&mut one).collect::<Result<_>>()?))
    }

    /// One update. The gradients are multiplied by `scale` (1 / number of accumulated batches), then clipped to the global norm
    /// `cfg.clip_norm` if it is above 0. Nothing is read back to the host.
    pub fn step(&mut self, grads: &Gradients, scale: f64, lr: f64, cfg: &TrainConfig) -> Result<()> {
        let Some(first) = self.slots.first() else { return Ok(()) };
        let factor = match cfg.clip_norm > 0.0 {
            true => grads.norm_and_factor(scale, cfg.clip_norm)?.1,
            false => Tensor::full(scale as f32, 1, first.param.device())?,
        };
        self.steps += 1;
        let adam = AdamStep {
            lr,
            beta1: cfg.betas[0],
            beta2: cfg.betas[1],
            eps: cfg.eps,
            decay: if cfg.optimizer == OptimizerKind::Adamw { cfg.weight_decay } else { 0.0 },
            step: self.before + self.steps,
        };
        let mut rates: Vec<f64> = self.slots.iter().map(|slot| slot.rate).collect();
        rates.sort_by(f64::total_cmp);
        rates.dedup();
        for rate in rates {
            let adam = AdamStep { lr: lr * rate, ..adam };
            let mut whole = Vec::new();
            for (slot, grad) in self.slots.iter().zip(&grads.0).filter(|(slot, _)| slot.rate == rate) {
                match grad {
                    Some(Grad::Whole(grad)) => {
                        whole.push((adam::Slot { param: &slot.param, m: &slot.m, v: &slot.v }, grad));
                    }
                    Some(Grad::Rows(ids, grad)) => {
                        adam.apply_rows(&slot.param, &slot.m, &slot.v, ids, grad, &factor)?
                    }
                    None => {}
                }
            }
            adam.apply_all(&whole, &factor)?;
        }
        Ok(())
    }

    /// The state: moments as `m.<name>` and `v.<name>`.
    pub fn tensors(&self) -> BTreeMap<String, Tensor> {
        let both = |s: &Slot| {
            [(format!("m.{}", s.name), s.m.as_tensor().detach()), (format!("v.{}", s.name), s.v.as_tensor().detach())]
        };
        self.slots.iter().flat_map(both).collect()
    }

    /// Number of updates in this run so far.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// Number of updates made before this run. They count in Adam's correction for moments that start at zero (bias correction).
    pub fn updates_before(&self) -> u64 {
        self.before
    }

    /// Loads a state that was saved after `steps` updates of the run, which had been preceded by `before` updates.
    pub fn load(&mut self, tensors: &HashMap<String, Tensor>, steps: u64, before: u64, from: &str) -> Result<()> {
        for slot in &self.slots {
            for (var, key) in [(&slot.m, format!("m.{}", slot.name)), (&slot.v, format!("v.{}", slot.name))] {
                match tensors.get(&key) {
                    Some(t) if t.shape() == var.shape() => var.set(&t.to_device(var.device())?)?,
                    _ => {
                        return Err(Error::failed(
                            format!("{from}: {key} is missing or has a different shape"),
                            "resume from another checkpoint",
                        ));
                    }
                }
            }
        }
        (self.steps, self.before) = (steps, before);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::Embedding;
    use crate::ops::check::random;
    use candle_core::{DType, Device};
    use candle_nn::Init;

    fn stepped(clip_norm: f64) -> Vec<f32> {
        let store = ParamStore::new(1, &Device::Cpu);
        let w = store.builder().get_with_hints(2, "w", Init::Const(0.0)).unwrap();
        let mut optimizer = Optimizer::new(&store).unwrap();
        let loss = (w * Tensor::new(&[30f32, 40.0], &Device::Cpu).unwrap()).unwrap().sum_all().unwrap();
        let grads = optimizer.collect(loss.backward().unwrap(), &[]).unwrap();
        assert_eq!(grads.norm().unwrap().to_scalar::<f32>().unwrap(), 50.0);
        // With a large epsilon the step is proportional to the gradient.
        let cfg = TrainConfig { clip_norm, betas: [0.0, 0.0], eps: 1e6, ..Default::default() };
        optimizer.step(&grads, 1.0, 1e6, &cfg).unwrap();
        store.tensors()["w"].to_vec1::<f32>().unwrap()
    }

    #[test]
    fn clipping_shortens_the_gradient_to_the_norm_and_keeps_its_direction() {
        let close = |a: &[f32], b: [f32; 2]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-2);
        assert!(close(&stepped(0.0), [-30.0, -40.0]));
        assert!(close(&stepped(5.0), [-3.0, -4.0]));
        assert!(close(&stepped(500.0), [-30.0, -40.0]));
    }

    #[test]
    fn a_parameter_with_a_rate_of_its_own_moves_by_that_fraction() {
        let moved = |rate: f64| {
            let store = ParamStore::new(1, &Device::Cpu);
            let [a, b] = ["a", "b"].map(|name| store.builder().get_with_hints(1, name, Init::Const(0.0)).unwrap());
            let mut optimizer = Optimizer::new(&store).unwrap().with_rates(|name| if name == "b" { rate } else { 1.0 });
            let loss = (a + b).unwrap().sum_all().unwrap();
            let grads = optimizer.collect(loss.backward().unwrap(), &[]).unwrap();
            optimizer.step(&grads, 1.0, 0.5, &TrainConfig::default()).unwrap();
            ["a", "b"].map(|name| store.tensors()[name].to_vec1::<f32>().unwrap()[0])
        };
        let near = |(a, b): (f32, f32)| (a - b).abs() < 1e-3 * b.abs();
        assert!(moved(0.1).into_iter().zip([-0.5, -0.05]).all(near));
        assert_eq!(moved(0.0)[1], 0.0);
    }

    /// A 30 x 4 table and an ordinary weight. The loss weights the looked-up rows by random values with the seed `weights`, and the weight by 3.
    struct Lookup {
        store: ParamStore,
        table: Embedding,
        optimizer: Optimizer,
    }

    impl Lookup {
        fn new() -> Self {
            let store = ParamStore::new(1, &Device::Cpu);
            let table = Embedding::new(30, 4, store.builder().pp("e")).unwrap();
            store.builder().get_with_hints(4, "w", Init::Const(1.0)).unwrap();
            let optimizer = Optimizer::new(&store).unwrap();
            Lookup { store, table, optimizer }
        }

        fn gradients(&self, ids: &[u32], weights: u64) -> Gradients {
            let rows = self.table.rows(&ids.into()).unwrap();
            let each = random(&[30, 4], weights).to_dtype(DType::F32).unwrap();
            let each = each.index_select(&Tensor::new(ids, &Device::Cpu).unwrap(), 0).unwrap();
            let w = self.store.builder().get(4, "w").unwrap();
            let loss =
                (rows.values.mul(&each).unwrap().sum_all().unwrap() + (w.sum_all().unwrap() * 3.0).unwrap()).unwrap();
            self.optimizer.collect(loss.backward().unwrap(), &[rows]).unwrap()
        }

        fn values(&self) -> Vec<Vec<f32>> {
            self.store.tensors()["e.weight"].to_vec2().unwrap()
        }
    }

    #[test]
    fn rows_of_a_table_count_in_the_global_norm_and_are_clipped_by_it() {
        let mut lookup = Lookup::new();
        let before = lookup.values();
        let (ids, each) = ([2u32, 5, 29], random(&[30, 4], 9).to_vec2::<f64>().unwrap());
        let grads = lookup.gradients(&ids, 9);
        let squares: f64 = ids.iter().flat_map(|&i| each[i as usize].iter().map(|g| g * g)).sum::<f64>() + 4.0 * 9.0;
        let norm = f64::from(grads.norm().unwrap().to_scalar::<f32>().unwrap());
        assert!((norm - squares.sqrt()).abs() < 1e-5 * norm, "{norm} is not {}", squares.sqrt());
        // With a large epsilon the step is proportional to the gradient, which is clipped here to a norm of 0.5.
        let cfg = TrainConfig { clip_norm: 0.5, betas: [0.0, 0.0], eps: 1e6, ..Default::default() };
        lookup.optimizer.step(&grads, 1.0, 1e6, &cfg).unwrap();
        for (i, ((after, before), each)) in lookup.values().iter().zip(&before).zip(&each).enumerate() {
            if !ids.contains(&(i as u32)) {
                assert_eq!(after, before);
                continue;
            }
            for ((a, b), g) in after.iter().zip(before).zip(each) {
                assert!((f64::from(b - a) - 0.5 * g / norm).abs() < 1e-5, "row {i}: {b} -> {a}, gradient {g}");
            }
        }
    }

    #[test]
    fn batches_that_are_added_up_merge_their_rows() {
        let cfg = TrainConfig { clip_norm: 0.0, betas: [0.0, 0.0], eps: 1e6, ..Default::default() };
        let mut lookup = Lookup::new();
        let (before, each) =
            (lookup.values(), [random(&[30, 4], 3), random(&[30, 4], 4)].map(|t| t.to_vec2::<f64>().unwrap()));
        let batches = [vec![1u32, 4, 7], vec![0, 4, 9]];
        let mut sum = lookup.gradients(&batches[0], 3);
        sum.add(lookup.gradients(&batches[1], 4)).unwrap();
        lookup.optimizer.step(&sum, 0.5, 1e6, &cfg).unwrap();
        for (i, (after, before)) in lookup.values().iter().zip(&before).enumerate() {
            for (j, (a, b)) in after.iter().zip(before).enumerate() {
                let gradient = |n: usize| if batches[n].contains(&(i as u32)) { each[n][i][j] } else { 0.0 };
                let want = 0.5 * (gradient(0) + gradient(1));
                assert!((f64::from(b - a) - want).abs() < 1e-5, "row {i}: moved {}, not {want}", b - a);
            }
        }
    }

    #[test]
    fn a_run_that_is_saved_and_loaded_moves_rows_as_one_that_was_not() {
        let cfg = TrainConfig::default();
        let ids = |step: u64| -> Vec<u32> { (0..30).filter(|i| (i + step as u32).is_multiple_of(3)).collect() };
        let run = |lookup: &mut Lookup, steps: std::ops::Range<u64>| {
            for step in steps {
                let grads = lookup.gradients(&ids(step), step);
                lookup.optimizer.step(&grads, 1.0, 1e-2, &cfg).unwrap();
            }
        };
        let (mut whole, mut first, mut second) = (Lookup::new(), Lookup::new(), Lookup::new());
        run(&mut whole, 0..6);
        run(&mut first, 0..3);
        second.store.load(&first.store.tensors().into_iter().collect(), None, "first").unwrap();
        second.optimizer.load(&first.optimizer.tensors().into_iter().collect(), 3, 0, "first").unwrap();
        run(&mut second, 3..6);
        assert_eq!(whole.values(), second.values());
        assert_ne!(whole.values(), first.values());
    }
}
