//! Properties over generated input: cuts change nothing, and no bytes are too strange to be read.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// Lines as files have them: records, blank ones, bad ones, long ones, with either ending.
fn line() -> impl Strategy<Value = Vec<u8>> {
    let record = "[가-힣a-z ]{0,12}".prop_map(|text| format!("{{\"text\": \"{text}\"}}").into_bytes());
    let named = (0..9_u8).prop_map(|id| format!("{{\"id\": {id}, \"text\": \"named\"}}").into_bytes());
    let odd = prop_oneof![
        Just(Vec::new()),
        Just(b"  ".to_vec()),
        Just(b"\xff\xfe".to_vec()),
        Just(b"{".to_vec()),
        Just(vec![b'y'; 90]),
        Just("\u{feff}".into())
    ];
    let ending = prop_oneof![Just(b"\n".as_slice()), Just(b"\r\n".as_slice())];
    (prop_oneof![4 => record, 1 => named, 2 => odd], ending).prop_map(|(line, ending)| [line.as_slice(), ending].concat())
}

fn comparable(records: Vec<Result<Document>>) -> Vec<std::result::Result<Document, String>> {
    records.into_iter().map(|record| record.map_err(|error| error.to_string())).collect()
}

fn settings() -> impl Strategy<Value = &'static str> {
    prop_oneof![
        Just(JSONL),
        Just(TEXT),
        Just(LINES),
        Just(PARAGRAPHS),
        Just(CODE),
        Just(r#""format": "parquet""#),
        Just(r#""format": "jsonl", "encoding-errors": "replace", "max-record-bytes": 20, "id-field": "a.b", "keep-meta": ["c"]"#),
        Just(r#""format": "text", "split": "paragraph", "encoding-errors": "replace", "max-record-bytes": 3"#),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn cuts_change_neither_documents_nor_order_nor_ids(
        files in vec(vec(line(), 0..12), 1..4),
        open_end in any::<bool>(),
        part_bytes in 1..200_u64,
        by_line in any::<bool>(),
    ) {
        let mut corpus = Corpus::new(if by_line { LINES } else { JSONL });
        corpus.source.max_record_bytes = 80;
        corpus = corpus.file("0", "{\"text\": \"at least one\"}\n");
        for (n, lines) in files.into_iter().enumerate() {
            let mut bytes = lines.concat();
            if open_end {
                bytes.pop();
            }
            corpus = corpus.file(&format!("f{n}"), bytes);
        }
        let whole = comparable(corpus.read());
        prop_assert_eq!(&comparable(corpus.read_by(part_bytes)), &whole);
        prop_assert_eq!(&comparable(corpus.read_by(1)), &whole);
    }

    #[test]
    fn arbitrary_bytes_are_read_to_an_end(bytes in vec(any::<u8>(), 1..600), settings in settings(), name in 0..4_usize) {
        let name = ["a.rs", "a.jsonl.gz", "a.txt.zst", "a"][name];
        let mut corpus = Corpus::new(settings).file(name, &bytes);
        corpus.source.files = vec![name.to_owned()];
        for part_bytes in [1 << 20, 50] {
            // At most a record a byte, and one error for the file.
            prop_assert!(corpus.read_by(part_bytes).len() <= bytes.len() + 1);
        }
    }

    #[test]
    fn damaged_streams_are_read_to_an_end(flips in vec((any::<prop::sample::Index>(), any::<u8>()), 1..6), end in any::<prop::sample::Index>(), gz in any::<bool>(), settings in settings()) {
        let text = (0..200).map(|n| format!("{{\"text\": \"{n} 줄\"}}\n\n")).collect::<String>();
        let mut bytes = if gz { gzip(text.as_bytes()) } else { zstd(text.as_bytes()) };
        for (at, byte) in flips {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        bytes.truncate(1 + end.index(bytes.len()));
        let mut corpus = Corpus::new(settings).file("a.rs", &bytes);
        corpus.source.max_record_bytes = 1 << 16;
        prop_assert!(corpus.read().len() < 1 << 20);
    }
}
