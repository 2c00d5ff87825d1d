//! `cpc hub`: fetches models from the Hugging Face hub, and uploads them.

use crate::command::console::Console;
use crate::command::session;
use crate::command::terminal::Terminal;
use crate::durable;
use crate::error::{Error, Result};
use crate::hub::{self, Cached, Fetched, RepoKind, RepoRef, Settings, cached};
use crate::report::model_card::Details;
use crate::toolkit::{Toolkit, Upload};
use clap::{Args, Subcommand};
use indicatif::HumanBytes;
use serde_json::json;
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// `cpc hub` and its subcommands.
#[derive(Debug, Args)]
#[command(
    about = "Fetch models from the Hugging Face hub, upload models, list the cache",
    long_about = "Fetch models from the Hugging Face hub, upload models, and list those in the cache.\n\n\
        Files are kept in the cache that Python's huggingface_hub uses, so a file that either program fetched is not fetched again. The environment \
        variables are the same as well: HF_HOME, HF_HUB_CACHE, HF_ENDPOINT, HF_TOKEN, HF_TOKEN_PATH, HF_HUB_OFFLINE, \
        HF_HUB_ETAG_TIMEOUT and HF_HUB_DOWNLOAD_TIMEOUT (seconds).",
    after_help = "Examples:\n  cpc hub pull hf:owner/name\n  cpc hub push runs/demo owner/name --dry-run\n  cpc hub list"
)]
pub(crate) struct HubCommand {
    #[command(subcommand)]
    action: Action,
}

/// Each subcommand is documented where it is defined: a comment here would replace its long help.
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
        Each file is checked against the hub's size and hash before it enters the cache. If the command is stopped or cut off, run it again and it \
        resumes where it stopped. Files that the cache already has at the same commit are not fetched again.",
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
    /// Also copy the files to this directory
    #[arg(long, value_name = "DIR")]
    to: Option<PathBuf>,
    /// Replace a model that exists in DIR
    #[arg(long, requires = "to")]
    overwrite: bool,
}

/// Options of `cpc hub push`.
#[derive(Debug, Args)]
#[command(
    about = "Upload a model to the hub",
    long_about = "Upload a model to the hub, in one commit: config.json, model.safetensors, and README.md, the model card.\n\n\
        The card states what the run recorded: data, hours, architecture, steps, and the loss and accuracy of each k. It shows how to load the model with cpc, in \
        PyTorch and in numpy. The options below add to it. A README.md next to the model that was written or changed by hand is uploaded unchanged.\n\n\
        A repository or branch that does not exist is created. A token with write access is read from HF_TOKEN, or from the file that \
        `hf auth login` writes.",
    after_help = "Examples:\n  \
        cpc hub push runs/demo owner/name --dry-run\n  \
        cpc hub push runs/demo owner/name --private --message 'After 100 hours'\n  \
        cpc hub push runs/demo/model owner/name --revision experiment\n  \
        cpc hub push runs/demo owner/name --license mit --language en --probe phones.json --abx abx.json"
)]
struct Push {
    /// Any MODEL: a run directory (its best model), a model directory, or a CPC_audio checkpoint
    model: String,
    /// The repository, as owner/name
    #[arg(value_name = "REPOSITORY")]
    repository: String,
    /// Make the repository private
    #[arg(long)]
    private: bool,
    /// The branch to commit to [default: main]
    #[arg(long, value_name = "BRANCH")]
    revision: Option<String>,
    /// The commit message
    #[arg(long, value_name = "TEXT", default_value = "Upload a model of cpc-toolkit")]
    message: String,
    /// Print what would be uploaded, and upload nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    details: DetailArgs,
}

/// What only the owner of a model knows about it.
#[derive(Debug, Default, Args)]
struct DetailArgs {
    /// The license, by its id on the hub, such as mit or cc-by-4.0
    #[arg(long, value_name = "ID")]
    license: Option<String>,
    /// A language of the recordings, by its ISO 639 code; may be repeated
    #[arg(long, value_name = "CODE")]
    language: Vec<String>,
    /// A data set on the hub that the model was trained on; may be repeated
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
    /// The details of a model that is uploaded to `repo`.
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
    long_about = "List the models and data sets from the hub that are in the cache. Each cached commit is listed with its size and the branches \
        and tags that pointed to it.",
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

    /// Refuses a directory that is not empty, or with `--overwrite` one that holds anything except a model, which would be lost.
    fn check_place(&self, to: &Path, toolkit: &Toolkit) -> Result<()> {
        let entries = match std::fs::read_dir(to) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            entries => entries.map_err(Error::io(to, "read"))?,
        };
        for entry in entries {
            let entry = entry.map_err(Error::io(to, "read"))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if !self.overwrite {
                let what = format!("{}: the directory is not empty", to.display());
                return Err(Error::usage(what, "choose a new directory, or replace the model in it with --overwrite"));
            }
            if !toolkit.is_model_file(&name) || entry.path().is_dir() {
                let what = format!("{}: {name} is not part of a model, and would be lost", to.display());
                return Err(Error::usage(what, "choose a new directory, or move that file elsewhere"));
            }
        }
        Ok(())
    }
}

/// Copies the fetched files to a directory: all of them, or none.
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
            let what = format!("{}: this is not an owner and a name", self.repository);
            return Err(Error::usage(what, "write owner/name"));
        };
        let mut repo = RepoRef::new(RepoKind::Model, owner, name)?;
        if let Some(revision) = &self.revision {
            repo = repo.at(revision)?;
        }
        if self.message.trim().is_empty() {
            return Err(Error::usage("the message of the commit is empty", "describe the model with --message"));
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
            let mut text = format!("would upload to {page} ({}):\n", repo.revision());
            for (name, size) in &sizes {
                writeln!(text, "  {name:<24} {}", HumanBytes(*size)).ok();
            }
            writeln!(text, "\nREADME.md:\n\n{card}").ok();
            let result =
                json!({ "url": page, "revision": repo.revision(), "files": listed, "card": card, "sent": false });
            return terminal.result_or_json(&result, &text);
        }
        let total: u64 = sizes.iter().map(|(_, size)| size).sum();
        terminal.note(&format!("uploading {} files, {}, to {page}", sizes.len(), HumanBytes(total)));
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
