//! The golden cases of tests/golden: cpc computes the same values as Meta's CPC_audio, and trains the same way.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use candle_core::{DType, Device, Tensor, Var};
use cpc::config::{HeadsKind, NormKind, ScoreKind, TrainConfig};
use cpc::kinds::audio::{AudioModel, AudioModelConfig};
use cpc::model::Latents;
use cpc::nn::{ContextConfig, ContextKind, Optimizer, ParamStore, Phase};
use cpc::ops::negatives::Negatives;
use cpc::signal::Network;
use cpc::weights::read_tensors;
use std::path::PathBuf;

struct Case {
    dir: PathBuf,
    store: ParamStore,
    model: Network,
}

fn values(t: &Tensor) -> Vec<f64> {
    t.to_dtype(DType::F64).unwrap().flatten_all().unwrap().to_vec1().unwrap()
}

/// The tolerance is relative to the largest element, as in PyTorch's own comparisons of whole tensors.
fn assert_close(what: &str, got: &Tensor, want: &Tensor, relative: f64, absolute: f64) {
    assert_eq!(got.elem_count(), want.elem_count(), "{what}");
    let (got, want) = (values(got), values(want));
    let size = want.iter().fold(0.0f64, |m, v| m.max(v.abs()));
    for (i, (g, w)) in got.iter().zip(&want).enumerate() {
        assert!((g - w).abs() <= relative * size + absolute, "{what}, element {i}: {g}, not {w} (largest {size})");
    }
}

impl Case {
    fn open(name: &str) -> Case {
        let dir = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
        let sizes: serde_json::Value =
            serde_json::from_str(&std::fs::read_to_string(dir.join("case.json")).unwrap()).unwrap();
        let size = |key: &str| sizes[key].as_u64().unwrap() as usize;
        let mut config = AudioModelConfig::audio(&Default::default());
        config.encoder.hidden_dim = size("hidden_encoder");
        config.encoder.norm = if sizes["norm"] == "batchNorm" { NormKind::Batch } else { NormKind::Channel };
        config.context.hidden_dim = size("hidden_context");
        config.context.num_layers = size("context_layers");
        config.context.kind = if sizes["context"] == "LSTM" { ContextKind::LSTM } else { ContextKind::GRU };
        config.heads.steps = size("steps");
        config.heads.score = ScoreKind::Mean;
        if sizes["heads"] == "transformer" {
            config.heads.kind = HeadsKind::Transformer;
            config.heads.positions = size("window") / 160 - size("steps");
        }
        let store = ParamStore::new(0, &Device::Cpu);
        let model = Network::new(&config.sizes(), &store.builder()).unwrap();
        let initial = dir.join("initial.safetensors");
        let tensors = match initial.exists() {
            true => read_tensors(&initial).unwrap(),
            false => AudioModel::open(&dir.join("checkpoint_0.pt")).unwrap().tensors,
        };
        store.load(&tensors, None, name).unwrap();
        Case { dir, store, model }
    }

    fn npy(&self, name: &str) -> Tensor {
        Tensor::read_npy(self.dir.join(name)).unwrap()
    }

    /// Converts the (B, N, P) of the file to rows (B, P, N).
    fn negatives(drawn: &Tensor) -> Negatives {
        let number = drawn.dim(1).unwrap();
        let rows = drawn.transpose(1, 2).unwrap().to_dtype(DType::U32).unwrap();
        Negatives::of(rows.flatten_all().unwrap().to_vec1::<u32>().unwrap(), number)
    }
}

fn outputs_losses_and_gradients_agree(name: &str) {
    let case = Case::open(name);
    let latents = case.model.forward(&case.npy("audio.npy"), Phase::Eval).unwrap();
    assert_close("z", &latents.z, &case.npy("z.npy"), 1e-5, 0.0);
    assert_close("c", &latents.c, &case.npy("c.npy"), 1e-5, 0.0);
    let z = Var::from_tensor(&case.npy("z.npy")).unwrap();
    let c = Var::from_tensor(&case.npy("c.npy")).unwrap();
    let latents = Latents { z: z.as_tensor().clone(), c: c.as_tensor().clone() };
    let out = case.model.contrast_with(&latents, &Case::negatives(&case.npy("negatives.npy"))).unwrap();
    assert_close("loss", &out.loss, &case.npy("loss_per_step.npy"), 1e-5, 0.0);
    assert_close("accuracy", &out.accuracy, &case.npy("accuracy_per_step.npy"), 0.0, 1e-6);
    let grads = out.loss.sum_all().unwrap().backward().unwrap();
    assert_close("gradient of z", grads.get(&z).unwrap(), &case.npy("grad_z.npy"), 1e-4, 0.0);
    assert_close("gradient of c", grads.get(&c).unwrap(), &case.npy("grad_c.npy"), 1e-4, 0.0);
}

/// `from` is 0, or 3 to resume from `checkpoint_3.pt`, with its moments.
fn six_steps_of_adam_end_in_the_same_weights(name: &str, from: usize) {
    let case = Case::open(name);
    let mut optimizer = Optimizer::new(&case.store).unwrap();
    if from > 0 {
        let checkpoint = AudioModel::open(&case.dir.join(format!("checkpoint_{from}.pt"))).unwrap();
        case.store.load(&checkpoint.tensors, None, name).unwrap();
        let moments = checkpoint.moments().unwrap();
        assert_eq!(moments.steps, from as u64);
        optimizer.load(&moments.tensors, 0, moments.steps, name).unwrap();
    }
    let (audio, drawn, losses) =
        (case.npy("train_audio.npy"), case.npy("train_negatives.npy"), case.npy("train_losses.npy"));
    let cfg = TrainConfig::default(); // as in CPC_audio: Adam, 2e-4, 0.9, 0.999, 1e-8
    // The gradients of the heads from the evaluation case were carried into the first step: they were not zeroed in between.
    let carried = {
        let latents = Latents { z: case.npy("z.npy"), c: case.npy("c.npy") };
        let out = case.model.contrast_with(&latents, &Case::negatives(&case.npy("negatives.npy"))).unwrap();
        out.loss.sum_all().unwrap().backward().unwrap()
    };
    for step in from..6 {
        let latents = case.model.forward(&audio.get(step).unwrap(), Phase::Train).unwrap();
        let out = case.model.contrast_with(&latents, &Case::negatives(&drawn.get(step).unwrap())).unwrap();
        assert_close(&format!("losses of step {step}"), &out.loss, &losses.get(step).unwrap(), 1e-5, 0.0);
        let mut grads = out.loss.sum_all().unwrap().backward().unwrap();
        if step == 0 {
            let want = read_tensors(&case.dir.join("first_step_gradients.safetensors")).unwrap();
            assert_eq!(want.len(), case.store.trainable().len());
            for (parameter, var) in case.store.trainable() {
                let mut grad = grads.get(&var).unwrap_or_else(|| panic!("{parameter} has no gradient")).clone();
                if parameter.starts_with("wPrediction") {
                    grad = (grad + carried.get(&var).unwrap()).unwrap();
                    grads.insert(&var, grad.clone());
                }
                // Before batch norm the gradient of a convolution's bias is zero except for rounding (in CPC_audio it is about 1e-5 of that of
                // the weight), so the tolerance is relative to the weight's gradient.
                let noise = name.ends_with("batchnorm") && parameter.contains("conv") && parameter.ends_with(".bias");
                let size = if noise { &want[&parameter.replace(".bias", ".weight")] } else { &want[&parameter] };
                let size = values(size).iter().fold(0.0f64, |m, v| m.max(v.abs()));
                assert_close(&format!("gradient of {parameter}"), &grad, &want[&parameter], 0.0, 1e-4 * size);
            }
        }
        let grads = optimizer.collect(grads, &[]).unwrap();
        optimizer.step(&grads, 1.0, cfg.lr, &cfg).unwrap();
    }
    let want = read_tensors(&case.dir.join("after_6_steps.safetensors")).unwrap();
    let got = case.store.tensors();
    assert_eq!(got.len(), want.len());
    for (parameter, tensor) in &got {
        // Batch norm cancels the bias of a convolution, so the gradient of the bias is zero except for rounding. Adam takes a full step in
        // the direction given by the sign of this rounding error, and the running mean follows the bias. Two implementations can agree only to
        // within the length of these steps.
        let noise = name.ends_with("batchnorm")
            && (parameter.ends_with("running_mean") || parameter.contains("conv") && parameter.ends_with(".bias"));
        let tolerance = if noise { 2.0 * 6.0 * cfg.lr } else { 1e-5 };
        assert_close(&format!("{parameter} after six steps"), tensor, &want[parameter], 0.0, tolerance);
    }
}

#[test]
fn gru_with_channel_norm_computes_what_cpc_audio_computes() {
    outputs_losses_and_gradients_agree("gru_linear_channelnorm");
}

#[test]
fn gru_with_channel_norm_trains_as_cpc_audio_trains() {
    six_steps_of_adam_end_in_the_same_weights("gru_linear_channelnorm", 0);
}

#[test]
fn lstm_of_two_layers_computes_what_cpc_audio_computes() {
    outputs_losses_and_gradients_agree("lstm2_linear_channelnorm");
}

#[test]
fn lstm_of_two_layers_trains_as_cpc_audio_trains() {
    six_steps_of_adam_end_in_the_same_weights("lstm2_linear_channelnorm", 0);
}

#[test]
fn gru_with_batch_norm_computes_what_cpc_audio_computes() {
    outputs_losses_and_gradients_agree("gru_linear_batchnorm");
}

#[test]
fn gru_with_batch_norm_trains_as_cpc_audio_trains() {
    six_steps_of_adam_end_in_the_same_weights("gru_linear_batchnorm", 0);
}

#[test]
fn training_goes_on_from_cpc_audios_checkpoint_as_cpc_audio_goes_on() {
    six_steps_of_adam_end_in_the_same_weights("gru_linear_channelnorm", 3);
}

#[test]
fn transformer_heads_compute_what_cpc_audio_computes() {
    outputs_losses_and_gradients_agree("lstm_transformer_channelnorm");
}

/// S4D against its composition in PyTorch, in double precision: c, and the gradients of the latents and of every parameter.
#[test]
fn s4d() {
    let dir = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden/s4d");
    let npy = |name: &str| Tensor::read_npy(dir.join(name)).unwrap();
    let store = ParamStore::new(0, &Device::Cpu);
    let cfg = ContextConfig { kind: ContextKind::S4D, hidden_dim: 10, num_layers: 2, state_dim: 8 };
    let context = cfg.kind.build(&cfg, 6, store.builder()).unwrap();
    store.load(&read_tensors(&dir.join("parameters.safetensors")).unwrap(), None, "s4d").unwrap();
    let z = Var::from_tensor(&npy("z.npy")).unwrap();
    let c = context.forward(&z).unwrap();
    assert_close("c", &c, &npy("c.npy"), 1e-5, 0.0);
    let gradients = (c * npy("weights.npy")).unwrap().sum_all().unwrap().backward().unwrap();
    let want = read_tensors(&dir.join("gradients.safetensors")).unwrap();
    let vars = store.trainable().into_iter().chain([("z".to_string(), z)]);
    let count =
        vars.map(|(name, var)| assert_close(&name, gradients.get(&var).unwrap(), &want[&name], 1e-4, 0.0)).count();
    assert_eq!(count, want.len());
}
