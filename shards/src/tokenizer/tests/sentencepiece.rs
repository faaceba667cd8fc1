//! SentencePiece models written field by field, so that loading, encoding and decoding are tested
//! without a file from elsewhere.

use super::*;
use crate::tokenizer::sentencepiece::SentencePiece;

/// A field of a protobuf message: its number, how it is written, and its bytes.
fn field(number: u8, wire: u8, value: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    varint(u64::from(number) << 3 | u64::from(wire), &mut out);
    if wire == 2 {
        varint(value.len() as u64, &mut out);
    }
    out.extend_from_slice(value);
    out
}

fn varint(mut number: u64, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn piece(text: &str, score: f32, kind: u8) -> Vec<u8> {
    field(1, 2, &[field(1, 2, text.as_bytes()), field(2, 5, &score.to_le_bytes()), field(3, 0, &[kind])].concat())
}

const UNIGRAM: u8 = 1;
pub(super) const BPE: u8 = 2;

/// `<unk>` 0, `<s>` 1, `</s>` 2, then 256 bytes from 3 on, then `pieces` from 259 on with the scores
/// -1, -2, …, which every sum of floats adds up exactly.
fn model(kind: u8, pads: bool, pieces: &[&str]) -> Vec<u8> {
    let mut file = [piece("<unk>", 0.0, 2), piece("<s>", 0.0, 3), piece("</s>", 0.0, 3)].concat();
    (0..=255u8).for_each(|byte| file.extend(piece(&format!("<0x{byte:02X}>"), 0.0, 6)));
    for (rank, text) in pieces.iter().enumerate() {
        file.extend(piece(text, -1.0 - rank as f32, 1));
    }
    // The trainer's model-type and byte-fallback; the normalizer's dummy prefix, and all white space kept.
    file.extend(field(2, 2, &[field(3, 0, &[kind]), field(35, 0, &[1])].concat()));
    file.extend(field(3, 2, &[field(1, 2, b"identity"), field(3, 0, &[u8::from(pads)]), field(4, 0, &[0])].concat()));
    file
}

const PIECES: [&str; 12] = ["▁a", "ab", "▁ab", "bb", "▁▁", "▁", "a", "b", "가", "\n", "▁가", "가나"];

pub(super) fn tiny(kind: u8, pads: bool) -> SentencePiece {
    SentencePiece::from_model(model(kind, pads, &PIECES), None).unwrap()
}

#[test]
fn a_tiny_model_encodes_as_by_hand() {
    let id = |piece: &str| 259 + PIECES.iter().position(|other| *other == piece).unwrap() as u32;
    let tokenizer = Tokenizer::from_content(model(BPE, true, &PIECES), None).unwrap();
    assert_eq!((tokenizer.kind(), tokenizer.vocab_size()), ("sentencepiece", 271));
    assert_eq!((tokenizer.eos(), tokenizer.eos_token()), (2, "</s>"));
    // BPE joins the best pair first: of "▁abb" the "▁a" (-1), then "▁ab" (-3) before "bb" (-4).
    assert_eq!(tokenizer.encode("abb").unwrap(), [id("▁ab"), id("b")]);
    assert_eq!(tokenizer.encode("가 나").unwrap()[..2], [id("▁가"), id("▁")]);
    // "나" is no piece: its three bytes EB 82 98 are.
    assert_eq!(tokenizer.encode("가 나").unwrap()[2..], [3 + 0xeb, 3 + 0x82, 3 + 0x98]);
    for text in ["abb", "가 나", "  a\n\n b", "<s>", "</s> a", "<unk>", "\u{0} \u{10ffff}"] {
        let ids = tokenizer.encode(text).unwrap();
        assert!(ids.iter().all(|&id| id > 2), "{ids:?}");
        assert_eq!(tokenizer.decode(&ids).unwrap(), text);
    }
    assert_eq!(tokenizer.decode(&[id("▁ab"), 2]).unwrap(), "ab");
    assert_eq!(tokenizer.token_text(id("▁ab")).unwrap(), " ab");
    // Unigram takes the best sum: "▁a" + "bb" is -1 - 4, "▁ab" + "b" is -3 - 8.
    let tokenizer = Tokenizer::from_content(model(UNIGRAM, true, &PIECES), None).unwrap();
    assert_eq!(tokenizer.encode("abb").unwrap(), [id("▁a"), id("bb")]);
    let tokenizer = Tokenizer::from_content(model(UNIGRAM, false, &PIECES), None).unwrap();
    assert_eq!(tokenizer.encode("abb").unwrap(), [id("ab"), id("b")]); // -2 - 8; "a" + "bb" is -7 - 4
}

#[test]
fn a_tiny_model_is_saved_as_it_came_and_refused_when_cut() {
    let file = model(UNIGRAM, true, &PIECES);
    let tokenizer = Tokenizer::from_content(file.clone(), None).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(tokenizer.file_name());
    tokenizer.save(&path).unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), file);
    assert_eq!(Tokenizer::load(&path, None).unwrap().fingerprint(), tokenizer.fingerprint());
    // With a piece that text can match as the end token, text still cannot become it.
    let other = Tokenizer::load(&path, Some("ab")).unwrap();
    assert_ne!(other.fingerprint(), tokenizer.fingerprint());
    let ids = other.encode("b ab bab").unwrap();
    assert!(!ids.contains(&other.eos()));
    assert_eq!(other.decode(&ids).unwrap(), "b ab bab");
    assert!(Tokenizer::load(&path, Some("<end>")).unwrap_err().to_string().contains("<s> </s>"));
    // Cut short anywhere, the file is refused or read, never a crash.
    for length in (0..file.len()).step_by(7) {
        let _ = Tokenizer::from_content(file[..length].to_vec(), None);
    }
}
