//! The language of each line, for texts in several.
//!
//! A line of Hangul, kana, Chinese characters or another script is settled by its script. Lines in Latin letters are
//! judged as prose: a long one by itself, short ones of a paragraph together. What is no prose (code, addresses, names)
//! or too short is undecided: it counts for no language and is never taken out.

use corpora::Document;

use super::function_words::FunctionWords;
use super::{Language, Scripts, UNDETERMINED, rank, rounded};
use crate::words::Lines;
use crate::{Metrics, Reason, Verdict};

/// Letters from which a line in Latin letters is judged by itself.
const LONG: usize = 60;
/// A line is of a script with this share of its letters.
const SURE: f64 = 0.5;
/// From this share of a second language on a document is mixed.
const MIXED: f64 = 0.1;

/// Languages and the metrics of their shares, then what is of no known language.
const SHARES: [(&str, &str); 9] = [
    ("ko", "language-lines-ko"),
    ("ja", "language-lines-ja"),
    ("zh", "language-lines-zh"),
    ("en", "language-lines-en"),
    ("de", "language-lines-de"),
    ("es", "language-lines-es"),
    ("fr", "language-lines-fr"),
    ("vi", "language-lines-vi"),
    (UNDETERMINED, "language-lines-und"),
];
pub(super) const KEPT: &str = "language-kept";
const IS_MIXED: &str = "language-mixed";
const DROPPED: &str = "language-dropped-lines";
pub(super) const RULE: &str = "language/kept";

/// Every metric of lines.
pub(super) fn metric_names() -> impl Iterator<Item = &'static str> {
    SHARES.iter().map(|(_, metric)| *metric).chain([KEPT, IS_MIXED, DROPPED])
}

/// What is said of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// No letter stands in it.
    Empty,
    /// Nothing can be said.
    Undecided,
    /// It is in this language.
    In(&'static str),
}

/// The lines of a text with their languages and weights, as [`Scripts`] weighs letters.
pub(super) fn judge(text: &str, lines: &Lines, min_confidence: f64) -> Vec<(Line, usize)> {
    let mut judged: Vec<(Line, usize)> = Vec::with_capacity(lines.len());
    // Short lines in Latin letters that wait for more: the first of them, and bytes and letters of all.
    let mut waiting: Option<(usize, u32, usize)> = None;
    let mut end = 0;
    for (number, (start, line_end)) in lines.ranges().enumerate() {
        let line = &text[start as usize..line_end as usize];
        let scripts = Scripts::of(std::iter::once(line));
        let weight = scripts.all();
        let latin = weight > 0 && scripts.rules_latin(line);
        if !latin || scripts.latin >= LONG {
            settle(text, &mut waiting, end, &mut judged, min_confidence);
        }
        let found = if weight == 0 {
            Line::Empty
        } else if latin && scripts.latin >= LONG {
            prose(line, min_confidence)
        } else if latin {
            let (_, _, letters) = waiting.get_or_insert((number, start, 0));
            *letters += scripts.latin;
            Line::Undecided
        } else {
            by_script(line)
        };
        judged.push((found, weight));
        end = line_end;
        if waiting.is_some_and(|(_, _, letters)| letters >= LONG) {
            settle(text, &mut waiting, end, &mut judged, min_confidence);
        }
    }
    settle(text, &mut waiting, end, &mut judged, min_confidence);
    judged
}

/// Judges the lines that wait, up to a place in the text.
fn settle(text: &str, waiting: &mut Option<(usize, u32, usize)>, end: u32, judged: &mut [(Line, usize)], min_confidence: f64) {
    if let Some((first, start, _)) = waiting.take() {
        let found = prose(&text[start as usize..end as usize], min_confidence);
        judged[first..].iter_mut().for_each(|(line, _)| *line = found);
    }
}

impl Scripts {
    /// Whether Latin letters are the most, beside Hangul as far as they are prose.
    fn rules_latin(&self, line: &str) -> bool {
        let beside_hangul = self.hangul * 4 >= self.all();
        let latin = if beside_hangul { FunctionWords::of(std::iter::once(line)).prose_among(self.latin) } else { self.latin };
        latin > self.hangul.max(self.kana + self.han).max(self.other)
    }
}

/// The language of one sentence; none where nothing can be said, as of a short one in Latin letters.
pub(super) fn of_sentence(sentence: &str, min_confidence: f64) -> Option<&'static str> {
    let scripts = Scripts::of(std::iter::once(sentence));
    let found = match scripts.all() {
        0 => Line::Empty,
        _ if !scripts.rules_latin(sentence) => by_script(sentence),
        _ if scripts.latin >= LONG => prose(sentence, min_confidence),
        _ => Line::Undecided,
    };
    if let Line::In(code) = found { Some(code) } else { None }
}

/// The language of a line whose script is not Latin.
fn by_script(line: &str) -> Line {
    match rank(line).first() {
        Some(&(code, share)) if share >= SURE => Line::In(code),
        _ => Line::Undecided,
    }
}

/// The language of one or more lines in Latin letters, if they are prose.
fn prose(text: &str, min_confidence: f64) -> Line {
    let words = FunctionWords::of(std::iter::once(text));
    let (mut letters, mut accents, mut signs) = (0, 0, 0);
    for c in text.chars() {
        match c {
            'a'..='z' | 'A'..='Z' => letters += 1,
            '{' | '}' | '[' | ']' | '(' | ')' | '<' | '>' | '=' | '_' | ';' | '\\' | '|' | '&' | '*' | '+' | '/' | '`' | '#' | '$'
            | '@' => signs += 1,
            c if !c.is_ascii() && c.is_alphabetic() => accents += 1,
            _ => {}
        }
    }
    let found = words.english + words.foreign;
    let functional = found > 0 && found * 8 >= words.all || found > 1 && found * 16 >= words.all;
    if signs * 10 > letters || !functional && accents * 20 < letters + accents {
        return Line::Undecided;
    }
    if words.english >= 2 && words.english * 8 >= words.all && words.foreign * 4 <= words.english && accents == 0 {
        return Line::In("en");
    }
    match rank(text).first() {
        Some(&(code, confidence)) if confidence >= min_confidence => Line::In(code),
        _ => Line::Undecided,
    }
}

impl Language {
    /// Judges a document by its lines; none where nothing can be said of any.
    pub(super) fn apply_to_lines(&self, document: &mut Document, metrics: &mut Metrics, drop: bool) -> Option<Verdict> {
        let lines = metrics.lines(&document.text);
        let judged = judge(&document.text, &lines, self.min_confidence);
        let of = |wanted| -> usize { judged.iter().filter(|(line, _)| *line == Line::In(wanted)).map(|(_, weight)| weight).sum() };
        let mut shares: Vec<(&'static str, usize)> = SHARES.iter().map(|&(code, _)| (code, of(code))).collect();
        let all: usize = shares.iter().map(|(_, weight)| weight).sum();
        let share = |weight: usize| rounded(if all == 0 { 0.0 } else { weight as f64 / all as f64 });
        for (&(_, metric), (_, weight)) in SHARES.iter().zip(&shares) {
            metrics.insert(metric, share(*weight));
        }
        let kept_weight: usize = shares.iter().filter(|(code, _)| self.keeps(code)).map(|(_, weight)| weight).sum();
        let kept = share(kept_weight);
        metrics.insert(KEPT, kept);
        // Stable: of equals the first of the list.
        shares.sort_by_key(|(_, weight)| std::cmp::Reverse(*weight));
        metrics.insert(IS_MIXED, f64::from(u8::from(all > 0 && share(shares[1].1) >= MIXED)));
        metrics.insert(DROPPED, 0.0);
        if all == 0 {
            return None;
        }
        let main = shares.iter().find(|(code, weight)| *weight > 0 && self.keeps(code) && kept >= self.min_kept).unwrap_or(&shares[0]);
        metrics.insert("language-confidence", share(main.1));
        document.lang = Some(main.0.to_owned());
        if kept < self.min_kept || kept == 0.0 {
            let (rule, limit) = if kept > 0.0 { (RULE, self.min_kept) } else { ("language/not-kept", share(main.1)) };
            return Some(Verdict::Drop(Reason::below(rule, kept, limit).with_detail(main.0)));
        }
        if drop {
            let (text, dropped) = self.without_foreign(&document.text, &lines, &judged);
            if dropped > 0 {
                document.text = text;
                metrics.text_changed();
                metrics.insert(DROPPED, dropped as f64);
            }
        }
        Some(Verdict::Keep)
    }

    /// The text without the lines of other languages, and without what has no letters between two of these or after
    /// the last; and how many lines with letters went.
    fn without_foreign(&self, text: &str, lines: &Lines, judged: &[(Line, usize)]) -> (String, usize) {
        let starts: Vec<usize> = lines.ranges().map(|(start, _)| start as usize).chain([text.len()]).collect();
        let mut out = String::with_capacity(text.len());
        let (mut dropped, mut after_dropped, mut after_empty, mut held) = (0, false, true, 0..0);
        for (at, (line, _)) in judged.iter().enumerate() {
            let place = starts[at]..starts[at + 1];
            match line {
                Line::In(code) if !self.keeps(code) => {
                    dropped += 1;
                    (after_dropped, held) = (true, place.end..place.end);
                }
                Line::Empty if after_dropped => held.end = place.end,
                _ => {
                    // An empty line stands there already.
                    let held = std::mem::replace(&mut held, 0..0);
                    out.push_str(if after_empty { "" } else { &text[held] });
                    out.push_str(&text[place]);
                    (after_dropped, after_empty) = (false, *line == Line::Empty);
                }
            }
        }
        (out, dropped)
    }
}

#[cfg(test)]
mod tests;
