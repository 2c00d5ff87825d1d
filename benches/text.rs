//! CPC on text: a whole training step, its ops, and the row-wise update against the dense one.
//!
//! `cargo bench --bench text` (all), `cargo bench --bench text -- step/` (only the step). `step/512` is what `benches/torch_text.py step`
//! measures: a vocabulary of 20,000, 256-dimensional embeddings, 512-dimensional z and c, 64 windows of 9 sentences, and tokens drawn in the
//! same way.

#![allow(missing_docs, clippy::unwrap_used)] // criterion_group makes public functions

mod common;

use candle_core::{DType, Tensor};
use candle_nn::VarBuilder;
use common::{CPU, backward, random};
use cpc::config::TrainConfig;
use cpc::kinds::text::{CpcText, TextConfig};
use cpc::nn::{Optimizer, ParamStore, Phase};
use cpc::ops::adam::AdamStep;
use cpc::ops::all_pairs::{self, Barred};
use cpc::ops::tokens::{self, Sentences};
use cpc::seed::stream;
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use std::hint::black_box;

const VOCABULARY: usize = 20_000;

/// Tokens and offsets of sentences of 8 to 32 tokens, in which the r-th most frequent token has a share of (r + 2.7)^-1.25.
fn draw(sentences: usize, index: u64) -> (Vec<u32>, Vec<u32>) {
    let mut total = 0.0;
    let up_to: Vec<f64> = (0..VOCABULARY)
        .map(|r| {
            total += (r as f64 + 3.7).powf(-1.25);
            total
        })
        .collect();
    let mut s = stream(1, "sentences", index);
    let (mut ids, mut offsets) = (Vec::new(), vec![0]);
    for _ in 0..sentences {
        for _ in 0..(8 + s.below(40)).min(32) {
            let at = f64::from(s.unit()) * total;
            ids.push(up_to.partition_point(|&t| t < at).min(VOCABULARY - 1) as u32);
        }
        offsets.push(ids.len() as u32);
    }
    (ids, offsets)
}

fn model(embedding_dim: usize, hidden_dim: usize, vb: &VarBuilder) -> CpcText {
    let mut cfg = TextConfig::default();
    (cfg.encoder.vocab_size, cfg.encoder.embedding_dim, cfg.encoder.hidden_dim) =
        (VOCABULARY, embedding_dim, hidden_dim);
    cfg.context.hidden_dim = hidden_dim;
    CpcText::new(&cfg.encoder, &cfg.context, &cfg.heads, vb).unwrap()
}

fn step(c: &mut Criterion) {
    cpc::memory::keep_large_blocks();
    let mut group = c.benchmark_group("step");
    group.sample_size(20);
    for (embedding, hidden) in [(256, 512), (128, 256)] {
        let objective = TextConfig::default().objective;
        let train = TrainConfig::default();
        let store = ParamStore::new(1, &CPU);
        let model = model(embedding, hidden, &store.builder());
        let mut optimizer = Optimizer::new(&store).unwrap();
        let mut index = 0;
        let mut next = || {
            index += 1;
            draw(64 * 9, index)
        };
        let mut step = |(ids, offsets): (Vec<u32>, Vec<u32>)| {
            let batch = Sentences::new(&ids, &offsets).unwrap();
            let (latents, rows) = model.forward(&batch, 9).unwrap();
            let mut draws = stream(1, "negatives", 0);
            let (loss, _) = model.contrast(&latents, 3, &objective, None, Phase::Train, &mut draws).unwrap();
            let grads = loss.loss.sum_all().unwrap().backward().unwrap();
            let grads = optimizer.collect(grads, &[rows]).unwrap();
            optimizer.step(&grads, 1.0, 2e-4, &train).unwrap();
        };
        group.bench_function(hidden.to_string(), |b| b.iter_batched(&mut next, &mut step, BatchSize::PerIteration));
    }
    group.finish();
}

fn ops(c: &mut Criterion) {
    let (ids, offsets) = draw(64 * 9, 0);
    let sentences = Sentences::new(&ids, &offsets).unwrap();
    for kernel in [1, 3] {
        let mut group = c.benchmark_group(format!("tokens/kernel {kernel}"));
        group.sample_size(10);
        let rows = random(&[sentences.distinct().len(), 256]);
        let (weight, bias) = (random(&[512, 256, kernel]), random(&[512]));
        group.bench_function("fused", |b| {
            b.iter(|| backward(&tokens::fused(&rows, &weight, &bias, &sentences).unwrap()))
        });
        group.bench_function("composed", |b| {
            b.iter(|| backward(&tokens::composed(&rows, &weight, &bias, &sentences).unwrap()))
        });
        group.finish();
    }

    let mut group = c.benchmark_group("all pairs");
    group.sample_size(10);
    let (p, z) = (random(&[64, 6, 3, 512]), random(&[64, 9, 512]));
    let barred: Barred = (0..576 * 576).map(|i| u8::from(i / 576 == i % 576)).collect();
    group.bench_function("fused", |b| b.iter(|| backward(&all_pairs::fused(&p, &z, &barred, 0.1).unwrap())));
    group.bench_function("composed", |b| b.iter(|| backward(&all_pairs::composed(&p, &z, &barred, 0.1).unwrap())));
    group.finish();

    let mut group = c.benchmark_group("encode 20000 sentences");
    group.sample_size(10);
    let model = model(256, 512, &ParamStore::new(1, &CPU).frozen());
    let parts: Vec<(Vec<u32>, Vec<u32>)> = (0..40).map(|i| draw(500, i)).collect();
    group.bench_function("512", |b| {
        b.iter(|| {
            for (ids, offsets) in &parts {
                black_box(model.encode(&Sentences::new(ids, offsets).unwrap()).unwrap());
            }
        })
    });
    group.finish();
}

/// The table of the paper, 20,000 x 620; a batch touches 2,000 of its rows.
fn update(c: &mut Criterion) {
    let mut group = c.benchmark_group("adam 20000x620");
    group.sample_size(10);
    let [p, m, v, g] = std::array::from_fn(|_| random(&[VOCABULARY, 620]));
    v.set(&v.sqr().unwrap().detach()).unwrap();
    let one = Tensor::ones(1, DType::F32, &CPU).unwrap();
    let adam = AdamStep { lr: 1e-4, beta1: 0.9, beta2: 0.999, eps: 1e-8, decay: 0.0, step: 10 };
    let ids: Vec<u32> = (0..2000).map(|i| i * 10).collect();
    let some = g.narrow(0, 0, 2000).unwrap().detach();
    group.bench_function("every row", |b| b.iter(|| adam.apply(&p, &m, &v, &g, &one).unwrap()));
    group.bench_function("2000 rows", |b| b.iter(|| adam.apply_rows(&p, &m, &v, &ids, &some, &one).unwrap()));
    group.finish();
}

criterion_group!(benches, step, ops, update);
criterion_main!(benches);
