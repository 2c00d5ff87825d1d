//! Strings in the forms that a card needs: for its YAML, its Markdown and its programs.

/// A YAML scalar in double quotes, on one line; parsing it gives `text`, whatever it contains (YAML 1.2, section 7.3.1).
pub(crate) fn yaml(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            ' '..='~' => quoted.push(c),
            c if c.is_alphanumeric() => quoted.push(c),
            c if u32::from(c) <= 0xffff => quoted.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => quoted.push_str(&format!("\\U{:08X}", u32::from(c))),
        }
    }
    quoted + "\""
}

/// Plain text on one line of Markdown, also usable in a table cell.
pub(crate) fn plain(text: &str) -> String {
    let mut line = String::new();
    for c in text.chars() {
        match c {
            c if c.is_control() || c.is_whitespace() => line.push(' '),
            c if "\\`*_{}[]<>#|$~&!".contains(c) => line.extend(['\\', c]),
            c => line.push(c),
        }
    }
    line.trim().to_string()
}

/// The name of a path or reference: its last part, so that a card does not reveal where files were on a disk. An address on the hub is
/// kept in full.
pub(crate) fn called(path: &str) -> &str {
    if path.starts_with("hf:") {
        return path;
    }
    path.rsplit(['/', '\\']).find(|part| !part.is_empty()).unwrap_or_default()
}

/// `repo`, if it has the form `owner/name`: the only string that a card puts into programs.
pub(crate) fn repository(repo: &str) -> Option<&str> {
    let word = |s: &str| !s.is_empty() && s.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
    repo.split_once('/').filter(|(owner, name)| word(owner) && word(name)).map(|_| repo)
}

/// A number to at most one decimal place.
pub(crate) fn short(x: f64) -> String {
    let text = format!("{x:.1}");
    text.strip_suffix(".0").map(str::to_string).unwrap_or(text)
}

/// A share of 1 as per cent.
pub(crate) fn percent(share: f64) -> String {
    format!("{:.2} %", 100.0 * share)
}

/// A table of Markdown; nothing where there are no rows.
pub(crate) fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let line = |cells: &[&str]| format!("| {} |\n", cells.join(" | "));
    let cells = |row: &Vec<String>| line(&row.iter().map(String::as_str).collect::<Vec<_>>());
    format!("{}{}{}", line(head), line(&vec!["---"; head.len()]), rows.iter().map(cells).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn yaml_keeps_every_string_on_one_line_of_ascii_or_letters() {
        assert_eq!(yaml("a \"b\": c\\d"), r#""a \"b\": c\\d""#);
        assert_eq!(yaml("x\n---\ny\t"), r#""x\u000A---\u000Ay\u0009""#);
        assert_eq!(yaml("日本 é\u{2028}\u{7f}\u{1f600}"), "\"日本 é\\u2028\\u007F\\U0001F600\"");
    }

    #[test]
    fn markdown_reads_nothing_in_a_name() {
        assert_eq!(plain("a|b\n# <i>*x*</i>"), r"a\|b \# \<i\>\*x\*\</i\>");
        assert_eq!(plain("\n[x](y) \u{2028}"), r"\[x\](y)");
    }

    #[test]
    fn a_card_does_not_tell_where_things_lay() {
        assert_eq!([called("/home/me/wav/"), called(r"C:\data\wav"), called("runs/demo c")], ["wav", "wav", "demo c"]);
        assert_eq!(called("hf://datasets/openslr/librispeech_asr"), "hf://datasets/openslr/librispeech_asr");
        assert_eq!(called("///"), "");
    }

    #[test]
    fn only_a_repository_gets_into_a_program() {
        assert_eq!(repository("some-one/cpc_1.0"), Some("some-one/cpc_1.0"));
        for wrong in ["x", "a/b/c", "a/", "a/b\"", "a/b\n```", "/b", "a/é"] {
            assert_eq!(repository(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn numbers_are_short() {
        assert_eq!([short(10.0), short(29.0625)], ["10", "29.1"]);
        assert_eq!(percent(0.304_76), "30.48 %");
        assert_eq!(table(&["a"], &[]), "");
        assert_eq!(table(&["a", "b"], &[vec!["1".into(), "2".into()]]), "| a | b |\n| --- | --- |\n| 1 | 2 |\n");
    }
}
