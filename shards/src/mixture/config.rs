//! The recipe's `[mixture]`: ratios stand directly in the table beside three options.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{self, Deserializer, MapAccess, Visitor};
use serde::ser::{SerializeMap, Serializer};
use serde::{Deserialize, Serialize};

use super::rehydrate::Rehydrate;

/// A bucket is repeated at most this often unless the recipe says otherwise. Four epochs of the
/// same text train almost like fresh text (Muennighoff et al. 2023, arXiv 2305.16264).
pub const DEFAULT_MAX_EPOCHS: f64 = 4.0;

const MAX_EPOCHS: &str = "max-epochs";
const EPOCHS: &str = "epochs";
const ON_SHORTAGE: &str = "on-shortage";
const TEMPERATURE: &str = "temperature";
const UNIMAX: &str = "unimax";
const STAGES: &str = "stages";
const UNTIL: &str = "until";
const REHYDRATE: &str = "rehydrate";

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
///
/// In place of ratios, `temperature = 3.33` or `unimax = true` takes them from what there is (see
/// [`Balance`]), and `stages` changes them on the way:
///
/// ```toml
/// [[mixture.stages]]
/// until = 8_000_000_000
/// korean = 0.3
/// english = 0.7
///
/// [[mixture.stages]]
/// korean = 0.6
/// english = 0.4
/// ```
///
/// `rehydrate = { korean = { 2 = 2, 5 = 3 } }` has documents again in an epoch that stand for copies: see [`Rehydrate`].
#[derive(Debug, Clone, PartialEq)]
pub struct MixtureConfig {
    /// Share of the tokens by bucket; they sum to 1. Default: korean 0.42, english 0.51, code 0.07.
    /// Buckets are taken in the order of their names, so that a recipe's layout changes nothing.
    pub ratios: BTreeMap<String, f64>,
    /// Where the ratios come from. Default: from `ratios`.
    pub balance: Balance,
    /// Ratios that hold one after another; `ratios` is empty then. Default: none.
    pub stages: Vec<MixtureStage>,
    /// How often a bucket may be gone through. Default 4.
    pub max_epochs: f64,
    /// The same for single buckets. Default: none.
    pub epochs: BTreeMap<String, f64>,
    /// Default `refuse`.
    pub on_shortage: OnShortage,
    /// By bucket, how often an epoch has documents that stand for copies. Default: every document once.
    pub rehydrate: BTreeMap<String, Rehydrate>,
}

/// Where ratios come from.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Balance {
    /// The table names them.
    #[default]
    Ratios,
    /// In proportion to each bucket's tokens to the power of 1 over this temperature: 1 is as there is,
    /// above it small buckets get more (Arivazhagan et al. 2019, arXiv 1907.05019).
    Temperature(f64),
    /// The same from every bucket, except that none is gone through more than its epochs (UniMax, Chung
    /// et al. 2023, arXiv 2304.09151).
    UniMax,
}

/// Ratios that hold for a stretch of the run.
#[derive(Debug, Clone, PartialEq)]
pub struct MixtureStage {
    /// Tokens of the run up to which it goes, in whole windows; none for the last one.
    pub until: Option<u64>,
    /// Share of its tokens by bucket; they sum to 1.
    pub ratios: BTreeMap<String, f64>,
}

impl Default for MixtureConfig {
    fn default() -> Self {
        let ratios = [("korean", 0.42), ("english", 0.51), ("code", 0.07)];
        Self {
            ratios: ratios.map(|(name, ratio)| (name.to_owned(), ratio)).into(),
            balance: Balance::Ratios,
            stages: Vec::new(),
            max_epochs: DEFAULT_MAX_EPOCHS,
            epochs: BTreeMap::new(),
            on_shortage: OnShortage::Refuse,
            rehydrate: BTreeMap::new(),
        }
    }
}

impl MixtureConfig {
    /// The most epochs `bucket` may be gone through.
    pub fn max_epochs_of(&self, bucket: &str) -> f64 {
        self.epochs.get(bucket).copied().unwrap_or(self.max_epochs)
    }

    /// Every bucket that a ratio is stated for.
    pub fn named(&self) -> impl Iterator<Item = &str> {
        self.ratios.keys().chain(self.stages.iter().flat_map(|stage| stage.ratios.keys())).map(String::as_str)
    }

    /// Whether anything of `bucket` is to be drawn: it has a ratio, in one stage at least, or ratios follow from what there is.
    pub fn asks_for(&self, bucket: &str) -> bool {
        let in_stages = || self.stages.iter().any(|stage| stage.ratios.get(bucket).is_some_and(|ratio| *ratio > 0.0));
        self.balance != Balance::Ratios || self.ratio_of(bucket) > 0.0 || in_stages()
    }

    /// How often an epoch has a document of `bucket` that stands for so many.
    pub fn repeats_of(&self, bucket: &str, documents: u64) -> u32 {
        self.rehydrate.get(bucket).map_or(1, |rehydrate| rehydrate.repeats(documents))
    }

    /// Ratio of a bucket, 0 where the table does not name it.
    pub fn ratio_of(&self, bucket: &str) -> f64 {
        self.ratios.get(bucket).copied().unwrap_or(0.0)
    }

    /// Checks values that were not read from a recipe; the message names key and range.
    pub fn check(&self) -> Result<(), String> {
        check_epochs(MAX_EPOCHS, self.max_epochs)?;
        for (bucket, epochs) in &self.epochs {
            check_epochs(bucket, *epochs)?;
            let stated = self.balance == Balance::Ratios;
            if stated && self.ratio_of(bucket) == 0.0 && self.stages.iter().all(|stage| !stage.ratios.contains_key(bucket)) {
                return Err(format!("`{EPOCHS}` names `{bucket}`, which has no ratio"));
            }
        }
        let key = match self.balance {
            Balance::Temperature(temperature) if !(1.0..=100.0).contains(&temperature) => {
                return Err(format!("`{TEMPERATURE}` is {temperature}, not from 1 to 100"));
            }
            Balance::Temperature(_) => TEMPERATURE,
            Balance::UniMax => UNIMAX,
            Balance::Ratios if self.stages.is_empty() => return check_ratios(&self.ratios),
            Balance::Ratios => STAGES,
        };
        if let Some(bucket) = self.ratios.keys().next() {
            return Err(format!("bucket `{bucket}` has a ratio beside `{key}`, which gives them"));
        }
        if self.balance != Balance::Ratios && !self.stages.is_empty() {
            return Err(format!("`{STAGES}` and `{key}` both give the ratios"));
        }
        self.check_stages()
    }

    fn check_stages(&self) -> Result<(), String> {
        let mut before = 0;
        for (index, stage) in self.stages.iter().enumerate() {
            let last = index + 1 == self.stages.len();
            match stage.until {
                Some(_) if last => return Err(format!("the last of the `{STAGES}` goes to the end and has no `{UNTIL}`")),
                None if !last => return Err(format!("stage {} has no `{UNTIL}`, which only the last does without", index + 1)),
                Some(until) if until <= before => {
                    return Err(format!("stage {} ends at {until} tokens, the one before it at {before}", index + 1));
                }
                Some(until) => before = until,
                None => {}
            }
            check_ratios(&stage.ratios).map_err(|cause| format!("stage {}: {cause}", index + 1))?;
        }
        if !self.stages.is_empty() && self.on_shortage == OnShortage::Reduce {
            return Err(format!("`{ON_SHORTAGE} = \"reduce\"` cannot be met with `{STAGES}`, whose lengths are stated"));
        }
        Ok(())
    }
}

fn check_ratios(ratios: &BTreeMap<String, f64>) -> Result<(), String> {
    for (bucket, ratio) in ratios {
        check_ratio(bucket, *ratio)?;
    }
    let sum: f64 = ratios.values().sum();
    if (sum - 1.0).abs() > 1e-6 {
        let list: Vec<String> = ratios.iter().map(|(name, ratio)| format!("{name} {ratio}")).collect();
        return Err(format!("ratios sum to {sum}, not 1 ({})", list.join(", ")));
    }
    Ok(())
}

fn check_ratio(bucket: &str, ratio: f64) -> Result<(), String> {
    if (0.0..=1.0).contains(&ratio) {
        return Ok(());
    }
    Err(format!(
        "ratio of bucket `{bucket}` is {ratio}, not between 0 and 1 (keys other than \
         `{MAX_EPOCHS}`, `{EPOCHS}`, `{ON_SHORTAGE}`, `{TEMPERATURE}`, `{UNIMAX}`, `{REHYDRATE}` and `{STAGES}` are buckets)"
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
        match self.balance {
            Balance::Ratios => {}
            Balance::Temperature(temperature) => map.serialize_entry(TEMPERATURE, &temperature)?,
            Balance::UniMax => map.serialize_entry(UNIMAX, &true)?,
        }
        map.serialize_entry(MAX_EPOCHS, &self.max_epochs)?;
        map.serialize_entry(ON_SHORTAGE, &self.on_shortage)?;
        // Tables: TOML wants them after plain values.
        if !self.epochs.is_empty() {
            map.serialize_entry(EPOCHS, &self.epochs)?;
        }
        if !self.rehydrate.is_empty() {
            map.serialize_entry(REHYDRATE, &self.rehydrate)?;
        }
        if !self.stages.is_empty() {
            map.serialize_entry(STAGES, &self.stages)?;
        }
        map.end()
    }
}

impl Serialize for MixtureStage {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if let Some(until) = self.until {
            map.serialize_entry(UNTIL, &until)?;
        }
        for (bucket, ratio) in &self.ratios {
            map.serialize_entry(bucket, ratio)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for MixtureStage {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(StageVisitor)
    }
}

struct StageVisitor;

impl<'de> Visitor<'de> for StageVisitor {
    type Value = MixtureStage;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a table of bucket ratios with `{UNTIL}`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut table: A) -> Result<MixtureStage, A::Error> {
        let mut stage = MixtureStage { until: None, ratios: BTreeMap::new() };
        while let Some(key) = table.next_key::<String>()? {
            match key.as_str() {
                UNTIL => stage.until = Some(table.next_value()?),
                _ => drop(stage.ratios.insert(key.clone(), table.next_value_seed(Ratio(&key))?)),
            }
        }
        Ok(stage)
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
        write!(
            f,
            "a table of bucket ratios with `{MAX_EPOCHS}`, `{EPOCHS}`, `{ON_SHORTAGE}`, `{REHYDRATE}`, `{TEMPERATURE}`, `{UNIMAX}`, `{STAGES}`"
        )
    }

    fn visit_map<A: MapAccess<'de>>(self, mut table: A) -> Result<MixtureConfig, A::Error> {
        let mut config = MixtureConfig::default();
        let mut ratios = BTreeMap::new();
        let mut balances = Vec::new();
        while let Some(key) = table.next_key::<String>()? {
            match key.as_str() {
                MAX_EPOCHS => config.max_epochs = table.next_value::<Epochs>()?.0,
                EPOCHS => {
                    let epochs: BTreeMap<String, Epochs> = table.next_value()?;
                    config.epochs = epochs.into_iter().map(|(k, v)| (k, v.0)).collect();
                }
                ON_SHORTAGE => config.on_shortage = table.next_value()?,
                TEMPERATURE => balances.push(Balance::Temperature(table.next_value()?)),
                UNIMAX => balances.extend(table.next_value::<bool>()?.then_some(Balance::UniMax)),
                STAGES => config.stages = table.next_value()?,
                REHYDRATE => config.rehydrate = table.next_value()?,
                _ => {
                    let ratio = table.next_value_seed(Ratio(&key))?;
                    if ratios.contains_key(&key) {
                        return Err(de::Error::custom(format!("`{key}` has two ratios")));
                    }
                    ratios.insert(key, ratio);
                }
            }
        }
        match balances[..] {
            [] => {}
            [balance] => config.balance = balance,
            _ => return Err(de::Error::custom(format!("`{TEMPERATURE}` and `{UNIMAX}` both give the ratios"))),
        }
        if !ratios.is_empty() || config.balance != Balance::Ratios || !config.stages.is_empty() {
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
mod tests;
