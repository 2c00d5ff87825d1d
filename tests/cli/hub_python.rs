//! The tests' hub driven by PyPI's huggingface_hub, a client that nobody here wrote.

use std::path::Path;
use std::process::Command;

use super::hub_server::{Fault, HubServer, Kind};

/// `PYTHON=venv/bin/python cargo test --test cli huggingface_hub -- --ignored --nocapture`.
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

    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/hub/drive_hub_server.py");
    let python = std::env::var_os("PYTHON").unwrap_or_else(|| "python3".into());
    let output = Command::new(python).arg(script).args([&server.endpoint(), HubServer::token()]).output().unwrap();
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && stdout.ends_with("ok\n"), "{stdout}{stderr}");
    println!("{stdout}");
    // A client takes the token to the hub alone, never to the storage's origin.
    assert!(server.requests().iter().all(|request| !(request.authorised && request.path.starts_with("/storage/"))));
}
