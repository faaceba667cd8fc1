//! From a document to the few numbers that stand for it.

use corpora::Document;
use xxhash_rust::xxh3::xxh3_128;

use super::minhash::MinHasher;
use super::normal::normal;
use super::{DedupConfig, SimHashConfig, address, simhash};

/// What is compared instead of the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// 128-bit xxh3 of the normalised text (NFC, lower case, white space collapsed).
    pub exact: u128,
    /// MinHash values, bands · rows of them; none if switched off or if the text is shorter than one
    /// shingle. Such a text is compared by `exact` alone: having no shingle is nothing in common.
    pub minhash: Option<Vec<u32>>,
    /// SimHash of the set of character shingles; none as above.
    pub simhash: Option<u64>,
    /// 128-bit xxh3 of the normalised address; none of a document without one.
    pub url: Option<u128>,
}

/// Makes signatures; pure, for any thread.
#[derive(Clone, Debug)]
pub struct Signer {
    minhash: Option<MinHasher>,
    simhash: Option<SimHashConfig>,
}

impl Signer {
    /// Prepares the permutations of a valid configuration.
    #[must_use]
    pub fn new(config: &DedupConfig) -> Self {
        Self { minhash: config.minhash.as_ref().map(MinHasher::new), simhash: config.simhash.clone() }
    }

    /// The signature of a document's text and address.
    #[must_use]
    pub fn sign(&self, document: &Document) -> Signature {
        let url = document.url.as_deref().and_then(address::normal).map(|url| xxh3_128(url.as_bytes()));
        Signature { url, ..self.sign_text(&document.text) }
    }

    pub(super) fn sign_text(&self, text: &str) -> Signature {
        let normal = normal(text);
        Signature {
            exact: xxh3_128(normal.as_bytes()),
            minhash: self.minhash.as_ref().and_then(|minhash| minhash.sign(&normal)),
            simhash: self.simhash.as_ref().and_then(|config| simhash::sign(config, &normal)),
            url: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::MinHashConfig;
    use super::*;

    #[test]
    fn equal_up_to_normalisation() {
        let config =
            DedupConfig { minhash: Some(MinHashConfig::default()), simhash: Some(SimHashConfig::default()), ..DedupConfig::default() };
        let signer = Signer::new(&config);
        let a = signer.sign_text("나는 오늘 아침에 학교에 갔다. OK");
        assert_eq!(a, signer.sign_text(" 나는  오늘\n아침에 학교에 갔다. ok\n"));
        assert_eq!(a.minhash.as_ref().unwrap().len(), 112);
        assert_eq!(a.exact, xxh3_128("나는 오늘 아침에 학교에 갔다. ok".as_bytes()));
        assert_ne!(a, signer.sign_text("나는 오늘 아침에 학교에 갔다. OK!"));
    }

    #[test]
    fn short_texts_have_only_an_exact_hash_and_differ() {
        let config =
            DedupConfig { minhash: Some(MinHashConfig::default()), simhash: Some(SimHashConfig::default()), ..DedupConfig::default() };
        let signer = Signer::new(&config);
        let [a, b] = ["네", "아니오"].map(|text| signer.sign_text(text));
        assert_ne!(a.exact, b.exact);
        assert_eq!((a.minhash, a.simhash), (None, None));
    }
}
