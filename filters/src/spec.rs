//! The recipe's `[[filters]]`: one entry, its checks, and the filter it builds.

mod error;

use serde::{Deserialize, Serialize};

use crate::rules::{Effect, Rule};
use crate::{
    C4QualityConfig, ClassifierConfig, CodeQualityConfig, DecontaminateConfig, EncodingConfig, Filter, FinewebQualityConfig,
    GopherQualityConfig, GopherRepetitionConfig, HangulRatioConfig, KoreanQualityConfig, LanguageConfig, LengthConfig, MadladConfig,
    NormalizeConfig, PerplexityConfig, PiiConfig, ProfanityConfig, SecretsConfig, SpamConfig, UrlConfig,
};

pub use self::error::SpecError;
pub(crate) use self::error::{in_order, in_range, listed};

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
    /// Reasons that are no limit and come before its limits. Default (none): all that it has; otherwise the
    /// others come after.
    fn reasons_first(&self) -> Option<&'static [&'static str]> {
        None
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

    /// The reasons that are no limit and for which the filter drops before it looks at its limits; none if all of
    /// them come before.
    #[must_use]
    pub fn reasons_first(&self) -> Option<&'static [&'static str]> {
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

#[cfg(test)]
mod tests;
