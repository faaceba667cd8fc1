//! Reading what the other programs wrote, and writing the same bytes.
//!
//! `testdata/layouts` was made by `testdata/layouts.py` with Megatron-LM, llm.c and OLMo-core of November
//! 2026 and datatrove 0.10.1.

use std::path::{Path, PathBuf};

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::info::{Compression, ShardMeta, TokenizedDocument};
use crate::writer::ShardWriter;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/layouts").join(name)
}

/// Tokens of a document, and its spans where there are any.
type Document = (Vec<u32>, Option<Vec<Range<u32>>>);

/// A document as it was read: id, tokens, spans, whether it had its end token.
type Read = (Option<String>, Vec<u32>, Option<Vec<Range<u32>>>, bool);

fn read_with(foreign: Foreign, path: &Path) -> Result<Vec<Read>> {
    let mut documents = Vec::new();
    foreign.documents(path, &mut |document| {
        let ForeignDocument { id, tokens, spans, ended, .. } = document;
        documents.push((id.map(str::to_owned), tokens.to_vec(), spans.map(<[_]>::to_vec), ended));
        Ok(())
    })?;
    Ok(documents)
}

fn foreign(layout: Layout, vocab_size: u32) -> Foreign {
    Foreign { layout, vocab_size, eos: 0, tokenizer: [7; 32], token_bytes: None }
}

fn read(layout: Layout, vocab_size: u32, path: &Path) -> Result<Vec<Read>> {
    read_with(foreign(layout, vocab_size), path)
}

/// The documents of `layouts.py` with their largest id, end tokens not among them.
fn documents(largest: u32) -> [Vec<u32>; 4] {
    [vec![1, 2, 3], vec![largest], vec![], vec![4, 5]]
}

fn tokens(read: &[Read]) -> Vec<Vec<u32>> {
    read.iter().map(|(_, tokens, ..)| tokens.clone()).collect()
}

/// The loss mask of `layouts.py` as spans.
fn mask_spans() -> Vec<Vec<Range<u32>>> {
    let spans: [&[(u32, u32)]; 4] = [&[(1, 4)], &[], &[(0, 1)], &[(0, 1), (2, 3)]];
    spans.map(|spans| spans.iter().map(|&(start, end)| start..end).collect()).into()
}

#[test]
fn files_of_other_programs_are_read() {
    for (layout, name, vocab, largest) in [
        (Layout::Megatron, "w4.bin", 80_000, 70_000),
        (Layout::Megatron, "w2.bin", 65_499, 65_498),
        (Layout::Datatrove, "w4.ds", 80_000, 70_000),
        (Layout::Datatrove, "w2.ds", 80_000, 65_535), // the metadata says 2 bytes, whatever the vocabulary
        (Layout::Olmo, "o4.npy", 80_000, 70_000),
        (Layout::LlmC, "llm4.bin", 80_000, 70_000),
        (Layout::LlmC, "llm2.bin", 1 << 16, 65_535),
    ] {
        let path = fixture(name);
        assert_eq!(Layout::of(&path), Some(layout));
        let found = read(layout, vocab, &path).unwrap();
        assert_eq!(tokens(&found), documents(largest), "{name}");
        assert!(found.iter().all(|(.., ended)| *ended), "{name}");
        let spans: Option<Vec<_>> = found.into_iter().map(|(_, _, spans, _)| spans).collect();
        let mask = layout == Layout::Datatrove;
        assert_eq!(spans, mask.then(mask_spans), "{name}");
        assert_eq!(layout.has_loss(&path), mask);
    }
}

#[test]
fn sequences_of_a_document_are_joined() {
    let found = read(Layout::Megatron, 80_000, &fixture("sentences.bin")).unwrap();
    assert_eq!(tokens(&found), [vec![1, 2, 3], vec![70_000], vec![]]);
    assert!(found.iter().all(|(.., ended)| !ended));
}

/// A shard of documents with their spans; ids have what a table of commas and quotes must survive.
fn shard(folder: &Path, documents: &[Document], vocab_size: u32) -> ShardReader {
    let loss = documents.iter().any(|(_, spans)| spans.is_some());
    let meta =
        ShardMeta { bucket: "b".into(), tokenizer: [7; 32], vocab_size, eos: 0, loss, judged: false, compression: Compression::None };
    let mut writer = ShardWriter::create(folder.join("x.shard"), meta).unwrap();
    for (number, (tokens, spans)) in documents.iter().enumerate() {
        let id = format!("a,\"{number}\"");
        let document = TokenizedDocument { id: &id, source: "s", text_bytes: 1, tokens, content_hash: None };
        match spans {
            Some(spans) => writer.push_with_loss(document, spans).unwrap(),
            None => writer.push(document).unwrap(),
        }
    }
    writer.finish().unwrap();
    ShardReader::open(folder.join("x.shard")).unwrap()
}

fn options(layout: Layout, end_tokens: bool) -> ForeignOptions {
    ForeignOptions { layout, end_tokens, tokenizer: "some/tokenizer".into(), compression: Compression::Zstd }
}

#[test]
fn written_files_are_those_of_the_other_programs() {
    let spans = mask_spans();
    for (layout, vocab, largest, files) in [
        (Layout::Megatron, 80_000, 70_000, &[("x.bin", "w4.bin"), ("x.idx", "w4.idx")][..]),
        (Layout::Megatron, 65_499, 65_498, &[("x.bin", "w2.bin"), ("x.idx", "w2.idx")]),
        (
            Layout::Datatrove,
            80_000,
            70_000,
            &[("x.ds", "w4.ds"), ("x.ds.index", "w4.ds.index"), ("x.ds.loss", "w4.ds.loss"), ("x.ds.metadata", "w4.ds.metadata")],
        ),
        (
            Layout::Datatrove,
            1 << 16,
            65_535,
            &[("x.ds", "w2.ds"), ("x.ds.index", "w2.ds.index"), ("x.ds.loss", "w2.ds.loss"), ("x.ds.metadata", "w2.ds.metadata")],
        ),
        (Layout::Olmo, 80_000, 70_000, &[("x.npy", "o4.npy")]),
        (Layout::LlmC, 80_000, 70_000, &[("x.bin", "llm4.bin")]),
        (Layout::LlmC, 1 << 16, 65_535, &[("x.bin", "llm2.bin")]),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let spans = spans.clone().into_iter().map(|spans| Some(spans).filter(|_| layout.keeps_loss()));
        let documents: Vec<_> = documents(largest).into_iter().zip(spans).collect();
        let shard = shard(folder.path(), &documents, vocab);
        let written = export(&shard, &folder.path().join("x"), &options(layout, true)).unwrap();
        for (ours, theirs) in files {
            assert!(written.contains(&folder.path().join(ours)), "{ours}: {written:?}");
            let ours = std::fs::read(folder.path().join(ours)).unwrap();
            assert_eq!(ours, std::fs::read(fixture(theirs)).unwrap(), "{layout:?} {theirs}");
        }
        assert!(std::fs::read_dir(folder.path()).unwrap().all(|entry| !entry.unwrap().file_name().to_string_lossy().ends_with(".tmp")));
    }
}

#[test]
fn the_table_of_an_olmo_array_has_its_ids() {
    let folder = tempfile::tempdir().unwrap();
    let documents: Vec<_> = documents(70_000).into_iter().map(|tokens| (tokens, None)).collect();
    let shard = shard(folder.path(), &documents, 80_000);
    export(&shard, &folder.path().join("x"), &options(Layout::Olmo, true)).unwrap();
    let mut lines = String::new();
    let file = std::fs::File::open(folder.path().join("x.csv.gz")).unwrap();
    std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(file), &mut lines).unwrap();
    // As Python's csv module writes it.
    assert_eq!(lines, "0,4,\"a,\"\"0\"\"\",s,0\n4,6,\"a,\"\"1\"\"\",s,1\n6,7,\"a,\"\"2\"\"\",s,2\n7,10,\"a,\"\"3\"\"\",s,3\n");
}

fn spans(length: usize) -> impl Strategy<Value = Vec<Range<u32>>> {
    // Spans that do not touch: touching ones become one in a mask.
    let borders = proptest::collection::btree_set(0..length as u32 + 2, 0..8);
    borders.prop_map(|borders| {
        let borders: Vec<u32> = borders.into_iter().collect();
        borders.chunks_exact(2).map(|pair| pair[0]..pair[1]).collect()
    })
}

fn documents_with_spans() -> impl Strategy<Value = Vec<Document>> {
    let document = proptest::collection::vec(1u32..90_000, 0..40).prop_flat_map(|tokens| {
        let length = tokens.len();
        (Just(tokens), spans(length).prop_map(Some))
    });
    proptest::collection::vec(document, 0..12)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))] // every file is synced to disk

    #[test]
    fn what_is_written_is_read_back(documents in documents_with_spans(), loss: bool, end_tokens: bool, wide: bool) {
        let vocab = if wide { 90_000 } else { 60_000 };
        let fit = |tokens: Vec<u32>| tokens.into_iter().map(|id| id % vocab).map(|id| id.max(1)).collect::<Vec<u32>>();
        let documents: Vec<_> = documents.into_iter().map(|(tokens, spans)| (fit(tokens), spans.filter(|_| loss))).collect();
        let folder = tempfile::tempdir().unwrap();
        let shard = shard(folder.path(), &documents, vocab);
        for layout in [Layout::Megatron, Layout::Datatrove, Layout::Olmo, Layout::LlmC, Layout::Malmoi] {
            if layout == Layout::LlmC && !end_tokens {
                continue; // documents are not told apart
            }
            if layout == Layout::Malmoi && !end_tokens {
                let refused = export(&shard, &folder.path().join("y"), &options(layout, end_tokens));
                prop_assert!(matches!(refused, Err(Error::Setting { option: "end-tokens", .. })), "{:?}", refused);
                continue;
            }
            if shard.has_loss() && !layout.keeps_loss() {
                let refused = export(&shard, &folder.path().join(layout.name()), &options(layout, end_tokens));
                prop_assert!(matches!(refused, Err(Error::Setting { option: "layout", .. })), "{:?}", refused);
                continue;
            }
            let files = export(&shard, &folder.path().join(layout.name()), &options(layout, end_tokens)).unwrap();
            prop_assert_eq!(&layout.files(&files[0]), &files);
            let found = read(layout, vocab, &files[0]).unwrap();
            prop_assert_eq!(tokens(&found), documents.iter().map(|(tokens, _)| tokens.clone()).collect::<Vec<_>>());
            for (number, ((id, tokens, spans, ended), (_, expected))) in found.into_iter().zip(&documents).enumerate() {
                prop_assert_eq!(ended, end_tokens);
                if layout == Layout::Olmo {
                    prop_assert_eq!(id, Some(format!("a,\"{number}\"")));
                }
                if matches!(layout, Layout::Datatrove | Layout::Olmo) {
                    let end = tokens.len() as u32 + u32::from(end_tokens);
                    let cut = |span: &Range<u32>| span.start..span.end.min(end);
                    let expected = expected.as_ref().map(|spans| spans.iter().map(cut).filter(|span| !span.is_empty()));
                    prop_assert_eq!(merged(spans), merged(expected.map(Iterator::collect)));
                }
            }
        }
    }

    #[test]
    fn damaged_files_give_errors(
        name in proptest::sample::select(vec!["w4.idx", "w4.bin", "w2.ds", "w2.ds.index", "w2.ds.loss", "w2.ds.metadata", "o4.csv.gz", "o4.npy", "llm4.bin"]),
        at in 0usize..1100, byte: u8, cut: bool,
    ) {
        let folder = copy();
        let path = folder.path().join(name);
        let mut bytes = std::fs::read(&path).unwrap();
        let at = at % bytes.len();
        if cut {
            bytes.truncate(at);
        } else {
            bytes[at] = byte;
        }
        std::fs::write(&path, bytes).unwrap();
        // No panic, and no more tokens than there are bytes.
        for (layout, name) in [(Layout::Megatron, "w4.bin"), (Layout::Datatrove, "w2.ds"), (Layout::Olmo, "o4.npy"), (Layout::LlmC, "llm4.bin")] {
            if let Ok(found) = read(layout, 80_000, &folder.path().join(name)) {
                prop_assert!(found.iter().map(|(_, tokens, ..)| tokens.len()).sum::<usize>() <= 1000);
            }
        }
    }
}

/// Spans with those that touch made one.
fn merged(spans: Option<Vec<Range<u32>>>) -> Option<Vec<Range<u32>>> {
    spans.map(|spans| {
        let mut merged: Vec<Range<u32>> = Vec::new();
        for span in spans {
            match merged.last_mut() {
                Some(last) if last.end == span.start => last.end = span.end,
                _ => merged.push(span),
            }
        }
        merged
    })
}

/// The fixtures in a folder of their own.
fn copy() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(fixture("")).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), folder.path().join(entry.file_name())).unwrap();
    }
    folder
}

/// The error after `damage` to a file of the fixtures.
fn after(file: &str, damage: impl Fn(&mut Vec<u8>), layout: Layout, read_from: &str) -> String {
    let folder = copy();
    let path = folder.path().join(file);
    let mut bytes = std::fs::read(&path).unwrap();
    damage(&mut bytes);
    std::fs::write(&path, bytes).unwrap();
    let error = read(layout, 80_000, &folder.path().join(read_from)).unwrap_err().to_string();
    error.replace(folder.path().to_str().unwrap(), "")
}

#[test]
fn errors_name_file_and_place() {
    let put = |at: usize, value: &'static [u8]| move |bytes: &mut Vec<u8>| bytes[at..at + value.len()].copy_from_slice(value);
    let cut = |length: usize| move |bytes: &mut Vec<u8>| bytes.truncate(length);
    let megatron = |file: &str, damage: &dyn Fn(&mut Vec<u8>)| after(file, damage, Layout::Megatron, "w4.bin");
    assert_eq!(megatron("w4.idx", &put(0, b"N")), "/w4.idx: not an index of Megatron-LM (it does not begin with `MMIDIDX`)");
    assert_eq!(megatron("w4.idx", &put(9, &[2])), "/w4.idx: damaged at byte 9: version 2, known is 1");
    assert_eq!(megatron("w4.idx", &put(17, &[7])), "/w4.idx: damaged at byte 17: tokens of type 7, which is no whole number");
    let claims = "/w4.idx: damaged at byte 18: 18446744073709551615 sequences and 5 document borders are not what 122 bytes hold";
    assert_eq!(megatron("w4.idx", &put(18, &[255; 8])), claims);
    assert_eq!(megatron("w4.idx", &put(34, &[255; 4])), "/w4.idx: damaged at byte 34: sequence 0 has -1 tokens");
    assert_eq!(
        megatron("w4.idx", &put(58, &[1])),
        "/w4.idx: damaged at byte 58: sequence 1 starts at byte 1, the one before it ends at 16"
    );
    assert_eq!(
        megatron("w4.idx", &put(34, &[255, 255, 255, 127])),
        "/w4.bin: damaged at byte 0: a document of 2147483647 tokens, where 10 are left in the file"
    );
    assert_eq!(megatron("w4.idx", &put(90, &[9])), "/w4.idx: damaged at byte 90: document 1 ends with sequence 9 of 4");
    assert_eq!(megatron("w4.bin", &put(3, &[0x80])), "/w4.bin: damaged at byte 0: token -2147483647 in a vocabulary of 80000");
    assert_eq!(megatron("w4.bin", &put(18, &[2])), "/w4.bin: damaged at byte 16: token 135536 in a vocabulary of 80000");
    assert_eq!(megatron("w4.bin", &cut(38)), "/w4.bin: damaged at byte 36: 38 bytes of tokens are no multiple of the 4 of a token");
    // The index of another file.
    let other = std::fs::read(fixture("sentences.bin")).unwrap();
    let swapped = after("w4.bin", |bytes| *bytes = other.clone(), Layout::Megatron, "w4.bin");
    assert_eq!(swapped, "/w4.bin: damaged at byte 16: a document of 2 tokens, where 0 are left in the file");
    let longer = after("w4.bin", |bytes| bytes.extend([0; 8]), Layout::Megatron, "w4.bin");
    assert_eq!(longer, "/w4.bin: damaged at byte 40: 2 tokens that the index does not know");

    let datatrove = |file: &str, damage: &dyn Fn(&mut Vec<u8>)| after(file, damage, Layout::Datatrove, "w2.ds");
    assert_eq!(
        datatrove("w2.ds.index", &put(8, &[1])),
        "/w2.ds.index: damaged at byte 8: document 1 ends at token 1, the one before it at 4"
    );
    assert_eq!(datatrove("w2.ds.index", &cut(31)), "/w2.ds.index: damaged at byte 24: the index is cut off inside a number of 8 bytes");
    assert_eq!(datatrove("w2.ds.index", &cut(24)), "/w2.ds: damaged at byte 14: 3 tokens that the index does not know");
    assert_eq!(datatrove("w2.ds.loss", &cut(9)), "/w2.ds.loss: damaged at byte 9: 9 bytes for 10 tokens");
    assert_eq!(datatrove("w2.ds.loss", &put(5, &[2])), "/w2.ds.loss: damaged at byte 5: 2, not 0 or 1");
    assert_eq!(datatrove("w2.ds.metadata", &put(15, b"4")), "/w2.ds: by its index it has 2 bytes a token, by its metadata 4");
    assert!(datatrove("w2.ds.metadata", &put(15, b"3")).starts_with("/w2.ds.metadata: its first line does not end with"));

    let olmo = |file: &str, damage: &dyn Fn(&mut Vec<u8>)| after(file, damage, Layout::Olmo, "o4.npy");
    assert!(olmo("o4.npy", &put(0, b"\x93NUMPY")).starts_with("/o4.npy: a file that NumPy's `save` wrote"));
    assert_eq!(olmo("o4.npy", &cut(36)), "/o4.csv.gz: line 4: tokens 7..10 of 9 (a token has 4 bytes)");
    assert!(olmo("o4.csv.gz", &cut(20)).starts_with("cannot read /o4.csv.gz"));

    let llm_c = |damage: &dyn Fn(&mut Vec<u8>)| after("llm4.bin", damage, Layout::LlmC, "llm4.bin");
    assert!(llm_c(&put(0, &[0])).starts_with("/llm4.bin: not a token file of llm.c (magic "));
    assert_eq!(llm_c(&put(4, &[1])), "/llm4.bin: damaged at byte 4: version 1, known is 7 for magic 20240801");
    assert_eq!(llm_c(&cut(1060)), "/llm4.bin: damaged at byte 8: the header says 10 tokens, the file has 9");
    assert!(llm_c(&cut(100)).starts_with("/llm4.bin: not a token file of llm.c: 100 bytes"));
}

#[test]
fn a_file_that_is_cut_inside_a_document_ends_without_its_token() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("o.npy");
    let write = |ids: &[u16]| std::fs::write(&path, ids.iter().flat_map(|id| id.to_le_bytes()).collect::<Vec<u8>>()).unwrap();
    let found = |layout| -> Vec<(Vec<u32>, bool)> {
        read(layout, 100, &path).unwrap().into_iter().map(|(_, tokens, _, ended)| (tokens, ended)).collect()
    };
    write(&[0, 7, 0, 8]);
    assert_eq!(found(Layout::Olmo), [(vec![], true), (vec![7], true), (vec![8], false)]);
    write(&[]);
    assert_eq!(found(Layout::Olmo), []);
    // The width is asked for where the file does not say it.
    write(&[5, 0, 0, 0]);
    let wide = Foreign { token_bytes: Some(4), ..foreign(Layout::Olmo, 100) };
    assert_eq!(tokens(&read_with(wide, &path).unwrap()), [[5]]);
    let odd = Foreign { token_bytes: Some(3), ..wide };
    assert!(read_with(odd, &path).unwrap_err().to_string().contains("token-bytes"));
}
