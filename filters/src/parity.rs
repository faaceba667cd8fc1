//! Someone else's answers: datatrove's own Gopher filters on every document of a corpus, with the
//! words split at white space, reason by reason.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;

use serde_json::Value;

use crate::{Chain, FilterSpec, Sign, Verdict, Words};

/// Our rule in the other's words.
fn their_name(verdict: &Verdict) -> String {
    let Verdict::Drop(reason) = verdict else {
        return "ok".to_owned();
    };
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
        ("repetition/duplicate-paragraphs", _) => "dup_para_frac",
        ("repetition/duplicate-paragraph-chars", _) => "dup_para_char_frac",
        ("repetition/duplicate-lines", _) => "dup_line_frac",
        ("repetition/duplicate-line-chars", _) => "dup_line_char_frac",
        (rule, _) => {
            let (kind, n) =
                rule.strip_suffix("-gram").and_then(|rule| rule.strip_prefix("repetition/")).and_then(|rule| rule.split_once('-')).unwrap();
            return match kind {
                "top" => format!("top_{n}_gram"),
                _ => format!("duplicated_{n}_n_grams"),
            };
        }
    };
    name.to_owned()
}

fn json_lines(reader: impl std::io::Read) -> impl Iterator<Item = Value> {
    BufReader::new(reader).lines().map(|line| serde_json::from_str(&line.unwrap()).unwrap())
}

#[test]
#[allow(clippy::print_stderr)]
fn decisions_equal_datatrove() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/bench/golden");
    if !golden.is_dir() {
        eprintln!("skipped: no ../shared");
        return;
    }
    let decisions = std::fs::File::open(golden.join("datatrove_ws_en.jsonl.zst")).unwrap();
    let decisions: BTreeMap<String, Value> =
        json_lines(zstd::Decoder::new(decisions).unwrap()).map(|row| (row["id"].as_str().unwrap().to_owned(), row)).collect();
    let chains = [
        ("gopher_rep", "gopher-repetition = {}"),
        ("gopher_qual", "gopher-quality = {}"),
        ("fw2_kor_rep", "gopher-repetition = { preset = 'fineweb2-korean' }"),
        ("fw2_kor_qual", "gopher-quality = { preset = 'fineweb2-korean' }"),
    ]
    .map(|(column, spec)| {
        let spec: FilterSpec = toml::from_str(spec).unwrap();
        (column, Chain::new(&[spec]).unwrap())
    });

    let mut compared = 0;
    let mut differences = Vec::new();
    for shard in 0..4 {
        let path = golden.join(format!("corpus_en/documents/{shard}.jsonl.gz"));
        let file = std::fs::File::open(path).unwrap();
        for row in json_lines(flate2::read::MultiGzDecoder::new(file)) {
            let id = row["id"].as_str().unwrap();
            let expected = &decisions[id];
            let mut document = crate::pages::document(row["text"].as_str().unwrap());
            assert_eq!(expected["nwords"].as_u64(), Some(Words::new(&document.text).len() as u64), "{id}");
            for (column, chain) in &chains {
                let ours = their_name(&chain.apply(&mut document).0);
                if expected[column] != ours.as_str() {
                    differences.push(format!("{id} {column}: {} / {ours}", expected[column]));
                }
            }
            compared += 1;
        }
    }
    assert_eq!(compared, decisions.len());
    assert_eq!(differences, Vec::<String>::new());
}
