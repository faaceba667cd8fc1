//! A list of words in text: see the head of `profanity/words.txt`.

use super::LexiconError;

/// One word.
#[derive(Debug)]
pub(super) struct Entry {
    /// As it is looked for.
    pub(super) word: String,
    /// `None` for a harmless word.
    pub(super) section: Option<usize>,
    /// `^`: only where a written word begins.
    pub(super) begins: bool,
    /// `$`: only where a written word ends.
    pub(super) ends: bool,
    /// `~`: only where its syllables are divided, which hides a word that may be written.
    pub(super) hidden: bool,
    /// `_`: characters of the word before which a space may be.
    pub(super) spaces: Vec<usize>,
    /// ASCII: whole words alone.
    pub(super) is_latin: bool,
    /// Single consonants, like `ㅅㅂ`.
    pub(super) is_letters: bool,
}

/// The words and the names of the sections.
pub(super) fn entries(list: &str) -> Result<(Vec<Entry>, Vec<String>), LexiconError> {
    let (mut entries, mut sections) = (Vec::new(), Vec::new());
    for (at, line) in list.lines().enumerate() {
        let line = line.split('#').next().unwrap_or("").trim();
        if let Some(name) = line.strip_prefix('[').and_then(|name| name.strip_suffix(']')) {
            sections.push(name.to_owned());
            continue;
        }
        let mut harmless = false;
        for word in line.split_whitespace() {
            if word == "!" {
                harmless = true;
                continue;
            }
            let problem = |problem| Err(LexiconError::Line { line: at + 1, problem });
            let Some(section) = sections.len().checked_sub(1) else { return problem("a word before the first section") };
            for word in choices(word) {
                let entry = entry(&word, (!harmless).then_some(section));
                if entry.word.is_empty() {
                    return problem("an empty word");
                }
                entries.push(entry);
            }
        }
    }
    Ok((entries, sections))
}

/// The words that `(a|b|)c` stands for: `ac`, `bc` and `c`. A parenthesis that is not closed is a letter.
fn choices(written: &str) -> Vec<String> {
    let Some((before, (choice, behind))) = written.split_once('(').and_then(|(before, rest)| Some((before, rest.split_once(')')?))) else {
        return vec![written.to_owned()];
    };
    let behind = choices(behind);
    choice.split('|').flat_map(|one| behind.iter().map(move |behind| format!("{before}{one}{behind}"))).collect()
}

fn entry(written: &str, section: Option<usize>) -> Entry {
    let (begins, ends, hidden) = (written.starts_with('^'), written.ends_with('$'), written.starts_with('~'));
    let (mut word, mut spaces) = (String::new(), Vec::new());
    for c in written.trim_start_matches(['^', '~']).trim_end_matches('$').chars() {
        match c {
            '_' => spaces.push(word.chars().count()),
            c => word.extend(c.to_lowercase()),
        }
    }
    let is_latin = word.is_ascii();
    let is_letters = word.chars().all(|c| matches!(c, 'ㄱ'..='ㅎ'));
    Entry { word, section, begins, ends, hidden, spaces, is_latin, is_letters }
}
