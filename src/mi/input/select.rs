//! Which columns names and patterns mean.

use crate::error::{Error, Result};
use crate::mi::input::table::Table;

/// How many names a message lists.
const LISTED: usize = 40;

/// The places of the columns of a table that `patterns` name, in the order of the patterns; without patterns, all. A pattern is a name, or
/// has `*` for any characters and `?` for one; what it matches keeps the order of the file, and a column is taken once. `flag` is
/// `--x` or `--y`.
///
/// # Errors
/// If a name is not there (those that are are listed) or is there twice, a pattern matches nothing, or a column without a name, as that of
/// the numbers of rows that pandas writes, would be taken though nobody named it.
pub(super) fn choose(table: &dyn Table, patterns: &[String], flag: &str) -> Result<Vec<usize>> {
    let (file, what, names) = (table.file(), table.what(), table.names());
    let mut chosen: Vec<usize> = Vec::new();
    for pattern in patterns.iter().map(|p| p.trim()) {
        let exact: Vec<usize> = (0..names.len()).filter(|&i| names[i] == pattern).collect();
        let places = match exact.len() {
            0 if pattern.contains(['*', '?']) => (0..names.len()).filter(|&i| matches(pattern, &names[i])).collect(),
            _ => exact,
        };
        if places.is_empty() {
            let fault = match pattern.contains(['*', '?']) {
                true => format!("{file}: no {what} matches `{pattern}`"),
                false => format!("{file}: there is no {what} `{pattern}`"),
            };
            return Err(Error::usage(fault, format!("choose from {}", listed(names))));
        }
        for place in places {
            if !chosen.contains(&place) {
                chosen.push(place);
            }
        }
    }
    if patterns.is_empty() {
        chosen = (0..names.len()).collect();
    }
    for &place in &chosen {
        if names[place].is_empty() {
            let fault = format!("{file}: {what} {} has no name; does it number the rows?", place + 1);
            return Err(Error::usage(fault, format!("choose with {flag}: {flag} '?*' selects all that have a name")));
        }
        if names.iter().filter(|name| **name == names[place]).count() > 1 {
            let fault = format!("{file}: there are two {what}s `{}`", names[place]);
            return Err(Error::usage(fault, format!("rename one, or choose others with {flag}")));
        }
    }
    Ok(chosen)
}

/// Names for a message, without empty ones.
pub(super) fn listed(names: &[String]) -> String {
    let names: Vec<&str> = names.iter().map(String::as_str).filter(|name| !name.is_empty()).collect();
    let more = if names.len() > LISTED { format!(" and {} more", names.len() - LISTED) } else { String::new() };
    format!("{}{more}", names[..names.len().min(LISTED)].join(", "))
}

/// Whether a pattern matches a name: `*` matches any characters, or none, and `?` matches one.
pub fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    let (mut at, mut read) = (0, 0);
    // The position of the last star, and how far its match reaches: backtracking beyond it never helps.
    let mut star = None;
    while read < name.len() {
        match pattern.get(at) {
            Some('*') => {
                star = Some((at, read));
                at += 1;
            }
            Some(c) if *c == '?' || *c == name[read] => {
                at += 1;
                read += 1;
            }
            _ => {
                let Some((place, reach)) = star else { return false };
                star = Some((place, reach + 1));
                at = place + 1;
                read = reach + 1;
            }
        }
    }
    pattern[at..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mi::input::table::{FoundColumn, Wanted};

    struct Names(Vec<String>);

    impl Table for Names {
        fn file(&self) -> &str {
            "d.csv"
        }
        fn names(&self) -> &[String] {
            &self.0
        }
        fn read(self: Box<Self>, _: &[Wanted]) -> Result<FoundColumn> {
            Ok(FoundColumn { columns: vec![], lines: None })
        }
    }

    fn chosen(names: &[&str], patterns: &[&str]) -> Result<Vec<usize>> {
        let patterns: Vec<String> = patterns.iter().map(ToString::to_string).collect();
        choose(&Names(names.iter().map(ToString::to_string).collect()), &patterns, "--x")
    }

    #[test]
    fn names_and_patterns_choose_columns_once_each() {
        let names = ["temp", "press_a", "press_b", "flow", "é1"];
        assert_eq!(chosen(&names, &["flow", " press* "]).unwrap(), [3, 1, 2]);
        assert_eq!(chosen(&names, &["press_?", "press_a"]).unwrap(), [1, 2]);
        assert_eq!(chosen(&names, &["?1"]).unwrap(), [4]);
        assert_eq!(chosen(&names, &["*"]).unwrap(), chosen(&names, &[]).unwrap());
        // An exact name takes precedence over a pattern.
        assert_eq!(chosen(&["a*", "ab"], &["a*"]).unwrap(), [0]);
    }

    #[test]
    fn a_star_gives_back_what_it_took_too_much_and_never_takes_long() {
        for (pattern, name) in
            [("a*b*c", "abxbyc"), ("*", ""), ("**?", "a"), ("a*", "a"), ("*ab", "aab"), ("*a*b?", "xaaabbz")]
        {
            assert!(matches(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [("a*b", "abc"), ("?", ""), ("", "a"), ("a?", "a"), ("*ab", "aba"), ("b*", "ab")] {
            assert!(!matches(pattern, name), "{pattern} {name}");
        }
        assert!(!matches(&"*a".repeat(200), &format!("{}b", "a".repeat(2000))));
    }

    #[test]
    fn what_is_not_there_is_said_with_what_is() {
        let e = chosen(&["a", "b"], &["c"]).unwrap_err();
        assert_eq!(
            (e.to_string().as_str(), e.remedy().as_str()),
            ("d.csv: there is no column `c`", "choose from a, b")
        );
        assert_eq!(e.exit_code(), 2);
        assert_eq!(chosen(&["a", "b"], &["f*"]).unwrap_err().to_string(), "d.csv: no column matches `f*`");
        let many: Vec<String> = (0..50).map(|i| i.to_string()).collect();
        assert!(listed(&many).ends_with("38, 39 and 10 more"));
    }

    #[test]
    fn a_column_without_a_name_is_not_taken_unasked_nor_one_of_two_of_a_name() {
        let e = chosen(&["", "a", "b"], &[]).unwrap_err();
        assert_eq!(e.to_string(), "d.csv: column 1 has no name; does it number the rows?");
        assert_eq!(chosen(&["", "a", "b"], &["?*"]).unwrap(), [1, 2]);
        assert_eq!(chosen(&["a", "a"], &["a"]).unwrap_err().to_string(), "d.csv: there are two columns `a`");
        assert_eq!(chosen(&["a", "a", "b"], &["b"]).unwrap(), [2]);
    }
}
