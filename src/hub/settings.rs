//! The address of the hub, the user's token, and the place of the cache: the environment variables of Python's `huggingface_hub` (its
//! `constants.py` and `utils/_auth.py`), with the same meaning. There is one difference: an empty variable counts as not set.

use crate::error::{Error, Result};
use crate::hub::reference::{HUB, RepoRef};
use std::ffi::OsString;
use std::fmt;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::time::Duration;

/// A hub token. It is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// A token as read from a variable or a file.
    ///
    /// # Errors
    /// It is empty or contains characters that are not allowed in a token; the message does not repeat it.
    pub fn new(text: &str, from: &str) -> Result<Token> {
        // As in Python: a token is often pasted together with a line break.
        let text: String = text.chars().filter(|c| !matches!(c, '\r' | '\n')).collect();
        let text = text.trim();
        if text.is_empty() || !text.chars().all(|c| c.is_ascii_graphic()) {
            return Err(Error::usage(format!("{from}: does not contain a valid token"), "copy it again from the hub"));
        }
        Ok(Token(text.to_string()))
    }

    /// The token itself, for the one header that carries it.
    pub(super) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(...)")
    }
}

/// How to reach a hub and where to keep its files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// HF_ENDPOINT: scheme, host and port, without a trailing slash.
    pub endpoint: String,
    /// HF_HUB_CACHE: the directory with one folder per repository.
    pub cache: PathBuf,
    /// HF_TOKEN, or the content of the file named by HF_TOKEN_PATH.
    pub token: Option<Token>,
    /// HF_HUB_OFFLINE or `--offline`: no connection is made.
    pub offline: bool,
    /// HF_HUB_ETAG_TIMEOUT: how long an answer about a repository may take.
    pub answer_timeout: Duration,
    /// HF_HUB_DOWNLOAD_TIMEOUT: how long a download may stall.
    pub stall_timeout: Duration,
}

impl Settings {
    /// The settings from the environment; `offline` is true if offline mode is requested in another way.
    ///
    /// # Errors
    /// A variable has an invalid value, or the token's file exists but cannot be read.
    pub fn from_env(offline: bool) -> Result<Settings> {
        Settings::resolve(offline, |name| std::env::var_os(name))
    }

    /// As [`Settings::from_env`], with any source of variables.
    ///
    /// # Errors
    /// As there.
    pub fn resolve(offline: bool, lookup: impl Fn(&str) -> Option<OsString>) -> Result<Settings> {
        let variables = Variables { lookup: &|name| lookup(name).filter(|value| !value.is_empty()) };
        let home = match (variables.path("HF_HOME"), variables.path("XDG_CACHE_HOME"), variables.home()) {
            (Some(home), _, _) => home,
            (None, Some(caches), _) => caches.join("huggingface"),
            (None, None, Some(home)) => home.join(".cache/huggingface"),
            _ => {
                let what = "there is no home directory in which to keep the hub's files";
                return Err(Error::usage(what, "set HF_HOME to a directory"));
            }
        };
        let cache = variables.path("HF_HUB_CACHE").or_else(|| variables.path("HUGGINGFACE_HUB_CACHE"));
        let cache = cache.unwrap_or_else(|| home.join("hub"));
        // Relative paths are made absolute once, so that no message or file depends on the current directory.
        let cache = std::path::absolute(&cache).map_err(Error::io(&cache, "find"))?;
        let seconds = |name: &str| -> Result<Duration> {
            match variables.text(name)? {
                None => Ok(Duration::from_secs(10)),
                Some(text) => match text.parse::<u32>() {
                    Ok(seconds) if seconds > 0 => Ok(Duration::from_secs(seconds.into())),
                    _ => Err(Error::usage(
                        format!("{name}={text}: not a number of seconds"),
                        "give a whole number of at least 1",
                    )),
                },
            }
        };
        Ok(Settings {
            endpoint: endpoint(variables.text("HF_ENDPOINT")?)?,
            cache,
            token: variables.token(home.join("token"))?,
            offline: offline || variables.is_true("HF_HUB_OFFLINE") || variables.is_true("TRANSFORMERS_OFFLINE"),
            answer_timeout: seconds("HF_HUB_ETAG_TIMEOUT")?,
            stall_timeout: seconds("HF_HUB_DOWNLOAD_TIMEOUT")?,
        })
    }

    /// Parses a reference as [`RepoRef::parse`] does, also accepting addresses of this hub.
    ///
    /// # Errors
    /// As there.
    pub fn reference(&self, text: &str) -> Result<RepoRef> {
        RepoRef::parse(text, self.authority())
    }

    /// Host and port of the endpoint.
    fn authority(&self) -> &str {
        self.endpoint.split_once("://").map_or("", |(_, rest)| rest.split('/').next().unwrap_or_default())
    }
}

/// The validated endpoint, on which addresses can be built.
fn endpoint(text: Option<String>) -> Result<String> {
    let Some(text) = text else { return Ok(HUB.into()) };
    let text = text.trim().trim_end_matches('/');
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")).unwrap_or_default();
    if rest.contains('@') {
        let what = "HF_ENDPOINT contains a user or a password";
        return Err(Error::usage(what, "give the address alone, and set HF_TOKEN to a token"));
    }
    if rest.is_empty() || rest.starts_with('/') || rest.contains(|c: char| c.is_whitespace() || "?#\\".contains(c)) {
        let what = format!("HF_ENDPOINT={text}: not the address of a hub");
        return Err(Error::usage(what, format!("give one like {HUB}, or unset it")));
    }
    Ok(text.to_string())
}

/// The environment, read as Python reads it.
struct Variables<'a> {
    lookup: &'a dyn Fn(&str) -> Option<OsString>,
}

impl Variables<'_> {
    fn text(&self, name: &str) -> Result<Option<String>> {
        let text = (self.lookup)(name).map(OsString::into_string).transpose();
        text.map_err(|_| Error::usage(format!("{name} is not UTF-8"), "set it again, or unset it"))
    }

    fn is_true(&self, name: &str) -> bool {
        let value = (self.lookup)(name).unwrap_or_default().to_string_lossy().to_ascii_uppercase();
        ["1", "ON", "YES", "TRUE"].contains(&value.as_str())
    }

    fn home(&self) -> Option<PathBuf> {
        (self.lookup)("HOME").or_else(|| (self.lookup)("USERPROFILE")).map(PathBuf::from)
    }

    /// A path, with `~`, `$NAME` and `${NAME}` replaced.
    fn path(&self, name: &str) -> Option<PathBuf> {
        let value = (self.lookup)(name)?;
        // A value that is not UTF-8 is used unchanged.
        let Some(text) = value.to_str() else { return Some(value.into()) };
        let text = self.expand(text);
        match (text.strip_prefix('~'), self.home()) {
            (Some(""), Some(home)) => Some(home),
            (Some(rest), Some(home)) if rest.starts_with('/') => Some(home.join(&rest[1..])),
            _ => Some(text.into()),
        }
    }

    /// Replaces `$NAME` and `${NAME}`; names that are not set are left unchanged.
    fn expand(&self, text: &str) -> String {
        let (mut out, mut rest) = (String::new(), text);
        while let Some((before, after)) = rest.split_once('$') {
            out.push_str(before);
            let plain = after.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(after.len());
            let braced = after.strip_prefix('{').and_then(|inner| inner.split_once('}'));
            let (name, tail) = braced.unwrap_or_else(|| after.split_at(plain));
            match (self.lookup)(name).and_then(|value| value.into_string().ok()) {
                Some(value) if !name.is_empty() => {
                    out.push_str(&value);
                    rest = tail;
                }
                _ => {
                    out.push('$');
                    rest = after;
                }
            }
        }
        out + rest
    }

    fn token(&self, default_path: PathBuf) -> Result<Option<Token>> {
        if self.is_true("HF_HUB_DISABLE_IMPLICIT_TOKEN") {
            return Ok(None);
        }
        for name in ["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"] {
            match (self.lookup)(name).map(|value| value.into_string().unwrap_or_else(|_| "\0".into())) {
                Some(text) if !text.trim().is_empty() => return Token::new(&text, name).map(Some),
                _ => {}
            }
        }
        let path = self.path("HF_TOKEN_PATH").unwrap_or(default_path);
        match std::fs::read_to_string(&path) {
            Ok(text) if text.trim().is_empty() => Ok(None),
            Ok(text) => Token::new(&text, &path.display().to_string()).map(Some),
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
            Err(e) => Err(Error::io(path, "read")(e)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(variables: &[(&str, &str)]) -> Result<Settings> {
        Settings::resolve(false, |name| variables.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).into()))
    }

    #[test]
    fn the_variables_mean_what_they_mean_in_python() {
        // Expected values: huggingface_hub 1.x, constants.py.
        let cache = |variables: &[(&str, &str)]| settings(variables).unwrap().cache;
        assert_eq!(cache(&[("HOME", "/h")]), PathBuf::from("/h/.cache/huggingface/hub"));
        assert_eq!(cache(&[("HOME", "/h"), ("XDG_CACHE_HOME", "/x")]), PathBuf::from("/x/huggingface/hub"));
        assert_eq!(cache(&[("XDG_CACHE_HOME", "/x"), ("HF_HOME", "/hf")]), PathBuf::from("/hf/hub"));
        assert_eq!(cache(&[("HF_HOME", "/hf"), ("HF_HUB_CACHE", "/c")]), PathBuf::from("/c"));
        assert_eq!(cache(&[("HF_HOME", "/hf"), ("HUGGINGFACE_HUB_CACHE", "/old")]), PathBuf::from("/old"));
        assert_eq!(cache(&[("HOME", "/h"), ("HF_HOME", "~/hf")]), PathBuf::from("/h/hf/hub"));
        assert_eq!(
            cache(&[("HOME", "/h"), ("D", "/d"), ("HF_HUB_CACHE", "${D}/a$D/$NO")]),
            PathBuf::from("/d/a/d/$NO")
        );
        for (value, offline) in [("1", true), ("yes", true), ("On", true), ("TRUE", true), ("0", false), ("2", false)] {
            let found = settings(&[("HOME", "/h"), ("HF_HUB_OFFLINE", value)]).unwrap().offline;
            assert_eq!(found, offline, "HF_HUB_OFFLINE={value}");
        }
        let found = settings(&[("HOME", "/h"), ("HF_ENDPOINT", "http://hub.example:8080/")]).unwrap();
        assert_eq!((found.endpoint.as_str(), found.authority()), ("http://hub.example:8080", "hub.example:8080"));
        assert_eq!(settings(&[("HOME", "/h")]).unwrap().endpoint, "https://huggingface.co");
        assert!(settings(&[]).is_err());
    }

    #[test]
    fn a_token_comes_from_its_variable_then_from_its_file() {
        let dir = tempfile::tempdir().unwrap();
        let home = dir.path().to_str().unwrap();
        let token = |variables: &[(&str, &str)]| {
            let variables: Vec<_> = variables.iter().copied().chain([("HF_HOME", home)]).collect();
            settings(&variables).unwrap().token.map(|t| t.reveal().to_string())
        };
        assert_eq!(token(&[]), None);
        std::fs::write(dir.path().join("token"), "hf_file\n").unwrap();
        std::fs::write(dir.path().join("other"), "hf_other").unwrap();
        assert_eq!(token(&[]).as_deref(), Some("hf_file"));
        assert_eq!(token(&[("HF_TOKEN_PATH", &format!("{home}/other"))]).as_deref(), Some("hf_other"));
        assert_eq!(token(&[("HF_TOKEN_PATH", &format!("{home}/none"))]), None);
        assert_eq!(token(&[("HF_TOKEN", " hf_env\n")]).as_deref(), Some("hf_env"));
        assert_eq!(token(&[("HF_TOKEN", "")]).as_deref(), Some("hf_file"));
        assert_eq!(token(&[("HF_TOKEN", "hf_env"), ("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1")]), None);
    }

    #[test]
    fn no_message_repeats_a_token() {
        let found = settings(&[("HOME", "/h"), ("HF_TOKEN", "hf_secret")]).unwrap();
        assert!(!format!("{found:?}").contains("secret"));
        let error = settings(&[("HOME", "/h"), ("HF_TOKEN", "hf_sec ret")]).unwrap_err();
        assert!(!format!("{error:?} {error}").contains("ret "), "{error}");
        let error = settings(&[("HOME", "/h"), ("HF_ENDPOINT", "https://me:secret@hub.example")]).unwrap_err();
        assert!(!format!("{error:?}").contains("secret"));
        for bad in ["hub.example", "ftp://hub.example", "https://", "https:///x", "https://a b"] {
            assert!(settings(&[("HOME", "/h"), ("HF_ENDPOINT", bad)]).is_err(), "{bad}");
        }
    }
}
