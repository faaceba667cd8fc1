//! mixture.json: how many windows of each bucket a run draws, how often it repeats.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::balance;
use super::config::{Balance, MixtureConfig, OnShortage};
use super::share::{Share, apportion, largest_total, plans, shares, shortage};
use super::stages::{self, StagePlan};
use crate::atomic;
use crate::error::{Error, Result};
use crate::stream::Packed;

/// The plan format written and read here. Version 2 does not count padding as tokens.
pub const MIXTURE_VERSION: u32 = 2;

/// Most windows in a plan, and most places for tokens in them: far above any run, and what a stream
/// computes with them stays far below overflow.
const MAX_WINDOWS: u64 = 1 << 48;
const MAX_PLACES: u64 = 1 << 60;

/// What a bucket has to draw from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Supply {
    /// The bucket's name.
    pub bucket: String,
    /// Train tokens of an epoch.
    pub tokens: u64,
    /// Of these, those of documents that the epoch has already had: see [`super::Rehydrate`].
    pub copies: u64,
}

/// The share of one bucket. A window is `seq-len` consecutive targets of the bucket's shards put
/// end to end. The last window may be short; it is padded, and drawn last in each epoch. Where
/// documents are packed whole, a window is a row of them, and `tokens` of an epoch that is not finished
/// are its share of the epoch's.
///
/// Ratios are kept in windows. A bucket of few windows, with much padding in them, so gives fewer
/// tokens than its ratio; `padding-tokens` says how many.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct BucketPlan {
    /// The bucket's name.
    pub bucket: String,
    /// Its ratio in the recipe, 0 for a bucket that is there but not drawn from.
    pub ratio: f64,
    /// Its train tokens, those of copies included.
    pub available_tokens: u64,
    /// Of these, those of documents that an epoch has had before: see [`super::Rehydrate`].
    #[serde(default, skip_serializing_if = "is_zero")]
    pub copied_tokens: u64,
    /// Windows in one epoch of it.
    pub available_windows: u64,
    /// Windows drawn.
    pub windows: u64,
    /// Tokens drawn, padding not included.
    pub tokens: u64,
    /// Places in the windows drawn where no token stands: windows times `seq-len`, less `tokens`.
    pub padding_tokens: u64,
    /// Windows drawn over windows in an epoch.
    pub epochs: f64,
    /// Of the tokens drawn, those of later epochs and those of copies; of copies in a first epoch that is not finished their
    /// share of the epoch's.
    pub repeated_tokens: u64,
    /// The most epochs the recipe allows.
    pub max_epochs: f64,
    /// How documents are packed; none where they are cut into windows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub packed: Option<Packed>,
}

impl BucketPlan {
    /// Draws `windows` windows of a bucket; everything else follows.
    #[cfg(test)]
    pub(crate) fn new(bucket: String, ratio: f64, available_tokens: u64, max_epochs: f64, windows: u64, seq_len: u32) -> Self {
        let supply = Supply { bucket, tokens: available_tokens, copies: 0 };
        Self::with(supply, ratio, None, max_epochs, windows, seq_len)
    }

    /// Draws `windows` windows or packed rows of a bucket; everything else follows.
    pub(crate) fn with(supply: Supply, ratio: f64, packed: Option<Packed>, max_epochs: f64, windows: u64, seq_len: u32) -> Self {
        let Supply { bucket, tokens: available_tokens, copies } = supply;
        let length = u64::from(seq_len);
        let available_windows = windows_of(available_tokens, packed, seq_len);
        let once = once(available_tokens, packed);
        let tokens = match available_windows {
            0 => 0,
            all if packed.is_some() => windows / all * once + (u128::from(windows % all) * u128::from(once) / u128::from(all)) as u64,
            // The short window is the last one of an epoch: before it all are full.
            all => windows / all * available_tokens + windows % all * length,
        };
        let copied = match available_windows {
            all if windows < all => (u128::from(copies) * u128::from(windows) / u128::from(all)) as u64,
            _ => copies,
        };
        Self {
            bucket,
            ratio,
            available_tokens,
            copied_tokens: copies,
            available_windows,
            windows,
            tokens,
            padding_tokens: (windows * length).saturating_sub(tokens),
            epochs: epochs(windows, available_windows),
            repeated_tokens: tokens.saturating_sub(once).saturating_add(copied.min(tokens)),
            max_epochs,
            packed,
        }
    }

    /// Tokens of one epoch: the available ones less those of documents that are too long to be packed.
    pub fn epoch_tokens(&self) -> u64 {
        once(self.available_tokens, self.packed)
    }
}

/// Tokens that can be drawn at all.
fn once(available_tokens: u64, packed: Option<Packed>) -> u64 {
    available_tokens.saturating_sub(packed.map_or(0, |packed| packed.too_long_tokens))
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// Windows, or packed rows, of one epoch.
pub(super) fn windows_of(tokens: u64, packed: Option<Packed>, seq_len: u32) -> u64 {
    packed.map_or_else(|| tokens.div_ceil(u64::from(seq_len)), |packed| packed.rows)
}

fn epochs(windows: u64, available: u64) -> f64 {
    if available == 0 { 0.0 } else { windows as f64 / available as f64 }
}

/// The whole plan: buckets with a ratio by name, then those without one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct MixturePlan {
    /// [`MIXTURE_VERSION`].
    pub version: u32,
    /// Targets per window.
    pub seq_len: u32,
    /// Tokens asked for; none when the plan takes what one epoch gives.
    pub requested_tokens: Option<u64>,
    /// Whether fewer than asked for are drawn (`on-shortage = "reduce"`).
    pub reduced: bool,
    /// Windows drawn from all buckets.
    pub windows: u64,
    /// Tokens drawn from all buckets, padding not included.
    pub tokens: u64,
    /// One entry per bucket.
    pub buckets: Vec<BucketPlan>,
    /// Where ratios change on the way: what each stretch of the run draws. Empty where they do not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stages: Vec<StagePlan>,
}

impl MixturePlan {
    /// Plans `target_tokens` (rounded up to whole windows), or, without a target, the largest
    /// total for which no bucket is gone through more than once.
    ///
    /// # Errors
    /// [`Error::Shortage`] where a bucket would exceed its epochs and the recipe says `refuse`, or
    /// has nothing at all.
    pub fn new(config: &MixtureConfig, available: &[Supply], target_tokens: Option<u64>, seq_len: u32) -> Result<Self> {
        Self::with_packed(config, available, &BTreeMap::new(), target_tokens, seq_len)
    }

    /// The same, with the buckets in `packed` in rows of whole documents. Places that stay empty in these
    /// count towards `target_tokens`.
    ///
    /// # Errors
    /// As [`MixturePlan::new`].
    pub fn with_packed(
        config: &MixtureConfig,
        available: &[Supply],
        packed: &BTreeMap<String, Packed>,
        target_tokens: Option<u64>,
        seq_len: u32,
    ) -> Result<Self> {
        config.check().map_err(|detail| Error::Setting { option: "mixture", detail })?;
        if seq_len == 0 {
            return Err(Error::Setting { option: "seq-len", detail: "0, at least 1".to_owned() });
        }
        if target_tokens == Some(0) {
            return Err(Error::Setting { option: "tokens", detail: "0, at least 1".to_owned() });
        }
        let mut shares = shares(config, available, packed, seq_len)?;
        if let Balance::Temperature(temperature) = config.balance {
            balance::temperature(&mut shares, temperature);
        }
        let most = MAX_WINDOWS.min(MAX_PLACES / u64::from(seq_len));
        let wanted = match target_tokens {
            Some(tokens) => tokens.div_ceil(u64::from(seq_len)),
            None if !config.stages.is_empty() => {
                return Err(Error::Setting { option: "tokens", detail: "not set, which stages of a mixture need".to_owned() });
            }
            None => total_of_one_epoch(config, &shares).min(most),
        };
        if wanted > most {
            let detail = format!("{wanted} windows of {seq_len} tokens, at most {most} are supported");
            return Err(Error::Setting { option: "tokens", detail });
        }
        let (total, stages) = match (config.balance, config.stages.is_empty()) {
            (Balance::UniMax, _) => (unimax(config, &mut shares, wanted, target_tokens.is_some(), seq_len)?, Vec::new()),
            (_, true) => (by_ratio(config, &shares, wanted, target_tokens.is_some(), most, seq_len)?, Vec::new()),
            (_, false) => (wanted, stages::plan(config, &mut shares, wanted, seq_len)?),
        };
        let buckets = plans(&shares, total, seq_len);
        Ok(Self {
            version: MIXTURE_VERSION,
            seq_len,
            requested_tokens: target_tokens,
            reduced: total < wanted,
            windows: total,
            tokens: buckets.iter().map(|entry| entry.tokens).sum(),
            buckets,
            stages,
        })
    }

    /// Reads and checks a plan.
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let bytes = atomic::read(path, 1 << 24)?;
        let mut plan: Self = serde_json::from_slice(&bytes).map_err(|error| Error::invalid(path, error.to_string()))?;
        for entry in &mut plan.buckets {
            // It follows from the counts, and reading it from JSON may change its last bit.
            entry.epochs = epochs(entry.windows, entry.available_windows);
        }
        plan.check().map_err(|detail| Error::invalid(path, detail))?;
        Ok(plan)
    }

    /// Writes the plan; the file appears whole or not at all.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        self.check().map_err(|detail| Error::invalid(path, detail))?;
        let mut bytes = serde_json::to_vec_pretty(self).map_err(|error| Error::invalid(path, error.to_string()))?;
        bytes.push(b'\n');
        atomic::write(path, &bytes)
    }

    /// The relations between the counts, which a stream relies on.
    pub(crate) fn check(&self) -> std::result::Result<(), String> {
        if self.version != MIXTURE_VERSION {
            let version = self.version;
            return Err(format!("version {version}, this program reads {MIXTURE_VERSION}"));
        }
        if self.seq_len == 0 {
            return Err("`seq-len` is 0".to_owned());
        }
        let most = MAX_WINDOWS.min(MAX_PLACES / u64::from(self.seq_len));
        let (mut windows, mut tokens) = (0u64, 0u64);
        for (index, entry) in self.buckets.iter().enumerate() {
            let name = &entry.bucket;
            if self.buckets[..index].iter().any(|other| other.bucket == *name) {
                return Err(format!("bucket `{name}` is listed twice"));
            }
            windows = windows.saturating_add(entry.windows);
            if windows > most {
                return Err(format!("more than {most} windows of {} tokens", self.seq_len));
            }
            if entry.windows > 0 && entry.available_tokens == 0 {
                return Err(format!("windows are drawn from `{name}`, which has none"));
            }
            let (ratio, there, max) = (entry.ratio, entry.available_tokens, entry.max_epochs);
            if entry.windows > 0 && entry.available_windows == 0 {
                return Err(format!("rows are drawn from `{name}`, which packs into none"));
            }
            if entry.copied_tokens > there {
                return Err(format!("`{name}` has {there} tokens and more copies"));
            }
            let supply = Supply { bucket: name.clone(), tokens: there, copies: entry.copied_tokens };
            if *entry != BucketPlan::with(supply, ratio, entry.packed, max, entry.windows, self.seq_len) {
                return Err(format!("the counts of `{name}` do not follow from its tokens and its windows"));
            }
            tokens += entry.tokens;
        }
        if (windows, tokens) != (self.windows, self.tokens) {
            return Err(format!("buckets draw {windows} windows and {tokens} tokens, the plan says {} and {}", self.windows, self.tokens));
        }
        stages::check(&self.stages, &self.buckets)
    }
}

/// The largest total for which no bucket is gone through more than once, nor more than its epochs allow.
fn total_of_one_epoch(config: &MixtureConfig, shares: &[Share]) -> u64 {
    match config.balance {
        Balance::UniMax => shares.iter().map(limit_once).fold(0, u64::saturating_add),
        _ => largest_total(shares, limit_once),
    }
}

fn limit_once(share: &Share) -> u64 {
    share.available_windows.min(share.cap())
}

/// The windows that ratios allow: those wanted, or fewer where the recipe says so. Only a total that was
/// asked for can be too large.
fn by_ratio(config: &MixtureConfig, shares: &[Share], wanted: u64, asked: bool, most: u64, seq_len: u32) -> Result<u64> {
    let empty = shares.iter().any(|share| share.parts > 0 && share.available_windows == 0);
    let capped = largest_total(shares, Share::cap).min(most);
    let short = || Err(Error::from(Box::new(shortage(shares, wanted, capped, seq_len))));
    if empty || wanted == 0 {
        return short();
    }
    let mut dealt = shares.iter().zip(apportion(shares, wanted));
    if !asked || dealt.all(|(share, windows)| windows <= share.cap()) {
        return Ok(wanted);
    }
    match config.on_shortage {
        OnShortage::Refuse => short(),
        OnShortage::Repeat => Ok(wanted),
        OnShortage::Reduce if capped == 0 => short(),
        OnShortage::Reduce => Ok(capped),
    }
}

/// Deals windows out as evenly as epochs allow, or one epoch where no total was asked for; the shares
/// become what is dealt.
fn unimax(config: &MixtureConfig, shares: &mut [Share], wanted: u64, asked: bool, seq_len: u32) -> Result<u64> {
    let left = balance::unimax(shares, wanted, if asked { Share::cap } else { limit_once });
    let possible = wanted - left;
    if possible == 0 || (left > 0 && config.on_shortage == OnShortage::Refuse) {
        return Err(Error::from(Box::new(shortage(shares, wanted, possible, seq_len))));
    }
    if left > 0 && config.on_shortage == OnShortage::Repeat {
        balance::spread(shares, left);
    }
    balance::state(shares);
    Ok(if config.on_shortage == OnShortage::Repeat { wanted } else { possible })
}

#[cfg(test)]
mod tests;
