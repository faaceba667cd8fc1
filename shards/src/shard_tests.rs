//! Shards written and read back, and shards that someone has tampered with.

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use proptest::prelude::*;

use crate::error::Error;
use crate::header::{HEADER_BYTES, Header, kind};
use crate::info::{ShardInfo, ShardMeta, TokenizedDocument};
use crate::reader::ShardReader;
use crate::writer::ShardWriter;

#[derive(Debug, Clone)]
struct Doc {
    id: String,
    source: String,
    text_bytes: u64,
    tokens: Vec<u32>,
    spans: Vec<Range<u32>>,
}

fn meta(vocab_size: u32, loss: bool) -> ShardMeta {
    ShardMeta { bucket: "korean".to_owned(), tokenizer: [7; 32], vocab_size, eos: vocab_size - 1, loss }
}

fn write(path: &Path, meta: ShardMeta, docs: &[Doc]) -> ShardInfo {
    let loss = meta.loss;
    let mut writer = ShardWriter::create(path, meta).unwrap();
    for doc in docs {
        let document = TokenizedDocument { id: &doc.id, source: &doc.source, text_bytes: doc.text_bytes, tokens: &doc.tokens };
        if loss {
            writer.push_with_loss(document, &doc.spans).unwrap();
        } else {
            writer.push(document).unwrap();
        }
    }
    writer.finish().unwrap()
}

fn doc(id: &str, source: &str, tokens: &[u32]) -> Doc {
    let span = 0..tokens.len() as u32;
    Doc {
        id: id.to_owned(),
        source: source.to_owned(),
        text_bytes: tokens.len() as u64 * 3,
        tokens: tokens.to_vec(),
        spans: if tokens.is_empty() { vec![] } else { vec![span] },
    }
}

fn sample() -> Vec<Doc> {
    vec![doc("문서-1", "ko-web", &[1, 2, 3]), doc("", "ko-web", &[]), doc("b\0\n", "ko-law", &[5; 40])]
}

fn check(path: &Path, info: &ShardInfo, docs: &[Doc], meta: &ShardMeta) {
    let reader = ShardReader::open(path).unwrap();
    reader.verify().unwrap();
    assert_eq!(reader.len(), docs.len() as u64);
    assert_eq!((reader.bucket(), reader.eos()), (&meta.bucket[..], meta.eos));
    assert_eq!((reader.tokenizer(), reader.vocab_size()), (meta.tokenizer, meta.vocab_size));
    assert_eq!(reader.checksum(), info.checksum);
    assert_eq!(reader.source_counts().unwrap(), info.sources);
    assert_eq!(info.tokens, docs.iter().map(|d| d.tokens.len() as u64 + 1).sum::<u64>());
    assert_eq!(fs::metadata(path).unwrap().len(), info.file_bytes);
    for (index, (doc, found)) in docs.iter().zip(reader.documents()).enumerate() {
        let found = found.unwrap();
        assert_eq!((found.id, found.source), (&doc.id[..], &doc.source[..]));
        assert_eq!(found.text_bytes, doc.text_bytes);
        let mut tokens = Vec::new();
        reader.tokens(found.tokens.clone(), &mut tokens).unwrap();
        assert_eq!(tokens.pop(), Some(meta.eos));
        assert_eq!(tokens, doc.tokens);
        for token in [found.tokens.start, found.tokens.end - 1] {
            assert_eq!(reader.document_of(token).unwrap(), index as u64);
        }
        let spans = meta.loss.then(|| doc.spans.clone());
        assert_eq!(reader.loss_spans(index as u64).unwrap(), spans);
    }
}

fn spans(length: usize) -> impl Strategy<Value = Vec<Range<u32>>> {
    proptest::collection::btree_set(0..length as u32 + 2, 0..8).prop_map(|borders| {
        let borders: Vec<u32> = borders.into_iter().collect();
        borders.chunks_exact(2).map(|pair| pair[0]..pair[1]).collect()
    })
}

fn docs(vocab_size: u32) -> impl Strategy<Value = Vec<Doc>> {
    let tokens = proptest::collection::vec(0..vocab_size, 0..50);
    let doc = (any::<String>(), "[ab가]{0,2}", 0..1u64 << 40, tokens).prop_flat_map(|(id, source, text_bytes, tokens)| {
        spans(tokens.len()).prop_map(move |spans| Doc { id: id.clone(), source: source.clone(), text_bytes, tokens: tokens.clone(), spans })
    });
    proptest::collection::vec(doc, 0..12)
}

fn any_shard() -> impl Strategy<Value = (ShardMeta, Vec<Doc>)> {
    let sizes = prop_oneof![Just(2u32), Just(1 << 16), Just((1 << 16) + 1), Just(u32::MAX)];
    (sizes, any::<bool>()).prop_flat_map(|(size, loss)| docs(size).prop_map(move |docs| (meta(size, loss), docs)))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn reads_what_was_written((meta, docs) in any_shard()) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.shard");
        let info = write(&path, meta.clone(), &docs);
        check(&path, &info, &docs, &meta);
        // The same documents give the same bytes.
        let again = folder.path().join("b.shard");
        write(&again, meta, &docs);
        prop_assert!(fs::read(&path).unwrap() == fs::read(&again).unwrap());
        prop_assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    /// Damage with all checksums made right again: nothing is trusted for its checksum alone.
    #[test]
    fn resealed_damage_never_panics(
        loss: bool, edits in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let (_folder, path, mut bytes) = small(loss);
        for (index, byte) in edits {
            let at = index.index(bytes.len() - 48) + 48; // behind magic and checksum
            bytes[at] = byte;
        }
        reseal(&mut bytes);
        fs::write(&path, &bytes).unwrap();
        read_everything(&path);
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes: Vec<u8>, magic: bool) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.shard");
        let mut file = if magic { b"MALMTOK\x01\x01\0\0\0".to_vec() } else { Vec::new() };
        file.extend(bytes);
        fs::write(&path, &file).unwrap();
        prop_assert!(ShardReader::open(&path).is_err());
    }
}

fn small(loss: bool) -> (tempfile::TempDir, PathBuf, Vec<u8>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.shard");
    write(&path, meta(300, loss), &sample());
    let bytes = fs::read(&path).unwrap();
    (folder, path, bytes)
}

/// Recomputes every checksum as the header's own table describes the file, where it can be.
fn reseal(bytes: &mut [u8]) {
    let count = u32::from_le_bytes(bytes[52..56].try_into().unwrap()).min(32) as usize;
    let number = |bytes: &[u8], at: usize| usize::try_from(u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap())).unwrap();
    let mut blocks = None;
    for entry in (0..count).map(|index| 256 + index * 64) {
        let (start, length) = (number(bytes, entry + 8), number(bytes, entry + 16));
        let Some(end) = start.checked_add(length).filter(|&end| end <= bytes.len()) else {
            continue;
        };
        if u32::from(bytes[entry]) == kind::TOKENS {
            blocks = Some((entry, *blake3::hash(&bytes[start..end]).as_bytes()));
        } else if let (kind::BLOCK_HASH, 32, Some((tokens, hash))) = (u32::from(bytes[entry]), length, blocks) {
            bytes[start..end].copy_from_slice(&hash);
            let hash = *blake3::hash(&hash).as_bytes();
            bytes[tokens + 32..tokens + 64].copy_from_slice(&hash);
        }
        let hash = *blake3::hash(&bytes[start..end]).as_bytes();
        if u32::from(bytes[entry]) != kind::TOKENS {
            bytes[entry + 32..entry + 64].copy_from_slice(&hash);
        }
    }
    reseal_header(bytes);
}

fn reseal_header(bytes: &mut [u8]) {
    bytes[16..48].fill(0);
    let checksum = *blake3::hash(&bytes[..HEADER_BYTES]).as_bytes();
    bytes[16..48].copy_from_slice(&checksum);
}

/// Calls everything a reader offers; true when nothing is refused.
fn read_everything(path: &Path) -> bool {
    let Ok(reader) = ShardReader::open(path) else {
        return false;
    };
    let mut good = reader.verify().is_ok();
    good &= reader.source_counts().is_ok();
    for index in 0..reader.len() {
        good &= reader.loss_spans(index).is_ok();
        good &= reader.document(index).is_ok();
    }
    let mut tokens = Vec::new();
    good & reader.tokens(0..reader.token_count(), &mut tokens).is_ok()
}

#[test]
fn untouched_files_pass_and_every_changed_byte_is_refused() {
    for loss in [false, true] {
        let (_folder, path, bytes) = small(loss);
        assert!(read_everything(&path));
        // The zeros behind the section table are all alike: every 16th of them will do.
        let dull = |at: &usize| (900..HEADER_BYTES).contains(at) && !at.is_multiple_of(16);
        for at in (0..bytes.len()).filter(|at| !dull(at)) {
            let mut changed = bytes.clone();
            changed[at] ^= 1 << (at % 8);
            fs::write(&path, &changed).unwrap();
            let refused = ShardReader::open(&path).and_then(|reader| reader.verify());
            assert!(refused.is_err(), "byte {at} may be changed unseen");
        }
    }
}

#[test]
fn cut_and_grown_files_are_refused() {
    let (_folder, path, bytes) = small(true);
    for length in (0..HEADER_BYTES).step_by(61).chain(HEADER_BYTES..bytes.len()) {
        fs::write(&path, &bytes[..length]).unwrap();
        assert!(ShardReader::open(&path).is_err(), "{length} bytes");
    }
    fs::write(&path, [&bytes[..], &[0]].concat()).unwrap();
    assert!(ShardReader::open(&path).is_err());
}

#[test]
fn huge_claims_are_refused_without_allocating() {
    let (_folder, path, bytes) = small(true);
    let count = u32::from_le_bytes(bytes[52..56].try_into().unwrap()) as usize;
    let places = [56, 64, 80].into_iter();
    let tables = (0..count).flat_map(|index| [8, 16, 24].map(|field| 256 + index * 64 + field));
    for at in places.chain(tables) {
        for claim in [u64::MAX, u64::MAX - 4095, 1 << 63, 1 << 40, 0] {
            let mut changed = bytes.clone();
            if changed[at..at + 8] == claim.to_le_bytes() {
                continue;
            }
            changed[at..at + 8].copy_from_slice(&claim.to_le_bytes());
            reseal_header(&mut changed);
            fs::write(&path, &changed).unwrap();
            assert!(!read_everything(&path), "{claim} at {at}");
        }
    }
}

#[test]
fn damage_is_reported_with_file_and_block() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.shard");
    let tokens: Vec<u32> = (0..1_300_000).map(|i| i % 299).collect();
    write(&path, meta(300, false), &[doc("a", "s", &tokens), doc("b", "s", &tokens)]);
    let mut bytes = fs::read(&path).unwrap();
    for at in [4096 + (3 << 20) + 17, 4096 + (4 << 20)] {
        bytes[at] ^= 1;
    }
    fs::write(&path, &bytes).unwrap();
    for threads in [1, 4] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let verify = || ShardReader::open(&path).unwrap().verify();
        match pool.install(verify).unwrap_err() {
            Error::Corrupt { path: named, offset, .. } => {
                assert_eq!((named, offset), (path.clone(), 4096 + (3 << 20)));
            }
            other => panic!("{other}"),
        }
    }
}

#[test]
fn other_files_and_versions_are_named_as_such() {
    let (_folder, path, bytes) = small(false);
    let open = |bytes: &[u8]| {
        fs::write(&path, bytes).unwrap();
        ShardReader::open(&path).unwrap_err().to_string()
    };
    assert!(open(b"").contains("empty"));
    assert!(open(b"{\"text\": \"a document\"}").contains("not a malmoi shard"));
    let mut next = bytes.clone();
    next[8] = 2;
    assert!(open(&next).contains("shard format 2.0"));
    // A later minor version with a section of a kind unknown here still opens and verifies.
    let mut header = Header::decode(&bytes, bytes.len() as u64, &path).unwrap();
    let end = header.file_bytes.next_multiple_of(64);
    let mut longer = bytes.clone();
    longer.resize(end as usize, 0);
    longer.extend(b"new");
    header.sections.push(crate::header::Section { kind: 99, offset: end, bytes: 3, items: 1, hash: *blake3::hash(b"new").as_bytes() });
    header.file_bytes = end + 3;
    longer[..HEADER_BYTES].copy_from_slice(&header.encode());
    longer[12] = 1;
    reseal_header(&mut longer);
    fs::write(&path, &longer).unwrap();
    assert!(read_everything(&path));
}

#[test]
fn bad_documents_are_refused_before_they_are_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.shard");
    let mut writer = ShardWriter::create(&path, meta(300, true)).unwrap();
    let document = TokenizedDocument { id: "1", source: "s", text_bytes: 3, tokens: &[1, 2, 3] };
    // Too long, empty, overlapping, out of order.
    for [a, b] in [[0..1, 1..5], [0..1, 2..2], [1..3, 2..4], [2..3, 0..1]] {
        let spans = [a, b];
        assert!(writer.push_with_loss(document, &spans).is_err(), "{spans:?}");
    }
    let outside = TokenizedDocument { tokens: &[300], ..document };
    let error = writer.push(outside).unwrap_err().to_string();
    assert!(error.contains("`1`") && error.contains("300"), "{error}");
    writer.push_with_loss(document, &[0..1, 3..4]).unwrap();
    drop(writer);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "an abandoned shard leaves nothing");
    let mut plain = ShardWriter::create(&path, meta(300, false)).unwrap();
    assert!(plain.push_with_loss(document, &[]).is_err());
    for bucket in [String::new(), "가".repeat(22)] {
        assert!(ShardWriter::create(&path, ShardMeta { bucket, ..meta(300, false) }).is_err());
    }
    assert!(ShardWriter::create(&path, ShardMeta { eos: 300, ..meta(300, false) }).is_err());
}

/// Fails when the bytes of the format change; then its version and FORMAT.md must change too.
#[test]
fn the_format_has_not_changed() {
    let folder = tempfile::tempdir().unwrap();
    let mut hashes = [false, true].map(|loss| {
        let path = folder.path().join("a.shard");
        write(&path, meta(70_000, loss), &sample());
        blake3::hash(&fs::read(&path).unwrap()).to_hex().to_string()
    });
    hashes.iter_mut().for_each(|hash| hash.truncate(16));
    assert_eq!(hashes, ["25103411f7b88059", "6fc9cbe5e6ea1f11"]);
}
