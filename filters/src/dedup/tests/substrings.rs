//! Passages that stand twice, against all runs of words held in memory.

use std::collections::BTreeSet;

use super::*;

/// Texts that lost something by their ids, and what was found elsewhere.
type Left = BTreeMap<String, (String, Vec<Elsewhere>)>;

/// What every document of `new` that loses something has left; the ledger is checked on the way.
fn against(old: &[Vec<Planted>], new: &[Vec<Planted>], config: &DedupConfig, threads: usize) -> (Summary, Left) {
    let folder = tempfile::tempdir().unwrap();
    let mut parts = sign(&folder.path().join("old"), old, config);
    parts.iter_mut().for_each(|part| part.run = Some("out/old".into()));
    let own = sign(&folder.path().join("new"), new, config);
    parts.extend(own.clone());
    let texts = |part: &PartSignatures| -> std::result::Result<TextIter<'_>, String> {
        let number: usize = part.name.rsplit('-').next().unwrap().parse().unwrap();
        let documents = if part.run.is_some() { &old[number] } else { &new[number] };
        Ok(Box::new(documents.iter().enumerate().map(|(row, document)| Ok((row as u64 * 3, document.text.clone())))))
    };
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    let (mut summary, out, work) = (Summary::default(), folder.path().join("out"), folder.path().join("work"));
    pool.install(|| run_substrings(&parts, &texts, &work, &out, config, &AtomicBool::new(false), &mut summary, &|_, _| ()).unwrap());
    // One file for each part of the new run, though both runs name their parts alike.
    assert_eq!(std::fs::read_dir(&out).unwrap().count(), new.len());
    let mut all = BTreeMap::new();
    let mut sums = (0, 0, 0);
    let words = |text: &str| text.split_whitespace().count() as u64;
    for (part, documents) in own.iter().zip(new) {
        let mut last = None;
        for passages in JsonlReader::<Passages>::open(&out.join(format!("{}.jsonl.zst", part.name))).unwrap() {
            let passages = passages.unwrap();
            assert!(last.replace(passages.row).is_none_or(|last| last < passages.row));
            let document = &documents[passages.row as usize / 3];
            assert_eq!(document.id, passages.id);
            let left = passages.apply(&document.text).unwrap();
            assert_eq!(words(&left) + passages.words, words(&document.text), "{passages:?}");
            assert_eq!(left.len() as u64 + passages.bytes, document.text.len() as u64);
            for elsewhere in &passages.elsewhere {
                let passage = &document.text[elsewhere.start as usize..elsewhere.end as usize];
                assert_eq!((passage.trim(), words(passage)), (passage, elsewhere.words));
                let number: usize = elsewhere.of_part.rsplit('-').next().unwrap().parse().unwrap();
                let parts = if elsewhere.of_run.is_some() { old } else { new };
                assert_eq!(parts[number][elsewhere.of_row as usize / 3].id, elsewhere.of);
            }
            sums = (sums.0 + 1, sums.1 + passages.words, sums.2 + passages.bytes);
            all.insert(passages.id, (left, passages.elsewhere));
        }
    }
    assert_eq!((summary.excerpted, summary.words, summary.word_bytes), sums);
    (summary, all)
}

fn excerpt(parts: &[Vec<Planted>], config: &DedupConfig, threads: usize) -> (Summary, Left) {
    against(&[], parts, config, threads)
}

/// Document and first word.
type Places = Vec<(usize, usize)>;

/// What comparing all runs of words gives, for each document.
#[derive(Clone, Default)]
struct Slow {
    /// Words that are removed.
    removed: BTreeSet<usize>,
    /// Words in any run that stands twice (the ranges of a suffix array).
    twice: BTreeSet<usize>,
    /// Removed runs by their first words, with the id of the best document that has them.
    best: BTreeMap<usize, String>,
}

/// Every run of words that stands twice; the first `old` documents are there already.
fn slow(documents: &[Planted], old: usize, run: impl Fn(u32) -> usize, across: bool) -> Vec<Slow> {
    let words: Vec<Vec<&str>> = documents.iter().map(|document| document.text.split_whitespace().collect()).collect();
    let rank = |number: usize| {
        let document = &documents[number];
        (number >= old, document.priority, -(document.quality as i64), -(document.text.len() as i64), document.id.clone())
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
    let mut out = vec![Slow::default(); documents.len()];
    for ((run, _), places) in &places {
        let best = places.iter().min_by_key(|(number, at)| (rank(*number), *at)).unwrap();
        for place in places.iter().filter(|_| places.len() > 1) {
            let (words, of) = (place.1..place.1 + run.len(), &mut out[place.0]);
            of.twice.extend(words.clone());
            if place != best && place.0 >= old {
                of.removed.extend(words);
                of.best.insert(place.1, documents[best.0].id.clone());
            }
        }
    }
    out
}

/// What is told of a document, run by run.
fn runs(document: &Planted, elsewhere: &[Elsewhere], run: usize) -> BTreeMap<usize, String> {
    let first = |passage: &Elsewhere| document.text[..passage.start as usize].split_whitespace().count();
    let of = |passage: &Elsewhere| {
        let (first, of) = (first(passage), passage.of.clone());
        (first..first + passage.words as usize + 1 - run).map(move |at| (at, of.clone())).collect::<Vec<_>>()
    };
    elsewhere.iter().flat_map(of).collect()
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
            let slow = slow(&documents, 0, of_bucket, across);
            assert!(slow.iter().filter(|slow| !slow.removed.is_empty()).count() > 10);
            for (parts, threads) in [(1, 1), (7, 3)] {
                let (_, left) = excerpt(&cut(&documents, parts), &config(text), threads);
                for (document, slow) in documents.iter().zip(&slow) {
                    let expected = without(&document.text, &slow.removed);
                    let found = left.get(&document.id).map_or(&document.text, |(text, _)| text);
                    assert_eq!(found.split_whitespace().collect::<Vec<_>>(), expected, "{text}, seed {seed}, {}", document.id);
                    assert!(slow.removed.is_subset(&slow.twice));
                    let elsewhere = left.get(&document.id).map_or(&[][..], |(_, elsewhere)| elsewhere);
                    assert_eq!(runs(document, elsewhere, of_bucket(document.bucket)), slow.best, "{text}, seed {seed}, {}", document.id);
                }
            }
            // Of every run that stood twice one place at most is left, and what is left of all places is not nothing.
            let mut left: BTreeMap<Vec<&str>, usize> = BTreeMap::new();
            for (number, document) in documents.iter().enumerate().filter(|_| across && english == words) {
                let all: Vec<&str> = document.text.split_whitespace().collect();
                for at in
                    (0..(all.len() + 1).saturating_sub(words)).filter(|at| (*at..at + words).all(|at| !slow[number].removed.contains(&at)))
                {
                    *left.entry(all[at..at + words].to_vec()).or_default() += 1;
                }
            }
            assert!(left.values().all(|places| *places == 1));
        }
    }
}

#[test]
fn what_is_there_already_stays() {
    for (text, across) in [("substrings = { min-words = 6 }", true), ("substrings = { min-words = 5 }\nacross-buckets = false", false)] {
        let config = config(text);
        let run = config.substrings.as_ref().unwrap().min_words;
        for seed in 21..25 {
            let documents = corpus(seed, 150);
            let (old, new) = documents.split_at(60);
            let slow = slow(&documents, 60, |_| run, across);
            let of_old = slow.iter().flat_map(|slow| slow.best.values()).filter(|id| id.as_str() < "0060").count();
            assert!(of_old > 100 && slow[..60].iter().all(|slow| slow.removed.is_empty()), "{of_old}");
            for (old_parts, new_parts, threads) in [(1, 1, 1), (5, 3, 3)] {
                let (_, left) = against(&cut(old, old_parts), &cut(new, new_parts), &config, threads);
                assert!(left.keys().all(|id| id.as_str() >= "0060"));
                for (document, slow) in documents.iter().zip(&slow) {
                    let nothing = (document.text.clone(), Vec::new());
                    let (found, elsewhere) = left.get(&document.id).unwrap_or(&nothing);
                    assert_eq!(found.split_whitespace().collect::<Vec<_>>(), without(&document.text, &slow.removed), "seed {seed}");
                    assert_eq!(runs(document, elsewhere, run), slow.best, "seed {seed}, {}", document.id);
                    assert!(elsewhere.iter().all(|one| one.of_run.is_some() == (one.of.as_str() < "0060")));
                }
            }
        }
    }
}

#[test]
fn runs_on_disk_decide_nothing() {
    // 64 KiB a task hold 2,340 places.
    let documents = corpus(11, 2500);
    let left = |parts: usize, threads: usize, memory: &str| {
        let config = config(&format!("memory = '{memory}'\nsubstrings = {{ min-words = 6 }}"));
        let (summary, left) = excerpt(&cut(&documents, parts), &config, threads);
        // Without parts and rows: they are those of the cut.
        let of = |elsewhere: Vec<Elsewhere>| elsewhere.into_iter().map(|one| (one.start, one.end, one.of)).collect::<Vec<_>>();
        (summary, left.into_iter().map(|(id, (text, elsewhere))| (id, text, of(elsewhere))).collect::<Vec<_>>())
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
    let of = |elsewhere: &[Elsewhere]| elsewhere.iter().map(|one| (one.of.clone(), one.words)).collect::<Vec<_>>();
    let left: Vec<_> = left.iter().map(|(id, (text, elsewhere))| (id.as_str(), text.as_str(), of(elsewhere))).collect();
    let law = |words| ("law".to_owned(), words);
    assert_eq!(left, [("post", "오늘 읽은 법이다.\n\n어렵다.", vec![law(9)]), ("twice", "그리고", vec![law(9), law(9)])]);
    assert_eq!((summary.excerpted, summary.words), (2, 27));
}

#[test]
fn a_repetition_loses_all_but_its_first_round() {
    let (_, left) = excerpt(&[vec![Planted::new("a", &"하나 둘 셋 ".repeat(20))]], &config("substrings = { min-words = 8 }"), 1);
    let (text, elsewhere) = &left["a"];
    assert_eq!(text.trim(), "하나 둘 셋");
    assert!(elsewhere.iter().all(|one| one.of == "a"));
}
