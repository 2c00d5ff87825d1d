//! Ids from the paths of files.

/// A path without its file extension.
pub(super) fn without_ending(relative: &str) -> &str {
    let name = relative.rfind('/').map_or(0, |i| i + 1);
    match relative[name..].rfind('.') {
        Some(dot) if dot > 0 => &relative[..name + dot],
        _ => relative,
    }
}

/// The last part of a path.
pub(super) fn stem(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}
