//! Keys and values of a GGUF header, as bytes.

/// Keys in the order in which they were given.
#[derive(Clone, Debug, Default)]
pub(super) struct Keys {
    bytes: Vec<u8>,
    count: u64,
}

const U32: u32 = 4;
const I32: u32 = 5;
const F32: u32 = 6;
const FLAG: u32 = 7;
const TEXT: u32 = 8;
const ARRAY: u32 = 9;

impl Keys {
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    fn key(&mut self, name: &str, kind: u32) -> &mut Vec<u8> {
        self.count += 1;
        text(&mut self.bytes, name);
        self.bytes.extend(kind.to_le_bytes());
        &mut self.bytes
    }

    pub(super) fn u32(&mut self, name: &str, value: u32) {
        self.key(name, U32).extend(value.to_le_bytes());
    }

    pub(super) fn f32(&mut self, name: &str, value: f32) {
        self.key(name, F32).extend(value.to_le_bytes());
    }

    pub(super) fn flag(&mut self, name: &str, value: bool) {
        self.key(name, FLAG).push(value.into());
    }

    pub(super) fn text(&mut self, name: &str, value: &str) {
        text(self.key(name, TEXT), value);
    }

    pub(super) fn texts<'a>(&mut self, name: &str, values: impl ExactSizeIterator<Item = &'a str>) {
        let out = self.array(name, TEXT, values.len());
        values.for_each(|value| text(out, value));
    }

    pub(super) fn i32s(&mut self, name: &str, values: &[i32]) {
        let out = self.array(name, I32, values.len());
        values.iter().for_each(|value| out.extend(value.to_le_bytes()));
    }

    fn array(&mut self, name: &str, kind: u32, length: usize) -> &mut Vec<u8> {
        let out = self.key(name, ARRAY);
        out.extend(kind.to_le_bytes());
        out.extend((length as u64).to_le_bytes());
        out
    }

    /// A key with its value as they stand in another file.
    pub(super) fn raw(&mut self, bytes: &[u8]) {
        self.count += 1;
        self.bytes.extend(bytes);
    }

    pub(super) fn append(&mut self, others: &Keys) {
        self.count += others.count;
        self.bytes.extend(&others.bytes);
    }
}

/// A text: its length and its bytes.
pub(super) fn text(out: &mut Vec<u8>, value: &str) {
    out.extend((value.len() as u64).to_le_bytes());
    out.extend(value.as_bytes());
}
