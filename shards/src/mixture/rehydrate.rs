//! How often a document is trained on that stands for copies of itself.

use std::collections::BTreeMap;

use serde::de::{self, Deserializer};
use serde::{Deserialize, Serialize, Serializer};

/// Most copies of a document in an epoch.
pub const MAX_REPEATS: u32 = 100;

/// How often an epoch has the documents of a bucket, by the size of the cluster that deduplication left them of: what many
/// pages repeated is more often worth reading than what stood once, and what thousands did is boilerplate again
/// (FineWeb-2, Penedo et al. 2025, arXiv 2506.20920, "rehydration").
///
/// ```toml
/// rehydrate = { korean = { 2 = 2, 3 = 3, 5 = 5, 100 = 8, 1000 = 1 } }
/// ```
///
/// Documents of clusters of 3 and 4 come three times, those of 1,000 and more once, as do those that stand for
/// themselves.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rehydrate {
    /// Smallest size of a class of clusters, and the repeats up to the next.
    classes: BTreeMap<u64, u32>,
}

impl Rehydrate {
    /// The smallest cluster of each class, ascending; that of 1 is always there.
    pub fn classes(&self) -> Vec<u64> {
        std::iter::once(1).chain(self.classes.keys().copied()).collect()
    }

    /// How often an epoch has a document that stands for `documents`, itself included.
    pub fn repeats(&self, documents: u64) -> u32 {
        self.classes.range(..=documents).next_back().map_or(1, |(_, repeats)| *repeats)
    }

    fn checked(classes: BTreeMap<u64, u32>) -> Result<Self, String> {
        if classes.is_empty() {
            return Err("no cluster size: write for example `{ 2 = 2, 5 = 3 }`".to_owned());
        }
        for (documents, repeats) in &classes {
            if *documents < 2 {
                return Err(format!("{documents} is no size of a cluster, at least 2 documents"));
            }
            if !(1..=MAX_REPEATS).contains(repeats) {
                return Err(format!("clusters of {documents} are repeated {repeats} times, not 1 to {MAX_REPEATS}"));
            }
        }
        Ok(Self { classes })
    }
}

impl Serialize for Rehydrate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // Keys of TOML and JSON are text.
        serializer.collect_map(self.classes.iter().map(|(documents, repeats)| (documents.to_string(), repeats)))
    }
}

impl<'de> Deserialize<'de> for Rehydrate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let table = BTreeMap::<String, u32>::deserialize(deserializer)?;
        let size = |(key, repeats): (String, u32)| {
            let documents = key.parse().map_err(|_| de::Error::custom(format!("`{key}` is no size of a cluster in documents")))?;
            Ok((documents, repeats))
        };
        Self::checked(table.into_iter().map(size).collect::<Result<_, D::Error>>()?).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Rehydrate, toml::de::Error> {
        #[derive(Deserialize)]
        struct Table {
            rehydrate: Rehydrate,
        }
        toml::from_str::<Table>(&format!("rehydrate = {text}")).map(|table| table.rehydrate)
    }

    /// The weights of FineWeb-2: `misc/rehydration` of its repository.
    #[test]
    fn a_class_goes_up_to_the_next() {
        let weights = read("{ 1000 = 1, 2 = 2, 3 = 3, 5 = 5, 100 = 8 }").unwrap();
        assert_eq!(weights.classes(), [1, 2, 3, 5, 100, 1000]);
        let repeats = [1, 2, 3, 4, 5, 99, 100, 999, 1000, u64::MAX].map(|documents| weights.repeats(documents));
        assert_eq!(repeats, [1, 2, 3, 3, 5, 5, 8, 8, 1, 1]);
        assert_eq!((Rehydrate::default().classes(), Rehydrate::default().repeats(7)), (vec![1], 1));
        let text = toml::to_string(&weights).unwrap();
        assert_eq!(toml::from_str::<Rehydrate>(&text).unwrap(), weights, "{text}");
        assert_eq!(serde_json::to_value(&weights).unwrap()["100"], 8);
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for (text, message) in [
            ("{}", "no cluster size"),
            ("{ 1 = 2 }", "1 is no size of a cluster"),
            ("{ two = 2 }", "`two` is no size of a cluster"),
            ("{ 2 = 0 }", "repeated 0 times"),
            ("{ 2 = 101 }", "repeated 101 times"),
            ("{ 2 = 1.5 }", "expected u32"),
            ("{ 2 = -1 }", "u32"),
            ("3", "expected a map"),
        ] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains(message), "{text}: {error}");
        }
    }
}
