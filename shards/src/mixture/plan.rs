//! mixture.json: how many windows of each bucket a run draws, how often it repeats.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::config::{MixtureConfig, OnShortage};
use super::share::{apportion, largest_total, plans, shares, shortage};
use crate::atomic;
use crate::error::{Error, Result};
use crate::stream::Packed;

/// The plan format written and read here. Version 2 does not count padding as tokens.
pub const MIXTURE_VERSION: u32 = 2;

/// Most windows in a plan, and most places for tokens in them: far above any run, and what a stream
/// computes with them stays far below overflow.
const MAX_WINDOWS: u64 = 1 << 48;
const MAX_PLACES: u64 = 1 << 60;

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
    /// Its train tokens.
    pub available_tokens: u64,
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
    /// Of the tokens drawn, those drawn a second time or more.
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
        Self::with(bucket, ratio, available_tokens, None, max_epochs, windows, seq_len)
    }

    /// Draws `windows` windows or packed rows of a bucket; everything else follows.
    pub(crate) fn with(
        bucket: String,
        ratio: f64,
        available_tokens: u64,
        packed: Option<Packed>,
        max_epochs: f64,
        windows: u64,
        seq_len: u32,
    ) -> Self {
        let length = u64::from(seq_len);
        let available_windows = windows_of(available_tokens, packed, seq_len);
        let once = available_tokens.saturating_sub(packed.map_or(0, |packed| packed.too_long_tokens));
        let tokens = match available_windows {
            0 => 0,
            all if packed.is_some() => windows / all * once + (u128::from(windows % all) * u128::from(once) / u128::from(all)) as u64,
            // The short window is the last one of an epoch: before it all are full.
            all => windows / all * available_tokens + windows % all * length,
        };
        Self {
            bucket,
            ratio,
            available_tokens,
            available_windows,
            windows,
            tokens,
            padding_tokens: (windows * length).saturating_sub(tokens),
            epochs: epochs(windows, available_windows),
            repeated_tokens: tokens.saturating_sub(once),
            max_epochs,
            packed,
        }
    }
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
}

impl MixturePlan {
    /// Plans `target_tokens` (rounded up to whole windows), or, without a target, the largest
    /// total for which no bucket is gone through more than once.
    ///
    /// # Errors
    /// [`Error::Shortage`] where a bucket would exceed its epochs and the recipe says `refuse`, or
    /// has nothing at all.
    pub fn new(config: &MixtureConfig, available: &[(String, u64)], target_tokens: Option<u64>, seq_len: u32) -> Result<Self> {
        Self::with_packed(config, available, &BTreeMap::new(), target_tokens, seq_len)
    }

    /// The same, with the buckets in `packed` in rows of whole documents. Places that stay empty in these
    /// count towards `target_tokens`.
    ///
    /// # Errors
    /// As [`MixturePlan::new`].
    pub fn with_packed(
        config: &MixtureConfig,
        available: &[(String, u64)],
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
        let shares = shares(config, available, packed, seq_len)?;
        let empty = shares.iter().any(|share| share.parts > 0 && share.available_windows == 0);
        let most = MAX_WINDOWS.min(MAX_PLACES / u64::from(seq_len));
        let once = largest_total(&shares, |share| share.available_windows.min(share.cap())).min(most);
        let capped = largest_total(&shares, |share| share.cap()).min(most);
        let wanted = match target_tokens {
            Some(tokens) => tokens.div_ceil(u64::from(seq_len)),
            None => once,
        };
        if wanted > most {
            let detail = format!("{wanted} windows of {seq_len} tokens, at most {most} are supported");
            return Err(Error::Setting { option: "tokens", detail });
        }
        let short = || Error::from(Box::new(shortage(&shares, wanted, capped, seq_len)));
        let mut total = wanted;
        if empty || wanted == 0 {
            return Err(short());
        }
        let within = |total| {
            let windows = apportion(&shares, total);
            let mut pairs = shares.iter().zip(windows);
            pairs.all(|(share, windows)| windows <= share.cap())
        };
        if target_tokens.is_some() && !within(wanted) {
            match config.on_shortage {
                OnShortage::Refuse => return Err(short()),
                OnShortage::Repeat => {}
                OnShortage::Reduce if capped == 0 => return Err(short()),
                OnShortage::Reduce => total = capped,
            }
        }
        let buckets = plans(&shares, total, seq_len);
        Ok(Self {
            version: MIXTURE_VERSION,
            seq_len,
            requested_tokens: target_tokens,
            reduced: total < wanted,
            windows: total,
            tokens: buckets.iter().map(|entry| entry.tokens).sum(),
            buckets,
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
            if *entry != BucketPlan::with(name.clone(), ratio, there, entry.packed, max, entry.windows, self.seq_len) {
                return Err(format!("the counts of `{name}` do not follow from its tokens and its windows"));
            }
            tokens += entry.tokens;
        }
        if (windows, tokens) != (self.windows, self.tokens) {
            return Err(format!("buckets draw {windows} windows and {tokens} tokens, the plan says {} and {}", self.windows, self.tokens));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn available(counts: &[(&str, u64)]) -> Vec<(String, u64)> {
        counts.iter().map(|(name, n)| (name.to_string(), *n)).collect()
    }

    fn config(ratios: &[(&str, f64)], max_epochs: f64, on_shortage: OnShortage) -> MixtureConfig {
        MixtureConfig {
            ratios: ratios.iter().map(|(n, r)| (n.to_string(), *r)).collect(),
            max_epochs,
            on_shortage,
            ..MixtureConfig::default()
        }
    }

    const HALVES: [(&str, f64); 2] = [("ko", 0.5), ("to", 0.5)];

    #[test]
    fn without_a_target_the_scarcest_bucket_is_used_once() {
        // 1000 tokens of `ko` are 100 windows, so `to` gives 100 of its 500; total 200 windows.
        let config = config(&HALVES, 4.0, OnShortage::Refuse);
        let counts = available(&[("ko", 1000), ("to", 5000), ("legal", 70)]);
        let plan = MixturePlan::new(&config, &counts, None, 10).unwrap();
        assert_eq!((plan.windows, plan.tokens, plan.reduced), (200, 2000, false));
        let windows: Vec<u64> = plan.buckets.iter().map(|b| b.windows).collect();
        assert_eq!(windows, [100, 100, 0]);
        assert_eq!(plan.buckets[0].epochs, 1.0);
        assert_eq!(plan.buckets[1].epochs, 0.2);
        assert_eq!(plan.buckets[2].bucket, "legal");
    }

    #[test]
    fn default_ratios_come_out_exactly() {
        let counts = available(&[("korean", 10_000), ("english", 10_000), ("code", 10_000)]);
        let plan = MixturePlan::new(&MixtureConfig::default(), &counts, Some(10_000), 10).unwrap();
        let windows: Vec<u64> = plan.buckets.iter().map(|b| b.windows).collect();
        assert_eq!(windows, [70, 510, 420]); // by name: code, english, korean
        // 7 windows: 0.49, 3.57, 2.94 → 0, 3, 2 and the two largest rests are korean, english.
        let plan = MixturePlan::new(&MixtureConfig::default(), &counts, Some(65), 10).unwrap();
        let windows: Vec<u64> = plan.buckets.iter().map(|b| b.windows).collect();
        assert_eq!((windows, plan.windows), (vec![0, 4, 3], 7));
    }

    #[test]
    fn repeats_within_the_epochs_are_planned_and_counted() {
        // 250 windows of ko from 100: 2.5 epochs, 150 windows of 10 tokens drawn again.
        let config = config(&HALVES, 4.0, OnShortage::Refuse);
        let counts = available(&[("ko", 1000), ("to", 5000)]);
        let plan = MixturePlan::new(&config, &counts, Some(5000), 10).unwrap();
        assert_eq!(plan.buckets[0].epochs, 2.5);
        assert_eq!(plan.buckets[0].repeated_tokens, 1500);
        assert_eq!(plan.buckets[1].repeated_tokens, 0);
    }

    #[test]
    fn padding_is_not_counted_as_tokens() {
        let plan = |tokens: u64, seq_len: u32, windows: u64| {
            let config = config(&[("ko", 1.0)], 4.0, OnShortage::Refuse);
            let target = windows * u64::from(seq_len);
            let plan = MixturePlan::new(&config, &available(&[("ko", tokens)]), Some(target), seq_len).unwrap();
            let ko = &plan.buckets[0];
            assert_eq!((plan.windows, plan.tokens, ko.windows), (windows, ko.tokens, windows));
            (ko.tokens, ko.repeated_tokens, ko.padding_tokens)
        };
        // 8 tokens in one window of 256: four epochs are 32 tokens in 1024 places.
        assert_eq!(plan(8, 256, 4), (32, 24, 992));
        // 11 tokens in windows of 10 and 1: two epochs, a full window, and so on.
        assert_eq!(plan(11, 10, 1), (10, 0, 0));
        assert_eq!(plan(11, 10, 2), (11, 0, 9));
        assert_eq!(plan(11, 10, 3), (21, 10, 9));
        assert_eq!(plan(11, 10, 4), (22, 11, 18));
        assert_eq!(plan(20, 10, 3), (30, 10, 0));
    }

    #[test]
    fn epochs_are_not_lost_to_rounding() {
        // 100 windows may be gone through 2.3 times: 230 windows.
        let reduce = config(&[("ko", 1.0)], 2.3, OnShortage::Reduce);
        let plan = MixturePlan::new(&reduce, &available(&[("ko", 1000)]), Some(5000), 10).unwrap();
        assert_eq!((plan.windows, plan.buckets[0].epochs), (230, 2.3));
        // 7 windows 1.5 times are 10.5: the half one is not drawn.
        let reduce = config(&[("ko", 1.0)], 1.5, OnShortage::Reduce);
        assert_eq!(MixturePlan::new(&reduce, &available(&[("ko", 70)]), Some(5000), 10).unwrap().windows, 10);
    }

    #[test]
    fn a_shortage_is_refused_with_its_numbers() {
        // 8000 tokens want 400 windows of ko; two epochs of 100 windows are 200, 2000 missing.
        let config = config(&HALVES, 2.0, OnShortage::Refuse);
        let counts = available(&[("ko", 1000), ("to", 5000)]);
        let Err(Error::Shortage(short)) = MixturePlan::new(&config, &counts, Some(8000), 10) else {
            panic!("not refused");
        };
        assert_eq!((short.requested_tokens, short.possible_tokens), (8000, 4000));
        let ko = &short.buckets[0];
        assert_eq!((ko.wanted_tokens, ko.missing_tokens), (4000, 2000));
        assert_eq!((ko.epochs_needed, ko.max_epochs), (Some(4.0), 2.0));
        assert_eq!(short.buckets[1].missing_tokens, 0);
        let text = short.to_string();
        assert!(text.contains("ko") && text.contains("2000 missing"), "{text}");
    }

    #[test]
    fn a_shortage_is_reduced_or_repeated_on_request() {
        let counts = available(&[("ko", 1000), ("to", 5000)]);
        let reduce = config(&HALVES, 2.0, OnShortage::Reduce);
        let plan = MixturePlan::new(&reduce, &counts, Some(8000), 10).unwrap();
        assert_eq!((plan.tokens, plan.reduced), (4000, true));
        assert_eq!(plan.buckets[0].epochs, 2.0);
        let repeat = config(&HALVES, 2.0, OnShortage::Repeat);
        let plan = MixturePlan::new(&repeat, &counts, Some(8000), 10).unwrap();
        assert_eq!((plan.tokens, plan.reduced), (8000, false));
        assert_eq!(plan.buckets[0].repeated_tokens, 3000);
    }

    #[test]
    fn an_empty_bucket_is_a_shortage_in_every_mode() {
        let counts = available(&[("to", 5000)]);
        for mode in [OnShortage::Refuse, OnShortage::Repeat, OnShortage::Reduce] {
            for target in [None, Some(100)] {
                let error = MixturePlan::new(&config(&HALVES, 2.0, mode), &counts, target, 10);
                let Err(Error::Shortage(short)) = error else {
                    panic!("not refused");
                };
                assert_eq!(short.buckets[0].epochs_needed, None);
            }
        }
    }

    #[test]
    fn single_buckets_have_their_own_epochs() {
        let mut config = config(&HALVES, 2.0, OnShortage::Refuse);
        config.epochs.insert("ko".into(), 8.0);
        let counts = available(&[("ko", 1000), ("to", 5000)]);
        let plan = MixturePlan::new(&config, &counts, Some(8000), 10).unwrap();
        assert_eq!(plan.buckets[0].epochs, 4.0);
    }

    #[test]
    fn a_saved_plan_is_read_back_and_a_changed_one_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mixture.json");
        let counts = available(&[("korean", 10_000), ("english", 10_000), ("code", 10_000)]);
        let plan = MixturePlan::new(&MixtureConfig::default(), &counts, None, 7).unwrap();
        plan.save(&path).unwrap();
        assert_eq!(MixturePlan::load(&path).unwrap(), plan);
        let text = std::fs::read_to_string(&path).unwrap();
        let wrong = text.replacen("\"windows\": ", "\"windows\": 1", 1);
        std::fs::write(&path, wrong).unwrap();
        assert!(MixturePlan::load(&path).is_err());
        for (from, to) in [
            ("\"version\": 2", "\"version\": 1"),
            ("\"padding-tokens\": ", "\"padding-tokens\": 1"),
            ("\"windows\": ", "\"windows\": 1000000000000000"),
            ("\"available-tokens\": 10000", "\"available-tokens\": 18446744073709551615"),
        ] {
            let wrong = text.replace(from, to);
            assert_ne!(wrong, text);
            std::fs::write(&path, wrong).unwrap();
            assert!(MixturePlan::load(&path).is_err(), "{to}");
        }
    }

    #[test]
    fn every_plan_is_read_back_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mixture.json");
        for tokens in 1..400 {
            let config = config(&[("ko", 1.0)], 1.0, OnShortage::Refuse);
            let plan = MixturePlan::new(&config, &available(&[("ko", 7919)]), Some(tokens * 19), 11).unwrap();
            std::fs::write(&path, serde_json::to_vec(&plan).unwrap()).unwrap();
            assert_eq!(MixturePlan::load(&path).unwrap(), plan);
        }
    }

    #[test]
    fn more_windows_than_a_stream_can_count_are_refused() {
        let repeat = config(&[("ko", 1.0)], 1e6, OnShortage::Repeat);
        let counts = available(&[("ko", u64::MAX)]);
        let error = MixturePlan::new(&repeat, &counts, Some(u64::MAX), 1).unwrap_err().to_string();
        assert!(error.contains("at most 281474976710656"), "{error}"); // 2^48
        assert_eq!(MixturePlan::new(&repeat, &counts, None, 1).unwrap().windows, 1 << 48);
        // 2^60 places in windows of 2^31.
        assert_eq!(MixturePlan::new(&repeat, &counts, None, 1 << 31).unwrap().windows, 1 << 29);
    }
}
