//! An instruction with its options: what is to be checked.

use serde_json::{Map, Value};

use super::korean::{Numerals, Speech};
use super::language::Language;
use super::sentences::sentences;
use super::{korean, rules, text};

/// How a count is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Relation {
    LessThan,
    AtLeast,
}

/// A count and how it is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bound {
    relation: Relation,
    count: u64,
}

/// Every kind of instruction that can be checked.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Check {
    Keywords(Vec<String>),
    KeywordCount(String, Bound),
    Forbidden(Vec<String>),
    LetterCount(char, Bound),
    Language(Language),
    Sentences(Bound),
    Paragraphs(u64),
    Words(Bound),
    NthParagraph { paragraphs: u64, nth: u64, word: String },
    Placeholders(u64),
    Postscript(String),
    Bullets(u64),
    Constrained,
    Highlights(u64),
    Sections { mark: String, sections: u64 },
    Json,
    Title,
    TwoResponses,
    Repeat(String),
    End(String),
    CapitalWords(Bound),
    EnglishCapitals,
    EnglishLowercase,
    NoComma,
    Quotation,
    Acrostic(String),
    NoPostpositions,
    Speech(Speech),
    Numerals(Numerals),
}

impl Bound {
    pub(super) fn holds(self, count: usize) -> bool {
        match self.relation {
            Relation::LessThan => (count as u64) < self.count,
            Relation::AtLeast => count as u64 >= self.count,
        }
    }
}

impl Check {
    /// The check that `id` with the options `kwargs` asks for; else why there is none.
    pub(super) fn new(id: &str, kwargs: &Map<String, Value>, prompt: &str) -> Result<Self, String> {
        let options = Options(kwargs);
        Ok(match id {
            "keywords:existence" => Self::Keywords(options.texts("keywords")?),
            "keywords:frequency" => Self::KeywordCount(options.text("keyword")?, options.bound("relation", "frequency")?),
            "keywords:forbidden_words" => Self::Forbidden(options.texts("forbidden_words")?),
            "keywords:letter_frequency" => Self::LetterCount(options.letter("letter")?, options.bound("let_relation", "let_frequency")?),
            "language:response_language" => Self::Language(Language::new(&options.text("language")?)?),
            "length_constraints:number_sentences" => Self::Sentences(options.bound("relation", "num_sentences")?),
            "length_constraints:number_paragraphs" => Self::Paragraphs(options.count("num_paragraphs")?),
            "length_constraints:number_words" => Self::Words(options.bound("relation", "num_words")?),
            "length_constraints:nth_paragraph_first_word" => Self::NthParagraph {
                paragraphs: options.count("num_paragraphs")?,
                nth: options.count("nth_paragraph")?,
                word: options.text("first_word")?.to_lowercase(),
            },
            "detectable_content:number_placeholders" => Self::Placeholders(options.count("num_placeholders")?),
            "detectable_content:postscript" => Self::Postscript(options.text("postscript_marker")?),
            "detectable_format:number_bullet_lists" => Self::Bullets(options.count("num_bullets")?),
            "detectable_format:constrained_response" => Self::Constrained,
            "detectable_format:number_highlighted_sections" => Self::Highlights(options.count("num_highlights")?),
            "detectable_format:multiple_sections" => {
                Self::Sections { mark: options.text("section_spliter")?, sections: options.count("num_sections")? }
            }
            "detectable_format:json_format" => Self::Json,
            "detectable_format:title" => Self::Title,
            "combination:two_responses" => Self::TwoResponses,
            "combination:repeat_prompt" => Self::Repeat(match options.text("prompt_to_repeat") {
                Ok(request) => request,
                Err(missing) => rules::request_of(prompt).ok_or(missing)?,
            }),
            "startend:end_checker" => Self::End(options.text("end_phrase")?),
            "startend:quotation" => Self::Quotation,
            "change_case:capital_word_frequency" => Self::CapitalWords(options.bound("capital_relation", "capital_frequency")?),
            "change_case:english_capital" => Self::EnglishCapitals,
            "change_case:english_lowercase" => Self::EnglishLowercase,
            "punctuation:no_comma" => Self::NoComma,
            "Korean:acrostic_poem" => Self::Acrostic(options.text("target_word")?),
            "Korean:postposition_drop" => Self::NoPostpositions,
            "Korean:honorifics" => Self::Speech(match options.text("direction_to")?.as_str() {
                "honorific" => Speech::Honorific,
                "non-honorific" => Speech::Plain,
                other => return Err(format!("`direction_to` is `{other}`")),
            }),
            "Korean:numbers" => Self::Numerals(match options.text("direction_to")?.as_str() {
                "korean" => Numerals::Native,
                "chinese" => Numerals::Sino,
                other => return Err(format!("`direction_to` is `{other}`")),
            }),
            _ => return Err("an instruction that is not known".to_owned()),
        })
    }

    /// Whether it is about the answer alone, not about what other instructions put around it.
    pub(super) fn is_korean(&self) -> bool {
        matches!(self, Self::Acrostic(_) | Self::NoPostpositions | Self::Speech(_) | Self::Numerals(_))
    }

    /// Whether a response, which is not empty, follows the instruction.
    pub(super) fn follows(&self, response: &str) -> bool {
        match self {
            Self::Keywords(words) => words.iter().all(|word| rules::occurrences(response, word) > 0),
            Self::KeywordCount(word, bound) => bound.holds(rules::occurrences(response, word)),
            Self::Forbidden(words) => !words.iter().any(|word| rules::has_word(response, word)),
            Self::LetterCount(letter, bound) => bound.holds(response.to_lowercase().chars().filter(|c| c == letter).count()),
            Self::Language(language) => language.is_of(response),
            Self::Sentences(bound) => bound.holds(sentences(response).len()),
            Self::Paragraphs(count) => rules::paragraphs(response) == Some(*count as usize),
            Self::Words(bound) => bound.holds(text::words(response)),
            Self::NthParagraph { paragraphs, nth, word } => rules::nth_paragraph(response, *paragraphs as usize, *nth as usize, word),
            Self::Placeholders(count) => rules::placeholders(response) as u64 >= *count,
            Self::Postscript(marker) => rules::has_postscript(response, marker),
            Self::Bullets(count) => rules::bullets(response) as u64 == *count,
            Self::Constrained => rules::is_constrained(response),
            Self::Highlights(count) => rules::highlights(response) as u64 >= *count,
            Self::Sections { mark, sections } => rules::sections(response, mark) as u64 >= *sections,
            Self::Json => rules::is_json(response),
            Self::Title => rules::has_title(response),
            Self::TwoResponses => rules::are_two(response),
            Self::Repeat(request) => response.trim().to_lowercase().starts_with(&request.trim().to_lowercase()),
            Self::End(phrase) => response.trim().trim_matches('"').to_lowercase().ends_with(&phrase.trim().to_lowercase()),
            Self::CapitalWords(bound) => bound.holds(text::capital_words(response)),
            Self::EnglishCapitals => text::is_upper(response) && Language::English.is_of(response),
            Self::EnglishLowercase => text::is_lower(response) && Language::English.is_of(response),
            Self::NoComma => !response.contains(','),
            Self::Quotation => {
                let response = response.trim();
                response.len() > 1 && response.starts_with('"') && response.ends_with('"')
            }
            Self::Acrostic(word) => korean::is_acrostic(response, word),
            Self::NoPostpositions => !korean::has_postposition(response),
            Self::Speech(speech) => korean::speaks(response, *speech),
            Self::Numerals(numerals) => korean::counts_in(response, *numerals),
        }
    }
}

/// The options of an instruction. One that is not there, or null, is an error: what it would be is not known.
struct Options<'a>(&'a Map<String, Value>);

impl Options<'_> {
    fn get(&self, name: &str) -> Result<&Value, String> {
        self.0.get(name).filter(|value| !value.is_null()).ok_or_else(|| format!("no `{name}`"))
    }

    fn text(&self, name: &str) -> Result<String, String> {
        let text = self.get(name)?.as_str().map(|text| text.trim().to_owned());
        text.filter(|text| !text.is_empty()).ok_or_else(|| format!("`{name}` is no text"))
    }

    fn texts(&self, name: &str) -> Result<Vec<String>, String> {
        let texts = self.get(name)?.as_array().map(|texts| texts.iter().filter_map(|text| text.as_str().map(str::to_owned)).collect());
        texts.filter(|texts: &Vec<String>| !texts.is_empty()).ok_or_else(|| format!("`{name}` is no list of texts"))
    }

    fn letter(&self, name: &str) -> Result<char, String> {
        let text = self.text(name)?.to_lowercase();
        let mut letters = text.chars();
        letters.next().filter(|_| letters.next().is_none()).ok_or_else(|| format!("`{name}` is no single letter"))
    }

    /// A number of 0 or more; some files write it as a fraction, 3.0.
    fn count(&self, name: &str) -> Result<u64, String> {
        let value = self.get(name)?;
        let whole = || value.as_f64().filter(|number| number.fract() == 0.0 && (0.0..=1e9).contains(number)).map(|number| number as u64);
        value.as_u64().or_else(whole).ok_or_else(|| format!("`{name}` is no count"))
    }

    fn bound(&self, relation: &str, count: &str) -> Result<Bound, String> {
        let count = self.count(count)?;
        let relation = match self.text(relation)?.as_str() {
            "less than" | "미만" => Relation::LessThan,
            "at least" | "최소" | "최소한" | "적어도" | "이상" => Relation::AtLeast,
            other => return Err(format!("`{relation}` is `{other}`")),
        };
        Ok(Bound { relation, count })
    }
}
