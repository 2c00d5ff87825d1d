//! `cpc hub`: models from the Hugging Face hub and to it.

use crate::console::Console;
use crate::session;
use crate::terminal::Terminal;
use clap::{Args, Subcommand};
use cpc::durable;
use cpc::error::{Error, Result};
use cpc::hub::{self, Cached, Fetched, RepoKind, RepoRef, Settings, cached};
use cpc::report::model_card::Details;
use cpc::toolkit::{Toolkit, Upload};
use indicatif::HumanBytes;
use serde_json::json;
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// `cpc hub` and what it does.
#[derive(Debug, Args)]
#[command(
    about = "Fetch models from the Hugging Face hub, send them there, list what is here",
    long_about = "Fetch models from the Hugging Face hub, send them there, and see which are here.\n\n\
        Files are kept in the cache that Python's huggingface_hub uses, so what either fetched is not fetched again. Its environment \
        variables mean here what they mean there: HF_HOME, HF_HUB_CACHE, HF_ENDPOINT, HF_TOKEN, HF_TOKEN_PATH, HF_HUB_OFFLINE, \
        HF_HUB_ETAG_TIMEOUT and HF_HUB_DOWNLOAD_TIMEOUT (seconds).",
    after_help = "Examples:\n  cpc hub pull hf:owner/name\n  cpc hub push runs/demo owner/name --dry-run\n  cpc hub list"
)]
pub(crate) struct HubCommand {
    #[command(subcommand)]
    action: Action,
}

/// Each is documented where it is defined: a comment here would replace its long help.
#[derive(Debug, Subcommand)]
enum Action {
    Pull(Pull),
    Push(Push),
    List(List),
}

/// Options of `cpc hub pull`.
#[derive(Debug, Args)]
#[command(
    about = "Fetch a model into the cache",
    long_about = "Fetch a model into the cache: config.json, .safetensors and .pt files, README.md, tokenizer.json and \
        checkpoint_args.json.\n\n\
        Each file is checked against the hub's size and hash before the cache has it. Stopped or cut off, and started again, the same \
        command goes on where it was. What is in the cache at the same commit is not fetched again.",
    after_help = "Examples:\n  \
        cpc hub pull hf:owner/name\n  \
        cpc hub pull hf:owner/name@v1.0/folder --to models/theirs\n  \
        cpc hub pull https://huggingface.co/owner/name/tree/main\n  \
        cpc hub pull hf:owner/name --offline"
)]
struct Pull {
    /// hf:owner/name[@revision][/folder], or the https address of a model on the hub
    #[arg(value_name = "REF")]
    reference: String,
    /// Copy the files to this directory too
    #[arg(long, value_name = "DIR")]
    to: Option<PathBuf>,
    /// Replace a model that is in DIR
    #[arg(long, requires = "to")]
    overwrite: bool,
}

/// Options of `cpc hub push`.
#[derive(Debug, Args)]
#[command(
    about = "Send a model to the hub",
    long_about = "Send a model to the hub, in one commit: config.json, model.safetensors, and README.md, the model card.\n\n\
        The card says what the run knows: data, hours, architecture, steps, loss and accuracy of each k, and how to load the model here, in \
        PyTorch and in numpy; and what these options add. A README.md beside the model that somebody wrote or changed is sent as it is.\n\n\
        A repository or branch that is not there yet is made. A token with write access is taken from HF_TOKEN, or from the file that \
        `hf auth login` writes.",
    after_help = "Examples:\n  \
        cpc hub push runs/demo owner/name --dry-run\n  \
        cpc hub push runs/demo owner/name --private --message 'After 100 hours'\n  \
        cpc hub push runs/demo/model owner/name --revision experiment\n  \
        cpc hub push runs/demo owner/name --license mit --language en --probe phones.json --abx abx.json"
)]
struct Push {
    /// Any MODEL: a run directory (its best model), a model directory, a checkpoint of CPC_audio
    model: String,
    /// The repository, as owner/name
    #[arg(value_name = "REPOSITORY")]
    repository: String,
    /// Make the repository a private one
    #[arg(long)]
    private: bool,
    /// The branch to commit to [default: main]
    #[arg(long, value_name = "BRANCH")]
    revision: Option<String>,
    /// What the commit says
    #[arg(long, value_name = "TEXT", default_value = "Upload a model of cpc-toolkit")]
    message: String,
    /// Say what would be sent, and send nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    details: DetailArgs,
}

/// What only the owner of a model knows.
#[derive(Debug, Default, Args)]
struct DetailArgs {
    /// The license, by the hub's id, such as mit or cc-by-4.0
    #[arg(long, value_name = "ID")]
    license: Option<String>,
    /// A language of the recordings, by its ISO 639 code; may be repeated
    #[arg(long, value_name = "CODE")]
    language: Vec<String>,
    /// A data set of the hub that it was trained on; may be repeated
    #[arg(long, value_name = "OWNER/NAME")]
    dataset: Vec<String>,
    /// The output of `cpc probe --json` for its features; may be repeated
    #[arg(long, value_name = "JSON")]
    probe: Vec<PathBuf>,
    /// The output of `cpc abx --json` for its features; may be repeated
    #[arg(long, value_name = "JSON")]
    abx: Vec<PathBuf>,
}

impl DetailArgs {
    /// What is said of a model that goes to `repo`.
    fn of(&self, repo: String) -> Details {
        Details {
            repo,
            license: self.license.clone(),
            language: self.language.clone(),
            dataset: self.dataset.clone(),
            probe: self.probe.clone(),
            abx: self.abx.clone(),
        }
    }
}

/// Options of `cpc hub list`.
#[derive(Debug, Args)]
#[command(
    about = "List what is in the cache",
    long_about = "List the models and data sets of the hub that are in the cache, with every commit of them, its size and the branches \
        and tags that were at it.",
    after_help = "Examples:\n  cpc hub list\n  cpc hub list --json"
)]
struct List {}

impl HubCommand {
    pub(crate) fn run(&self, terminal: &Terminal) -> Result<()> {
        match &self.action {
            Action::Pull(pull) => pull.run(terminal),
            Action::Push(push) => push.run(terminal),
            Action::List(_) => list(terminal),
        }
    }
}

impl Pull {
    fn run(&self, terminal: &Terminal) -> Result<()> {
        let console = Console::new(terminal);
        let (session, toolkit) = (session(&console, "cpu")?, Toolkit::standard());
        let hub = hub::hub(&session)?;
        if let Some(to) = &self.to {
            self.check_place(to, &toolkit)?;
        }
        let (repo, fetched) = hub::fetch_model(&hub, &self.reference, &|name| toolkit.is_model_file(name), &session)?;
        if let Some(to) = &self.to {
            copy(&fetched, to)?;
        }
        let place = self.to.as_ref().unwrap_or(&fetched.dir);
        let files: Vec<String> =
            fetched.files.iter().map(|(name, size)| format!("{name} ({})", HumanBytes(*size))).collect();
        let text = format!(
            "model   {repo}\ncommit  {}\nfiles   {}\nfrom    {}\npath    {}\n",
            fetched.commit,
            files.join(", "),
            if fetched.from_cache { "the cache" } else { &hub.settings().endpoint },
            place.display()
        );
        let files: Vec<_> = fetched.files.iter().map(|(name, size)| json!({ "name": name, "size": size })).collect();
        let result = json!({
            "model": repo.to_string(),
            "commit": fetched.commit,
            "files": files,
            "from_cache": fetched.from_cache,
            "path": place,
        });
        terminal.result_or_json(&result, &text)
    }

    /// Refuses a directory that holds anything, or with `--overwrite` anything but a model: it would be lost.
    fn check_place(&self, to: &Path, toolkit: &Toolkit) -> Result<()> {
        let entries = match std::fs::read_dir(to) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            entries => entries.map_err(Error::io(to, "read"))?,
        };
        for entry in entries {
            let entry = entry.map_err(Error::io(to, "read"))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if !self.overwrite {
                let what = format!("{}: there is something in it already", to.display());
                return Err(Error::usage(what, "choose a new directory, or replace the model in it with --overwrite"));
            }
            if !toolkit.is_model_file(&name) || entry.path().is_dir() {
                let what = format!("{}: {name} is no file of a model, and would be lost", to.display());
                return Err(Error::usage(what, "choose a new directory, or move that away"));
            }
        }
        Ok(())
    }
}

/// Copies what was fetched to a directory, whole or not at all.
fn copy(fetched: &Fetched, to: &Path) -> Result<()> {
    let to = std::path::absolute(to).map_err(Error::io(to, "find"))?;
    durable::write_dir(&to, |dir| {
        for (name, _) in &fetched.files {
            let from = fetched.dir.join(name);
            std::fs::copy(&from, dir.join(name)).map_err(Error::io(to.join(name), "write"))?;
        }
        Ok(())
    })
}

impl Push {
    fn run(&self, terminal: &Terminal) -> Result<()> {
        let name = self.repository.strip_prefix("hf:").unwrap_or(&self.repository);
        let Some((owner, name)) = name.split_once('/') else {
            let what = format!("{}: an owner and a name are wanted", self.repository);
            return Err(Error::usage(what, "write owner/name"));
        };
        let mut repo = RepoRef::new(RepoKind::Model, owner, name)?;
        if let Some(revision) = &self.revision {
            repo = repo.at(revision)?;
        }
        if self.message.trim().is_empty() {
            return Err(Error::usage("the message of the commit is empty", "say what the model is with --message"));
        }
        let settings = Settings::from_env(terminal.offline)?;
        let console = Console::new(terminal);
        let session = session(&console, "cpu")?;
        let model = Toolkit::standard().open(&self.model, &session)?;
        let upload = Upload::new(&*model, &self.details.of(format!("{owner}/{name}")))?;
        let mut sizes = Vec::new();
        for (name, content) in &upload.files {
            sizes.push((name.clone(), content.size()?));
        }
        let listed: Vec<_> = sizes.iter().map(|(name, size)| json!({ "name": name, "size": size })).collect();
        let page = repo.page(&settings.endpoint);
        if self.dry_run {
            let card = String::from_utf8_lossy(&upload.card);
            let mut text = format!("would send to {page} ({}):\n", repo.revision());
            for (name, size) in &sizes {
                writeln!(text, "  {name:<24} {}", HumanBytes(*size)).ok();
            }
            writeln!(text, "\nREADME.md:\n\n{card}").ok();
            let result =
                json!({ "url": page, "revision": repo.revision(), "files": listed, "card": card, "sent": false });
            return terminal.result_or_json(&result, &text);
        }
        let total: u64 = sizes.iter().map(|(_, size)| size).sum();
        terminal.note(&format!("sending {} files, {}, to {page}", sizes.len(), HumanBytes(total)));
        let pushed = hub::hub(&session)?.push(&repo, upload.files, self.private, &self.message)?;
        let result = json!({ "url": pushed.url, "commit": pushed.commit, "files": listed, "sent": true });
        terminal
            .result_or_json(&result, &format!("model   {repo}\ncommit  {}\nurl     {}\n", pushed.commit, pushed.url))
    }
}

fn list(terminal: &Terminal) -> Result<()> {
    let cache = Settings::from_env(true)?.cache;
    let found = cached(&cache)?;
    let mut text = String::new();
    if found.is_empty() {
        terminal.note(&format!("nothing of the hub is in {}", cache.display()));
    } else {
        table(&found, &mut text);
        let total: u64 = found.iter().map(|repo| repo.size).sum();
        writeln!(text, "{} in {}", HumanBytes(total), cache.display()).ok();
    }
    terminal.result_or_json(&json!({ "cache": cache, "repositories": found }), &text)
}

fn table(found: &[Cached], text: &mut String) {
    let width = found.iter().map(|repo| repo.repo.chars().count()).max().unwrap_or(0).max(10);
    writeln!(text, "{:<width$}  {:<12}  {:>10}  {:>5}  REVISIONS", "REPOSITORY", "COMMIT", "SIZE", "FILES").ok();
    for repo in found {
        for revision in &repo.revisions {
            let commit: String = revision.commit.chars().take(12).collect();
            let (size, refs) = (HumanBytes(revision.size).to_string(), revision.refs.join(", "));
            let line = format!("{:<width$}  {commit}  {size:>10}  {:>5}  {refs}", repo.repo, revision.files);
            writeln!(text, "{}", line.trim_end()).ok();
        }
    }
}
