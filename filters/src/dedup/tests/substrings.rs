//! Passages that stand twice, against all runs of words held in memory.

use std::collections::BTreeSet;

use super::*;

/// What every document that loses something has left, by id; the ledger is checked on the way.
fn excerpt(parts: &[Vec<Planted>], config: &DedupConfig, threads: usize) -> (Summary, BTreeMap<String, String>) {
    let folder = tempfile::tempdir().unwrap();
    let signed = sign(folder.path(), parts, config);
    let texts = |part: &str| -> std::result::Result<TextIter<'_>, String> {
        let number: usize = part.rsplit('-').next().unwrap().parse().unwrap();
        Ok(Box::new(parts[number].iter().enumerate().map(|(row, document)| Ok((row as u64 * 3, document.text.clone())))))
    };
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    let (mut summary, out, work) = (Summary::default(), folder.path().join("out"), folder.path().join("work"));
    pool.install(|| run_substrings(&signed, &texts, &work, &out, config, &AtomicBool::new(false), &mut summary, &|_, _| ()).unwrap());
    let mut all = BTreeMap::new();
    let mut sums = (0, 0, 0);
    for (part, documents) in signed.iter().zip(parts) {
        let mut last = None;
        for passages in JsonlReader::<Passages>::open(&out.join(format!("{}.jsonl.zst", part.name))).unwrap() {
            let passages = passages.unwrap();
            assert!(last.replace(passages.row).is_none_or(|last| last < passages.row));
            let document = &documents[passages.row as usize / 3];
            assert_eq!(document.id, passages.id);
            let left = passages.apply(&document.text).unwrap();
            let words = |text: &str| text.split_whitespace().count() as u64;
            assert_eq!(words(&left) + passages.words, words(&document.text), "{passages:?}");
            assert_eq!(left.len() as u64 + passages.bytes, document.text.len() as u64);
            sums = (sums.0 + 1, sums.1 + passages.words, sums.2 + passages.bytes);
            all.insert(passages.id, left);
        }
    }
    assert_eq!((summary.excerpted, summary.words, summary.word_bytes), sums);
    (summary, all)
}

/// Document and first word.
type Places = Vec<(usize, usize)>;

/// Every run of words that stands twice, by comparing all of them: which words of which document are
/// removed, and which are in any such run (the ranges of a suffix array).
fn slow(documents: &[Planted], run: impl Fn(u32) -> usize, across: bool) -> (Vec<BTreeSet<usize>>, Vec<BTreeSet<usize>>) {
    let words: Vec<Vec<&str>> = documents.iter().map(|document| document.text.split_whitespace().collect()).collect();
    let rank = |number: usize| {
        let document = &documents[number];
        (document.priority, -(document.quality as i64), -(document.text.len() as i64), document.id.clone())
    };
    let mut places: BTreeMap<(&[&str], u32), Places> = BTreeMap::new();
    for (number, words) in words.iter().enumerate() {
        let bucket = documents[number].bucket;
        let length = run(bucket);
        let bucket = if across { 0 } else { bucket };
        if length > 0 {
            words.windows(length).enumerate().for_each(|(at, run)| places.entry((run, bucket)).or_default().push((number, at)));
        }
    }
    let (mut removed, mut twice) = (vec![BTreeSet::new(); documents.len()], vec![BTreeSet::new(); documents.len()]);
    for ((run, _), places) in &places {
        let best = places.iter().min_by_key(|(number, at)| (rank(*number), *at)).unwrap();
        for place in places.iter().filter(|_| places.len() > 1) {
            let words = place.1..place.1 + run.len();
            twice[place.0].extend(words.clone());
            if place != best {
                removed[place.0].extend(words);
            }
        }
    }
    (removed, twice)
}

/// Documents of passages that are quoted, nested, broken off and repeated, in three buckets.
fn corpus(seed: u64, documents: u64) -> Vec<Planted> {
    let mut numbers = Numbers(seed);
    let buckets = ["korean", "english", "code"].map(bucket_number);
    let passages: Vec<Vec<String>> = (0..documents / 3 + 1)
        .map(|_| {
            let (length, few) = (4 + numbers.below(40), numbers.below(5) == 0);
            // Of few different words: runs that overlap themselves.
            (0..length).map(|_| format!("말{}", numbers.below(if few { 2 } else { 300 }))).collect()
        })
        .collect();
    let make = |number: u64| {
        let mut words: Vec<String> = Vec::new();
        for _ in 0..numbers.below(5) {
            let length = numbers.below(8) as usize;
            words.extend(numbers.words(length));
            let passage = &passages[numbers.below(passages.len() as u64) as usize];
            let start = if numbers.below(3) == 0 { numbers.below(passage.len() as u64) as usize } else { 0 };
            let end = if numbers.below(3) == 0 { start + numbers.below((passage.len() - start) as u64) as usize } else { passage.len() };
            words.extend_from_slice(&passage[start..end]);
        }
        let mut text = String::new();
        for word in words {
            text.push_str(&word);
            text.push_str([" ", " ", "\n", "  ", "\n\n", "\u{3000}"][numbers.below(6) as usize]);
        }
        let (priority, quality) = (numbers.below(2) as u32, numbers.below(3) as f32);
        Planted { priority, quality, bucket: buckets[numbers.below(3) as usize], ..Planted::new(&format!("{number:04}"), &text) }
    };
    (0..documents).map(make).collect()
}

fn cut(documents: &[Planted], parts: usize) -> Vec<Vec<Planted>> {
    documents.chunks(documents.len().div_ceil(parts).max(1)).map(<[Planted]>::to_vec).collect()
}

/// The words at these places taken out.
fn without(text: &str, removed: &BTreeSet<usize>) -> Vec<String> {
    text.split_whitespace().enumerate().filter(|(at, _)| !removed.contains(at)).map(|(_, word)| word.to_owned()).collect()
}

#[test]
fn comparing_all_runs_finds_the_same() {
    for (text, words, english, across) in [
        ("substrings = { min-words = 6 }", 6, 6, true),
        ("substrings = { min-words = 5, buckets = { english = 12, code = 0 } }", 5, 12, true),
        ("substrings = { min-words = 4 }\nacross-buckets = false", 4, 4, false),
    ] {
        let of_bucket = |bucket| match bucket {
            bucket if bucket == bucket_number("english") => english,
            bucket if bucket == bucket_number("code") && english != words => 0,
            _ => words,
        };
        for seed in 1..6 {
            let documents = corpus(seed, 120);
            let (removed, twice) = slow(&documents, of_bucket, across);
            assert!(removed.iter().filter(|removed| !removed.is_empty()).count() > 10);
            for (parts, threads) in [(1, 1), (7, 3)] {
                let (_, left) = excerpt(&cut(&documents, parts), &config(text), threads);
                for (number, document) in documents.iter().enumerate() {
                    let expected = without(&document.text, &removed[number]);
                    let found = left.get(&document.id).unwrap_or(&document.text);
                    assert_eq!(found.split_whitespace().collect::<Vec<_>>(), expected, "{text}, seed {seed}, {}", document.id);
                    assert!(removed[number].is_subset(&twice[number]));
                }
            }
            // Of every run that stood twice one place at most is left, and what is left of all places is not nothing.
            let mut left: BTreeMap<Vec<&str>, usize> = BTreeMap::new();
            for (number, document) in documents.iter().enumerate().filter(|_| across && english == words) {
                let all: Vec<&str> = document.text.split_whitespace().collect();
                for at in (0..(all.len() + 1).saturating_sub(words)).filter(|at| (*at..at + words).all(|at| !removed[number].contains(&at)))
                {
                    *left.entry(all[at..at + words].to_vec()).or_default() += 1;
                }
            }
            assert!(left.values().all(|places| *places == 1));
        }
    }
}

#[test]
fn runs_on_disk_decide_nothing() {
    // 64 KiB a task hold 2,340 places.
    let documents = corpus(11, 2500);
    let left = |parts: usize, threads: usize, memory: &str| {
        excerpt(&cut(&documents, parts), &config(&format!("memory = '{memory}'\nsubstrings = {{ min-words = 6 }}")), threads)
    };
    let expected = left(1, 1, "1GiB");
    assert!(expected.0.words > 30_000, "{:?}", expected.0);
    for (parts, threads, memory) in [(1, 1, "1MiB"), (3, 4, "1MiB"), (40, 2, "1GiB")] {
        assert!(left(parts, threads, memory) == expected, "{parts} parts, {threads} threads, {memory}");
    }
}

#[test]
fn one_of_two_quotations_stays_where_it_stands_best() {
    let law = "제1조(목적) 이 법은 국가와 지방자치단체의 책무를 정함을 목적으로 한다.";
    let documents = vec![
        Planted::new("post", &format!("오늘 읽은 법이다.\n\n{law}\n\n어렵다.")),
        Planted { priority: 0, ..Planted::new("law", &format!("{law}\n제2조(정의) 뜻은 다음과 같다.")) },
        Planted::new("twice", &format!("{law} 그리고 {law}")),
        Planted::new("other", "제1조(목적) 이 법은 국가와 지방자치단체의 책무를 없앰을 목적으로 한다."),
    ];
    let (summary, left) = excerpt(&[documents], &config("substrings = { min-words = 7 }"), 2);
    let left: Vec<_> = left.iter().map(|(id, text)| (id.as_str(), text.as_str())).collect();
    assert_eq!(left, [("post", "오늘 읽은 법이다.\n\n어렵다."), ("twice", "그리고")]);
    assert_eq!((summary.excerpted, summary.words), (2, 27));
}

#[test]
fn a_repetition_loses_all_but_its_first_round() {
    let (_, left) = excerpt(&[vec![Planted::new("a", &"하나 둘 셋 ".repeat(20))]], &config("substrings = { min-words = 8 }"), 1);
    assert_eq!(left["a"].trim(), "하나 둘 셋");
}
