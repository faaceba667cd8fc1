//! The limits of a filter as data: which option is compared with which metric, in which order.
//!
//! A filter decides by itself; this says the same once more for what asks afterwards, from stored
//! metrics, how another limit would have decided. A test holds the two against each other.

use crate::{FilterSpec, Sign};

/// One comparison of a filter: a document fails when its metric is on the wrong side of the limit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rule {
    /// Option of the recipe that sets the limit, for example `top-2-gram`.
    pub option: &'static str,
    /// Metric that is compared, for example `top-2-gram`.
    pub metric: &'static str,
    /// Name in a [`crate::Reason`], for example `repetition/top-2-gram`.
    pub rule: &'static str,
    /// The side on which a document fails.
    pub sign: Sign,
    /// The limit; none where the rule is off.
    pub limit: Option<f64>,
    /// Whether the stored metric is the compared value itself: counts, and what the filter rounds.
    /// Other values are fractions of two counts, the lower one at most the characters of the text;
    /// they are compared exactly and stored with six decimals.
    pub exact: bool,
    /// Whether a value of zero passes whatever the limit: there was nothing to measure.
    pub zero_passes: bool,
}

impl Rule {
    /// A rule on a share.
    pub(crate) fn share(option: &'static str, metric: &'static str, rule: &'static str, sign: Sign, limit: Option<f64>) -> Self {
        Self { option, metric, rule, sign, limit, exact: false, zero_passes: false }
    }

    /// A rule on a count, or on a value that is stored as it is compared.
    pub(crate) fn exact(option: &'static str, metric: &'static str, rule: &'static str, sign: Sign, limit: Option<f64>) -> Self {
        Self { exact: true, ..Self::share(option, metric, rule, sign, limit) }
    }
}

/// What a filter does besides its limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Effect {
    /// It drops for reasons that are no limit, before or after its limits ([`FilterSpec::reasons_first`]).
    pub drops: bool,
    /// It can change the text of a document that it keeps.
    pub rewrites: bool,
}

impl FilterSpec {
    /// Whether a document can be dropped here at all, by a limit or otherwise.
    #[must_use]
    pub fn may_drop(&self) -> bool {
        self.effect().drops || self.rules().iter().any(|rule| rule.limit.is_some())
    }
}

#[cfg(test)]
mod tests {
    use crate::pages::document;
    use crate::{Chain, FilterSpec, Verdict};

    /// Settings under which every rule of a filter is on.
    const ON: [&str; 17] = [
        "encoding = { max-share = 0.02 }",
        "normalize = {}",
        "length = { min-chars = 10, max-chars = 400, min-words = 3, max-words = 60 }",
        "language = { keep = ['ko', 'en'], min-confidence = 0.9 }",
        "language = { keep = ['ko'], lines = 'drop', min-kept = 0.4 }",
        "hangul-ratio = { min = 0.2, max = 0.9 }",
        "korean-quality = { max-single-eojeol = 0.2, max-lone-particles = 0.05, min-sentence-endings = 0.5, max-cut-sentences = 0.2 }",
        "gopher-quality = { min-words = 4, max-words = 40 }",
        "gopher-repetition = {}",
        "fineweb-quality = {}",
        "madlad = { min-sentences = 2 }",
        "code-quality = { min-alpha-chars = 0.3, max-encoded-chars = 0.2, max-encoded-run = 60, max-line-length = 90 }",
        "code-quality = { preset = 'starcoder', max-line-length = 80, max-mean-line-length = 70, min-alnum-chars = 0.1, min-alpha-per-piece = 1.1 }",
        "c4-quality = { preset = 'c4-paragraphs@datatrove', min-paragraphs = 2, min-paragraph-chars = 30, min-sentences = 2 }",
        "c4-quality = { preset = 'c4-paragraphs@datatrove', curly-bracket = true, min-paragraphs = 0, min-sentences = 2 }",
        "profanity = { max-hits = 1, max-score = 0.1 }",
        "spam = { max-hits = 1, max-score = 0.1 }",
    ];

    const TEXTS: [&str; 18] = [
        "",
        "짧다",
        "오늘은 날씨가 맑아서 공원에 갔다. 내일은 비가 온다고 한다.",
        "the sailor and the miller have to be with that of it",
        "- one\n- two\n- three\n- four ...\n",
        "# # # # ... … ### the of",
        "ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab",
        "same line\nsame line\nsame line\nother line of words\n\nsame line\n",
        "\u{FFFD}\u{FFFD} broken text of some words \u{1}",
        "씨발 병신 카지노 바카라 토토 추천",
        "one two three four five six seven one two three four five six seven one two three four five six seven",
        "띄어쓰기를전혀하지않은문장은어절이하나뿐이다",
        "한 글 자 씩 떨 어 뜨 려 놓 은 글 은 읽 기 가 무 척 어 렵 다",
        "조사를 떨어뜨려 놓은 글 은 기계 가 만든 글 에서 자주 보이는 모양 을 하고 있다.",
        "이 문장은 끝나지 않고 여기까지만 와서 다음\n이 줄도 또한 가운데에서 끊어진 것을",
        "12 34 56 78 90 !! ?? ..",
        "one line that ends in a full stop and has more than thirty characters.\nanother one that has as many and ends so too.",
        "let data = \"QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWZnaGlqa2xtbm9wcXJzdHV2d3h5ejAxMjM0\";",
    ];

    #[test]
    fn the_rules_say_what_the_filters_decide() {
        let mut drops = 0;
        for entry in ON {
            let spec: FilterSpec = toml::from_str(entry).unwrap();
            let (rules, chain) = (spec.rules(), Chain::new(std::slice::from_ref(&spec)).unwrap());
            let names = chain.metric_names();
            for rule in &rules {
                // `long-paragraphs` is measured where it has a limit.
                assert!(names.contains(&rule.metric) || rule.limit.is_none(), "{entry}: {rule:?}");
                assert_eq!(crate::filter_of_rule(rule.rule), Some(spec.name()), "{rule:?}");
                assert!(rule.limit.is_some() || rule.metric == "long-paragraphs", "{entry} leaves {rule:?} off");
            }
            for text in TEXTS.iter().map(|text| (*text).to_owned()).chain(TEXTS.iter().map(|text| format!("{text}\n").repeat(9))) {
                let (verdict, metrics) = chain.apply(&mut document(&text));
                let failed = rules.iter().find(|rule| {
                    let (Some(value), Some(limit)) = (metrics.get(rule.metric), rule.limit) else { return false };
                    !(rule.zero_passes && value == 0.0) && if rule.sign == crate::Sign::Below { value < limit } else { value > limit }
                });
                match (&verdict, failed) {
                    (Verdict::Drop(reason), Some(rule)) if reason.rule == rule.rule => {
                        drops += 1;
                        assert_eq!((reason.sign, Some(reason.threshold)), (rule.sign, rule.limit), "{entry} {text:?}");
                        assert!(!rule.exact || metrics.get(rule.metric) == Some(reason.value), "{entry} {text:?}");
                    }
                    (Verdict::Drop(reason), _) => {
                        let fixed = rules.iter().all(|rule| rule.rule != reason.rule);
                        assert!(fixed && spec.effect().drops, "{entry} {text:?}: {reason}, by the rules {failed:?}");
                    }
                    (Verdict::Keep, failed) => assert_eq!(failed, None, "{entry} {text:?}"),
                }
            }
        }
        assert!(drops > 60, "{drops} drops compared");
    }

    #[test]
    fn no_two_filters_share_a_metric_and_each_option_is_one_of_the_recipe() {
        let mut seen: Vec<(&str, &str)> = Vec::new();
        for entry in ON.into_iter().chain(["pii = {}", "secrets = {}"]) {
            let spec: FilterSpec = toml::from_str(entry).unwrap();
            for metric in Chain::new(std::slice::from_ref(&spec)).unwrap().metric_names() {
                assert!(seen.iter().all(|(known, filter)| *known != metric || *filter == spec.name()), "{metric}");
                seen.push((metric, spec.name()));
            }
            for rule in spec.rules() {
                let name = spec.name();
                let keep = if name == "language" { "keep = ['ko'], " } else { "" };
                let entry = format!("{name} = {{ {keep}{} = 1 }}", rule.option);
                assert!(toml::from_str::<FilterSpec>(&entry).is_ok(), "{entry}");
            }
        }
    }

    #[test]
    fn what_cannot_drop_says_so() {
        let may_drop = |entry: &str| toml::from_str::<FilterSpec>(entry).unwrap().may_drop();
        assert!(!may_drop("pii = {}") && !may_drop("spam = {}") && !may_drop("profanity = {}") && !may_drop("secrets = {}"));
        assert!(may_drop("pii = { card = 'drop' }") && may_drop("spam = { max-hits = 3 }") && may_drop("normalize = {}"));
        assert!(may_drop("language = { keep = ['ko'], min-confidence = 0 }"));
        let off = "max-line-length = 0, max-mean-line-length = 0, min-alnum-chars = 0, min-alpha-per-piece = 0";
        assert!(!may_drop(&format!("code-quality = {{ {off} }}")) && may_drop(&format!("code-quality = {{ {off}, xml = true }}")));
    }
}
