//! The fused ops against their composed forms, and a whole training step of the `small` model with 8 windows.
//!
//! `cargo bench --bench training` (all), `cargo bench --bench training -- step/` (only the step). Each op is timed forward and backward at its
//! sizes in `small`: batch 8, windows of 20480 samples, 256 channels, 12 steps, 128 negatives.

#![allow(missing_docs, clippy::unwrap_used)] // criterion_group makes public functions

mod common;

use candle_core::{Device, Tensor};
use common::{CPU, backward, random};
use cpc::config::{Layers, ObjectiveConfig, TrainConfig};
use cpc::kinds::RunConfig;
use cpc::kinds::audio::{AudioConfig, AudioModelConfig};
use cpc::kinds::series::{SERIES, SeriesConfig};
use cpc::nn::{Optimizer, ParamStore, Phase};
use cpc::objective::draw_negatives;
use cpc::ops::adam::AdamStep;
use cpc::ops::encoder::{self, Layer, Norm};
use cpc::ops::gru::Gru;
use cpc::ops::impulse::impulse_response;
use cpc::ops::long_conv;
use cpc::ops::lstm::Lstm;
use cpc::ops::recurrent::{self, Cell, State};
use cpc::ops::state_space::StateSpaceStream;
use cpc::ops::{cross_entropy, scores};
use cpc::seed::stream;
use cpc::signal::{Network, Sizes};
use criterion::{Criterion, criterion_group, criterion_main};
use std::hint::black_box;

/// The limit of the machine: 17.2 GFLOP in one product. A step of `small` does 44.3 GFLOP in products (convolutions 37.2, GRU 2.4, heads 4.4,
/// W_ih included) in addition to 2.2 for the scores, so the time of `step/small` is at best 2.7 times the time of this product.
fn limit(c: &mut Criterion) {
    let (a, b) = (random(&[2048, 2048]).detach(), random(&[2048, 2048]).detach());
    c.bench_function("limit/2048x2048x2048", |bench| bench.iter(|| black_box(a.matmul(&b).unwrap())));
}

fn ops(c: &mut Criterion) {
    cpc::memory::keep_large_blocks();
    let mut group = c.benchmark_group("encoder");
    group.sample_size(10);
    let audio = random(&[8, 20_480, 1]).detach();
    let mut inputs = 1;
    let mut layers = Vec::new();
    for (kernel, stride, padding) in [(10, 5, 3), (8, 4, 2), (4, 2, 1), (4, 2, 1), (4, 2, 1)] {
        let vector = || random(&[256]).as_tensor().clone();
        let weight = random(&[256, inputs, kernel]).as_tensor().clone();
        let affine = Some((vector(), vector()));
        layers.push(Layer { weight, bias: vector(), affine, norm: Norm::Channel, stride, padding });
        inputs = 256;
    }
    group.bench_function("fused", |b| b.iter(|| backward(&encoder::fused(&audio, &layers).unwrap().0)));
    group.bench_function("composed", |b| b.iter(|| backward(&encoder::composed(&audio, &layers).unwrap().0)));
    group.finish();

    recurrent_op::<Gru>(c, "gru");
    recurrent_op::<Lstm>(c, "lstm");
    state_space(c);

    let mut group = c.benchmark_group("scores");
    group.sample_size(10);
    let (p, z) = (random(&[8, 116, 12, 256]), random(&[8, 128, 256]));
    let negatives =
        draw_negatives(&ObjectiveConfig::default(), (8, 0), 116, 128, &mut stream(1, "negatives", 0), &Device::Cpu)
            .unwrap();
    group.bench_function("fused", |b| b.iter(|| backward(&scores::fused(&p, &z, &negatives, 0.1).unwrap())));
    group.bench_function("composed", |b| b.iter(|| backward(&scores::composed(&p, &z, &negatives, 0.1).unwrap())));
    group.finish();

    let mut group = c.benchmark_group("cross-entropy");
    let s = random(&[8, 116, 12, 129]);
    group.bench_function("fused", |b| b.iter(|| backward(&cross_entropy::fused(&s).unwrap())));
    group.bench_function("composed", |b| b.iter(|| backward(&cross_entropy::composed(&s).unwrap())));
    group.finish();

    let mut group = c.benchmark_group("adam");
    let [p, m, v, g] = std::array::from_fn(|_| random(&[2048, 1024]));
    let one = Tensor::ones(1, candle_core::DType::F32, &CPU).unwrap();
    v.set(&v.sqr().unwrap().detach()).unwrap();
    let step = AdamStep { lr: 1e-4, beta1: 0.9, beta2: 0.999, eps: 1e-8, decay: 0.0, step: 10 };
    group.bench_function("fused", |b| b.iter(|| step.fused(&p, &m, &v, &g, &one).unwrap()));
    group.bench_function("composed", |b| b.iter(|| step.composed(&p, &m, &v, &g, &one).unwrap()));
    group.finish();
}

fn recurrent_op<C: Cell>(c: &mut Criterion, name: &str) {
    let mut group = c.benchmark_group(name);
    group.sample_size(10);
    let gates = C::GATES * 256;
    let (x, w, bias) = (random(&[8, 128, gates]), random(&[gates, 256]), random(&[gates]));
    let state = State::zeros(8, 256, candle_core::DType::F32, &CPU).unwrap();
    group.bench_function("fused", |b| b.iter(|| backward(&recurrent::fused::<C>(&x, &w, &bias, &state).unwrap().0)));
    group.bench_function("composed", |b| {
        b.iter(|| backward(&recurrent::composed::<C>(&x, &w, &bias, &state).unwrap().0))
    });
    group.finish();
}

/// A layer of 512 state spaces on one sequence: by the Fourier transform, and as a recurrence.
fn state_space(c: &mut Criterion) {
    let mut group = c.benchmark_group("state-space");
    group.sample_size(10);
    let skip = random(&[512]).detach();
    for (time, state) in [(128, 8), (512, 8), (2048, 8), (512, 64)] {
        let modes = state / 2;
        let decay = (random(&[512, modes, 1]).sqr().unwrap() * -1.0).unwrap();
        let z = Tensor::cat(&[decay, random(&[512, modes, 1]).detach()], 2).unwrap().detach();
        let (out, x) = (random(&[512, modes, 2]).detach(), random(&[1, time, 512]).detach());
        let rows = x.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        let mut stream = StateSpaceStream::new(&z, &out, &skip).unwrap();
        group.bench_function(format!("recurrence/{time}/{state}"), |b| {
            b.iter(|| {
                stream.reset();
                black_box(stream.push(&rows).unwrap())
            })
        });
        group.bench_function(format!("fourier/{time}/{state}"), |b| {
            b.iter(|| black_box(long_conv::fused(&x, &impulse_response(&z, &out, time).unwrap()).unwrap()))
        });
    }
    let (x, kernel) = (random(&[8, 128, 512]), random(&[512, 128]));
    group.bench_function("fused", |b| b.iter(|| backward(&long_conv::fused(&x, &kernel).unwrap())));
    group.bench_function("composed", |b| b.iter(|| backward(&long_conv::composed(&x, &kernel).unwrap())));
    group.finish();
}

fn step(c: &mut Criterion) {
    let mut group = c.benchmark_group("step");
    group.sample_size(10);
    let (cfg, objective, train) = (AudioConfig::default(), ObjectiveConfig::default(), TrainConfig::default());
    let store = ParamStore::new(1, &CPU);
    let model = Network::new(&AudioModelConfig::audio(&cfg).sizes(), &store.builder()).unwrap();
    let mut optimizer = Optimizer::new(&store).unwrap();
    let samples = random(&[8, 20_480]).detach();
    let mut index = 0;
    group.bench_function("small", |b| {
        b.iter(|| {
            index += 1;
            let latents = model.forward(&samples, Phase::Train).unwrap();
            let (out, _) =
                model.contrast(&latents, &objective, Phase::Train, &mut stream(1, "negatives", index)).unwrap();
            let grads = optimizer.collect(out.loss.sum_all().unwrap().backward().unwrap(), &[]).unwrap();
            optimizer.step(&grads, 1.0, 2e-4, &train).unwrap();
        })
    });
    group.finish();
    ecg_step(c);
}

/// The preset ecg-cpc with crops of 12 leads: 8 of them, and the 64 of the preset. `benches/torch_series.py` is the same in PyTorch.
fn ecg_step(c: &mut Criterion) {
    let mut group = c.benchmark_group("step");
    group.sample_size(10);
    let layers = Layers { preset: Some("ecg-cpc".into()), ..Layers::default() };
    let cfg: SeriesConfig = RunConfig::resolve(&SERIES, &layers).unwrap().sections().unwrap();
    let (encoder, context, heads) = (cfg.encoder.clone(), cfg.context.clone(), cfg.heads.clone());
    let sizes = Sizes { channels: 12, rate: 240.0, encoder, context, heads };
    for rows in [8, 64] {
        let store = ParamStore::new(1, &CPU);
        let model = Network::new(&sizes, &store.builder()).unwrap();
        let mut optimizer = Optimizer::new(&store).unwrap();
        let samples = random(&[rows, 600, 12]).detach();
        let mut index = 0;
        group.bench_function(format!("ecg-cpc/{rows}"), |b| {
            b.iter(|| {
                index += 1;
                let latents = model.forward(&samples, Phase::Train).unwrap();
                let mut negatives = stream(1, "negatives", index);
                let (out, _) = model.contrast(&latents, &cfg.objective, Phase::Train, &mut negatives).unwrap();
                let grads = optimizer.collect(out.loss.sum_all().unwrap().backward().unwrap(), &[]).unwrap();
                optimizer.step(&grads, 1.0, 3e-3, &cfg.train).unwrap();
            })
        });
    }
    group.finish();
}

criterion_group!(benches, limit, ops, step);
criterion_main!(benches);
