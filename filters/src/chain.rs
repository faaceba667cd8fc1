//! The chain: filters in recipe order, applied to one document until one drops it.

use corpora::{Document, joined};

use crate::spec::concerns;
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
    rewrites: bool,
    only: Vec<String>,
    except: Vec<String>,
}

impl Step {
    fn concerns(&self, bucket: &str) -> bool {
        concerns(&self.only, &self.except, bucket)
    }

    /// Brings the messages of a conversation in step with its rewritten text. It is dropped if nothing is left of one.
    fn rewrite_turns(&self, document: &mut Document) -> Verdict {
        if !self.filter.rewrites_turns()
            && let Some(refused) = self.rewrite_each(document)
        {
            return Verdict::Drop(refused);
        }
        match document.turns.iter().filter(|turn| turn.text.trim().is_empty()).count() {
            0 => Verdict::Keep,
            empty => Verdict::Drop(Reason::above("document/empty-messages", empty as f64, 0.0)),
        }
    }

    /// Rewrites each message by itself: in the text as a whole nobody could say where they end. The reason if the filter
    /// refuses one: it has then not rewritten it.
    fn rewrite_each(&self, document: &mut Document) -> Option<Reason> {
        let mut turns = std::mem::take(&mut document.turns);
        let mut refused = None;
        for turn in &mut turns {
            document.text = std::mem::take(&mut turn.text);
            // What is measured of the conversation was measured on the whole of it.
            let verdict = self.filter.apply(document, &mut Metrics::new());
            turn.text = std::mem::take(&mut document.text);
            if let Verdict::Drop(reason) = verdict
                && !turn.text.trim().is_empty()
            {
                refused.get_or_insert(reason);
            }
        }
        document.text = joined(&turns);
        document.turns = turns;
        refused
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
            Ok(Step { filter: spec.build()?, rewrites: spec.effect().rewrites, only: only.to_vec(), except: except.to_vec() })
        };
        Ok(Self { steps: specs.iter().map(build).collect::<Result<_, _>>()? })
    }

    /// Applies the filters that concern the document's bucket, in order, up to the first that
    /// drops it. What was measured until then is in the metrics either way.
    pub fn apply(&self, document: &mut Document) -> (Verdict, Metrics) {
        let mut metrics = Metrics::new();
        let verdict = self.judge(document, &mut metrics);
        // The tables are several times the text, and nobody looks at them any more.
        metrics.text_changed();
        (verdict, metrics)
    }

    fn judge(&self, document: &mut Document, metrics: &mut Metrics) -> Verdict {
        let bytes = document.text.len();
        if bytes > MAX_TEXT_BYTES {
            let reason = Reason::above("document/bytes", bytes as f64, MAX_TEXT_BYTES as f64);
            return Verdict::Drop(reason);
        }
        for step in &self.steps {
            if step.concerns(&document.bucket) {
                let mut verdict = step.filter.apply(document, metrics);
                if verdict.is_keep() && step.rewrites && !document.turns.is_empty() {
                    verdict = step.rewrite_turns(document);
                    metrics.text_changed();
                }
                if !verdict.is_keep() {
                    return verdict;
                }
            }
        }
        Verdict::Keep
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
            { korean-quality = {} },
            { gopher-quality = { min-words = 0, min-mean-word-length = 0, max-mean-word-length = 0, max-hash-ratio = 0, max-ellipsis-ratio = 0, min-alpha-words = 0, min-stop-words = 0, max-bullet-lines = 0, max-ellipsis-lines = 0 } },
            { c4-quality = { terminal-punctuation = false, min-sentences = 0, min-words-per-line = 0 } },
            { madlad = { min-sentences = 0, max-questionable = 1 } },
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
        // `url`, `decontaminate`, `classifier` and `perplexity` need a file and are not among them.
        assert_eq!(format!("{chain:?}").matches('"').count(), 2 * (NAMES.len() - 4));
    }

    #[test]
    fn the_first_drop_ends_the_chain() {
        let chain = chain("filters = [{ length = { max-chars = 3 } }, { hangul-ratio = { min = 1 } }]");
        let (verdict, metrics) = chain.apply(&mut document("abcd"));
        assert_eq!(verdict, Verdict::Drop(Reason::above("length/chars", 4.0, 3.0)));
        assert_eq!(metrics.iter().collect::<Vec<_>>(), [("chars", 4.0)]);
    }

    #[test]
    fn messages_are_rewritten_one_by_one() {
        use corpora::{Role, Turn};
        let chain = chain("filters = [{ normalize = {} }, { pii = {} }, { length = { max-chars = 60 } }]");
        let turn = |role, text: &str| Turn { role, text: text.to_owned() };
        let talk = |answer: &str| {
            let turns = vec![turn(Role::User, "메일\u{200b} 주소가  뭐예요?"), turn(Role::Assistant, answer)];
            corpora::Document { text: joined(&turns), turns, ..document("") }
        };
        let mut masked = talk("kim@company.co.kr 입니다.");
        let (verdict, metrics) = chain.apply(&mut masked);
        assert!(verdict.is_keep(), "{verdict:?}");
        assert!(masked.turns[0].text.starts_with("메일 주소가"), "{masked:?}");
        assert!(!masked.turns[1].text.contains("company") && masked.turns[1].text.ends_with("입니다."), "{masked:?}");
        assert_eq!(masked.text, joined(&masked.turns));
        assert_eq!(metrics.get("chars"), Some(masked.text.chars().count() as f64));
        // An answer of nothing but invisible characters.
        let (verdict, _) = chain.apply(&mut talk("\u{200b}"));
        assert_eq!(verdict, Verdict::Drop(Reason::above("document/empty-messages", 1.0, 0.0)));
        let (verdict, _) = chain.apply(&mut talk(&"길다 ".repeat(30)));
        assert!(matches!(verdict, Verdict::Drop(reason) if reason.rule == "length/chars"));
    }

    #[test]
    fn what_a_message_explains_is_masked_in_the_next() {
        use corpora::{Role, Turn};
        let chain = chain("filters = [{ pii = {} }]");
        for (question, answer, masked) in [
            ("입금할 계좌번호 알려주세요", "110-123-456789 입니다", "<ACCOUNT> 입니다"),
            ("주민번호는?", "9001011234567 입니다", "<RESIDENT-NUMBER> 입니다"),
            ("여권번호가 뭐죠", "M12345678", "<PASSPORT>"),
        ] {
            let turn = |role, text: &str| Turn { role, text: text.to_owned() };
            let turns = vec![turn(Role::User, question), turn(Role::Assistant, answer)];
            let mut talk = corpora::Document { text: joined(&turns), turns, ..document("") };
            assert!(chain.apply(&mut talk).0.is_keep());
            assert_eq!([&talk.turns[0].text, &talk.turns[1].text], [question, masked]);
            assert_eq!(talk.text, joined(&talk.turns));
        }
    }

    #[test]
    fn a_message_that_is_an_item_does_not_stay() {
        use corpora::{Role, Turn};
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("items.jsonl");
        let item = "다음 중 강가의 갈대가 가을에 고개를 숙이는 까닭으로 가장 알맞은 것을 고르시오";
        std::fs::write(&file, format!("{{\"text\": \"{item}\"}}\n")).unwrap();
        let chain = chain(&format!("filters = [{{ decontaminate = {{ files = ['{}'], action = 'remove-span' }} }}]", file.display()));
        let talk = |question: &str| {
            let turn = |role, text: &str| Turn { role, text: text.to_owned() };
            let turns = vec![turn(Role::User, question), turn(Role::Assistant, "바람이 불어서 그렇다고 배웠습니다.")];
            corpora::Document { text: joined(&turns), turns, ..document("") }
        };
        for whole in [item.to_owned(), format!("{item}?"), format!("!!\n{item}\n--")] {
            let mut document = talk(&whole);
            let (verdict, _) = chain.apply(&mut document);
            assert!(matches!(&verdict, Verdict::Drop(reason) if reason.rule == "decontaminate/overlap"), "{whole}: {verdict:?}");
        }
        let mut document = talk(&format!("문제를 하나 내겠습니다. {item}. 무엇일까요?"));
        assert!(chain.apply(&mut document).0.is_keep());
        assert!(!document.turns[0].text.contains("갈대가") && document.turns[0].text.contains("무엇일까요"), "{document:?}");
        assert_eq!(document.text, joined(&document.turns));
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
