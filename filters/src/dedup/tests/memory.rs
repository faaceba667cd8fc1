//! A corpus many times the memory.

use super::*;

/// 12 MiB of text and 5 MiB of signatures under a budget of 1 MiB: the same files as with a gigabyte,
/// byte for byte, though the keys are cut into other partitions.
#[test]
fn a_twelfth_of_the_corpus_is_memory_enough() {
    let mut numbers = Numbers(97);
    let documents: Vec<Planted> = (0..9000)
        .map(|number| {
            let copy_of = if numbers.below(4) == 0 { numbers.below(9000) } else { number };
            let mut words = Numbers(1_000_003 * copy_of).words(130);
            if numbers.below(2) == 0 {
                words[numbers.below(130) as usize] = "고침".into();
            }
            Planted { url: Some(format!("https://a.kr/{}", numbers.below(20_000))), ..Planted::new(&number.to_string(), &words.join(" ")) }
        })
        .collect();
    let text: usize = documents.iter().map(|document| document.text.len()).sum();
    assert!(text >= 12 << 20, "{text}");
    let parts: Vec<Vec<Planted>> = documents.chunks(1500).map(<[Planted]>::to_vec).collect();
    let folder = tempfile::tempdir().unwrap();
    let settings = |memory: &str| config(&format!("minhash = {{}}\nurl = true\nmemory = '{memory}'"));
    let signed = sign(folder.path(), &parts, &settings("1MiB"));
    let files = |memory: &str| {
        let config = settings(memory);
        let (out, work) = (folder.path().join(memory), folder.path().join(format!("work-{memory}")));
        let summary = run(&signed, None, &work, &out, &config, &AtomicBool::new(false), &|_, _| ()).unwrap();
        let files: Vec<Vec<u8>> = signed.iter().map(|part| std::fs::read(out.join(format!("{}.jsonl.zst", part.name))).unwrap()).collect();
        (partitions(9000, &config), summary, files)
    };
    let (few, expected, much) = files("1GiB");
    let (many, summary, little) = files("1MiB");
    assert!(many >= 10 * few, "{many} and {few} partitions");
    assert!(expected.exact > 300 && expected.minhash > 500 && expected.url > 500, "{expected:?}");
    assert_eq!((summary, little), (expected, much));
}
