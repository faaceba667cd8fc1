//! Someone else's answers: what the reference implementations decide about the same texts, filter by
//! filter and reason by reason.
//!
//! `tests/golden/presets.jsonl.zst` was made by `tests/golden/make.py`, which names the versions, and `signs.jsonl.zst` by
//! `signs.py` from the same texts; a larger corpus is compared where it stands beside the repository.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;

use serde_json::Value;

use crate::{Chain, FilterSpec, Reason, Segmentation, Sign, Verdict, Words};

/// Our rule in datatrove's words.
fn datatrove_name(reason: &Reason) -> String {
    let name = match (reason.rule.as_str(), reason.sign) {
        ("quality/content-words", Sign::Below) => "gopher_short_doc",
        ("quality/content-words", Sign::Above) => "gopher_long_doc",
        ("quality/mean-word-length", Sign::Below) => "gopher_below_avg_threshold",
        ("quality/mean-word-length", Sign::Above) => "gopher_above_avg_threshold",
        ("quality/hash-ratio", _) => "gopher_too_many_hashes",
        ("quality/ellipsis-ratio", _) => "gopher_too_many_ellipsis",
        ("quality/bullet-lines", _) => "gopher_too_many_bullets",
        ("quality/ellipsis-lines", _) => "gopher_too_many_end_ellipsis",
        ("quality/alpha-words", _) => "gopher_below_alpha_threshold",
        ("quality/stop-words", _) => "gopher_enough_stop_words",
        ("repetition/lines", _) | ("fineweb/content-lines", _) => "empty",
        ("repetition/duplicate-paragraphs", _) => "dup_para_frac",
        ("repetition/duplicate-paragraph-chars", _) => "dup_para_char_frac",
        ("repetition/duplicate-lines", _) => "dup_line_frac",
        ("repetition/duplicate-line-chars", _) => "dup_line_char_frac",
        ("fineweb/line-punctuation", _) => "line_punct_ratio",
        ("fineweb/short-lines", _) => "short_line_ratio",
        ("fineweb/repeated-line-chars", _) => "char_dup_ratio",
        ("fineweb/newline-ratio", _) => "list_ratio",
        ("c4/lorem-ipsum", _) => "lorem_ipsum",
        ("c4/curly-bracket", _) => "curly_bracket",
        ("c4/sentences", _) => "too_few_sentences",
        ("c4/long-paragraphs", _) => "< 3 paragraphs",
        (rule, _) => {
            let gram = rule.strip_suffix("-gram").and_then(|rule| rule.strip_prefix("repetition/"));
            return match gram.and_then(|gram| gram.split_once('-')).unwrap() {
                ("top", n) => format!("top_{n}_gram"),
                (_, n) => format!("duplicated_{n}_n_grams"),
            };
        }
    };
    name.to_owned()
}

/// Our rule as the golden file names DCLM's steps; those of repetition have one answer.
fn dclm_name(reason: &Reason) -> String {
    let name = match reason.rule.as_str() {
        "quality/content-words" => "length",
        "quality/mean-word-length" => "word-length",
        "quality/symbol-ratio" => "symbols",
        "quality/bullet-lines" => "bullets",
        "quality/ellipsis-lines" => "ellipses",
        "quality/alpha-words" => "alpha",
        "quality/stop-words" => "stop-words",
        rule => {
            assert!(rule.starts_with("repetition/"), "{rule}");
            "drop"
        }
    };
    name.to_owned()
}

/// One filter with a preset, and the column of the golden file that it is held against.
struct Column {
    name: String,
    chain: Chain,
    dclm: bool,
}

impl Column {
    /// `name` is filter, preset and words where they are not the preset's, for example `c4-quality c4@datatrove`.
    fn new(name: &str) -> Self {
        let (filter, preset) = name.split_once(' ').unwrap();
        let (preset, words) = preset.split_once(' ').unwrap_or((preset, ""));
        let dclm = preset.ends_with("@dclm");
        // The references split words at white space; the presets for Korean do not.
        let words = if preset == "fineweb2-korean" { "whitespace" } else { words };
        let words = if words.is_empty() { String::new() } else { format!(", words = '{words}'") };
        let spec: FilterSpec = toml::from_str(&format!("{filter} = {{ preset = '{preset}'{words} }}")).unwrap();
        Self { name: name.to_owned(), chain: Chain::new(&[spec]).unwrap(), dclm }
    }

    /// What we decide, in the reference's words, and the text that is left.
    fn decide(&self, text: &str) -> (String, String) {
        let mut document = crate::pages::document(text);
        let answer = match self.chain.apply(&mut document).0 {
            Verdict::Keep => "ok".to_owned(),
            Verdict::Drop(reason) if self.dclm => dclm_name(&reason),
            Verdict::Drop(reason) => datatrove_name(&reason),
        };
        (answer, document.text)
    }
}

fn json_lines(reader: impl std::io::Read) -> impl Iterator<Item = Value> {
    BufReader::new(reader).lines().map(|line| serde_json::from_str(&line.unwrap()).unwrap())
}

#[test]
fn decisions_equal_the_references() {
    let golden = include_bytes!("../tests/golden/presets.jsonl.zst");
    let columns = [
        "gopher-repetition gopher@datatrove",
        "gopher-repetition gopher@dclm",
        "gopher-repetition fineweb2-korean",
        "gopher-quality gopher@datatrove",
        "gopher-quality gopher@dclm",
        "gopher-quality fineweb2-korean",
        "fineweb-quality fineweb@datatrove",
        "fineweb-quality fineweb2-korean",
        "c4-quality c4@datatrove",
        "c4-quality fineweb@datatrove",
        "c4-quality c4-paragraphs@datatrove",
    ]
    .map(Column::new);
    let mut answers = BTreeMap::new();
    let mut differences = Vec::new();
    for (line, row) in json_lines(zstd::Decoder::new(&golden[..]).unwrap()).enumerate() {
        let text = row["text"].as_str().unwrap();
        for column in &columns {
            let (ours, left) = column.decide(text);
            let theirs = row[&column.name].as_str().unwrap();
            let expected = row[format!("{} text", column.name)].as_str().unwrap_or(text);
            if ours != theirs || left != expected {
                differences.push(format!("{line} {}: {theirs} / {ours}, text equal: {}", column.name, left == expected));
            }
            *answers.entry(format!("{} {theirs}", column.name)).or_insert(0) += 1;
        }
        assert_eq!(row.as_object().unwrap().keys().filter(|key| *key != "text" && !key.ends_with(" text")).count(), columns.len());
    }
    assert_eq!(differences, Vec::<String>::new());
    // The file would show little if all texts got the same answer.
    assert!(answers.len() > 50, "{answers:?}");
    assert_eq!(answers.values().sum::<usize>(), 721 * columns.len());
}

#[test]
fn words_and_signs_are_those_of_the_reference() {
    let rows = |golden: &'static [u8]| json_lines(zstd::Decoder::new(golden).unwrap());
    let texts = rows(include_bytes!("../tests/golden/presets.jsonl.zst"));
    let expected = rows(include_bytes!("../tests/golden/signs.jsonl.zst"));
    let columns = ["gopher-repetition gopher@datatrove", "gopher-quality gopher@datatrove", "fineweb-quality fineweb@datatrove"]
        .map(|name| Column::new(&format!("{name} unicode-signs")));
    let mut answers = BTreeMap::new();
    let mut differences = Vec::new();
    for (line, (row, expected)) in texts.zip(expected).enumerate() {
        let text = row["text"].as_str().unwrap();
        let mut digest = sha1_smol::Sha1::new();
        for word in Words::segmented(text, Segmentation::UnicodeSigns).iter() {
            digest.update(word.of(text).as_bytes());
            digest.update(b"\0");
        }
        if expected["words"] != digest.digest().to_string() {
            differences.push(format!("{line} words of {text:?}"));
        }
        for column in &columns {
            let (ours, theirs) = (column.decide(text).0, expected[&column.name].as_str().unwrap());
            if ours != theirs {
                differences.push(format!("{line} {}: {theirs} / {ours}", column.name));
            }
            *answers.entry(format!("{} {theirs}", column.name)).or_insert(0) += 1;
        }
    }
    assert_eq!(differences, Vec::<String>::new());
    assert!(answers.len() > 20, "{answers:?}");
    assert_eq!(answers.values().sum::<usize>(), 721 * columns.len());
}

#[test]
#[allow(clippy::print_stderr)]
fn decisions_equal_datatrove_on_a_corpus() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/bench/golden");
    if !golden.is_dir() {
        eprintln!("skipped: no ../shared");
        return;
    }
    let decisions = std::fs::File::open(golden.join("datatrove_ws_en.jsonl.zst")).unwrap();
    let decisions: BTreeMap<String, Value> =
        json_lines(zstd::Decoder::new(decisions).unwrap()).map(|row| (row["id"].as_str().unwrap().to_owned(), row)).collect();
    let columns = [
        ("gopher_rep", "gopher-repetition gopher@datatrove"),
        ("gopher_qual", "gopher-quality gopher@datatrove"),
        ("fw2_kor_rep", "gopher-repetition fineweb2-korean"),
        ("fw2_kor_qual", "gopher-quality fineweb2-korean"),
        ("fineweb", "fineweb-quality fineweb@datatrove"),
        ("c4", "c4-quality c4@datatrove"),
    ]
    .map(|(key, name)| (key, Column::new(name)));

    let mut compared = 0;
    let mut differences = Vec::new();
    for shard in 0..4 {
        let path = golden.join(format!("corpus_en/documents/{shard}.jsonl.gz"));
        let file = std::fs::File::open(path).unwrap();
        for row in json_lines(flate2::read::MultiGzDecoder::new(file)) {
            let id = row["id"].as_str().unwrap();
            let expected = &decisions[id];
            let text = row["text"].as_str().unwrap();
            assert_eq!(expected["nwords"].as_u64(), Some(Words::new(text).len() as u64), "{id}");
            for (key, column) in &columns {
                let (ours, left) = column.decide(text);
                if expected[key] != ours.as_str() {
                    differences.push(format!("{id} {key}: {} / {ours}", expected[key]));
                }
                if let (Some(digest), "c4") = (expected["c4_text_sha1"].as_str(), *key) {
                    assert_eq!(sha1_smol::Sha1::from(left).digest().to_string(), digest, "{id}");
                }
            }
            compared += 1;
        }
    }
    assert_eq!(compared, decisions.len());
    assert_eq!(differences, Vec::<String>::new());
}
