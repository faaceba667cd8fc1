//! Questions to a finished run: sample, whatif, report --against, card.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use crate::corpus::{Corpus, jsonl};
use crate::malmoi::{all_lines, call, done};

/// The `--json` objects with this reason.
fn events(folder: &Path, arguments: &[&str], reason: &str) -> Vec<Value> {
    let lines: Vec<Value> =
        done(folder, &[arguments, &["--json"]].concat()).stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    lines.into_iter().filter(|line| line["reason"] == reason).collect()
}

/// Documents by rule, and kept documents by bucket, of a run's own counts.
fn counts(run: &Path) -> (BTreeMap<String, u64>, BTreeMap<String, u64>) {
    let (mut rules, mut kept) = (BTreeMap::new(), BTreeMap::new());
    for entry in std::fs::read_dir(run.join("stats")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "json") {
            let stats: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
            *kept.entry(stats["bucket"].as_str().unwrap().to_owned()).or_default() += stats["kept"]["documents"].as_u64().unwrap();
            for (rule, count) in stats["rejected"].as_object().unwrap() {
                *rules.entry(rule.clone()).or_default() += count["documents"].as_u64().unwrap();
            }
        }
    }
    (rules, kept)
}

/// What `whatif` says of the settings: documents by rule and kept by bucket then, and unknown ones.
fn whatif(folder: &Path, settings: &[&str]) -> (BTreeMap<String, u64>, BTreeMap<String, u64>, u64) {
    let answer = events(folder, &[&["whatif", "out/run"], settings].concat(), "whatif").remove(0);
    let rules = answer["rules"].as_object().unwrap().iter().map(|(rule, count)| (rule.clone(), count["then"].as_u64().unwrap()));
    let kept = answer["buckets"].as_object().unwrap().iter();
    let kept = kept.map(|(bucket, sums)| (bucket.clone(), sums["kept-then"]["documents"].as_u64().unwrap()));
    (rules.filter(|(_, count)| *count > 0).collect(), kept.collect(), answer["total"]["unknown"]["documents"].as_u64().unwrap())
}

#[test]
fn whatif_says_what_a_run_with_the_other_limits_gives() {
    let corpus = Corpus::new();
    done(corpus.path(), &["build", "recipe.toml"]);
    let cases: [&[(&str, &str)]; 4] = [
        &[("3.gopher-repetition.top-2-gram", "0.06")],
        &[("3.gopher-repetition.duplicate-5-gram", "0.03"), ("3.gopher-repetition.top-3-gram", "0.05")],
        &[("1.length.min-chars", "560")],
        &[("1.length.max-chars", "570"), ("2.language.min-confidence", "0.99")],
    ];
    for case in cases {
        let asked: Vec<String> = case.iter().map(|(option, value)| format!("filters.{option}={value}")).collect();
        let (rules, kept, unknown) = whatif(corpus.path(), &asked.iter().map(String::as_str).collect::<Vec<_>>());
        let mut again = vec!["stage", "clean", "recipe.toml", "--set", "output=out/other"];
        asked.iter().for_each(|setting| again.extend(["--set", setting]));
        done(corpus.path(), &again);
        let (before, _) = counts(&corpus.out("run"));
        let truth = counts(&corpus.out("other"));
        assert_ne!(truth.0, before, "{asked:?} changes nothing");
        assert_eq!(((rules, kept), unknown), (truth, 0), "{asked:?}");
    }
}

#[test]
fn whatif_does_not_guess_what_was_never_measured() {
    let corpus = Corpus::new();
    done(corpus.path(), &["build", "recipe.toml"]);
    // `ko-short` has two characters: with a limit of one it would go on to `language`.
    let (rules, kept, unknown) = whatif(corpus.path(), &["length.min-chars=1"]);
    assert_eq!((rules.get("length/chars"), unknown, kept["korean"]), (None, 1, 122));
    let text = done(corpus.path(), &["whatif", "out/run", "length.min-chars=1"]).stdout;
    assert!(text.contains("ko-short  [korean]  length/chars 2 < 40 → not measured by language"), "{text}");
    assert!(text.contains("between 258 and 259 would be kept"), "{text}");
    // Two documents fail before or at the filter in question: the Chinese one stays dropped.
    let answer = events(corpus.path(), &["whatif", "out/run", "gopher-repetition.top-2-gram=0.3"], "whatif").remove(0);
    assert_eq!(answer["total"]["dropped-earlier"], 0, "{answer}");
    let answer = events(corpus.path(), &["whatif", "out/run", "language.min-confidence=0.4"], "whatif").remove(0);
    assert_eq!((&answer["total"]["dropped-earlier"], &answer["rules"]["language/not-kept"]["then"]), (&1.into(), &1.into()), "{answer}");
    let refused = call(corpus.path(), &["whatif", "out/run", "normalize.form=nfkc"]);
    assert!(refused.code == 2 && refused.stderr.contains("hint: what can be asked:\n  length: min-chars"), "{}", refused.stderr);
    let korean = done(corpus.path(), &["whatif", "out/run", "length.min-chars=1", "--lang", "ko"]).stdout;
    assert!(korean.contains("바꾸면 통과") && korean.contains("258건에서 259건 사이"), "{korean}");
}

#[test]
fn samples_are_of_their_group_and_the_same_again() {
    let corpus = Corpus::new();
    done(corpus.path(), &["build", "recipe.toml"]);
    let groups = events(corpus.path(), &["sample", "out/run"], "sample-group");
    let size =
        |side: &str, name: &str| groups.iter().find(|group| group["group"][side] == name).map(|group| group["documents"].as_u64().unwrap());
    let kind = |kind: &str| all_lines(&corpus.out("run/duplicates")).iter().filter(|line| line["kind"] == kind).count() as u64;
    assert_eq!(size("dropped", "dedup/exact"), Some(kind("exact")));
    assert_eq!((size("dropped", "length/chars"), size("dropped", "unreadable"), size("kept", "code")), (Some(1), Some(1), Some(40)));
    // The groups are the whole input: 124 Korean, 123 English (one unreadable) and 40 code records.
    assert_eq!(groups.iter().map(|group| group["documents"].as_u64().unwrap()).sum::<u64>(), 287);

    let ids = |arguments: &[&str]| -> Vec<String> {
        let found = events(corpus.path(), &[&["sample", "out/run"], arguments].concat(), "sample");
        found.iter().map(|sample| sample["document"]["id"].as_str().unwrap_or("-").to_owned()).collect()
    };
    assert_eq!(ids(&["--reason", "length"]), ["ko-short"]);
    let mut repeats = ids(&["--reason", "gopher-repetition", "-k", "99"]);
    let rejects = all_lines(&corpus.out("run/rejects"));
    let rule = |line: &Value| line["reason"]["rule"].as_str().unwrap_or_default().to_owned();
    let dropped = rejects.iter().filter(|line| rule(line).starts_with("repetition/")).map(|line| line["id"].as_str().unwrap().to_owned());
    let mut dropped: Vec<String> = dropped.collect();
    repeats.sort();
    dropped.sort();
    assert!(dropped.contains(&"en-repeats".to_owned()) && repeats == dropped, "{repeats:?}");
    let kept = ids(&["--kept", "--bucket", "korean", "-k", "7"]);
    assert!(kept.len() == 7 && kept.iter().all(|id| id.starts_with("ko-") && id != "ko-short" && id != "ko-exact"), "{kept:?}");
    assert_eq!(kept, ids(&["--kept", "--bucket", "korean", "-k", "7", "--jobs", "1"]));
    assert_ne!(kept, ids(&["--kept", "--bucket", "korean", "-k", "7", "--seed", "1"]));
    let exact = events(corpus.path(), &["sample", "out/run", "--reason", "dedup/exact", "-k", "9"], "sample");
    let of = exact.iter().find(|sample| sample["document"]["id"] == "ko-exact").unwrap();
    assert_eq!(of["why"], "exact 1.000 of ko-5");

    let text = done(corpus.path(), &["sample", "out/run", "--dropped"]).stdout;
    assert!(text.contains("length/chars: 1 of 1 documents\n  ko-short  [ko, 2 chars]  length/chars 2 < 40\n    짧다\n"), "{text}");
    assert!(!text.contains("kept ("), "{text}");
    let wrong = call(corpus.path(), &["sample", "out/run", "--reason", "spam"]);
    assert!(
        wrong.code == 2 && wrong.stderr.contains("what dropped or shortened documents: ") && wrong.stderr.contains("length/chars"),
        "{}",
        wrong.stderr
    );
    assert!(call(corpus.path(), &["sample", "out/run", "--bucket", "german"]).stderr.contains("it has: code, english, korean"));
    assert!(call(corpus.path(), &["sample", "data"]).stderr.contains("is no run folder"));
}

#[test]
fn two_runs_are_compared_document_by_document() {
    let corpus = Corpus::new();
    done(corpus.path(), &["build", "recipe.toml"]);
    // The other run: shorter texts pass, no near duplicates, other parts, one document more.
    let path = corpus.path().join("data/en.jsonl");
    let more = std::fs::read_to_string(&path).unwrap() + &jsonl("en-new", "Too short.");
    std::fs::write(path, more).unwrap();
    let set = [
        "--set",
        "output=out/new",
        "--set",
        "filters.1.length.min-chars=2",
        "--set",
        "dedup.simhash.max-distance=2",
        "--set",
        "part-bytes=20000",
    ];
    done(corpus.path(), &[["build", "recipe.toml"].as_slice(), &set].concat());

    let changed = events(corpus.path(), &["report", "out/new", "--against", "out/run"], "changed");
    let find = |id: &str| {
        changed.iter().find(|line| line["id"] == id).map(|line| (line["before"]["outcome"].clone(), line["after"]["outcome"].clone()))
    };
    assert_eq!(find("ko-short"), Some(("length/chars".into(), "kept".into())));
    assert_eq!(find("en-new").map(|(before, _)| before), Some("absent".into()));
    assert_eq!(find("ko-exact"), None);
    // Everything else that changed is a near duplicate of one run alone.
    for line in &changed {
        let near =
            [&line["before"], &line["after"]].iter().any(|fate| fate["outcome"] == "dedup/simhash" || fate["outcome"] == "dedup/minhash");
        assert!(near || line["id"] == "ko-short" || line["id"] == "en-new", "{line}");
    }
    let differences = events(corpus.path(), &["report", "out/new", "--against", "out/run"], "recipe-difference");
    let places: Vec<&str> = differences.iter().map(|line| line["place"].as_str().unwrap()).collect();
    assert_eq!(places, ["dedup.simhash.max-distance", "filters.length.min-chars", "part-bytes"]);
    let text = done(corpus.path(), &["report", "out/new", "--against", "out/run"]).stdout;
    assert!(text.starts_with("before: out/run\nafter: out/new\n"), "{text}");
    assert!(text.contains("  filters.length.min-chars: 40 → 2\n"), "{text}");
    assert!(text.contains("length/chars → kept: 1\n  ko-short  [ko]  length/chars 2 < 40 → kept\n"), "{text}");
    let input: Vec<&str> = text.lines().find(|line| line.starts_with("input")).unwrap().split_whitespace().collect();
    assert_eq!(input, ["input", "287", "288", "+1"]);
    assert!(text.contains("- rules as before ("), "{text}");
    // What one run alone has of a table is a line.
    done(corpus.path(), &["build", "recipe.toml", "--set", "output=out/url", "--set", "dedup.lines={max-documents=9}"]);
    let text = done(corpus.path(), &["report", "out/url", "--against", "out/run"]).stdout;
    assert!(text.contains("  dedup.lines: not set → max-documents = 9, min-chars = 10, unit = \"line\"\n"), "{text}");
    let same = done(corpus.path(), &["report", "out/run", "--against", "out/run", "--lang", "ko"]).stdout;
    assert!(same.contains("차이 없음") && same.contains("달라진 문서가 없습니다"), "{same}");
}

#[test]
fn a_card_has_the_facts_of_the_run_and_says_what_is_not_stated() {
    let corpus = Corpus::new();
    let recipe = crate::corpus::RECIPE.replacen("format = \"jsonl\"", "format = \"jsonl\"\nlicence = \"CC BY-SA 4.0\"", 1);
    corpus.recipe("licensed.toml", &recipe);
    done(corpus.path(), &["build", "licensed.toml"]);
    let card = done(corpus.path(), &["card", "out/run"]).stdout;
    let hash = |file: &str| blake3::hash(&std::fs::read(corpus.out("run").join(file)).unwrap()).to_hex().to_string();
    for line in [
        "# run\n".to_owned(),
        "| ko | korean | jsonl | CC BY-SA 4.0 | 124 | ".to_owned(),
        "| en | english | jsonl | not stated | 123 | ".to_owned(),
        "1. `length = { max-chars = 100000, min-chars = 40 }`".to_owned(),
        "| records read | 287 |\n| unreadable | 1 |\n".to_owned(),
        "| `length/chars` | 1 |\n".to_owned(),
        "vocabulary: 600; ".to_owned(),
        format!("- `recipe.toml`: `{}`", hash("recipe.toml")),
        format!("- `manifest.json`: `{}`", hash("manifest.json")),
    ] {
        assert!(card.contains(&line), "{line} is not in\n{card}");
    }
    // A licence is no reason to clean again.
    corpus.recipe("licensed.toml", &recipe.replace("CC BY-SA 4.0", "CC0"));
    let again = done(corpus.path(), &["build", "licensed.toml"]).stderr;
    assert!(again.contains("clean: current"), "{again}");
    assert!(done(corpus.path(), &["card", "out/run", "--lang", "ko"]).stdout.contains("| CC0 | 124 |"));
}

/// The card of a run says of which types its fields are: files of sources with different fields and metrics are read as one.
#[test]
#[allow(clippy::print_stdout)] // a test that cannot run says so
fn other_programs_read_the_documents() {
    let corpus = Corpus::new();
    // One source has addresses and fields, and is measured by another filter.
    let mut text = String::new();
    for at in 0..30 {
        let line = serde_json::json!({ "id": format!("web-{at}"), "text": crate::corpus::korean(500 + at), "url": format!("https://a.kr/{at}"), "year": 1990 + at });
        text.push_str(&format!("{line}\n"));
    }
    std::fs::write(corpus.path().join("data/web.jsonl"), text).unwrap();
    let recipe = crate::corpus::RECIPE.replacen(
        "[[filters]]",
        "[[sources]]\nname = \"web\"\nbucket = \"web\"\nfiles = \"data/web.jsonl\"\nformat = \"jsonl\"\nurl-field = \"url\"\n\
         keep-meta = [\"year\"]\n\n[[filters]]\npii = { only-buckets = [\"web\"] }\n[[filters]]",
        1,
    );
    corpus.recipe("mixed.toml", &recipe);
    done(corpus.path(), &["build", "mixed.toml"]);
    done(corpus.path(), &["data", "documents", "out/run", "lines", "--format", "jsonl"]);
    done(corpus.path(), &["data", "documents", "out/run", "tables"]);
    done(corpus.path(), &["data", "documents", "out/run", "dropped", "--dropped", "--format", "jsonl"]);
    // Every record is once among the kept or the others, with the columns of all lines.
    let (kept, dropped) = (all_lines(&corpus.path().join("lines")), all_lines(&corpus.path().join("dropped")));
    let mut places: Vec<(String, u64)> =
        kept.iter().chain(&dropped).map(|line| (line["part"].to_string(), line["row"].as_u64().unwrap())).collect();
    places.sort();
    places.dedup();
    assert_eq!((places.len(), kept.len() + dropped.len()), (287 + 30, 287 + 30));
    assert_eq!(dropped.iter().filter(|line| line["outcome"] == "unreadable" && line["why"] != "" && line["rule"] == "").count(), 1);
    for folder in ["lines", "dropped", "out/run/documents", "out/run/rejects", "out/run/duplicates"] {
        let all = all_lines(&corpus.path().join(folder));
        let lines: Vec<_> = all.iter().map(|line| line.as_object().unwrap()).collect();
        assert!(lines.iter().all(|line| line.keys().eq(lines[0].keys())), "{folder}");
        // `judged` is a text of JSON that has been read here.
        assert!(lines.iter().all(|line| line.iter().all(|(name, value)| !value.is_null() || name == "judged")), "{folder}");
    }
    let card = std::fs::read_to_string(corpus.out("run").join("README.md")).unwrap();
    assert!(card.starts_with("---\nconfigs:\n- config_name: documents\n") && card.contains("\n---\n\n# run\n"), "{card}");

    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/documents/check.py");
    let python = std::env::var("PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let asked =
        std::process::Command::new(python).current_dir(corpus.path()).args([script, "out/run", "lines", "tables", "chars"]).output();
    let answer = match asked {
        Ok(output) if output.status.success() => serde_json::from_slice::<BTreeMap<String, (u64, f64)>>(&output.stdout).unwrap(),
        Ok(output) => panic!("{}", String::from_utf8_lossy(&output.stderr)),
        Err(_) => BTreeMap::new(),
    };
    if answer.is_empty() {
        println!("skipped: no Python with `datasets` (PYTHON names one)");
        return;
    }
    let sum = |lines: &[Value]| lines.iter().filter_map(|line| line["metrics"]["chars"].as_f64()).sum::<f64>();
    let here = |folder: &str| {
        let lines = all_lines(&corpus.path().join(folder));
        (lines.len() as u64, sum(&lines))
    };
    let (documents, rejects, exported) = (here("out/run/documents"), here("out/run/rejects"), here("lines"));
    for (reader, found) in &answer {
        let expected = match reader.split_once(' ') {
            Some((_, "documents")) => documents,
            Some((_, "rejects")) => rejects,
            _ => exported, // as lines and as a table
        };
        assert!(found.0 == expected.0 && (found.1 - expected.1).abs() < 1e-3, "{reader}: {found:?}, not {expected:?}");
    }
}
