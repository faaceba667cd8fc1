//! The rules of instructions whose definition is about characters, not about a language.

use filters::{Part, split_eojeol};

use super::text::{folded_find, is_hangul, is_word};

/// How often a keyword occurs, whatever its case; within other words too.
pub(super) fn occurrences(response: &str, word: &str) -> usize {
    let word = word.to_lowercase();
    if word.is_empty() { 0 } else { response.to_lowercase().matches(&word).count() }
}

/// Whether a word occurs as a whole, whatever its case. One that ends in Hangul may have particles or a copula after it.
pub(super) fn has_word(response: &str, word: &str) -> bool {
    let (response, word) = (response.to_lowercase(), word.trim().to_lowercase());
    let (Some(first), Some(last)) = (word.chars().next(), word.chars().next_back()) else { return false };
    // A boundary lies between a character of a word and one that is none.
    let boundary = |a: char, b: Option<char>| is_word(a) != b.is_some_and(is_word);
    folded_find(&response, &word).any(|at| {
        let before = response[..at].chars().next_back();
        let after = response[at + word.len()..].chars().next();
        boundary(first, before) && (boundary(last, after) || is_stem(&response[at..], word.len()))
    })
}

/// Whether the first bytes of a text, which end in Hangul, are a noun, and what follows them are its particles or a copula.
fn is_stem(text: &str, bytes: usize) -> bool {
    const COPULA: [&str; 10] = ["이다", "입니다", "이에요", "예요", "이야", "이고", "이며", "이라", "이었", "였"];
    let end = text[bytes..].find(|c: char| !is_hangul(c)).map_or(text.len(), |at| bytes + at);
    let eojeol = text[..end].rsplit_once(char::is_whitespace).map_or(&text[..end], |(_, last)| last);
    let tail = &text[bytes..end];
    let boundary = eojeol.len().saturating_sub(tail.len());
    let particles = || split_eojeol(eojeol).iter().any(|piece| piece.part == Part::Particle && piece.start == boundary);
    !tail.is_empty() && text[..bytes].ends_with(is_hangul) && (COPULA.iter().any(|copula| tail.starts_with(copula)) || particles())
}

/// The request that is to be repeated, where the file does not say it: the prompt up to the line that asks
/// for the repetition.
pub(super) fn request_of(prompt: &str) -> Option<String> {
    let lines: Vec<&str> = prompt.trim_end().lines().collect();
    let asks = |line: &&str| (line.contains("반복") || line.to_lowercase().contains("repeat")) && line.contains("1.");
    let at = lines.iter().rposition(asks)?;
    let request = lines[..at].join("\n").trim().to_owned();
    (!request.is_empty()).then_some(request)
}

/// Paragraphs between `***`; none where one in the middle is empty.
pub(super) fn paragraphs(response: &str) -> Option<usize> {
    count_between(response, "***").map(|paragraphs| paragraphs.len())
}

/// Whether the response is two different answers with `******` between them.
pub(super) fn are_two(response: &str) -> bool {
    let answers = count_between(response, "******");
    answers.is_some_and(|answers| matches!(answers[..], [first, second] if first.trim() != second.trim()))
}

/// What lies between the marks; the first and the last may be empty, which do not count then.
fn count_between<'a>(response: &'a str, mark: &str) -> Option<Vec<&'a str>> {
    let pieces: Vec<&str> = response.split(mark).collect();
    let last = pieces.len() - 1;
    let holes = pieces.iter().enumerate().any(|(at, piece)| piece.trim().is_empty() && at != 0 && at != last);
    (!holes).then(|| pieces.into_iter().filter(|piece| !piece.trim().is_empty()).collect())
}

/// Whether there are so many paragraphs between blank lines, of which the `nth`, from 1, begins with `word`.
pub(super) fn nth_paragraph(response: &str, count: usize, nth: usize, word: &str) -> bool {
    const PUNCTUATION: [char; 6] = ['.', ',', '?', '!', '\'', '"'];
    let pieces: Vec<&str> = response.split("\n\n").collect();
    let paragraphs = pieces.iter().filter(|piece| !piece.trim().is_empty()).count();
    if paragraphs != count || nth == 0 || nth > paragraphs {
        return false;
    }
    let paragraph = pieces[nth - 1].trim_start();
    // Files have several words too, which no first word is.
    if word.contains(char::is_whitespace) {
        return paragraph.to_lowercase().starts_with(word);
    }
    let Some(first) = paragraph.split_whitespace().next() else { return false };
    let first = first.trim_start_matches('\'').trim_start_matches('"').to_lowercase();
    let first = first.split(PUNCTUATION).next().unwrap_or_default();
    first == word || (first.starts_with(word) && is_stem(first, word.len()))
}

/// How many `[...]` there are.
pub(super) fn placeholders(response: &str) -> usize {
    let mut count = 0;
    let mut rest = response;
    while let Some(open) = rest.find('[') {
        rest = &rest[open + 1..];
        if let Some(close) = rest.find([']', '\n']).filter(|&at| rest[at..].starts_with(']')) {
            count += 1;
            rest = &rest[close + 1..];
        }
    }
    count
}

/// Whether there is a postscript with this marker. `P.S.` and `P.P.S` may have spaces between their letters.
pub(super) fn has_postscript(response: &str, marker: &str) -> bool {
    let response = response.to_lowercase();
    let spaced = |parts: &[&str]| {
        response.match_indices(parts[0]).any(|(at, first)| {
            let mut rest = &response[at + first.len()..];
            parts[1..].iter().all(|part| {
                let next = rest.strip_prefix(char::is_whitespace).unwrap_or(rest).strip_prefix(part);
                next.inspect(|next| rest = next).is_some()
            })
        })
    };
    match marker {
        "P.P.S" => spaced(&["p.", "p.", "s"]),
        "P.S." => spaced(&["p.", "s."]),
        marker => response.contains(&marker.to_lowercase()),
    }
}

/// Lines that begin with one `*`, or with `-`. An asterisk alone has the line after it as its text.
pub(super) fn bullets(response: &str) -> usize {
    let mut lines = response.split('\n').map(str::trim_start).peekable();
    let mut count = 0;
    // The text of an asterisk alone is no asterisk's again, but may be a dash's.
    let mut taken = false;
    while let Some(line) = lines.next() {
        let starred = match line.strip_prefix('*') {
            _ if taken => false,
            Some("") => lines.peek().is_some(),
            Some(rest) => !rest.starts_with('*'),
            None => false,
        };
        taken = starred && line == "*";
        count += usize::from(starred || line.starts_with('-'));
    }
    count
}

/// Whether one of the three answers is in it.
pub(super) fn is_constrained(response: &str) -> bool {
    const KOREAN: [&str; 4] = ["예", "아니오", "아니요", "아마도"];
    let english = ["My answer is yes.", "My answer is no.", "My answer is maybe."].iter().any(|answer| response.contains(answer));
    english
        || KOREAN
            .iter()
            .any(|answer| ["제", "내", "저의", "나의"].iter().any(|my| response.contains(&format!("{my} 대답은 {answer}입니다."))))
}

/// How many pieces stand between asterisks, single or double, and are not empty.
pub(super) fn highlights(response: &str) -> usize {
    between(response, "*") + between(response, "**")
}

/// Pieces without asterisks and line ends between two marks, from left to right, that are not blank.
fn between(response: &str, mark: &str) -> usize {
    let mut count = 0;
    let mut rest = response;
    while let Some(open) = rest.find(mark) {
        let inside = &rest[open + mark.len()..];
        let end = inside.find(['*', '\n']).unwrap_or(inside.len());
        if inside[end..].starts_with(mark) {
            count += usize::from(!inside[..end].trim().is_empty());
            rest = &inside[end + mark.len()..];
        } else {
            rest = &rest[open + 1..];
        }
    }
    count
}

/// How often the mark stands before a number.
pub(super) fn sections(response: &str, mark: &str) -> usize {
    let numbered = |(at, mark): &(usize, &str)| {
        let rest = &response[at + mark.len()..];
        rest.strip_prefix(char::is_whitespace).unwrap_or(rest).starts_with(char::is_numeric)
    };
    response.match_indices(mark).filter(numbered).count()
}

/// Whether it is JSON, in a fence of Markdown or not.
pub(super) fn is_json(response: &str) -> bool {
    let mut inside = response.trim();
    for fence in ["```json", "```Json", "```JSON", "```"] {
        inside = inside.strip_prefix(fence).unwrap_or(inside);
    }
    let inside = inside.strip_suffix("```").unwrap_or(inside).trim();
    serde_json::from_str::<serde::de::IgnoredAny>(inside).is_ok()
}

/// Whether there is a title in `<<` and `>>`.
pub(super) fn has_title(response: &str) -> bool {
    response.lines().any(|line| {
        let (Some(open), Some(close)) = (line.find("<<"), line.rfind(">>")) else { return false };
        open + 2 < close && !line[open..close].trim_start_matches('<').trim_end_matches('>').trim().is_empty()
    })
}
