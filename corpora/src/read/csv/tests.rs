use proptest::collection::vec;
use proptest::prelude::*;

use crate::read::tests::{Corpus, gzip};

const CSV: &str = r#""format": "csv""#;

#[test]
fn quotes_line_ends_and_a_mark() {
    let corpus = Corpus::new(CSV).file("a.csv", "\u{feff}id,text\r\n1,\"한 줄,\n두 \"\"줄\"\"\"\r\n\r\n2,셋\n,넷");
    assert_eq!(corpus.shown(), ["1 한 줄,\n두 \"줄\"", "2 셋", "s:a.csv#2 넷"]);
    let corpus = Corpus::new(r#""format": "tsv", "text-field": "본문", "keep-meta": ["n"], "url-field": "u""#)
        .file("a.tsv.gz", gzip("본문\tn\tu\n글, 글\t3\thttp://x.kr\n둘\t\t\n".as_bytes()));
    let documents: Vec<_> = corpus.read().into_iter().map(Result::unwrap).collect();
    assert_eq!((documents[0].text.as_str(), documents[0].url.as_deref()), ("글, 글", Some("http://x.kr")));
    assert_eq!((&documents[0].meta["n"], &documents[1].url), (&"3".into(), &None));
}

#[test]
fn a_column_that_is_missing_stops_the_plan() {
    for (format, settings, said) in [
        ("csv", "", "no column `text` among id, body"),
        ("csv", r#", "text-field": "body", "keep-meta": ["n"]"#, "no column `n` among id, body"),
        ("tsv", r#", "encoding": "cp949""#, "no column `text` among id,body"),
    ] {
        let corpus = Corpus::new(&format!(r#""format": "{format}"{settings}"#)).file("a.csv.gz", gzip(b"id,body\n1,x\n"));
        let error = corpus.read_error();
        assert!(error.starts_with("source `s`: ") && error.contains("a.csv.gz") && error.contains(said), "{error}");
    }
    assert!(Corpus::new(CSV).file("a.csv", "text\n").shown().is_empty());
    // Damage is not the recipe's: it is counted.
    let cut = gzip("text\n하나\n".as_bytes());
    let read = Corpus::new(CSV).file("a.csv.gz", &cut[..8]).file("b.csv", "text\n둘\n").shown();
    assert!(read.len() == 2 && read[0].contains("damaged") && read[1].ends_with("둘"), "{read:?}");
}

#[test]
fn a_bad_row_is_one_error() {
    let mut corpus = Corpus::new(CSV).file("a.csv", b"text,b\na,1\nb\nc,1,2\n\xff,1\nxxxxxxxxxxxxxxxxxxxxxxxxx,1\nd,1\n");
    corpus.source.max_record_bytes = 20;
    assert_eq!(
        corpus.shown(),
        [
            "s:a.csv#0 a",
            "! a.csv: row 1: malformed: 1 fields in a row of 2 columns",
            "! a.csv: row 2: malformed: 3 fields in a row of 2 columns",
            "! a.csv: row 3: invalid UTF-8 at byte 0 of the record",
            "! a.csv: row 4: record longer than max-record-bytes = 20",
            "s:a.csv#5 d",
        ]
    );
}

#[test]
fn a_quote_that_never_closes_takes_no_rows_with_it_unseen() {
    let rows = "id\ttext\n1\t하나\n2\t\"이게 영화냐\n3\t\"좋다\" 정말\n4\t넷\n";
    let tsv = r#""format": "tsv""#;
    assert_eq!(Corpus::new(tsv).file("a.tsv", rows).shown(), ["1 하나", "2 \"이게 영화냐", "3 \"좋다\" 정말", "4 넷"]);
    let quoted = r#""format": "tsv", "quotes": true"#;
    assert_eq!(Corpus::new(quoted).file("a.tsv", "id\ttext\n1\t\"두\n줄\"\n").shown(), ["1 두\n줄"]);
    let shown = Corpus::new(CSV).file("a.csv", "id,text\n1,하나\n2,\"이게 영화냐\n3,셋\n4,넷").shown();
    assert_eq!(shown.len(), 2, "{shown:?}");
    assert!(shown[0] == "1 하나" && shown[1].contains("ends inside of a quoted field"), "{shown:?}");
    // Quotes that open nothing.
    assert_eq!(Corpus::new(CSV).file("a.csv", "id,text\n1,3\" 못\n2,\"닫힌 \"\"말\"\"\"").shown(), ["1 3\" 못", "2 닫힌 \"말\""]);
}

#[test]
fn other_encodings() {
    let cp949 = encoding_rs::EUC_KR.encode("text\n동해 물과 백두산이 마르고 닳도록\n하느님이 보우하사\n").0.into_owned();
    let auto = r#""format": "csv", "encoding": "auto""#;
    let documents: Vec<_> = Corpus::new(auto).file("a.csv", &cp949).read().into_iter().map(Result::unwrap).collect();
    assert_eq!((documents[1].text.as_str(), &documents[1].meta["encoding"]), ("하느님이 보우하사", &"EUC-KR".into()));
    let wide: Vec<u8> =
        "\u{feff}text\n하나, \"둘\"\n".replace("하나, \"둘\"", "\"하나, 둘\"").encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_eq!(Corpus::new(auto).file("a.csv", wide).shown(), ["s:a.csv#0 하나, 둘"]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn what_is_quoted_comes_back(texts in vec("[가-힣a-z,\"\n\r ]{1,20}", 1..8)) {
        let rows = texts.iter().map(|text| format!("\"{}\",x\r\n", text.replace('"', "\"\""))).collect::<String>();
        let corpus = Corpus::new(CSV).file("a.csv", format!("text,b\r\n{rows}"));
        let read: Vec<String> = corpus.read().into_iter().map(|document| document.unwrap().text).collect();
        prop_assert_eq!(read, texts);
    }

    #[test]
    fn arbitrary_bytes_are_read_to_an_end(bytes in vec(prop_oneof![any::<u8>(), Just(b'"'), Just(b','), Just(b'\n')], 0..400)) {
        let mut corpus = Corpus::new(CSV).file("a.csv", [b"text,b\n".as_slice(), &bytes].concat());
        for limit in [7, 1000] {
            corpus.source.max_record_bytes = limit;
            prop_assert!(corpus.read().len() <= bytes.len() + 1);
        }
    }
}
