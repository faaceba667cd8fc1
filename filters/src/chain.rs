//! The chain: filters in recipe order, applied to one document until one drops it.

use corpora::Document;

use crate::{EvalSet, Filter, FilterSpec, Metrics, Reason, SpecError, Verdict};

/// Largest text a chain looks at, 16 MiB; a larger one is dropped as `document/bytes`.
///
/// This bounds the memory of a thread: the tables of words, lines and n-grams take some 6 times a
/// Korean text, and 40 times one of one-letter words on lines of their own (640 MiB). No book comes
/// near: such a document is a whole corpus that was read as one.
pub const MAX_TEXT_BYTES: usize = 16 << 20;

/// Built filters with the buckets each is limited to.
pub struct Chain {
    steps: Vec<Step>,
}

struct Step {
    filter: Box<dyn Filter>,
    only: Vec<String>,
    except: Vec<String>,
}

impl Step {
    fn concerns(&self, bucket: &str) -> bool {
        let named = |buckets: &[String]| buckets.iter().any(|name| name == bucket);
        (self.only.is_empty() || named(&self.only)) && !named(&self.except)
    }
}

impl Chain {
    /// Builds the filters; fails on options that make no sense, as [`FilterSpec::validate`] does.
    ///
    /// # Errors
    /// [`SpecError`] of the first filter whose options are wrong.
    pub fn new(specs: &[FilterSpec]) -> Result<Self, SpecError> {
        let build = |spec: &FilterSpec| {
            let (only, except) = spec.buckets();
            Ok(Step { filter: spec.build()?, only: only.to_vec(), except: except.to_vec() })
        };
        Ok(Self { steps: specs.iter().map(build).collect::<Result<_, _>>()? })
    }

    /// Applies the filters that concern the document's bucket, in order, up to the first that
    /// drops it. What was measured until then is in the metrics either way.
    pub fn apply(&self, document: &mut Document) -> (Verdict, Metrics) {
        let mut metrics = Metrics::new();
        let bytes = document.text.len();
        if bytes > MAX_TEXT_BYTES {
            let reason = Reason::above("document/bytes", bytes as f64, MAX_TEXT_BYTES as f64);
            return (Verdict::Drop(reason), metrics);
        }
        for step in &self.steps {
            if step.concerns(&document.bucket) {
                let verdict = step.filter.apply(document, &mut metrics);
                if !verdict.is_keep() {
                    return (verdict, metrics);
                }
            }
        }
        (Verdict::Keep, metrics)
    }

    /// The evaluation sets that are looked for in documents of this bucket.
    pub fn eval_sets<'a>(&'a self, bucket: &'a str) -> impl Iterator<Item = &'a EvalSet> {
        self.steps.iter().filter(move |step| step.concerns(bucket)).flat_map(|step| step.filter.eval_sets())
    }

    /// Every metric name the chain can emit, sorted, each once: what `dedup.prefer` can name. A
    /// document has those of the filters that concern its bucket.
    #[must_use]
    pub fn metric_names(&self) -> Vec<&'static str> {
        let mut names: Vec<_> = self.steps.iter().flat_map(|step| step.filter.metric_names()).collect();
        names.sort_unstable();
        names.dedup();
        names
    }
}

impl std::fmt::Debug for Chain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.steps.iter().map(|step| step.filter.name())).finish()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::NAMES;
    use crate::pages::document;

    fn chain(recipe: &str) -> Chain {
        #[derive(serde::Deserialize)]
        struct Recipe {
            filters: Vec<FilterSpec>,
        }
        let recipe: Recipe = toml::from_str(recipe).unwrap();
        for spec in &recipe.filters {
            spec.validate(&["web", "code"]).unwrap();
        }
        Chain::new(&recipe.filters).unwrap()
    }

    /// All filters with settings that keep everything they can.
    const LENIENT: &str = r#"
        filters = [
            { encoding = { max-share = 1.0 } },
            { normalize = { preset = "seed" } },
            { length = { min-words = 0 } },
            { language = { keep = ["ko", "en", "ja", "zh", "de", "es", "fr", "vi"], min-confidence = 0.0 } },
            { hangul-ratio = { min = 0.0 } },
            { gopher-quality = { min-words = 0, min-mean-word-length = 0, max-mean-word-length = 0, max-hash-ratio = 0, max-ellipsis-ratio = 0, min-alpha-words = 0, min-stop-words = 0, max-bullet-lines = 0, max-ellipsis-lines = 0 } },
            { c4-quality = { terminal-punctuation = false, min-sentences = 0, min-words-per-line = 0 } },
            { fineweb-quality = { min-line-punctuation = 0, max-short-lines = 0, max-repeated-line-chars = 1, max-newline-ratio = 0 } },
            { code-quality = { min-alnum-chars = 0, min-alpha-per-piece = 0, max-line-length = 0, max-mean-line-length = 0 } },
            { gopher-repetition = { duplicate-lines = 1, top-2-gram = 1, top-3-gram = 1, top-4-gram = 1 } },
            { pii = {} },
            { secrets = {} },
            { profanity = {} },
            { spam = {} },
        ]"#;

    #[test]
    fn listed_metrics_are_those_emitted() {
        let chain = chain(LENIENT);
        let text = "오늘은 날씨가 맑아서 <b>공원</b>에 갔다. 내일은 비가 온다고 한다.";
        let (verdict, metrics) = chain.apply(&mut document(text));
        assert_eq!(verdict, Verdict::Keep);
        let mut emitted: Vec<_> = metrics.iter().map(|(name, _)| name).collect();
        emitted.sort_unstable();
        assert_eq!(emitted, chain.metric_names());
        // `url`, `decontaminate` and `classifier` need a file and are not among them.
        assert_eq!(format!("{chain:?}").matches('"').count(), 2 * (NAMES.len() - 3));
    }

    #[test]
    fn the_first_drop_ends_the_chain() {
        let chain = chain("filters = [{ length = { max-chars = 3 } }, { hangul-ratio = { min = 1 } }]");
        let (verdict, metrics) = chain.apply(&mut document("abcd"));
        assert_eq!(verdict, Verdict::Drop(Reason::above("length/chars", 4.0, 3.0)));
        assert_eq!(metrics.iter().collect::<Vec<_>>(), [("chars", 4.0)]);
    }

    #[test]
    fn buckets_limit_a_filter() {
        let chain = chain(
            "filters = [{ length = { max-chars = 3, only-buckets = ['code'] } },
                        { hangul-ratio = { min = 1, except-buckets = ['web'] } }]",
        );
        assert!(chain.apply(&mut document("abcd")).0.is_keep());
        let mut code = document("abcd");
        code.bucket = "code".into();
        assert!(!chain.apply(&mut code).0.is_keep());
    }

    #[test]
    fn a_text_beyond_all_measure_is_refused() {
        let mut huge = document(&"a".repeat(MAX_TEXT_BYTES + 1));
        let (verdict, _) = chain("filters = []").apply(&mut huge);
        let Verdict::Drop(reason) = verdict else { panic!("kept") };
        assert_eq!(reason.to_string(), "document/bytes 16777217 > 16777216");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]
        #[test]
        fn any_text_gets_the_same_answer_twice(text in "(?s)\\PC{0,80}|.{0,80}|[ -~\n가-힣ㅋ]{0,200}") {
            for recipe in [LENIENT, "filters = [{ gopher-quality = {} }]",
                "filters = [{ normalize = {} }, { gopher-quality = { preset = 'korean-eojeol' } }]"]
            {
                let chain = chain(recipe);
                let (mut first, mut second) = (document(&text), document(&text));
                let (a, b) = (chain.apply(&mut first), chain.apply(&mut second));
                prop_assert_eq!(&a.0, &b.0);
                prop_assert_eq!(first, second);
                let listed = chain.metric_names();
                for (name, value) in a.1.iter() {
                    prop_assert!(listed.contains(&name) && value.is_finite(), "{} {}", name, value);
                }
                if let Verdict::Drop(reason) = a.0 {
                    let below = reason.value < reason.threshold;
                    prop_assert!(reason.value != reason.threshold);
                    prop_assert_eq!(below, reason.sign == crate::Sign::Below, "{}", reason);
                }
            }
        }
    }
}
