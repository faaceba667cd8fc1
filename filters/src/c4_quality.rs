//! `c4-quality`: keeps the lines that are sentences, and texts that have enough of them.

use corpora::Document;
use serde::{Deserialize, Serialize};

use crate::c4_lines::{Fate, LineRules, sentences};
use crate::judge::Judge;
use crate::metrics::ratio;
use crate::rules::{Effect, Rule};
use crate::spec::{Options, SpecError};
use crate::word_list::WordList;
use crate::{Filter, Metrics, Reason, Sign, Verdict};

/// A set of rules.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum C4Preset {
    /// The rules of C4, as datatrove's `C4QualityFilter`.
    #[default]
    #[serde(rename = "c4@datatrove", alias = "c4")]
    C4,
    /// The same as FineWeb uses them: a line needs no terminal punctuation.
    #[serde(rename = "fineweb@datatrove", alias = "fineweb")]
    Fineweb,
    /// The rule of multilingual C4 alone, as datatrove's `C4ParagraphFilter`: three long lines.
    #[serde(rename = "c4-paragraphs@datatrove", alias = "c4-paragraphs")]
    Paragraphs,
}

/// Options of `c4-quality`. Every rule takes its default from the preset; a count of 0 switches its
/// rule off.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct C4QualityConfig {
    /// Where the rules come from. Default: `c4@datatrove`.
    pub preset: C4Preset,
    /// Remove lines that do not end with `.`, `?`, `!`, `"` or `'`, or end with `...`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub terminal_punctuation: Option<bool>,
    /// Remove `[1]`, `[edit]` and `[citation needed]`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remove_citations: Option<bool>,
    /// Remove lines that mention JavaScript.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub javascript: Option<bool>,
    /// Remove lines about cookies, privacy policies and terms of use.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<bool>,
    /// Remove lines of fewer words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_words_per_line: Option<u64>,
    /// Remove lines with a word of more characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_word_length: Option<u64>,
    /// Drop texts with `lorem ipsum`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lorem_ipsum: Option<bool>,
    /// Drop texts with `{`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub curly_bracket: Option<bool>,
    /// Fewest sentences in the lines that stay.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_sentences: Option<u64>,
    /// Fewest long lines of the text as it comes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_paragraphs: Option<u64>,
    /// Fewest characters of a long line. Default: 200.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_paragraph_chars: Option<u64>,
    /// A file with one word or phrase a line; a text with one of them is dropped. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bad_words: Option<String>,
    /// Whether a bad word must stand between characters that are no letters. Default: true.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bad_word_boundaries: Option<bool>,
    /// Apply to these buckets alone. Default: all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub only_buckets: Vec<String>,
    /// Do not apply to these buckets. Default: none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub except_buckets: Vec<String>,
}

impl C4QualityConfig {
    fn filter(&self, bad_words: Option<WordList>) -> C4Quality {
        let on = self.preset != C4Preset::Paragraphs;
        let count = |count: u64| if on { count } else { 0 };
        C4Quality {
            lines: LineRules {
                terminal_punctuation: self.terminal_punctuation.unwrap_or(self.preset == C4Preset::C4),
                remove_citations: self.remove_citations.unwrap_or(on),
                javascript: self.javascript.unwrap_or(on),
                policy: self.policy.unwrap_or(on),
                lorem_ipsum: self.lorem_ipsum.unwrap_or(on),
                curly_bracket: self.curly_bracket.unwrap_or(on),
                min_words: self.min_words_per_line.unwrap_or(count(3)) as usize,
                max_word_length: self.max_word_length.unwrap_or(count(1000)) as usize,
            },
            min_sentences: self.min_sentences.unwrap_or(count(5)),
            min_paragraphs: self.min_paragraphs.unwrap_or(if on { 0 } else { 3 }),
            min_paragraph_chars: self.min_paragraph_chars.unwrap_or(200) as usize,
            bad_words,
        }
    }
}

impl Options for C4QualityConfig {
    const NAME: &'static str = "c4-quality";

    fn only_buckets(&self) -> &[String] {
        &self.only_buckets
    }

    fn except_buckets(&self) -> &[String] {
        &self.except_buckets
    }

    fn files_mut(&mut self) -> Vec<&mut String> {
        self.bad_words.iter_mut().collect()
    }

    fn check(&self) -> Result<(), SpecError> {
        if self.bad_words.is_none() && self.bad_word_boundaries.is_some() {
            return Err(SpecError::NothingToDo { filter: Self::NAME, key: "bad-word-boundaries", keys: "`bad-words`" });
        }
        Ok(())
    }

    fn rules(&self) -> Vec<Rule> {
        let C4Quality { lines, min_sentences, min_paragraphs, .. } = self.filter(None);
        // Bad words are looked for after the sentences are counted, and placeholders after the paragraphs.
        if self.bad_words.is_some() || min_paragraphs > 0 && lines.drop() {
            return Vec::new();
        }
        let count = |option, metric, rule, limit: u64| Rule::exact(option, metric, rule, Sign::Below, (limit > 0).then_some(limit as f64));
        vec![
            count("min-paragraphs", "long-paragraphs", "c4/long-paragraphs", min_paragraphs),
            count("min-sentences", "sentences", "c4/sentences", min_sentences),
        ]
    }

    fn effect(&self) -> Effect {
        let lines = self.filter(None).lines;
        Effect { drops: self.bad_words.is_some() || lines.drop(), rewrites: !lines.do_nothing() }
    }

    fn build(&self) -> Box<dyn Filter> {
        Box::new(self.filter(None))
    }

    fn load(&self) -> Result<Box<dyn Filter>, SpecError> {
        let read = |path: &String| WordList::read(path, self.bad_word_boundaries.unwrap_or(true));
        let bad_words = self.bad_words.as_ref().map(read).transpose();
        let bad_words = bad_words.map_err(|cause| SpecError::List { filter: Self::NAME, key: "bad-words", cause })?;
        Ok(Box::new(self.filter(bad_words)))
    }
}

struct C4Quality {
    lines: LineRules,
    min_sentences: u64,
    min_paragraphs: u64,
    min_paragraph_chars: usize,
    bad_words: Option<WordList>,
}

impl C4Quality {
    /// Lines between line feeds that have enough characters; bytes settle most of them.
    fn paragraphs(&self, text: &str) -> u64 {
        let least = self.min_paragraph_chars;
        let long = |line: &&str| line.len() >= least && (line.len() / 4 >= least || line.chars().count() >= least);
        text.split('\n').filter(long).count() as u64
    }
}

impl Filter for C4Quality {
    fn name(&self) -> &'static str {
        C4QualityConfig::NAME
    }

    fn metric_names(&self) -> Vec<&'static str> {
        let mut names = vec!["kept-lines", "sentences"];
        names.extend(Fate::REMOVED.map(Fate::metric));
        if self.min_paragraphs > 0 {
            names.push("long-paragraphs");
        }
        if self.bad_words.is_some() {
            names.push("bad-words");
        }
        names
    }

    fn apply(&self, document: &mut Document, metrics: &mut Metrics) -> Verdict {
        let text = document.text.as_str();
        let (words, lines) = (metrics.words(text), metrics.lines(text));
        let mut judge = Judge::new(metrics);
        if self.min_paragraphs > 0 {
            let count = judge.measure("long-paragraphs", self.paragraphs(text) as f64);
            judge.at_least("c4/long-paragraphs", count, self.min_paragraphs as f64);
        }

        let mut counts = [0_usize; Fate::COUNT];
        let mut kept = String::with_capacity(text.len());
        let (mut count, mut at) = (0, 0);
        for (start, end) in lines.ranges() {
            let first = at;
            at += words[at..].iter().take_while(|word| word.start < end).count();
            let (fate, line) = self.lines.judge(&text[start as usize..end as usize], &words[first..at]);
            counts[fate as usize] += 1;
            match fate {
                Fate::Kept => {
                    count += sentences(&line);
                    if counts[Fate::Kept as usize] > 1 {
                        kept.push('\n');
                    }
                    kept.push_str(&line);
                }
                Fate::LoremIpsum => judge.fail(|| Reason::above("c4/lorem-ipsum", 1.0, 0.0)),
                Fate::CurlyBracket => judge.fail(|| Reason::above("c4/curly-bracket", 1.0, 0.0)),
                _ => {}
            }
        }
        judge.measure("kept-lines", ratio(counts[Fate::Kept as usize], lines.len()));
        for fate in Fate::REMOVED {
            judge.measure(fate.metric(), counts[fate as usize] as f64);
        }
        let count = judge.measure("sentences", count as f64);
        judge.at_least("c4/sentences", count, self.min_sentences as f64);
        let kept = kept.trim_matches(crate::chars::is_space);
        if let Some(bad_words) = &self.bad_words {
            let found = bad_words.find(kept);
            judge.measure("bad-words", f64::from(u8::from(found.is_some())));
            if let Some(word) = found {
                judge.fail(|| Reason::above("c4/bad-words", 1.0, 0.0).with_detail(word));
            }
        }
        let verdict = judge.verdict;
        if verdict.is_keep() && kept != text && !self.lines.do_nothing() {
            document.text = kept.to_owned();
            metrics.text_changed();
        }
        verdict
    }
}
