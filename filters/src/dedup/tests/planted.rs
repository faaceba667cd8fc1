//! Planted duplicates with the survivor known beforehand.

use super::*;

#[test]
fn of_the_same_text_the_best_stays() {
    let text = |id: &str, priority, quality, text: &str| Planted { priority, quality, ..Planted::new(id, text) };
    let parts = [
        vec![
            text("a", 2, 9.0, "우선순위가 먼저다"),
            text("b", 1, 0.5, "우선순위가   먼저다"), // longer in bytes
            text("c", 1, 0.5, "우선순위가 먼저다"),
            text("alone", 1, 0.0, "홀로 남는다"),
        ],
        vec![
            text("d", 1, 0.7, "우선순위가 먼저다"), // the best: priority, then quality
            text("e", 1, 0.7, "우선순위가 먼저다\u{1100}"),
            text("y", 1, 0.0, "Same  Text"),
            text("z", 1, 0.0, "same text"),
            text("x", 1, 0.0, "sAME text"), // shorter than y in bytes
        ],
    ];
    let (summary, removed) = dedup(&parts, &DedupConfig::default(), 3);
    assert_eq!(told(&removed), ["a exact d 4", "b exact d 4", "c exact d 4", "x exact y 3", "z exact y 3"]);
    assert!(removed.values().all(|duplicate| duplicate.similarity == 1.0));
    assert_eq!((removed["b"].row, removed["b"].of_part.as_str(), removed["b"].of_row), (3, "part-001", 0));
    assert_eq!((removed["z"].row, removed["z"].of_part.as_str(), removed["z"].of_row), (9, "part-001", 6));
    assert_eq!((summary.exact, summary.minhash, summary.simhash, summary.clusters), (5, 0, 0, 2));
    assert_eq!(summary.exact_bytes, (25 + 27 + 25 + 9 + 9) as u64);
    let sample = &summary.largest[0];
    assert_eq!((sample.documents, sample.kept.id.as_str(), sample.kept.part.as_str(), sample.kept.row), (4, "d", "part-001", 0));
    assert_eq!(sample.removed.iter().map(|member| member.id.as_str()).collect::<Vec<_>>(), ["b", "c", "a"]);
}

/// 200 different words have 196 shingles of 5; one changed word inside changes 5 of them:
/// Jaccard 191 / 201 = 0.950. Fifty changed words far apart change all but a few.
#[test]
fn near_duplicates_by_hand() {
    let words: Vec<String> = (0..200).map(|n| format!("낱말{n}")).collect();
    let mut near = words.clone();
    near[100] = "바뀐".into();
    let mut far = words.clone();
    (0..50).for_each(|n| far[n * 4] = format!("다른{n}"));
    let documents = vec![
        Planted::new("near", &near.join(" ")),
        Planted::new("original", &words.join(" ")),
        Planted::new("copy", &words.join("\n")),
        Planted::new("far", &far.join(" ")),
        Planted::new("short", "낱말0 낱말1"),
    ];
    // "near" has fewer bytes than the other two, and of their names "copy" is the smaller.
    let (_, removed) = dedup(std::slice::from_ref(&documents), &config("minhash = {}"), 1);
    assert_eq!(told(&removed), ["near minhash copy 3", "original exact copy 3"]);
    assert!((removed["near"].similarity - 0.950).abs() < 0.08, "{}", removed["near"].similarity);
    let (_, removed) = dedup(&[documents], &config("exact = false\nsimhash = {}"), 1);
    assert_eq!(removed.get("original").map(|duplicate| (duplicate.kind, duplicate.similarity)), Some((Kind::Simhash, 1.0)));
    assert!(!removed.contains_key("far") && !removed.contains_key("short"));
}

#[test]
fn without_exact_only_what_a_method_compares_is_removed() {
    let documents = vec![
        Planted::new("a", "one two three four five six"),
        Planted::new("b", "one two three four five six"),
        Planted::new("c", "few"),
        Planted::new("d", "few"),
    ];
    let (_, removed) = dedup(std::slice::from_ref(&documents), &config("exact = false\nminhash = {}"), 1);
    assert_eq!(told(&removed), ["b minhash a 2"]);
    // In two parts the shuffle finds what one part found by itself.
    let (_, apart) = dedup(
        &[vec![documents[0].clone(), documents[2].clone()], vec![documents[1].clone(), documents[3].clone()]],
        &config("exact = false\nminhash = {}"),
        1,
    );
    assert_eq!(told(&apart), ["b minhash a 2"]);
    let (summary, removed) = dedup(std::slice::from_ref(&documents), &config("exact = false"), 1);
    assert_eq!((summary.clusters, removed.len()), (0, 0));
    let (_, removed) = dedup(&[documents], &config("minhash = {}"), 1);
    assert_eq!(told(&removed), ["b exact a 2", "d exact c 2"]);
}

#[test]
fn buckets_meet_only_if_they_may() {
    let mut numbers = Numbers(3);
    let words = numbers.words(120);
    let mut near = words.clone();
    near[60] = "바뀐".into();
    let of = |id: &str, words: &[String], bucket| Planted { bucket, ..Planted::new(id, &words.join(" ")) };
    let documents = vec![of("a", &words, 0), of("b", &words, 1), of("c", &near, 1), of("d", &near, 2)];
    let (_, together) = dedup(std::slice::from_ref(&documents), &config("minhash = {}\nsimhash = {}"), 2);
    assert_eq!(together.len(), 3);
    let (_, apart) = dedup(&[documents], &config("minhash = {}\nsimhash = {}\nacross-buckets = false"), 2);
    assert_eq!(apart.len(), 1);
    assert!(apart.contains_key("c") || apart.contains_key("b"), "{apart:?}");
}

#[test]
fn a_threshold_decides_among_those_that_meet() {
    let mut numbers = Numbers(5);
    let base = numbers.words(300);
    // 300 words, 296 shingles; 15 changed words, far apart: J = 221 / 371 = 0.596. In 64 bands of
    // two values such a pair meets for certain.
    let mut other = base.clone();
    (0..15).for_each(|n| other[n * 20 + 5] = format!("다른{n}"));
    let documents =
        [vec![Planted::new("a", &base.join(" ")), Planted::new("b", &other.join(" ")), Planted::new("c", &numbers.words(300).join(" "))]];
    let with = |threshold: f64| {
        dedup(&documents, &config(&format!("minhash = {{ shingle = 'word', bands = 64, rows = 2, threshold = {threshold} }}")), 2).1
    };
    assert_eq!(with(0.7).len(), 0);
    assert_eq!(with(0.45).len(), 1);
    let all = with(0.0);
    assert_eq!(all.len(), 1);
    assert!((all.values().next().unwrap().similarity - 0.596).abs() < 0.15);
}

/// Sentences of one grammar and one set of particles, with other nouns in each.
#[test]
fn korean_that_shares_only_its_particles_stays() {
    const NOUNS: [&str; 40] = [
        "학교",
        "바다",
        "정부",
        "회사",
        "음악",
        "시장",
        "하늘",
        "강아지",
        "자동차",
        "대학",
        "병원",
        "연구",
        "기술",
        "경제",
        "문화",
        "역사",
        "도시",
        "농촌",
        "산업",
        "교육",
        "환경",
        "에너지",
        "물가",
        "금리",
        "은행",
        "주식",
        "투자",
        "소비",
        "수출",
        "수입",
        "관광",
        "여행",
        "음식",
        "김치",
        "한복",
        "태권도",
        "축구",
        "야구",
        "선수",
        "감독",
    ];
    const PARTICLES: [&str; 8] = ["에서는", "으로부터", "까지", "에게는", "와", "를", "처럼", "보다"];
    let mut numbers = Numbers(11);
    let mut document = |number: usize| {
        let text: Vec<String> = (0..120)
            .map(|word| {
                let (noun, more) = (NOUNS[numbers.below(40) as usize], NOUNS[numbers.below(40) as usize]);
                if word % 6 == 5 { "것이었다.".to_owned() } else { format!("{noun}{more}{}", PARTICLES[word % 8]) }
            })
            .collect();
        Planted::new(&format!("{number}"), &text.join(" "))
    };
    let documents: Vec<Planted> = (0..60).map(&mut document).collect();
    for text in ["minhash = { shingle = \"word\" }\nsimhash = {}", "minhash = {}", "minhash = { ngram = 3 }"] {
        let (_, removed) = dedup(std::slice::from_ref(&documents), &config(text), 2);
        assert_eq!(told(&removed), Vec::<String>::new(), "{text}");
    }
}

/// A template with one slot, 1,500 times: one cluster, at a cost that does not grow with its square.
#[test]
fn a_huge_group_is_one_cluster() {
    let mut numbers = Numbers(2);
    let words = numbers.words(200);
    let documents: Vec<Planted> = (0..1500)
        .map(|number| {
            let mut own = words.clone();
            own[100] = format!("칸{number:04}");
            Planted::new(&format!("{number:04}"), &own.join(" "))
        })
        .collect();
    let (summary, removed) = dedup(std::slice::from_ref(&documents), &config("minhash = {}"), 4);
    assert_eq!((summary.clusters, summary.minhash, removed.len()), (1, 1499, 1499));
    assert!(removed.values().all(|duplicate| duplicate.of == "0000" && duplicate.cluster == 1500));
    assert_eq!(summary.largest[0].removed[0].id, "0001");
}

/// Of 100 values 70 are equal: as 32-bit floats 70 / 100 is less than 0.7.
#[test]
fn a_threshold_that_is_met_exactly_links() {
    let config = config("minhash = { bands = 20, rows = 5, threshold = 0.7 }");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("part");
    let mut writer = SignatureWriter::create(&path, &config).unwrap();
    for (row, id, equal) in [(0, "a", 100), (1, "b", 70), (2, "c", 69)] {
        let minhash = (0..100).map(|value| if value < equal { value } else { 1000 * (row as u32 + 1) + value }).collect();
        let signature = Signature { exact: u128::from(row), minhash: Some(minhash), simhash: None, url: None };
        writer.push(row, 1, 0.0, 1, id, 0, &signature).unwrap();
    }
    writer.finish().unwrap();
    let parts = [PartSignatures { name: "part".into(), path, run: None }];
    run(&parts, None, &folder.path().join("work"), folder.path(), &config, &AtomicBool::new(false), &|_, _| ()).unwrap();
    assert_eq!(told(&removed(folder.path(), &parts)), ["b minhash a 2"]);
}

/// `short` has runs of three characters and none of forty: only `middle` links it to `best`.
#[test]
fn where_a_signature_is_missing_the_lowest_link_is_told() {
    let config = config("minhash = { threshold = 0.7 }\nsimhash = {}");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("part");
    let mut writer = SignatureWriter::create(&path, &config).unwrap();
    let values = |equal: u32, own: u32| (0..112).map(|value| if value < equal { value } else { own + value }).collect::<Vec<_>>();
    for (row, id, minhash, simhash) in
        [(0, "short", Some(values(84, 1000)), None), (1, "middle", Some(values(112, 0)), Some(0b111)), (2, "best", None, Some(0))]
    {
        writer.push(row, 9 - row as u32, 0.0, 1, id, 0, &Signature { exact: u128::from(row), minhash, simhash, url: None }).unwrap();
    }
    writer.finish().unwrap();
    let parts = [PartSignatures { name: "part".into(), path, run: None }];
    run(&parts, None, &folder.path().join("work"), folder.path(), &config, &AtomicBool::new(false), &|_, _| ()).unwrap();
    let removed = removed(folder.path(), &parts);
    assert_eq!(told(&removed), ["middle simhash best 3", "short simhash best 3"]);
    // Three bits of 64 between middle and best; 84 values of 112 between short and middle.
    assert_eq!((removed["middle"].similarity, removed["short"].similarity), (1.0 - 3.0 / 64.0, 0.75));
}

#[test]
fn a_document_without_the_preferred_metric_comes_last() {
    let text = |id: &str, quality| Planted { quality, ..Planted::new(id, "같은 글") };
    let (_, removed) = dedup(&[vec![text("a", f32::NAN), text("b", -5.0), text("c", f32::NAN)]], &config("prefer = \"x\""), 1);
    assert_eq!(told(&removed), ["a exact b 3", "c exact b 3"]);
}

#[test]
fn nothing_in_nothing_out() {
    let all = config("minhash = {}\nsimhash = {}");
    let (summary, removed) = dedup(&[], &all, 2);
    assert_eq!((summary, removed.len()), (Summary::default(), 0));
    let (summary, _) = dedup(&[vec![], vec![Planted::new("a", "")], vec![]], &all, 2);
    assert_eq!((summary.documents, summary.removed()), (1, 0));
}
