//! Columns by the names that the first line of a table gives them.

/// The place of the first of `names` that occurs among `cells`. Case, a leading `#`, and the signs `-`, `_` and blanks do not matter; `names`
/// are lowercase without such signs.
pub(crate) fn place(cells: &[impl AsRef<str>], names: &[&str]) -> Option<usize> {
    let cells: Vec<String> = cells.iter().map(|cell| plain(cell.as_ref())).collect();
    names.iter().find_map(|name| cells.iter().position(|cell| cell == name))
}

/// The places of all of `names` that occur.
pub(crate) fn places(cells: &[impl AsRef<str>], names: &[&str]) -> Vec<usize> {
    let named = |cell: &str| names.contains(&plain(cell).as_str());
    cells.iter().enumerate().filter(|(_, cell)| named(cell.as_ref())).map(|(i, _)| i).collect()
}

fn plain(cell: &str) -> String {
    let cell = cell.trim().trim_start_matches('#');
    cell.chars().filter(|c| !matches!(c, '-' | '_' | ' ')).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_however_they_are_written() {
        let cells = ["Label", "#File_ID", "prev-phone"];
        assert_eq!(place(&cells, &["utterance", "fileid", "label"]), Some(1));
        assert_eq!(place(&cells, &["prevphone"]), Some(2));
        assert_eq!(place(&cells, &["speaker"]), None);
        assert_eq!(places(&cells, &["label", "prevphone", "x"]), [0, 2]);
    }
}
