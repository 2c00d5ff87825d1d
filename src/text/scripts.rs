//! Scripts that are written without spaces between words: Chinese, Japanese, Thai, Lao, Khmer, Burmese, Tibetan.
//!
//! Unicode has no rule for the words of these scripts without a dictionary (UAX #29, section 4): its rules cut between nearly all characters, and
//! keep marks with the characters that they belong to.

/// The characters of these scripts, and the full-width punctuation that is used with them. Runs of Katakana are words of one piece
/// (UAX #29, rule WB13).
const UNSPACED: [(char, char); 17] = [
    ('\u{e00}', '\u{eff}'),
    ('\u{f00}', '\u{fff}'),
    ('\u{1000}', '\u{109f}'),
    ('\u{1780}', '\u{17ff}'),
    ('\u{1950}', '\u{19ff}'),
    ('\u{1a20}', '\u{1aaf}'),
    ('\u{2e80}', '\u{2fdf}'),
    ('\u{3001}', '\u{309f}'),
    ('\u{30a0}', '\u{30ff}'),
    ('\u{31c0}', '\u{31ff}'),
    ('\u{3400}', '\u{4dbf}'),
    ('\u{4e00}', '\u{9fff}'),
    ('\u{a9e0}', '\u{a9ff}'),
    ('\u{aa60}', '\u{aadf}'),
    ('\u{f900}', '\u{faff}'),
    ('\u{ff01}', '\u{ff9f}'),
    ('\u{20000}', '\u{3ffff}'),
];

/// The characters that the tokenizers of words cut at: the above without Katakana.
const CUT: &str = r"[\x{e00}-\x{fff}\x{1000}-\x{109f}\x{1780}-\x{17ff}\x{1950}-\x{19ff}\x{1a20}-\x{1aaf}\x{2e80}-\x{2fdf}\x{3001}-\x{309f}\x{3400}-\x{4dbf}\x{4e00}-\x{9fff}\x{a9e0}-\x{a9ff}\x{aa60}-\x{aadf}\x{f900}-\x{faff}\x{20000}-\x{3ffff}]";

/// Whether a character is of a script without spaces between words.
pub(super) fn is_unspaced(c: char) -> bool {
    c >= '\u{e00}' && UNSPACED.iter().any(|(from, to)| (*from..=*to).contains(&c))
}

/// Whether a text has such characters.
pub(super) fn has_unspaced(text: &str) -> bool {
    text.chars().any(is_unspaced)
}

/// Whether most letters of a text are such characters.
pub(super) fn is_mostly_unspaced(text: &str) -> bool {
    let (mut unspaced, mut letters) = (0, 0);
    for c in text.chars().filter(|c| c.is_alphabetic() || is_unspaced(*c)) {
        letters += 1;
        unspaced += usize::from(is_unspaced(c));
    }
    unspaced * 2 > letters
}

/// A regular expression for one such character with its marks.
pub(super) fn pattern() -> String {
    format!(r"{CUT}\p{{M}}*")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_without_spaces_are_told_from_those_with_them() {
        for text in ["วันนี้อากาศดี", "今天天气很好。", "今日はいい天気ですね", "カメラ", "ມື້ນີ້", "ថ្ងៃនេះ", "ဒီနေ့"]
        {
            assert!(is_mostly_unspaced(text), "{text}");
        }
        for text in ["one two", "Größe", "날씨가 좋다", "आज मौसम अच्छा है", "Это.", "He read 红楼梦 in June", "", "12"]
        {
            assert!(!is_mostly_unspaced(text), "{text}");
        }
        assert!(has_unspaced("He read 红楼梦") && !has_unspaced("naïve 날씨"));
    }
}
