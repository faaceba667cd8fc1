use std::collections::BTreeMap;
use std::fs;

use super::*;

type Record = BTreeMap<String, String>;

fn record(text: &str) -> Record {
    BTreeMap::from([("text".to_owned(), text.to_owned())])
}

fn write(path: &Path, records: &[Record]) -> Written {
    let mut writer = JsonlWriter::create(path).unwrap();
    records.iter().for_each(|record| writer.push(record).unwrap());
    writer.finish().unwrap()
}

fn records() -> Vec<Record> {
    (0..5000).map(|n| record(&format!("{n} 줄\n{}", "둘째 ".repeat(n % 7)))).collect()
}

#[test]
fn what_is_written_reads_back_and_is_the_same_every_time() {
    let folder = tempfile::tempdir().unwrap();
    let (one, two) = (folder.path().join("one.jsonl.zst"), folder.path().join("two.jsonl.zst"));
    let written = write(&one, &records());
    assert_eq!(written, write(&two, &records()));
    let bytes = fs::read(&one).unwrap();
    assert_eq!((written.records, written.bytes), (5000, bytes.len() as u64));
    assert_eq!(written.checksum, blake3::hash(&bytes).to_hex().to_string());
    assert_eq!(bytes, fs::read(&two).unwrap());
    // Bit 2 of the frame descriptor: a checksum of the content follows it.
    assert_eq!(bytes[4] & 4, 4);
    assert_eq!(JsonlReader::open(&one).unwrap().collect::<Result<Vec<Record>>>().unwrap(), records());
}

#[test]
fn no_records_are_a_file_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.jsonl.zst");
    assert_eq!(write(&path, &[]).records, 0);
    assert_eq!(JsonlReader::<Record>::open(&path).unwrap().count(), 0);
}

#[test]
fn an_unfinished_file_is_not_there() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = JsonlWriter::create(&folder.path().join("a.jsonl.zst")).unwrap();
    records().iter().for_each(|record| writer.push(record).unwrap());
    drop(writer);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn the_first_bad_line_is_the_last_item() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.jsonl");
    for bad in ["{\"text\": 3}", "", "{\"text\": \"\u{fffd}", "[]"] {
        fs::write(&path, format!("{{\"text\": \"good\"}}\n{bad}\n{{\"text\": \"good\"}}\n")).unwrap();
        let read: Vec<Result<Record>> = JsonlReader::open(&path).unwrap().collect();
        assert_eq!(read.len(), 2);
        let error = read[1].as_ref().unwrap_err().to_string();
        assert!(error.contains("a.jsonl: line 2: invalid JSON"), "{error}");
    }
}

#[test]
fn a_truncated_or_changed_file_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.jsonl.zst");
    write(&path, &records());
    let whole = fs::read(&path).unwrap();
    let last = |bytes: &[u8]| {
        fs::write(&path, bytes).unwrap();
        JsonlReader::<Record>::open(&path).unwrap().last().unwrap()
    };
    assert!(last(&whole).is_ok());
    for end in [whole.len() - 1, whole.len() / 2, 10] {
        let error = last(&whole[..end]).unwrap_err().to_string();
        assert!(error.contains("damaged"), "{error}");
    }
    let mut changed = whole.clone();
    let at = changed.len() - 2; // in the checksum
    changed[at] ^= 1;
    assert!(last(&changed).is_err());
}

#[test]
fn a_missing_file_is_named() {
    let error = JsonlReader::<Record>::open(Path::new("/nowhere/a.jsonl.zst")).err().unwrap().to_string();
    assert!(error.starts_with("cannot open /nowhere/a.jsonl.zst: "), "{error}");
}
