//! Exchange through the test hub between cpc and PyPI's huggingface_hub, an independent client; and the Python program of a model card. To
//! run all of these tests: `PYTHON=venv/bin/python cargo test --test cli hub_python -- --ignored --nocapture`.

use super::hub::{Site, files};
use super::hub_server::{Fault, HubServer, Kind};
use super::place::golden;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Runs Python, which must succeed, and returns what it prints.
fn python(arguments: &[&str], variables: &[(&str, &str)]) -> String {
    let mut command = Command::new(env::var_os("PYTHON").unwrap_or_else(|| "python3".into()));
    command.args(arguments).env("HF_HUB_DISABLE_PROGRESS_BARS", "1").env("HF_HUB_DISABLE_XET", "1");
    let output = command.envs(variables.iter().copied()).output().unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{stdout}{}", String::from_utf8_lossy(&output.stderr));
    stdout
}

#[test]
#[ignore = "needs a Python with huggingface_hub, numpy and safetensors, named by PYTHON"]
fn huggingface_hub_finds_the_test_server_to_be_a_hub() {
    let server = HubServer::start();
    let config: (&str, &[u8]) = ("config.json", b"{}");
    for repo in ["tester/gated", "tester/busy", "others/model"] {
        server.put(Kind::Model, repo, &[config]);
    }
    server.set_gated("tester/gated", true);
    server.throttle("tester/busy");
    server.forbid("others");
    let names = ["cut-once.safetensors", "changed.safetensors", "expired.safetensors"];
    for name in names {
        server.put(Kind::Model, "tester/faulty", &[(name, &name.as_bytes().repeat(150_000))]);
    }
    let [cut_once, changed, expired] = names.map(str::to_owned);
    server.fail(Fault::CutOnce { path: cut_once, after_bytes: 2 << 20 });
    server.fail(Fault::Corrupt { path: changed });
    server.fail(Fault::Expired { path: expired });

    let script = here("tests/python/hub_server.py");
    let stdout = python(&[script.to_str().unwrap(), &server.endpoint(), HubServer::token()], &[]);
    assert!(stdout.ends_with("ok\n"), "{stdout}");
    println!("{stdout}");
    // A client sends the token only to the hub, never to the storage's origin.
    assert!(server.requests().iter().all(|request| !(request.authorized && request.path.starts_with("/storage/"))));
}

#[test]
#[ignore = "needs a Python with huggingface_hub, named by PYTHON"]
fn the_cache_is_shared_with_huggingface_hub() {
    let site = Site::new();
    let bytes = site.large();
    let snapshot = |home: &str, offline: &str| {
        let script = format!(
            "import huggingface_hub as h; print(h.snapshot_download('tester/large', local_files_only={offline}))"
        );
        let home = site.place.at(home).display().to_string();
        let said = python(&["-c", &script], &[("HF_ENDPOINT", &site.server.endpoint()), ("HF_HOME", &home)]);
        said.trim().to_string()
    };
    // First huggingface_hub, then cpc.
    let theirs = snapshot("hf", "False");
    let before = site.downloads();
    let pulled = site.json("hub pull hf:tester/large");
    assert_eq!((pulled["path"].as_str(), &pulled["from_cache"]), (Some(theirs.as_str()), &Value::Bool(true)));
    assert_eq!(site.downloads(), before);
    // First cpc, then huggingface_hub.
    let mut ours = site.cpc("hub pull hf:tester/large");
    ours.env("HF_HOME", site.place.at("other"));
    site.ok(ours);
    let before = site.server.requests().len();
    let found = snapshot("other", "True");
    assert_eq!(files(Path::new(&found))["model.safetensors"], bytes);
    assert_eq!(site.server.requests().len(), before);
}

/// Loads a model that cpc pushed, and pushes the same weights from Python.
const THERE_AND_BACK: &str = "
import sys, huggingface_hub, safetensors.numpy
folder = huggingface_hub.snapshot_download('tester/ours')
weights = safetensors.numpy.load_file(folder + '/model.safetensors')
assert len(weights) > 10 and all(w.dtype == 'float32' for w in weights.values())
assert huggingface_hub.ModelCard.load(folder + '/README.md').data.library_name == 'cpc-toolkit'
api = huggingface_hub.HfApi(token=sys.argv[1])
api.create_repo('tester/theirs')
safetensors.numpy.save_file(weights, 'again.safetensors')
api.upload_file(path_or_fileobj='again.safetensors', path_in_repo='model.safetensors', repo_id='tester/theirs')
api.upload_file(path_or_fileobj=folder + '/config.json', path_in_repo='config.json', repo_id='tester/theirs')
";

#[test]
#[ignore = "needs a Python with huggingface_hub, numpy and safetensors, named by PYTHON"]
fn a_model_goes_to_python_and_comes_back() {
    let site = Site::new();
    site.ok(site.with_token("hub push model tester/ours"));
    let script = site.place.at("script.py");
    fs::write(&script, format!("import os\nos.chdir({:?})\n{THERE_AND_BACK}", site.place.dir.path())).unwrap();
    let home = site.place.at("python").display().to_string();
    python(
        &[script.to_str().unwrap(), HubServer::token()],
        &[("HF_ENDPOINT", &site.server.endpoint()), ("HF_HOME", &home)],
    );
    site.ok(site.cpc("extract model corpus --out ours"));
    site.ok(site.cpc("extract hf:tester/theirs corpus --out theirs"));
    assert_eq!(site.features("ours"), site.features("theirs"));
}

#[test]
#[ignore = "needs a Python with torch, safetensors, numpy, huggingface_hub and PyYAML, named by PYTHON"]
fn the_pytorch_program_of_a_card_computes_the_features() {
    let site = Site::new();
    let script = here("tests/python/model_card.py");
    for case in
        ["gru_linear_channelnorm", "gru_linear_batchnorm", "lstm2_linear_channelnorm", "lstm_transformer_channelnorm"]
    {
        let golden = |file: &str| golden(&format!("{case}/{file}")).display().to_string();
        site.ok(site.cpc(&format!("convert {} {case}", golden("checkpoint_0.pt"))));
        site.ok(site.with_token(&format!("hub push {case} tester/{case}")));
        let card = site.place.at(&format!("{case}.md"));
        fs::write(&card, &site.server.files(&format!("tester/{case}"), "main")["README.md"]).unwrap();
        let weights = site.place.at(case).join("model.safetensors");
        let [audio, z, c] = ["audio.npy", "z.npy", "c.npy"].map(golden);
        let [script, card, weights] = [&script, &card, &weights].map(|path| path.to_str().unwrap());
        println!("{case}\n{}", python(&[script, card, weights, &audio, &z, &c], &[]));
    }
}
