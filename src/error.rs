//! Errors: what went wrong, where, and what to do about it.
//!
//! Every error prints as two lines: the first names the file, flag or key and what is wrong with it, the second says
//! what to do ([`Error::remedy`]). [`Error::exit_code`] is what the `cpc` binary returns.

use std::fmt;
use std::path::{Path, PathBuf};

/// The result of every fallible function in this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// One problem with one input: a file of a corpus, or a key of a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The file (with a line number if that helps) or the dotted key.
    pub at: String,
    /// What is wrong, as the end of a sentence that starts with `at`.
    pub what: String,
}

impl Problem {
    /// A problem at a location.
    pub fn new(at: impl fmt::Display, what: impl fmt::Display) -> Self {
        Problem { at: at.to_string(), what: what.to_string() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.at, self.what)
    }
}

/// Everything that can go wrong.
#[derive(Debug)]
pub enum Error {
    /// A flag or an argument cannot be used as given.
    Usage {
        /// What is wrong.
        what: String,
        /// What to do.
        remedy: String,
    },
    /// Keys of the configuration are unknown or out of range; all such problems at once.
    Config(Vec<Problem>),
    /// Files of the input cannot be used; all of them at once, as far as known.
    BadFiles(Vec<Problem>),
    /// The operating system refused something.
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What was being done, as in `cannot <doing> <path>`.
        doing: &'static str,
        /// The reason.
        source: std::io::Error,
    },
    /// The work failed for a reason that a user can act on.
    Failed {
        /// What is wrong.
        what: String,
        /// What to do.
        remedy: String,
    },
    /// The user stopped the work.
    Interrupted {
        /// What was kept, and how to resume.
        kept: String,
    },
    /// The work of another process of the group failed, which ended this one's.
    Elsewhere {
        /// The number of that process.
        rank: usize,
        /// The name of its machine.
        host: String,
        /// Its error.
        what: String,
        /// What to do.
        remedy: String,
        /// The exit code of its error.
        exit_code: u8,
    },
    /// A tensor operation failed: a bug in this crate, or a device out of memory.
    Tensor(candle_core::Error),
}

/// Number of problems that an error message lists before it only counts the rest.
const LISTED: usize = 20;

impl Error {
    /// A flag or an argument cannot be used as given (exit code 2).
    pub fn usage(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Error::Usage { what: what.into(), remedy: remedy.into() }
    }

    /// The work failed (exit code 1).
    pub fn failed(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Error::Failed { what: what.into(), remedy: remedy.into() }
    }

    /// One bad file (exit code 1).
    pub fn bad_file(path: impl AsRef<Path>, what: impl fmt::Display) -> Self {
        Error::BadFiles(vec![Problem::new(path.as_ref().display(), what)])
    }

    /// The work failed because of all of these problems (exit code 1), with a remedy other than that of [`Error::BadFiles`].
    pub fn problems(problems: Vec<Problem>, remedy: impl Into<String>) -> Self {
        Error::failed(Error::BadFiles(problems).to_string(), remedy)
    }

    /// The operating system refused `doing` to `path`; for `map_err`.
    pub fn io(path: impl AsRef<Path>, doing: &'static str) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.as_ref().to_path_buf();
        move |source| Error::Io { path, doing, source }
    }

    /// Whether a device had no memory left.
    pub fn is_out_of_memory(&self) -> bool {
        let Error::Tensor(e) = self else { return false };
        let text = e.to_string();
        ["CUDA_ERROR_OUT_OF_MEMORY", "CUBLAS_STATUS_ALLOC_FAILED"].iter().any(|name| text.contains(name))
    }

    /// 130 interrupted, 2 usage or configuration, 1 everything else.
    pub fn exit_code(&self) -> u8 {
        match self {
            Error::Usage { .. } | Error::Config(_) => 2,
            Error::Interrupted { .. } => 130,
            Error::Elsewhere { exit_code, .. } => *exit_code,
            _ => 1,
        }
    }

    /// One line that says what to do about it.
    pub fn remedy(&self) -> String {
        use std::io::ErrorKind as Kind;
        match self {
            Error::Usage { remedy, .. } | Error::Failed { remedy, .. } | Error::Elsewhere { remedy, .. } => remedy.clone(),
            Error::Interrupted { kept } => kept.clone(),
            Error::Config(_) => "`cpc pretrain --print-config` shows every key with its value".into(),
            Error::BadFiles(_) => {
                "repair or remove the files listed above; pretrain and extract can skip them with --on-bad-file skip"
                    .into()
            }
            Error::Io { doing, source, .. } => match source.kind() {
                Kind::NotFound if matches!(*doing, "open" | "read") => "check the spelling of the path".into(),
                Kind::NotFound => "its directory is not there, or was removed meanwhile; run the command again".into(),
                Kind::PermissionDenied => "change the permissions, or choose a place that you may use".into(),
                Kind::StorageFull | Kind::QuotaExceeded => "free some space, or choose another disk".into(),
                Kind::InvalidData => {
                    "the file is damaged, or is not of the kind that it seems to be: copy or write it again".into()
                }
                Kind::ReadOnlyFilesystem => "choose a place that can be written to".into(),
                _ => "the operating system reported this; resolve the cause and try again".into(),
            },
            Error::Tensor(_) if self.is_out_of_memory() => {
                "use less of it, or see with nvidia-smi which other process does; --device cpu uses the machine's memory".into()
            }
            Error::Tensor(_) => "if the cause is not a lack of memory, this is a bug in cpc: please report it".into(),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Usage { what, .. } | Error::Failed { what, .. } => f.write_str(what),
            Error::Interrupted { .. } => f.write_str("interrupted"),
            Error::Elsewhere { rank, host, what, .. } => write!(f, "process {rank} ({host}): {what}"),
            Error::Config(problems) | Error::BadFiles(problems) => {
                for (i, problem) in problems.iter().take(LISTED).enumerate() {
                    write!(f, "{}{problem}", if i > 0 { "\n" } else { "" })?;
                }
                match problems.len() {
                    0 => f.write_str("the input cannot be used"),
                    n if n > LISTED => write!(f, "\n... and {} more", n - LISTED),
                    _ => Ok(()),
                }
            }
            Error::Io { path, doing, source } => write!(f, "cannot {doing} {}: {source}", path.display()),
            Error::Tensor(_) if self.is_out_of_memory() => f.write_str("the GPU has no memory left"),
            Error::Tensor(e) => write!(f, "tensor operation: {e}"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Error::Io { source, .. } => Some(source),
            Error::Tensor(e) => Some(e),
            _ => None,
        }
    }
}

impl From<candle_core::Error> for Error {
    fn from(e: candle_core::Error) -> Self {
        Error::Tensor(e)
    }
}
