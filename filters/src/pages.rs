//! The pages of the filters: documentation, test and `explain` in one file each.

/// Names of all filters, in the order a recipe would usually list them.
pub const NAMES: &[&str] = &[
    "encoding",
    "normalize",
    "length",
    "language",
    "hangul-ratio",
    "korean-quality",
    "gopher-quality",
    "gopher-repetition",
    "pii",
    "secrets",
    "profanity",
    "spam",
    "c4-quality",
    "fineweb-quality",
    "madlad",
    "code-quality",
    "url",
    "decontaminate",
    "classifier",
    "perplexity",
];

/// The page of a filter in Markdown: what it does, why, options, cases, references.
#[must_use]
pub fn explain(name: &str) -> Option<&'static str> {
    Some(match name {
        "encoding" => include_str!("../cases/encoding.md"),
        "normalize" => include_str!("../cases/normalize.md"),
        "length" => include_str!("../cases/length.md"),
        "language" => include_str!("../cases/language.md"),
        "hangul-ratio" => include_str!("../cases/hangul-ratio.md"),
        "korean-quality" => include_str!("../cases/korean-quality.md"),
        "gopher-quality" => include_str!("../cases/gopher-quality.md"),
        "gopher-repetition" => include_str!("../cases/gopher-repetition.md"),
        "pii" => include_str!("../cases/pii.md"),
        "secrets" => include_str!("../cases/secrets.md"),
        "profanity" => include_str!("../cases/profanity.md"),
        "spam" => include_str!("../cases/spam.md"),
        "c4-quality" => include_str!("../cases/c4-quality.md"),
        "fineweb-quality" => include_str!("../cases/fineweb-quality.md"),
        "madlad" => include_str!("../cases/madlad.md"),
        "code-quality" => include_str!("../cases/code-quality.md"),
        "url" => include_str!("../cases/url.md"),
        "decontaminate" => include_str!("../cases/decontaminate.md"),
        "classifier" => include_str!("../cases/classifier.md"),
        "perplexity" => include_str!("../cases/perplexity.md"),
        _ => return None,
    })
}

/// The filter a [`crate::Reason`]'s rule belongs to: `repetition/top-2-gram` → `gopher-repetition`.
#[must_use]
pub fn filter_of_rule(rule: &str) -> Option<&'static str> {
    Some(match rule.split_once('/')?.0 {
        "encoding" => "encoding",
        "normalize" => "normalize",
        "length" => "length",
        "language" => "language",
        "hangul" => "hangul-ratio",
        "korean" => "korean-quality",
        "quality" => "gopher-quality",
        "repetition" => "gopher-repetition",
        "pii" => "pii",
        "secrets" => "secrets",
        "profanity" => "profanity",
        "spam" => "spam",
        "c4" => "c4-quality",
        "fineweb" => "fineweb-quality",
        "madlad" => "madlad",
        "code" => "code-quality",
        "url" => "url",
        "decontaminate" => "decontaminate",
        "classifier" => "classifier",
        "perplexity" => "perplexity",
        _ => return None,
    })
}

/// A document of bucket `web` with this text, for tests.
#[cfg(test)]
pub(crate) fn document(text: &str) -> corpora::Document {
    corpora::Document::new("test", text, "test", "web")
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::{Chain, FilterSpec, Verdict};

    /// One fenced `toml` block under `## Cases`.
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Case {
        name: String,
        /// The filter's options.
        spec: toml::Table,
        text: String,
        /// Text repeated so many times.
        repeat: Option<usize>,
        bucket: Option<String>,
        /// The language that the source gave.
        lang_before: Option<String>,
        /// The address of the document.
        url: Option<String>,
        /// `true`, or `drop` says the rule.
        keep: Option<bool>,
        drop: Option<String>,
        /// The text afterwards; without it the text must be unchanged.
        becomes: Option<String>,
        /// The language afterwards.
        lang: Option<String>,
        /// Metrics, each to six decimals.
        #[serde(default)]
        metrics: std::collections::BTreeMap<String, f64>,
    }

    fn cases(page: &str) -> Vec<Case> {
        let (_, section) = page.split_once("\n## Cases\n").unwrap();
        let section = section.split_once("\n## ").unwrap().0;
        let blocks = section.split("\n```toml\n").skip(1);
        blocks
            .map(|block| {
                let block = block.split_once("\n```\n").unwrap().0;
                toml::from_str(block).unwrap_or_else(|error| panic!("{error}\n{block}"))
            })
            .collect()
    }

    fn check(filter: &str, case: &Case) {
        let entry = toml::Table::from_iter([(filter.to_owned(), case.spec.clone().into())]);
        let spec: FilterSpec = entry.try_into().unwrap();
        let chain = Chain::new(std::slice::from_ref(&spec)).unwrap();
        let text = case.text.repeat(case.repeat.unwrap_or(1));
        let mut document = document(&text);
        if let Some(bucket) = &case.bucket {
            document.bucket = bucket.as_str().into();
        }
        document.lang.clone_from(&case.lang_before);
        document.url.clone_from(&case.url);
        let (verdict, metrics) = chain.apply(&mut document);
        let place = format!("{filter}: {}", case.name);
        match (case.keep, &case.drop, &verdict) {
            (Some(true), None, Verdict::Keep) => {}
            (None, Some(rule), Verdict::Drop(reason)) => {
                assert_eq!(&reason.rule, rule, "{place}: {reason}");
                assert_eq!(filter_of_rule(rule), Some(filter), "{place}");
            }
            (_, _, verdict) => panic!("{place}: {verdict:?}, {metrics:?}"),
        }
        assert_eq!(&document.text, case.becomes.as_ref().unwrap_or(&text), "{place}");
        if case.lang.is_some() {
            assert_eq!(document.lang, case.lang, "{place}");
        }
        for (name, value) in &case.metrics {
            assert_eq!(metrics.get(name), Some(*value), "{place}: {name}");
        }
        let emitted: Vec<_> = metrics.iter().map(|(name, _)| name).collect();
        let listed = chain.metric_names();
        assert!(emitted.iter().all(|name| listed.contains(name)), "{place}: {emitted:?}");
        if verdict.is_keep() && !emitted.is_empty() {
            assert_eq!(emitted.len(), listed.len(), "{place}");
        }
        for name in listed {
            assert!(explain(filter).unwrap().contains(&format!("`{name}`")), "{name} on its page");
        }
    }

    #[test]
    fn every_case_of_every_page_holds() {
        for filter in NAMES {
            let page = explain(filter).unwrap();
            let headings: Vec<_> = page.lines().filter(|line| line.starts_with('#')).collect();
            let title = format!("# `{filter}`");
            let expected = [&title, "## What it does", "## Why", "## Options", "## Cases", "## References"];
            assert_eq!(headings, expected, "{filter}");
            let cases = cases(page);
            assert!(cases.len() >= 3, "{filter} has {} cases", cases.len());
            for case in &cases {
                check(filter, case);
            }
        }
        assert_eq!(explain("no-such-filter"), None);
    }

    /// The options table of every page lists exactly the keys that the filter accepts.
    #[test]
    fn every_option_is_on_its_page() {
        for filter in NAMES {
            let entry = format!("{filter} = {{ no-such-option = 1 }}");
            let error = toml::from_str::<FilterSpec>(&entry).unwrap_err().to_string();
            let (_, accepted) = error.split_once("expected one of ").unwrap();
            let accepted: Vec<_> = accepted.split('`').skip(1).step_by(2).collect();
            let (_, section) = explain(filter).unwrap().split_once("\n## Options\n").unwrap();
            let section = section.split_once("\n## ").unwrap().0;
            let listed: Vec<_> = section.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`')).map(|(key, _)| key).collect();
            assert_eq!(listed, accepted, "{filter}");
        }
    }
}
