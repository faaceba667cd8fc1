//! Reads the pieces of a SentencePiece model: the few protobuf fields that are needed.

/// What kind of piece an id is, as in SentencePiece's model file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PieceKind {
    Normal,
    Unknown,
    Control,
    UserDefined,
    Unused,
    Byte,
}

/// One entry of the vocabulary, in id order.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Piece {
    pub(crate) text: String,
    pub(crate) score: f32,
    pub(crate) kind: PieceKind,
}

/// Whether the file starts with a piece: field 1, a message that starts with a string or a score.
pub(crate) fn looks_like_model(file: &[u8]) -> bool {
    let mut fields = Fields(file);
    matches!(fields.next(), Some(Ok((1, Field::Bytes(piece)))) if matches!(piece.first(), Some(0x0a | 0x15)))
}

/// All pieces of a model file, which are refused as soon as there are more than `most`.
pub(crate) fn pieces(file: &[u8], most: u32) -> Result<Vec<Piece>, String> {
    let mut pieces = Vec::new();
    for field in Fields(file) {
        if let (1, Field::Bytes(message)) = field? {
            if pieces.len() as u64 >= u64::from(most) {
                return Err(format!("more than {most} pieces"));
            }
            pieces.push(piece(message)?);
        }
    }
    Ok(pieces)
}

fn piece(message: &[u8]) -> Result<Piece, &'static str> {
    let mut piece = Piece { text: String::new(), score: 0.0, kind: PieceKind::Normal };
    for field in Fields(message) {
        match field? {
            (1, Field::Bytes(text)) => {
                let text = std::str::from_utf8(text).map_err(|_| "a piece is not UTF-8")?;
                piece.text = text.to_owned();
            }
            (2, Field::Float(score)) => piece.score = score,
            (3, Field::Number(kind)) => {
                piece.kind = match kind {
                    1 => PieceKind::Normal,
                    2 => PieceKind::Unknown,
                    3 => PieceKind::Control,
                    4 => PieceKind::UserDefined,
                    5 => PieceKind::Unused,
                    6 => PieceKind::Byte,
                    _ => return Err("a piece of unknown kind"),
                };
            }
            _ => {}
        }
    }
    Ok(piece)
}

/// What of a model file's settings an encoder has to know, with the values that stand for absent fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Settings {
    /// 1 is Unigram, 2 BPE, 3 words, 4 characters.
    pub(crate) model_type: u64,
    pub(crate) byte_fallback: bool,
    pub(crate) add_dummy_prefix: bool,
    pub(crate) escape_spaces: bool,
    remove_extra_spaces: bool,
    mark_behind: bool,
    table: bool,
}

impl Settings {
    /// Whether normalization is no more than marks in place of spaces, perhaps one before the text.
    pub(crate) fn plain_normalizer(&self) -> bool {
        !self.remove_extra_spaces && !self.mark_behind && !self.table
    }
}

/// The settings in a model file.
pub(crate) fn settings(file: &[u8]) -> Result<Settings, String> {
    let mut settings = Settings {
        model_type: 1,
        byte_fallback: false,
        add_dummy_prefix: true,
        escape_spaces: true,
        remove_extra_spaces: true,
        mark_behind: false,
        table: false,
    };
    for field in Fields(file) {
        let (number, Field::Bytes(message)) = field? else { continue };
        for field in Fields(if matches!(number, 2 | 3) { message } else { &[] }) {
            match (number, field?) {
                (2, (3, Field::Number(kind))) => settings.model_type = kind,
                (2, (24, Field::Number(on))) => settings.mark_behind = on != 0,
                (2, (35, Field::Number(on))) => settings.byte_fallback = on != 0,
                (3, (2, Field::Bytes(table))) => settings.table = !table.is_empty(),
                (3, (3, Field::Number(on))) => settings.add_dummy_prefix = on != 0,
                (3, (4, Field::Number(on))) => settings.remove_extra_spaces = on != 0,
                (3, (5, Field::Number(on))) => settings.escape_spaces = on != 0,
                _ => {}
            }
        }
    }
    Ok(settings)
}

/// What a model file says of its training, as far as encoding and decoding depend on it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Trainer<'a> {
    /// Whether it is a unigram model, and not BPE.
    pub(crate) unigram: bool,
    pub(crate) unknown: i32,
    pub(crate) begin: Option<i32>,
    pub(crate) end: Option<i32>,
    pub(crate) byte_fallback: bool,
    pub(crate) user_defined: &'a [String],
    /// What an unknown piece is decoded to, unless it is ` ⁇ `.
    pub(crate) unknown_surface: Option<&'a str>,
    pub(crate) split_digits: bool,
    pub(crate) pieces_of_spaces: bool,
}

/// How text is normalized.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Normalizer<'a> {
    pub(crate) name: &'a str,
    /// The compiled table; empty for none.
    pub(crate) table: &'a [u8],
    pub(crate) add_dummy_prefix: bool,
    pub(crate) remove_extra_spaces: bool,
}

/// The bytes of a model (`sentencepiece_model.proto`); `pieces` are text, score and kind by id.
pub(crate) fn model(pieces: &[(&str, f32, PieceKind)], training: &Trainer<'_>, normalizer: &Normalizer<'_>) -> Vec<u8> {
    let mut file = Vec::new();
    for (text, score, kind) in pieces {
        let mut piece = Vec::new();
        bytes(&mut piece, 1, text.as_bytes());
        piece.push(2 << 3 | 5);
        piece.extend_from_slice(&score.to_le_bytes());
        let kind = match kind {
            PieceKind::Normal => 1,
            PieceKind::Unknown => 2,
            PieceKind::Control => 3,
            PieceKind::UserDefined => 4,
            PieceKind::Unused => 5,
            PieceKind::Byte => 6,
        };
        number(&mut piece, 3, kind);
        bytes(&mut file, 1, &piece);
    }
    let mut trainer = Vec::new();
    number(&mut trainer, 3, if training.unigram { 1 } else { 2 }); // model_type
    number(&mut trainer, 4, pieces.len() as u64);
    number(&mut trainer, 25, training.split_digits.into());
    number(&mut trainer, 26, training.pieces_of_spaces.into()); // allow_whitespace_only_pieces
    training.user_defined.iter().for_each(|symbol| bytes(&mut trainer, 31, symbol.as_bytes()));
    number(&mut trainer, 35, training.byte_fallback.into());
    // Absent ids are -1, which protobuf writes with the bits of a 64-bit number.
    for (field, id) in [(40, Some(training.unknown)), (41, training.begin), (42, training.end), (43, None)] {
        number(&mut trainer, field, i64::from(id.unwrap_or(-1)) as u64);
    }
    if let Some(surface) = training.unknown_surface {
        bytes(&mut trainer, 44, surface.as_bytes());
    }
    bytes(&mut file, 2, &trainer);
    let mut rules = Vec::new();
    bytes(&mut rules, 1, normalizer.name.as_bytes());
    if !normalizer.table.is_empty() {
        bytes(&mut rules, 2, normalizer.table);
    }
    number(&mut rules, 3, normalizer.add_dummy_prefix.into());
    number(&mut rules, 4, normalizer.remove_extra_spaces.into());
    number(&mut rules, 5, 1); // escape_whitespaces
    bytes(&mut file, 3, &rules);
    file
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn number(out: &mut Vec<u8>, field: u64, value: u64) {
    varint(out, field << 3);
    varint(out, value);
}

fn bytes(out: &mut Vec<u8>, field: u64, value: &[u8]) {
    varint(out, field << 3 | 2);
    varint(out, value.len() as u64);
    out.extend_from_slice(value);
}

enum Field<'a> {
    Number(u64),
    Bytes(&'a [u8]),
    Float(f32),
    Fixed,
}

/// The fields of a message with their numbers, unread bytes as state.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn take(&mut self, count: u64) -> Result<&'a [u8], &'static str> {
        let split = usize::try_from(count).ok().and_then(|count| self.0.split_at_checked(count));
        let (taken, rest) = split.ok_or("the model file ends inside a field")?;
        self.0 = rest;
        Ok(taken)
    }

    fn varint(&mut self) -> Result<u64, &'static str> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.take(1)?[0];
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err("a number of more than 64 bits in the model file")
    }

    fn field(&mut self) -> Result<(u64, Field<'a>), &'static str> {
        let key = self.varint()?;
        let field = match key & 7 {
            0 => Field::Number(self.varint()?),
            1 => self.take(8).map(|_| Field::Fixed)?,
            2 => {
                let length = self.varint()?;
                Field::Bytes(self.take(length)?)
            }
            5 => Field::Float(f32::from_le_bytes(self.take(4)?.try_into().map_err(|_| "the model file ends inside a field")?)),
            _ => return Err("a field of unknown type in the model file"),
        };
        Ok((key >> 3, field))
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u64, Field<'a>), &'static str>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_err() {
            self.0 = &[];
        }
        Some(field)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_pieces_by_hand() {
        // piece { piece: "a" score: 1.0 type: CONTROL }, then field 2 (trainer) to be skipped
        let file = [0x0a, 10, 0x0a, 1, b'a', 0x15, 0, 0, 0x80, 0x3f, 0x18, 3, 0x12, 1, 0xff];
        let expected = Piece { text: "a".into(), score: 1.0, kind: PieceKind::Control };
        assert!(looks_like_model(&file));
        assert_eq!(pieces(&file, 1), Ok(vec![expected]));
        assert!(pieces(&file[..8], 1).is_err());
    }

    #[test]
    fn stops_at_the_first_piece_too_many() {
        // What follows the third piece is no field and is never reached.
        let file = [0x0a, 0, 0x0a, 0, 0x0a, 0, 0xff];
        assert_eq!(pieces(&file, 2), Err("more than 2 pieces".to_owned()));
        assert_eq!(pieces(&file[..4], 2).map(|pieces| pieces.len()), Ok(2));
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_do_not_panic(file: Vec<u8>) {
            let _ = looks_like_model(&file);
            let _ = pieces(&file, 10);
            let _ = settings(&file);
        }
    }
}
