//! The search against its definition on strings, and the cut by hand.

use std::collections::BTreeSet;

use proptest::prelude::*;
use unicode_normalization::UnicodeNormalization as _;

use super::*;
use crate::pages::document;

/// The text without what is cut out; none when nothing is.
fn cut(text: &str, spans: &[(usize, usize)]) -> Option<String> {
    let edits: Vec<_> = widened(text, spans).into_iter().map(|range| (range, "")).collect();
    (!edits.is_empty()).then(|| replaced(text, &[], &edits).0)
}

/// The definition of units, on strings: composed, lower case, without accents; only for the
/// characters that these tests use.
fn slow_units(text: &str) -> Vec<(String, u32)> {
    let mut units: Vec<(String, u32)> = Vec::new();
    let mut run = String::new();
    for c in text.nfc() {
        if ('가'..='힣').contains(&c) {
            if !run.is_empty() {
                units.push((std::mem::take(&mut run), 2));
            }
            units.push((c.to_string(), 1));
        } else if c.is_alphanumeric() {
            let base = c.to_string().nfd().next().unwrap();
            run.extend(base.to_lowercase());
        } else if c != '\u{301}' && !run.is_empty() {
            units.push((std::mem::take(&mut run), 2));
        }
    }
    if !run.is_empty() {
        units.push((run, 2));
    }
    units
}

/// From every unit the shortest run of this weight: its first unit and its strings.
fn slow_windows(units: &[(String, u32)], weight: u32) -> Vec<(usize, Vec<&str>)> {
    let window = |from: usize| {
        let mut sum = 0;
        let taken: Vec<&str> = units[from..]
            .iter()
            .take_while(|unit| {
                let more = sum < weight;
                sum += unit.1;
                more
            })
            .map(|unit| unit.0.as_str())
            .collect();
        let weighed: u32 = units[from..from + taken.len()].iter().map(|unit| unit.1).sum();
        (weighed >= weight).then_some((from, taken))
    };
    (0..units.len()).filter_map(window).collect()
}

/// Share of an item's units that lie in windows of the document.
fn slow_overlap(item: &str, text: &str, ngram: u32, least: u32) -> f64 {
    let (item, text) = (slow_units(item), slow_units(text));
    let weight: u32 = item.iter().map(|unit| unit.1).sum();
    if item.is_empty() || weight < least {
        return 0.0;
    }
    if weight < ngram {
        let stands = text.windows(item.len()).any(|window| window == item);
        return f64::from(u8::from(stands));
    }
    let held: Vec<Vec<&str>> = slow_windows(&text, ngram).into_iter().map(|(_, window)| window).collect();
    let (mut covered, mut all) = (BTreeSet::new(), 0);
    for (from, window) in slow_windows(&item, ngram) {
        all = from + window.len();
        if held.contains(&window) {
            covered.extend(from..from + window.len());
        }
    }
    (covered.len() as f64 / all as f64 * 1e6).round() / 1e6
}

fn index(items: &[String], ngram: usize, min_words: usize) -> Index {
    let mut index = Index::new(Unit::Syllable, ngram, min_words);
    for (number, item) in items.iter().enumerate() {
        index.add("set", number.to_string(), &[("text", item)]);
    }
    index.finish();
    index
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn the_search_is_its_definition(
        items in proptest::collection::vec("[가나다ab É\u{301}.]{0,14}", 1..6),
        text in "[가나다ab É\u{301}.]{0,60}",
        ngram in 2_usize..5,
        shorter in 0_usize..3,
    ) {
        let min_words = ngram.saturating_sub(shorter).max(1);
        let index = index(&items, ngram, min_words);
        let expected: Vec<f64> = items.iter().map(|item| slow_overlap(item, &text, 2 * ngram as u32, 2 * min_words as u32)).collect();
        let found = index.search(&Units::new(&text, Unit::Syllable), 0.3);
        prop_assert_eq!(found.overlap, expected.iter().copied().fold(0.0, f64::max));
        let mut named: Vec<(usize, f64)> = found.matches.iter().map(|one| (index.names(one.text).1.parse().unwrap(), one.overlap)).collect();
        named.sort_by_key(|(item, _)| *item);
        let above: Vec<(usize, f64)> = expected.iter().copied().enumerate().filter(|(_, overlap)| *overlap > 0.3).collect();
        prop_assert_eq!(named, above);
        prop_assert_eq!(found.spans.is_empty(), found.matches.is_empty());
        for pair in found.spans.windows(2) {
            prop_assert!(pair[0].1 <= pair[1].0);
        }
        for one in &found.matches {
            prop_assert!(found.spans.iter().any(|(start, end)| *start <= one.start && one.end <= *end));
        }
        // What is cut out is not found again, unless the cut brings its two sides together.
        if let Some(left) = cut(&text, &found.spans) {
            prop_assert!(left.len() < text.len());
        }
    }

    #[test]
    fn no_text_breaks_it(text in "(?s).{0,200}", item in "(?s).{0,80}") {
        let index = index(&[item], 3, 1);
        let found = index.search(&Units::new(&text, Unit::Syllable), 0.0);
        found.spans.iter().for_each(|(start, end)| assert!(text.is_char_boundary(*start) && text.is_char_boundary(*end)));
        let _ = cut(&text, &found.spans);
        let _ = index.search(&Units::new(&text, Unit::Word), 0.0);
    }

    #[test]
    fn an_item_is_found_in_itself(item in "[가-힣a-z ]{40,80}", before in "[가-힣a-z ]{0,40}") {
        let index = index(std::slice::from_ref(&item), 8, 4);
        let found = index.search(&Units::new(&format!("{before}. {item}"), Unit::Syllable), 0.5);
        if index.sets()[0].searchable == 1 {
            prop_assert_eq!((found.overlap, found.matches.len()), (1.0, 1));
        }
    }
}

#[test]
fn the_form_of_a_text_has_no_say() {
    let item = "다음 중 옳은 것은 무엇인가 Résumé １２ 각 문항을 읽으시오";
    let index = index(&[item.to_owned()], 8, 4);
    for text in [
        item.to_owned(),
        item.nfd().collect(),
        item.to_uppercase(),
        item.replace(' ', "\n\n").replace("다음\n\n중", "다음중"),
        item.replace("１２", "12").replace("é", "e"),
        item.replace("각", "\"각\"").replace("중", "중,"),
    ] {
        let found = index.search(&Units::new(&text, Unit::Syllable), 0.5);
        assert_eq!(found.overlap, 1.0, "{text:?}");
        assert_eq!((found.matches[0].start, found.matches[0].end), (0, text.len()), "{text:?}");
    }
}

/// An n-gram that the document repeats, of texts that share it, costs no product of both.
#[test]
fn repetition_times_repetition_is_cheap() {
    let items: Vec<String> = (0..2000).map(|number| format!("{} {number}", "가나다라마바사아".repeat(4))).collect();
    let index = index(&items, 13, 8);
    let found = index.search(&Units::new(&"가나다라마바사아 ".repeat(50_000), Unit::Syllable), 0.5);
    assert_eq!((found.matches.len(), found.spans.len()), (2000, 1));
    let shorter: Vec<String> = (0..2000).map(|_| "가나다라마바사아".repeat(2)).collect();
    let index = super::tests::index(&shorter, 13, 8);
    let found = index.search(&Units::new(&"가나다라마바사아 ".repeat(50_000), Unit::Syllable), 0.5);
    assert_eq!((found.matches.len(), found.spans.len()), (2000, 1));
}

#[test]
fn cuts_by_hand() {
    let cut_at = |text: &str, parts: &[&str]| {
        let spans: Vec<(usize, usize)> =
            parts.iter().map(|part| (text.find(part).unwrap(), text.find(part).unwrap() + part.len())).collect();
        cut(text, &spans)
    };
    assert_eq!(cut_at("가 나 다", &[]), None);
    assert_eq!(cut_at("가 나 다", &["나"]).as_deref(), Some("가 다"));
    assert_eq!(cut_at("앞 \"나다\"를 뒤", &["나다"]).as_deref(), Some("앞 뒤"));
    assert_eq!(cut_at("앞\n- 나다.\n뒤", &["나다"]).as_deref(), Some("앞\n뒤"));
    assert_eq!(cut_at("앞\n나다", &["나다"]).as_deref(), Some("앞\n"));
    assert_eq!(cut_at("나\n다\n라", &["나\n다"]).as_deref(), Some("라"));
    assert_eq!(cut_at("가나 다라 마바", &["나", "라"]).as_deref(), Some("마바"));
    assert_eq!(cut_at("가", &["가"]).as_deref(), Some(""));
}

#[test]
fn files_that_cannot_be_used_are_named() {
    let load = |files: &str| {
        let config: DecontaminateConfig = toml::from_str(&format!("files = {files}")).unwrap();
        config.check().and_then(|()| config.load().map(drop)).unwrap_err().to_string()
    };
    for (files, named) in [
        ("['/no/such/file.jsonl']", "/no/such/file.jsonl"),
        ("['cases/decontaminate.md']", "format"),
        ("['cases/decontaminate.jsonl']", "text"),
        ("[{ path = 'cases/decontaminate.jsonl', fields = ['question'], format = 'xml' }]", "xml"),
        ("[{ path = 'cases/decontaminate.jsonl', fields = ['choices'] }]", "choices"),
    ] {
        let error = load(files);
        assert!(error.contains(named), "{files}: {error}");
    }
    assert!(toml::from_str::<DecontaminateConfig>("files = [{ path = 'a', field = ['b'] }]").is_err());
}

#[test]
fn findings_say_where() {
    let config: DecontaminateConfig =
        toml::from_str("files = [{ path = 'cases/decontaminate.jsonl', fields = ['question', 'choices'] }]\naction = 'count'").unwrap();
    let filter = config.load().unwrap();
    assert_eq!(filter.eval_sets(), [EvalSet { name: "decontaminate".into(), items: 4, searchable: 3 }]);
    let (mut document, mut metrics) = (document("앞. 세종대왕이 창제한 글자의 이름은 무엇인가?"), Metrics::new());
    assert!(filter.apply(&mut document, &mut metrics).is_keep());
    let [finding] = metrics.findings() else { panic!("{:?}", metrics.findings()) };
    assert_eq!((finding.item.as_str(), finding.field.as_str(), finding.overlap), ("decontaminate:letters", "question", 1.0));
    assert_eq!(&document.text[finding.start..finding.end], "세종대왕이 창제한 글자의 이름은 무엇인가");
    assert_eq!(finding.excerpt, "세종대왕이 창제한 글자의 이름은 무엇인가");
}

/// The items that a spec reads of a folder with these files.
fn items(files: &[(&str, &str)], spec: &str) -> Result<Vec<String>, String> {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let spec = spec.replace("DIR", folder.path().to_str().unwrap());
    let config: DecontaminateConfig = toml::from_str(&spec).unwrap();
    config.check().map_err(|error| error.to_string())?;
    let mut index = Index::new(config.unit, config.ngram, config.min_words);
    sets::read(&config.files, &mut index)?;
    let paths = sets::paths(&config.files)?;
    assert!(!paths.is_empty() && paths.iter().all(|path| std::path::Path::new(path).is_file()), "{paths:?}");
    Ok(index.ids().into_iter().map(str::to_owned).collect())
}

#[test]
fn published_forms_of_evaluation_sets_are_read() {
    let korquad = r#"{"version": "x", "data": [{"title": "t", "paragraphs": [{"context": "글",
        "qas": [{"id": "q-1", "question": "누가?", "answers": []}, {"id": "q-2", "question": "언제?", "answers": []}]}]}]}"#;
    let klue = r#"[{"guid": "nli-0", "premise": "가", "hypothesis": "나"}, {"guid": "nli-1", "premise": "다", "hypothesis": "라"}]"#;
    let spec = |entry: &str| format!("files = [{entry}]");
    let read = |files: &[(&str, &str)], entry: &str| items(files, &spec(entry));
    let quad = [("dev.json", korquad)];
    assert_eq!(read(&quad, "{ path = 'DIR/dev.json', fields = ['question'] }").unwrap(), ["dev:q-1", "dev:q-2"]);
    // A paragraph with its questions is one item; it has no id of its own.
    assert_eq!(read(&quad, "{ path = 'DIR/dev.json', fields = ['context', 'question'] }").unwrap(), ["dev:dev.json#1"]);
    assert_eq!(
        read(&[("nli.json", klue)], "{ path = 'DIR', name = 'klue', fields = ['premise', 'hypothesis'] }").unwrap(),
        ["klue:nli-0", "klue:nli-1"]
    );
    // JSON lines that are called JSON.
    let lines = "{\"text\": \"가\", \"id\": 7}\n{\"text\": \"나\", \"id\": 8}\n";
    assert_eq!(read(&[("a.json", lines)], "'DIR/a.json'").unwrap(), ["a:7", "a:8"]);
    // A folder: every file that its name tells of, and no other.
    let folder = [
        ("law/test.csv", "text\n가\n"),
        ("law/dev.csv", "text\n나\n"),
        ("b.jsonl", "{\"id\": \"b\", \"text\": \"다\"}\n"),
        ("README.md", "#"),
        (".hidden.csv", "x\n1\n"),
    ];
    assert_eq!(read(&folder, "{ path = 'DIR', name = 's' }").unwrap().len(), 3);
    for (files, entry, complaint) in [
        (&folder[3..], "'DIR'", "no file in it is called as one of jsonl, json"),
        (&folder[3..4], "'DIR/README.md'", "give a table with `path` and `format`"),
        (&folder[..1], "{ path = 'DIR', fields = ['question'] }", "`fields` names the fields of an item"),
        (&quad[..], "'DIR/dev.json'", "no object in it has `text`"),
        (&[("a.json", "[{]")][..], "'DIR/a.json'", "not JSON"),
        (&quad[..], "{ path = 'DIR/dev.json', format = 'xml' }", "`xml` is none of jsonl, json"),
    ] {
        let error = read(files, entry).unwrap_err();
        assert!(error.contains(complaint), "{error}");
    }
}
