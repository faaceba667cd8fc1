use std::fs;

use polars::prelude::{Column, DataFrame, ParquetCompression, ParquetWriter};
use proptest::collection::vec;
use proptest::prelude::*;

use super::super::tests::Corpus;
use super::*;
use crate::document::Document;

const PARQUET: &str = r#""format": "parquet""#;

fn frame(rows: usize) -> DataFrame {
    let text = |n: usize| (n % 5 != 3).then(|| format!("글 {n} {}", "x".repeat(n % 40)));
    DataFrame::new(
        rows,
        vec![
            Column::new("text".into(), (0..rows).map(text).collect::<Vec<_>>()),
            Column::new("id".into(), (0..rows).map(|n| if n % 2 == 0 { format!("id{n}") } else { String::new() }).collect::<Vec<_>>()),
            Column::new("key".into(), (0..rows).map(|n| n as i64 - 1).collect::<Vec<_>>()),
            Column::new("lang".into(), (0..rows).map(|n| (n % 3 > 0).then_some("ko")).collect::<Vec<_>>()),
            Column::new("score".into(), (0..rows).map(|n| n as f64 / 2.0).collect::<Vec<_>>()),
            Column::new("good".into(), (0..rows).map(|n| (n % 2 == 0).then_some(n % 4 == 0)).collect::<Vec<_>>()),
            Column::new("meta.kind".into(), vec!["법"; rows]),
            Column::new("big".into(), (0..rows).map(|n| u64::MAX - n as u64).collect::<Vec<_>>()),
        ],
    )
    .unwrap()
}

fn parquet(rows: usize, group: usize, compression: ParquetCompression) -> Vec<u8> {
    let mut bytes = Vec::new();
    ParquetWriter::new(&mut bytes).with_compression(compression).with_row_group_size(Some(group)).finish(&mut frame(rows)).unwrap();
    bytes
}

fn plain(rows: usize, group: usize) -> Vec<u8> {
    parquet(rows, group, ParquetCompression::Uncompressed)
}

#[test]
fn rows_of_all_groups_with_their_fields() {
    let settings = r#""format": "parquet", "id-field": "key", "lang-field": "lang", "url-field": "id", "keep-meta": ["score", "good", "meta.kind", "big"]"#;
    let codecs = [
        ParquetCompression::Uncompressed,
        ParquetCompression::Snappy,
        ParquetCompression::Zstd(None),
        ParquetCompression::Gzip(None),
        ParquetCompression::Lz4Raw,
    ];
    for codec in codecs {
        let corpus = Corpus::new(settings).file("a.parquet", parquet(10, 4, codec));
        let read = corpus.read();
        assert_eq!(read.len(), 10);
        let third = read[2].as_ref().unwrap();
        assert_eq!(
            (third.id.as_str(), third.text.as_str(), third.lang.as_deref(), third.url.as_deref()),
            ("1", "글 2 xx", Some("ko"), Some("id2"))
        );
        assert_eq!(
            serde_json::to_string(&third.meta).unwrap(),
            r#"{"score":1.0,"good":false,"meta.kind":"법","big":18446744073709551613}"#
        );
        assert_eq!(read[0].as_ref().unwrap().id, "-1");
        assert_eq!(read[9].as_ref().unwrap().meta["good"], Value::Null);
        let error = read[8].as_ref().unwrap_err().to_string();
        assert!(error.ends_with("a.parquet: row 8: no field `text`"), "{error}");
    }
}

/// A table with one struct column, `meta { body, deep { lang, n } }`, of three rows: all there, no
/// `deep`, no `meta`.
fn nested() -> Vec<u8> {
    use polars_arrow::array::{PrimitiveArray, StructArray, Utf8ViewArray};
    use polars_arrow::bitmap::Bitmap;
    use polars_arrow::datatypes::{ArrowDataType, Field};
    use polars_arrow::record_batch::RecordBatchT;
    use polars_parquet::write::{
        CompressionOptions, FileWriter, RowGroupIterator, StatisticsOptions, Version, WriteOptions, get_dtype_encoding,
    };
    let group = |fields: Vec<(&str, Box<dyn polars_arrow::array::Array>)>, there: [bool; 3]| {
        let types = fields.iter().map(|(name, array)| Field::new((*name).into(), array.dtype().clone(), true)).collect();
        let arrays = fields.into_iter().map(|(_, array)| array).collect();
        StructArray::new(ArrowDataType::Struct(types), 3, arrays, Some(Bitmap::from_iter(there))).boxed()
    };
    let strings = |values: [Option<&str>; 3]| Utf8ViewArray::from_slice(values).boxed();
    let numbers = PrimitiveArray::<i32>::from_slice([7, 8, 9]).boxed();
    let deep = group(vec![("lang", strings([Some("ko"), Some("hidden"), None])), ("n", numbers)], [true, false, true]);
    let meta = group(vec![("body", strings([Some("하나"), Some("둘"), Some("hidden")])), ("deep", deep)], [true, true, false]);
    let field = Field::new("meta".into(), meta.dtype().clone(), true);
    let encodings = vec![get_dtype_encoding(meta.dtype())];
    let schema: polars_arrow::datatypes::ArrowSchema = [field].into_iter().collect();
    let options = WriteOptions {
        statistics: StatisticsOptions::empty(),
        version: Version::V2,
        compression: CompressionOptions::Uncompressed,
        data_page_size: None,
    };
    let batch = RecordBatchT::try_new(3, std::sync::Arc::new(schema.clone()), vec![meta]).unwrap();
    let mut writer = FileWriter::try_new(Vec::new(), schema.clone(), options).unwrap();
    for group in RowGroupIterator::try_new(std::iter::once(Ok(batch)), &schema, options, encodings.into_iter().collect()).unwrap() {
        writer.write(3, group.unwrap()).unwrap();
    }
    writer.end(None).unwrap();
    writer.into_inner()
}

#[test]
fn a_dotted_path_leads_into_structs() {
    let settings = r#""format": "parquet", "text-field": "meta.body", "lang-field": "meta.deep.lang", "keep-meta": ["meta.deep.n"]"#;
    let corpus = Corpus::new(settings).file("a.parquet", nested());
    let read = corpus.read();
    let facts = |n: usize| {
        let document = read[n].as_ref().unwrap();
        (document.text.as_str(), document.lang.as_deref(), document.meta["meta.deep.n"].clone())
    };
    assert_eq!((facts(0), facts(1)), (("하나", Some("ko"), 7.into()), ("둘", None, Value::Null)));
    assert!(read[2].as_ref().unwrap_err().to_string().ends_with("row 2: no field `meta.body`"));
    let corpus = Corpus::new(r#""format": "parquet", "text-field": "meta.deep""#).file("a.parquet", nested());
    assert!(corpus.read_error().contains("column `meta.deep` is not text"), "{}", corpus.read_error());
}

#[test]
fn ids_are_the_columns_or_the_rows_however_the_file_is_cut() {
    let corpus = Corpus::new(PARQUET).file("a.parquet", plain(500, 30)).file("b.parquet", plain(2, 1));
    let whole = corpus.read();
    let ids: Vec<&str> = whole[..3].iter().map(|record| record.as_ref().unwrap().id.as_str()).collect();
    assert_eq!(ids, ["id0", "s:a.parquet#1", "id2"]);
    assert_eq!(whole[501].as_ref().unwrap().id, "s:b.parquet#1");
    let comparable =
        |records: Vec<Result<Document>>| records.into_iter().map(|record| record.map_err(|error| error.to_string())).collect::<Vec<_>>();
    let expected = comparable(whole);
    for part_bytes in [1, 3000, 10_000, 1 << 30] {
        let parts = corpus.plan(part_bytes);
        assert!(part_bytes > 10_000 || parts.len() > 3, "{}", parts.len());
        assert_eq!(comparable(corpus.read_by(part_bytes)), expected);
    }
}

#[test]
fn invalid_utf8_costs_its_row_only() {
    // The writer writes what bytes a binary column has, and the reader takes bytes for text.
    let texts: Vec<&[u8]> = vec![b"good", b"b\xffd", b"again"];
    let mut frame = DataFrame::new(3, vec![Column::new("text".into(), texts)]).unwrap();
    let mut bytes = Vec::new();
    ParquetWriter::new(&mut bytes).finish(&mut frame).unwrap();
    let corpus = Corpus::new(PARQUET).file("a.parquet", &bytes);
    assert_eq!(corpus.shown(), ["s:a.parquet#0 good", "! a.parquet: row 1: invalid UTF-8 at byte 1 of the record", "s:a.parquet#2 again"]);
    let corpus = Corpus::new(r#""format": "parquet", "encoding-errors": "replace", "max-record-bytes": 4"#).file("a.parquet", &bytes);
    assert_eq!(
        corpus.shown(),
        ["s:a.parquet#0 good", "s:a.parquet#1 b\u{fffd}d", "! a.parquet: row 2: record longer than max-record-bytes = 4"]
    );
}

#[test]
fn all_wanted_cells_of_a_row_count_and_an_id_has_its_own_limit() {
    let column = |name: &str, values: [String; 3]| Column::new(name.into(), values.to_vec());
    let mut frame = DataFrame::new(
        3,
        vec![
            column("text", ["text"; 3].map(str::to_owned)),
            column("key", ["k".repeat(4096), "k".repeat(4097), "k".to_owned()]),
            column("url", ["uu", "", "uuu"].map(str::to_owned)),
            column("m", ["m".repeat(98), String::new(), "m".repeat(4193)]),
            column("unwanted", ["x".repeat(9000), String::new(), String::new()]),
        ],
    )
    .unwrap();
    let mut bytes = Vec::new();
    ParquetWriter::new(&mut bytes).finish(&mut frame).unwrap();
    // 4 + 4096 + 2 + 98 = 4200, and 4 + 1 + 3 + 4193 = 4201
    let settings = r#""format": "parquet", "id-field": "key", "url-field": "url", "keep-meta": ["m"], "max-record-bytes": 4200"#;
    let shown = Corpus::new(settings).file("a.parquet", &bytes).shown();
    assert_eq!(shown[0], format!("{} text", "k".repeat(4096)));
    assert_eq!(
        shown[1..],
        ["! a.parquet: row 1: field `key` longer than 4096 bytes", "! a.parquet: row 2: record longer than max-record-bytes = 4200"]
    );
}

#[test]
fn columns_that_are_missing_or_of_another_type_stop_the_plan() {
    for (settings, said) in [
        (r#""text-field": "body""#, "has no column `body`; its columns are: big, good, id, key, lang, meta.kind, score, text"),
        (r#""text-field": "score""#, "column `score` is not text"),
        (r#""id-field": "score""#, "column `score` is not text or integers"),
        (r#""id-field": "uid""#, "has no column `uid`"),
        (r#""lang-field": "key""#, "column `key` is not text"),
        (r#""keep-meta": ["license"]"#, "has no column `license`"),
        (r#""text-field": "meta.body""#, "has no column `meta.body`"),
    ] {
        let corpus = Corpus::new(&format!("{PARQUET}, {settings}")).file("a.parquet", plain(3, 3));
        let error = corpus.read_error();
        assert!(error.starts_with("source `s`: ") && error.contains(said), "{error}");
    }
}

#[test]
fn a_damaged_group_is_one_error_and_the_next_is_read() {
    let mut bytes = parquet(90, 30, ParquetCompression::Zstd(None));
    let corpus = Corpus::new(PARQUET).file("a.parquet", &bytes);
    let metadata = polars_parquet::read::read_metadata(&mut std::io::Cursor::new(&bytes)).unwrap();
    let range = metadata.row_groups[1].columns_under_root_iter("text").unwrap().next().unwrap().byte_range();
    bytes[usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap()].fill(0xff);
    let corpus = corpus.file("a.parquet", &bytes);
    let read = corpus.read();
    assert_eq!(read.len(), 30 + 1 + 30);
    let error = read[30].as_ref().unwrap_err();
    assert!(error.loses_more_than_a_record() && error.to_string().contains("a.parquet: row 30: damaged: "), "{error}");
    assert!(error.to_string().ends_with("; its 30 rows are lost"), "{error}");
    assert_eq!(read[31].as_ref().unwrap().id, "id60");
}

#[test]
fn pages_that_claim_more_than_any_text_are_refused() {
    use super::chunk::{Budget, measure_pages};
    // The header of a data page in Thrift's compact protocol: type 0, its size decompressed and in the file, 1 value.
    let page = |decompressed: u64, compressed: usize| {
        let mut header = vec![0x15, 0, 0x15];
        for (number, field) in [(decompressed, Some(0x15)), (compressed as u64, Some(0x2c)), (1, None)] {
            let mut zigzag = number << 1;
            while zigzag > 0x7f {
                header.push(zigzag as u8 | 0x80);
                zigzag >>= 7;
            }
            header.push(zigzag as u8);
            match field {
                Some(0x2c) => header.extend([0x2c, 0x15]),
                Some(field) => header.push(field),
                None => header.extend([0x15, 0, 0x15, 0, 0x15, 0, 0, 0]),
            }
        }
        header.resize(header.len() + compressed, 0);
        header
    };
    let measure = |page: &[u8], budget: &mut Budget| measure_pages(page, 1, budget);
    let mut budget = Budget::new();
    assert_eq!(measure(&page(256 << 20, 100), &mut budget), Ok(()));
    // Of all columns of a row group together.
    budget.next();
    assert!(measure(&page(1 << 20, 100), &mut budget).unwrap_err().contains("more than 300 times their size"));
    assert_eq!(measure(&page(300 << 20, 1 << 20), &mut Budget::new()), Ok(()));
    assert!(measure(&page(302 << 20, 1 << 20), &mut Budget::new()).unwrap_err().contains("more than 300 times their size"));
    assert!(measure(&page((1 << 31) - 1, 100), &mut Budget::new()).is_err());
}

#[test]
fn what_is_no_table_is_one_error() {
    let whole = plain(50, 10);
    let lying = [&whole[..whole.len() - 8], &u32::MAX.to_le_bytes(), b"PAR1"].concat();
    for bytes in [&whole[..whole.len() - 1], &whole[..20], b"PAR1", b"PAR1\0\0\0\0PAR1", &lying, &b"x".repeat(100)] {
        let corpus = Corpus::new(PARQUET).file("a.parquet", bytes);
        let read = corpus.read_by(10);
        assert_eq!(read.len(), 1);
        let error = read[0].as_ref().unwrap_err().to_string();
        assert!(error.contains("a.parquet: row 0: damaged: "), "{error}");
    }
}

#[test]
fn a_file_that_shrank_or_was_exchanged_is_an_error() {
    let corpus = Corpus::new(PARQUET).file("a.parquet", plain(90, 30));
    let parts = corpus.plan(100);
    assert_eq!(parts.len(), 3);
    fs::write(corpus.path("a.parquet"), plain(30, 30)).unwrap();
    let read: Vec<_> = parts.iter().flat_map(|part| crate::read(part, &corpus.source)).collect();
    let errors: Vec<String> = read
        .iter()
        .filter_map(|record| record.as_ref().err())
        .map(ToString::to_string)
        .filter(|error| !error.contains("no field"))
        .collect();
    assert_eq!(errors.len(), 2);
    assert!(errors.iter().all(|error| error.contains("the plan does not fit the file")), "{errors:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn damaged_tables_are_read_to_an_end(
        flips in vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        in_footer in any::<bool>(),
        codec in 0..3_usize,
    ) {
        let codec = [ParquetCompression::Uncompressed, ParquetCompression::Zstd(None), ParquetCompression::Snappy][codec];
        let mut bytes = parquet(60, 20, codec);
        let tail: [u8; 4] = bytes[bytes.len() - 8..bytes.len() - 4].try_into().unwrap();
        let footer = u32::from_le_bytes(tail) as usize;
        let first = if in_footer { bytes.len() - 8 - footer } else { 0 };
        for (at, byte) in flips {
            let at = first + at.index(bytes.len() - first);
            bytes[at] = byte;
        }
        let settings = r#""format": "parquet", "id-field": "key", "lang-field": "lang", "keep-meta": ["score", "good", "big"]"#;
        let corpus = Corpus::new(settings).file("a.parquet", &bytes);
        // A damaged schema may lack a column, which is the plan's error.
        if let Ok(parts) = corpus.try_plan(1000) {
            let records = parts.iter().flat_map(|part| crate::read(part, &corpus.source)).count();
            prop_assert!(records < 1 << 20);
        }
    }
}
