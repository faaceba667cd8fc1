use std::io::Write;

use proptest::collection::vec;
use proptest::prelude::*;

use crate::read::tests::Corpus;

const WIKI: &str = r#""format": "wiki""#;
const HEAD: &str = "<mediawiki xml:lang=\"ko\">\n<siteinfo><base>https://ko.wikipedia.org/wiki/%EB%8C%80%EB%AC%B8</base></siteinfo>\n";

fn page(title: &str, namespace: u32, extra: &str, text: &str) -> String {
    format!(
        "  <page>\n    <title>{title}</title>\n    <ns>{namespace}</ns>\n    <id>7</id>\n{extra}    <revision>\n      <id>9</id>\n      \
         <timestamp>2026-01-01T00:00:00Z</timestamp>\n      <model>wikitext</model>\n      <text bytes=\"1\" xml:space=\"preserve\">{text}</text>\n    \
         </revision>\n  </page>\n"
    )
}

fn bz2(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn articles_are_read_and_other_pages_are_not() {
    let pages = [
        page("대한 민국", 0, "", "'''대한민국'''은 &lt;b&gt;나라&lt;/b&gt;다. A &amp;amp; B"),
        page("토론:대한민국", 1, "", "토론"),
        page("한국", 0, "    <redirect title=\"대한민국\" />\n", "#넘겨주기 [[대한민국]]"),
        page("서울", 0, "", "[[대한민국]]의 수도."),
    ];
    let dump = format!("{HEAD}{}</mediawiki>\n", pages.concat());
    // Dumps of several streams have the head in the first one.
    let several = [bz2(HEAD.as_bytes()), bz2(pages[..2].concat().as_bytes()), bz2(pages[2..].concat().as_bytes())].concat();
    for (name, bytes) in [("a.xml", dump.clone().into_bytes()), ("a.xml.bz2", bz2(dump.as_bytes())), ("b.xml.bz2", several)] {
        let documents: Vec<_> = Corpus::new(WIKI).file(name, bytes).read().into_iter().map(Result::unwrap).collect();
        assert_eq!(
            documents.iter().map(|document| document.text.as_str()).collect::<Vec<_>>(),
            ["대한민국은 나라다. A & B", "대한민국의 수도."]
        );
        assert_eq!(documents[0].url.as_deref(), Some("https://ko.wikipedia.org/wiki/대한_민국"));
        assert_eq!((&documents[0].meta["title"], &documents[0].meta["page-id"]), (&"대한 민국".into(), &"7".into()));
        assert!(documents[0].id.ends_with(&format!("#{}", HEAD.len() + 2)), "{}", documents[0].id);
    }
}

#[test]
fn a_damaged_page_is_one_error() {
    let good = || page("a", 0, "", "good");
    let unended = good().replace("</page>", "");
    let no_xml = page("b", 0, "", "x</wrong>");
    let entity = page("b", 0, "", "&unknown;");
    let long = page("c", 0, "", &"길".repeat(2000));
    let mut corpus =
        Corpus::new(WIKI).file("a.xml", [HEAD, &good(), &unended, &good(), &no_xml, &entity, &long, &good(), &good()[..99]].concat());
    corpus.source.max_record_bytes = 2000;
    let shown = corpus.shown();
    assert_eq!(shown.iter().filter(|line| line.ends_with(" good")).count(), 3, "{shown:#?}");
    assert_eq!(shown.iter().filter(|line| line.starts_with('!')).count(), 5, "{shown:#?}");
}

#[test]
fn bombs_stop_at_the_limit() {
    let mut corpus = Corpus::new(WIKI);
    corpus.source.max_record_bytes = 10_000;
    let bomb = page("a", 0, "", &" ".repeat(30 << 20));
    let shown = corpus.file("a.xml.bz2", bz2((bomb + &page("b", 0, "", "good")).as_bytes())).shown();
    assert!(shown.len() == 2 && shown[0].contains("max-record-bytes") && shown[1].ends_with(" good"), "{shown:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 120, ..ProptestConfig::default() })]

    #[test]
    fn damage_anywhere_is_read_to_an_end(
        flips in vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        end in any::<prop::sample::Index>(),
        packed in any::<bool>(),
        limit in prop_oneof![Just(50_u64), Just(400), Just(1 << 20)],
    ) {
        let dump = format!("{HEAD}{}{}</mediawiki>", page("a", 0, "", "글 &lt;"), page("b", 0, "", "[[글]]"));
        let mut bytes = if packed { bz2(dump.as_bytes()) } else { dump.into_bytes() };
        for (at, byte) in flips {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        bytes.truncate(1 + end.index(bytes.len()));
        let mut corpus = Corpus::new(WIKI).file("a.xml", bytes);
        corpus.source.max_record_bytes = limit;
        prop_assert!(corpus.read().len() <= 10);
    }
}
