//! Text in markup: makes hostile names harmless and numbers readable.

use std::fmt::{self, Write};

/// Text for an element or a quoted attribute of HTML or XML, with `<`, `>`, `&` and quotes escaped. Characters not allowed in such a file,
/// control characters, and marks that change the direction of the surrounding text are replaced; an empty name becomes `(no name)`.
#[derive(Clone, Copy)]
pub(super) struct Escaped<'a>(pub(super) &'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("(no name)");
        }
        for c in self.0.chars() {
            match c {
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '&' => f.write_str("&amp;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                '\t' | '\n' | '\r' => f.write_char(' ')?,
                c if c.is_control() || is_invisible(c) => f.write_char(char::REPLACEMENT_CHARACTER)?,
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

/// Direction marks, line separators, and the two code points that XML forbids.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{fffe}' | '\u{ffff}')
}

/// A name in at most `length` characters. If necessary its middle is replaced by an ellipsis, since names often differ at their ends. The
/// result still has to be escaped.
pub(super) fn short(name: &str, length: usize) -> String {
    let letters = name.chars().count();
    if letters <= length {
        return name.to_string();
    }
    let (head, tail) = (length / 2, (length - length / 2).saturating_sub(1));
    name.chars().take(head).chain(['…']).chain(name.chars().skip(letters - tail)).collect()
}

/// Number of characters displayed for the result of [`short`].
pub(super) fn width(name: &str, length: usize) -> usize {
    if name.is_empty() { "(no name)".len() } else { name.chars().count().min(length) }
}

/// A fraction as `62.2 %`, or a dash if it is not finite.
pub(super) fn percent(share: f64) -> String {
    if share.is_finite() { format!("{:.1}\u{a0}%", 100.0 * share) } else { "–".to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_control_characters_and_direction_marks_are_made_harmless() {
        let escaped = |text: &str| Escaped(text).to_string();
        assert_eq!(escaped("a<b>&\"c'"), "a&lt;b&gt;&amp;&quot;c&#39;");
        assert_eq!(escaped("a\tb\nc"), "a b c");
        assert_eq!(escaped("a\0b\u{1b}[31m\u{202e}c\u{ffff}"), "a\u{fffd}b\u{fffd}[31m\u{fffd}c\u{fffd}");
        assert_eq!(escaped(""), "(no name)");
        assert_eq!(escaped("ɑː 中文 ñ"), "ɑː 中文 ñ");
    }

    #[test]
    fn long_names_lose_their_middle_and_never_half_a_character() {
        assert_eq!(short("ɑːbc", 4), "ɑːbc");
        assert_eq!(short("ɑːbcd", 4), "ɑː…d");
        assert_eq!(short("speaker-1234", 9), "spea…1234");
    }
}
