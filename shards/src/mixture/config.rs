//! The recipe's `[mixture]`: ratios stand directly in the table beside three options.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{self, Deserializer, MapAccess, Visitor};
use serde::ser::{SerializeMap, Serializer};
use serde::{Deserialize, Serialize};

/// A bucket is repeated at most this often unless the recipe says otherwise. Four epochs of the
/// same text train almost like fresh text (Muennighoff et al. 2023, arXiv 2305.16264).
pub const DEFAULT_MAX_EPOCHS: f64 = 4.0;

const MAX_EPOCHS: &str = "max-epochs";
const EPOCHS: &str = "epochs";
const ON_SHORTAGE: &str = "on-shortage";

/// What to do when a bucket cannot give its share within its epochs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnShortage {
    /// Stop and say what is missing.
    #[default]
    Refuse,
    /// Repeat the bucket beyond its epochs.
    Repeat,
    /// Train on fewer tokens in total, at the same ratios.
    Reduce,
}

/// The recipe's `[mixture]`.
///
/// ```toml
/// [mixture]
/// korean = 0.42
/// english = 0.51
/// code = 0.07
/// max-epochs = 4
/// epochs = { korean = 8 }
/// on-shortage = "refuse"
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct MixtureConfig {
    /// Share of the tokens by bucket; they sum to 1. Default: korean 0.42, english 0.51, code 0.07.
    /// Buckets are taken in the order of their names, so that a recipe's layout changes nothing.
    pub ratios: BTreeMap<String, f64>,
    /// How often a bucket may be gone through. Default 4.
    pub max_epochs: f64,
    /// The same for single buckets. Default: none.
    pub epochs: BTreeMap<String, f64>,
    /// Default `refuse`.
    pub on_shortage: OnShortage,
}

impl Default for MixtureConfig {
    fn default() -> Self {
        let ratios = [("korean", 0.42), ("english", 0.51), ("code", 0.07)];
        Self {
            ratios: ratios.map(|(name, ratio)| (name.to_owned(), ratio)).into(),
            max_epochs: DEFAULT_MAX_EPOCHS,
            epochs: BTreeMap::new(),
            on_shortage: OnShortage::Refuse,
        }
    }
}

impl MixtureConfig {
    /// The most epochs `bucket` may be gone through.
    pub fn max_epochs_of(&self, bucket: &str) -> f64 {
        self.epochs.get(bucket).copied().unwrap_or(self.max_epochs)
    }

    /// Ratio of a bucket, 0 where the table does not name it.
    pub fn ratio_of(&self, bucket: &str) -> f64 {
        self.ratios.get(bucket).copied().unwrap_or(0.0)
    }

    /// Checks values that were not read from a recipe; the message names key and range.
    pub fn check(&self) -> Result<(), String> {
        for (bucket, ratio) in &self.ratios {
            check_ratio(bucket, *ratio)?;
        }
        check_epochs(MAX_EPOCHS, self.max_epochs)?;
        for (bucket, epochs) in &self.epochs {
            check_epochs(bucket, *epochs)?;
            if self.ratio_of(bucket) == 0.0 {
                return Err(format!("`{EPOCHS}` names `{bucket}`, which has no ratio"));
            }
        }
        let sum: f64 = self.ratios.values().sum();
        if (sum - 1.0).abs() > 1e-6 {
            let list: Vec<String> = self.ratios.iter().map(|(name, ratio)| format!("{name} {ratio}")).collect();
            return Err(format!("ratios sum to {sum}, not 1 ({})", list.join(", ")));
        }
        Ok(())
    }
}

fn check_ratio(bucket: &str, ratio: f64) -> Result<(), String> {
    if (0.0..=1.0).contains(&ratio) {
        return Ok(());
    }
    Err(format!(
        "ratio of bucket `{bucket}` is {ratio}, not between 0 and 1 (keys other than \
         `{MAX_EPOCHS}`, `{EPOCHS}` and `{ON_SHORTAGE}` are buckets)"
    ))
}

fn check_epochs(key: &str, epochs: f64) -> Result<(), String> {
    if epochs > 0.0 && epochs <= 1e6 {
        return Ok(());
    }
    Err(format!("`{key}` is {epochs} epochs, not above 0 and at most 1000000"))
}

impl Serialize for MixtureConfig {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (bucket, ratio) in &self.ratios {
            map.serialize_entry(bucket, ratio)?;
        }
        map.serialize_entry(MAX_EPOCHS, &self.max_epochs)?;
        map.serialize_entry(ON_SHORTAGE, &self.on_shortage)?;
        if !self.epochs.is_empty() {
            map.serialize_entry(EPOCHS, &self.epochs)?; // a table: TOML wants it after plain values
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for MixtureConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(TableVisitor)
    }
}

struct TableVisitor;

impl<'de> Visitor<'de> for TableVisitor {
    type Value = MixtureConfig;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a table of bucket ratios with `{MAX_EPOCHS}`, `{EPOCHS}`, `{ON_SHORTAGE}`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut table: A) -> Result<MixtureConfig, A::Error> {
        let mut config = MixtureConfig::default();
        let mut ratios = BTreeMap::new();
        while let Some(key) = table.next_key::<String>()? {
            match key.as_str() {
                MAX_EPOCHS => config.max_epochs = table.next_value::<Epochs>()?.0,
                EPOCHS => {
                    let epochs: BTreeMap<String, Epochs> = table.next_value()?;
                    config.epochs = epochs.into_iter().map(|(k, v)| (k, v.0)).collect();
                }
                ON_SHORTAGE => config.on_shortage = table.next_value()?,
                _ => {
                    let ratio = table.next_value_seed(Ratio(&key))?;
                    if ratios.contains_key(&key) {
                        return Err(de::Error::custom(format!("`{key}` has two ratios")));
                    }
                    ratios.insert(key, ratio);
                }
            }
        }
        if !ratios.is_empty() {
            config.ratios = ratios;
        }
        config.check().map_err(de::Error::custom)?;
        Ok(config)
    }
}

/// A number checked while its place in the file is still known.
struct Epochs(f64);

impl<'de> Deserialize<'de> for Epochs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let epochs = f64::deserialize(deserializer)?;
        check_epochs(MAX_EPOCHS, epochs).map_err(de::Error::custom)?;
        Ok(Self(epochs))
    }
}

struct Ratio<'a>(&'a str);

impl<'de> de::DeserializeSeed<'de> for Ratio<'_> {
    type Value = f64;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<f64, D::Error> {
        let ratio = f64::deserialize(deserializer)?;
        check_ratio(self.0, ratio).map_err(de::Error::custom)?;
        Ok(ratio)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<MixtureConfig, toml::de::Error> {
        toml::from_str(text)
    }

    #[test]
    fn reads_ratios_beside_options() {
        let config = read("korean = 0.75\ncode = 0.25\nmax-epochs = 2\non-shortage = \"reduce\"\nepochs = { korean = 8 }").unwrap();
        let ratios = [("korean".to_owned(), 0.75), ("code".to_owned(), 0.25)];
        assert_eq!(config.ratios, ratios.into());
        assert_eq!((config.max_epochs_of("korean"), config.max_epochs_of("code")), (8.0, 2.0));
        assert_eq!(config.on_shortage, OnShortage::Reduce);
        let text = toml::to_string(&config).unwrap();
        assert_eq!(read(&text).unwrap(), config);
    }

    #[test]
    fn absent_ratios_are_the_default_ones() {
        assert_eq!(read("").unwrap(), MixtureConfig::default());
        assert_eq!(read("max-epochs = 1").unwrap().ratio_of("english"), 0.51);
        assert_eq!(read("korean = 1").unwrap().ratios.len(), 1);
    }

    #[test]
    fn errors_name_key_and_place() {
        let cases = [
            ("korean = 0.5\nenglish = 0.4", "sum to 0.9", None),
            ("korean = 1.5", "`korean` is 1.5", Some(9..12)),
            ("a = 1\nmax-epoch = 4", "bucket `max-epoch` is 4", Some(18..19)),
            ("korean = nan", "`korean` is NaN", Some(9..12)),
            ("a = 1\nmax-epochs = 0", "0 epochs", Some(19..20)),
            ("a = 1\nepochs = { a = -1 }", "-1 epochs", None),
            ("a = 1\nepochs = { b = 2 }", "`b`, which has no ratio", None),
            ("a = 1\non-shortage = \"stop\"", "`refuse`, `repeat`, `reduce`", Some(20..26)),
            ("korean = \"much\"", "expected f64", Some(9..15)),
        ];
        for (text, message, span) in cases {
            let error = read(text).unwrap_err();
            assert!(error.to_string().contains(message), "{text}: {error}");
            if span.is_some() {
                assert_eq!(error.span(), span, "{text}");
            }
        }
    }
}
