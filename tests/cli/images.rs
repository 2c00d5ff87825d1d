//! Image commands from the user's point of view: Deep InfoMax, the information bottleneck, and MINE in a GAN on the plane.

use super::place::Place;
use serde_json::Value;
use std::fs;
use std::path::Path;

/// Sizes for a run that takes about a second.
pub const DIM: &str = "--set encoder.fc_dim=24 --set encoder.latent_dim=8 --set objective.critic_dim=24 --set train.batch_size=16 \
                   --set data.valid_share=0.2 --set train.lr=1e-3 --set train.log_every=4 --set train.valid_every=10 \
                   --set train.checkpoint_every=5";

/// Writes the four IDX files: squares whose position is their label, on a background of noise.
pub fn write_idx(dir: &Path, sizes: [usize; 2]) {
    fs::create_dir_all(dir).unwrap();
    for (part, n) in ["train", "t10k"].into_iter().zip(sizes) {
        let number = |n: usize| (n as u32).to_be_bytes();
        let mut images = [0x0803u32.to_be_bytes(), number(n), number(28), number(28)].concat();
        let mut labels = [0x0801u32.to_be_bytes(), number(n)].concat();
        for i in 0..n {
            let label = i % 10;
            let (top, left) = (label / 5 * 12 + i / 10 % 4, label % 5 * 5);
            for at in 0..784 {
                let inside = (top..top + 10).contains(&(at / 28)) && (left..left + 6).contains(&(at % 28));
                let noise = (i * 7919 + at * 104_729) % 97;
                images.push(if inside { 150 + noise as u8 } else { noise as u8 / 2 });
            }
            labels.push(label as u8);
        }
        fs::write(dir.join(format!("{part}-images-idx3-ubyte")), images).unwrap();
        fs::write(dir.join(format!("{part}-labels-idx1-ubyte")), labels).unwrap();
    }
}

pub fn place() -> Place {
    let place = Place::new();
    write_idx(&place.at("squares"), [240, 60]);
    place
}

fn figure(line: &Value, name: &str) -> f64 {
    line[name].as_f64().unwrap_or_else(|| panic!("no {name} in {line}"))
}

#[test]
fn runs_of_deep_infomax_resume_exactly_and_their_features_tell_labels() {
    let place = place();
    for preset in ["dim-local", "dim-global", "dim-both"] {
        let run = format!("pretrain squares --preset {preset} {DIM}");
        let said = place.ok(&format!("{run} --steps 10 --out {preset}"));
        assert!(said.contains("loss") && said.contains(&format!("model: {preset}/model")), "{said}");
        place.ok(&format!("{run} --steps 5 --out {preset}-cut"));
        place.age(&format!("{preset}-cut"));
        place.ok(&format!("pretrain --resume --steps 10 --out {preset}-cut"));
        for file in ["model.safetensors", "optimizer.safetensors", "config.json"] {
            let file = format!("checkpoints/step-10/{file}");
            let same = place.bytes(&format!("{preset}/{file}")) == place.bytes(&format!("{preset}-cut/{file}"));
            assert!(same, "{preset}: {file}");
        }
    }
    let valid: Vec<Value> = place.metrics("dim-both").into_iter().filter(|l| l["kind"] == "valid").collect();
    for name in ["loss", "local_bound", "global_bound", "prior_loss", "adversary_loss", "effective_rank"] {
        assert!(figure(&valid[0], name).is_finite(), "{name}");
    }
    assert!(place.ok("info dim-both").contains("images per second"));
    assert!(place.ok("info dim-both/model").contains("basic28x28"));
    assert!(place.ok("info squares").contains("28 x 28 x 1"));

    place.ok(&format!("pretrain squares --preset dim-local {DIM} --steps 120 --out long"));
    let said = place.ok("extract long squares --layer y,conv --out features");
    assert!(said.contains("300 images"), "{said}");
    let rows = |file: &str| {
        let bytes = place.bytes(file);
        npyz::NpyFile::new(&bytes[..]).unwrap().shape().to_vec()
    };
    assert_eq!((rows("features/train-y.npy"), rows("features/test-conv.npy")), (vec![240, 8], vec![60, 6272]));
    assert_eq!(fs::read_to_string(place.at("features/test-labels.txt")).unwrap().lines().count(), 60);

    let said = place.ok("probe long --data squares --baselines random,pca,pixels --report page --json");
    let found: Value = serde_json::from_str(&said).unwrap();
    let accuracy = |row: usize| found["rows"][row]["accuracy"].as_f64().unwrap();
    assert_eq!(found["rows"].as_array().unwrap().len(), 4);
    assert!(accuracy(0) > 0.8, "{found}");
    let page = fs::read_to_string(place.at("page/index.html")).unwrap();
    assert!(page.contains("data:image/png;base64,") && page.contains("t-SNE"));
    let said = place.ok("probe long --data squares --hidden 20 --layer fc");
    assert!(said.contains("hidden 20") && said.contains("240 images"), "{said}");
}

#[test]
fn an_encoder_that_is_trained_with_labels_learns_them() {
    let place = place();
    place.ok(&format!("pretrain squares --preset image-supervised {DIM} --steps 60 --out run"));
    let last = place.metrics("run").into_iter().rfind(|l| l["kind"] == "valid").unwrap();
    assert!(figure(&last, "labels_accuracy") > 0.9, "{last}");
}

#[test]
fn the_bottleneck_tells_labels_and_forgets_images_as_beta_grows() {
    let place = place();
    let small = "--set encoder.hidden_dims=[32] --set encoder.code_dim=6 --set objective.critic_dim=32 --set train.batch_size=24 \
                 --set train.lr=3e-3 --set train.valid_every=60 --set train.checkpoint_every=30 --set data.valid_share=0.2 --set train.schedule=constant";
    let mut kept = Vec::new();
    for (name, set) in [
        ("free", "objective.beta=1e-4"),
        ("dear", "objective.beta=1"),
        ("gaussian", "objective.information=mine-gaussian"),
        ("additive", "objective.information=mine-additive"),
        ("propagated", "objective.information=mine-propagated"),
    ] {
        let said =
            place.ok(&format!("pretrain squares --preset ib {small} --steps 60 --set {set} --out {name} --json"));
        let report: Value = serde_json::from_str(&said).unwrap();
        let error = figure(&report["concluded"], "test_error");
        assert!(if name == "dear" { error <= 1.0 } else { error < 0.3 }, "{name}: {error}");
        let last = place.metrics(name).into_iter().rfind(|l| l["kind"] == "valid").unwrap();
        kept.push(figure(&last, "information_x_z"));
    }
    assert!(kept[1] < 0.5 * kept[0], "{kept:?}");
    place.ok(&format!(
        "pretrain squares --preset ib {small} --set objective.information=mine-additive --steps 30 --out cut"
    ));
    place.age("cut");
    assert!(place.ok("info cut/model").contains("model       ib "));
    place.ok("pretrain --resume --steps 60 --out cut");
    let file = "checkpoints/step-60/model.safetensors";
    assert!(
        place.bytes(&format!("additive/{file}")) == place.bytes(&format!("cut/{file}")),
        "the running mean is kept"
    );
    let said = place.ok("mi plane free dear additive --svg plane.svg");
    assert!(said.contains("VIB, beta 1e0") && said.contains("MINE, additive"), "{said}");
    assert!(fs::read_to_string(place.at("plane.svg")).unwrap().starts_with("<svg"));
    place.fails("mi plane squares", 2, &["is no run"]);
}

#[test]
fn a_game_on_the_plane_resumes_exactly_and_draws_its_samples() {
    let place = Place::new();
    let small = "--set generator.hidden_dims=[16] --set objective.critic_dims=[16] --set objective.discriminator_dims=[16] --set train.batch_size=32 \
                 --set train.checkpoint_every=10 --set train.log_every=5 --set train.schedule=constant";
    let said = place.ok(&format!("pretrain toy:25-gaussians --preset mine-gan {small} --steps 20 --out whole --json"));
    let report: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(figure(&report["concluded"], "modes"), 25.0);
    assert!(figure(&report["figures"], "information").is_finite());
    place.ok(&format!("pretrain toy:25-gaussians --preset mine-gan {small} --steps 10 --out cut"));
    place.age("cut");
    assert!(place.ok("info cut/model").contains("model       mine-gan "));
    place.ok("pretrain --resume --steps 20 --out cut");
    for file in ["checkpoints/step-20/model.safetensors", "samples.csv"] {
        assert!(place.bytes(&format!("whole/{file}")) == place.bytes(&format!("cut/{file}")), "{file}");
    }
    assert_eq!(fs::read_to_string(place.at("whole/samples.csv")).unwrap().lines().count(), 10_001);
    assert!(fs::read_to_string(place.at("whole/samples.svg")).unwrap().starts_with("<svg"));
    place.fails("pretrain toy:ring --preset mine-gan --out ring", 2, &["toy:spiral"]);
}

#[test]
fn stacked_images_are_told_apart_by_a_classifier() {
    let place = place();
    place.ok("pretrain squares --preset image-supervised --set encoder.fc_dim=32 --set train.batch_size=16 --set train.valid_every=10 \
              --set train.checkpoint_every=10 --set train.lr=3e-3 --steps 20 --out judge");
    let small = "--set generator.hidden_dims=[8,8] --set objective.discriminator_dims=[8,8] --set objective.critic_dims=[16] \
                 --set train.batch_size=8 --set train.checkpoint_every=2 --set data.classifier=judge --set data.counted=600";
    let run = format!("pretrain stacked:squares --preset mine-gan-stacked {small}");
    let said = place.ok(&format!("{run} --steps 4 --out whole --json"));
    let report: Value = serde_json::from_str(&said).unwrap();
    let concluded = &report["concluded"];
    assert_eq!(figure(concluded, "modes"), 1000.0);
    let (reached, divergence) = (figure(concluded, "modes_reached"), figure(concluded, "divergence"));
    assert!((1.0..=1000.0).contains(&reached) && divergence > 0.0 && divergence <= 1000f64.ln() + 1e-9);
    place.ok(&format!("{run} --steps 2 --out cut"));
    place.age("cut");
    place.ok("pretrain --resume --steps 4 --out cut");
    for file in ["checkpoints/step-4/model.safetensors", "samples.png"] {
        assert!(place.bytes(&format!("whole/{file}")) == place.bytes(&format!("cut/{file}")), "{file}");
    }
    place.fails("pretrain stacked:squares --out none", 2, &["classifier", "image-supervised"]);
    assert!(place.ok("pretrain stacked:squares --print-config").contains("noise_dim = 32"));
    place.ok("pretrain squares --preset dim-local --set objective.critic_dim=8 --set train.batch_size=8 --set train.valid_every=0 \
              --steps 1 --out blind");
    place.fails(
        "pretrain stacked:squares --preset mine-gan-stacked --set data.classifier=blind --out none",
        2,
        &["trained without labels"],
    );
}

#[test]
fn what_is_wrong_with_images_is_said_with_the_file() {
    let place = place();
    let copy = |name: &str| {
        write_idx(&place.at(name), [30, 20]);
        place.at(name)
    };
    let damaged = copy("damaged");
    let mut bytes = fs::read(damaged.join("train-images-idx3-ubyte")).unwrap();
    bytes.truncate(1000);
    fs::write(damaged.join("train-images-idx3-ubyte"), bytes).unwrap();
    let run = |data: &str| format!("pretrain {data} --preset dim-local --out run");
    place.fails(&run("damaged"), 1, &["train-images-idx3-ubyte: is cut off"]);
    let odd = copy("odd");
    let mut bytes = fs::read(odd.join("t10k-labels-idx1-ubyte")).unwrap();
    bytes[10] = 77;
    fs::write(odd.join("t10k-labels-idx1-ubyte"), bytes).unwrap();
    place.fails(&run("odd"), 1, &["label 77"]);
    place.fails(&run("corpus"), 1, &["there are no images in it"]);
    place.fails(&run("nowhere"), 1, &["nowhere"]);
    copy("few");
    place.fails(&run("few"), 1, &["too few for a batch of 64"]);
    assert!(!place.at("run").join("config.toml").exists());
    place.fails("pretrain squares --preset dim-local --set objective.beta=0 --out run", 2, &["nothing is learned"]);
    place.ok(&format!("pretrain squares --preset dim-local {DIM} --steps 2 --out small"));
    let card = place.ok("hub push small owner/squares --dry-run --license mit");
    assert!(card.contains("vector Y of 8 numbers") && card.contains("extract hf:owner/squares DATA"), "{card}");
    // Other files beside images do not make them something else, nor does a configuration without a kind.
    fs::write(place.at("squares/notes.tsv"), "a note\n").unwrap();
    fs::write(place.at("few.toml"), "[train]\nsteps = 2\n").unwrap();
    place.ok(&format!("pretrain squares --config few.toml {DIM} --out told"));
    place.ok("pretrain squares --config few.toml --resume --out told");
    place.fails("convert small small.pt", 2, &["is a model of images"]);
    place.fails("extract small squares --layer c --out features", 2, &["none of conv, fc, y"]);
    place.fails("probe small", 2, &["no images to probe with"]);
    place.fails("probe small --data squares --labels speaker", 2, &["--labels is not for image models"]);
}
