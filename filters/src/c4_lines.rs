//! One line under the rules of C4: what becomes of it, and what of it is left.

use std::borrow::Cow;
use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, AhoCorasickKind};

use crate::Word;
use crate::chars::{is_decimal, is_space};

/// What becomes of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It stays.
    Kept,
    /// Removed: a word of it is too long.
    LongWord,
    /// Removed: it does not end like a sentence.
    NoTerminal,
    /// Removed: too few words.
    FewWords,
    /// Removed: it mentions JavaScript.
    JavaScript,
    /// Removed: it is about cookies, privacy or terms.
    Policy,
    /// The text is a placeholder.
    LoremIpsum,
    /// The text is code.
    CurlyBracket,
}

impl Fate {
    /// How many there are.
    pub(crate) const COUNT: usize = 8;
    /// Those that remove a line and leave the text.
    pub(crate) const REMOVED: [Self; 5] = [Self::LongWord, Self::NoTerminal, Self::FewWords, Self::JavaScript, Self::Policy];

    /// Name of the metric that counts such lines.
    pub(crate) fn metric(self) -> &'static str {
        match self {
            Self::Kept => "kept-lines",
            Self::LongWord => "long-word-lines",
            Self::NoTerminal => "no-terminal-lines",
            Self::FewWords => "few-word-lines",
            Self::JavaScript => "javascript-lines",
            Self::Policy => "policy-lines",
            Self::LoremIpsum => "lorem-ipsum-lines",
            Self::CurlyBracket => "curly-bracket-lines",
        }
    }
}

/// Which rules are on; a count of zero is a rule that is off.
#[allow(clippy::struct_excessive_bools)] // one for each rule
pub(crate) struct LineRules {
    pub(crate) terminal_punctuation: bool,
    pub(crate) remove_citations: bool,
    pub(crate) javascript: bool,
    pub(crate) policy: bool,
    pub(crate) lorem_ipsum: bool,
    pub(crate) curly_bracket: bool,
    pub(crate) min_words: usize,
    pub(crate) max_word_length: usize,
}

/// Phrases in lower case; the first is a placeholder, the second JavaScript, the rest policy.
const PHRASES: [&str; 8] =
    ["lorem ipsum", "javascript", "terms of use", "privacy policy", "cookie policy", "uses cookies", "use of cookies", "use cookies"];

/// A search for all phrases in one pass. They are short and fixed, so building cannot fail; if it
/// did, no phrase would be found.
static SEARCH: LazyLock<Option<AhoCorasick>> =
    LazyLock::new(|| AhoCorasick::builder().ascii_case_insensitive(true).kind(Some(AhoCorasickKind::DFA)).build(PHRASES).ok());

impl LineRules {
    /// No rule removes or changes a line.
    pub(crate) fn do_nothing(&self) -> bool {
        !(self.terminal_punctuation || self.remove_citations || self.javascript || self.policy)
            && self.min_words == 0
            && self.max_word_length == 0
    }

    /// A line can condemn the whole text.
    pub(crate) fn drop(&self) -> bool {
        self.lorem_ipsum || self.curly_bracket
    }

    /// What becomes of a line with these words, and its text when it stays. The order of the
    /// checks is the reference's; it decides which lines can still condemn the whole text.
    pub(crate) fn judge<'a>(&self, line: &'a str, words: &[Word]) -> (Fate, Cow<'a, str>) {
        let gone = |fate| (fate, Cow::Borrowed(""));
        if self.max_word_length > 0 && words.iter().any(|word| word.chars as usize > self.max_word_length) {
            return gone(Fate::LongWord);
        }
        let line = line.trim_matches(is_space);
        let line = if self.remove_citations { without_citations(line) } else { line.into() };
        if self.terminal_punctuation && (!line.ends_with(['.', '?', '!', '"', '\'']) || line.ends_with("...")) {
            return gone(Fate::NoTerminal);
        }
        if words.len() < self.min_words {
            return gone(Fate::FewWords);
        }
        let [lorem_ipsum, javascript, policy] = phrases(&line);
        if self.lorem_ipsum && lorem_ipsum {
            return gone(Fate::LoremIpsum);
        }
        if self.javascript && javascript {
            return gone(Fate::JavaScript);
        }
        if self.curly_bracket && line.contains('{') {
            return gone(Fate::CurlyBracket);
        }
        if self.policy && policy {
            return gone(Fate::Policy);
        }
        (Fate::Kept, line)
    }
}

/// Whether the line has a placeholder, JavaScript, a phrase of policies, in any case.
fn phrases(line: &str) -> [bool; 3] {
    // The Kelvin sign is the one character outside ASCII whose lower case stands in a phrase.
    let line = if line.contains('\u{212a}') { Cow::Owned(line.replace('\u{212a}', "k")) } else { Cow::Borrowed(line) };
    let mut found = [false; 3];
    if let Some(search) = SEARCH.as_ref() {
        for hit in search.find_iter(line.as_ref()) {
            found[hit.pattern().as_usize().min(2)] = true;
        }
    }
    found
}

/// The line without `[1]`, `[]`, `[edit]` and `[citation needed]`.
fn without_citations(line: &str) -> Cow<'_, str> {
    if !line.contains('[') {
        return line.into();
    }
    let mut left = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(open) = rest.find('[') {
        left.push_str(&rest[..open]);
        let inside = &rest[open + 1..];
        let after_number = inside.trim_start_matches(is_decimal).strip_prefix(']');
        let after = after_number.or_else(|| inside.strip_prefix("edit]")).or_else(|| inside.strip_prefix("citation needed]"));
        rest = after.unwrap_or_else(|| {
            left.push('[');
            inside
        });
    }
    left.push_str(rest);
    left.into()
}

/// How many sentences a line has: a new one begins after `.`, `!` or `?` and white space.
pub(crate) fn sentences(line: &str) -> usize {
    let mut count = usize::from(!line.is_empty());
    let mut ended = false;
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        if ended && is_space(c) {
            while chars.next_if(|&next| is_space(next)).is_some() {}
            count += usize::from(chars.peek().is_some());
        }
        ended = matches!(c, '.' | '!' | '?');
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn citations_of_the_reference() {
        for (line, left) in [
            ("a[1] b[edit] c[citation needed] d[] e[٣].", "a b c d e."),
            ("[[2]] [1a] [ 1] [Edit] [12", "[] [1a] [ 1] [Edit] [12"),
            ("x[²]", "x[²]"),
        ] {
            assert_eq!(without_citations(line), left);
        }
    }

    #[test]
    fn sentences_of_the_golden_set() {
        for (line, count) in [
            ("", 0),
            (" ", 1),
            ("One. Two!  Three?", 3),
            ("One. ", 1),
            ("3.5 is one", 1),
            ("\"Ends.\" And goes on", 1),
            ("다. 까?", 2),
            ("A . B", 2),
        ] {
            assert_eq!(sentences(line), count, "{line:?}");
        }
    }

    #[test]
    fn phrases_in_any_case() {
        assert_eq!(phrases("LOREM Ipsum and JavaScripts"), [true, true, false]);
        assert_eq!(phrases("We Use Coo\u{212a}ies; javascr\u{130}pt"), [false, false, true]);
    }
}
