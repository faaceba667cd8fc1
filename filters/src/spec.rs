//! The recipe's `[[filters]]`: one entry, its checks, and the filter it builds.

use serde::{Deserialize, Serialize};

use crate::rules::{Effect, Rule};
use crate::{
    C4QualityConfig, ClassifierConfig, CodeQualityConfig, DecontaminateConfig, EncodingConfig, Filter, FinewebQualityConfig,
    GopherQualityConfig, GopherRepetitionConfig, HangulRatioConfig, KoreanQualityConfig, LanguageConfig, LengthConfig, MadladConfig,
    NormalizeConfig, PerplexityConfig, PiiConfig, ProfanityConfig, SecretsConfig, SpamConfig, UrlConfig,
};

/// One filter with its options, written `language = { keep = ["ko"] }`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FilterSpec {
    /// Share of characters that betray a wrong decoding.
    Encoding(EncodingConfig),
    /// Unicode form, invisible characters, white space, signs and tags.
    Normalize(NormalizeConfig),
    /// Number of characters and words.
    Length(LengthConfig),
    /// Language by script, then by letter statistics.
    Language(LanguageConfig),
    /// Share of Hangul.
    HangulRatio(HangulRatioConfig),
    /// Spacing of Korean, and how its sentences end.
    KoreanQuality(KoreanQualityConfig),
    /// The Gopher quality rules.
    GopherQuality(GopherQualityConfig),
    /// The Gopher repetition rules.
    GopherRepetition(GopherRepetitionConfig),
    /// Numbers and addresses that lead to a person.
    Pii(PiiConfig),
    /// Keys, tokens and passwords in code.
    Secrets(SecretsConfig),
    /// Swearing, insults, sexual words and slurs.
    Profanity(ProfanityConfig),
    /// Advertising of gambling, prostitution and the like.
    Spam(SpamConfig),
    /// The C4 rules: keeps lines that are sentences.
    C4Quality(C4QualityConfig),
    /// The FineWeb rules about lines.
    FinewebQuality(FinewebQualityConfig),
    /// The MADLAD-400 rules about sentences.
    Madlad(MadladConfig),
    /// Rules for source code.
    CodeQuality(CodeQualityConfig),
    /// Lists of domains and addresses.
    Url(UrlConfig),
    /// Items of evaluation sets.
    Decontaminate(DecontaminateConfig),
    /// Score of a trained classifier.
    Classifier(ClassifierConfig),
    /// How surprising a text is to a language model.
    Perplexity(PerplexityConfig),
}

/// What each options struct offers to the spec.
pub(crate) trait Options {
    /// Name of the filter in the recipe.
    const NAME: &'static str;
    fn only_buckets(&self) -> &[String];
    fn except_buckets(&self) -> &[String];
    /// Checks the options alone.
    fn check(&self) -> Result<(), SpecError>;
    /// Builds the filter from checked options, without the files that options name.
    fn build(&self) -> Box<dyn Filter>;
    /// Builds the filter with the files that options name; most filters have none.
    fn load(&self) -> Result<Box<dyn Filter>, SpecError> {
        Ok(self.build())
    }
    /// Paths of the files that options name, which can be patterns.
    fn files_mut(&mut self) -> Vec<&mut String> {
        Vec::new()
    }
    /// The files that are read. Default: those that options name.
    fn files(&self) -> Result<Vec<String>, SpecError>
    where
        Self: Clone,
    {
        Ok(self.clone().files_mut().into_iter().map(|path| path.clone()).collect())
    }
    /// The limits, in the order in which the filter looks at them. Default: it has none.
    fn rules(&self) -> Vec<Rule> {
        Vec::new()
    }
    /// What it does besides. Default: everything it could.
    fn effect(&self) -> Effect {
        Effect { drops: true, rewrites: true }
    }
    /// Whether it looks at its limits before it drops for reasons that are no limit. Default: after.
    fn limits_first(&self) -> bool {
        false
    }
    /// Reasons that it has before all limits even so. Default: none.
    fn reasons_first(&self) -> &'static [&'static str] {
        &[]
    }
}

/// Options that parse but make no sense.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SpecError {
    /// A number outside its range.
    #[error("filter `{filter}`: `{key}` is {value}, allowed is {low} to {high}")]
    OutOfRange {
        /// Name of the filter.
        filter: &'static str,
        /// Option.
        key: &'static str,
        /// Its value.
        value: f64,
        /// Smallest allowed value.
        low: f64,
        /// Largest allowed value.
        high: f64,
    },
    /// A minimum above its maximum: nothing could pass.
    #[error("filter `{filter}`: `{key}` is {value}, above `{maximum_key}`, which is {maximum}")]
    Crossed {
        /// Name of the filter.
        filter: &'static str,
        /// The minimum's option.
        key: &'static str,
        /// The minimum.
        value: f64,
        /// The maximum's option.
        maximum_key: &'static str,
        /// The maximum.
        maximum: f64,
    },
    /// None of the options that would make the filter do something is set.
    #[error("filter `{filter}` does nothing: set at least one of {keys}")]
    NothingToDo {
        /// Name of the filter.
        filter: &'static str,
        /// First of the options to set.
        key: &'static str,
        /// All of them, for the message.
        keys: &'static str,
    },
    /// A word that is none of the allowed ones.
    #[error("filter `{filter}`: `{key}` has `{value}`, expected one of {known}")]
    Unknown {
        /// Name of the filter.
        filter: &'static str,
        /// Option.
        key: &'static str,
        /// The unknown word.
        value: String,
        /// The allowed words, for the message.
        known: String,
    },
    /// A file of the options that cannot be used.
    #[error("filter `{filter}`: `{key}`: {cause}")]
    List {
        /// Name of the filter.
        filter: &'static str,
        /// Option.
        key: &'static str,
        /// What is wrong, with the path.
        cause: String,
    },
    /// A bucket that is both included and excluded.
    #[error("filter `{filter}`: bucket `{bucket}` is in `only-buckets` and in `except-buckets`")]
    BucketTwice {
        /// Name of the filter.
        filter: &'static str,
        /// The bucket.
        bucket: String,
    },
}

impl SpecError {
    /// Name of the filter the error is about.
    #[must_use]
    pub fn filter(&self) -> &'static str {
        match self {
            Self::OutOfRange { filter, .. }
            | Self::Crossed { filter, .. }
            | Self::NothingToDo { filter, .. }
            | Self::Unknown { filter, .. }
            | Self::List { filter, .. }
            | Self::BucketTwice { filter, .. } => filter,
        }
    }

    /// The option the error is about.
    #[must_use]
    pub fn key(&self) -> &'static str {
        match self {
            Self::OutOfRange { key, .. }
            | Self::Crossed { key, .. }
            | Self::NothingToDo { key, .. }
            | Self::Unknown { key, .. }
            | Self::List { key, .. } => key,
            Self::BucketTwice { .. } => "except-buckets",
        }
    }
}

/// Whether a filter limited to `only` buckets (none: all) but `except` concerns this one.
pub(crate) fn concerns(only: &[String], except: &[String], bucket: &str) -> bool {
    let named = |buckets: &[String]| buckets.iter().any(|name| name == bucket);
    (only.is_empty() || named(only)) && !named(except)
}

/// Calls the same expression on whichever options the spec holds.
macro_rules! each {
    ($spec:expr, $options:ident => $body:expr) => {
        match $spec {
            FilterSpec::Encoding($options) => $body,
            FilterSpec::Normalize($options) => $body,
            FilterSpec::Length($options) => $body,
            FilterSpec::Language($options) => $body,
            FilterSpec::HangulRatio($options) => $body,
            FilterSpec::KoreanQuality($options) => $body,
            FilterSpec::GopherQuality($options) => $body,
            FilterSpec::GopherRepetition($options) => $body,
            FilterSpec::Pii($options) => $body,
            FilterSpec::Secrets($options) => $body,
            FilterSpec::Profanity($options) => $body,
            FilterSpec::Spam($options) => $body,
            FilterSpec::C4Quality($options) => $body,
            FilterSpec::FinewebQuality($options) => $body,
            FilterSpec::Madlad($options) => $body,
            FilterSpec::CodeQuality($options) => $body,
            FilterSpec::Url($options) => $body,
            FilterSpec::Decontaminate($options) => $body,
            FilterSpec::Classifier($options) => $body,
            FilterSpec::Perplexity($options) => $body,
        }
    };
}

impl FilterSpec {
    /// Name of the filter as the recipe writes it.
    #[must_use]
    pub fn name(&self) -> &'static str {
        fn name<O: Options>(_: &O) -> &'static str {
            O::NAME
        }
        each!(self, options => name(options))
    }

    /// `only-buckets` and `except-buckets`; empty lists limit nothing.
    #[must_use]
    pub fn buckets(&self) -> (&[String], &[String]) {
        each!(self, options => (options.only_buckets(), options.except_buckets()))
    }

    /// Whether documents of this bucket pass the filter.
    #[must_use]
    pub fn concerns(&self, bucket: &str) -> bool {
        let (only, except) = self.buckets();
        concerns(only, except, bucket)
    }

    /// Whether it takes lines out of texts by what the whole text looks like. The messages of a
    /// conversation cannot be judged so.
    #[must_use]
    pub fn removes_lines(&self) -> bool {
        matches!(self, Self::C4Quality(_) | Self::Language(_)) && self.effect().rewrites
    }

    /// Checks the options, and the bucket names against those of the recipe's sources.
    ///
    /// # Errors
    /// [`SpecError`] for the first thing that is wrong.
    pub fn validate(&self, buckets: &[&str]) -> Result<(), SpecError> {
        let (only, except) = self.buckets();
        for (key, names) in [("only-buckets", only), ("except-buckets", except)] {
            if let Some(unknown) = names.iter().find(|name| !buckets.contains(&name.as_str())) {
                return Err(SpecError::Unknown { filter: self.name(), key, value: unknown.clone(), known: listed(buckets) });
            }
        }
        self.check()
    }

    /// The limits that the options set, in the order in which the filter looks at them.
    #[must_use]
    pub fn rules(&self) -> Vec<Rule> {
        each!(self, options => options.rules())
    }

    /// What the filter does besides its limits.
    #[must_use]
    pub fn effect(&self) -> Effect {
        each!(self, options => options.effect())
    }

    /// Whether the filter looks at its limits before it drops for reasons that are no limit.
    #[must_use]
    pub fn limits_first(&self) -> bool {
        each!(self, options => options.limits_first())
    }

    /// Reasons that are no limit and for which it drops before all limits, where it looks at its limits first.
    #[must_use]
    pub fn reasons_first(&self) -> &'static [&'static str] {
        each!(self, options => options.reasons_first())
    }

    fn check(&self) -> Result<(), SpecError> {
        let (only, except) = self.buckets();
        if let Some(twice) = only.iter().find(|name| except.contains(name)) {
            return Err(SpecError::BucketTwice { filter: self.name(), bucket: twice.clone() });
        }
        each!(self, options => options.check())
    }

    /// The filter itself.
    pub(crate) fn build(&self) -> Result<Box<dyn Filter>, SpecError> {
        self.check()?;
        each!(self, options => options.load())
    }

    /// Every metric name that the filter can emit.
    ///
    /// # Errors
    /// [`SpecError`] for options that make no sense. No file is read.
    pub fn metric_names(&self) -> Result<Vec<&'static str>, SpecError> {
        self.check()?;
        Ok(each!(self, options => options.build().metric_names()))
    }

    /// The files that the filter reads: part of what a result depends on.
    ///
    /// # Errors
    /// [`SpecError`] when a pattern finds none.
    pub fn files(&self) -> Result<Vec<String>, SpecError> {
        each!(self, options => options.files())
    }

    /// Paths of the files that options name, such as block lists: to be made absolute before the
    /// filter is built.
    pub fn files_mut(&mut self) -> Vec<&mut String> {
        each!(self, options => options.files_mut())
    }
}

/// `` `a`, `b` `` for messages.
pub(crate) fn listed(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// Refuses numbers that are not finite or outside `low..=high`.
pub(crate) fn in_range<O: Options>(key: &'static str, value: Option<f64>, low: f64, high: f64) -> Result<(), SpecError> {
    match value {
        Some(value) if !(low..=high).contains(&value) => Err(SpecError::OutOfRange { filter: O::NAME, key, value, low, high }),
        _ => Ok(()),
    }
}

/// Refuses a minimum above its maximum.
pub(crate) fn in_order<O: Options>(minimum: (&'static str, Option<f64>), maximum: (&'static str, Option<f64>)) -> Result<(), SpecError> {
    match (minimum.1, maximum.1) {
        (Some(low), Some(high)) if low > high => {
            Err(SpecError::Crossed { filter: O::NAME, key: minimum.0, value: low, maximum_key: maximum.0, maximum: high })
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(entry: &str) -> SpecError {
        toml::from_str::<FilterSpec>(entry).unwrap().validate(&["web", "code"]).unwrap_err()
    }

    #[test]
    fn options_that_make_no_sense() {
        let cases = [
            ("length = {}", "min-chars"),
            ("length = { min-chars = 5, max-chars = 4 }", "min-chars"),
            ("hangul-ratio = { min = 1.5 }", "min"),
            ("hangul-ratio = { min = nan }", "min"),
            ("hangul-ratio = { min = 0.5, max = 0.2 }", "min"),
            ("language = { keep = ['ko'], min-kept = 0.5 }", "min-kept"),
            ("language = { keep = ['ko'], lines = 'drop', min-kept = 5 }", "min-kept"),
            ("korean-quality = { max-long-eojeol = 20 }", "max-long-eojeol"),
            ("encoding = { max-share = -0.1 }", "max-share"),
            ("language = {}", "keep"),
            ("language = { keep = ['kr'] }", "keep"),
            ("language = { keep = ['ko'], min-confidence = 65 }", "min-confidence"),
            ("gopher-quality = { min-alpha-words = 2 }", "min-alpha-words"),
            ("gopher-quality = { min-words = 200000 }", "min-words"),
            ("gopher-quality = { min-stop-words = 9 }", "min-stop-words"),
            ("gopher-repetition = { top-2-gram = 1.1 }", "top-2-gram"),
            ("length = { max-chars = 5, words = 'korean' }", "words"),
            ("c4-quality = { bad-word-boundaries = true }", "bad-word-boundaries"),
            ("fineweb-quality = { max-short-lines = 30 }", "max-short-lines"),
            ("fineweb-quality = { terminal-characters = '' }", "terminal-characters"),
            ("code-quality = { preset = 'starcoder', min-data-chars = 9000 }", "min-data-chars"),
            ("code-quality = { min-alnum-chars = 25 }", "min-alnum-chars"),
            ("madlad = { max-questionable = 20 }", "max-questionable"),
            ("madlad = { min-sentence-chars = 600 }", "min-sentence-chars"),
            ("madlad = { min-sentences = 0, max-questionable = 0 }", "min-sentences"),
            ("url = {}", "domains"),
            ("decontaminate = {}", "files"),
            ("decontaminate = { files = [{ path = 'a.txt', format = 'txt' }] }", "files"),
            ("decontaminate = { files = ['a.csv'], ngram = 0 }", "ngram"),
            ("decontaminate = { files = ['a.csv'], ngram = 5 }", "min-words"),
            ("decontaminate = { files = [{ path = 'a.csv', fields = [] }] }", "files"),
            ("classifier = { min-score = 0.5 }", "model"),
            ("classifier = { model = 'a', min-score = 2 }", "min-score"),
            ("perplexity = { max = 9 }", "model"),
            ("perplexity = { model = 'a', min = 9, max = 8 }", "min"),
            ("normalize = { only-buckets = ['wob'] }", "only-buckets"),
            ("normalize = { only-buckets = ['web'], except-buckets = ['web'] }", "except-buckets"),
        ];
        for (entry, key) in cases {
            let error = error(entry);
            assert_eq!(error.key(), key, "{entry}: {error}");
            assert!(entry.starts_with(error.filter()), "{entry}: {error}");
        }
    }

    #[test]
    fn messages_name_place_and_remedy() {
        assert_eq!(
            error("normalize = { only-buckets = ['wob'] }").to_string(),
            "filter `normalize`: `only-buckets` has `wob`, expected one of `web`, `code`"
        );
        assert_eq!(
            error("gopher-repetition = { top-2-gram = 1.1 }").to_string(),
            "filter `gopher-repetition`: `top-2-gram` is 1.1, allowed is 0 to 1"
        );
    }

    #[test]
    fn unknown_keys_and_presets_are_refused_by_the_parser() {
        for entry in ["language = { keep = ['ko'], min-confidense = 0.5 }", "gopher-repetition = { preset = 'gofer' }", "gopher = {}"] {
            assert!(toml::from_str::<FilterSpec>(entry).is_err(), "{entry}");
        }
    }

    #[test]
    fn specs_survive_toml() {
        for name in crate::NAMES {
            let entry = match *name {
                "length" => "length = { min-chars = 5 }".to_owned(),
                "language" => "language = { keep = ['ko'], except-buckets = ['code'] }".to_owned(),
                "hangul-ratio" => "hangul-ratio = { min = 0.25 }".to_owned(),
                "url" => "url = { require = true }".to_owned(),
                "decontaminate" => "decontaminate = { files = ['a.jsonl', { path = 'b.csv', fields = ['q', 'a'] }] }".to_owned(),
                "classifier" | "perplexity" => format!("{name} = {{ model = 'a.bin' }}"),
                name => format!("{name} = {{}}"),
            };
            let spec: FilterSpec = toml::from_str(&entry).unwrap();
            assert_eq!(spec.name(), *name);
            let written = toml::to_string(&spec).unwrap();
            assert_eq!(toml::from_str::<FilterSpec>(&written).unwrap(), spec, "{written}");
        }
    }
}
