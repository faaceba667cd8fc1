//! Thrift compact structures walked without building them: what a Parquet file claims is measured
//! against the bytes it has before the real decoder, which allocates what is claimed, may see it.

/// What a field must be on the wire. Fields that are not listed are passed over.
pub(super) enum Shape {
    Bool,
    Byte,
    Int,
    Binary,
    Struct(&'static [(i16, Shape)]),
    List(&'static Shape),
}

use Shape::{Binary, Bool, Byte, Int, List, Struct};

const EMPTY: Shape = Struct(&[]);
const TIME: Shape = Struct(&[(1, Bool), (2, Struct(&[(1, EMPTY), (2, EMPTY), (3, EMPTY)]))]);
const DECIMAL: Shape = Struct(&[(1, Int), (2, Int)]);
const INTEGER: Shape = Struct(&[(1, Byte), (2, Bool)]);

const LOGICAL_TYPE: Shape = Struct(&[
    (1, EMPTY),
    (2, EMPTY),
    (3, EMPTY),
    (4, EMPTY),
    (5, DECIMAL),
    (6, EMPTY),
    (7, TIME),
    (8, TIME),
    (10, INTEGER),
    (11, EMPTY),
    (12, EMPTY),
    (13, EMPTY),
    (14, EMPTY),
    (15, EMPTY),
]);

const SCHEMA_ELEMENT: Shape =
    Struct(&[(1, Int), (2, Int), (3, Int), (4, Binary), (5, Int), (6, Int), (7, Int), (8, Int), (9, Int), (10, LOGICAL_TYPE)]);

const STATISTICS: Shape = Struct(&[(1, Binary), (2, Binary), (3, Int), (4, Int), (5, Binary), (6, Binary), (7, Bool), (8, Bool)]);

const COLUMN_METADATA: Shape = Struct(&[
    (1, Int),
    (2, List(&Int)),
    (3, List(&Binary)),
    (4, Int),
    (5, Int),
    (6, Int),
    (7, Int),
    (9, Int),
    (10, Int),
    (11, Int),
    (12, STATISTICS),
    (14, Int),
    (15, Int),
]);

const COLUMN_CHUNK: Shape = Struct(&[(1, Binary), (2, Int), (3, COLUMN_METADATA), (4, Int), (5, Int), (6, Int), (7, Int)]);
const SORTING_COLUMN: Shape = Struct(&[(1, Int), (2, Bool), (3, Bool)]);
const ROW_GROUP: Shape = Struct(&[(1, List(&COLUMN_CHUNK)), (2, Int), (3, Int), (4, List(&SORTING_COLUMN)), (5, Int), (6, Int), (7, Int)]);
const KEY_VALUE: Shape = Struct(&[(1, Binary), (2, Binary)]);
const COLUMN_ORDER: Shape = Struct(&[(1, EMPTY), (2, EMPTY)]);

/// The footer of a file. Its schema's elements are at path `[2]`, their child counts at `[2, 5]`.
pub(super) const FILE_METADATA: Shape = Struct(&[
    (1, Int),
    (2, List(&SCHEMA_ELEMENT)),
    (3, Int),
    (4, List(&ROW_GROUP)),
    (5, List(&KEY_VALUE)),
    (6, Binary),
    (7, List(&COLUMN_ORDER)),
]);

const DATA_PAGE: Shape = Struct(&[(1, Int), (2, Int), (3, Int), (4, Int), (5, STATISTICS)]);
const DICTIONARY_PAGE: Shape = Struct(&[(1, Int), (2, Int), (3, Bool)]);
const DATA_PAGE_V2: Shape = Struct(&[(1, Int), (2, Int), (3, Int), (4, Int), (5, Int), (6, Int), (7, Bool), (8, STATISTICS)]);

/// The header of a page.
pub(super) const PAGE_HEADER: Shape =
    Struct(&[(1, Int), (2, Int), (3, Int), (4, Int), (5, DATA_PAGE), (6, EMPTY), (7, DICTIONARY_PAGE), (8, DATA_PAGE_V2)]);

/// Nesting beyond this is no Parquet.
const DEEPEST: usize = 32;

/// A walk over the bytes of one structure.
pub(super) struct Walk<'a, F> {
    bytes: &'a [u8],
    at: usize,
    /// Field ids from the root to here; the elements of a list have the list's path.
    path: Vec<i16>,
    /// Told each integer, and the end of each structure (None); false ends the walk.
    visit: F,
}

/// Walks a structure of the given shape at the start of `bytes`; gives its length, or None where
/// the bytes are not of that shape, end too early, or `visit` refuses.
pub(super) fn walk<F: FnMut(&[i16], Option<i64>) -> bool>(bytes: &[u8], shape: &Shape, visit: F) -> Option<usize> {
    let mut walk = Walk { bytes, at: 0, path: Vec::new(), visit };
    walk.value(wire_of(shape), Some(shape), 0)?;
    Some(walk.at)
}

/// Types of the compact protocol.
const TRUE: u8 = 1;
const FALSE: u8 = 2;
const BYTE: u8 = 3;
const I16: u8 = 4;
const I64: u8 = 6;
const DOUBLE: u8 = 7;
const BINARY: u8 = 8;
const LIST: u8 = 9;
const STRUCT: u8 = 12;

fn wire_of(shape: &Shape) -> u8 {
    match shape {
        Bool => TRUE,
        Byte => BYTE,
        Int => I64,
        Binary => BINARY,
        Struct(_) => STRUCT,
        List(_) => LIST,
    }
}

fn agrees(wire: u8, shape: &Shape) -> bool {
    match shape {
        Bool => wire == TRUE || wire == FALSE,
        // All three are the same zigzag varint.
        Int => (I16..=I64).contains(&wire),
        other => wire == wire_of(other),
    }
}

impl<F: FnMut(&[i16], Option<i64>) -> bool> Walk<'_, F> {
    fn byte(&mut self) -> Option<u8> {
        let byte = *self.bytes.get(self.at)?;
        self.at += 1;
        Some(byte)
    }

    fn pass(&mut self, count: u64) -> Option<()> {
        let left = self.bytes.len() - self.at;
        let count = usize::try_from(count).ok().filter(|count| *count <= left)?;
        self.at += count;
        Some(())
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f).checked_shl(shift)?;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    fn integer(&mut self) -> Option<i64> {
        let value = self.varint()?;
        Some((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    fn value(&mut self, wire: u8, shape: Option<&Shape>, depth: usize) -> Option<()> {
        if depth > DEEPEST {
            return None;
        }
        match wire {
            TRUE | FALSE => Some(()), // of a field the value is in its type
            BYTE => self.pass(1),
            I16..=I64 => {
                let value = self.integer()?;
                (self.visit)(&self.path, Some(value)).then_some(())
            }
            DOUBLE => self.pass(8),
            BINARY => {
                let length = self.varint()?;
                self.pass(length)
            }
            LIST => self.list(shape, depth),
            STRUCT => self.fields(shape, depth),
            _ => None, // sets and maps: Parquet has none
        }
    }

    fn list(&mut self, shape: Option<&Shape>, depth: usize) -> Option<()> {
        let header = self.byte()?;
        let (short, wire) = (header >> 4, header & 0x0f);
        let count = if short == 15 { self.varint()? } else { u64::from(short) };
        // Every element takes a byte at least: a count beyond that is a lie.
        if count > (self.bytes.len() - self.at) as u64 {
            return None;
        }
        let element = match shape {
            Some(List(element)) => Some(*element),
            _ => None,
        };
        if count > 0 && element.is_some_and(|element| !agrees(wire, element)) {
            return None;
        }
        for _ in 0..count {
            match wire {
                TRUE | FALSE => self.pass(1)?,
                _ => self.value(wire, element, depth + 1)?,
            }
        }
        Some(())
    }

    fn fields(&mut self, shape: Option<&Shape>, depth: usize) -> Option<()> {
        let known = match shape {
            Some(Struct(known)) => *known,
            _ => &[],
        };
        let mut id = 0_i16;
        loop {
            let header = self.byte()?;
            let (delta, wire) = (header >> 4, header & 0x0f);
            if wire == 0 {
                return (self.visit)(&self.path, None).then_some(());
            }
            id = if delta == 0 { i16::try_from(self.integer()?).ok()? } else { id.checked_add(i16::from(delta))? };
            let field = known.iter().find(|(known, _)| *known == id).map(|(_, shape)| shape);
            if field.is_some_and(|shape| !agrees(wire, shape)) {
                return None;
            }
            self.path.push(id);
            self.value(wire, field, depth + 1)?;
            self.path.pop();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Integers = Vec<(Vec<i16>, i64)>;

    fn integers(bytes: &[u8], shape: &Shape) -> Option<(usize, Integers)> {
        let mut seen = Vec::new();
        let length = walk(bytes, shape, |path, value| {
            seen.extend(value.map(|value| (path.to_vec(), value)));
            true
        })?;
        Some((length, seen))
    }

    #[test]
    fn a_page_header_by_hand() {
        // 1: i32 0, 2: i32 300, 3: i32 7, 5: { 1: i32 -1 }; then a byte of something else.
        let bytes = [0x15, 0x00, 0x15, 0xd8, 0x04, 0x15, 0x0e, 0x2c, 0x15, 0x01, 0x00, 0x00, 0xff];
        let (length, seen) = integers(&bytes, &PAGE_HEADER).unwrap();
        assert_eq!(length, 12);
        assert_eq!(seen, [(vec![1], 0), (vec![2], 300), (vec![3], 7), (vec![5, 1], -1)]);
        for end in 0..12 {
            assert_eq!(integers(&bytes[..end], &PAGE_HEADER), None);
        }
    }

    #[test]
    fn lies_are_refused() {
        // Field 2 of the footer, a list of 15 structures and more by varint: 2^27 of them.
        assert_eq!(integers(&[0x29, 0xfc, 0x80, 0x80, 0x80, 0x40, 0x00], &FILE_METADATA), None);
        // Field 2 as a binary, where the decoder would read a list.
        assert_eq!(integers(&[0x28, 0x01, 0x00, 0x00], &FILE_METADATA), None);
        // Structures in structures without end, in a field nobody knows.
        assert_eq!(integers(&[0xfc; 4096], &FILE_METADATA), None);
        // A varint without end, and one of more than 64 bits.
        assert_eq!(integers(&[0x15, 0xff, 0xff], &PAGE_HEADER), None);
        assert_eq!(integers(&[[0x15].as_slice(), &[0xff; 20]].concat(), &PAGE_HEADER), None);
    }
}
