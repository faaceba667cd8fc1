//! Files that someone has tampered with.

use super::*;

#[test]
fn untouched_files_pass_and_every_changed_byte_is_refused() {
    for (loss, compression) in [false, true].into_iter().flat_map(|loss| BOTH.map(|compression| (loss, compression))) {
        let (_folder, path, bytes) = small(loss, compression);
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
    for compression in BOTH {
        let (_folder, path, bytes) = small(true, compression);
        for length in (0..HEADER_BYTES).step_by(61).chain(HEADER_BYTES..bytes.len()) {
            fs::write(&path, &bytes[..length]).unwrap();
            assert!(ShardReader::open(&path).is_err(), "{length} bytes");
        }
        fs::write(&path, [&bytes[..], &[0]].concat()).unwrap();
        assert!(ShardReader::open(&path).is_err());
    }
}

#[test]
fn huge_claims_are_refused_without_allocating() {
    BOTH.into_iter().for_each(huge_claims_are_refused);
}

fn huge_claims_are_refused(compression: Compression) {
    let (_folder, path, bytes) = small(true, compression);
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

/// A reader that is open already meets damage, and before it gives away a token of the block; blocks that it has checked
/// are not checked again.
#[test]
fn a_block_is_checked_when_it_is_first_touched() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.shard");
    let tokens: Vec<u32> = (0..1_300_000).map(|i| i % 299).collect();
    write(&path, meta(300, true), &[doc("a", "s", &tokens), doc("b", "s", &tokens)]);
    let (reader, per_block) = (ShardReader::open(&path).unwrap(), 1 << 19);
    let read = |range: Range<u64>| {
        let mut out = Vec::new();
        reader.tokens(range, &mut out).map(|()| out)
    };
    assert_eq!(read(0..5).unwrap(), tokens[..5]);
    let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
    let poke = |at: u64, byte: u8| {
        std::os::unix::fs::FileExt::write_all_at(&file, &[byte], at).unwrap();
    };
    poke(4096 + (2 << 20) + 17, 0xff);
    for range in [2 * per_block..2 * per_block + 1, 2 * per_block - 1..3 * per_block, 0..reader.token_count()] {
        match read(range).unwrap_err() {
            Error::Corrupt { path: named, offset, detail } => {
                assert_eq!((named, offset, &detail[..]), (path.clone(), 4096 + (2 << 20), "token block 2 differs from its checksum"));
            }
            other => panic!("{other}"),
        }
    }
    assert_eq!(read(per_block - 2..per_block + 2).unwrap(), tokens[per_block as usize - 2..][..4]);
    poke(4096, 0xff);
    assert_eq!(read(1..5).unwrap(), tokens[1..5]);
    assert!(reader.verify().unwrap_err().to_string().contains("damaged at byte 4096: token block 0"));
    // Tables likewise: spans that are in order, but not those that were written.
    let header = Header::decode(&fs::read(&path).unwrap(), fs::metadata(&path).unwrap().len(), &path).unwrap();
    let loss = header.find(kind::LOSS).unwrap().offset;
    poke(loss + 3 * 8, 1);
    assert!(reader.loss_spans(0).unwrap_err().to_string().contains(&format!("damaged at byte {loss}: section 7")));
    assert!(reader.document(0).is_ok());
}

/// Ids that the vocabulary does not have are no tokens, whatever their checksum says.
#[test]
fn ids_outside_the_vocabulary_are_never_given_away() {
    let (_folder, path, mut bytes) = small(false, Compression::None);
    bytes[4096 + 3] = 7;
    reseal(&mut bytes);
    fs::write(&path, &bytes).unwrap();
    let reader = ShardReader::open(&path).unwrap();
    let error = reader.tokens(0..1, &mut Vec::new()).unwrap_err().to_string();
    assert!(error.contains("damaged at byte 4098: a token id outside the vocabulary of 300"), "{error}");
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

/// Numbers that are wrong under right checksums, each reported at its own place.
#[test]
fn wrong_fields_are_reported_where_they_stand() {
    let (_folder, path, bytes) = small(true, Compression::None);
    let header = Header::decode(&bytes, bytes.len() as u64, &path).unwrap();
    let start = |kind: u32| header.find(kind).unwrap().offset;
    let row = |kind: u32| header.row(kind);
    let (meta, ids, loss) = (start(kind::DOC_META), start(kind::IDS), start(kind::LOSS));
    // Three documents, so four ends of 8 bytes each before the strings and the spans.
    let cases: [(u64, &[u8], u64); 22] = [
        (48, &[4], 48),                                             // bytes per token
        (64, &[200], 64),                                           // documents
        (88, &[0, 0], 88),                                          // vocabulary
        (92, &[44, 1], 92),                                         // end token 300
        (132 + 10, &[1], 132 + 10),                                 // behind the name
        (256 + 64 * 8 + 9, &[1], 256 + 64 * 8 + 9),                 // behind the table
        (row(kind::DOC_META) + 5, &[1], row(kind::DOC_META) + 5),   // behind the kind
        (row(kind::IDS), &[2], row(kind::IDS)),                     // a kind that is there already
        (row(kind::IDS) + 8, &[1], row(kind::IDS) + 8),             // start
        (row(kind::LOSS) + 16, &[255], row(kind::LOSS) + 16),       // bytes
        (row(kind::DOC_ENDS) + 24, &[9], row(kind::DOC_ENDS) + 24), // items
        (row(kind::LOSS) + 24, &[9], row(kind::LOSS) + 16),         // as many need other bytes
        (start(kind::DOC_ENDS) + 16, &[1], start(kind::DOC_ENDS) + 16),
        (start(kind::DOC_ENDS) + 24, &[99], start(kind::DOC_ENDS) + 24),
        (meta + 32, &[9], meta + 32),                    // source of the second document
        (meta + 32 + 6, &[1], meta + 32 + 4),            // its zeros
        (meta + 64 + 20, &[0, 0, 0, 0], meta + 64 + 16), // the third document's id hash
        (ids + 8, &[99], ids + 8),                       // end of the first id
        (ids + 32 + 1, &[0xff], ids + 32),               // in its first character
        (loss + 8, &[99], loss + 8),                     // spans of the first document
        (loss + 32, &[7], loss + 36),                    // a span from 7 to 4
        (72, &[0xff], 72),                               // text bytes
    ];
    for (at, change, place) in cases {
        let mut changed = bytes.clone();
        changed[at as usize..at as usize + change.len()].copy_from_slice(change);
        assert_ne!(changed, bytes, "nothing changed at {at}");
        reseal(&mut changed);
        fs::write(&path, &changed).unwrap();
        match ShardReader::open(&path).and_then(|reader| reader.verify()).unwrap_err() {
            Error::Corrupt { offset, detail, .. } => assert_eq!(offset, place, "changed at {at}: {detail}"),
            other => panic!("{at}: {other}"),
        }
    }
}

#[test]
fn other_files_and_versions_are_named_as_such() {
    let (_folder, path, bytes) = small(false, Compression::None);
    let open = |bytes: &[u8]| {
        fs::write(&path, bytes).unwrap();
        ShardReader::open(&path).unwrap_err().to_string()
    };
    assert!(open(b"").contains("empty"));
    assert!(open(b"{\"text\": \"a document\"}").contains("not a malmoi shard"));
    let mut next = bytes.clone();
    next[8] = 3;
    assert!(open(&next).contains("shard format 3.2"));
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
