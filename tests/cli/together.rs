//! Training by several processes: the same bytes for any number of them, and one end for all.

use super::place::Place;
#[cfg(feature = "mpi")]
use super::{images, series, text};
#[cfg(feature = "mpi")]
use std::process::{Child, Output, Stdio};
#[cfg(feature = "mpi")]
use std::time::{Duration, Instant};

#[test]
fn a_build_without_mpi_names_the_launcher_and_how_to_build() {
    let place = Place::new();
    let launchers: [&[(&str, &str)]; 4] = [
        &[("OMPI_COMM_WORLD_SIZE", "2"), ("OMPI_COMM_WORLD_RANK", "1")],
        &[("PMI_SIZE", "2"), ("PMI_RANK", "0")],
        &[("SLURM_NTASKS", "2"), ("SLURM_PROCID", "0")],
        &[("WORLD_SIZE", "2"), ("RANK", "0")],
    ];
    for variables in launchers {
        // With MPI in the build, a launcher that is not there is noticed by MPI itself.
        if cfg!(feature = "mpi") && variables[0].0 != "WORLD_SIZE" {
            continue;
        }
        let output =
            place.cpc("pretrain corpus --config tiny.toml --out run").envs(variables.iter().copied()).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{said}");
        let remedy = if cfg!(feature = "mpi") { "mpirun -n 2" } else { "--features mpi" };
        assert!(said.contains("started 2 processes") && said.contains(remedy), "{said}");
        assert!(!place.at("run").exists());
        // Other commands are run by one process, whatever it was started by.
        place.cpc("info corpus").envs(variables.iter().copied()).assert().success();
    }
}

#[cfg(feature = "mpi")]
fn mpirun(place: &Place, processes: usize, args: &str) -> std::process::Command {
    let mut command = std::process::Command::new("mpirun");
    command
        .current_dir(place.dir.path())
        .args(["--oversubscribe", "--bind-to", "none", "-n", &processes.to_string()])
        .arg(assert_cmd::cargo::cargo_bin("cpc"))
        .args(args.split_whitespace())
        .args(["--threads", "1"])
        .env("NO_COLOR", "1")
        .env("OMPI_ALLOW_RUN_AS_ROOT", "1")
        .env("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1");
    command
}

/// Runs a command in several processes, which must succeed; returns what they said.
#[cfg(feature = "mpi")]
fn together(place: &Place, processes: usize, args: &str) -> String {
    let Output { status, stdout, stderr } = mpirun(place, processes, args).output().unwrap();
    let said = String::from_utf8(stderr).unwrap();
    assert!(status.success(), "{processes} x {args}: {said}");
    // One process reports.
    let table = String::from_utf8(stdout).unwrap();
    assert_eq!(table.matches("model: ").count(), 1, "{table}");
    assert_eq!(said.matches("processes, started by mpirun").count(), 1, "{said}");
    said
}

/// Runs a command in several processes, which must fail with one error that has all of `words`.
#[cfg(feature = "mpi")]
fn fails(place: &Place, processes: usize, args: &str, code: i32, words: &[&str]) {
    let Output { status, stderr, .. } = mpirun(place, processes, args).output().unwrap();
    let said = String::from_utf8(stderr).unwrap();
    assert_eq!(status.code(), Some(code), "{processes} x {args}: {said}");
    assert_eq!(said.matches("error: ").count(), 1, "{said}");
    for word in words {
        assert!(said.contains(word), "{word:?} is not in {said}");
    }
}

#[cfg(feature = "mpi")]
fn same(place: &Place, a: &str, b: &str, step: u64) {
    for file in ["model.safetensors", "optimizer.safetensors", "state.json"] {
        let file = format!("checkpoints/step-{step}/{file}");
        assert!(place.bytes(&format!("{a}/{file}")) == place.bytes(&format!("{b}/{file}")), "{a} and {b}: {file}");
    }
    let file = "model/model.safetensors";
    assert!(place.bytes(&format!("{a}/{file}")) == place.bytes(&format!("{b}/{file}")), "{a} and {b}: {file}");
    let figures = |run: &str| -> Vec<String> {
        place
            .metrics(run)
            .iter()
            .map(|l| format!("{} {} {} {}", l["step"], l["epoch"], l["loss"], l["grad_norm"]))
            .collect()
    };
    // A run in parts has lines at its ends besides.
    let (a, b) = (figures(a), figures(b));
    assert!(a.iter().all(|line| b.contains(line)), "{a:?} {b:?}");
}

/// Trains alone and together, to the same bytes; and together first, then resumed in another number.
#[cfg(feature = "mpi")]
fn trains_the_same(place: &Place, run: &str, steps: u64) {
    let run = format!("pretrain {run} --set train.accumulate=4");
    place.ok(&format!("{run} --steps {steps} --out alone --overwrite --threads 1"));
    together(place, 2, &format!("{run} --steps {steps} --out two --overwrite"));
    same(place, "alone", "two", steps);
    together(place, 4, &format!("{run} --steps {} --out mixed --overwrite", steps / 2));
    together(place, 2, &format!("pretrain --resume --steps {steps} --out mixed"));
    same(place, "alone", "mixed", steps);
}

#[cfg(feature = "mpi")]
#[test]
fn audio_trains_to_the_same_bytes_in_any_number_of_processes() {
    let place = Place::new();
    for norm in ["channel", "batch"] {
        let augment = "--set data.augment=[\"noise\",\"time-dropout\"] --set train.clip_norm=1";
        trains_the_same(&place, &format!("corpus --config tiny.toml --set encoder.norm={norm} {augment}"), 12);
    }
}

#[cfg(feature = "mpi")]
#[test]
fn text_series_and_images_train_to_the_same_bytes_in_any_number_of_processes() {
    trains_the_same(&text::place(), "walk.txt --config text.toml", 12);
    let squares = images::place();
    trains_the_same(&squares, &format!("squares --preset dim-local {}", images::DIM), 10);
    let run = "watch --config series.toml --set train.checkpoint_every=3";
    trains_the_same(&series::place(), run, 12);
    let game = "toy:spiral --preset mine-gan --set train.schedule=constant --set train.batch_size=16 --set train.checkpoint_every=5";
    trains_the_same(&Place::new(), game, 10);
}

#[cfg(feature = "mpi")]
#[test]
fn a_speaker_that_cannot_be_read_is_left_out_alike_in_any_number_of_processes() {
    let place = Place::new();
    for u in 0..5 {
        // The header is whole, the samples are not there.
        let file = place.at(&format!("corpus/s1/s1-{u}.wav"));
        let bytes = std::fs::read(&file).unwrap();
        std::fs::write(&file, &bytes[..44]).unwrap();
    }
    let run = "corpus --config tiny.toml --on-bad-file skip --set data.valid_share=0.0";
    trains_the_same(&place, run, 8);
}

#[cfg(feature = "mpi")]
#[test]
fn an_update_has_a_batch_for_each_process_unless_something_else_is_asked_for() {
    let place = Place::new();
    together(&place, 2, "pretrain corpus --config tiny.toml --steps 4 --out run");
    let config = String::from_utf8(place.bytes("run/config.toml")).unwrap();
    assert!(config.contains("accumulate = 2"), "{config}");
    fails(&place, 3, "pretrain --resume --out run --steps 8", 2, &["train.accumulate is 2", "divides 2"]);
    fails(
        &place,
        2,
        "pretrain corpus --config tiny.toml --set train.accumulate=3 --out other",
        2,
        &["train.accumulate is 3", "a multiple of 2"],
    );
    fails(&place, 2, "pretrain corpus --config tiny.toml --out run", 2, &["there is a run already"]);
    fails(&place, 2, "pretrain nowhere --config tiny.toml --out other", 1, &["nowhere"]);
    assert!(!place.at("other").exists());
}

#[cfg(feature = "mpi")]
#[test]
fn negatives_come_from_all_processes_if_they_are_gathered() {
    let place = Place::new();
    let run = "pretrain corpus --config tiny.toml --steps 12 --set objective.negatives_from=other-sequences";
    together(&place, 2, &format!("{run} --out apart"));
    together(&place, 2, &format!("{run} --set objective.gather=true --out gathered"));
    together(&place, 2, &format!("{run} --set objective.gather=true --out again"));
    same(&place, "gathered", "again", 12);
    let weights = |run: &str| place.bytes(&format!("{run}/checkpoints/step-12/model.safetensors"));
    assert!(weights("apart") != weights("gathered"));
    // An update in one process has one batch to draw from.
    place.fails("pretrain --resume --steps 24 --out gathered", 2, &["objective.gather", "start 2 processes"]);
    let all =
        "pretrain corpus --config tiny.toml --set objective.gather=true --set objective.num_negatives=0 --out none";
    place.fails(all, 2, &["objective.gather"]);
}

#[cfg(feature = "mpi")]
const LONG: &str =
    "pretrain corpus --config tiny.toml --steps 4000 --set train.checkpoint_every=20 --set train.keep_last=99";

#[cfg(feature = "mpi")]
fn start_and_wait(place: &Place, args: &str, file: &str) -> Child {
    let mut child = mpirun(place, 2, args)
        // On a signal, time to write a checkpoint before it kills its processes.
        .env("OMPI_MCA_odls_base_sigkill_timeout", "10")
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    place.wait_for(file, &mut child);
    child
}

/// The ids of the processes of a run, in the order of their start.
#[cfg(feature = "mpi")]
fn processes_of(run: &str) -> Vec<String> {
    let output =
        std::process::Command::new("pgrep").args(["-f", &format!("cpc pretrain .*--out {run}")]).output().unwrap();
    let launcher = std::process::Command::new("pgrep").args(["-x", "mpirun"]).output().unwrap();
    let lines = |output: Output| -> Vec<String> {
        String::from_utf8(output.stdout).unwrap().lines().map(String::from).collect()
    };
    let launchers = lines(launcher);
    lines(output).into_iter().filter(|id| !launchers.contains(id)).collect()
}

#[cfg(feature = "mpi")]
fn ended(child: Child) -> (Option<i32>, String) {
    let began = Instant::now();
    let output = child.wait_with_output().unwrap();
    assert!(began.elapsed() < Duration::from_secs(60), "it took too long to end");
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

#[cfg(feature = "mpi")]
fn signal(name: &str, id: &str) {
    assert!(std::process::Command::new("kill").args([&format!("-{name}"), id]).status().unwrap().success());
}

#[cfg(feature = "mpi")]
#[test]
fn every_way_to_end_ends_all_processes() {
    let place = Place::new();
    // A signal to the launcher, which passes it on, and to one process alone.
    for (run, name) in [("term", "TERM"), ("usr1", "USR1"), ("one", "TERM")] {
        let child = start_and_wait(&place, &format!("{LONG} --out {run}"), &format!("{run}/checkpoints/step-20"));
        let id = match run {
            "one" => processes_of(run).pop().unwrap(),
            _ => child.id().to_string(),
        };
        signal(name, &id);
        let (code, said) = ended(child);
        assert!(said.matches("interrupted").count() == 1 && said.contains("is written"), "{run}: {said}");
        assert!(code.is_some_and(|code| code != 0), "{run}: {code:?} {said}");
        assert!(processes_of(run).is_empty());
    }
    // A process that is killed takes the others with it, and the run goes on from its last checkpoint.
    let child = start_and_wait(&place, &format!("{LONG} --out killed"), "killed/checkpoints/step-40");
    signal("KILL", &processes_of("killed").pop().unwrap());
    let (code, said) = ended(child);
    assert!(code != Some(0), "{said}");
    let began = Instant::now();
    while !processes_of("killed").is_empty() {
        assert!(began.elapsed() < Duration::from_secs(30), "a process is left");
        std::thread::sleep(Duration::from_millis(100));
    }
    let last = std::fs::read_dir(place.at("killed/checkpoints")).unwrap().count() as u64 * 20 + 20;
    together(&place, 2, &format!("pretrain --resume --steps {last} --out killed"));
    let alone = format!("pretrain corpus --config tiny.toml --set train.accumulate=2 --steps {last}");
    place.ok(&format!("{alone} --set train.checkpoint_every=20 --set train.keep_last=99 --out alone --threads 1"));
    let weights = |run: &str| place.bytes(&format!("{run}/checkpoints/step-{last}/model.safetensors"));
    assert!(weights("alone") == weights("killed"));
}

#[cfg(feature = "mpi")]
#[test]
fn an_error_of_one_process_is_reported_once_and_ends_all() {
    let place = Place::new();
    // Every window of one utterance cannot be read: sooner or later one process meets it.
    let file = place.at("corpus/s2/s2-3.wav");
    let bytes = std::fs::read(&file).unwrap();
    std::fs::write(&file, &bytes[..44]).unwrap();
    fails(&place, 2, &format!("{LONG} --out run"), 1, &["s2-3.wav", "help:"]);
    // A disk that takes no checkpoint, which the first process notices.
    let other = Place::new();
    std::fs::create_dir(other.at("run")).unwrap();
    std::fs::write(other.at("run/checkpoints"), "").unwrap();
    fails(&other, 2, &format!("{LONG} --overwrite --out run/checkpoints/x"), 1, &["help:"]);
}
