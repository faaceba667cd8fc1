//! A list of words from a file, looked for in a text all at once.

use std::io::Read as _;
use std::path::Path;

use aho_corasick::AhoCorasick;

use crate::chars::is_alnum;

/// Largest list file in bytes, 256 MiB: it is held in memory.
const MAX_LIST_BYTES: u64 = 256 << 20;

/// The lines of a list file: trimmed, in order; empty ones and those that begin with `#` left out.
///
/// # Errors
/// A sentence that names the file: it cannot be read, is too large, or is not UTF-8.
pub(crate) fn read_list(path: &str) -> Result<Vec<String>, String> {
    let mut text = String::new();
    let file = std::fs::File::open(Path::new(path)).map_err(|cause| format!("cannot read the list {path}: {cause}"))?;
    let read = file.take(MAX_LIST_BYTES + 1).read_to_string(&mut text).map_err(|cause| format!("cannot read the list {path}: {cause}"))?;
    if read as u64 > MAX_LIST_BYTES {
        return Err(format!("the list {path} has more than {MAX_LIST_BYTES} bytes"));
    }
    let lines: Vec<String> =
        text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')).map(str::to_owned).collect();
    if lines.is_empty() { Err(format!("the list {path} has no entry")) } else { Ok(lines) }
}

/// Words and phrases, found without regard to case.
pub(crate) struct WordList {
    words: Vec<String>,
    search: AhoCorasick,
    boundaries: bool,
}

impl WordList {
    /// Reads one word or phrase a line; with `boundaries` a word counts only between characters
    /// that are neither letters, digits nor `_`.
    ///
    /// # Errors
    /// As [`read_list`], or when the list is too large to be searched for.
    pub(crate) fn read(path: &str, boundaries: bool) -> Result<Self, String> {
        let words: Vec<String> = read_list(path)?.iter().map(|word| word.to_lowercase()).collect();
        let search = AhoCorasick::new(&words).map_err(|cause| format!("cannot search for the list {path}: {cause}"))?;
        Ok(Self { words, search, boundaries })
    }

    /// A listed word that occurs in the text.
    pub(crate) fn find(&self, text: &str) -> Option<&str> {
        let text = text.to_lowercase();
        let inside = |c: char| c == '_' || is_alnum(c);
        let counts = |start: usize, end: usize| {
            !self.boundaries || !(text[..start].chars().next_back().is_some_and(inside) || text[end..].chars().next().is_some_and(inside))
        };
        let hit = self.search.find_overlapping_iter(&text).find(|hit| counts(hit.start(), hit.end()))?;
        self.words.get(hit.pattern().as_usize()).map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn list(text: &str, boundaries: bool) -> WordList {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        WordList::read(file.path().to_str().unwrap(), boundaries).unwrap()
    }

    #[test]
    fn words_between_boundaries() {
        let words = list("# comment\nAss\n\nbad phrase\n나쁜\n", true);
        for (text, found) in [
            ("ASS!", Some("ass")),
            ("class, assess, ass_", None),
            ("a bad  phrase", None),
            ("a Bad Phrase.", Some("bad phrase")),
            ("나쁜말", None),
            ("'나쁜' 말", Some("나쁜")),
            ("class ass", Some("ass")),
        ] {
            assert_eq!(words.find(text), found, "{text}");
        }
        assert_eq!(list("나쁜", false).find("안나쁜말"), Some("나쁜"));
    }

    #[test]
    fn a_list_that_is_no_list() {
        assert!(read_list("/no/such/list").unwrap_err().contains("/no/such/list"));
        let empty = tempfile::NamedTempFile::new().unwrap();
        assert!(read_list(empty.path().to_str().unwrap()).unwrap_err().contains("no entry"));
    }
}
