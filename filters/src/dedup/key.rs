//! Keys: documents that may be duplicates share at least one.

use xxhash_rust::xxh3::xxh3_128;

use super::config::DedupConfig;
use super::edge::Kind;
use super::signature_file::SignatureRecord;
use super::simhash;

/// What documents of equal key have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Meeting {
    /// The same text.
    Text,
    /// One band of the MinHash signature.
    Band,
    /// Two blocks of the SimHash.
    Blocks,
    /// The address.
    Url,
}

/// The meeting in the top two bits, a hash below: equal keys have equal meetings, and keys sort by
/// meeting first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key(pub(super) u128);

impl Key {
    fn new(meeting: Meeting, what: &[u8]) -> Self {
        Self((meeting as u128) << 126 | xxh3_128(what) >> 2)
    }

    pub(super) fn meeting(self) -> Option<Meeting> {
        [Meeting::Text, Meeting::Band, Meeting::Blocks, Meeting::Url].into_iter().find(|meeting| *meeting as u128 == self.0 >> 126)
    }

    /// The partition that the key goes to: its low half, scaled.
    pub(super) fn partition(self, partitions: u32) -> u32 {
        ((u128::from(self.0 as u64) * u128::from(partitions)) >> 64) as u32
    }
}

/// Makes the keys of documents.
pub(super) struct Keys<'a> {
    config: &'a DedupConfig,
    masks: Vec<u64>,
}

impl<'a> Keys<'a> {
    pub(super) fn new(config: &'a DedupConfig) -> Self {
        Self { config, masks: config.simhash.as_ref().map_or_else(Vec::new, |simhash| simhash::masks(simhash.max_distance)) }
    }

    /// Whether addresses are compared.
    pub(super) fn by_url(&self) -> bool {
        self.config.url
    }

    /// Most keys of one document.
    pub(super) fn most(&self) -> u64 {
        1 + u64::from(self.config.url) + self.config.minhash.as_ref().map_or(0, |minhash| minhash.bands as u64) + self.masks.len() as u64
    }

    /// What to call two documents of the same text. Without `exact`, it is the method that would
    /// have found them; none if no method compares this text.
    pub(super) fn same_text(&self, record: &SignatureRecord<'_>) -> Option<Kind> {
        if self.config.exact {
            Some(Kind::Exact)
        } else if record.minhash_bytes().is_some() {
            Some(Kind::Minhash)
        } else {
            record.simhash().map(|_| Kind::Simhash)
        }
    }

    /// The key of the text.
    pub(super) fn text(&self, record: &SignatureRecord<'_>) -> Key {
        let mut what = [0; 20];
        what[..16].copy_from_slice(&record.exact().to_le_bytes());
        what[16..].copy_from_slice(&self.side(record));
        Key::new(Meeting::Text, &what)
    }

    /// The key of the address, where addresses are compared.
    pub(super) fn url(&self, record: &SignatureRecord<'_>) -> Option<Key> {
        let url = record.url().filter(|_| self.config.url)?;
        let mut what = [0; 20];
        what[..16].copy_from_slice(&url.to_le_bytes());
        what[16..].copy_from_slice(&self.side(record));
        Some(Key::new(Meeting::Url, &what))
    }

    /// All keys of the text of a document that is compared at all.
    pub(super) fn each(&self, record: &SignatureRecord<'_>, mut use_key: impl FnMut(Key)) {
        use_key(self.text(record));
        let side = self.side(record);
        if let (Some(minhash), Some(values)) = (&self.config.minhash, record.minhash_bytes()) {
            let mut what = Vec::with_capacity(minhash.rows * 4 + 8);
            for (number, band) in (0_u32..).zip(values.chunks_exact(minhash.rows * 4)) {
                what.clear();
                what.extend(number.to_le_bytes());
                what.extend(side);
                what.extend(band);
                use_key(Key::new(Meeting::Band, &what));
            }
        }
        if let Some(simhash) = record.simhash() {
            for (number, mask) in (0_u32..).zip(&self.masks) {
                let mut what = [0; 16];
                what[..4].copy_from_slice(&number.to_le_bytes());
                what[4..8].copy_from_slice(&side);
                what[8..].copy_from_slice(&(simhash & mask).to_le_bytes());
                use_key(Key::new(Meeting::Blocks, &what));
            }
        }
    }

    /// Part of every key, so that buckets never meet unless they may.
    fn side(&self, record: &SignatureRecord<'_>) -> [u8; 4] {
        if self.config.across_buckets { [0; 4] } else { record.bucket().to_le_bytes() }
    }
}
