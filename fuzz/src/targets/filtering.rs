//! Filters and deduplication: settings, lists, evaluation sets, the files of trained models, and any text at all.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::AtomicBool;

use corpora::{Document, Role, Turn};
use filters::dedup::{self, DedupConfig, PartSignatures, SignatureReader, SignatureWriter, Signer};
use filters::{Chain, FilterSpec, LanguageModel, Metrics, Model, Verdict};
use serde_json::{Value, json};

use super::Seed::{File, Made, Text};
use super::{Target, seals, written};

const TEXT: &str = "오늘은 날씨가 맑아서 <b>공원</b>에 갔다. 전화는 010-1234-5678, mail a@b.kr.\nIt rains, they say; it rains.\n\nfn main() { let key = \"AKIAIOSFODNN7EXAMPLE\"; }\n";

pub(super) const TARGETS: [Target; 8] = [
    Target {
        name: "filters",
        seeds: &[Text(TEXT), Text("- 하나…\n- 둘…\n씨 발 시1발 ㅅㅂ\n무단전재 및 재배포 금지\n900101-1234568\ncookies cookies cookies")],
        run: |_, bytes| {
            let text = String::from_utf8_lossy(bytes);
            let turns = text.split("\n\n").map(|text| Turn { role: Role::User, text: text.to_owned() }).collect::<Vec<_>>();
            for turns in [Vec::new(), turns] {
                let document = Document { url: Some(text.lines().next().unwrap_or("").to_owned()), turns, ..document(&text) };
                let (mut once, mut again) = (document.clone(), document);
                let (verdict, metrics) = all_filters().apply(&mut once);
                assert_eq!(verdict, all_filters().apply(&mut again).0);
                assert!(once == again, "filtered again, a document is another");
                assert!(numbers(&metrics).all(f64::is_finite), "a metric is no number");
                if verdict == Verdict::Keep && !once.turns.is_empty() {
                    assert_eq!(once.text, corpora::joined(&once.turns));
                }
                let signer = Signer::new(&dedup_config());
                assert!(signer.sign(&once) == signer.sign(&again));
            }
        },
    },
    Target {
        name: "normalize",
        seeds: &[Text(TEXT), Text("\u{1112}\u{1161}\u{11ab}\u{200b}글\u{a0}\u{3000}ＡＢ\t\r\n\n\n\n끝ㅋㅋㅋㅋㅋ\u{85}")],
        run: |_, bytes| {
            let text = String::from_utf8_lossy(bytes);
            let Ok(chain) = chain(&[json!({ "normalize": { "form": "nfc" } })]) else { return };
            let mut once = document(&text);
            if chain.apply(&mut once).0 == Verdict::Keep {
                let mut twice = once.clone();
                assert_eq!(chain.apply(&mut twice).0, Verdict::Keep);
                assert!(once.text == twice.text, "normalized again, a text is another: {:?} {:?}", once.text, twice.text);
            }
        },
    },
    // An entry of `[[filters]]`, or `[dedup]`.
    Target {
        name: "settings",
        seeds: &[
            Text("gopher-repetition = { preset = \"gopher\", top-2-gram = 0.2, except-buckets = [\"code\"] }"),
            Text("language = { keep = [\"ko\", \"en\"], min-confidence = 0.65, lines = \"drop\" }"),
            Text("normalize = { form = \"nfc\", whitespace = \"prose\" }"),
            Text(
                "exact = true\nurl = true\nmemory = \"64MiB\"\nminhash = { ngram = 5, bands = 14, rows = 8, threshold = 0.7 }\nsimhash = {}\n",
            ),
        ],
        run: |_, bytes| {
            let Ok(text) = std::str::from_utf8(bytes) else { return };
            if let Ok(spec) = toml::from_str::<FilterSpec>(text) {
                let valid = spec.validate(&["web", "code"]).is_ok();
                let _ = (spec.rules(), spec.effect(), spec.buckets());
                if valid && spec.files().is_ok_and(|files| files.is_empty()) {
                    let chain = Chain::new(&[spec]).expect("valid settings make a filter");
                    let _ = chain.apply(&mut document(TEXT));
                }
            }
            if let Ok(config) = toml::from_str::<DedupConfig>(text)
                && config.validate().is_ok()
            {
                let _ = Signer::new(&config).sign(&document(TEXT));
            }
        },
    },
    Target {
        name: "lists",
        seeds: &[Text("# blocked\n*.a.kr\nhttps://www.b.kr/path?q=1\nxn--bj0bj06e.kr\n한국.kr\nbad phrase\n")],
        run: |folder, bytes| {
            let path = written(folder, "list.txt", bytes);
            let chains = [
                json!({ "url": { "domains": path, "prefixes": path } }),
                json!({ "url": { "only-domains": path } }),
                json!({ "c4-quality": { "preset": "c4", "bad-words": path } }),
            ];
            let text = String::from_utf8_lossy(bytes);
            for spec in chains {
                let Ok(chain) = chain(&[spec]) else { continue };
                for line in text.lines().take(8) {
                    let _ = chain.apply(&mut Document { url: Some(line.to_owned()), ..document(&text) });
                }
            }
        },
    },
    Target {
        name: "eval-set",
        seeds: &[
            Text("{\"data\": [{\"id\": 3, \"question\": \"오늘은 날씨가 어떤가?\", \"answer\": {\"text\": [\"맑다\"]}}]}"),
            Text(
                "{\"question\": \"It rains, they say\", \"answer\": \"yes\"}\n{\"question\": \"오늘은 날씨가 맑아서 공원에 갔다\", \"answer\": 1}\n",
            ),
        ],
        run: |folder, bytes| {
            for name in ["eval.json", "eval.jsonl"] {
                let path = written(folder, name, bytes);
                for action in ["drop", "remove-span"] {
                    let files = json!([{ "path": path, "fields": ["question", "answer"] }]);
                    let spec =
                        json!({ "decontaminate": { "files": files, "ngram": 2, "min-words": 1, "max-overlap": 0.0, "action": action } });
                    let Ok(chain) = chain(&[spec]) else { continue };
                    let mut document = document(TEXT);
                    let (_, metrics) = chain.apply(&mut document);
                    assert!(document.text.len() <= TEXT.len());
                    assert!(numbers(&metrics).all(f64::is_finite), "a metric is no number");
                }
            }
        },
    },
    // With a right checksum in the place of the one that a mutation leaves wrong, as the next ones.
    Target {
        name: "classifier",
        seeds: &[File("filters/cases/classifier.bin")],
        run: |folder, bytes| {
            for bytes in [bytes.to_vec(), seals::xxh3_last(bytes)] {
                let path = written(folder, "classifier.bin", &bytes);
                let Ok(model) = Model::load(&path) else { continue };
                assert!((0.0..=1.0).contains(&model.score(TEXT)));
                model.save(&path).expect("it is written");
                assert!(Model::load(&path).expect("it is read back") == model);
            }
        },
    },
    Target {
        name: "language-model",
        seeds: &[File("filters/cases/perplexity.bin")],
        run: |folder, bytes| {
            for bytes in [bytes.to_vec(), seals::xxh3_last(bytes)] {
                let path = written(folder, "perplexity.bin", &bytes);
                let Ok(model) = LanguageModel::load(&path) else { continue };
                assert!(model.perplexity(TEXT).is_none_or(|perplexity| perplexity.is_finite() && perplexity >= 0.0));
                model.save(&path).expect("it is written");
                let saved = std::fs::read(&path).expect("it is there");
                LanguageModel::load(&path).expect("it is read back").save(&path).expect("it is written again");
                assert!(std::fs::read(&path).expect("it is there") == saved, "written again, a model is another");
            }
        },
    },
    // The files between the stages of deduplication: signatures, keys, edges.
    Target {
        name: "shuffle",
        seeds: &[
            Made(|| scratch(|work| work.join("a.signatures"))),
            Made(|| scratch(|work| work.join("work/scatter-000000.bin"))),
            Made(|| scratch(|work| work.join("work/edges-000000.bin"))),
        ],
        run: |folder, bytes| {
            let sealed = seals::shuffle(bytes);
            for bytes in [bytes, &sealed] {
                let Ok(signatures) = SignatureReader::open(&written(folder, "fuzzed.signatures", bytes)) else { continue };
                for record in signatures.iter() {
                    let record = record.expect("all of it is checked");
                    let _ = (record.id().expect("all of it is checked"), record.signature());
                }
                let _ = deduplicate(folder, &[folder.join("fuzzed.signatures")]);
            }
            // As if an interrupted call had left it.
            let (parts, work) = (parts(folder), folder.join("work"));
            std::fs::create_dir_all(&work).expect("the folder can be made");
            written(&work, if sealed.starts_with(b"MALMOIED") { "edges-000000.bin" } else { "scatter-000000.bin" }, &sealed);
            let summary = deduplicate(folder, &parts);
            std::fs::remove_dir_all(&work).expect("the folder can be removed");
            if let Ok(summary) = summary {
                assert_eq!(summary.documents, 6);
            }
        },
    },
];

fn document(text: &str) -> Document {
    Document::new("1", text, "s", "web")
}

fn numbers(metrics: &Metrics) -> impl Iterator<Item = f64> + '_ {
    metrics.iter().map(|(_, value)| value)
}

fn chain(specs: &[Value]) -> Result<Chain, String> {
    let specs: Vec<FilterSpec> =
        specs.iter().cloned().map(|spec| serde_json::from_value(spec).expect("the settings are those of a filter")).collect();
    Chain::new(&specs).map_err(|error| error.to_string())
}

/// All filters that need no file, with settings that keep as much as they can.
fn all_filters() -> &'static Chain {
    static CHAIN: OnceLock<Chain> = OnceLock::new();
    CHAIN.get_or_init(|| {
        let specs = [
            json!({ "encoding": { "max-share": 1.0 } }),
            json!({ "normalize": { "preset": "seed" } }),
            json!({ "length": { "min-words": 0 } }),
            json!({ "language": { "keep": ["ko", "en", "ja", "zh", "de", "es", "fr", "vi"], "min-confidence": 0.0 } }),
            json!({ "hangul-ratio": { "min": 0.0 } }),
            json!({ "korean-quality": {} }),
            json!({ "gopher-quality": { "min-words": 0, "min-mean-word-length": 0, "max-mean-word-length": 0, "max-hash-ratio": 0, "max-ellipsis-ratio": 0, "min-alpha-words": 0, "min-stop-words": 0, "max-bullet-lines": 0, "max-ellipsis-lines": 0 } }),
            json!({ "c4-quality": { "terminal-punctuation": false, "min-sentences": 0, "min-words-per-line": 0 } }),
            json!({ "fineweb-quality": { "min-line-punctuation": 0, "max-short-lines": 0, "max-repeated-line-chars": 1, "max-newline-ratio": 0 } }),
            json!({ "code-quality": { "min-alnum-chars": 0, "min-alpha-per-piece": 0, "max-line-length": 0, "max-mean-line-length": 0 } }),
            json!({ "gopher-repetition": { "duplicate-lines": 1, "top-2-gram": 1, "top-3-gram": 1, "top-4-gram": 1 } }),
            json!({ "pii": {} }),
            json!({ "secrets": {} }),
            json!({ "profanity": {} }),
            json!({ "spam": {} }),
        ];
        chain(&specs).expect("the settings make sense")
    })
}

fn dedup_config() -> DedupConfig {
    toml::from_str("url = true\nmemory = \"64MiB\"\nminhash = { ngram = 2, bands = 4, rows = 2 }\nsimhash = { ngram = 3 }")
        .expect("it is a config")
}

/// Signatures of two parts with documents that are alike.
fn parts(folder: &Path) -> Vec<PathBuf> {
    let config = dedup_config();
    let signer = Signer::new(&config);
    let texts = [["하나 둘 셋 넷 다섯", "하나 둘 셋 넷 다섯", "x"], ["하나 둘 셋 넷 여섯", "y", "x"]];
    let part = |(name, texts): (&str, [&str; 3])| {
        let path = folder.join(name);
        if path.exists() {
            return path;
        }
        let mut writer = SignatureWriter::create(&path, &config).expect("it can be created");
        for (row, text) in texts.into_iter().enumerate() {
            let document = Document { url: Some("https://a.kr".to_owned()), ..document(text) };
            let (row, id) = (row as u64, format!("{name}-{row}"));
            writer.push(row, 1, 0.5, text.len() as u64, &id, dedup::bucket_number("web"), &signer.sign(&document)).expect("it is written");
        }
        writer.finish().expect("it is written");
        path
    };
    ["a.signatures", "b.signatures"].into_iter().zip(texts).map(part).collect()
}

fn deduplicate(folder: &Path, parts: &[PathBuf]) -> dedup::Result<dedup::Summary> {
    let named = |(number, path): (usize, &PathBuf)| PartSignatures { name: format!("p{number}"), path: path.clone(), run: None };
    let parts: Vec<PartSignatures> = parts.iter().enumerate().map(named).collect();
    dedup::run(&parts, None, &folder.join("work"), &folder.join("out"), &dedup_config(), &AtomicBool::new(false), &|_, _| {})
}

/// A file that deduplication makes.
fn scratch(file: fn(&Path) -> PathBuf) -> Vec<u8> {
    let folder = tempfile::tempdir().expect("there is a temporary folder");
    deduplicate(folder.path(), &parts(folder.path())).expect("the documents are deduplicated");
    std::fs::read(file(folder.path())).expect("it is there")
}
