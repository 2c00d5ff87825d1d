//! The image ops against their composed forms, and whole training steps of the presets on batches of 64 images of 28 x 28.
//!
//! `cargo bench --bench images` (all), `cargo bench --bench images -- step/` (only the steps; `benches/torch_images.py` is the same in
//! PyTorch).

#![allow(missing_docs, clippy::unwrap_used)] // criterion_group makes public functions

mod common;

use candle_core::Tensor;
use common::{CPU, backward, random};
use cpc::config::{ImageSize, Layers};
use cpc::kinds::RunConfig;
use cpc::kinds::dim::{DIM, Dim, DimConfig};
use cpc::model::OfImages;
use cpc::nn::{Optimizer, ParamStore, Phase};
use cpc::ops::conv2d::{Window, by};
use cpc::ops::{Form, layer_norm, linear};
use cpc::seed::stream;
use criterion::{Criterion, criterion_group, criterion_main};

fn ops(c: &mut Criterion) {
    cpc::memory::keep_large_blocks();
    let mut group = c.benchmark_group("conv2d");
    group.sample_size(10);
    let window = Window { kernel: 5, stride: 2, padding: 2 };
    let (images, weight, bias) = (random(&[64, 14, 14, 64]), random(&[128, 64, 5, 5]), random(&[128]));
    for (name, form) in [("fused", Form::Fused), ("composed", Form::Composed)] {
        group
            .bench_function(name, |b| b.iter(|| backward(&by(form, &images, [&weight, &bias], window, true).unwrap())));
    }
    group.finish();

    let mut group = c.benchmark_group("linear");
    let (x, weight, bias) = (random(&[3136, 512]), random(&[512, 512]), random(&[512]));
    group.bench_function("fused", |b| {
        b.iter(|| backward(&linear::fused(&x, &weight, &bias, linear::Activation::Relu).unwrap()))
    });
    group.bench_function("composed", |b| b.iter(|| backward(&linear::composed(&x, &weight, &bias, true).unwrap())));
    group.finish();

    let mut group = c.benchmark_group("layer-norm");
    group.bench_function("fused", |b| b.iter(|| backward(&layer_norm::fused(&x, &bias, &bias).unwrap())));
    group.bench_function("composed", |b| b.iter(|| backward(&layer_norm::composed(&x, &bias, &bias).unwrap())));
    group.finish();
}

fn step(c: &mut Criterion) {
    let mut group = c.benchmark_group("step");
    group.sample_size(10);
    let size = ImageSize { height: 28, width: 28, channels: 1 };
    let images = random(&[64, 28, 28, 1]).detach();
    let labels = Tensor::from_vec((0..64u32).map(|i| i % 10).collect::<Vec<_>>(), 64, &CPU).unwrap();
    for preset in ["dim-local", "dim-global", "image-supervised"] {
        let layers = Layers { preset: Some(preset.into()), ..Layers::default() };
        let cfg = RunConfig::resolve(&DIM, &layers).unwrap().sections::<DimConfig>().unwrap();
        let store = ParamStore::new(1, &CPU);
        let model = Dim::new(&cfg.encoder, &cfg.objective, size, 10, &store.builder(), &store.frozen()).unwrap();
        let mut optimizer = Optimizer::new(&store).unwrap();
        let mut index = 0;
        group.bench_function(preset, |b| {
            b.iter(|| {
                index += 1;
                let descent = model.descent(&images, &labels, Phase::Train, &mut stream(1, "prior", index)).unwrap();
                let grads = optimizer.collect(descent.objective.backward().unwrap(), &[]).unwrap();
                optimizer.step(&grads, 1.0, 1e-4, &cfg.train).unwrap();
            })
        });
    }
    group.finish();
}

criterion_group!(benches, ops, step);
criterion_main!(benches);
