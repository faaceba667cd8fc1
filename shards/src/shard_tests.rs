//! Shards written and read back.

mod damage;

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use proptest::prelude::*;

use crate::error::Error;
use crate::header::{HEADER_BYTES, Header, kind};
use crate::info::{Compression, ShardInfo, ShardMeta, TokenizedDocument};
use crate::reader::ShardReader;
use crate::writer::{ShardWriter, content_hash};

#[derive(Debug, Clone)]
struct Doc {
    id: String,
    source: String,
    text_bytes: u64,
    tokens: Vec<u32>,
    spans: Vec<Range<u32>>,
    hash: Option<[u8; 16]>,
}

fn meta(vocab_size: u32, loss: bool) -> ShardMeta {
    ShardMeta {
        bucket: "korean".to_owned(),
        tokenizer: [7; 32],
        vocab_size,
        eos: vocab_size - 1,
        loss,
        judged: false,
        compression: Compression::None,
    }
}

const BOTH: [Compression; 2] = [Compression::None, Compression::Zstd];

fn write(path: &Path, meta: ShardMeta, docs: &[Doc]) -> ShardInfo {
    let loss = meta.loss;
    let mut writer = ShardWriter::create(path, meta).unwrap();
    for doc in docs {
        let document =
            TokenizedDocument { id: &doc.id, source: &doc.source, text_bytes: doc.text_bytes, tokens: &doc.tokens, content_hash: doc.hash };
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
        hash: None,
    }
}

fn sample() -> Vec<Doc> {
    vec![doc("문서-1", "ko-web", &[1, 2, 3]), doc("", "ko-web", &[]), doc("b\0\n", "ko-law", &[5; 40])]
}

fn with_hashes(docs: Vec<Doc>) -> Vec<Doc> {
    docs.into_iter().map(|doc| Doc { hash: Some(content_hash(doc.id.as_bytes())), ..doc }).collect()
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
        assert_eq!((found.text_bytes, found.content_hash), (doc.text_bytes, doc.hash));
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
        spans(tokens.len()).prop_map(move |spans| Doc {
            id: id.clone(),
            source: source.clone(),
            text_bytes,
            tokens: tokens.clone(),
            spans,
            hash: None,
        })
    });
    proptest::collection::vec(doc, 0..12)
}

fn any_shard() -> impl Strategy<Value = (ShardMeta, Vec<Doc>)> {
    let sizes = prop_oneof![Just(2u32), Just(1 << 16), Just((1 << 16) + 1), Just(u32::MAX)];
    (sizes, any::<bool>(), any::<bool>(), proptest::sample::select(BOTH.to_vec())).prop_flat_map(|(size, loss, hashed, compression)| {
        docs(size).prop_map(move |docs| (ShardMeta { compression, ..meta(size, loss) }, if hashed { with_hashes(docs) } else { docs }))
    })
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
        loss: bool, compressed: bool, edits in proptest::collection::vec((any::<prop::sample::Index>(), any::<u64>(), 1usize..9), 1..6),
    ) {
        let (_folder, path, mut bytes) = small(loss, BOTH[usize::from(compressed)]);
        for (index, number, length) in edits {
            let at = index.index(bytes.len() - 56) + 48; // behind magic and checksum
            bytes[at..at + length].copy_from_slice(&number.to_le_bytes()[..length]);
        }
        reseal(&mut bytes);
        fs::write(&path, &bytes).unwrap();
        read_everything(&path);
    }

    /// Whole pages, some with everything right that is looked at before the numbers: magic, version,
    /// checksum, zeros, and as many sections as fit.
    #[test]
    fn arbitrary_bytes_never_panic(mut file in proptest::collection::vec(any::<u8>(), 0..6000), level in 0..3) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.shard");
        if level > 0 {
            file.resize(file.len().max(HEADER_BYTES), 7);
            file[..16].copy_from_slice(b"MALMTOK\x01\x01\0\0\0\0\0\0\0");
            reseal_header(&mut file);
        }
        if level > 1 {
            let (length, sections) = (file.len() as u64, u32::from(file[52]) % 33);
            file[52..56].copy_from_slice(&sections.to_le_bytes());
            file[80..88].copy_from_slice(&length.to_le_bytes());
            file[128..256].fill(0);
            (file[128], file[132]) = (1, b'b');
            (0..32).for_each(|row| file[256 + row * 64 + 4..][..4].fill(0));
            file[256 + sections as usize * 64..HEADER_BYTES].fill(0);
            reseal_header(&mut file);
        }
        fs::write(&path, &file).unwrap();
        prop_assert!(!read_everything(&path));
    }
}

fn small(loss: bool, compression: Compression) -> (tempfile::TempDir, PathBuf, Vec<u8>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.shard");
    write(&path, ShardMeta { compression, ..meta(300, loss) }, &with_hashes(sample()));
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
fn bad_documents_are_refused_before_they_are_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.shard");
    let mut writer = ShardWriter::create(&path, meta(300, true)).unwrap();
    let document = TokenizedDocument { id: "1", source: "s", text_bytes: 3, tokens: &[1, 2, 3], content_hash: None };
    // Too long, empty, overlapping, out of order.
    for [a, b] in [[0..1, 1..5], [0..1, 2..2], [1..3, 2..4], [2..3, 0..1]] {
        let spans = [a, b];
        assert!(writer.push_with_loss(document, &spans).is_err(), "{spans:?}");
    }
    let outside = TokenizedDocument { tokens: &[300], ..document };
    let error = writer.push(outside).unwrap_err().to_string();
    assert!(error.contains("`1`") && error.contains("300"), "{error}");
    writer.push_with_loss(document, &[0..1, 3..4]).unwrap();
    let hashed = TokenizedDocument { content_hash: Some([1; 16]), ..document };
    assert!(writer.push(hashed).unwrap_err().to_string().contains("others without"));
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
