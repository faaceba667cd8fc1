//! Duplicates by address, by line, by passage, and against another run.

use serde_json::json;

use crate::corpus::{Corpus, english, korean};
use crate::malmoi::{all_lines, call, done, outputs};

fn recipe(name: &str, files: &str, dedup: &str) -> String {
    format!(
        "output = 'out/{name}'\nheld-out = 0.2\npart-bytes = 8000\n[[sources]]\nname = 'ko'\nbucket = 'korean'\nfiles = '{files}'\n\
         format = 'jsonl'\nurl-field = 'url'\n[[sources]]\nname = 'en'\nbucket = 'english'\nfiles = 'en.jsonl'\nformat = 'jsonl'\n\
         [dedup]\n{dedup}\n[tokenizer]\nbytes = true\n"
    )
}

/// Forty pages between a menu and a footer; the addresses of two lead to one page, and one page is
/// nothing but the frame.
fn corpus() -> Corpus {
    let corpus = Corpus::new();
    let page = |id: String, url: String, text: &str| {
        let text = format!("처음으로 로그인 회원가입\n\n{text}\n이 누리집의 모든 글은 저작권법의 보호를 받습니다.\n");
        format!("{}\n", json!({ "id": id, "url": url, "text": text }))
    };
    let mut old: String =
        (0..40).map(|at| page(format!("old-{at}"), format!("https://www.a.kr/{at}/?utm_source=x"), &korean(at))).collect();
    old.push_str(&page("old-again".into(), "http://a.kr/7".into(), "짧게 줄어든 쪽"));
    old.push_str(&page("old-frame".into(), "http://a.kr/frame".into(), ""));
    std::fs::write(corpus.path().join("old.jsonl"), old).unwrap();
    let mut new: String = (30..50).map(|at| page(format!("new-{at}"), format!("https://b.kr/{at}"), &korean(at))).collect();
    new.push_str(&page("new-moved".into(), "https://a.kr/3#top".into(), &korean(90)));
    std::fs::write(corpus.path().join("new.jsonl"), new).unwrap();
    let english: String = (0..12)
        .map(|at| format!("{}\n", json!({ "id": format!("en-{at}"), "text": format!("Home | Login | About us\n{}", english(at)) })))
        .collect();
    std::fs::write(corpus.path().join("en.jsonl"), english).unwrap();
    corpus
}

const LINES: &str = "url = true\nminhash = {}\nlines = { max-documents = 5, buckets = { english = 0 } }";

#[test]
fn lines_are_left_out_of_the_shards_and_stay_in_the_documents() {
    let corpus = corpus();
    corpus.recipe("old.toml", &recipe("old", "old.jsonl", LINES));
    done(corpus.path(), &["build", "old.toml", "--jobs", "1"]);
    let run = corpus.out("old");
    let trimmed = all_lines(&run.join("lines"));
    // 42 pages, one of which is another's address; the best one keeps its frame.
    assert_eq!(trimmed.len(), 40);
    assert!(trimmed.iter().all(|line| line["lines"] == 2 && line["cut"].as_array().unwrap().len() <= 2), "{trimmed:?}");
    assert!(trimmed.iter().all(|line| line["id"].as_str().unwrap().starts_with("old-")));
    let duplicates = all_lines(&run.join("duplicates"));
    assert_eq!(duplicates.len(), 1);
    assert_eq!((&duplicates[0]["id"], &duplicates[0]["kind"], &duplicates[0]["of"]), (&json!("old-again"), &json!("url"), &json!("old-7")));
    let audit = done(corpus.path(), &["audit", "out/old", "--deep"]).stdout;
    assert!(audit.contains(" 0 faults"), "{audit}");
    let stats: serde_json::Value = serde_json::from_slice(&std::fs::read(run.join("stats.json")).unwrap()).unwrap();
    assert_eq!(stats["sources"][0]["trimmed"]["documents"], 39);
    assert_eq!(stats["duplicates"]["kinds"]["lines"]["documents"], 1);
    assert!(done(corpus.path(), &["card", "out/old"]).stdout.contains("`dedup/lines`"));
    let why = done(corpus.path(), &["explain", "--doc", "old-5", "--run", "out/old"]).stdout;
    assert!(why.contains("lost       2 lines") && why.contains("저작권법"), "{why}");
    // A document of which nothing is left is nowhere among those that stayed.
    let why = done(corpus.path(), &["explain", "--doc", "old-frame", "--run", "out/old"]).stdout;
    assert!(why.starts_with("old-frame: dropped by dedup/lines: nothing is left of it\n"), "{why}");
    let dropped = done(corpus.path(), &["sample", "out/old", "--dropped"]).stdout;
    assert!(dropped.contains("dedup/lines: 1 of 1 documents\n  old-frame  "), "{dropped}");
    let both = done(corpus.path(), &["sample", "out/old", "--reason", "dedup/lines", "-k", "99"]).stdout;
    let (shortened, dropped) = both.split_once("\ndedup/lines: 1 of 1 documents\n").unwrap();
    assert!(shortened.contains("shortened by dedup/lines: 39 of 39 documents") && !shortened.contains("old-frame"), "{both}");
    assert!(dropped.starts_with("  old-frame  "), "{both}");

    // Threads and the cut into parts decide nothing.
    done(corpus.path(), &["build", "old.toml", "--jobs", "4", "--set", "output=out/four"]);
    assert!(outputs(&run) == outputs(&corpus.out("four")));
    done(corpus.path(), &["build", "old.toml", "--set", "output=out/whole", "--set", "part-bytes=10000000"]);
    let without_rows = |run: &str| {
        let mut lines = all_lines(&corpus.out(run).join("lines"));
        lines.iter_mut().for_each(|line| drop(line.as_object_mut().unwrap().remove("row")));
        lines
    };
    assert_eq!(without_rows("old"), without_rows("whole"));

    // Without `lines` they are in the shards again.
    done(corpus.path(), &["build", "old.toml", "--set", "dedup={ url = true, minhash = {} }"]);
    let compared = done(corpus.path(), &["report", "out/old", "--against", "out/four"]).stdout;
    assert!(compared.contains("dedup/lines → kept: 1\n  old-frame  "), "{compared}");
    assert!(!run.join("lines").exists());
    assert!(done(corpus.path(), &["audit", "out/old"]).stdout.contains(" 0 faults"));
}

#[test]
fn passages_are_left_out_of_the_shards_and_stay_in_the_documents() {
    let corpus = corpus();
    let law = korean(70);
    let pages: String = (0..12)
        .map(|at| {
            let text = match at {
                0 => law.clone(),
                at if at % 3 == 0 => format!("{}\n\n{law}\n\n{}", korean(at), korean(at + 100)),
                at => korean(at),
            };
            format!("{}\n", json!({ "id": format!("page-{at}"), "text": text }))
        })
        .collect();
    std::fs::write(corpus.path().join("old.jsonl"), pages).unwrap();
    corpus.recipe("old.toml", &recipe("old", "old.jsonl", "substrings = { min-words = 12, buckets = { english = 0 } }"));
    done(corpus.path(), &["build", "old.toml", "--jobs", "1"]);
    let run = corpus.out("old");
    let cut = all_lines(&run.join("substrings"));
    let ids: Vec<&str> = cut.iter().map(|line| line["id"].as_str().unwrap()).collect();
    // The longest document that has it keeps it, and the page that is nothing else is left out.
    assert_eq!(ids.len(), 3, "{cut:?}");
    assert!(ids.contains(&"page-0") && cut.iter().all(|line| line["words"] == cut[0]["words"]), "{cut:?}");
    let audit = done(corpus.path(), &["audit", "out/old", "--deep"]).stdout;
    assert!(audit.contains(" 0 faults"), "{audit}");
    let stats: serde_json::Value = serde_json::from_slice(&std::fs::read(run.join("stats.json")).unwrap()).unwrap();
    assert_eq!(stats["sources"][0]["excerpted"]["documents"], 2);
    assert_eq!(stats["duplicates"]["kinds"]["substrings"]["documents"], 1);
    assert!(done(corpus.path(), &["card", "out/old"]).stdout.contains("`dedup/substrings`"));
    let cut_page = ids.iter().find(|id| **id != "page-0").unwrap();
    let why = done(corpus.path(), &["explain", "--doc", cut_page, "--run", "out/old"]).stdout;
    assert!(why.contains("in passages that stand elsewhere too") && why.contains(&law[..30]), "{why}");
    let of = cut.iter().find(|line| line["id"] == **cut_page).unwrap()["elsewhere"][0]["of"].as_str().unwrap().to_owned();
    assert!(why.contains(&format!("words stand in {of} too (part ")), "{why}");
    let sample = done(corpus.path(), &["sample", "out/old", "--reason", "dedup/substrings", "-k", "9"]).stdout;
    assert!(
        sample.starts_with("shortened by dedup/substrings: 2 of 2 documents")
            && sample.contains("\ndedup/substrings: 1 of 1 documents\n  page-0")
            && sample.contains(&format!("stand in {of} too")),
        "{sample}"
    );
    assert!(!done(corpus.path(), &["sample", "out/old", "--dropped"]).stdout.contains("shortened by"));
    assert_eq!(stats["duplicates"]["passages"].as_array().unwrap().len(), 3);
    assert_eq!(stats["duplicates"]["passages"][0]["of"], of);

    // Threads and the cut into parts decide nothing; what is current is not made again.
    done(corpus.path(), &["build", "old.toml", "--jobs", "4", "--set", "output=out/four", "--set", "dedup.memory=1048576"]);
    assert_eq!(all_lines(&corpus.out("four").join("substrings")), cut);
    assert!(done(corpus.path(), &["build", "old.toml"]).stderr.contains("dedup: current"));
    done(corpus.path(), &["build", "old.toml", "--set", "output=out/whole", "--set", "part-bytes=10000000"]);
    let without_rows = |run: &str| {
        let mut lines = all_lines(&corpus.out(run).join("substrings"));
        lines.iter_mut().for_each(|line| drop(line.as_object_mut().unwrap().remove("row")));
        lines
    };
    assert_eq!(without_rows("old"), without_rows("whole"));

    // What a stopped dedup left is not taken for the outputs of the recipe before.
    std::fs::remove_dir_all(run.join("substrings")).unwrap();
    std::fs::write(run.join("substrings"), "").unwrap();
    let outcome = call(corpus.path(), &["build", "old.toml", "--set", "dedup={ substrings = { min-words = 9 } }"]);
    assert!(outcome.code == 2 && outcome.stderr.contains("substrings"), "{}", outcome.stderr);
    std::fs::remove_file(run.join("substrings")).unwrap();
    assert!(done(corpus.path(), &["build", "old.toml"]).stderr.contains("dedup: 1 done"));
    assert_eq!(all_lines(&run.join("substrings")), cut);

    // A bucket that nobody fills is a mistake, and without `substrings` all is in the shards again.
    let outcome = call(corpus.path(), &["build", "old.toml", "--set", "dedup={ substrings = { buckets = { englsh = 0 } } }"]);
    assert!(outcome.code == 2 && outcome.stderr.contains("`substrings.buckets` names `englsh`"), "{}", outcome.stderr);
    done(corpus.path(), &["build", "old.toml", "--set", "dedup={}"]);
    assert!(!run.join("substrings").exists());
    assert!(done(corpus.path(), &["audit", "out/old"]).stdout.contains(" 0 faults"));
}

#[test]
fn documents_go_out_as_they_are_trained_on() {
    let corpus = corpus();
    corpus.recipe("old.toml", &recipe("old", "old.jsonl", LINES).replace("[dedup]", "[[filters]]\nlength = { min-chars = 40 }\n[dedup]"));
    done(corpus.path(), &["build", "old.toml"]);
    let run = corpus.out("old");
    let stats: serde_json::Value = serde_json::from_slice(&std::fs::read(run.join("stats.json")).unwrap()).unwrap();
    done(corpus.path(), &["data", "documents", "out/old", "kept", "--format", "jsonl"]);
    let kept = all_lines(&corpus.path().join("kept"));
    assert_eq!(
        kept.len() as u64,
        stats["sources"].as_array().unwrap().iter().map(|source| source["kept"]["documents"].as_u64().unwrap()).sum::<u64>()
    );
    // What `lines` took is gone from all but the best page, which ends as it did.
    assert_eq!(kept.iter().filter(|line| line["text"].as_str().unwrap().contains("저작권법")).count(), 1);
    assert!(kept.iter().all(|line| line["outcome"] == "kept" && line["metrics"]["chars"].as_f64().unwrap() >= 40.0));
    let of = |id: &str| kept.iter().find(|line| line["id"] == id).unwrap();
    assert_eq!((&of("old-7")["cluster"], &of("old-8")["cluster"]), (&json!(2), &json!(1)));
    assert_eq!(of("old-5")["text"].as_str().unwrap().trim(), korean(5).trim());

    done(corpus.path(), &["data", "documents", "out/old", "gone", "--format", "jsonl", "--dropped"]);
    let gone = all_lines(&corpus.path().join("gone"));
    let told = |id: &str| {
        gone.iter().find(|line| line["id"] == id).map(|line| (line["outcome"].clone(), line["rule"].clone(), line["of"].clone()))
    };
    assert_eq!(told("old-again"), Some((json!("duplicate"), json!("dedup/url"), json!("old-7"))));
    assert_eq!(told("old-frame"), Some((json!("duplicate"), json!("dedup/lines"), json!(""))));
    assert_eq!(kept.len() + gone.len(), 42 + 12);

    // The same in Parquet, and again the same bytes.
    for folder in ["a", "b"] {
        done(corpus.path(), &["data", "documents", "out/old", folder, "--jobs", if folder == "a" { "1" } else { "3" }]);
    }
    let mut names: Vec<_> = std::fs::read_dir(corpus.path().join("a")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    let mut texts: Vec<(String, String)> = Vec::new();
    for name in &names {
        let [one, other] = ["a", "b"].map(|folder| corpus.path().join(folder).join(name));
        assert!(std::fs::read(&one).unwrap() == std::fs::read(other).unwrap());
        if one.ends_with("README.md") {
            continue;
        }
        let frame = corpora::table::read(&one).unwrap();
        assert_eq!(frame.column("metrics.chars").unwrap().null_count(), 0);
        let (ids, bodies) = (frame.column("id").unwrap().str().unwrap(), frame.column("text").unwrap().str().unwrap());
        texts.extend((0..frame.height()).map(|at| (ids.get(at).unwrap().to_owned(), bodies.get(at).unwrap().to_owned())));
    }
    let lines: Vec<(String, String)> =
        kept.iter().map(|line| (line["id"].as_str().unwrap().to_owned(), line["text"].as_str().unwrap().to_owned())).collect();
    assert_eq!(texts, lines);

    let outcome = call(corpus.path(), &["data", "documents", "out/old", "a"]);
    assert!(outcome.code == 2 && outcome.stderr.contains("a is not empty"), "{}", outcome.stderr);
    std::fs::remove_file(run.join("duplicates/summary.json")).unwrap();
    let outcome = call(corpus.path(), &["data", "documents", "out/old", "c"]);
    assert!(outcome.code == 2 && outcome.stderr.contains("is not deduplicated"), "{}", outcome.stderr);
}

#[test]
fn passages_of_an_old_run_are_cut_out_of_a_new_one() {
    let corpus = corpus();
    let page = |id: &str, text: String| format!("{}\n", json!({ "id": id, "text": text }));
    let (law, other) = (korean(70), korean(71));
    std::fs::write(
        corpus.path().join("old.jsonl"),
        page("law", format!("{law}\n\n{other}")) + &page("quote", format!("{}\n\n{law}", korean(1))),
    )
    .unwrap();
    std::fs::write(corpus.path().join("new.jsonl"), page("post", format!("{}\n\n{other}\n\n{}", korean(2), korean(3)))).unwrap();
    let dedup = "substrings = { min-words = 12 }";
    corpus.recipe("old.toml", &recipe("old", "old.jsonl", dedup));
    corpus.recipe("new.toml", &recipe("new", "new.jsonl", &format!("{dedup}\nagainst = ['out/old']")));
    done(corpus.path(), &["build", "old.toml"]);
    // What is left of the old run is not known while its deduplication is not finished.
    std::fs::rename(corpus.out("old").join("recipe.lock"), corpus.path().join("lock")).unwrap();
    let outcome = call(corpus.path(), &["plan", "new.toml"]);
    assert!(outcome.code == 2 && outcome.stderr.contains("is not deduplicated") && outcome.stderr.contains("hint: "), "{}", outcome.stderr);
    std::fs::rename(corpus.path().join("lock"), corpus.out("old").join("recipe.lock")).unwrap();
    done(corpus.path(), &["build", "new.toml"]);
    let cut = all_lines(&corpus.out("new").join("substrings"));
    assert_eq!(cut.len(), 1, "{cut:?}");
    let elsewhere = &cut[0]["elsewhere"][0];
    assert_eq!((&cut[0]["id"], &elsewhere["of"], &elsewhere["words"]), (&json!("post"), &json!("law"), &cut[0]["words"]));
    assert!(elsewhere["of-run"].as_str().unwrap().ends_with("out/old"));
    let why = done(corpus.path(), &["explain", "--doc", "post", "--run", "out/new"]).stdout;
    assert!(why.contains("words stand in law too (part ko-") && why.contains("out/old"), "{why}");
    let audit = done(corpus.path(), &["audit", "out/new", "--deep"]).stdout;
    assert!(audit.contains(" 0 faults"), "{audit}");
    assert!(done(corpus.path(), &["build", "new.toml"]).stderr.contains("dedup: current"));
    // Another deduplication of the old run is another result here.
    done(corpus.path(), &["build", "old.toml", "--set", "dedup={ substrings = { min-words = 9 } }"]);
    assert!(done(corpus.path(), &["build", "new.toml"]).stderr.contains("dedup: 1 done"));
}

#[test]
fn a_new_run_is_compared_with_an_old_one() {
    let corpus = corpus();
    corpus.recipe("old.toml", &recipe("old", "old.jsonl", LINES));
    done(corpus.path(), &["build", "old.toml"]);
    corpus.recipe("new.toml", &recipe("new", "new.jsonl", &format!("{LINES}\nagainst = ['out/old']")));
    done(corpus.path(), &["build", "new.toml"]);
    let duplicates = all_lines(&corpus.out("new").join("duplicates"));
    let of = |id: &str| duplicates.iter().find(|line| line["id"] == id).unwrap();
    assert_eq!((&of("new-33")["kind"], &of("new-33")["of"]), (&json!("exact"), &json!("old-33")));
    assert_eq!((&of("new-moved")["kind"], &of("new-moved")["of"]), (&json!("url"), &json!("old-3")));
    assert!(of("new-33")["of-run"].as_str().unwrap().ends_with("out/old"));
    // Ten pages, one address, and all of the English side, which is the same in both.
    assert_eq!(duplicates.len(), 10 + 1 + 12);
    let audit = done(corpus.path(), &["audit", "out/new", "--deep"]).stdout;
    assert!(audit.contains(" 0 faults"), "{audit}");
    let why = done(corpus.path(), &["explain", "--doc", "new-33", "--run", "out/new"]).stdout;
    assert!(why.contains("of old-33 (part ") && why.contains("out/old), which stays"), "{why}");
    assert!(why.contains("  stays      old-33 of ") && why.contains(" documents: it was there before this run\n"), "{why}");
    assert!(done(corpus.path(), &["build", "new.toml"]).stderr.contains("dedup: current"));

    let outcome = call(corpus.path(), &["build", "new.toml", "--set", "dedup.minhash.seed=9"]);
    assert!(outcome.code == 2 && outcome.stderr.contains("other settings") && outcome.stderr.contains("hint: "), "{}", outcome.stderr);
    let outcome = call(corpus.path(), &["build", "new.toml", "--set", "dedup.against=[\"out/nothing\"]"]);
    assert!(outcome.code == 2 && outcome.stderr.contains("out/nothing"), "{}", outcome.stderr);
    let outcome = call(corpus.path(), &["build", "new.toml", "--set", "dedup.against=[\"out/new\"]"]);
    assert!(outcome.code == 2 && outcome.stderr.contains("own `output`"), "{}", outcome.stderr);
}

/// Share of runs of five words in common.
fn jaccard(a: &str, b: &str) -> f64 {
    let set = |text: &str| {
        let words: Vec<String> = text.split_whitespace().map(str::to_lowercase).collect();
        words.windows(5).map(<[String]>::to_vec).collect::<std::collections::BTreeSet<_>>()
    };
    let (a, b) = (set(a), set(b));
    let common = a.intersection(&b).count();
    common as f64 / (a.len() + b.len() - common) as f64
}

#[test]
fn verified_duplicates_have_their_true_similarity() {
    let corpus = Corpus::new();
    let near = |at: u64| format!("{} {}", korean(at), vec!["나중에 덧붙인 말이 조금 더 있다."; (at % 5) as usize + 1].join(" "));
    let texts: Vec<(String, String)> =
        (0..30).flat_map(|at| [(format!("old-{at}"), korean(at)), (format!("near-{at}"), near(at))]).collect();
    let lines: String = texts.iter().map(|(id, text)| format!("{}\n", json!({ "id": id, "text": text }))).collect();
    std::fs::write(corpus.path().join("old.jsonl"), lines).unwrap();
    std::fs::write(corpus.path().join("en.jsonl"), format!("{}\n", json!({ "id": "en", "text": english(1) }))).unwrap();
    corpus.recipe("old.toml", &recipe("old", "old.jsonl", "minhash = { shingle = 'word', bands = 64, rows = 2, verify = 0.7 }"));
    done(corpus.path(), &["build", "old.toml", "--jobs", "1"]);
    let text = |id: &serde_json::Value| &texts.iter().find(|(known, _)| id == known.as_str()).unwrap().1;
    let duplicates = all_lines(&corpus.out("old").join("duplicates"));
    assert!(!duplicates.is_empty());
    for duplicate in &duplicates {
        let truth = jaccard(text(&duplicate["id"]), text(&duplicate["of"]));
        assert!((duplicate["similarity"].as_f64().unwrap() - truth).abs() < 1e-6 && truth >= 0.7, "{duplicate} {truth}");
    }
    // Of each pair that is so alike one is gone.
    let alike = (0..30).filter(|at| jaccard(&korean(*at), &near(*at)) >= 0.7).count();
    assert!(alike > 0 && duplicates.len() >= alike, "{alike} pairs, {} duplicates", duplicates.len());
    assert!(done(corpus.path(), &["audit", "out/old", "--deep"]).stdout.contains(" 0 faults"));
    done(corpus.path(), &["build", "old.toml", "--jobs", "4", "--set", "output=out/four"]);
    assert!(outputs(&corpus.out("old")) == outputs(&corpus.out("four")));
    // Another limit needs no text to be cleaned again, and finds fewer.
    done(corpus.path(), &["build", "old.toml", "--set", "dedup.minhash.verify=0.95"]);
    assert!(all_lines(&corpus.out("old").join("duplicates")).len() < duplicates.len());
}
