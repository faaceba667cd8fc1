//! Compressed shards: the tokens of plain ones, and frames that are not what they should be.

use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;

use crate::compressed::BLOCK_BYTES;
use crate::error::Error;
use crate::header::{HEADER_BYTES, Header, kind};
use crate::info::{Compression, ShardMeta, TokenizedDocument};
use crate::reader::ShardReader;
use crate::writer::ShardWriter;

fn meta(vocab_size: u32, compression: Compression) -> ShardMeta {
    let bucket = "korean".to_owned();
    ShardMeta { bucket, tokenizer: [7; 32], vocab_size, eos: 0, loss: false, judged: false, compression }
}

fn write(path: &Path, meta: ShardMeta, documents: &[Vec<u32>]) {
    let mut writer = ShardWriter::create(path, meta).unwrap();
    for (number, tokens) in documents.iter().enumerate() {
        writer.push(TokenizedDocument { id: &number.to_string(), source: "s", text_bytes: 1, tokens, content_hash: None }).unwrap();
    }
    writer.finish().unwrap();
}

/// Documents of ids that do not repeat in short cycles.
fn documents(vocab_size: u32, lengths: &[usize]) -> Vec<Vec<u32>> {
    let mut seed = 1u32;
    let mut next = || {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (seed >> 8) % vocab_size.min(3000)
    };
    lengths.iter().map(|length| (0..*length).map(|_| next()).collect()).collect()
}

fn ids(reader: &ShardReader, range: std::ops::Range<u64>) -> Vec<u32> {
    let mut out = Vec::new();
    reader.tokens(range, &mut out).unwrap();
    out
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))] // every shard is synced to disk

    #[test]
    fn any_range_has_the_tokens_of_a_plain_shard(
        lengths in proptest::collection::vec(0usize..30_000, 1..8), wide: bool,
        ranges in proptest::collection::vec((any::<prop::sample::Index>(), 0u64..80_000), 20),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let vocab_size = if wide { 200_000 } else { 5000 };
        let documents = documents(vocab_size, &lengths);
        let open = |compression: Compression| {
            let path = folder.path().join(compression.name());
            write(&path, meta(vocab_size, compression), &documents);
            let reader = ShardReader::open(path).unwrap();
            reader.verify().unwrap();
            reader
        };
        let (plain, packed) = (open(Compression::None), open(Compression::Zstd));
        prop_assert_eq!((packed.compression(), packed.source_counts().unwrap()), (Compression::Zstd, plain.source_counts().unwrap()));
        let all = plain.token_count();
        for (start, length) in ranges {
            let start = start.index(all as usize + 1) as u64;
            let range = start..all.min(start + length);
            prop_assert_eq!(ids(&packed, range.clone()), ids(&plain, range));
        }
        prop_assert!(packed.tokens(0..all + 1, &mut Vec::new()).is_err());
    }
}

/// Tokens of 200,000 bytes in four blocks.
fn four_blocks() -> (tempfile::TempDir, PathBuf, Vec<u8>, Header) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.shard");
    write(&path, meta(5000, Compression::Zstd), &documents(5000, &[60_000, 39_998]));
    let bytes = fs::read(&path).unwrap();
    let header = Header::decode(&bytes, bytes.len() as u64, &path).unwrap();
    assert_eq!(header.section(kind::BLOCK_HASH, &path).unwrap().items, 4);
    (folder, path, bytes, header)
}

fn corrupt(result: Result<(), Error>) -> (u64, String) {
    match result.unwrap_err() {
        Error::Corrupt { offset, detail, .. } => (offset, detail),
        other => panic!("{other}"),
    }
}

fn block_end(bytes: &[u8], header: &Header, index: usize) -> u64 {
    let at = header.find(kind::BLOCK_ENDS).unwrap().offset as usize + index * 8;
    u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap())
}

/// The blocks that are not damaged are read, the others never are.
#[test]
fn damage_is_met_where_it_is_touched() {
    let (_folder, path, mut bytes, header) = four_blocks();
    let start = HEADER_BYTES as u64 + block_end(&bytes, &header, 2);
    bytes[start as usize + 9] ^= 4;
    fs::write(&path, &bytes).unwrap();
    let reader = ShardReader::open(&path).unwrap();
    let per_block = BLOCK_BYTES / 2;
    let mut out = Vec::new();
    reader.tokens(0..2 * per_block, &mut out).unwrap();
    reader.tokens(3 * per_block..reader.token_count(), &mut out).unwrap();
    assert_eq!(out.len() as u64, reader.token_count() - per_block);
    let expected = (start, "token block 2 differs from its checksum".to_owned());
    for _ in 0..2 {
        assert_eq!(corrupt(reader.tokens(2 * per_block - 1..2 * per_block + 1, &mut out)), expected);
    }
    assert_eq!(corrupt(reader.verify()), expected);
}

/// Puts other frames into a shard and makes all its numbers and checksums right again.
fn with_frames(path: &Path, bytes: &[u8], header: &Header, frames: &[Vec<u8>]) {
    let mut out = vec![0; HEADER_BYTES];
    let mut header = header.clone();
    let mut ends = vec![0u64];
    frames.iter().for_each(|frame| ends.push(ends[ends.len() - 1] + frame.len() as u64));
    let hashes: Vec<u8> = frames.iter().flat_map(|frame| *blake3::hash(frame).as_bytes()).collect();
    for section in &mut header.sections {
        let old = bytes[section.offset as usize..(section.offset + section.bytes) as usize].to_vec();
        let content = match section.kind {
            kind::TOKENS => frames.concat(),
            kind::BLOCK_HASH => hashes.clone(),
            kind::BLOCK_ENDS => ends.iter().flat_map(|end| end.to_le_bytes()).collect(),
            _ => old,
        };
        out.resize(out.len().next_multiple_of(64), 0);
        (section.offset, section.bytes) = (out.len() as u64, content.len() as u64);
        section.hash = *blake3::hash(if section.kind == kind::TOKENS { &hashes } else { &content }).as_bytes();
        out.extend(content);
    }
    header.file_bytes = out.len() as u64;
    out[..HEADER_BYTES].copy_from_slice(&header.encode());
    fs::write(path, out).unwrap();
}

#[test]
fn frames_of_another_size_are_refused() {
    let (_folder, path, bytes, header) = four_blocks();
    let frames: Vec<Vec<u8>> = (0..4)
        .map(|index| {
            let [start, end] = [index, index + 1].map(|at| HEADER_BYTES + block_end(&bytes, &header, at) as usize);
            bytes[start..end].to_vec()
        })
        .collect();
    with_frames(&path, &bytes, &header, &frames);
    assert!(fs::read(&path).unwrap() == bytes, "the same frames give the same file");
    let zeros = |length: usize| zstd::bulk::compress(&vec![0; length], 1).unwrap();
    let mut cut = frames[1].clone();
    cut.pop();
    // A frame of many times the size, some bytes too many or too few, two frames, cut off, and no frame at all.
    let doubled = [zeros(BLOCK_BYTES as usize), zeros(2)].concat();
    let unknown = zstd::stream::encode_all(&vec![0; 1 << 24][..], 1).unwrap(); // says nothing of its size
    for wrong in
        [zeros(1 << 27), zeros(BLOCK_BYTES as usize + 2), zeros(BLOCK_BYTES as usize - 2), doubled, unknown, cut, b"no frame".to_vec()]
    {
        let changed: Vec<Vec<u8>> = (0..4).map(|index| if index == 1 { wrong.clone() } else { frames[index].clone() }).collect();
        with_frames(&path, &bytes, &header, &changed);
        let reader = ShardReader::open(&path).unwrap();
        let place = HEADER_BYTES as u64 + frames[0].len() as u64;
        for result in [reader.tokens(0..reader.token_count(), &mut Vec::new()), reader.verify()] {
            let (offset, detail) = corrupt(result);
            assert!(offset == place && detail.starts_with("token block 1 is no zstd frame of 65536 bytes"), "{offset} {detail}");
        }
    }
    // Longer than zstd makes any block: refused before it is looked at.
    let long = vec![7; crate::compressed::MAX_FRAME_BYTES as usize + 1];
    with_frames(&path, &bytes, &header, &[frames[0].clone(), long, frames[2].clone(), frames[3].clone()]);
    let ends = Header::decode(&fs::read(&path).unwrap(), fs::metadata(&path).unwrap().len(), &path).unwrap();
    let (offset, detail) = corrupt(ShardReader::open(&path).map(drop));
    assert_eq!(offset, ends.find(kind::BLOCK_ENDS).unwrap().offset + 16, "{detail}");
}

#[test]
fn ends_of_blocks_that_cannot_be_are_refused() {
    let (_folder, path, bytes, header) = four_blocks();
    let at = header.find(kind::BLOCK_ENDS).unwrap().offset as usize;
    for (index, value) in [(0, 1), (1, 0), (2, block_end(&bytes, &header, 1)), (3, u64::MAX), (4, block_end(&bytes, &header, 4) + 1)] {
        let mut changed = bytes.clone();
        changed[at + index * 8..at + index * 8 + 8].copy_from_slice(&value.to_le_bytes());
        fs::write(&path, &changed).unwrap();
        assert_eq!(corrupt(ShardReader::open(&path).map(drop)).0, (at + index * 8) as u64, "{index}");
    }
    // One that could be is not the one that the header has the hash of.
    let mut changed = bytes.clone();
    changed[at + 8] ^= 1;
    fs::write(&path, &changed).unwrap();
    assert_eq!(corrupt(ShardReader::open(&path).map(drop)), (at as u64, "section 9 differs from its checksum".to_owned()));
}

#[test]
fn many_readers_share_the_room_of_a_few_blocks() {
    let folder = tempfile::tempdir().unwrap();
    let path = |number: usize| folder.path().join(number.to_string());
    let readers: Vec<ShardReader> = (0..9)
        .map(|number| {
            write(&path(number), meta(5000, Compression::Zstd), &[vec![number as u32 + 1; 40_000]]);
            ShardReader::open(path(number)).unwrap()
        })
        .collect();
    for round in 0..3 {
        for (number, reader) in readers.iter().enumerate() {
            assert_eq!(ids(reader, 32_767..32_769), [number as u32 + 1; 2], "round {round}");
        }
    }
}
