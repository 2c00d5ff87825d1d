//! `cpc hub` from the user's point of view, against a server on loopback that implements the hub's API: what is fetched, what is kept, what
//! is sent, and that nothing incomplete is ever treated as complete.

use super::hub_server::{Fault, HubServer, Kind};
use super::place::Place;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A token that the server does not know.
const WRONG: &str = "hf_aTokenOfNobody";

/// A hub, and a place with its own cache.
pub struct Site {
    pub place: Place,
    pub server: HubServer,
}

impl Site {
    pub fn new() -> Site {
        Site { place: Place::with_model(), server: HubServer::start() }
    }

    /// `cpc ARGS` for this hub and cache, without a token.
    pub fn cpc(&self, args: &str) -> assert_cmd::Command {
        let mut command = self.place.cpc(args);
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy().to_ascii_uppercase();
            if ["HF_", "HUGGING", "TRANSFORMERS_"].iter().any(|start| text.starts_with(start))
                || text.ends_with("_PROXY")
            {
                command.env_remove(&name);
            }
        }
        command.env("HF_ENDPOINT", self.server.endpoint()).env("HF_HOME", self.place.at("hf"));
        command
    }

    pub fn with_token(&self, args: &str) -> assert_cmd::Command {
        let mut command = self.cpc(args);
        command.env("HF_TOKEN", HubServer::token());
        command
    }

    /// Runs a command that must succeed, and returns what it prints.
    pub fn ok(&self, mut command: assert_cmd::Command) -> String {
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{command:?}: {said}");
        assert!(!said.contains(HubServer::token()), "{said}");
        String::from_utf8(output.stdout).unwrap()
    }

    pub fn json(&self, args: &str) -> Value {
        serde_json::from_str(&self.ok(self.cpc(&format!("{args} --json")))).unwrap()
    }

    /// Runs a command that must fail with the given code and print each of `words`; no token may appear in its output, even in verbose mode.
    pub fn fails(&self, mut command: assert_cmd::Command, code: i32, words: &[&str]) -> String {
        let output = command.arg("-v").output().unwrap();
        let said = format!("{}{}", String::from_utf8_lossy(&output.stderr), String::from_utf8_lossy(&output.stdout));
        assert_eq!(output.status.code(), Some(code), "{command:?}: {said}");
        for word in words {
            assert!(said.contains(word), "{command:?}: {word:?} is not in {said}");
        }
        assert!(said.contains("help:") && !said.contains("panicked"), "{said}");
        for secret in [HubServer::token(), WRONG, "signature="] {
            assert!(!said.contains(secret), "a secret is in {said}");
        }
        said
    }

    /// Every feature below a directory.
    pub fn features(&self, dir: &str) -> BTreeMap<String, Vec<u8>> {
        let all: BTreeMap<_, _> = self.place.tree(dir).into_iter().filter(|(name, _)| name.ends_with(".npy")).collect();
        assert!(!all.is_empty(), "{dir} has no features");
        all
    }

    /// Puts a model on the hub that is too large to arrive at once when it is sent slowly.
    pub fn large(&self) -> Vec<u8> {
        let bytes: Vec<u8> = (0..600_000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        self.server.put(Kind::Model, "tester/large", &[("config.json", b"{}"), ("model.safetensors", &bytes)]);
        bytes
    }

    fn folder(&self, repo: &str) -> PathBuf {
        self.place.at(&format!("hf/hub/models--{}", repo.replace('/', "--")))
    }

    /// The files that a client finds under their final names when it looks in the snapshots, contents and refs of a repository.
    fn named(&self, repo: &str) -> Vec<String> {
        let mut named = Vec::new();
        for part in ["snapshots", "blobs", "refs"] {
            let mut folders = vec![self.folder(repo).join(part)];
            while let Some(folder) = folders.pop() {
                for entry in fs::read_dir(folder).into_iter().flatten() {
                    let path = entry.unwrap().path();
                    if path.is_dir() {
                        folders.push(path);
                    } else if !path.to_string_lossy().ends_with(".cpc.incomplete") {
                        named.push(path.display().to_string());
                    }
                }
            }
        }
        named
    }

    /// Number of requests for files, not counting requests for information.
    pub fn downloads(&self) -> usize {
        let requests = self.server.requests();
        requests
            .iter()
            .filter(|r| r.method == "GET" && (r.path.contains("resolve") || r.path.starts_with("/storage")))
            .count()
    }

    fn spawn(&self, args: &str) -> Child {
        let from = self.cpc(args);
        let mut command = Command::new(from.get_program());
        command.args(from.get_args()).current_dir(self.place.dir.path());
        for (name, value) in from.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// Waits until part of a large file has arrived, but not all of it.
    fn wait_for_some(&self, repo: &str) {
        let began = Instant::now();
        let some = |entry: fs::DirEntry| {
            entry.file_name().to_string_lossy().ends_with(".cpc.incomplete")
                && entry.metadata().is_ok_and(|m| m.len() > 20_000)
        };
        while !fs::read_dir(self.folder(repo).join("blobs")).into_iter().flatten().flatten().any(some) {
            assert!(began.elapsed() < Duration::from_secs(30), "nothing came");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

pub fn files(of: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(of).unwrap().map(|entry| entry.unwrap().path());
    entries.map(|p| (p.file_name().unwrap().to_string_lossy().into_owned(), fs::read(&p).unwrap())).collect()
}

#[test]
fn what_is_pushed_is_pulled_to_the_bit() {
    let site = Site::new();
    fs::write(site.place.at("model/README.md"), "---\nlicense: mit\n---\nA model.\n").unwrap();
    fs::write(site.place.at("model/notes.txt"), "not for others").unwrap();
    let said = site.ok(site.with_token("hub push model tester/demo --message First"));
    assert!(said.contains(&format!("{}/tester/demo\n", site.server.endpoint())), "{said}");
    let model = files(&site.place.at("model"));
    let mut sent = site.server.files("tester/demo", "main");
    sent.remove(".gitattributes");
    assert_eq!(sent.keys().collect::<Vec<_>>(), ["README.md", "config.json", "model.safetensors"]);
    assert!(sent.iter().all(|(name, bytes)| model[name] == *bytes));

    let pulled = site.json("hub pull hf:tester/demo --to pulled");
    assert_eq!(files(&site.place.at("pulled")), sent);
    assert_eq!((&pulled["from_cache"], pulled["commit"].as_str().unwrap().len()), (&Value::Bool(false), 40));
    assert!(site.ok(site.cpc("info pulled")).contains("cpc-audio"));
    // The same model from the same files gives the same features.
    site.ok(site.cpc("extract model corpus/s1 --out a"));
    site.ok(site.cpc("extract pulled corpus/s1 --out b"));
    assert_eq!(site.features("a"), site.features("b"));

    let before = site.downloads();
    let again = site.json("hub pull hf:tester/demo");
    assert_eq!(
        (site.downloads(), &again["from_cache"], &again["commit"]),
        (before, &Value::Bool(true), &pulled["commit"])
    );
    assert_eq!(files(Path::new(again["path"].as_str().unwrap())), sent);
    // The storage is another origin, and gets no token.
    assert!(site.server.requests().iter().all(|r| !(r.authorized && r.path.starts_with("/storage"))));
    // Named by a commit, and by an address.
    let commit = pulled["commit"].as_str().unwrap();
    assert_eq!(site.json(&format!("hub pull hf:tester/demo@{commit}"))["commit"], commit);
    assert_eq!(site.json(&format!("hub pull {}/tester/demo/tree/main", site.server.endpoint()))["commit"], commit);
    assert_eq!(site.downloads(), before);
}

#[test]
fn a_new_commit_is_fetched_and_what_it_shares_is_not() {
    let site = Site::new();
    let bytes = site.large();
    let first = site.json("hub pull hf:tester/large");
    let old = first["commit"].as_str().unwrap();
    site.server.put(Kind::Model, "tester/large", &[("config.json", b"{ }")]);
    site.server.tag("tester/large", "v1", old);
    site.server.branch("tester/large", "old/one", old);
    let before = site.server.requests().len();
    let second = site.json("hub pull hf:tester/large");
    assert_ne!(first["commit"], second["commit"]);
    let requests = site.server.requests().split_off(before);
    assert!(requests.iter().all(|r| !r.path.starts_with("/storage")), "{requests:?}");
    let now = files(Path::new(second["path"].as_str().unwrap()));
    assert!(now["config.json"] == b"{ }" && now["model.safetensors"] == bytes);
    for revision in ["v1", "old%2Fone"] {
        let named = site.json(&format!("hub pull hf:tester/large@{revision}"));
        assert_eq!((&named["commit"], &named["from_cache"]), (&first["commit"], &Value::Bool(true)));
    }
    let list = site.json("hub list");
    assert_eq!(list["repositories"][0]["size"], bytes.len() + 5);
    let revisions = list["repositories"][0]["revisions"].as_array().unwrap();
    let of_first = revisions.iter().find(|r| r["commit"] == first["commit"]).unwrap();
    assert_eq!((revisions.len(), &of_first["refs"]), (2, &serde_json::json!(["old/one", "v1"])));
}

#[test]
fn offline_only_the_cache_is_used() {
    let site = Site::new();
    site.large();
    site.fails(
        site.cpc("hub pull hf:tester/large --offline"),
        1,
        &["hf:tester/large at main", "not in the cache", "cpc hub pull"],
    );
    let pulled = site.json("hub pull hf:tester/large");
    let before = site.server.requests().len();
    let offline = site.json("hub pull hf:tester/large --offline --to there");
    assert_eq!((&offline["commit"], &offline["from_cache"]), (&pulled["commit"], &Value::Bool(true)));
    assert_eq!(files(&site.place.at("there")), files(Path::new(pulled["path"].as_str().unwrap())));
    let commit = pulled["commit"].as_str().unwrap();
    site.json(&format!("hub pull hf:tester/large@{commit} --offline"));
    let mut variable = site.cpc("hub pull hf:tester/large@v2");
    variable.env("HF_HUB_OFFLINE", "yes");
    site.fails(variable, 1, &["at v2", "not in the cache", "main (2 files)"]);
    let mut push = site.with_token("hub push model tester/demo");
    push.env("HF_HUB_OFFLINE", "1");
    site.fails(push, 2, &["no connection"]);
    assert_eq!(site.server.requests().len(), before, "a connection was made");
    // A part of a model is not a model.
    fs::remove_file(PathBuf::from(pulled["path"].as_str().unwrap()).join("model.safetensors")).unwrap();
    site.fails(site.cpc("hub pull hf:tester/large --offline"), 1, &["not whole"]);
}

#[test]
fn what_python_put_into_the_cache_is_not_fetched_again() {
    let site = Site::new();
    let bytes = site.large();
    // The layout documented by huggingface_hub ("Understand caching").
    let probe = site.json("hub pull hf:tester/large");
    let commit = probe["commit"].as_str().unwrap();
    let folder = site.folder("tester/large");
    let blob = fs::canonicalize(folder.join("snapshots").join(commit).join("model.safetensors")).unwrap();
    assert_eq!(blob.parent().unwrap().file_name().unwrap(), "blobs");
    // `sha256sum` of the file: the name that Python gives to a large content.
    use sha2::Digest;
    let sha256: String = sha2::Sha256::digest(&bytes).iter().map(|b| format!("{b:02x}")).collect();
    assert_eq!(blob.file_name().unwrap().to_str(), Some(sha256.as_str()));
    assert_eq!(fs::read_to_string(folder.join("refs/main")).unwrap(), commit);
    // Copies instead of links, as on systems without symbolic links.
    fs::remove_file(folder.join("snapshots").join(commit).join("model.safetensors")).unwrap();
    fs::rename(&blob, folder.join("snapshots").join(commit).join("model.safetensors")).unwrap();
    let before = site.downloads();
    assert_eq!(site.json("hub pull hf:tester/large")["from_cache"], true);
    assert_eq!(site.downloads(), before);
    // A file that is too short is not accepted as the complete one.
    fs::write(folder.join("snapshots").join(commit).join("model.safetensors"), &bytes[..1000]).unwrap();
    let repaired = site.json("hub pull hf:tester/large");
    assert_eq!(files(Path::new(repaired["path"].as_str().unwrap()))["model.safetensors"], bytes);
}

#[test]
fn a_changed_byte_is_noticed_and_leaves_nothing() {
    for name in ["config.json", "model.safetensors"] {
        let site = Site::new();
        let bytes = site.large();
        site.server.fail(Fault::Corrupt { path: name.into() });
        site.fails(site.cpc("hub pull hf:tester/large"), 1, &[&format!("{name} of hf:tester/large"), "checksum"]);
        assert!(site.named("tester/large").iter().all(|n| n.contains("/blobs/")), "{:?}", site.named("tester/large"));
        site.fails(site.cpc("hub pull hf:tester/large --offline"), 1, &["not in the cache"]);
        site.server.clear();
        let pulled = site.json("hub pull hf:tester/large");
        assert_eq!(files(Path::new(pulled["path"].as_str().unwrap()))["model.safetensors"], bytes);
    }
}

#[test]
fn a_download_that_breaks_off_is_gone_on_with() {
    let site = Site::new();
    let bytes = site.large();
    let path = || "model.safetensors".to_string();
    site.server.fail(Fault::Truncate { path: path(), after_bytes: 200_000 });
    site.server.fail(Fault::Truncate { path: "config.json".into(), after_bytes: 1 });
    site.fails(site.cpc("hub pull hf:tester/large"), 1, &["config.json of hf:tester/large", "the connection broke"]);
    site.server.clear();
    site.server.fail(Fault::Truncate { path: path(), after_bytes: 200_000 });
    site.fails(
        site.cpc("hub pull hf:tester/large"),
        1,
        &["model.safetensors of hf:tester/large", "the connection broke"],
    );
    assert!(site.named("tester/large").iter().all(|n| n.contains("/blobs/")), "{:?}", site.named("tester/large"));
    site.server.clear();
    let output = site.cpc("hub pull hf:tester/large --json").output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("model.safetensors: 195.31 KiB of 585.94 KiB"), "it began anew: {said}");
    let pulled: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(files(Path::new(pulled["path"].as_str().unwrap()))["model.safetensors"], bytes);

    // A single interruption is not noticed by the user.
    let site = Site::new();
    let bytes = site.large();
    site.server.fail(Fault::CutOnce { path: path(), after_bytes: 300_000 });
    site.server.fail(Fault::CutOnce { path: "config.json".into(), after_bytes: 1 });
    let pulled = site.json("hub pull hf:tester/large");
    assert_eq!(files(Path::new(pulled["path"].as_str().unwrap()))["model.safetensors"], bytes);
}

#[test]
fn what_an_earlier_run_left_is_not_trusted() {
    let site = Site::new();
    let bytes = site.large();
    site.server.fail(Fault::Truncate { path: "model.safetensors".into(), after_bytes: 200_000 });
    site.fails(site.cpc("hub pull hf:tester/large"), 1, &["broke"]);
    site.server.clear();
    let blobs = site.folder("tester/large").join("blobs");
    let left = files(&blobs).into_keys().find(|n| n.ends_with(".cpc.incomplete")).unwrap();
    fs::write(blobs.join(left), vec![7; 100_000]).unwrap();
    let pulled = site.json("hub pull hf:tester/large");
    assert_eq!(files(Path::new(pulled["path"].as_str().unwrap()))["model.safetensors"], bytes);
}

#[test]
fn a_killed_download_leaves_nothing_that_is_taken_for_whole() {
    let site = Site::new();
    let bytes = site.large();
    site.server.fail(Fault::Slow { path: "model.safetensors".into(), bytes_per_second: 100_000 });
    let mut child = site.spawn("hub pull hf:tester/large");
    site.wait_for_some("tester/large");
    child.kill().unwrap(); // SIGKILL
    child.wait().unwrap();
    assert!(site.named("tester/large").iter().all(|n| n.contains("/blobs/")), "{:?}", site.named("tester/large"));
    assert!(files(&site.folder("tester/large").join("blobs")).values().all(|b| b.len() < bytes.len()));
    site.fails(site.cpc("hub pull hf:tester/large --offline"), 1, &["not in the cache"]);
    assert_eq!(site.json("hub list")["repositories"], Value::Array(vec![]));
    site.server.clear();
    let pulled = site.json("hub pull hf:tester/large");
    assert_eq!(files(Path::new(pulled["path"].as_str().unwrap()))["model.safetensors"], bytes);
}

#[test]
fn whenever_a_download_is_killed_what_has_its_name_is_whole_and_the_next_run_goes_on() {
    let mut ends = 0;
    for moment in 0..30 {
        let site = Site::new();
        let bytes = site.large();
        site.server.fail(Fault::Slow { path: "model.safetensors".into(), bytes_per_second: 6_000_000 });
        let mut child = site.spawn("hub pull hf:tester/large");
        std::thread::sleep(Duration::from_millis(8 * moment));
        child.kill().unwrap();
        ends += u32::from(child.wait().unwrap().success());
        for name in site.named("tester/large") {
            let content = fs::read(&name).unwrap();
            let whole =
                if name.contains("/refs/") { content.len() == 40 } else { content == b"{}" || content == bytes };
            assert!(whole, "after {} ms: {name}", 8 * moment);
        }
        site.server.clear();
        let pulled = site.json("hub pull hf:tester/large");
        assert_eq!(files(Path::new(pulled["path"].as_str().unwrap()))["model.safetensors"], bytes);
        assert_eq!(files(&site.folder("tester/large").join("blobs")).len(), 2, "something is left");
    }
    assert!(ends < 30, "no download was killed");
}

#[cfg(unix)]
#[test]
fn ctrl_c_ends_a_download_soon() {
    let site = Site::new();
    site.large();
    site.server.fail(Fault::Slow { path: "model.safetensors".into(), bytes_per_second: 40_000 });
    let child = site.spawn("hub pull hf:tester/large");
    site.wait_for_some("tester/large");
    let began = Instant::now();
    Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    assert!(String::from_utf8_lossy(&output.stderr).contains("goes on from there"));
}

#[test]
fn two_at_a_time_fetch_it_once() {
    let site = Site::new();
    site.large();
    site.server.fail(Fault::Slow { path: "model.safetensors".into(), bytes_per_second: 600_000 });
    let both = [site.spawn("hub pull hf:tester/large"), site.spawn("hub pull hf:tester/large")];
    for child in both {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    let of_storage =
        site.server.requests().iter().filter(|r| r.method == "GET" && r.path.starts_with("/storage")).count();
    assert_eq!(of_storage, 1);
}

#[test]
fn every_refusal_says_what_to_do() {
    let site = Site::new();
    let config: (&str, &[u8]) = ("config.json", b"{}");
    let weights: (&str, &[u8]) = ("model.safetensors", b"weights");
    for repo in ["tester/private", "tester/gated", "tester/busy", "tester/expired"] {
        site.server.put(Kind::Model, repo, &[config, weights]);
    }
    site.server.put(
        Kind::Model,
        "tester/other",
        &[("pytorch_model.bin", b"x"), ("vocab.txt", b"y"), ("sub/a.pt", b"z")],
    );
    site.server.set_private("tester/private", true);
    site.server.set_gated("tester/gated", true);
    site.server.throttle("tester/busy");
    site.server.forbid("others");
    let wrong = |args: &str| {
        let mut command = site.cpc(args);
        command.env("HF_TOKEN", WRONG);
        command
    };
    let (open, known) = (|args: &str| site.cpc(args), |args: &str| site.with_token(args));
    site.fails(open("hub pull hf:tester/none"), 1, &["no such repository, or it is private", "HF_TOKEN"]);
    site.fails(known("hub pull hf:tester/none"), 1, &["no such repository, or it is private", "the token's account"]);
    site.fails(open("hub pull hf:tester/private"), 1, &["no such repository, or it is private"]);
    site.ok(known("hub pull hf:tester/private"));
    site.fails(open("hub pull hf:tester/gated"), 1, &["gated", "HF_TOKEN", "/tester/gated"]);
    site.fails(known("hub pull hf:tester/gated"), 1, &["gated", "has not been let in"]);
    site.server.grant("tester/gated");
    site.ok(known("hub pull hf:tester/gated"));
    site.fails(wrong("hub pull hf:tester/other"), 1, &["refuses the token", "/settings/tokens"]);
    site.fails(open("hub pull hf:tester/other@v9"), 1, &["hf:tester/other has no revision v9"]);
    site.fails(open("hub pull hf:tester/other@0123456789012345678901234567890123456789"), 1, &["has no revision 0123"]);
    site.fails(open("hub pull hf:tester/other/nothere"), 1, &["neither a folder nor a file nothere", "sub"]);
    site.fails(open("hub pull hf:tester/other"), 1, &["not a CPC model", "pytorch_model.bin", "vocab.txt", "sub/a.pt"]);
    site.fails(open("hub pull hf:tester/busy"), 1, &["asked too often", "again in 1 s", "HF_TOKEN"]);
    site.fails(open("hub pull model"), 2, &["neither hf: nor an https address"]);
    site.fails(open("hub pull hf:tester/../etc"), 2, &["hf:owner/name"]);
    site.fails(open("hub pull hf://datasets/tester/d"), 2, &["is a data set"]);
    site.fails(open("hub push model tester/demo"), 2, &["no token", "/settings/tokens", "HF_TOKEN"]);
    site.fails(open("hub push corpus tester/demo"), 1, &["not a model directory"]);
    site.fails(known("hub push model demo"), 2, &["owner and a name"]);
    site.fails(known("hub push model te/st/er"), 2, &["name"]);
    site.fails(known("hub push model others/demo"), 1, &["may not write", "others"]);
    site.fails(wrong("hub push model tester/demo"), 1, &["refuses the token"]);
    site.server.fail(Fault::Expired { path: "model.safetensors".into() });
    site.fails(open("hub pull hf:tester/expired"), 1, &["storage refuses", "same command again"]);
    site.server.fail(Fault::TooManyRequests);
    site.fails(known("hub push model tester/demo"), 1, &["asked too often", "again in 1 s"]);
    site.server.clear();
    site.server.fail(Fault::Unavailable);
    site.fails(open("hub pull hf:tester/other"), 1, &["is in trouble (HTTP 503)", "--offline"]);
    site.fails(known("hub push model tester/demo"), 1, &["is in trouble (HTTP 503)"]);
    site.server.clear();
    site.server.fail(Fault::UnavailableTimes(1));
    site.ok(open("hub pull hf:tester/other/sub"));
    assert!(site.server.files("tester/demo", "main").is_empty(), "something was sent");
}

#[test]
fn a_hub_that_is_not_there_is_named() {
    let site = Site::new();
    let at = |endpoint: &str| {
        let mut command = site.with_token("hub pull hf:tester/large");
        command.env("HF_ENDPOINT", endpoint).env("HF_HUB_ETAG_TIMEOUT", "1");
        command
    };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    site.fails(at(&endpoint), 1, &["nothing came from", &endpoint, "for 1 s", "HF_HUB_ETAG_TIMEOUT", "--offline"]);
    drop(listener);
    site.fails(at(&endpoint), 1, &["cannot reach", &endpoint, "refused", "check the network"]);
    site.fails(at("hub.example"), 2, &["HF_ENDPOINT=hub.example"]);
    site.fails(at(&format!("http://me:{WRONG}@hub.example")), 2, &["HF_ENDPOINT", "password"]);
}

#[test]
fn a_token_comes_from_its_file_as_in_python() {
    let site = Site::new();
    site.server.put(Kind::Model, "tester/private", &[("a.pt", b"x")]);
    site.server.set_private("tester/private", true);
    fs::create_dir_all(site.place.at("hf")).unwrap();
    fs::write(site.place.at("hf/token"), format!("{}\n", HubServer::token())).unwrap();
    let without = |name: &str, value: &str| {
        let mut command = site.cpc("hub pull hf:tester/private");
        command.env(name, value);
        command
    };
    site.fails(without("HF_TOKEN_PATH", "no/such/file"), 1, &["no such repository"]);
    site.fails(without("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1"), 1, &["no such repository"]);
    assert!(site.server.requests().iter().all(|r| !r.authorized), "hf-hub found a token by itself");
    site.ok(site.cpc("hub pull hf:tester/private"));
}

#[test]
fn a_push_makes_what_is_not_there() {
    let site = Site::new();
    let dry = site.ok(site.cpc("hub push model tester/demo --dry-run"));
    let size = fs::metadata(site.place.at("model/config.json")).unwrap().len();
    assert!(
        dry.contains("config.json") && dry.contains("model.safetensors") && dry.contains(&format!("{size} B")),
        "{dry}"
    );
    assert!(site.server.requests().is_empty());

    site.ok(site.with_token("hub push model tester/demo --private"));
    site.fails(site.cpc("hub pull hf:tester/demo"), 1, &["private"]);
    let first = site.server.files("tester/demo", "main");
    fs::write(site.place.at("model/README.md"), "changed").unwrap();
    let said = site.ok(site.with_token("hub push model tester/demo --revision trial/2 --json"));
    let said: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(said["url"], format!("{}/tester/demo/tree/trial%2F2", site.server.endpoint()));
    assert_eq!(site.server.files("tester/demo", "main"), first);
    assert_eq!(site.server.files("tester/demo", "trial/2")["README.md"], b"changed");
    site.server.set_private("tester/demo", false);
    site.fails(site.with_token("hub push model tester/demo --private"), 2, &["already, and public"]);
    let pulled = site.json("hub pull hf:tester/demo@trial%2F2");
    assert_eq!(pulled["commit"], said["commit"]);
    assert_eq!(site.json("hub pull hf:tester/demo@trial%2F2 --offline")["commit"], said["commit"]);
}

#[test]
fn a_directory_is_not_overwritten_by_chance() {
    let site = Site::new();
    site.large();
    fs::create_dir(site.place.at("there")).unwrap();
    site.ok(site.cpc("hub pull hf:tester/large --to there"));
    site.fails(site.cpc("hub pull hf:tester/large --to there"), 2, &["there", "--overwrite"]);
    site.ok(site.cpc("hub pull hf:tester/large --to there --overwrite"));
    fs::write(site.place.at("there/thesis.tex"), "").unwrap();
    site.fails(site.cpc("hub pull hf:tester/large --to there --overwrite"), 2, &["thesis.tex"]);
    assert_eq!(files(&site.place.at("there")).len(), 3);
    site.ok(site.cpc("hub pull hf:tester/large --to new/one"));
    assert_eq!(files(&site.place.at("new/one")).len(), 2);
}

#[test]
fn the_cache_is_listed() {
    let site = Site::new();
    let empty = site.cpc("hub list").output().unwrap();
    assert!(empty.stdout.is_empty() && String::from_utf8_lossy(&empty.stderr).contains("nothing of the hub"));
    site.large();
    let pulled = site.json("hub pull hf:tester/large");
    let before = site.server.requests().len();
    let list = site.ok(site.cpc("hub list"));
    let commit = &pulled["commit"].as_str().unwrap()[..12];
    let line = list.lines().find(|l| l.starts_with("hf:tester/large")).unwrap();
    assert!(line.contains(commit) && line.ends_with("main") && line.contains("585.94 KiB"), "{list}");
    let found = site.json("hub list");
    assert_eq!(found["repositories"][0]["revisions"][0]["commit"], pulled["commit"]);
    assert_eq!(found["repositories"][0]["revisions"][0]["refs"][0], "main");
    assert_eq!(site.server.requests().len(), before);
}
