//! Pieces of text against the whole.

use super::*;

/// Every token's piece, and the rest.
fn stream(tokenizer: &Tokenizer, prompt: &[u32], ids: &[u32], stops: &[&str]) -> (Vec<String>, bool) {
    let stops: Vec<String> = stops.iter().map(|&stop| stop.to_owned()).collect();
    let mut stream = TextStream::new(tokenizer, prompt, &stops);
    let mut pieces = Vec::new();
    let mut stopped = false;
    for &id in ids {
        let piece = stream.push(id).unwrap();
        stopped = piece.stopped;
        pieces.push(piece.text);
        if stopped {
            break;
        }
    }
    pieces.push(stream.finish().unwrap());
    assert_eq!(pieces.concat(), stream.text());
    (pieces, stopped)
}

#[test]
fn characters_come_whole() {
    let tokenizer = Tokenizer::bytes();
    let text = "한국어 text 🎉!";
    let ids = tokenizer.encode(text).unwrap();
    let (pieces, stopped) = stream(&tokenizer, &tokenizer.encode("가나다").unwrap(), &ids, &[]);
    assert_eq!((pieces.concat(), stopped), (text.to_owned(), false));
    assert_eq!(pieces[..4], ["", "", "한", ""]);
    assert!(pieces.iter().all(|piece| !piece.contains(BROKEN)));
    // The end of a sequence may cut a character; a prompt may end in one.
    let (pieces, _) = stream(&tokenizer, &ids[..1], &ids[1..4], &[]);
    assert_eq!(pieces.concat(), format!("한{BROKEN}"));
    // Bytes that are no text do not hold back what follows.
    let (pieces, _) = stream(&tokenizer, &[65], &[0xff, 66, 256], &[]);
    assert_eq!(pieces, ["", "\u{FFFD}B", "", ""]);
}

#[test]
fn stop_strings_are_found_across_tokens_and_left_out() {
    let tokenizer = Tokenizer::bytes();
    let ids = tokenizer.encode("one\nUser: two").unwrap();
    let (pieces, stopped) = stream(&tokenizer, &[65], &ids, &["\nUser:", "unheard"]);
    assert_eq!((pieces.concat(), stopped), ("one".to_owned(), true));
    assert_eq!(pieces.len(), "one\nUser:".len() + 1);
    // The beginning of one that does not become one is given late, but given.
    let (pieces, stopped) = stream(&tokenizer, &[65], &ids, &["\nUsed", ""]);
    assert_eq!((pieces.concat(), stopped), ("one\nUser: two".to_owned(), false));
    assert_eq!(pieces[3..8], ["", "", "", "", "\nUser"]);
    let (pieces, _) = stream(&tokenizer, &[65], &ids[..6], &["\nUsed"]);
    assert_eq!(pieces.last().map(String::as_str), Some("\nUs"));
    // The earliest counts.
    let (pieces, _) = stream(&tokenizer, &[65], &tokenizer.encode("abcabd").unwrap(), &["bd", "ab"]);
    assert_eq!(pieces.concat(), "");
    // Overlapping beginnings.
    let (pieces, stopped) = stream(&tokenizer, &[65], &tokenizer.encode("aaab").unwrap(), &["aab"]);
    assert_eq!((pieces.concat(), stopped), ("a".to_owned(), true));
}
