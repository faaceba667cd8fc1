//! Files of a run that a later command reads again.

use std::collections::BTreeMap;
use std::path::Path;

use corpora::table::{self, Outcome, StatsRow, StatsWriter};
use corpora::{Document, JsonlReader, JsonlWriter};
use filters::dedup::{Duplicate, Passages, Stands, Trimmed};
use serde::Serialize;
use serde::de::DeserializeOwned;
use shards::{Manifest, MixtureConfig, MixturePlan, Split, Tokenizer};

use super::Seed::{Made, Text};
use super::{Target, written, zstd};

const DOCUMENT: &str = "{\"id\":\"1\",\"text\":\"글\",\"turns\":[{\"role\":\"user\",\"text\":\"글\"}],\"judged\":{\"pair\":1.5},\"source\":\"s\",\"bucket\":\"b\",\"meta\":{\"n\":0.1}}\n";
const DUPLICATE: &str =
    "{\"row\":3,\"id\":\"a\",\"kind\":\"minhash\",\"similarity\":0.8125,\"of\":\"b\",\"of-part\":\"s-00000\",\"of-row\":1,\"cluster\":2}\n";
const CUTS: &str = "{\"row\":3,\"id\":\"a\",\"lines\":1,\"bytes\":7,\"cut\":[[0,7]]}\n{\"row\":4,\"documents\":2}\n";

pub(super) const TARGETS: [Target; 4] = [
    Target {
        name: "records",
        seeds: &[Text(DOCUMENT), Text(DUPLICATE), Text(CUTS), Made(|| zstd(DUPLICATE.as_bytes()))],
        run: |folder, bytes| {
            let path = written(folder, "a.jsonl", bytes);
            again::<Document>(&path);
            again::<Duplicate>(&path);
            again::<Trimmed>(&path);
            again::<Passages>(&path);
            again::<Stands>(&path);
        },
    },
    Target {
        name: "table",
        seeds: &[Made(stats)],
        run: |folder, bytes| {
            let path = written(folder, "a.parquet", bytes);
            let _ = (table::columns(&path), table::head(&path, 3), table::read(&path));
            let mut rows = 0;
            let each = table::each_group(&path, &["row", "id", "outcome"], &mut |group| {
                rows += group.height();
                Ok::<_, corpora::Error>(())
            });
            if let (Ok(()), Ok((all, _))) = (each, table::head(&path, 0)) {
                assert_eq!(rows, all, "the groups have not all rows");
            }
        },
    },
    Target {
        name: "manifest",
        seeds: &[Made(|| {
            made(|folder| {
                let tokenizer = Tokenizer::bytes();
                let meta = shards::ShardMeta::new("b", &tokenizer);
                let mut writer = shards::ShardWriter::create(folder.join("0.shard"), meta).expect("it can be created");
                let document = shards::TokenizedDocument { id: "1", source: "s", text_bytes: 1, tokens: &[97], content_hash: None };
                writer.push(document).expect("it is written");
                let info = writer.finish().expect("it is written");
                Manifest::new(&tokenizer, vec![shards::ShardEntry::new("0.shard", Split::Train, &info)])
                    .save(folder.join("made"))
                    .expect("it is written");
            })
        })],
        run: |folder, bytes| {
            let path = written(folder, "manifest.json", bytes);
            let Ok(manifest) = Manifest::load(&path) else { return };
            let config = MixtureConfig {
                ratios: manifest.available().iter().map(|supply| (supply.bucket.clone(), 1.0)).collect(),
                ..Default::default()
            };
            for (target, length) in [(None, 8), (Some(1 << 20), 7)] {
                if let Ok(plan) = MixturePlan::new(&config, &manifest.available(), target, length) {
                    plan.save(folder.join("mixture.json")).expect("a plan is written");
                    assert!(MixturePlan::load(folder.join("mixture.json")).expect("it is read back") == plan);
                }
            }
            let _ = manifest.check_headers(folder);
            manifest.save(&path).expect("it is written");
            assert!(Manifest::load(&path).expect("it is read back") == manifest);
        },
    },
    Target {
        name: "mixture",
        seeds: &[Made(|| {
            made(|folder| {
                let supply = |bucket: &str, tokens| shards::Supply { bucket: bucket.to_owned(), tokens, copies: 0 };
                let config = MixtureConfig { ratios: [("a".to_owned(), 0.3), ("b".to_owned(), 0.7)].into(), ..Default::default() };
                let plan = MixturePlan::new(&config, &[supply("a", 1000), supply("b", 500)], Some(900), 8).expect("there is enough");
                plan.save(folder.join("made")).expect("it is written");
            })
        })],
        run: |folder, bytes| {
            let path = written(folder, "mixture.json", bytes);
            let Ok(plan) = MixturePlan::load(&path) else { return };
            plan.save(&path).expect("a plan is written");
            assert!(MixturePlan::load(&path).expect("it is read back") == plan);
        },
    },
];

/// What can be read must be the same when it is written and read again.
fn again<T: Serialize + DeserializeOwned>(path: &Path) {
    let Ok(reader) = JsonlReader::<T>::open(path) else { return };
    let records: Vec<T> = reader.map_while(Result::ok).collect();
    let copy = path.with_file_name("copy.jsonl.zst");
    let mut writer = JsonlWriter::create(&copy).expect("it can be created");
    records.iter().for_each(|record| writer.push(record).expect("it is written"));
    writer.finish().expect("it is written");
    let back: Vec<T> = JsonlReader::open(&copy).and_then(Iterator::collect).expect("it is read back");
    let json = |records: &[T]| serde_json::to_string(records).expect("it is JSON");
    assert_eq!(json(&back), json(&records), "written again, a record is another");
}

/// What is made in a folder as `made`.
fn made(make: fn(&Path)) -> Vec<u8> {
    let folder = tempfile::tempdir().expect("there is a temporary folder");
    make(folder.path());
    std::fs::read(folder.path().join("made")).expect("it is made")
}

fn stats() -> Vec<u8> {
    made(|folder| {
        let metrics = BTreeMap::from([("words".to_owned(), 2.0)]);
        let mut writer = StatsWriter::create(&folder.join("made"), &["words", "hangul-ratio"]).expect("it can be created");
        for (row, outcome) in (0..).zip([Outcome::Kept, Outcome::Rejected, Outcome::Unreadable]) {
            let (rule, value) = (Some("length/chars").filter(|_| row == 1), Some(7.0).filter(|_| row == 1));
            let row = StatsRow {
                row,
                id: "a",
                source: "s",
                bucket: "b",
                outcome,
                rule,
                value,
                threshold: value,
                bytes: 9,
                chars: 7,
                lang: Some("ko"),
                metrics: &metrics,
            };
            writer.push(&row).expect("it is written");
        }
        writer.finish().expect("it is written");
    })
}
