//! The page as a whole: no data, hostile data, absurd data.

use super::*;

/// A run in which every section has something, and every text of the data is `text`.
fn full(text: &str) -> ReportData {
    let s = || text.to_owned();
    let amount = |documents, bytes| Amount { documents, bytes };
    ReportData {
        name: s(),
        version: s(),
        fingerprint: s(),
        seed: 7,
        elapsed_seconds: Some(61.0),
        warnings: vec![s()],
        sources: vec![SourceFunnel {
            source: s(),
            bucket: s(),
            input: amount(100, 10_000),
            unreadable: 1,
            rejected: amount(19, 1_500),
            passed: amount(80, 8_400),
            rewritten_bytes: 100,
            duplicates: Some(amount(10, 400)),
            trimmed: amount(3, 70),
            excerpted: amount(2, 30),
            kept: Some(amount(70, 7_900)),
            tokens: Some(3_000),
        }],
        unreadable: vec![s()],
        reasons: Some(vec![DropReason {
            rule: s(),
            dropped: amount(19, 1_500),
            buckets: [(s(), 19)].into(),
            lowest: Some(1.0),
            highest: Some(19.0),
            threshold: Some(20.0),
            thresholds: Some((20.0, 20.0)),
            samples: vec![DropSample { id: s(), source: s(), why: s(), excerpt: s() }],
        }]),
        duplicates: Some(Duplicates {
            kinds: [(s(), amount(10, 400))].into(),
            clusters: 4,
            largest: vec![Cluster {
                documents: 6,
                kept_id: s(),
                kept_source: s(),
                kept_excerpt: s(),
                removed: vec![Removed { id: s(), source: s(), kind: s(), similarity: Some(0.91), excerpt: format!("{text} b") }],
            }],
            passages: vec![Passage { id: s(), source: s(), words: 61, of: s(), place: s(), excerpt: s() }],
        }),
        contamination: Some(vec![ContaminatedSet { set: s(), items: 9, searchable: 8, documents: 3, found: [(s(), 3)].into() }]),
        lengths: Some(Lengths { edges: vec![0, 10, 100], buckets: [(s(), vec![1, 50, 29])].into() }),
        languages: Some([(s(), 99)].into()),
        tokenizer: Some(TokenizerFacts {
            kind: s(),
            vocab_size: 4096,
            fingerprint: s(),
            syllables: Some(2_350),
            buckets: vec![TokenizerBucket {
                bucket: s(),
                chars: Some(6_000),
                bytes: 8_000,
                tokens: 3_000,
                words: Some(1_000),
                partial_tokens: Some(30),
                lost_bytes: Some(400),
            }],
        }),
        tokens: Some(Tokens {
            requested: Some(9_000),
            reduced: true,
            buckets: vec![TokenBucket {
                bucket: s(),
                available: 2_900,
                held_out: 100,
                copies: 50,
                plan: Some(TokenPlan { ratio: 0.42, tokens: 5_800, epochs: 2.0, max_epochs: 2.0, repeated: 2_900 }),
            }],
        }),
        training: Some(Training {
            objective: s(),
            device: s(),
            parameters: 1_234_567,
            planned_steps: 2,
            seconds: Some(3.0),
            drawn: 5_800,
            trained: 5_700,
            masked: 100,
            steps: vec![StepPoint {
                step: 1,
                loss: Some(8.25),
                learning_rate: Some(3e-3),
                grad_norm: Some(0.5),
                tokens_per_second: Some(1000.0),
                metrics: [(s(), Some(0.5)), (format!("{}/b", s()), None)].into(),
            }],
            evals: vec![EvalPoint {
                step: 1,
                bits_per_byte: [(s(), Some(2.5))].into(),
                preferences: [(s(), Preference { answers: 8, loss: Some(0.5), accuracy: Some(0.75), ..Preference::default() })].into(),
            }],
            best: Some((1, 2.5)),
            stopped: Some(1),
            untrained: Some(Untrained { ids: 300, untrained: 40, new: Some((9, 4)), examples: vec![s()] }),
            generations: [1, 2].map(|step| Generation { step, prompt: s(), text: s(), reward: Some(0.5) }).into(),
        }),
        timings: vec![Timing { stage: s(), seconds: 1.5, bytes: Some(10_000) }],
        recipe: Some(s()),
    }
}

/// Every element that is opened is closed, in order: no text broke out of its place.
fn assert_well_formed(html: &str) {
    let mut open: Vec<&str> = Vec::new();
    let style = html.find("<style>").zip(html.find("</style>"));
    let (start, end) = style.unwrap_or_default();
    let body = format!("{}{}", &html[..start], &html[end + "</style>".len()..]);
    for tag in body.split('<').skip(1) {
        let (inside, text) = tag.split_once('>').unwrap_or_else(|| panic!("`<` outside a tag: {tag}"));
        assert!(!text.contains('>'), "`>` outside a tag: {tag}");
        assert_eq!(inside.matches('"').count() % 2, 0, "an open quote: {inside}");
        let name = inside.split([' ', '/']).find(|name| !name.is_empty()).unwrap_or_default();
        if inside.starts_with('/') {
            let opened = open.pop();
            assert_eq!(opened, Some(name), "closed out of order");
        } else if !inside.ends_with('/') && !["meta", "!DOCTYPE"].contains(&name) {
            open.push(name);
        }
    }
    assert!(open.is_empty(), "left open: {open:?}");
}

#[test]
fn an_empty_run_is_a_page_that_says_so() {
    for (lang, absent) in [(Lang::En, "the run did not get this far"), (Lang::Ko, "여기까지 진행되지 않았거나")] {
        let html = render(&ReportData::default(), lang);
        assert_well_formed(&html);
        assert_eq!(html.matches(absent).count(), 10, "one for each section");
        assert!(!html.contains("NaN") && !html.contains("inf"));
    }
}

#[test]
fn a_full_run_has_every_section() {
    let html = render(&full("한국어"), Lang::Ko);
    assert_well_formed(&html);
    assert!(html.starts_with("<!DOCTYPE html>\n<html lang=\"ko\">"));
    assert!(!html.contains("여기까지 진행되지 않았거나"));
    assert!(html.contains("✓ 장부가 맞습니다") && html.contains("학습에서 반복: <bdi>한국어</bdi> ×2.00"));
    assert!(html.contains("토큰 9,000개를 요청했지만"));
    assert_eq!(html, render(&full("한국어"), Lang::Ko));
}

#[test]
fn hostile_text_stays_text() {
    for hostile in ["<script>alert(1)</script>", "\"><img src=x onerror='y'>", "</style></title>&lt;", "a\u{202e}b\0c\u{2066}", "{0}{1}{"] {
        for lang in [Lang::En, Lang::Ko] {
            let html = render(&full(hostile), lang);
            assert_well_formed(&html);
            assert!(!html.contains("<script") && !html.contains("<img") && !html.contains(['\u{202e}', '\u{2066}', '\0']));
        }
    }
}

#[test]
fn huge_texts_are_cut() {
    let html = render(&full(&"가나다<".repeat(100_000)), Lang::En);
    assert_well_formed(&html);
    assert!(html.len() < 600_000, "{}", html.len());
}

#[test]
fn nothing_is_fetched() {
    let html = render(&full("x"), Lang::En);
    for reference in ["http:", "https:", "//", "src=", "url(", "@import", "<link", "<script"] {
        let policy = html.replace("\"http-equiv", "").replace("http-equiv", "");
        assert!(!policy.contains(reference), "{reference}");
    }
}

#[test]
fn a_ledger_that_does_not_balance_is_named() {
    let mut data = full("한국 법률");
    let page = |data: &ReportData| render(data, Lang::En);
    assert!(page(&data).contains("The ledger balances") && !page(&data).contains("does not balance"));
    data.sources[0].input.documents += 12;
    let html = page(&data);
    assert!(html.contains("✗ The ledger does not balance") && html.contains("Off by 12:"));
    // Faults of two sources that cancel out in the sum are found too.
    let mut other = data.sources[0].clone();
    other.source = "other".to_owned();
    other.input.documents -= 24;
    data.sources.push(other);
    let html = page(&data);
    assert!(html.contains("✗ The ledger does not balance") && html.contains("do not balance by themselves"));
}

#[test]
fn absurd_numbers_are_written_out() {
    let mut data = full("b");
    let most = Amount { documents: u64::MAX, bytes: u64::MAX };
    let source = &mut data.sources[0];
    (source.input, source.rejected, source.passed, source.rewritten_bytes) = (most, most, most, i64::MIN);
    (source.duplicates, source.kept, source.tokens, source.unreadable) = (Some(most), Some(most), Some(u64::MAX), u64::MAX);
    data.sources.push(data.sources[0].clone());
    if let (Some(training), Some(tokens), Some(lengths)) = (&mut data.training, &mut data.tokens, &mut data.lengths) {
        let values = [None, Some(f64::MAX), Some(f64::INFINITY), Some(f64::NAN), Some(-f64::MAX), Some(1e-320)];
        training.steps = values
            .iter()
            .enumerate()
            .map(|(step, value)| StepPoint {
                step: step as u64,
                loss: *value,
                learning_rate: *value,
                grad_norm: *value,
                tokens_per_second: *value,
                metrics: [("a/b".to_owned(), *value)].into(),
            })
            .collect();
        training.evals = values
            .iter()
            .map(|value| EvalPoint {
                step: u64::MAX,
                bits_per_byte: [("b".to_owned(), *value)].into(),
                preferences: [("b".to_owned(), Preference { loss: *value, accuracy: *value, ..Preference::default() })].into(),
            })
            .collect();
        (training.drawn, training.trained, training.planned_steps, training.seconds) =
            (u64::MAX, u64::MAX, u64::MAX, Some(f64::MIN_POSITIVE));
        tokens.buckets[0].available = u64::MAX;
        tokens.buckets[0].plan =
            Some(TokenPlan { ratio: f64::NAN, tokens: u64::MAX, epochs: f64::INFINITY, max_epochs: 0.0, repeated: u64::MAX });
        tokens.buckets.push(tokens.buckets[0].clone());
        lengths.buckets.insert("b".to_owned(), vec![u64::MAX; 9]);
    }
    data.timings.push(Timing { stage: "b".to_owned(), seconds: f64::NAN, bytes: Some(u64::MAX) });
    let html = render(&data, Lang::En);
    assert_well_formed(&html);
    assert!(html.contains("18,446,744,073,709,551,615") && html.contains("not finite at 3 of the logged steps"));
    assert!(!html.contains("NaN") && !html.contains("inf%") && !html.contains("=\"inf"));
}

#[test]
fn what_training_never_reached_and_how_it_ended_is_said() {
    let mut data = full("b");
    let html = render(&data, Lang::En);
    assert!(html.contains("4 of 9 new tokens have learned nothing from text"));
    assert!(html.contains("Training ended early at step 1 of 2") && !html.contains("Training stands at"));
    assert!(html.contains("loss 2.500 at step 1") && html.contains("On the way there"));
    if let Some(training) = &mut data.training {
        (training.stopped, training.best) = (None, None);
        training.untrained = Some(Untrained { new: None, ids: 300, untrained: 1, examples: vec!["7 가<b".to_owned()] });
        training.generations.remove(0);
    }
    let html = render(&data, Lang::En);
    assert_well_formed(&html);
    assert!(html.contains("Training stands at step 1 of 2") && !html.contains("On the way there"));
    assert!(html.contains("Tokens that no text of the training has: ") && html.contains("7 가&lt;b"));
}

#[test]
fn the_tokenizer_is_judged_by_what_it_writes() {
    let html = render(&full("b"), Lang::En);
    assert!(html.contains("2,350 / 11,172") && html.contains("Tokens per word"), "{html}");
    // 3000 tokens of 1000 words, 30 of them parts of characters, and 400 of 8000 bytes lost.
    for value in [">3.00<", ">1.0%<", ">5.0%<"] {
        assert!(html.contains(value), "{value}");
    }
}

#[test]
fn copies_of_an_epoch_are_told_apart_from_epochs() {
    let html = render(&full("b"), Lang::En);
    assert!(html.contains("has documents again that stand for copies: an epoch has 50 such tokens among 2,950 (1.7%)"), "{html}");
    assert!(render(&full("b"), Lang::Ko).contains("한 에폭의 토큰 2,950개 가운데 50개(1.7%)"));
}

#[test]
fn one_point_is_a_dot_in_the_middle() {
    let html = render(&full("b"), Lang::En);
    assert!(html.contains("<path class=\"dots ink\" d=\"M500.0 "), "the one step");
    assert!(html.contains("<title>train loss 1: 8.250</title>"));
}

#[test]
fn data_survive_json() -> Result<(), serde_json::Error> {
    let data = full("값");
    let json = serde_json::to_string(&data)?;
    assert_eq!(serde_json::from_str::<ReportData>(&json)?, data);
    assert_eq!(serde_json::from_str::<ReportData>("{}")?, ReportData::default());
    assert!(serde_json::from_str::<ReportData>("{\"sauces\": []}").is_err());
    Ok(())
}
