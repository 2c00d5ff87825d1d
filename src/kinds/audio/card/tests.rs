#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
use super::*;
use crate::config::{ConvEncoderConfig, HeadsConfig};
use crate::kinds::audio::AudioConfig;
use crate::nn::{ContextConfig, ContextKind};
use crate::weights::Origin;
use serde_json::json;

fn config() -> AudioModelConfig {
    AudioModelConfig {
        kind: "cpc-audio".into(),
        format: 1,
        sample_rate: 16_000,
        encoder: ConvEncoderConfig::default(),
        context: ContextConfig::default(),
        heads: HeadsConfig::default(),
        origin: None,
    }
}

fn bare<'a>(name: &'a str, config: &'a AudioModelConfig) -> AudioCard<'a> {
    AudioCard {
        name,
        config,
        parameters: 0,
        training: None,
        license: None,
        language: &[],
        datasets: &[],
        repo: None,
        probes: &[],
        abx: &[],
    }
}

fn training() -> Training {
    let mut config = AudioConfig::default();
    config.data.path = "/home/someone/speech/flite/".into();
    config.train.accumulate = 2;
    let validation = Validation {
        on: "validation".into(),
        step: 700,
        loss: 3.0,
        loss_per_step: vec![2.0, 4.0],
        accuracy_per_step: vec![0.5, 0.125],
        negatives_met: 128.0,
    };
    Training { hours: Some(1.5), speakers: Some(3), validation: Some(validation), ..Training::of(&config) }
}

/// Sample reports of `cpc probe --json` and `cpc abx --json`.
fn reports() -> (Value, Value) {
    let row = |name: &str, accuracy: f64| {
        json!({"features": name, "dim": 128, "accuracy": accuracy, "ci95": [0.26914, 0.33821], "macro_f1": 0.16036, "l2": 1.0,
            "iterations": 90, "converged": true, "recalls": [], "confused": []})
    };
    let probe = json!({"protocol": "frame", "probe": "linear", "labels": "data/demo/phones.txt", "folds": null,
        "train": {"utterances": 52, "rows": 24803}, "test": {"utterances": 12, "rows": 5808}, "classes": 40, "chance": 0.025,
        "majority": 0.11725, "rows": [row("runs/demo c", 0.30475), row("mfcc", 0.59504), row("random c", 0.2)], "remarks": []});
    let abx = json!({"features": "features", "item": "data/demo/triphones.item", "slicing": "libri-light", "context": "triphone",
        "frame_rate": 100.0, "seed": 0, "sampling": {"max_group": 10, "max_x_across": null}, "items": 22, "too_short": 0,
        "rows": [{"mode": "within", "distance": "angular", "error": null, "triples": 0, "pairs": []},
            {"mode": "across", "distance": "angular", "error": 0.277777, "triples": 16, "pairs": []}]});
    (probe, abx)
}

fn header(card: &str) -> &str {
    card.strip_prefix("---\n").unwrap().split_once("\n---\n").unwrap().0
}

fn says(card: &str, all: &[&str]) {
    all.iter().for_each(|said| assert!(card.contains(said), "{said:?} is not in {card}"));
}

#[test]
fn a_card_without_training_says_the_architecture_and_invents_nothing() {
    let config = config();
    let card = bare("x", &config).markdown();
    assert_eq!(
        header(&card),
        "library_name: cpc-toolkit\npipeline_tag: feature-extraction\ntags:\n- \"cpc\"\n- \"contrastive-predictive-coding\"\n\
        - \"self-supervised\"\n- \"speech\"\n- \"audio\"\n- \"feature-extraction\""
    );
    says(
        &card,
        &[
            "| kernels | 10, 8, 4, 4, 4 |", // the paper, section 3.1
            "| hop | 160 samples (10 ms), 100 frames per second |",
            "| receptive field of z | 465 samples (29.1 ms) |",
            "| context | GRU of 256, 1 layer |",
            "one matrix for each of K = 12 steps (120 ms)",
            "A frame is final 19.5 ms after its beginning", // 465 - 153 = 312 samples
            "How it was trained is not recorded here.",
            "No probe and no ABX test of it is reported here.",
        ],
    );
    for unsaid in
        ["license", "language:", "datasets", "model-index", "Evaluation", "| parameters", "seed", "updates", "hf:"]
    {
        assert!(!card.contains(unsaid), "{unsaid:?} is in {card}");
    }
}

#[test]
fn a_training_of_which_nothing_is_known_says_no_more_than_none() {
    let config = config();
    let empty: Training = serde_json::from_value(json!({})).unwrap();
    let card = AudioCard { training: Some(&empty), ..bare("x", &config) }.markdown();
    assert_eq!(card, bare("x", &config).markdown());
}

#[test]
fn training_and_its_figures_are_told() {
    let (config, training) = (config(), training());
    let card = AudioCard { training: Some(&training), parameters: 1234, ..bare("x", &config) }.markdown();
    says(
        &card,
        &[
            "| data | flite |",
            "| amount | 1.5 hours, 3 speakers |",
            "| updates | 100000 |",
            "| batch | 16 windows an update, 1280 ms a window |", // 8 windows twice, of 20480 samples
            "| windows that share a batch | same-speaker |",
            "| negatives | 128 for each position, from: batch |",
            "| optimizer | adam, learning rate 2e-4, schedule constant |",
            "| seed | 0 |",
            "| parameters | 1234 |",
            "On validation windows after 700 updates: telling the true z, k frames ahead, from 128 others",
            "loss of 4.860 nats (the logarithm of 129) and an accuracy of 0.78 %", // ln 129 = 4.85981
            "| 1 | 10 ms | 2.000 | 2.860 | 50.00 % | 64.5 x |",
            "| 2 | 20 ms | 4.000 | 0.860 | 12.50 % | 16.1 x |",
        ],
    );
    assert!(!card.contains("/home") && !card.contains("began with"), "{card}");
}

#[test]
fn probes_and_abx_are_tables_and_the_models_own_are_in_the_index() {
    let (config, (probe, abx)) = (config(), reports());
    let card = AudioCard { probes: &[probe], abx: &[abx], ..bare("x", &config) }.markdown();
    says(
        &card,
        &[
            "### phones.txt, frame, linear probe",
            "trained on 52 utterances (24803 rows) and tested on 12 utterances (5808 rows)",
            "Guessing gives 2.50 %, always saying the most frequent class 11.72 %", // 11.725 is below the tie in binary
            "| demo c | 128 | 30.48 % | 26.91 % to 33.82 % | 16.04 % |",
            "| mfcc (to compare with) | 128 | 59.50 % |",
            "### ABX, triphones.item",
            "22 items, context triphone, slicing libri-light, max-group 10.",
            "| within | angular | - | 0 |",
            "| across | angular | 27.78 % | 16 |",
        ],
    );
    let index = header(&card).split("model-index:\n").nth(1).unwrap();
    says(
        index,
        &[
            "- name: \"x\"\n  results:\n  - task:\n      type: feature-extraction\n      name: \"frame, linear probe\"\n    dataset:\n      name: \"phones.txt\"\n",
            "    - type: accuracy\n      value: 0.3048\n      name: \"accuracy, demo c\"\n",
            "    - type: abx\n      value: 0.2778\n      name: \"ABX error, across, angular, features\"",
        ],
    );
    assert!(!index.contains("mfcc") && !index.contains("random") && !index.contains("within"), "{index}");
}

#[test]
fn a_report_of_another_shape_is_left_out() {
    let config = config();
    let odd = [json!(null), json!({"rows": 3}), json!("x")];
    assert_eq!(AudioCard { probes: &odd, abx: &odd, ..bare("x", &config) }.markdown(), bare("x", &config).markdown());
}

#[test]
fn names_are_only_names() {
    let odd = "a: \"b\" |\n---\n# <script>```".to_string();
    let mut config = config();
    config.origin = Some(Origin { reference: format!("/home/{odd}"), layout: odd.clone() });
    let training = Training { data: odd.clone(), sampler: odd.clone(), cpc_version: odd.clone(), ..training() };
    let (mut probe, mut abx) = reports();
    (probe["labels"], abx["item"], abx["features"]) = (json!(odd), json!(odd), json!(odd));
    let (list, reports) = ([odd.clone(), "no".into()], [probe, abx]);
    let card = AudioCard {
        training: Some(&training),
        license: Some(&odd),
        language: &list,
        datasets: &list,
        repo: Some(&odd),
        probes: &reports[..1],
        abx: &reports[1..],
        ..bare(&odd, &config)
    };
    let text = card.markdown();
    let plain = bare("x", &config).markdown();
    let count = |text: &str, what: &str| text.lines().filter(|line| line.starts_with(what)).count();
    assert_eq!((count(&text, "---"), count(&text, "# "), count(&text, "```")), (2, 1, count(&plain, "```")));
    let (_, body) = text.split_once("\n---\n").unwrap();
    assert!(!body.contains(" <script") && !body.contains("hf_hub_download"), "{body}");
    says(header(&text), &["language:\n- \"a: \\\"b\\\" |\\u000A---\\u000A# <script>```\"\n- \"no\"\n"]);
}

#[test]
fn a_repository_is_what_both_programs_load() {
    let config = config();
    let card = AudioCard { repo: Some("owner/cpc-small"), ..bare("x", &config) }.markdown();
    says(
        &card,
        &["cpc extract hf:owner/cpc-small audio/", "hf_hub_download(\"owner/cpc-small\", \"model.safetensors\")"],
    );
}

#[test]
fn the_program_is_of_this_architecture() {
    let mut config = config();
    config.encoder.norm = NormKind::Batch;
    config.context = ContextConfig { kind: ContextKind::LSTM, hidden_dim: 512, num_layers: 2, ..Default::default() };
    let card = bare("x", &config).markdown();
    says(
        &card,
        &[
            "nn.LSTM(256, 512, num_layers=2, batch_first=True)",
            "nn.BatchNorm1d(channels)",
            "zip([256, 256, 256, 256, 256], [10, 8, 4, 4, 4], [5, 4, 2, 2, 2], [3, 2, 1, 1, 1])",
        ],
    );
    assert!(!card.contains("class ChannelNorm") && !card.contains("<<"), "{card}");
}
