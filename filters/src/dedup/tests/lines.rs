//! Lines in many documents, against a count of all of them in memory.

use std::collections::{BTreeSet, HashMap};

use super::super::lines::pieces;
use super::super::normal::normal;
use super::*;

/// All lines that documents lose, by id.
fn trim(parts: &[Vec<Planted>], config: &DedupConfig, threads: usize) -> (Summary, BTreeMap<String, Trimmed>) {
    let folder = tempfile::tempdir().unwrap();
    let signed = sign(folder.path(), parts, config);
    let texts = |part: &PartSignatures| -> std::result::Result<TextIter<'_>, String> {
        let number: usize = part.name.rsplit('-').next().unwrap().parse().unwrap();
        Ok(Box::new(parts[number].iter().enumerate().map(|(row, document)| Ok((row as u64 * 3, document.text.clone())))))
    };
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    let (mut summary, out) = (Summary::default(), folder.path().join("lines"));
    pool.install(|| {
        run_lines(&signed, &texts, &folder.path().join("work"), &out, config, &AtomicBool::new(false), &mut summary, &|_, _| ()).unwrap();
    });
    let mut all = BTreeMap::new();
    for (part, documents) in signed.iter().zip(parts) {
        for trimmed in JsonlReader::<Trimmed>::open(&out.join(format!("{}.jsonl.zst", part.name))).unwrap() {
            let trimmed = trimmed.unwrap();
            assert_eq!(documents[trimmed.row as usize / 3].id, trimmed.id);
            all.insert(trimmed.id.clone(), trimmed);
        }
    }
    let sums = all.values().fold((0, 0, 0), |sums, one| (sums.0 + 1, sums.1 + one.lines, sums.2 + one.bytes));
    assert_eq!((summary.trimmed, summary.lines, summary.line_bytes), sums);
    (summary, all)
}

/// What is left of each document that loses something: by counting in memory.
fn slow(documents: &[Planted], unit: LineUnit, limits: &dyn Fn(u32) -> u64, min_chars: usize) -> BTreeMap<String, String> {
    let mut holders: HashMap<(String, u32), BTreeSet<usize>> = HashMap::new();
    let lines = |document: &Planted| {
        let of = |(start, end): (usize, usize)| (normal(&document.text[start..end]), start, end);
        pieces(&document.text, unit).into_iter().map(of).filter(|line| line.0.chars().count() >= min_chars).collect::<Vec<_>>()
    };
    for (number, document) in documents.iter().enumerate() {
        for (line, ..) in lines(document) {
            holders.entry((line, document.bucket)).or_default().insert(number);
        }
    }
    let rank = |number: &usize| {
        let document = &documents[*number];
        (document.priority, -(document.quality as i64), -(document.text.len() as i64), document.id.clone())
    };
    let mut left = BTreeMap::new();
    for (number, document) in documents.iter().enumerate() {
        let limit = limits(document.bucket);
        let mut text = document.text.clone();
        for (line, start, end) in lines(document).into_iter().rev() {
            let holders = &holders[&(line, document.bucket)];
            let best = holders.iter().min_by_key(|holder| rank(holder)).unwrap();
            if limit > 0 && holders.len() as u64 > limit && *best != number {
                text.replace_range(start..end, "");
            }
        }
        if text != document.text {
            left.insert(document.id.clone(), text);
        }
    }
    left
}

/// Documents of few different lines, in three buckets.
fn corpus(seed: u64, documents: u64) -> Vec<Planted> {
    let mut numbers = Numbers(seed);
    let buckets = ["korean", "english", "code"].map(bucket_number);
    let make = |number: u64| {
        let mut text = String::new();
        for _ in 0..1 + numbers.below(12) {
            // Low numbers are frequent.
            let (below, other) = (1 + numbers.below(400), numbers.below(400));
            let line = numbers.below(below).min(other);
            text.push_str(&format!("{}{line}번 줄은 여러 글에 있다", if line.is_multiple_of(3) { " " } else { "" }));
            text.push_str(if numbers.below(4) == 0 { "\n\n" } else { "\n" });
        }
        let (priority, quality) = (numbers.below(2) as u32, numbers.below(3) as f32);
        Planted { priority, quality, bucket: buckets[numbers.below(3) as usize], ..Planted::new(&format!("{number:04}"), text.trim_end()) }
    };
    (0..documents).map(make).collect()
}

fn cut(documents: &[Planted], parts: usize) -> Vec<Vec<Planted>> {
    documents.chunks(documents.len().div_ceil(parts)).map(<[Planted]>::to_vec).collect()
}

#[test]
fn a_count_in_memory_finds_the_same() {
    let documents = corpus(5, 600);
    for (text, unit, max, english, min_chars) in [
        ("lines = { max-documents = 5, buckets = { code = 0, english = 40 } }", LineUnit::Line, 5, 40, 10),
        ("lines = { max-documents = 1, min-chars = 15, buckets = { code = 0 } }", LineUnit::Line, 1, 1, 15),
        ("lines = { unit = 'paragraph', max-documents = 2, buckets = { code = 0, english = 3 } }", LineUnit::Paragraph, 2, 3, 10),
    ] {
        let limits = |bucket| match bucket {
            bucket if bucket == bucket_number("code") => 0,
            bucket if bucket == bucket_number("english") => english,
            _ => max,
        };
        let expected = slow(&documents, unit, &limits, min_chars);
        assert!(expected.len() > 50, "{text}: {}", expected.len());
        for (parts, threads) in [(1, 1), (7, 3)] {
            let (_, trimmed) = trim(&cut(&documents, parts), &config(text), threads);
            let left: BTreeMap<String, String> = trimmed
                .iter()
                .map(|(id, trimmed)| (id.clone(), trimmed.apply(&documents[id.parse::<usize>().unwrap()].text).unwrap()))
                .collect();
            assert_eq!(left, expected, "{text}, {parts} parts");
        }
    }
}

#[test]
fn runs_on_disk_decide_nothing() {
    // 64 KiB a task hold 2,730 lines: one part takes several runs, and so do the removed lines.
    let documents = corpus(11, 3000);
    let trimmed = |parts: usize, threads: usize, memory: &str| {
        let config = config(&format!("memory = '{memory}'\nlines = {{ max-documents = 3 }}"));
        trim(&cut(&documents, parts), &config, threads).1.into_values().map(|trimmed| Trimmed { row: 0, ..trimmed }).collect::<Vec<_>>()
    };
    let expected = trimmed(1, 1, "1GiB");
    assert!(expected.iter().map(|trimmed| trimmed.lines).sum::<u64>() > 6000);
    for (parts, threads, memory) in [(1, 1, "1MiB"), (3, 4, "1MiB"), (40, 2, "1GiB")] {
        assert_eq!(trimmed(parts, threads, memory), expected, "{parts} parts, {threads} threads, {memory}");
    }
}

#[test]
fn a_record_of_another_text_is_refused() {
    let trimmed = Trimmed { row: 0, id: "a".into(), lines: 1, bytes: 4, cut: vec![(3, 7)] };
    assert_eq!(trimmed.apply("가나다"), None); // within a character
    assert_eq!(trimmed.apply("가나\n다").as_deref(), Some("가다"));
    assert_eq!(trimmed.apply("가"), None);
    assert_eq!(Trimmed { cut: vec![(7, 3)], ..trimmed.clone() }.apply("가나\n다"), None);
    assert_eq!(Trimmed { bytes: 5, ..trimmed }.apply("가나\n다"), None);
}
