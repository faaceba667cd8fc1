//! Signature files, and inputs that do not belong together.

use proptest::prelude::*;

use super::*;

type Row = (u64, u32, f32, u64, String, u32, u128, Option<Vec<u32>>, Option<u64>);

fn rows() -> impl Strategy<Value = Vec<Row>> {
    let row = (
        1_u64..1000,
        any::<u32>(),
        -1e6_f32..1e6,
        any::<u64>(),
        "\\PC{0,12}",
        any::<u32>(),
        any::<u128>(),
        proptest::option::of(proptest::collection::vec(any::<u32>(), 6)),
        proptest::option::of(any::<u64>()),
    );
    proptest::collection::vec(row, 0..300).prop_map(|mut rows| {
        let mut row = 0;
        for (step, ..) in &mut rows {
            row += *step;
            *step = row;
        }
        rows
    })
}

fn write(path: &Path, rows: &[Row]) {
    let mut writer = SignatureWriter::create(path, &config("minhash = { bands = 3, rows = 2 }\nsimhash = {}")).unwrap();
    for (row, priority, quality, bytes, id, bucket, exact, minhash, simhash) in rows {
        let signature = Signature { exact: *exact, minhash: minhash.clone(), simhash: *simhash, url: simhash.map(u128::from) };
        writer.push(*row, *priority, *quality, *bytes, id, *bucket, &signature).unwrap();
    }
    writer.finish().unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_signature_file_gives_back_what_was_pushed(rows in rows()) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.sig");
        write(&path, &rows);
        let reader = SignatureReader::open(&path).unwrap();
        prop_assert_eq!(reader.len(), rows.len() as u64);
        let read: Vec<Row> = reader
            .iter()
            .map(|record| {
                let record = record.unwrap();
                let signature = record.signature();
                (record.row(), record.priority(), record.quality(), record.bytes(), record.id().unwrap().to_owned(), record.bucket(), signature.exact, signature.minhash, signature.simhash)
            })
            .collect();
        prop_assert_eq!(read, rows);
        prop_assert!(reader.record(reader.len()).is_err());
    }

    #[test]
    fn any_damage_is_refused(rows in rows(), at: prop::sample::Index, flip in 1_u8..) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.sig");
        write(&path, &rows);
        let mut bytes = std::fs::read(&path).unwrap();
        let at = at.index(bytes.len());
        bytes[at] ^= flip;
        std::fs::write(&path, &bytes).unwrap();
        let error = SignatureReader::open(&path).unwrap_err().to_string();
        prop_assert!(error.contains("a.sig"), "{}", error);
        std::fs::write(&path, &bytes[..at]).unwrap();
        prop_assert!(SignatureReader::open(&path).is_err());
    }

    #[test]
    fn arbitrary_bytes_are_refused(bytes in proptest::collection::vec(any::<u8>(), 0..400), magic: bool) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.sig");
        let bytes = if magic { [b"MALMOISG\x01\0\0\0\0\0\0\0".as_slice(), &bytes].concat() } else { bytes };
        std::fs::write(&path, bytes).unwrap();
        prop_assert!(SignatureReader::open(&path).is_err());
    }
}

/// Sealed files whose checksums are right and whose contents are not.
#[test]
fn sound_checksums_do_not_make_sound_records() {
    use super::sealed::{Label, SealedWriter};
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.sig");
    let write = |size: u32, records: u64, sections: &[&[u8]]| {
        let mut writer = SealedWriter::create(&path, b"MALMOISG").unwrap();
        for section in sections {
            writer.write(section).unwrap();
            writer.end_section();
        }
        writer.finish(Label { fingerprint: 0, inputs: 0, number: size, of: 0 }, records).unwrap();
        SignatureReader::open(&path)
    };
    let good = [0; 80];
    assert!(write(80, 1, &[&good, b""]).is_ok());
    let mut long_id = good;
    long_id[44] = 5; // five bytes of an id block that has four
    assert!(write(80, 1, &[&long_id, b"abcd"]).is_err());
    assert!(write(80, 1, &[&long_id, b"abcde"]).is_ok());
    assert!(write(80, 1, &[&long_id, b"abcd\xff"]).is_err());
    long_id[40..44].copy_from_slice(&[0xff; 4]);
    assert!(write(80, 1, &[&long_id, b"abcde"]).is_err());
    let mut flags = good;
    flags[60] = 8;
    assert!(write(80, 1, &[&flags, b""]).is_err());
    for (size, records, sections) in
        [(0, 1, 2), (64, 1, 2), (79, 1, 2), (82, 1, 2), (80, 2, 2), (80, 1, 1), (80, 0, 2), (80, u64::MAX, 2), (u32::MAX, 1, 2)]
    {
        assert!(write(size, records, &[good.as_slice(), b""][..sections]).is_err(), "{size} {records} {sections}");
    }
}

#[test]
fn a_writer_refuses_what_makes_no_sense() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.sig");
    let mut writer = SignatureWriter::create(&path, &config("minhash = {}")).unwrap();
    let signature = Signature { exact: 1, minhash: None, simhash: None, url: None };
    writer.push(4, 0, f32::NAN, 0, "a", 0, &signature).unwrap();
    assert!(writer.push(4, 0, 0.0, 0, "b", 0, &signature).unwrap_err().to_string().contains("ascend"));
    let foreign = Signature { minhash: Some(vec![1; 7]), ..signature.clone() };
    assert!(writer.push(5, 0, 0.0, 0, "b", 0, &foreign).unwrap_err().to_string().contains("other settings"));
    writer.finish().unwrap();
    let reader = SignatureReader::open(&path).unwrap();
    assert_eq!(reader.record(0).unwrap().quality(), f32::NEG_INFINITY);
}

#[test]
fn what_does_not_belong_together_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let config_a = config("minhash = {}");
    let mut numbers = Numbers(1);
    let mut part = || (0..20).map(|n| Planted::new(&n.to_string(), &numbers.words(30).join(" "))).collect::<Vec<_>>();
    let signed = sign(folder.path(), &[part(), part()], &config_a);
    let cancel = AtomicBool::new(false);
    let set = SignatureSet::open(&signed, &config_a).unwrap();
    let scattered = paths(folder.path(), "scatter", 2);
    for (number, (part, out)) in (0_u32..).zip(signed.iter().zip(&scattered)) {
        scatter(number, &part.path, out, 2, &config_a, &cancel).unwrap();
    }
    let edges = paths(folder.path(), "edges", 2);
    for (number, out) in (0_u32..).zip(&edges) {
        reduce(number, &scattered, &set, out, &config_a, &cancel).unwrap();
    }
    components(&edges, &set, folder.path(), &config_a, &cancel).unwrap();

    // Signatures of other settings, in every stage.
    let wider = config("minhash = { bands = 15 }");
    assert!(matches!(SignatureSet::open(&signed, &wider), Err(Error::Mismatch { .. })));
    assert!(matches!(scatter(0, &signed[0].path, &scattered[0], 2, &wider, &cancel), Err(Error::Mismatch { .. })));
    // Files of other decisions.
    let stricter = config("minhash = { threshold = 0.9 }");
    let bad = folder.path().join("bad");
    assert!(matches!(reduce(0, &scattered, &set, &bad, &stricter, &cancel), Err(Error::Mismatch { .. })));
    assert!(matches!(components(&edges, &set, folder.path(), &stricter, &cancel), Err(Error::Mismatch { .. })));
    // A missing file, one too few, the wrong order, other partitions, a partition that is not there.
    let swapped: Vec<PathBuf> = scattered.iter().rev().cloned().collect();
    assert!(matches!(reduce(0, &swapped, &set, &bad, &config_a, &cancel), Err(Error::Mismatch { .. })));
    assert!(matches!(reduce(0, &scattered[..1], &set, &bad, &config_a, &cancel), Err(Error::Input(_))));
    assert!(matches!(reduce(2, &scattered, &set, &bad, &config_a, &cancel), Err(Error::Input(_))));
    let none = [scattered[0].clone(), folder.path().join("none")];
    assert!(matches!(reduce(0, &none, &set, &bad, &config_a, &cancel), Err(Error::Io { .. })));
    let three = paths(folder.path(), "three", 1);
    scatter(1, &signed[1].path, &three[0], 3, &config_a, &cancel).unwrap();
    assert!(matches!(reduce(0, &[scattered[0].clone(), three[0].clone()], &set, &bad, &config_a, &cancel), Err(Error::Mismatch { .. })));
    let turned: Vec<PathBuf> = edges.iter().rev().cloned().collect();
    assert!(matches!(components(&turned, &set, folder.path(), &config_a, &cancel), Err(Error::Mismatch { .. })));
    assert!(matches!(components(&edges[..1], &set, folder.path(), &config_a, &cancel), Err(Error::Input(_))));
    assert!(!bad.exists());
    // Signatures written anew after the shuffle.
    let other = sign(&folder.path().join("other"), &[part(), part()], &config_a);
    let other = SignatureSet::open(&other, &config_a).unwrap();
    assert!(matches!(reduce(0, &scattered, &other, &bad, &config_a, &cancel), Err(Error::Mismatch { .. })));
    assert!(matches!(components(&edges, &other, folder.path(), &config_a, &cancel), Err(Error::Mismatch { .. })));
    // Damage within, seen when the records are needed.
    let mut bytes = std::fs::read(&signed[1].path).unwrap();
    bytes[100] ^= 1;
    std::fs::write(&signed[1].path, &bytes).unwrap();
    assert!(SignatureSet::open(&signed, &config_a).is_ok());
    assert!(matches!(scatter(1, &signed[1].path, &bad, 2, &config_a, &cancel), Err(Error::Format { .. })));
    // Names that repeat or climb out.
    for names in [["a", "a"], ["a", ""], ["a", "../b"], ["a", "/b"]] {
        let parts: Vec<PartSignatures> =
            names.iter().map(|name| PartSignatures { name: (*name).to_owned(), path: signed[0].path.clone(), run: None }).collect();
        assert!(matches!(SignatureSet::open(&parts, &config_a), Err(Error::Input(_))), "{names:?}");
    }
}
